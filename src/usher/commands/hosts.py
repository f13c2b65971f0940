"""``usher hosts``: what is known of the X2Go Servers, and what they need to work with us."""

from __future__ import annotations

import argparse
import asyncio
import shlex
import subprocess
import sys
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from usher.commands.asking import agreed
from usher.commands.daemon import of_the_daemon
from usher.config import Config, arguments, load
from usher.errors import ConfigError
from usher.model import Server
from usher.plugins import build, installed
from usher.ports import ProfileSource

CONNECT_SECONDS = 10.0

_INSTALL = """\
# On {name}, as root: the agent, its account, and the broker's key. Needs sudo and python3.
set -eu
id usher-agent >/dev/null 2>&1 || useradd --system --create-home \\
    --home-dir /var/lib/usher-agent --shell /bin/sh usher-agent
install -d -m 0755 /usr/lib/usher
{files}
install -d -m 0700 -o usher-agent -g usher-agent /var/lib/usher-agent/.ssh
cat > /var/lib/usher-agent/.ssh/authorized_keys <<'{mark}'
restrict,command="/usr/lib/usher/usher-agent" {key}
{mark}
chown usher-agent: /var/lib/usher-agent/.ssh/authorized_keys
chmod 0600 /var/lib/usher-agent/.ssh/authorized_keys
systemd-tmpfiles --create /usr/lib/tmpfiles.d/usher-agent.conf 2>/dev/null || install -d -m 0755 \\
    /run/usher-agent /run/usher-agent/keys
systemctl reload ssh 2>/dev/null || systemctl reload sshd 2>/dev/null || echo 'Reload sshd.' >&2
"""
_MARK = "END-OF-FILE"
_FILES = {
    "usher-agent": ("/usr/lib/usher/usher-agent", "0755"),
    "sudoers.d-usher-agent": ("/etc/sudoers.d/usher-agent", "0440"),
    "sshd_config.d-usher-agent.conf": ("/etc/ssh/sshd_config.d/usher-agent.conf", "0644"),
    "tmpfiles.d-usher-agent.conf": ("/usr/lib/tmpfiles.d/usher-agent.conf", "0644"),
}


def run(arguments: argparse.Namespace) -> int:
    """Show the servers, trust one, or tell what one needs."""
    config = load(arguments.config)
    match arguments.action, arguments.host:
        case None, None:
            return of_the_daemon(config, "hosts", "")
        case "trust", str(name):
            return trust(config, name)
        case "install", str(name):
            return install(config, name, apply=arguments.apply)
    print("usher hosts: write trust or install, and a HOST", file=sys.stderr)
    return 2


def trust(config: Config, name: str) -> int:
    """Show the host key of a server, and let the administrator decide. Return the exit status."""
    known_hosts = Path(str(_options(config)["known_hosts"]))
    server = _server(config, name)
    key = asyncio.run(_host_key(server))
    print(f"{server.name} ({server.address}, port {server.port}) has the host key\n{key[1]}")
    print(f"Is it the server's own? On {server.name}: ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub")
    if not agreed(f"Add it to {known_hosts}?"):
        print("Nothing was changed.")
        return 1
    _replace(known_hosts, _pattern(server), key[0])
    print(f"{server.name} is trusted.")
    return 0


def install(config: Config, name: str, *, apply: bool) -> int:
    """Print what a server needs, as a shell script, or run it there as root."""
    server = _server(config, name)
    script = _script(server, Path(str(_options(config)["key"])))
    if not apply:
        print(script, end="")
        return 0
    known = f"UserKnownHostsFile=~/.ssh/known_hosts {_options(config)['known_hosts']}"
    options = ["-p", str(server.port), "-o", known, "-o", f"HostKeyAlias={_pattern(server)}"]
    ssh = ["ssh", *options, f"root@{server.address}", "sh", "-s"]
    print(f"usher: {shlex.join(ssh)}", file=sys.stderr)
    done = subprocess.run(ssh, input=script, text=True, check=False)  # noqa: S603 - no shell
    return done.returncode


def _options(config: Config) -> Mapping[str, Any]:
    """How the agent logs in to servers, or the first of several that does. Raises ConfigError."""
    table = config.table("agent")
    inner = [table.inner(k, v) for k, v in table.values.items() if isinstance(v, dict)]
    for candidate in (table, *inner):
        kind = installed("agent")[str(candidate.values["type"])].load()
        defaults = getattr(kind.__init__, "__kwdefaults__", None) or {}
        if "known_hosts" in defaults:
            return {**defaults, **arguments(kind, candidate)}
    message = f"{table.values['type']} logs in to no server: choose 'usher', 'ssh' or 'mixed'"
    raise ConfigError([table.fault("type", message)])


def _server(config: Config, name: str) -> Server:
    """The server that profiles call so. Raises OSError when none does."""
    source = build(ProfileSource, config.table("profiles"))
    for server in source.known_servers():
        if server.name == name:
            return server
    known = ", ".join(sorted(server.name for server in source.known_servers()))
    raise OSError(f"no profile names the server {name!r}: there are {known or 'none'}")


async def _host_key(server: Server) -> tuple[str, str]:
    """The key that the server shows, as a file of known hosts has it, and its fingerprint."""
    import asyncssh

    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            key = await asyncssh.get_server_host_key(server.address, server.port, config=None)
    except (asyncssh.Error, OSError) as error:  # TimeoutError is one
        why = str(error) or f"no answer within {CONNECT_SECONDS:.0f} seconds"
        where = f"{server.name} ({server.address}, port {server.port})"
        raise OSError(f"{where} shows no host key: {why}") from error
    if key is None:
        raise OSError(f"{server.name} shows no host key")
    return key.export_public_key().decode().strip(), key.get_fingerprint()


def _pattern(server: Server) -> str:
    """What a file of known hosts calls the server."""
    return server.name if server.port == 22 else f"[{server.name}]:{server.port}"


def _replace(known_hosts: Path, pattern: str, key: str) -> None:
    """Write the line of this server anew, and keep the others."""
    lines = known_hosts.read_text().splitlines() if known_hosts.exists() else []
    lines = [line for line in lines if line.split(" ", 1)[0] != pattern]
    known_hosts.parent.mkdir(parents=True, exist_ok=True)
    draft = known_hosts.with_name(f"{known_hosts.name}.new")
    draft.write_text("".join(f"{line}\n" for line in (*lines, f"{pattern} {key}")))
    draft.chmod(0o644)
    draft.replace(known_hosts)


def _script(server: Server, key: Path) -> str:
    public = key.with_name(f"{key.name}.pub")
    if not public.exists():
        owner = "as the daemon's account"
        raise OSError(f"there is no {public}: {owner}: ssh-keygen -t ed25519 -N '' -f {key}")
    parts = [_file(name, path, mode) for name, (path, mode) in _FILES.items()]
    words = public.read_text().split()
    return _INSTALL.format(
        name=server.name, files="\n".join(parts), mark=_MARK, key=" ".join(words[:2])
    )


def _file(name: str, path: str, mode: str) -> str:
    """The words of a script that make a file, at one stroke."""
    text = _source(name).read_text(encoding="utf-8")
    return (
        f"cat > {path}.new <<'{_MARK}'\n{text.rstrip()}\n{_MARK}\n"
        f"chmod {mode} {path}.new && mv {path}.new {path}"
    )


def _source(name: str) -> Path:
    """A file of the agent's: in the package, or beside it in a checkout."""
    packed = Path(str(files("usher"))) / "agent" / name
    return packed if packed.exists() else Path(__file__).parents[3] / "packaging" / "agent" / name
