"""An SSH server on loopback that plays an X2Go Server: what it runs is told by the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh
from agentbox import Sandbox

from usher.model import Server

Process = asyncssh.SSHServerProcess[bytes]
Handler = Callable[[Process], Awaitable[None]]


@dataclass
class AgentServer:
    """``commands`` are those that were asked for; ``connections`` those that were made."""

    folder: Path
    handler: Handler
    commands: list[str] = field(default_factory=list)
    connections: list[asyncssh.SSHServerConnection] = field(default_factory=list)
    busy: set[Any] = field(default_factory=set)
    server: Server = Server("h1", "127.0.0.1")
    acceptor: asyncssh.SSHAcceptor | None = None

    @property
    def options(self) -> dict[str, object]:
        """What an agent of ours needs to log in here."""
        return {
            "username": "somebody",
            "key": self.folder / "id",
            "known_hosts": self.folder / "known_hosts",
        }

    def trust(self, key: asyncssh.SSHKey) -> None:
        """Write the key into the file of known hosts."""
        line = f"[h1]:{self.server.port} {key.export_public_key().decode()}"
        (self.folder / "known_hosts").write_text(line)

    def hang_up(self) -> None:
        """End every connection."""
        for connection in self.connections:
            connection.abort()
        self.connections.clear()

    async def handle(self, process: Process) -> None:
        """Note a command and do what the test says."""
        self.commands.append(process.command or "")
        self.busy.add(asyncio.current_task())
        self.connections.append(process.get_extra_info("connection"))
        try:
            await self.handler(process)
        except (BrokenPipeError, asyncssh.Error):
            pass
        finally:
            process.exit(0)


@asynccontextmanager
async def agent_server(folder: Path, handler: Handler) -> AsyncIterator[AgentServer]:
    """A server that lets one key in, and whose own key is known."""
    host, client = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    client.write_private_key(folder / "id")
    client.write_public_key(folder / "authorized")
    made = AgentServer(folder, handler)
    made.acceptor = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_host_keys=[host],
        authorized_client_keys=str(folder / "authorized"),
        process_factory=made.handle,
        encoding=None,
    )
    made.server = Server("h1", "127.0.0.1", made.acceptor.get_port())
    made.trust(host)
    try:
        yield made
    finally:
        made.acceptor.close()
        made.hang_up()
        await made.acceptor.wait_closed()
        if made.busy:
            await asyncio.wait(made.busy, timeout=20)


def saying(answers: dict[str, bytes], noise: bytes = b"") -> Handler:
    """An existing agent: its answer by the words after its path."""

    async def answer(process: Process) -> None:
        command = (process.command or "").removeprefix("sh -c '").removesuffix("'")
        _, _, words = command.partition(" ")
        process.stderr.write(noise)
        process.stdout.write(answers.get(words, b""))

    return answer


def running(sandbox: Sandbox) -> Handler:
    """Our own agent, as it is installed, in its sandbox."""

    async def run(process: Process) -> None:
        pipe = asyncio.subprocess.PIPE
        agent = await asyncio.create_subprocess_exec(
            *sandbox.command("Front"), stdin=pipe, stdout=pipe
        )
        assert agent.stdin and agent.stdout
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_pass_on(process.stdin, agent.stdin))
            tasks.create_task(_pass_on(agent.stdout, process.stdout))
        await agent.wait()

    return run


EXISTING = "/usr/lib/x2go/x2gobroker-agent"
_SCRIPT = """\
#!/bin/sh
test -e {folder}/{name}.refused && {{ echo "no such user on system: $1" >&2; exit 0; }}
echo OK
test -e {folder}/{name}.broken && {{ echo "tee: $4: Permission denied" >&2; exit 0; }}
case $2 in
checkload) printf '%s\\n' loadavgXX:108 memAvail:23335 myMemAvail:23417 numCPU:2 typeCPU:2597 ;;
addauthkey) echo "$4" >> {folder}/files; echo "$3" >> {folder}/$1 ;;
delauthkey) test ! -e {folder}/$1 || sed -i -e '\\!^'"$3"'$!d' -e '/^$/d' {folder}/$1 ;;
esac
"""


def writing(folder: Path) -> Handler:
    """An existing agent that writes keys as the real one does, but into ``folder``.

    It goes through real shells. ``refused`` and ``broken`` in the folder are misfortunes.
    """
    script = folder / "agent"
    script.write_text(_SCRIPT.format(folder=folder, name="is"))
    script.chmod(0o700)

    async def run(process: Process) -> None:
        command = (process.command or "").replace(EXISTING, str(script))
        pipe = asyncio.subprocess.PIPE
        shell = await asyncio.create_subprocess_exec("sh", "-c", command, stdout=pipe, stderr=pipe)
        said, noise = await shell.communicate()
        process.stderr.write(noise)
        process.stdout.write(said)

    return run


async def _pass_on(source: Any, target: Any) -> None:
    """Until either side has gone; then the other is told."""
    with suppress(asyncssh.Error, OSError):
        while data := await source.read(4096):
            target.write(data)
    with suppress(OSError):
        target.close()
