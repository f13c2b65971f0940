"""What windows show, read out as to a blind person. Debian's Python runs this, beside the tests.

For every line on standard input: one line of JSON, a list of all that can be seen now, each with
role, name, focus, the title of its window, and its place on the screen.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import chain
from typing import Any

import dbus
import dbus.bus

ACCESSIBLE = "org.a11y.atspi.Accessible"
COMPONENT = "org.a11y.atspi.Component"
REGISTRY = ("org.a11y.atspi.Registry", "/org/a11y/atspi/accessible/root")
FOCUSED, SHOWING = 1 << 12, 1 << 25


def accessibility_bus() -> dbus.bus.BusConnection:
    """The bus on which programs tell what they show."""
    launcher = dbus.SessionBus().get_object("org.a11y.Bus", "/org/a11y/bus", introspect=False)
    return dbus.bus.BusConnection(launcher.GetAddress(dbus_interface="org.a11y.Bus"))


def visible(bus: Any, name: str, path: str, window: str = "") -> Iterator[dict[str, Any]]:
    """A thing on the screen and all that is in it. What vanishes meanwhile is left out."""
    thing = dbus.Interface(bus.get_object(name, path, introspect=False), ACCESSIBLE)
    try:
        role, states, children = str(thing.GetRoleName()), thing.GetState()[0], thing.GetChildren()
        if role not in ("desktop frame", "application"):
            if not states & SHOWING:
                return
            text = str(thing.Get(ACCESSIBLE, "Name", dbus_interface=dbus.PROPERTIES_IFACE))
            window = window or text
            place = thing.GetExtents(dbus.UInt32(0), dbus_interface=COMPONENT)
            x, y, width, height = map(int, place)
            yield {
                "role": role,
                "name": text,
                "focused": bool(states & FOCUSED),
                "window": window,
                "x": x,
                "y": y,
                "width": width,
                "height": height,
            }
    except dbus.DBusException:
        return
    for child in children:
        yield from visible(bus, *child, window)


def main() -> None:
    """Answer until standard input ends. The first answer, unasked, says that all is ready."""
    bus = accessibility_bus()
    for _ in chain([""], sys.stdin):
        print(json.dumps([*visible(bus, *REGISTRY)]), flush=True)


main()
