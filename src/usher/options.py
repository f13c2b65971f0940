"""Every key of a session profile: what it is, who reads it, and what they assume without it.

The one table behind validation, both wires and the reference page. ``host`` stands here for its
defaults only: a Profile keeps its servers apart from its options.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from usher.model import Option


class Kind(StrEnum):
    """What the value of a key is."""

    BOOL = "bool"
    INT = "int"
    STRING = "string"
    PATH = "path"
    ICON = "icon"
    LIST = "list"
    EXPORT = "export"


class Missing(StrEnum):
    """Why there is no default to name."""

    NO = "does not read it"
    UNKNOWN = "depends on the client"


@dataclass(frozen=True, slots=True)
class Key:
    """One key. ``x2goclient`` and ``python_x2go`` are the defaults those clients assume."""

    name: str
    kind: Kind
    x2goclient: Option | Missing
    python_x2go: Option | Missing
    about: str
    choices: tuple[Option, ...] = ()


BOOL, INT, STRING, PATH, ICON, LIST, EXPORT = Kind
NO, UNKNOWN = Missing
SESSION_ICON: Final = ":icons/128x128/x2gosession.png"

FOLDER_MARKS: Final = (":0", ":1", "#0", "#1")
"""How each folder of an EXPORT ends: shared at once (1) or not; ``#`` where a path has colons."""

_TABLE: Final = (
    Key(
        "applications",
        LIST,
        NO,
        (
            "WWWBROWSER",
            "MAILCLIENT",
            "OFFICE",
            "TERMINAL",
        ),
        "menu of the published applications",
    ),
    Key("autoconnect", BOOL, NO, False, "connect when the client starts"),
    Key(
        "autologin", BOOL, False, True, "log in with the SSH agent or default keys, without asking"
    ),
    Key("autostart", BOOL, NO, False, "start a session when connected"),
    Key(
        "clipboard",
        STRING,
        "both",
        "both",
        "which way the clipboard is shared",
        ("both", "client", "server", "none"),
    ),
    Key("command", STRING, "KDE", "TERMINAL", "desktop, application or command line to start"),
    Key("defsndport", BOOL, True, True, "use the sound system's default port"),
    Key("directrdp", BOOL, False, False, "run an RDP client locally instead of an X2Go session"),
    Key("directrdpsettings", STRING, "", "", "more arguments for the local RDP client"),
    Key("directxdmcp", BOOL, False, NO, "run an XDMCP client locally"),
    Key("directxdmcpsettings", STRING, "", NO, "more arguments for the local XDMCP client"),
    Key("display", INT, 1, 1, "number of the monitor to use, from 1"),
    Key("dpi", INT, UNKNOWN, 96, "dots per inch, with setdpi"),
    Key("export", EXPORT, "", (), "folders to share: path:1;other:0; (1: at once)"),
    Key("forwardsshagent", BOOL, NO, False, "forward the SSH agent"),
    Key("fstunnel", BOOL, True, True, "share folders through SSH"),
    Key("fullscreen", BOOL, False, False, "start in full screen"),
    Key("height", INT, 600, 600, "height of the window in pixels"),
    Key("host", STRING, "", ("server.mydomain",), "names of the X2Go Servers"),
    Key(
        "icon",
        ICON,
        SESSION_ICON,
        SESSION_ICON,
        "base64 of a square picture; an http(s) address from 4.1.2.3 on",
    ),
    Key("iconvfrom", STRING, "UTF-8", "UTF-8", "character set of the client's file names"),
    Key("iconvto", STRING, "UTF-8", "UTF-8", "character set of the server's file names"),
    Key("kdrive", BOOL, False, False, "use X2GoKDrive"),
    Key("key", PATH, "", "", "private key file on the client"),
    Key("krbdelegation", BOOL, False, NO, "forward Kerberos tickets"),
    Key("krblogin", BOOL, False, False, "log in by Kerberos"),
    Key("layout", STRING, "us", "us", "keyboard layout"),
    Key("maxdim", BOOL, False, False, "use the whole screen"),
    Key("mimeboxaction", STRING, NO, "OPEN", "what to do with a file in the MIME box"),
    Key("mimeboxextensions", STRING, NO, "", "file extensions of the MIME box"),
    Key("multidisp", BOOL, False, False, "use one monitor of several"),
    Key("name", STRING, "New Session", "NEW_PROFILE", "what the client shows; / makes folders"),
    Key("noresize", BOOL, False, NO, "forbid resizing the window (4.1.2.3 on)"),
    Key("pack", STRING, "16m-jpeg", "16m-jpeg", "compression method"),
    Key("print", BOOL, True, False, "print on the client's printer"),
    Key("published", BOOL, False, False, "published applications instead of a desktop"),
    Key("quality", INT, 9, 9, "picture quality", (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)),
    Key(
        "rdpclient",
        STRING,
        "rdesktop",
        "rdesktop",
        "program for direct RDP, run on the client",
        ("rdesktop", "xfreerdp", "xfreerdpnew"),
    ),
    Key(
        "rdpoptions",
        STRING,
        "",
        "-u X2GO_USER -p X2GO_PASSWORD",
        "arguments for rdesktop on the server",
    ),
    Key("rdpport", INT, 3389, 3389, "port of the RDP server"),
    Key("rdpserver", STRING, "", "", "RDP server reached through the X2Go Server"),
    Key("restoreexports", BOOL, NO, False, "share the folders of the last session again"),
    Key("rootless", BOOL, False, True, "a single application without a desktop"),
    Key("running", INT, 0, NO, "number of running sessions, set by the broker"),
    Key("sessiontitle", STRING, NO, "", "title of the session window"),
    Key("setdpi", BOOL, UNKNOWN, False, "use dpi"),
    Key("setsessiontitle", BOOL, NO, False, "use sessiontitle"),
    Key("shadowdisplay", STRING, "", NO, "display to share, with command=SHADOW"),
    Key("shadowfullaccess", BOOL, False, NO, "control the shared display, not only look"),
    Key("shadowuser", STRING, "", NO, "user whose display to share"),
    Key("sndport", INT, 4713, 4713, "port of the sound system"),
    Key("sound", BOOL, True, False, "sound on the client"),
    Key("soundsystem", STRING, "pulse", "pulse", "sound system", ("pulse", "arts", "esd")),
    Key("soundtunnel", BOOL, True, True, "send sound through SSH"),
    Key("speed", INT, 2, 2, "line speed: 0 modem, 1 isdn, 2 adsl, 3 wan, 4 lan", (0, 1, 2, 3, 4)),
    Key("sshport", INT, 22, 22, "SSH port of the X2Go Servers"),
    Key("sshproxyautologin", BOOL, False, True, "log in at the proxy with the SSH agent"),
    Key("sshproxyhost", STRING, "", "proxyhost.mydomain", "name of the SSH proxy, without a port"),
    Key("sshproxykeyfile", PATH, "", "", "private key file for the proxy, on the client"),
    Key("sshproxykrblogin", BOOL, False, NO, "log in at the proxy by Kerberos"),
    Key("sshproxyport", INT, 22, 22, "port of the proxy"),
    Key("sshproxysamekey", BOOL, False, NO, "same key for proxy and server"),
    Key("sshproxysamepass", BOOL, False, False, "same password for proxy and server"),
    Key("sshproxysameuser", BOOL, False, False, "same user for proxy and server"),
    Key("sshproxytype", STRING, "SSH", "SSH", "kind of proxy", ("SSH", "HTTP")),
    Key("sshproxyuser", STRING, "", "", "user at the proxy"),
    Key("startembed", BOOL, True, NO, "start at once in embedded mode"),
    Key("startsoundsystem", BOOL, True, False, "start the sound system"),
    Key("status", STRING, "", NO, "R running or S suspended, set by the broker", ("", "R", "S")),
    Key("suspended", INT, 0, NO, "number of suspended sessions, set by the broker"),
    Key("type", STRING, "auto", "pc105/us", "keyboard type"),
    Key("uniquehostkeyaliases", BOOL, NO, False, "a host key alias for each profile"),
    Key("usebrokerpass", BOOL, False, NO, "log in to the server with the broker's password"),
    Key("usebrokerpassforproxy", BOOL, False, NO, "log in to the proxy with the broker's password"),
    Key("usebrokeruserforproxy", BOOL, False, NO, "log in to the proxy as the broker's user"),
    Key("useexports", BOOL, NO, True, "share folders"),
    Key("useiconv", BOOL, False, False, "convert file names between character sets"),
    Key("usekbd", BOOL, True, True, "send keyboard settings"),
    Key("usemimebox", BOOL, NO, False, "open files put into the MIME box"),
    Key("user", STRING, "", UNKNOWN, "login at the server; BROKER_USER: the broker's user"),
    Key("usesshproxy", BOOL, False, False, "reach the server through a proxy"),
    Key("variant", STRING, NO, "", "keyboard variant"),
    Key("width", INT, 800, 800, "width of the window in pixels"),
    Key("xdmcpclient", STRING, "Xnest", NO, "program for direct XDMCP", ("Xnest", "Xephyr")),
    Key("xdmcpserver", STRING, "localhost", "localhost", "XDMCP server"),
    Key("xinerama", BOOL, False, False, "several monitors as one screen"),
)

KEYS: Final[Mapping[str, Key]] = MappingProxyType({key.name: key for key in _TABLE})

EXPLICIT_IN_JSON: Final = tuple(
    key.name
    for key in _TABLE
    if NO not in (key.x2goclient, key.python_x2go) and key.x2goclient != key.python_x2go
)
"""Keys about which the two clients assume different things: python-x2go must always be told."""
