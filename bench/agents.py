"""Five hundred agents in one process: real SSH connections, and what usher-agent would tell."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections.abc import Iterable
from pathlib import Path

import asyncssh

LOAD_SECONDS = 5
SESSIONS = 40

HELLO = {
    "event": "hello",
    "protocol": 1,
    "version": "0.1.0",
    "host": "bench",
    "privileged": True,
    "why": "",
}


def main() -> None:
    """``FOLDER``: let in the key that is made in there, and write the known hosts beside it."""
    asyncio.run(serve(Path(sys.argv[1])))


async def serve(folder: Path) -> None:
    """Serve until the process ends."""
    host, client = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    client.write_private_key(folder / "id")
    client.write_public_key(folder / "authorized")
    acceptor = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_host_keys=[host],
        authorized_client_keys=str(folder / "authorized"),
        process_factory=tell,
        encoding=None,
    )
    port = acceptor.get_port()
    key = host.export_public_key().decode()
    (folder / "known_hosts").write_text(f"[ts*]:{port} {key}")
    print(f"ready on ssh://127.0.0.1:{port}", file=sys.stderr, flush=True)
    await acceptor.wait_closed()


async def tell(process: asyncssh.SSHServerProcess[bytes]) -> None:
    """Say who speaks and which sessions there are, then the load again and again."""
    name = random.randrange(1 << 30)
    process.stdout.write(_lines([HELLO, _load(), {"event": "sessions", "sessions": _rows(name)}]))
    await asyncio.sleep(random.uniform(0, LOAD_SECONDS))
    while True:
        process.stdout.write(_lines([_load()]))
        await asyncio.sleep(LOAD_SECONDS)


def _lines(told: Iterable[object]) -> bytes:
    return "".join(json.dumps(event) + "\n" for event in told).encode()


def _load() -> dict[str, object]:
    load = [random.uniform(0, 8) for _ in range(3)]
    memory = {"memory_mb": 32000, "available_mb": random.randrange(32000)}
    return {"event": "load", "load": load, "cores": 8, "mhz": 2600, **memory}


def _rows(name: int) -> list[dict[str, object]]:
    return [
        {
            "id": f"user{name + number}-{50 + number}-1795414336_stDXFCE_dp24",
            "user": f"user{name + number}",
            "server": "bench",
            "state": "RS"[number % 2],
            "display": 50 + number,
            "agent_pid": 1000 + number,
            "client": "192.0.2.1",
            "cookie": f"{number:032x}",
            "graphics_port": 30000 + 3 * number,
            "sound_port": 30001 + 3 * number,
            "fs_port": 30002 + 3 * number,
            "started": "2026-11-23T06:12:16",
            "last": "2026-11-23T06:12:18",
            "age": 3,
        }
        for number in range(SESSIONS)
    ]


if __name__ == "__main__":
    main()
