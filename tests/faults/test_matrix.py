# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every fault at every request of every module.

The run either succeeds, or ends with one clear error after which the same run finishes the work. Either way the
clouds then hold exactly what an undisturbed run leaves: no lost field, no object twice, nothing unmarked.
"""

from __future__ import annotations

import dataclasses
import functools
import time
import typing as t

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import EXPECTED, Result, failure_values
from sandbox.faults import Armed, Fault, Kind, Met
from tests.faults.modules import CASES, ROTATION, Case, Estate, differences, snapshot

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.world import Json, LoggedRequest

#: In seconds. The parts of the wait are short, because longer pauses are cut short here.
_LATE, _PARTS_UNTIL_SHOWN = 0.1, (0.04, 0.04, 0.04)
#: What is injected, by the name that a test carries. The kinds that can't strike a request are left out by the sandbox.
FAULTS: t.Final = {
    "throttled": Fault(Kind.THROTTLED),
    "throttled-retry-after": Fault(Kind.THROTTLED, retry_after=1),
    "error-500": Fault(Kind.ERROR, status=500),
    "error-502": Fault(Kind.ERROR, status=502),
    "error-503": Fault(Kind.ERROR, status=503, retry_after=1),
    "error-500-after": Fault(Kind.ERROR_AFTER, status=500),
    "unreadable-after": Fault(Kind.UNREADABLE_AFTER),
    "page-after": Fault(Kind.UNREADABLE_AFTER, code="page"),
    "drop-before": Fault(Kind.DROP_BEFORE),
    "drop-after": Fault(Kind.DROP_AFTER),
    "conflict": Fault(Kind.CONFLICT),
    "conflict-412": Fault(Kind.CONFLICT, service="arm", status=412),
    "conflict-etag": Fault(Kind.CONFLICT, service="arm", code="EtagMismatch"),
    "expired-token": Fault(Kind.EXPIRED_TOKEN),
    "late": Fault(Kind.LATE, seconds=_LATE),
}
#: What is injected at reads only where a case is the first of its module: a read of another case is the same read.
_OF_WRITES = frozenset(
    {"drop-after", "conflict", "conflict-412", "conflict-etag", "drop-before", "error-500", "error-500-after", "late"}
    | {"unreadable-after", "page-after"}
)
#: What a service never answers: the login service and the issuer take no token that could have expired, a login and a
#: sample are nobody else's, and what is created in Kubernetes has no version that another writer could have changed.
_NEVER_ANSWERED: t.Final = frozenset(
    {
        (Kind.EXPIRED_TOKEN, "login"),
        (Kind.EXPIRED_TOKEN, "oidc"),
        (Kind.CONFLICT, "login"),
        (Kind.CONFLICT, "aps-workspaces"),
    }
)
#: Modules that write to Graph or IAM, which alone may show late what was written.
_OF_LATE_SERVICES = ("entra_", "iam_")
#: A module polls while it waits; a poll is one kind of request however often it comes.
_POLLS = 2
#: An ordinary run sends a dozen requests, one that looks whether a namespace is empty some forty; with all attempts of
#: one that is refused for ever it stays below this.
_MOST_REQUESTS = 300


def can_strike(fault: Fault, request: LoggedRequest) -> bool:
    """Whether the request's service has an answer of the fault's kind to it."""
    if not fault.fits(Met(request.service, request.method, request.path, request.operation)):
        return False
    service = request.service.partition("/")[0]
    is_kubernetes_create = service == "kubernetes" and request.method == "POST"
    return (fault.kind, service) not in _NEVER_ANSWERED and not (fault.kind is Kind.CONFLICT and is_kubernetes_create)


_MODULES = frozenset(next(case.name for case in CASES if case.definition is one.definition) for one in CASES)


@dataclasses.dataclass(frozen=True)
class Undisturbed:
    """A run without faults."""

    before: Json
    after: Json
    changes: tuple[dict[str, str], ...]
    requests: tuple[LoggedRequest, ...]

    def places(self, fault: Fault, *, reads: bool) -> Iterator[Fault]:
        """The fault at each request that it can strike."""
        seen: dict[tuple[str, str, str], int] = {}
        for request in self.requests:
            route = (request.service, request.method, request.operation)
            seen[route] = nth = seen.get(route, 0) + 1
            if nth <= _POLLS and can_strike(fault, request) and (reads or request.write):
                yield dataclasses.replace(
                    fault, service=request.service, method=request.method, operation=request.operation, nth=nth
                )


@functools.cache
def undisturbed(estate: Estate, case: Case) -> Undisturbed:
    case.start(estate)
    before, start = snapshot(estate.sandbox), estate.last_request()
    result = case.run(estate)
    requests = tuple(request for request in estate.requests(start) if request.operation)
    return Undisturbed(before, snapshot(estate.sandbox), _reports(result), requests)


def _reports(result: Result) -> tuple[dict[str, str], ...]:
    return tuple(change.report() for change in result.changes)


def problems(estate: Estate, case: Case, *faults: Fault) -> Iterator[str]:
    """What is wrong with a run under these faults and with what it leaves. The sandbox is at the case's start."""
    wanted = undisturbed(estate, case)
    armed = [estate.sandbox.faults.add(fault) for fault in faults]
    start = estate.last_request()
    try:
        result = case.run(estate)
    except EXPECTED as error:
        yield from _unclear(error)
        if snapshot(estate.sandbox) != wanted.before and not _reported(error):
            yield f"the clouds were changed, but the failure says {failure_values(error)}"
    except Exception as error:
        yield f"an unexpected {type(error).__name__}: {error}"
    else:
        if bool(result.changes) != bool(wanted.changes):
            yield f"success with the changes {_reports(result)} instead of {wanted.changes}"
        yield from differences(snapshot(estate.sandbox), wanted.after)
    if len(estate.requests(start)) > _MOST_REQUESTS:
        yield f"{len(estate.requests(start))} requests"
    estate.sandbox.faults.clear()
    yield from (f"the fault {one} struck nothing" for one in unmet(armed))
    if snapshot(estate.sandbox) == wanted.after:
        return
    try:
        case.run(estate)
    except Exception as error:
        yield f"the rerun failed: {type(error).__name__}: {failure_values(error)['msg']}"
    yield from (f"after the rerun {difference}" for difference in differences(snapshot(estate.sandbox), wanted.after))


def unmet(armed: t.Iterable[Armed]) -> list[Fault]:
    """The faults that struck nothing. How often a module polls depends on the machine, so a later poll may not come."""
    silent = [one.fault for one in armed if not one.struck]
    return [one for one in silent if one.nth == 1 or Met(one.service, one.method, one.path, one.operation).writes]


def _unclear(error: Exception) -> Iterator[str]:
    message = str(failure_values(error)["msg"])
    vague = ("Traceback", "object at 0x", "\n", "<html", "None.", "no reason given")
    if not message[:1].isupper() or not message.endswith(".") or any(part in message for part in vague):
        yield f"an unclear message: {message}"


def _reported(error: Exception) -> bool:
    values = failure_values(error)
    message = str(values["msg"])
    told = bool(values.get("changed")) or "not known whether the change was made" in message
    return told and "Nothing was changed" not in message


def _listed(found: list[tuple[str, str]]) -> str:
    return "\n".join(f"{place}: {problem}" for place, problem in found)


def _pairs() -> Iterator[t.Any]:
    """Each case with each fault that it can meet and that no other case of its module meets at the same requests."""
    for case in CASES:
        for name, fault in FAULTS.items():
            of_service = fault.service == "*" or "subscription_id" in case.definition.spec.options
            if fault.kind is Kind.LATE:
                of_service = case.name.startswith(_OF_LATE_SERVICES)
            if of_service and (case.name in _MODULES or name in _OF_WRITES):
                yield pytest.param(case, name, id=f"{case.name}-{name}")


@pytest.mark.parametrize(("case", "fault"), tuple(_pairs()))
def test_one_fault_at_each_request(estate: Estate, case: Case, fault: str) -> None:
    first = case.name in _MODULES
    found: list[tuple[str, str]] = []
    places = list(undisturbed(estate, case).places(FAULTS[fault], reads=first and fault != "drop-after"))
    if not places:
        pytest.skip("no request of this case can meet this fault")
    for place in places:
        case.start(estate)
        found += [
            (f"{place.service} {place.operation} {place.nth}", problem) for problem in problems(estate, case, place)
        ]
    assert not found, _listed(found)


@pytest.mark.parametrize("fault", ["throttled", "error-503", "drop-before", "expired-token"])
@pytest.mark.parametrize("case", [case for case in CASES if case.name in _MODULES], ids=lambda case: case.name)
def test_a_service_that_stays_away_ends_the_run_in_bounded_time(estate: Estate, case: Case, fault: str) -> None:
    found: list[tuple[str, str]] = []
    met = undisturbed(estate, case).requests
    for service in sorted({request.service for request in met if can_strike(FAULTS[fault], request)}):
        case.start(estate)
        lasting = dataclasses.replace(FAULTS[fault], service=service, times=None)
        found += [(service, problem) for problem in problems(estate, case, lasting)]
    assert not found, _listed(found)


def _with_each_write_struck(estate: Estate, case: Case, fault: Fault) -> list[tuple[str, str]]:
    """What is wrong when a fault strikes one kind of write after the other, each in a run of its own."""
    found: list[tuple[str, str]] = []
    met = [one for one in undisturbed(estate, case).requests if one.write and can_strike(fault, one)]
    for service, operation in sorted({(one.service, one.operation) for one in met}):
        case.start(estate)
        struck = dataclasses.replace(fault, service=service, operation=operation)
        found += [(f"{service} {operation}", problem) for problem in problems(estate, case, struck)]
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_another_writer_that_never_rests_is_said(estate: Estate, case: Case) -> None:
    found = _with_each_write_struck(estate, case, Fault(Kind.CONFLICT, times=None))
    assert not found, _listed(found)


@pytest.mark.parametrize("fault", ["error-500-after", "unreadable-after"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_write_that_is_done_and_never_confirmed_is_told(estate: Estate, case: Case, fault: str) -> None:
    """Whatever an SDK or a module makes of it: what was changed is never called unchanged."""
    found = _with_each_write_struck(estate, case, dataclasses.replace(FAULTS[fault], times=None))
    assert not found, _listed(found)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_late_answers_change_nothing(estate: Estate, case: Case) -> None:
    """Latency at every request of a run."""
    wanted = undisturbed(estate, case)
    case.start(estate)
    found = list(problems(estate, case, Fault(Kind.LATENCY, seconds=0.005, times=None)))
    assert not found, found
    assert wanted.requests


@pytest.mark.parametrize(
    "case", [one for one in CASES if one.name.startswith(_OF_LATE_SERVICES)], ids=lambda one: one.name
)
def test_what_is_shown_late_is_not_made_twice(estate: Estate, case: Case) -> None:
    """Graph and IAM show every write of a run a moment later, and the next run comes before that."""
    wanted = undisturbed(estate, case)
    case.start(estate)
    start = estate.last_request()
    found = list(problems(estate, case, Fault(Kind.LATE, seconds=_LATE, times=None)))
    assert not found, found
    assert any(one.fault == "late" for one in estate.requests(start)) is any(one.write for one in wanted.requests)
    try:
        case.run(estate)
    except EXPECTED as error:
        found += _unclear(error)
    for part in _PARTS_UNTIL_SHOWN:
        time.sleep(part)
    case.run(estate)
    found += differences(snapshot(estate.sandbox), wanted.after)
    assert not found, found


@pytest.mark.parametrize(
    "fault", ["throttled", "error-500", "error-500-after", "error-503", "drop-before", "drop-after", "conflict"]
)
def test_signing_keys_are_rotated_once_at_most(estate: Estate, fault: str) -> None:
    """A second rotation drops the key that has signed the tokens of running pods."""
    wanted = undisturbed(estate, ROTATION)
    found: list[str] = []
    for place in wanted.places(FAULTS[fault], reads=fault != "drop-after"):
        ROTATION.start(estate)
        estate.sandbox.faults.add(place)
        start = estate.last_request()
        try:
            ROTATION.run(estate)
        except EXPECTED as error:
            found += [f"{place.operation} {place.nth}: {problem}" for problem in _unclear(error)]
        rotations = [one for one in estate.requests(start) if one.write]
        if len(rotations) > 1:
            found.append(f"{place.operation} {place.nth}: {len(rotations)} rotations")
    assert not found, "\n".join(found)
