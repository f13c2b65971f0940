"""Who could see what with the broker before us, asked of ours; numbers as in docs/protocol.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from time import monotonic

import access_cases
import pytest
from access_cases import GROUPS, ON_PURPOSE, PRIMARY, WITH_PRIMARY_GROUPS, Case
from believing import NOWHERE, Site, believing
from daemon import DEADLINE_SECONDS


def sections(kind: str, cases: Iterable[Case]) -> dict[str, Case]:
    """Every case is a profile of its own."""
    return {f"{kind}-{case.number}-{place}": case for place, case in enumerate(cases)}


KEPT, OURS = sections("kept", access_cases.KEPT), sections("ours", ON_PURPOSE.values())
BY_PRIMARY_GROUP = sections("primary", PRIMARY)
BY_NAME = "[by-name]\nacl-clients-allow = localhost\n\n"


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    """Has nearly all cases."""
    rows = "".join(case.section(name) for name, case in (KEPT | OURS).items())
    with believing(tmp_path_factory.mktemp("known"), BY_NAME + rows, GROUPS) as site:
        yield site


def verdicts(site: Site, section: str, case: Case) -> None:
    """Who lists it, and who is sent to a server by it: the same, and as the case has it."""
    expected = case.verdicts()
    assert {asker: section in site.listed(*asker) for asker in expected} == expected, case.acl
    sent = {asker: site.selected(section, *asker) != NOWHERE for asker in expected}
    assert sent == expected, case.acl


def named(cases: Mapping[str, Case]) -> pytest.MarkDecorator:
    ids = [f"{case.number}: {case.acl}" for case in cases.values()]
    return pytest.mark.parametrize(("section", "case"), cases.items(), ids=ids)


@named(KEPT)
def test_who_lists_a_profile_and_is_sent_to_its_server(broker, section, case):
    verdicts(broker, section, case)


@pytest.mark.parametrize(("section", "case"), OURS.items(), ids=ON_PURPOSE)
def test_access_on_purpose_unlike_before(broker, section, case):
    verdicts(broker, section, case)


@pytest.fixture(scope="module")
def with_primary_groups(tmp_path_factory):
    """Everybody is in a group of their own name, too."""
    rows = "".join(case.section(name) for name, case in BY_PRIMARY_GROUP.items())
    with believing(tmp_path_factory.mktemp("primary"), rows, WITH_PRIMARY_GROUPS) as site:
        yield site


@named(BY_PRIMARY_GROUP)
def test_who_sees_a_profile_where_primary_groups_count(with_primary_groups, section, case):
    verdicts(with_primary_groups, section, case)


def test_32_on_purpose_unlike_before_a_host_name_in_a_list_of_clients_is_resolved(broker):
    deadline = monotonic() + DEADLINE_SECONDS
    while broker.selected("by-name") == NOWHERE:
        assert monotonic() < deadline, "the name was not resolved"
    assert broker.selected("by-name", address="10.0.2.14") == NOWHERE
