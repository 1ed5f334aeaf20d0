# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check mode of every module: only reads reach the clouds, and what is predicted is what the real run then does."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import KNOWN_AFTER_APPLY
from tests.faults.modules import CASES, Case, Estate, differences, snapshot

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Result

#: What only the service knows and check mode shows as not given: the UID of a new object, and which certificate of a
#: chain IAM chooses where it is left to choose.
_UNPREDICTED: t.Final = {
    "federated_service_account-create": ("/uid:",),
    "iam_oidc_provider_thumbprint-create": ("/certificates/1/pinned:",),
}
#: Return values that tell of the run, not of the objects.
_OF_RUN: t.Final = frozenset({"rollout", "rollout_status"})
#: What became of the running pods, which check mode leaves alone.
_FOLLOWED: t.Final = ("/rollout_status/",)
_NAMES = {"ids": lambda case: case.name}


def _unfulfilled(predicted: t.Any, real: t.Any, path: str = "") -> Iterator[str]:
    """Where a value came out otherwise than predicted. What only a service can know may come out as anything."""
    if isinstance(predicted, str) and KNOWN_AFTER_APPLY in predicted:
        return
    if isinstance(predicted, dict) and isinstance(real, dict):
        for name in sorted({*predicted, *real}):
            yield from _unfulfilled(predicted.get(name), real.get(name), f"{path}/{name}")
    elif isinstance(predicted, (list, tuple)) and isinstance(real, (list, tuple)) and len(predicted) == len(real):
        for index, (one, other) in enumerate(zip(predicted, real, strict=True)):
            yield from _unfulfilled(one, other, f"{path}/{index}")
    elif predicted != real:
        yield f"{path}: {real!r} instead of {predicted!r}"


def _reports(result: Result) -> list[dict[str, str]]:
    return [change.report() for change in result.changes]


def _lasting(result: Result) -> dict[str, object]:
    return {name: value for name, value in result.facts.items() if name not in _OF_RUN}


def _diffs(result: Result) -> list[dict[str, object]]:
    return [change.diff() for change in result.changes]


@pytest.mark.parametrize("case", CASES, **_NAMES)
def test_check_mode_reads_only_and_predicts_the_run(estate: Estate, case: Case) -> None:
    case.start(estate)
    before, start = snapshot(estate.sandbox), estate.last_request()
    checked = case.run(estate, check_mode=True)
    assert [request for request in estate.requests(start) if request.write] == []
    assert differences(snapshot(estate.sandbox), before) == []
    applied = case.run(estate)
    assert _reports(applied) == _reports(checked)
    assert list(_unfulfilled(_diffs(checked), _diffs(applied))) == []
    if applied.changes:
        unpredicted = (*_UNPREDICTED.get(case.name, ()), *_FOLLOWED)
        found = _unfulfilled(dict(checked.facts), dict(applied.facts))
        assert [one for one in found if not one.startswith(unpredicted)] == []


@pytest.mark.parametrize("case", CASES, **_NAMES)
def test_a_second_run_changes_nothing_in_either_mode(estate: Estate, case: Case) -> None:
    case.start(estate)
    applied = case.run(estate)
    after, start = snapshot(estate.sandbox), estate.last_request()
    for check_mode in (True, False):
        again = case.run(estate, check_mode=check_mode)
        assert _reports(again) == []
        if applied.changes:
            assert _lasting(again) == _lasting(applied)
    assert [one for one in estate.requests(start) if one.write and one.service != "aps-workspaces"] == []
    assert differences(snapshot(estate.sandbox), after) == []
