"""What the PAM helper says when it will not begin, and whose place it does not take."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest
import real_pam

from usher.auth.pam import Pam
from usher.model import Credential, client_at

PERMIT = "auth required pam_permit.so\naccount required pam_permit.so\n"


HERE = client_at("192.0.2.1")


def said_at_start(*arguments: object) -> str:
    """What the helper says when it will not begin."""
    command = [sys.executable, "-I", "-S", str(real_pam.HELPER), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    assert done.returncode == 2
    return done.stderr


async def test_a_helper_takes_the_place_of_nothing_but_a_socket_nobody_listens_at(tmp_path):
    real_pam.root_on_debian_needed("the PAM helper's start")
    file = tmp_path / "a-file"
    file.write_text("kept")
    common = ("--group=root", f"--confdir={tmp_path / 'pam.d'}")
    async with real_pam.running(tmp_path, PERMIT) as helper:
        assert "is not a socket" in said_at_start(*common, f"--socket={file}")
        assert "another helper listens" in said_at_start(*common, f"--socket={helper.socket}")
        assert await Pam(socket=helper.socket).authenticate(Credential("maja", "x"), HERE) == "maja"
    assert file.read_text() == "kept"


async def test_a_helper_that_is_busy_is_alive(tmp_path):
    real_pam.root_on_debian_needed("the PAM helper's start")
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as asker:
        busy.bind(str(tmp_path / "pam.sock"))
        busy.listen(0)
        asker.connect(str(tmp_path / "pam.sock"))
        options = ("--service=other", "--group=root", f"--socket={tmp_path / 'pam.sock'}")
        assert "another helper listens" in said_at_start(*options)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("--service=nosuchservice", "there is no /etc/pam.d/nosuchservice"),
        ("--workers=0", "at least one"),
        ("--group=nosuchgroup", "there is no group 'nosuchgroup'"),
    ],
)
def test_what_is_wrong_with_its_options_is_said_in_words(tmp_path, wrong: str, said: str):
    real_pam.root_on_debian_needed("the PAM helper's options")
    common = ("--service=other", f"--socket={tmp_path / 'pam.sock'}", "--group=root")
    assert said in said_at_start(*common, wrong)
