"""From a TOML file to checked values, or to faults that say where and what would be right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from usher.assembly import inspect
from usher.config import arguments, core, load, suggest
from usher.errors import ConfigError
from usher.tables import Audit, AuthId, Http, Socket


def write(folder: Path, text: str) -> Path:
    """The text as a configuration file."""
    path = folder / "usher.toml"
    path.write_text(text, encoding="utf-8")
    return path


def faults_of(folder: Path, text: str) -> list[str]:
    """What is wrong with this configuration, without its path."""
    path = write(folder, text)
    try:
        _, faults = inspect(load(path))
    except ConfigError as error:
        faults = list(error.faults)
    return [str(fault).removeprefix(f"{path}:") for fault in faults if fault.path == path]


def test_an_empty_file_means_the_defaults(tmp_path: Path):
    config = load(write(tmp_path, ""))
    assert core(config, Http) == Http("127.0.0.1", 8080, None, None, False, [])
    assert core(config, AuthId) == AuthId(36000, True)
    assert core(config, Socket) == Socket(Path("/run/usher/usher.sock"), ["www-data"], [])
    assert core(config, Audit) == Audit(None)
    assert config.table("authenticator").values == {"type": "pam"}


def test_a_path_is_relative_to_the_file(tmp_path: Path):
    config = load(write(tmp_path, '[socket]\npath = "run/s"\n[audit]\npath = "/var/log/audit"\n'))
    assert core(config, Socket).path == tmp_path / "run/s"
    assert core(config, Audit).path == Path("/var/log/audit")


GOOD = '[profiles]\ntype = "inifile"\npath = "p"\n[store]\npath = "s"\n[directory]\ntype = "flat"\n'
GOOD += '[authenticator]\ntype = "none"\n'

FAULTS = [
    ("[http]\nprt = 1", "11: http.prt: unknown option: did you mean 'port'?"),
    ("[http]\nzzzzz = 1", "11: http.zzzzz: unknown option: choose from certificate, host, key"),
    ('[http]\nport = "8080"', "11: http.port: write a whole number without quotes"),
    ("[http]\nport = true", "11: http.port: write a whole number without quotes"),
    ("[http]\nport = 8080.5", "11: http.port: write a whole number without quotes"),
    ("[http]\nport = 65536", "11: http.port: 65536 is no port"),
    ("[http]\nport = -1", "11: http.port: -1 is no port"),
    ("[http]\nhost = 1", "11: http.host: write text in quotes"),
    ('[http]\nhost = "0.0.0.0"', "11: http.host: 0.0.0.0 is not loopback: set certificate and key"),
    ('[http]\nhost = "broker.example.org"', "11: http.host: broker.example.org is not loopback"),
    ('[http]\n\ncertificate = "c"', "12: http.certificate: certificate and key go together"),
    ('[http]\nkey = "k"', "10: http.certificate: certificate and key go together"),
    ("[audit]\npath = 1", "11: audit.path: write a path in quotes"),
    ('[http]\ntrusted_proxies = ["x"]', "11: http.trusted_proxies: 'x' does not appear to be"),
    ('[http]\ntrusted_proxies = ["10.0.0.1/8"]', "11: http.trusted_proxies: 10.0.0.1/8 has host"),
    ('[http]\ntrusted_proxies = "10.0.0.1"', "11: http.trusted_proxies: write a list of texts"),
    ("[htpp]", "10: htpp: unknown table: did you mean 'http'?"),
    ("[authid]\nlifetime = '1h'", "11: authid.lifetime: write a whole number"),
    ("[authid]\nlifetime = 0", "11: authid.lifetime: 0 is no time: write seconds"),
    ("[authid]\nlifetime = -5", "11: authid.lifetime: -5 is no time"),
    ("[selector]\nbusy = nan", "11: selector.busy: write a number without quotes"),
    ('[http]\nhost = "a\\nb"', r"11: http.host: a\nb is not loopback"),
    ("[authid]\nbind_address = 1", "11: authid.bind_address: write true or false, without quotes"),
    ("[socket]\nrelays = 'www-data'", "11: socket.relays: write a list of texts in quotes"),
    ("[agent]\ntype = 'simulatd'", "11: agent.type: unknown type 'simulatd': did you mean"),
    ("[agent]\ntype = 5", "11: agent.type: unknown type 5: choose from"),
    ("[[audit]]\npath = 'x'", "10: audit: must be a table: write [audit]"),
    ('[http]\nhost = ""\nplaintext = true', "11: http.host: is empty: write 127.0.0.1, or"),
    ("[http]\nhost = here", "11: syntax: Invalid value: text needs quotes"),
    ("[http]\ntrusted_proxies = [", "11: syntax: Invalid value"),
    ("[http", "10: syntax: Expected ']'"),
    ("[http]\nport = 1\nport = 2", "12: syntax: Cannot overwrite"),
]


@pytest.mark.parametrize(("text", "told"), FAULTS)
def test_a_fault_is_told_with_its_line_its_key_and_what_would_be_right(
    tmp_path: Path, text: str, told: str
):
    found = faults_of(tmp_path, GOOD + text + "\n")
    assert len(found) == 1, found
    assert found[0].startswith(told)


@pytest.mark.parametrize("value", ["5", "[]", '"x"', "true"])
@pytest.mark.parametrize("name", ["http", "authenticator", "store"])
def test_a_value_where_a_table_belongs_is_a_fault(tmp_path: Path, name: str, value: str):
    assert f"1: {name}: must be a table: write [{name}]" in faults_of(tmp_path, f"{name} = {value}")


def test_every_fault_is_told_at_once(tmp_path: Path):
    text = GOOD + "[http]\nprt = 1\nhost = 5\n[authid]\nlifetime = ''\n[sockt]\n[agent]\ntype='x'\n"
    keys = [fault.split(":")[1].strip() for fault in faults_of(tmp_path, text)]
    assert keys == ["http.prt", "http.host", "authid.lifetime", "sockt", "agent.type"]


def test_an_option_that_cannot_be_read_hides_no_fault_of_another(tmp_path: Path):
    found = faults_of(tmp_path, GOOD + '[http]\nport = "x"\nhost = "0.0.0.0"\n')
    assert [line.split(": ")[1] for line in found] == ["http.port", "http.host"]


def test_every_line_that_is_no_toml_is_told_at_once(tmp_path: Path):
    text = "[http]\nport = 8\nhost = here\n[store\ntype = 'x'\n[audit]\ntype = y\n[[["
    found = faults_of(tmp_path, text)
    assert [line.partition(":")[0] for line in found] == ["3", "4", "7", "8"]


def test_a_file_of_nothing_but_nonsense_is_told_of_in_bounds(tmp_path: Path):
    assert len(faults_of(tmp_path, "command = XFCE\n" * 5000)) == 100


@pytest.mark.parametrize(
    "http",
    [
        'host = "127.0.0.1"',
        'host = "127.8.8.8"',
        'host = "::1"',
        'host = "localhost"',
        'host = "0.0.0.0"\nplaintext = true',
        'host = "0.0.0.0"\ncertificate = "c"\nkey = "k"',
        'trusted_proxies = ["10.0.0.0/8", "2001:db8::1", "192.0.2.7"]',
    ],
)
def test_what_is_safe_is_allowed(tmp_path: Path, http: str):
    assert faults_of(tmp_path, GOOD + f"[http]\n{http}\n") == []


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda path: path.unlink(), "1: file: .*: No such file or directory: write one, or name"),
        (lambda path: path.write_bytes(b"\n\n# \xfc"), "3: syntax: is not UTF-8: save the file"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_fault(tmp_path: Path, make, told: str):
    path = write(tmp_path, "")
    make(path)
    with pytest.raises(ConfigError, match=told) as error:
        load(path)
    assert str(error.value).startswith(f"{path}:")


def test_a_mark_of_utf_8_at_the_beginning_is_not_part_of_the_text(tmp_path: Path):
    path = tmp_path / "usher.toml"
    path.write_text("[http]\nport = 1\n", encoding="utf-8-sig")
    assert core(load(path), Http).port == 1


@pytest.mark.parametrize(
    ("hint", "told"),
    [
        (str, "write text in quotes"),
        (float, "write a number without quotes"),
        (Path | None, "write a path in quotes"),
        (dict[str, str], 'write texts in quotes by name: { alice = "text" }'),
        (dict[str, list[str]], "write lists of texts in quotes by name: { staff = "),
        (list[int], "Expected `array`, got `object`"),
    ],
)
def test_a_value_of_the_wrong_type_brings_the_right_notation(tmp_path: Path, hint, told: str):
    def plugin(option) -> None:
        raise NotImplementedError

    plugin.__annotations__["option"] = hint
    table = load(write(tmp_path, "[x]\noption = { alice = 5 }\n")).table("x")
    with pytest.raises(ConfigError, match=f":2: x.option: {re.escape(told)}"):
        arguments(plugin, table)


def test_a_constructor_is_the_schema(tmp_path: Path):
    def plugin(*, needed: str, there: Path, many: dict[str, list[str]], number: int = 7) -> None:
        raise NotImplementedError

    text = '[x]\ntype = "t"\nthere = "a/b"\nneeded = "n"\nmany = { staff = ["alice"] }\n'
    given = arguments(plugin, load(write(tmp_path, text)).table("x"))
    assert given == {"there": tmp_path / "a/b", "needed": "n", "many": {"staff": ["alice"]}}
    with pytest.raises(ConfigError) as error:
        arguments(plugin, load(write(tmp_path, "[x]\n\nnumber = ''\nmany = 5\n")).table("x"))
    assert [(fault.line, fault.key) for fault in error.value.faults] == [
        (3, "x.number"),
        (4, "x.many"),
        (1, "x.needed"),
        (1, "x.there"),
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [("prt", "did you mean 'port'?"), ("xyz", "choose from host, port"), ("", "choose from host")],
)
def test_a_wrong_word_brings_what_was_probably_meant(given: str, said: str):
    assert suggest(given, ["port", "host"]).startswith(said)
