"""The built-in SSH server, as OpenSSH's client and a client without manners find it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncssh
import pytest
from plainclient import authid, granted, has_sessions, password_changed, profiles, server
from sshclients import LIST, PROBE, UUID, Door, door, run, unwrapped, wrapped

BROKER = "/usr/bin/x2gobroker"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of keys that no user has, and beside it a folder of users' files."""
    folder = tmp_path_factory.mktemp("keys")
    (folder / "authorized").mkdir(mode=0o755)
    for name, kind in (("ed25519", "ssh-ed25519"), ("rsa", "ssh-rsa"), ("strange", "ssh-ed25519")):
        key = asyncssh.generate_private_key(kind)
        key.write_private_key(folder / name)
        key.write_public_key(folder / f"{name}.pub")
        (folder / name).chmod(0o600)
    lines = [(folder / f"{name}.pub").read_text() for name in ("ed25519", "rsa")]
    (folder / "authorized" / "alice").write_text("# mine\nnonsense\n" + "".join(lines))
    return folder


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory, keys: Path) -> Iterator[Door]:
    authorized = {"authorized_keys": keys / "authorized"}
    with door(tmp_path_factory.mktemp("ssh"), ssh=authorized) as made:
        yield made


needs_ssh = pytest.mark.skipif(not shutil.which("ssh"), reason="openssh-client is not installed")


async def test_a_command_as_x2goclient_wraps_it_is_answered_between_its_marks(at: Door):
    async with at.login() as connection:
        listed = await run(connection, wrapped(f"{BROKER} --user alice --task listsessions"))
    body = unwrapped(listed.stdout).encode()
    assert granted(body)
    assert "[desktop]" in profiles(body)
    assert "[staff-only]" in profiles(body)
    assert listed.stdout.startswith(f"X2GODATABEGIN:{UUID}\n")
    assert (listed.stderr, listed.exit_status) == ("", 0)


async def test_all_tasks_are_answered_on_one_connection(at: Door):
    async with at.login() as connection:

        async def ask(words: str) -> bytes:
            done = await run(connection, wrapped(f"{BROKER} {words}"))
            assert (done.stderr, done.exit_status) == ("", 0)
            return unwrapped(done.stdout).encode()

        probed = await run(connection, PROBE, request_pty="force")
        assert "LOGIN OK" in probed.stdout
        token = authid(await ask("--user alice --task listsessions"))
        select = f'--user alice --task selectsession --sid "desktop" --authid {token} --login alice'
        assert server(await ask(select)) == ("ts1.example.org", 22)
        assert not has_sessions(await ask(select))
        told = password_changed(await ask("--user alice --task setpass --newpass it's new"))
        assert told == "This broker cannot change passwords."
        event = '--user alice --task clientevent --sid "alice-50-1" --event ALIVE --server "ts1"'
        assert granted(await ask(f'{event} --cmd "xterm -e top" --elapsed 3'))
        tested = await ask("--task testcon")
        assert len(tested) > 10_000
        assert server(tested)[0].endswith(".invalid")


async def test_a_bare_command_without_a_name_is_for_whoever_logged_in(at: Door):
    async with at.login("bob", "builder") as connection:
        listed = (await run(connection, LIST)).stdout.encode()
    assert "[desktop]" in profiles(listed)
    assert "[staff-only]" not in profiles(listed)


async def test_another_users_name_is_refused_with_a_sentence_and_nothing_else(at: Door):
    async with at.login("bob", "builder") as connection:
        refused = await run(connection, wrapped(f"{BROKER} --user alice --task listsessions"))
    assert refused.stdout == ""
    assert refused.stderr == "Log in to the broker as the user that you ask for.\n"


@pytest.mark.parametrize("way", ["password", "keyboard-interactive"])
async def test_a_wrong_password_is_refused_and_the_right_one_taken_after_it(at: Door, way: str):
    said = iter(["wrong", "wonder"])

    class Typist(asyncssh.SSHClient):
        def password_auth_requested(self) -> str:
            return next(said)

        def kbdint_auth_requested(self) -> str:
            return ""

        def kbdint_challenge_received(
            self, name: str, instructions: str, lang: str, prompts: list[tuple[str, bool]]
        ) -> list[str]:
            assert prompts == [("Password: ", False)]
            return [next(said)]

    async with at.login(password=None, client_factory=Typist, preferred_auth=way) as connection:
        assert granted((await run(connection, LIST)).stdout.encode())
    assert not [*said]


@pytest.mark.parametrize("user", ["alice", "nobody", "../alice", "älice"])
async def test_whoever_proves_nothing_does_not_get_in(at: Door, keys: Path, user: str):
    strange = {"client_keys": [str(keys / "strange")], "preferred_auth": "publickey,password"}
    with pytest.raises(asyncssh.PermissionDenied):
        async with at.login(user, "wrong", **strange):
            pass


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
async def test_a_key_of_the_users_file_lets_them_in_and_nobody_else(
    at: Door, keys: Path, kind: str
):
    key = {"client_keys": [str(keys / kind)], "preferred_auth": "publickey"}
    async with at.login("alice", None, **key) as connection:
        assert "[staff-only]" in (await run(connection, LIST)).stdout
    for other in ("bob", "../authorized/alice", "alice/", "."):
        with pytest.raises(asyncssh.PermissionDenied):
            async with at.login(other, None, **key):
                pass


@needs_ssh
def test_openssh_gets_in_with_a_password_and_with_a_key(at: Door, keys: Path):
    by_password = at.ssh(wrapped(LIST), options="PreferredAuthentications=password")
    by_question = at.ssh(wrapped(LIST), options="PreferredAuthentications=keyboard-interactive")
    only = f"IdentitiesOnly=yes PreferredAuthentications=publickey IdentityFile={keys / 'rsa'}"
    by_key = at.ssh(wrapped(LIST), options=only)
    for done in (by_password, by_question, by_key):
        assert granted(unwrapped(done.stdout).encode()), done.stderr
        assert (done.stderr, done.returncode) == ("", 0)
    assert "LOGIN OK" in at.ssh("-tt", PROBE).stdout


@needs_ssh
def test_openssh_with_a_wrong_password_does_not(at: Door):
    refused = at.ssh(LIST, answers="wrong")
    assert refused.stdout == ""
    assert "Permission denied" in refused.stderr


ALGORITHMS = [
    "KexAlgorithms=curve25519-sha256@libssh.org HostKeyAlgorithms=ssh-ed25519",
    "KexAlgorithms=ecdh-sha2-nistp256 HostKeyAlgorithms=rsa-sha2-512 Ciphers=aes128-ctr "
    "MACs=hmac-sha2-256",
    "KexAlgorithms=curve25519-sha256 HostKeyAlgorithms=rsa-sha2-512 "
    "Ciphers=chacha20-poly1305@openssh.com",
    "Ciphers=aes256-gcm@openssh.com",
]
OLD = [
    "KexAlgorithms=diffie-hellman-group14-sha1",
    "HostKeyAlgorithms=ssh-rsa",
    "Ciphers=aes128-cbc",
    "Ciphers=aes128-ctr MACs=hmac-sha1",
]


@needs_ssh
@pytest.mark.parametrize("chosen", ALGORITHMS)
def test_clients_of_the_last_ten_years_find_an_algorithm(at: Door, chosen: str):
    assert "LOGIN OK" in at.ssh(PROBE, options=chosen).stdout


@needs_ssh
@pytest.mark.parametrize("chosen", OLD)
def test_broken_algorithms_are_not_spoken(at: Door, chosen: str):
    refused = at.ssh(PROBE, options=f"{chosen} LogLevel=INFO")
    assert "no matching" in refused.stderr
    assert refused.stdout == ""


@needs_ssh
def test_there_is_no_shell_and_no_terminal_for_commands(at: Door):
    assert "it answers X2Go clients, and has no shell" in at.ssh().stderr
    assert "it answers X2Go clients, and has no shell" in at.ssh("-tt").stderr
    for told in (at.ssh("-tt", LIST), at.ssh("-tt", "id")):
        assert "answered without a terminal" in told.stderr
        assert told.stdout == ""


@pytest.mark.parametrize(
    "line",
    ["id", "$(id)", PROBE + "; id", "bash -l -c 'id'", "sh -c id", wrapped("id"), "  ", "-x"],
)
async def test_other_commands_get_a_sentence_on_standard_error(at: Door, line: str):
    async with at.login() as connection:
        done = await run(connection, line)
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.exit_status == 1


Wish = Callable[[asyncssh.SSHClientConnection], object]


@pytest.mark.parametrize(
    "wish",
    [
        lambda connection: connection.open_connection("127.0.0.1", 22),
        lambda connection: connection.open_unix_connection("/run/x"),
        lambda connection: connection.start_sftp_client(),
        lambda connection: connection.create_process(subsystem="sftp"),
    ],
)
async def test_nothing_is_forwarded_and_there_are_no_subsystems(at: Door, wish: Wish):
    async with at.login() as connection:
        with pytest.raises(asyncssh.ChannelOpenError):
            await wish(connection)
        assert granted((await run(connection, LIST)).stdout.encode())


async def test_nobody_listens_for_a_client(at: Door):
    async with at.login() as connection:
        with pytest.raises(asyncssh.ChannelListenError):
            await connection.forward_remote_port("", 0, "127.0.0.1", 22)


async def test_many_commands_at_once_are_answered(at: Door):
    async with at.login() as connection:
        answers = await asyncio.gather(*(run(connection, LIST) for _ in range(10)))
        assert all(granted(done.stdout.encode()) for done in answers)


async def test_a_connection_that_is_open_ends_no_later_than_its_login(tmp_path: Path):
    with door(tmp_path) as at:
        async with at.login() as connection, at.login("bob", "builder") as other:
            assert at.daemon.usher("revoke", "alice").returncode == 0
            refused = await run(connection, LIST)
            assert (refused.stdout, refused.exit_status) == ("", 1)
            assert refused.stderr == "Your login has ended: please log in again.\n"
            event = await run(connection, f"{BROKER} --task clientevent --event ALIVE")
            assert granted(event.stdout.encode())
            assert granted((await run(other, LIST)).stdout.encode())
        async with at.login() as connection:
            assert granted((await run(connection, LIST)).stdout.encode())


@needs_ssh
def test_the_host_keys_are_made_once_and_kept_from_others(tmp_path: Path):
    seen = []
    for _ in range(2):
        with door(tmp_path) as made:
            lines: set[str] = set()
            for kind in ("ssh-ed25519", "rsa-sha2-512"):
                known = tmp_path / f"known-{kind}-{len(seen)}"
                chosen = f"HostKeyAlgorithms={kind} UserKnownHostsFile={known}"
                assert "LOGIN OK" in made.ssh(PROBE, options=chosen).stdout
                lines |= {known.read_text().split()[-1]}
            seen.append(lines)
    assert len(seen[0]) == 2
    assert seen[0] == seen[1]
    for name in ("ssh_host_ed25519_key", "ssh_host_rsa_key"):
        assert (tmp_path / "state" / name).stat().st_mode & 0o777 == 0o600
