# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import ArgumentSpec, Params
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import Action, ApplyFailed, Change
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import (
    Context,
    ModuleDefinition,
    Result,
    failure_values,
    perform,
    result_values,
)


def change(name: str) -> Change[None]:
    return Change(Action.CREATE, "role", name, f"Create role {name}.", None, {"name": name}, None)


def test_a_result_cannot_forget_its_diff() -> None:
    values = result_values(Result({"arn": "x"}, (change("a"),)))
    assert values["changed"] is True
    assert values["diff"] == [
        {"before_header": "role a", "after_header": "role a", "before": {}, "after": {"name": "a"}}
    ]
    assert values["changes"] == [{"action": "create", "kind": "role", "name": "a", "summary": "Create role a."}]
    assert result_values(Result({"arn": "x"}))["changed"] is False


def test_a_cloud_error_is_one_sentence_with_code_request_id_and_fix() -> None:
    error = errors.CloudError(
        service="IAM",
        action="reading role x",
        code="AccessDenied",
        status=403,
        detail="not allowed.",
        request_id="r-1",
        fix="Allow iam:GetRole.",
    )
    values = failure_values(error)
    assert (
        values["msg"]
        == "IAM failed while reading role x: AccessDenied: not allowed (request id r-1). Allow iam:GetRole."
    )
    assert t.cast("dict[str, object]", values["error"])["request_id"] == "r-1"


def test_a_partial_failure_says_what_was_done_and_reports_it_as_changed() -> None:
    failed = ApplyFailed((change("a"),), change("b"))
    failed.__cause__ = errors.CloudError(service="IAM", action="creating role b", code="Throttling")
    values = failure_values(failed)
    assert values["msg"] == (
        "IAM failed while creating role b: Throttling. Already done in this run: Create role a. "
        "A rerun continues from there."
    )
    assert values["changed"] is True
    assert len(t.cast("list[object]", values["diff"])) == 1


def test_a_failure_before_any_write_says_that_nothing_was_changed() -> None:
    failed = ApplyFailed((), change("b"))
    failed.__cause__ = errors.InvalidInput("Bad.")
    values = failure_values(failed)
    assert values["msg"] == "Bad. Nothing was changed."
    assert values["changed"] is False


def test_a_write_that_failed_after_it_was_accepted_counts_as_changed() -> None:
    failed = ApplyFailed((), change("b"))
    cause = errors.NotReady("Accepted, but not finished.")
    cause.accepted = True
    failed.__cause__ = cause
    values = failure_values(failed)
    assert values["msg"] == "Accepted, but not finished."
    assert values["changed"] is True
    assert [entry["name"] for entry in t.cast("list[dict[str, str]]", values["changes"])] == ["b"]


@pytest.mark.parametrize(("done", "earlier"), [((), ""), ((change("a"),), "Already done in this run: Create role a. ")])
def test_a_write_without_an_answer_is_never_called_undone(done: tuple[Change[None], ...], earlier: str) -> None:
    told = f"It is not known whether the change was made. {earlier}A rerun continues from there."
    failed = ApplyFailed(done, change("b"))
    failed.__cause__ = errors.Unreachable(service="IAM", action="creating role b", detail="no answer")
    assert failure_values(failed)["msg"] == f"IAM failed while creating role b: no answer. {told}"
    failed = ApplyFailed(done, change("b"), uncertain=True)
    failed.__cause__ = errors.InvalidInput("Bad.")
    assert failure_values(failed)["msg"] == f"Bad. {told}"


@pytest.mark.parametrize("done", [(), (change("a"),)])
def test_a_write_that_a_rerun_would_repeat_is_not_said_to_be_continued(done: tuple[Change[None], ...]) -> None:
    failed = ApplyFailed(done, change("b"), uncertain=True)
    cause = errors.NotReady("It may be there.", fix="Look first.")
    cause.repeats = True
    failed.__cause__ = cause
    earlier = "".join(f" Already done in this run: {one.summary}" for one in done)
    told = f"It may be there. Look first. It is not known whether the change was made.{earlier}"
    assert failure_values(failed)["msg"] == told


def test_a_failed_check_returns_its_findings_with_the_message() -> None:
    error = errors.CheckFailed("The chain is broken.", facts={"healthy": False, "links": []})
    assert failure_values(error) == {"healthy": False, "links": [], "msg": "The chain is broken."}


@pytest.mark.parametrize("error", [None, errors.InvalidInput("no"), ZeroDivisionError("a bug")])
def test_what_an_sdk_keeps_is_given_back_however_a_module_ends(error: Exception | None) -> None:
    given_back = []

    def run(_params: Params, _context: Context) -> Result:
        if error is not None:
            raise error
        return Result({})

    definition = ModuleDefinition(ArgumentSpec({}), run, lambda: given_back.append("files"))
    try:
        perform(definition, Params({}), Context(check_mode=True))
    except ZeroDivisionError:
        assert error is not None
    assert given_back == ["files"]
