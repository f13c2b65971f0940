"""Watching the profile file: whole or not at all, and never worse than before."""

from __future__ import annotations

import asyncio
import errno
import logging
import os

import pytest
from watching import ALICE, comes_to_say, comes_to_show, shown, watched

from usher.ports import Checked, Worker
from usher.profiles import inifile
from usher.profiles.inifile import IniFile


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Look so often that no test has to wait; hosts are no matter here."""
    monkeypatch.setattr(inifile, "LOOK_SECONDS", 0.002)
    monkeypatch.setattr("usher.profiles.loading._NOWHERE", ())


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "profiles.conf"
    path.write_text("[a]\n")
    return path


def test_it_has_a_life_of_its_own_and_can_be_checked(file):
    source = IniFile(path=file)
    assert isinstance(source, Worker) and isinstance(source, Checked)


async def test_a_missing_file_is_a_fault_and_no_crash(tmp_path):
    source = IniFile(path=tmp_path / "none")
    (fault,) = source.faults()
    assert (fault.line, fault.key, fault.warning) == (1, "file", False)
    assert "No such file" in fault.message
    assert await shown(source) == []


async def test_a_byte_order_mark_and_foreign_line_ends_are_no_fault(file):
    file.write_bytes(b"\xef\xbb\xbf[a]\r\nname = x\r\n[b]\rname = y\r")
    source = IniFile(path=file)
    assert (await shown(source), source.faults()) == (["a", "b"], ())


async def test_bytes_that_are_not_utf8_disable_one_profile(file):
    file.write_bytes(b"# caf\xe9\n[a]\nname = caf\xe9\n[b]\n")
    source = IniFile(path=file)
    assert await shown(source) == ["b"]
    assert [fault.line for fault in source.faults()] == [3]


async def test_a_changed_file_is_live(file):
    async with watched(file) as source:
        file.write_text("[a]\n[b]\n")
        await comes_to_show(source, ["a", "b"])


async def test_a_file_put_in_its_place_is_live(file, tmp_path):
    async with watched(file) as source:
        (tmp_path / "new").write_text("[b]\n")
        os.replace(tmp_path / "new", file)
        await comes_to_show(source, ["b"])


async def test_a_file_that_appears_is_live(tmp_path):
    async with watched(tmp_path / "late.conf") as source:
        (tmp_path / "late.conf").write_text("[a]\n")
        await comes_to_show(source, ["a"])
        assert source.faults() == ()


async def test_the_last_good_profiles_outlive_the_file(file, caplog):
    async with watched(file) as source:
        file.unlink()
        await comes_to_say(source, "No such file")
        assert await shown(source) == ["a"]
        assert "No such file" in caplog.text


async def test_a_file_that_is_being_written_is_never_live(file):
    async with watched(file) as source:
        seen = set()
        with file.open("w") as half:
            for i in range(300):
                half.write(f"[p{i:03}]\n")
                half.flush()
                await asyncio.sleep(0)
                seen.add(len(await shown(source)))
        await comes_to_show(source, [f"p{i:03}" for i in range(300)])
        assert seen == {1}


async def test_a_file_that_is_written_with_pauses_is_not_taken_in_between(file, monkeypatch):
    looks = 0

    def look(path):
        nonlocal looks
        looks += 1
        if looks % (inifile.LOOKS - 1) == 0 and looks < 60:
            with path.open("a") as half:
                half.write("# more\n")
        return real(path)

    real = inifile._look
    async with watched(file) as source:
        monkeypatch.setattr(inifile, "_look", look)
        file.write_text("[b]\n")
        await comes_to_show(source, ["b"])
        assert looks > 60


async def test_another_file_in_its_place_is_sooner_live_than_one_that_is_written_to(file, tmp_path):
    looks = []
    async with watched(file) as source:
        for name in ("b", "c"):
            before = await source.profiles(ALICE)
            (tmp_path / "new").write_text(f"[{name}]\n")
            if name == "b":
                os.replace(tmp_path / "new", file)
            else:
                file.write_text("[c]\n")
            looks.append(0)
            while await source.profiles(ALICE) is before:
                looks[-1] += 1
                await asyncio.sleep(inifile.LOOK_SECONDS)
    assert looks[0] < looks[1]


BROKEN = {
    "a lost end": "[DEFAULT\nacl-users-allow = bob\n[a]\n[b]\n",
    "another bracket": "[DEFAULT)\nacl-users-allow = bob\n[a]\n[b]\n",
    "a lost beginning": "[b]\nDEFAULT]\nacl-users-allow = bob\n[a]\n",
    "two byte order marks": "\ufeff\ufeff[DEFAULT]\nacl-users-allow = bob\n[a]\n[b]\n",
    "a lost header": "acl-users-allow = bob\n[a]\n[b]\n",
    "nothing": "",
    "a comment alone": "# soon\n",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
async def test_a_file_that_may_have_lost_its_rules_opens_nothing(file, caplog, text):
    file.write_text("[DEFAULT]\nacl-users-allow = bob\n[secret]\n[open]\nacl-users-allow = alice\n")
    async with watched(file) as source:
        file.write_text(text, encoding="utf-8")
        await comes_to_say(source, "not taken")
        assert await shown(source) == ["open"]
        file.write_text("[c]\n")
        await comes_to_show(source, ["c"])
    assert source.faults() == ()
    assert len(caplog.messages) == 1


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
async def test_such_a_file_offers_nothing_at_the_start_until_it_is_mended(file, text):
    file.write_text(text, encoding="utf-8")
    async with watched(file) as source:
        (fault,) = source.faults()
        assert "not taken" in fault.message and await shown(source) == []
        file.write_text("[a]\n")
        await comes_to_show(source, ["a"])


async def test_a_trouble_that_passes_loses_no_change(file, monkeypatch, caplog):
    trouble = [OSError(errno.EMFILE, "Too many open files"), OSError(errno.EIO, "I/O error")] * 2
    opening = os.open

    def fail(*arguments):
        if trouble:
            raise trouble.pop()
        return opening(*arguments)

    async with watched(file) as source:
        monkeypatch.setattr(os, "open", fail)
        file.write_text("[b]\n")
        await comes_to_show(source, ["b"])
    assert source.faults() == () and not trouble
    assert "Too many open files" in caplog.text


async def test_a_lasting_trouble_is_logged_once(file, monkeypatch, caplog):
    tries = 0

    def fail(*_):
        nonlocal tries
        tries += 1
        raise OSError(errno.EIO, "I/O error")

    async with watched(file), asyncio.timeout(5):
        monkeypatch.setattr(os, "open", fail)
        file.write_text("[b]\n")
        while tries < 3:
            await asyncio.sleep(0.001)
    assert len(caplog.messages) == 1


async def test_a_file_that_was_away_for_a_moment_is_no_fault(file, tmp_path):
    async with watched(file) as source:
        file.rename(tmp_path / "away")
        await comes_to_say(source, "No such file")
        (tmp_path / "away").rename(file)
        async with asyncio.timeout(5):
            while source.faults():
                await asyncio.sleep(0.001)
        assert await shown(source) == ["a"]


async def test_a_pipe_in_its_place_keeps_nobody_waiting(file, tmp_path):
    async with watched(file) as source:
        file.unlink()
        os.mkfifo(file)
        await comes_to_say(source, "no regular file")
        assert await shown(source) == ["a"]
        file.unlink()
        file.write_text("[b]\n")
        await comes_to_show(source, ["b"])


def test_a_huge_file_is_not_read(tmp_path):
    path = tmp_path / "huge.conf"
    path.touch()
    os.truncate(path, inifile.LARGEST_BYTES + 1)
    (fault,) = IniFile(path=path).faults()
    assert "of at most 64 MiB" in fault.message


@pytest.mark.parametrize("text", ["[a]\nwidth = x\n", BROKEN["a lost end"]])
async def test_when_all_is_mended_the_log_says_that_it_is_live(file, caplog, text):
    caplog.set_level(logging.INFO)
    file.write_text(text)
    async with watched(file) as source:
        for name in ("b", "c"):
            file.write_text(f"[{name}]\n")
            await comes_to_show(source, [name])
        async with asyncio.timeout(5):
            while not caplog.messages:
                await asyncio.sleep(0.001)
    assert caplog.messages == [f"{file}: is mended, and live as it stands"]


async def test_a_file_that_changes_while_it_is_read_is_not_taken(file):
    with pytest.raises(OSError, match="being written"):
        inifile._read(file, settled=(1, 2, 3, 4))


async def test_a_new_fault_is_logged_once(file, caplog):
    caplog.set_level(logging.ERROR)
    async with watched(file) as source:
        for name in ("b", "c"):
            file.write_text(f"[a]\nwidth = x\n[{name}]\n")
            await comes_to_show(source, [name])
    assert caplog.messages == [f"{file}:2: width: 'x' is no whole number: write digits only"]


async def test_a_changed_comment_changes_no_catalogue(file):
    async with watched(file) as source:
        before = await source.profiles(ALICE)
        file.write_text("[a]\nstatus = R\n")
        await comes_to_say(source, "status")
        assert await source.profiles(ALICE) is not before
        between = await source.profiles(ALICE)
        file.write_text("# why\n[a]\nstatus = R\n")
        await comes_to_say(source, ":3: status")
        assert await source.profiles(ALICE) is between


async def test_host_names_in_client_lists_are_known_before_the_first_request(file):
    file.write_text("[a]\nacl-clients-allow = localhost\n")
    assert await shown(IniFile(path=file)) == ["a"]


async def test_a_new_host_name_is_looked_up(file):
    async with watched(file) as source:
        file.write_text("[a]\n[b]\nacl-clients-allow = localhost\n")
        await comes_to_show(source, ["a", "b"])


async def test_a_new_catalogue_has_the_known_addresses_at_once(file):
    file.write_text("[a]\nacl-clients-allow = localhost\n")
    async with watched(file) as source:
        await comes_to_show(source, ["a"])
        file.write_text("[a]\nacl-clients-allow = localhost\n[b]\n")
        async with asyncio.timeout(5):
            while await shown(source) == ["a"]:
                await asyncio.sleep(0.001)
        assert await shown(source) == ["a", "b"]


def test_a_proxy_that_keys_have_to_pass_is_known_as_a_server(file):
    behind = "usesshproxy = true\nsshproxyhost = gate\nbroker-session-autologin = true\n"
    for more, names in ("", {"ts1", "gate"}), ("sshproxytype = HTTP\n", {"ts1"}):
        file.write_text(f"[a]\nhost = ts1\n{behind}{more}")
        assert {server.name for server in IniFile(path=file).known_servers()} == names
