"""The root helper and the real PAM: who gets in, who waits, and what must never reach PAM."""

from __future__ import annotations

import asyncio
import grp
import os
import shutil
import socket
import stat
import struct
import subprocess
from pathlib import Path

import pytest
import real_pam
from real_pam import JUDGED, SLOW_TO_REFUSE

from usher.auth.pam import Pam
from usher.errors import AuthFailed
from usher.model import Credential, client_at

HERE = client_at("2001:db8::17")
PASSWORD = "sesam öffne dich"
USERS = {"maja": PASSWORD, "jürgen müller": "x"}
SHA512 = (
    "$6$k2XAnEHBqQ1Ct2aM"
    "$13JuoKRxIOToRnDmXhf1qG8Dk4dUnM/KCTnpmFSOj1XItwBmhZdvc.GiI1zlt/1RzSTRW5hkTpD75BGWM3qTf/"
)
PERMIT = "auth required pam_permit.so\naccount required pam_permit.so\n"


@pytest.fixture
async def helper(tmp_path):
    async with real_pam.running(tmp_path, JUDGED, USERS, workers=2) as helper:
        yield helper


def login(helper: real_pam.Helper, username: str, password: str, timeout: float = 20):
    pam = Pam(socket=helper.socket, timeout=timeout)
    return pam.authenticate(Credential(username, password), HERE)


async def ask(helper: real_pam.Helper, frame: bytes) -> list[str]:
    """The texts that the helper answers to these bytes; none if it hangs up."""
    reader, writer = await asyncio.open_unix_connection(helper.socket)
    writer.write(frame)
    async with asyncio.timeout(real_pam.DEADLINE):
        answer = await reader.read()
    writer.close()
    return answer[4:].decode().split("\0") if answer else []


def framed(*texts: str) -> bytes:
    """A frame of these texts; a lone surrogate becomes the byte that is no UTF-8."""
    body = "\0".join(texts).encode(errors="surrogateescape")
    return struct.pack(">I", len(body)) + body


async def test_pam_is_asked_with_a_fixed_service_and_the_address_of_the_client(helper):
    assert await login(helper, "jürgen müller", "x") == "jürgen müller"
    assert helper.asked() == ["usher 2001:db8::17 jürgen müller"]


async def test_a_wrong_password_is_refused_in_the_words_of_pam(helper):
    with pytest.raises(AuthFailed) as refusal:
        await login(helper, "maja", "wrong")
    assert refusal.value.detail == "Authentication failure"


@pytest.mark.parametrize("returned", ["acct_expired", "new_authtok_reqd", "perm_denied"])
async def test_an_account_that_may_not_be_used_now_is_refused(tmp_path, returned):
    service = f"auth required pam_permit.so\naccount required pam_debug.so acct={returned}\n"
    async with real_pam.running(tmp_path, service) as helper:
        with pytest.raises(AuthFailed) as refusal:
            await login(helper, "maja", PASSWORD)
    assert returned in refusal.value.detail, "what the module said belongs to the log"


@pytest.mark.parametrize(
    "auth",
    ["pam_debug.so auth=authinfo_unavail", "pam_no_such_module.so", "pam_exec.so /bin/false"],
)
async def test_what_pam_could_not_tell_is_not_a_wrong_password(tmp_path, auth):
    service = f"auth required {auth}\naccount required pam_permit.so\n"
    async with real_pam.running(tmp_path, service) as helper:
        with pytest.raises(OSError, match="PAM could not tell: "):
            await login(helper, "maja", PASSWORD)


async def test_a_helper_that_is_not_there_says_neither_yes_nor_no(tmp_path):
    pam = Pam(socket=tmp_path / "pam.sock")
    with pytest.raises(OSError, match="cannot be reached"):
        await pam.authenticate(Credential("maja", PASSWORD), HERE)


async def test_twenty_wrong_passwords_do_not_delay_a_right_one(tmp_path):
    """Told by the order of events: PAM wants every wrong one to wait for two seconds."""
    service = SLOW_TO_REFUSE + JUDGED
    async with real_pam.running(tmp_path, service, USERS, workers=2) as helper:
        async with asyncio.TaskGroup() as group:
            wrong = [group.create_task(refused(helper)) for _ in range(20)]
            while len(helper.asked()) < 20:
                await asyncio.sleep(0.01)
            assert await login(helper, "maja", PASSWORD) == "maja"
            assert not any(task.done() for task in wrong), "nobody was told yet"
        assert all(task.result() for task in wrong)


async def refused(helper: real_pam.Helper) -> bool:
    with pytest.raises(AuthFailed):
        await login(helper, "maja", "wrong")
    return True


async def test_the_delay_is_that_of_pam_and_a_right_password_has_none(tmp_path):
    async with real_pam.running(tmp_path, SLOW_TO_REFUSE + JUDGED, USERS) as helper:
        verdict, wait, _ = await ask(helper, framed("maja", "wrong", "192.0.2.1"))
        assert verdict == "denied"
        assert 1_000_000 <= int(wait) <= 3_000_000
        right = await ask(helper, framed("maja", PASSWORD, "192.0.2.1"))
        assert right == ["granted", "0", "maja"]


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        (("maja", "pass\aword", "192.0.2.1"), "control characters"),
        (("ma\nja", "password", "192.0.2.1"), "control characters"),
        (("maja", "password", "192.0.2.1\r\n"), "control characters"),
        (("ma\x9bja", "password", "192.0.2.1"), "control characters"),
        (("maja", "pass\0word", "192.0.2.1"), "not three texts"),
        (("maja", "password"), "not three texts"),
        ((), "not three texts"),
        (("m\udcfcller", "password", "192.0.2.1"), "not three texts in UTF-8"),
        (("", "password", "192.0.2.1"), "empty user or password"),
        (("maja", "", "192.0.2.1"), "empty user or password"),
        (("maja", "ß" * 257, "192.0.2.1"), "longer than 512 bytes"),
        (("maja" * 20_000, "password", "192.0.2.1"), "longer than 512 bytes"),
    ],
)
async def test_what_is_no_proper_question_is_refused_without_asking_pam(helper, texts, why):
    verdict, wait, text = await ask(helper, framed(*texts))
    assert (verdict, wait) == ("denied", "0")
    assert text.startswith("PAM was not asked: ")
    assert why in text
    assert helper.asked() == []


async def test_a_frame_longer_than_any_request_is_not_even_read(helper):
    assert await ask(helper, struct.pack(">I", 2**32 - 1)) == []
    assert await login(helper, "maja", PASSWORD) == "maja"


async def test_who_leaves_in_the_middle_of_a_question_harms_nobody(helper):
    for _ in range(4):
        _, writer = await asyncio.open_unix_connection(helper.socket)
        writer.write(framed("maja", "wrong", "::1")[:9])
        writer.close()
        await writer.wait_closed()
    assert await login(helper, "maja", PASSWORD) == "maja"


@pytest.mark.parametrize("name", ["", "maja"])
async def test_without_a_name_or_a_password_the_helper_is_not_even_asked(tmp_path, name):
    with pytest.raises(AuthFailed):
        await Pam(socket=tmp_path / "missing").authenticate(Credential(name, ""), HERE)


async def test_a_worker_that_hangs_is_replaced_and_its_question_is_open(tmp_path):
    async with real_pam.running(tmp_path, JUDGED, USERS, workers=1, timeout=1) as helper:
        with pytest.raises(ConnectionResetError, match="without an answer"):
            await login(helper, "hang", "x")
        await helper.says("ended with -14")
        assert await login(helper, "maja", PASSWORD) == "maja"


async def test_a_worker_that_dies_is_replaced_and_its_question_is_open(tmp_path):
    async with real_pam.running(tmp_path, JUDGED, USERS, workers=1) as helper:
        with pytest.raises(ConnectionResetError, match="without an answer"):
            await login(helper, "crash", "x")
        await helper.says("ended with -9")
        assert await login(helper, "maja", PASSWORD) == "maja"


async def test_a_module_that_takes_too_long_is_not_waited_for(helper):
    with pytest.raises(TimeoutError):
        await login(helper, "hang", "x", timeout=0.2)
    assert await login(helper, "maja", PASSWORD) == "maja"


async def test_a_worker_makes_place_for_a_fresh_one_now_and_then(tmp_path):
    async with real_pam.running(tmp_path, PERMIT, workers=1) as helper:
        await login(helper, "maja", PASSWORD)
        before = helper.workers()
        for _ in range(999):
            await login(helper, "maja", PASSWORD)
        assert await login(helper, "maja", PASSWORD) == "maja"
        assert len(before | helper.workers()) == 2


async def test_only_root_and_the_group_may_ask(helper):
    status = os.stat(helper.socket)
    assert stat.S_IMODE(status.st_mode) == 0o660
    assert status.st_gid == os.getegid()


async def test_the_group_of_the_socket_is_the_one_that_was_named(tmp_path):
    real_pam.root_on_debian_needed("the group of the PAM helper's socket")
    group = grp.getgrnam("daemon")
    async with real_pam.running(tmp_path, PERMIT, group=group.gr_name) as helper:
        assert os.stat(helper.socket).st_gid == group.gr_gid


async def test_a_new_helper_takes_the_place_of_one_that_left_its_socket(tmp_path):
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "pam.sock"))
    async with real_pam.running(tmp_path, PERMIT) as helper:
        assert await login(helper, "maja", PASSWORD) == "maja"


async def test_no_worker_stays_behind(tmp_path):
    async with real_pam.running(tmp_path, PERMIT, workers=3) as helper:
        assert await login(helper, "maja", PASSWORD) == "maja"
        workers = helper.workers()
    assert 0 < len(workers) <= 3  # the first one answers while the others are being made
    assert not any(os.path.exists(f"/proc/{pid}") for pid in workers)


@pytest.fixture
def account():
    """Makes accounts on this machine, and takes them away afterwards."""
    real_pam.root_on_debian_needed("PAM with a real account in /etc/shadow")
    made = []

    def make(*options: str) -> str:
        name = f"usher-{os.getpid()}-{len(made)}"
        command = ["useradd", "--no-create-home", "--no-user-group", "--password", SHA512]
        subprocess.run([*command, *options, name], check=True)
        made.append(name)
        return name

    yield make
    for name in made:
        subprocess.run(["userdel", name], check=True)


async def test_the_shipped_service_asks_for_the_accounts_of_the_machine(tmp_path, account):
    """With Debian's own common-auth: a right, a wrong and an expired one, and its own delay."""
    name, expired = account(), account("--expiredate", "2000-01-01")
    shipped = Path(__file__).parents[2] / "packaging" / "pam.d-usher"
    async with real_pam.running(tmp_path, shipped.read_text()) as helper:
        for included in ("common-auth", "common-account"):
            shutil.copy(f"/etc/pam.d/{included}", tmp_path / "pam.d")
        assert await login(helper, name, PASSWORD) == name
        with pytest.raises(AuthFailed) as refusal:
            await login(helper, expired, PASSWORD)
        assert "account has expired" in refusal.value.detail
        verdict, wait, _ = await ask(helper, framed(name, "wrong", "192.0.2.1"))
        assert verdict == "denied"
        assert int(wait) >= 1_000_000
