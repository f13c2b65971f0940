"""The administrator's file: what is wrong with it is told in a line, and it hangs nobody."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

from usher.errors import AuthFailed
from usher.profiles import program
from usher.profiles.program import Program


@pytest.fixture
def load(tmp_path):
    def load(text):
        path = tmp_path / "mine.py"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return Program(path, {"f": "user, sid"}, {"maybe": "user"})

    return load


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(program, "PATIENCE_SECONDS", 0.05)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def f(:\n", "1: SyntaxError: invalid syntax"),
        ("\nx = (\n", "2: SyntaxError: '(' was never closed"),
        (b"x = '\xfc'\n", "1: SyntaxError: (unicode error) 'utf-8' codec can't decode"),
        ("\n\n1 / 0\n", "3: ZeroDivisionError: division by zero"),
        ("\nint('x' + \\\n'y')\n", "2: ValueError: invalid literal"),
        ("import no_such_module\n", "1: ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise SystemExit\n", "1: SystemExit"),
        ("raise KeyError('a')\n", "1: KeyError: 'a'"),
        ("", "1: has no function f(user, sid)"),
        ("f = 1\n", "1: has no function f(user, sid)"),
        ("\ndef f(): ...\n", "2: f: must take (user, sid)"),
        ("def f(user): ...\n", "1: f: must take (user, sid)"),
        ("async def f(a, b, c): ...\n", "1: f: must take (user, sid)"),
        ("def f(a, *, sid): ...\n", "1: f: must take (user, sid)"),
        ("def f(a, b): ...\ndef maybe(): ...\n", "2: maybe: must take (user)"),
        ("def f(a, b): ...\nmaybe = 1\n", "1: has no function maybe(user)"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_at_the_start(load, tmp_path, text, told):
    with pytest.raises(ValueError) as error:
        load(text)
    assert str(error.value).startswith(f"{tmp_path / 'mine.py'}:{told}")


@pytest.mark.parametrize(
    "text",
    [
        "def f(anything, goes): ...",
        "def f(*them): ...",
        "def f(a, b, c=1): ...",
        "f = lambda a, b: None",
        "from functools import partial\nf = partial(print, 1)",
        "class F:\n    def __call__(self, a, b): ...\nf = F()",
        "f = max",
    ],
)
async def test_whatever_can_be_called_so_is_a_function(load, text):
    load(text)


async def test_a_function_need_not_have_a_name_to_be_told_of(load):
    with pytest.raises(OSError, match=r"mine\.py:1: f: TypeError"):
        await load("f = max\n").ask("f", "x", 1)


def test_a_pipe_in_its_place_keeps_nobody_waiting(tmp_path):
    os.mkfifo(tmp_path / "mine.py")
    with pytest.raises(OSError, match="is no file"):
        Program(tmp_path / "mine.py", {}, {})


@pytest.mark.parametrize("kind", ["", "async "])
@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return {}[sid]", "3: f: KeyError: 'b'"),
        ("return g(sid)", "2: f: ValueError: invalid literal for int"),
        ("raise OSError('no database')", "3: f: OSError: no database"),
        ("raise TimeoutError", "3: f: TimeoutError"),
        ("raise SystemExit('bye')", "3: f: SystemExit: bye"),
        ("next(iter(()))", "3: f: StopIteration"),
    ],
)
async def test_what_goes_wrong_is_told_in_a_line_with_its_place(load, kind, body, told):
    it = load(f"\ndef g(x): return int(x)\n{kind}def f(user, sid): {body}\n")
    if kind and "Stop" in told:
        told = "1: f: RuntimeError: coroutine raised StopIteration"
    with pytest.raises(OSError) as error:
        await it.ask("f", "a", "b")
    assert str(error.value).partition("mine.py:")[2].startswith(told)


@pytest.mark.parametrize("kind", ["", "async "])
async def test_a_refusal_stays_one(load, kind):
    text = f"from usher.errors import AuthFailed\n{kind}def f(a, b): raise AuthFailed(detail=a)\n"
    with pytest.raises(AuthFailed) as refusal:
        await load(text).ask("f", "no", "")
    assert refusal.value.detail == "no"


HANGS = "import threading\nfree = threading.Event()\ndef f(user, sid): return free.wait(20)\n"
WAITS = "import asyncio\nasync def f(user, sid): await asyncio.Event().wait()\n"


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("text", [HANGS, WAITS])
async def test_a_function_that_hangs_could_not_tell(load, text):
    it = load(text)
    with pytest.raises(TimeoutError, match=r"mine\.py:\d: f: no answer within 0.05 seconds"):
        await it.ask("f", "a", "b")
    if text is HANGS:
        it._module.free.set()


async def test_functions_that_hang_leave_the_other_threads_alone(load, monkeypatch):
    monkeypatch.setattr(program, "AT_ONCE", 40)
    it = load(HANGS)
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(it.ask("f", "a", "b")) for _ in range(40)]
        await asyncio.to_thread(bool)
        assert not any(task.done() for task in asked)
        it._module.free.set()


async def test_no_more_than_so_many_run_at_once_and_a_place_comes_free(load, monkeypatch):
    monkeypatch.setattr(program, "AT_ONCE", 2)
    it = load(HANGS)
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(it.ask("f", "a", "b")) for _ in range(5)]
        while _threads() < 2:
            await asyncio.sleep(0.001)
        assert _threads() == 2
        it._module.free.set()
    assert [task.result() for task in asked] == [True] * 5


def _threads():
    return sum(thread.name == "usher-mine" for thread in threading.enumerate())


def test_a_function_that_hangs_does_not_keep_the_process(load, impatient):
    it = load(HANGS)
    with pytest.raises(TimeoutError):
        asyncio.run(it.ask("f", "a", "b"))
    hanging = [thread for thread in threading.enumerate() if thread.name == "usher-mine"]
    assert all(thread.daemon for thread in hanging)
    it._module.free.set()  # nobody listens any more, and nothing is said about it
    for thread in hanging:
        thread.join(20)
