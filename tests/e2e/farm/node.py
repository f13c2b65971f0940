"""PID 1 of an X2Go Server of its own. Debian's Python runs this, in namespaces of its own.

It says its process id as the machine outside knows it; then a line of JSON on standard input tells
what to be, and it answers ``ready``. It lives until standard input ends, whoever ended it, and
everything in it ends with it: processes, network, files.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

NEW_ROOT = "/mnt"  # nobody outside sees what is mounted there

FOLDERS = {"run": 755, "tmp": 1777, "home": 755, "root": 700, "dev": 755, "var/log": 755}
FIRST_UID = 50000
"""Nobody's number outside, where accounts of tests end with all processes of their number."""

DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
LINKS = {"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1"}
SHARED = ("/tmp/.X11-unix", "/tmp/.ICE-unix")

SSHD_CONFIG = """\
Include /etc/ssh/sshd_config.d/*.conf
UsePAM yes
UseDNS no
X11Forwarding yes
LogLevel VERBOSE
AcceptEnv LANG LC_*
Subsystem sftp internal-sftp
HostKey /etc/ssh/host_key
"""


def run(*command: str, said: str | None = None) -> None:
    """Run a command; what it prints goes to the log."""
    subprocess.run(command, input=said, stdout=sys.stderr, check=True, text=True)


def mount(kind: str, target: str, options: str = "") -> None:
    """Mount a new file system of this kind."""
    Path(target).mkdir(exist_ok=True)
    run("mount", "-t", kind, *(["-o", options] if options else []), kind, target)


def move_in() -> None:
    """Take the machine's files for our own: what is written goes to memory, and to nobody else."""
    mount("tmpfs", NEW_ROOT, "mode=755")
    root, upper, work = (f"{NEW_ROOT}/{name}" for name in ("root", "upper", "work"))
    for folder in (upper, work):
        os.mkdir(folder)
    mount("overlay", root, f"lowerdir=/,upperdir={upper},workdir={work}")
    for name, mode in FOLDERS.items():
        mount("tmpfs", f"{root}/{name}", f"mode={mode}")
    mount("proc", f"{root}/proc")
    mount("sysfs", f"{root}/sys", "ro")
    devices(f"{root}/dev")
    run("sh", "-c", f"cd {root} && pivot_root . . && umount -l .")
    os.chdir("/")


def devices(folder: str) -> None:
    """The few devices that a session needs, and terminals that only we see."""
    for name in DEVICES:
        Path(folder, name).touch()
        run("mount", "--bind", f"/dev/{name}", f"{folder}/{name}")
    mount("devpts", f"{folder}/pts", "newinstance,ptmxmode=0666,mode=620,gid=5")
    mount("tmpfs", f"{folder}/shm", "mode=1777")
    for name, target in LINKS.items():
        os.symlink(target, f"{folder}/{name}")


def log_for_everybody() -> None:
    """Pass on what programs tell the system's log."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind("/dev/log")
    os.chmod("/dev/log", 0o666)

    def listen() -> None:
        while message := listener.recv(65536):
            print(message.decode(errors="replace").rstrip("\0\n"), file=sys.stderr, flush=True)

    threading.Thread(target=listen, daemon=True).start()


def name_ourselves(name: str, names: dict[str, str]) -> None:
    """Take a host name; know those of the others."""
    run("hostname", name)
    Path("/etc/hostname").write_text(f"{name}\n")
    known = {"localhost": "127.0.0.1", **names}
    Path("/etc/hosts").write_text("".join(f"{known[name]} {name}\n" for name in known))
    Path("/etc/resolv.conf").unlink(missing_ok=True)


def let_in(users: dict[str, str], host_key: str) -> None:
    """Make accounts, and the configuration of sshd."""
    for number, user in enumerate(users, FIRST_UID):
        run("useradd", "--uid", str(number), "--create-home", "--shell", "/bin/bash", user)
    run("chpasswd", said="".join(f"{user}:{word}\n" for user, word in users.items()))
    for file in Path("/etc/ssh/sshd_config.d").glob("*"):
        file.unlink()
    Path("/etc/ssh/sshd_config.d").mkdir(exist_ok=True)
    Path("/etc/ssh/sshd_config").write_text(SSHD_CONFIG)
    key = Path("/etc/ssh/host_key")
    key.touch(0o600)
    key.write_text(host_key)
    Path("/run/sshd").mkdir()


def serve() -> None:
    """A session database of our own, and an sshd.

    x2gocleansessions is left out: it takes away whatever takes ten seconds to start, and on a
    machine that is busy with tests some sessions do.
    """
    for folder in SHARED:
        Path(folder).mkdir()
        Path(folder).chmod(0o1777)
    Path("/var/lib/x2go/x2go_sessions").unlink(missing_ok=True)
    run("x2godbadmin", "--createdb")
    subprocess.Popen(["/usr/sbin/sshd", "-D", "-e"], stdin=subprocess.DEVNULL)


def reap() -> None:
    """Orphans are ours."""
    while True:
        os.wait()


def main() -> None:
    """Become the server that is asked for, and be it until standard input ends."""
    print(os.readlink("/proc/self"), flush=True)
    wanted: dict[str, Any] = json.loads(sys.stdin.readline())
    move_in()
    log_for_everybody()
    name_ourselves(wanted["name"], wanted["names"])
    let_in(wanted["users"], wanted["host_key"])
    run("sh", "-s", said=wanted["setup"])
    serve()
    print("ready", flush=True)
    threading.Thread(target=reap, daemon=True).start()
    sys.stdin.read()


main()
