"""The yardstick: the same SSH library, which lets everybody in and answers a constant."""

from __future__ import annotations

import asyncio
import sys

import asyncssh
import uvloop


class Anybody(asyncssh.SSHServer):
    """Nobody has to prove anything."""

    def begin_auth(self, username: str) -> bool:
        """They are in."""
        return False


def main() -> None:
    """``SIZE``: listen on a free port of loopback."""
    uvloop.run(serve("x" * int(sys.argv[1])))


async def serve(body: str) -> None:
    """Serve until the process ends."""

    def answer(process: asyncssh.SSHServerProcess[str]) -> None:
        process.stdout.write(body)
        process.exit(0)

    acceptor = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=Anybody,
        process_factory=answer,
        server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
    )
    print(f"ready on ssh://127.0.0.1:{acceptor.get_port()}", file=sys.stderr, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    main()
