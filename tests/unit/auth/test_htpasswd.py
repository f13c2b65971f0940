"""Users and password hashes in a file: which hashes, which lines, and when it changes."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import argon2
import bcrypt
import pytest

from usher.auth import htpasswd
from usher.auth.htpasswd import Htpasswd
from usher.errors import AuthFailed
from usher.model import Credential, client_at

HERE = client_at("192.0.2.1")
PASSWORD = "sesam öffne dich"

YESCRYPT = (
    "$y$j75$k2XAnEHBqQ1Ct2aMXFKNa/HAmA1BpMnBsYHMWB4NZN4$hXT04EwtIfUlL73Dfc4nHtiEARKmRBKoH5/63CikYA3"
)
SHA512 = (
    "$6$k2XAnEHBqQ1Ct2aM"
    "$13JuoKRxIOToRnDmXhf1qG8Dk4dUnM/KCTnpmFSOj1XItwBmhZdvc.GiI1zlt/1RzSTRW5hkTpD75BGWM3qTf/"
)
SHA256 = "$5$rounds=1000$k2XAnEHBqQ1Ct2aM$G3VXf3iOoWieiL4lmJSngXzCWI/rZyxNDXSJ4A6SSpA"


def with_argon2(password: str, kind: argon2.Type = argon2.Type.ID) -> str:
    return argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1, type=kind).hash(
        password
    )


def with_bcrypt(password: str, prefix: bytes = b"2b") -> str:
    made = bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(4, b"2b")).decode()
    return f"${prefix.decode()}{made[3:]}"


HASHES = {
    "argon2id": with_argon2(PASSWORD),
    "argon2i": with_argon2(PASSWORD, argon2.Type.I),
    "bcrypt 2a": with_bcrypt(PASSWORD, b"2a"),
    "bcrypt 2b": with_bcrypt(PASSWORD, b"2b"),
    "bcrypt 2y": with_bcrypt(PASSWORD, b"2y"),
    "yescrypt": YESCRYPT,
    "sha512-crypt": SHA512,
    "sha256-crypt": SHA256,
}


@pytest.fixture
def write(tmp_path):
    def write(text: str) -> Htpasswd:
        path = tmp_path / "users"
        path.write_text(text, encoding="utf-8")
        return Htpasswd(path=path)

    return write


async def lets_in(users: Htpasswd, username: str, password: str) -> bool:
    try:
        return await users.authenticate(Credential(username, password), HERE) == username
    except AuthFailed:
        return False


@pytest.mark.parametrize("kind", HASHES)
async def test_a_hash_lets_its_password_in_and_no_other(write, kind):
    users = write(f"maja:{HASHES[kind]}\n")
    assert not users.faults()
    assert await lets_in(users, "maja", PASSWORD)
    for wrong in ("", PASSWORD + "!", PASSWORD[:-1], PASSWORD.upper(), PASSWORD + "\0", "ß" * 5000):
        assert not await lets_in(users, "maja", wrong), wrong


async def test_comments_and_empty_lines_are_no_users(write):
    users = write(f"# staff\n\n  maja:{SHA256}  \r\n#willi:{SHA256}\n")
    assert not users.faults()
    assert await lets_in(users, "maja", PASSWORD)
    assert not await lets_in(users, "#willi", PASSWORD)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("maja", "must be user:hash"),
        ("maja:", "must be user:hash"),
        (f":{SHA256}", "must be user:hash"),
        (f"willi:{SHA256}", "a line above"),
        ("maja:$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/", "run htpasswd -B on this file for 'maja'"),
        ("maja:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "neither argon2, bcrypt"),
        ("maja:$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/", "neither argon2, bcrypt"),
        ("maja:rqXexS6ZhobKA", "neither argon2, bcrypt"),
        ("maja:secret", "neither argon2, bcrypt"),
        (f"maja:{SHA256}:19000:0:99999:7:::", "neither argon2, bcrypt"),
        (f"maja:{SHA512[:-1]}", "neither argon2, bcrypt"),
        (f"maja:$2b$99${'a' * 53}", "neither argon2, bcrypt"),
        ("maja:$argon2id$v=19$m=8,t=0,p=1$YWFhYWFhYWE$YWFhYWFhYWE", "neither argon2, bcrypt"),
    ],
)
async def test_a_line_that_lets_nobody_in_says_what_to_do_and_spoils_no_other(write, line, message):
    users = write(f"willi:{SHA256}\n{line}\n")
    (fault,) = users.faults()
    assert fault.line == 2
    assert message in fault.message
    assert await lets_in(users, "willi", PASSWORD)
    assert not await lets_in(users, "maja", "secret")


async def test_a_hash_of_a_cost_that_nobody_can_pay_lets_nobody_in(write):
    users = write("maja:$argon2id$v=19$m=1,t=1,p=1$YWFhYWFhYWE$YWFhYWFhYWE\n")
    assert not await lets_in(users, "maja", PASSWORD)


async def test_of_two_lines_for_one_user_the_first_counts(write):
    users = write(f"maja:{SHA256}\nmaja:{with_argon2('other')}\n")
    assert await lets_in(users, "maja", PASSWORD)
    assert not await lets_in(users, "maja", "other")


async def test_bcrypt_looks_at_72_bytes_as_it_always_did(write):
    users = write(f"maja:{with_bcrypt('x' * 100)}\n")
    assert await lets_in(users, "maja", "x" * 100)
    assert await lets_in(users, "maja", "x" * 72)
    assert not await lets_in(users, "maja", "x" * 71)


async def test_a_hash_that_the_system_cannot_check_is_a_fault(write, monkeypatch):
    def missing() -> None:
        raise OSError("no libxcrypt")

    monkeypatch.setattr(htpasswd, "_libcrypt", missing)
    users = write(f"maja:{YESCRYPT}\nwilli:{HASHES['bcrypt 2b']}\n")
    assert ["libcrypt does not know" in fault.message for fault in users.faults()] == [True]
    assert await lets_in(users, "willi", PASSWORD)


async def test_an_unknown_user_costs_the_check_of_a_known_one(write, monkeypatch):
    checked = []
    monkeypatch.setattr(bcrypt, "checkpw", lambda password, text: checked.append(text) or True)
    users = write(f"maja:{with_bcrypt('a')}\nwilli:{with_bcrypt('b')}\n")
    for _ in range(3):
        assert not await lets_in(users, "mallory", PASSWORD)
    assert len(checked) == 3
    assert len(set(checked)) == 1, "a name that costs now this, now that, is an unknown one"


async def test_a_file_without_users_lets_nobody_in(write):
    assert not await lets_in(write("# nobody yet\n"), "maja", PASSWORD)


def replace(users: Htpasswd, text: str) -> None:
    """As editors do: the new file is written beside the old one and takes its place."""
    path = users._path
    beside = path.with_suffix(".new")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)


async def test_a_changed_file_counts_from_the_next_login_on(write):
    users = write(f"maja:{SHA256}\n")
    assert not await lets_in(users, "willi", PASSWORD)
    replace(users, f"willi:{SHA256}\nmaja\n")
    assert await lets_in(users, "willi", PASSWORD)
    assert not await lets_in(users, "maja", PASSWORD)
    assert [fault.line for fault in users.faults()] == [2]


@pytest.mark.parametrize("misfortune", ["missing", "not UTF-8"])
async def test_while_the_file_cannot_be_read_the_last_good_one_stays(write, misfortune, caplog):
    users = write(f"maja:{SHA256}\n")
    if misfortune == "missing":
        users._path.unlink()
    else:
        users._path.write_bytes(b"m\xfcller:x\n")
    for _ in range(3):
        assert await lets_in(users, "maja", PASSWORD)
    assert [fault.key for fault in users.faults()] == ["file"]
    assert len(caplog.records) == 1, "said once, not at every login"
    replace(users, f"willi:{SHA256}\n")
    assert await lets_in(users, "willi", PASSWORD)
    assert not users.faults()


async def test_a_changed_file_says_what_is_wrong_with_it(write, caplog):
    users = write(f"maja:{SHA256}\n")
    replace(users, "maja\n")
    assert not await lets_in(users, "maja", PASSWORD)
    assert "users:1: maja: a line must be user:hash" in caplog.text


def test_a_file_that_is_not_there_is_found_at_the_start(tmp_path):
    with pytest.raises(FileNotFoundError):
        Htpasswd(path=tmp_path / "missing")


def test_what_is_no_file_is_found_at_the_start():
    with pytest.raises(OSError, match="is no file"):
        Htpasswd(path=Path("/dev/zero"))


def test_hashes_are_not_printed(write):
    assert SHA256 not in repr(vars(write(f"maja:{SHA256}\n")))


async def test_checks_run_beside_the_event_loop(write, monkeypatch):
    users = write(f"maja:{with_bcrypt('a')}\n")
    turned = threading.Event()
    monkeypatch.setattr(bcrypt, "checkpw", lambda password, text: turned.wait(10))
    asyncio.get_running_loop().call_soon(turned.set)
    assert await lets_in(users, "maja", "a"), "the loop stood still while a check was on its way"
