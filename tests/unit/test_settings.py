"""What a profile tells the broker."""

from __future__ import annotations

import pytest

from usher import settings
from usher.settings import Policy, Settings


def said(**keys: str) -> Settings:
    return settings.settings({f"broker-{k.replace('_', '-')}": v for k, v in keys.items()})


def test_who_says_nothing_has_the_defaults():
    assert settings.settings({}) == Settings()
    assert Settings().session_policy is Policy.CHOOSE


def test_each_key_is_read_in_its_type():
    read = said(
        selector="first",
        weights="ts1:2, ts2:0.5",
        caps="ts1: 40",
        session_policy="takeover",
        session_limit="3",
        session_counts="True",
    )
    assert read == Settings(
        "first", {"ts1": 2.0, "ts2": 0.5}, {"ts1": 40}, Policy.TAKEOVER, 3, True
    )


@pytest.mark.parametrize("text", ["yes", "on", "0", "false", "", "2"])
def test_only_what_always_was_true_is_true(text: str):
    assert said(session_counts=text).session_counts is False


@pytest.mark.parametrize(
    ("key", "text", "hint"),
    [
        ("broker-session-policy", "steal", "write choose, resume, new, takeover"),
        ("broker-selector", "best", "write fewest_sessions or "),
        ("broker-session-limit", "-1", "write 0"),
        ("broker-weights", "ts1", "write ts1:2"),
        ("broker-weights", "ts1:0", "write ts1:2"),
        ("broker-weights", ":2", "write ts1:2"),
        ("broker-caps", "ts1:1.5", "write ts1:40"),
        ("broker-caps", "ts1:x, ts2:1", "'ts1:x' is not a server and a number"),
        ("broker-login-map", "accounts", "begin with /"),
        ("broker-authorized-keys", ".x2go/authorized_keys", "begin with / or %h"),
        ("broker-authorized-keys", "%h/%u/%u", "write each of %h %u %U %G once"),
        ("broker-authorized-keys", "/keys/%x", "write each of %h %u %U %G once"),
        ("broker-authorized-keys", "/keys/$(id)", "begin with / or %h"),
        ("broker-authorized-keys", "%h/keys/", "begin with / or %h"),
    ],
)
def test_what_cannot_be_read_says_what_would_be_right(key: str, text: str, hint: str):
    with pytest.raises(ValueError, match=hint):
        settings.read(key, text)


@pytest.mark.parametrize("file", ["%h/.x2go/authorized_keys", "/etc/keys/%u", "/k/%U/%G/%%%%x"])
def test_a_file_for_keys_is_named_in_the_words_of_the_existing_agent(file: str):
    assert said(authorized_keys=file).authorized_keys == file


def test_every_key_says_what_it_is_about():
    assert all(item.metadata["about"] for item in settings.KEYS.values())
    assert not settings.KEYS.keys() & {*settings.IDLE}
