"""The grammar of what clients say by SSH."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from usher.ssh import LINE_CHARACTERS, OPTIONS, PROBE, NotACommand, command, parse

MARK = "1206defd-23b9-4df5-aba6-bc06653718b9"
ENVIRONMENT = 'export PATH="/usr/local/bin:/usr/bin:/bin";export TERM="dumb"; '
BEGIN, END = f'echo "X2GODATABEGIN:{MARK}"; ', f'; echo "X2GODATAEND:{MARK}";'
EVENT = (
    '--user alice --authid a1 --task clientevent --sid "alice-51-1795374147_stRxterm_dp24"'
    ' --event ALIVE --server "!h1" --client "" --login "alice" --cmd "xterm -e "vi --user x""'
    ' --display "51" --start "22.11.26 19:19:45" --elapsed 3 --version "4.1.2.4" --os linux'
)


def wrapped(words: str) -> str:
    return f"bash -l -c '{BEGIN}{ENVIRONMENT}/usr/bin/x2gobroker {words}{END}'"


def read(form: bytes) -> dict[str, str]:
    pairs = (pair.split("=") for pair in form.decode("ascii").split("&"))
    return {name: unquote_to_bytes(value).decode() for name, value in pairs}


def fields(words: str) -> dict[str, str]:
    """What the words mean in the client's wrapper, which is what they mean without it."""
    bare, inside = parse(f"/usr/bin/x2gobroker {words}"), parse(wrapped(words))
    assert bare.form == inside.form
    assert (bare.before, bare.after) == ("", "")
    assert inside.before == f"X2GODATABEGIN:{MARK}\n"
    assert inside.after == f"X2GODATAEND:{MARK}\n"
    return read(bare.form)


def test_the_probe_wants_its_words_back():
    probe = parse(PROBE)
    assert (probe.form, probe.before, probe.after) == (b"", "LOGIN OK\n", "")


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("--user root --task listsessions", {"user": "root", "task": "listsessions"}),
        ("--task testcon", {"task": "testcon"}),
        ("--authid a --task testcon", {"authid": "a", "task": "testcon"}),
        ("--auth-cookie a --task testcon", {"authid": "a", "task": "testcon"}),
        ("--next-authid a --task testcon", {"authid": "a", "task": "testcon"}),
        ("--task=testcon  --authid=a", {"authid": "a", "task": "testcon"}),
        ("--user  --task testcon", {"user": "", "task": "testcon"}),
        ('--sid "a  b" --login bob x', {"sid": "a  b", "login": "bob x"}),
        ("--sid 'it is' --login b", {"sid": "it is", "login": "b"}),
        ('--profile-id  "p"  --login  b', {"profile-id": "p", "login": "b"}),
        ('--sid "$(id)`id`$HOME;id|id&id>f\\"', {"sid": "$(id)`id`$HOME;id|id&id>f\\"}),
        ('--sid "--user x" --user y', {"sid": "--user x", "user": "y"}),
        ('--sid " --user x" --user y', {"sid": " --user x", "user": "y"}),
        ('--sid "ä€" --user y', {"sid": "ä€", "user": "y"}),
        ("--task setpass --newpass a  b;c $d --e", {"task": "setpass", "newpass": "a  b;c $d --e"}),
        ("--newpass it's --task setpass", {"task": "setpass", "newpass": "it's"}),
        ("--colour red --task testcon", {"colour": "red", "task": "testcon"}),
    ],
)
def test_a_command_is_the_form_that_clients_post(words: str, wanted: dict[str, str]):
    assert fields(words) == wanted


def test_an_event_is_read_as_it_was_meant():
    event = fields(EVENT)
    assert event["cmd"] == 'xterm -e "vi --user x"'
    assert event["client"] == ""
    assert event["start"] == "22.11.26 19:19:45"
    assert set(event) <= OPTIONS
    assert len(event) == 14


def test_what_is_said_twice_is_said_twice_to_the_form_which_refuses_it():
    assert parse("x --user a --user b").form == b"user=a&user=b"


def test_words_that_a_shell_has_split_have_lost_their_quotes():
    words = ["--sid", "a b", "--login", "bob", "x", "--cmd", '"', "--user", "y", "--client", ""]
    wanted = {"sid": "a b", "login": "bob x", "cmd": '"', "user": "y", "client": ""}
    assert read(command(words).form) == wanted


def test_bytes_that_are_no_text_reach_the_form_which_refuses_them():
    assert command(["--sid", b"\xff".decode(errors="surrogateescape")]).form == b"sid=%FF"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "bash",
        "/usr/bin/x2gobroker",
        "scp -t /etc --task listsessions",
        "--task listsessions",
        '/usr/bin/x2gobroker --sid "open --task selectsession',
        "x --sid \ud800",
        "x --sid " + "y" * LINE_CHARACTERS,
        'echo "LOGIN OK"; id',
        "bash -l -c 'id'",
        wrapped("--task testcon").replace("END", "ENDE"),
        wrapped("--task testcon")[:-1],
        wrapped("--task testcon") + "; id",
        wrapped("--task testcon").replace(MARK, "$(id)"),
        wrapped("--task testcon").replace("/usr/bin/x2gobroker ", ""),
        wrapped("--task testcon").replace("export", "id; export", 1),
    ],
)
def test_anything_else_is_refused_in_a_sentence(line: str):
    with pytest.raises(NotACommand, match=r"^[^\n]+\.$"):
        parse(line)


SCRAPS = st.sampled_from([*(f"--{name}" for name in OPTIONS), '"', "'", " ", "--", "=", "x", ";"])
WORDS = st.lists(SCRAPS | st.text(max_size=5), max_size=20).map(" ".join)


@given(st.text() | WORDS | WORDS.map(wrapped) | WORDS.map("x {}".format))
@example(wrapped(EVENT))
def test_no_line_does_more_than_become_a_form_or_a_refusal(line: str):
    try:
        parsed = parse(line)
    except NotACommand:
        return
    assert parsed.form or parsed.before
    assert parsed.form.isascii()
    assert not parsed.form.translate(None, b"=&").strip(
        b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~%"
    )


@given(st.text(st.characters(exclude_characters='"', exclude_categories=["Cs"]), max_size=40))
def test_a_value_in_quotes_comes_out_as_it_went_in(value: str):
    assert fields(f'--sid "{value}" --task selectsession')["sid"] == value


@given(st.lists(st.text(max_size=8) | SCRAPS, max_size=20))
def test_no_words_of_a_shell_do_more_either(words: list[str]):
    with suppress(NotACommand):
        assert command(words).form
