# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what a play left behind to a report, and its files."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift import files
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift.collect import (
    Failure,
    Host,
    report_of,
    reported,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift.model import STEPS, Report, Status
from tests.unit.plugins.module_utils._drift.reports import NOW, cluster, drifted

Json = dict[str, t.Any]

FINE: Json = {"changed": False, "changes": [], "diff": []}
CHANGED: Json = {
    "changed": True,
    "changes": [{"action": "create", "kind": "IAM role", "name": "r", "summary": "Create the role."}],
    "diff": [{"before": {}, "after": {"arn": "a"}}],
}
LINKS = [{"link": "discovery", "status": "ok", "tried": True, "summary": "Reachable."}]
ALL: Json = {
    "aks_oidc_issuer_result": FINE,
    "iam_web_identity_workspace_result": {"changed": False, "workspace": {"arn": "w"}},
    "iam_web_identity_provider_result": FINE,
    "iam_web_identity_role_result": FINE,
    "entra_federation_result": FINE,
    "service_account_result": FINE,
    "prometheus_remote_write_result": FINE,
    "federation_check_result": {"changed": False, "links": LINKS},
}


def _statuses(variables: Json, *, failure: Failure | None = None, selected: t.Iterable[str] = STEPS) -> dict[str, str]:
    (one,) = report_of([Host("a", variables, frozenset(selected), failure)], now=NOW).clusters
    return {step.name: step.status.value for step in one.steps}


def test_a_converged_cluster_is_in_sync() -> None:
    assert set(_statuses(ALL).values()) == {"in_sync"}


def test_a_change_in_any_module_of_a_step_is_a_drift() -> None:
    statuses = _statuses({**ALL, "iam_web_identity_role_result": CHANGED})
    assert statuses.pop("iam_web_identity") == "drifted"
    assert set(statuses.values()) == {"in_sync"}


def test_the_results_of_several_count_one_by_one() -> None:
    several = {**ALL, "service_account_results": [FINE, CHANGED, {"skipped": True, "changed": False}]}
    report = report_of([Host("a", several, frozenset(STEPS))], now=NOW)
    assert [drift.kind for drift in report.clusters[0].drifts] == ["role_missing"]
    last_failed = {**several, "service_account_result": {"failed": True, "msg": "No rights."}}
    (one,) = report_of([Host("a", last_failed, frozenset(STEPS))], now=NOW).clusters
    assert (one.steps[3].status, one.steps[3].note) == (Status.FAILED, "No rights.")
    assert [drift.kind for drift in one.drifts] == ["role_missing"]


def test_what_follows_a_failed_step_is_unknown() -> None:
    failed = {"failed": True, "msg": "AWS IAM refused: AccessDenied.", "changed": False}
    variables = {**ALL, "iam_web_identity_role_result": failed}
    for name in ("entra_federation_result", "service_account_result", "federation_check_result"):
        del variables[name]
    (one,) = report_of(
        [Host("a", variables, frozenset(STEPS), Failure("Ensure the role", "AWS IAM refused."))], now=NOW
    ).clusters
    assert [(step.status.value, step.note) for step in one.steps] == [
        ("in_sync", ""),
        ("failed", "AWS IAM refused: AccessDenied."),
        *[("unknown", "Not reached, because the step iam_web_identity failed.")] * 4,
    ]


def test_what_may_not_be_repaired_unasked_has_drifted_and_what_follows_is_unknown() -> None:
    refused = {
        "failed": True,
        "msg": "The role would lose a right.",
        "refused_changes": CHANGED["changes"],
        "refused_diff": CHANGED["diff"],
    }
    variables = {**ALL, "iam_web_identity_role_result": refused}
    for name in ("entra_federation_result", "service_account_result", "federation_check_result"):
        del variables[name]
    kept = reported(variables)
    (one,) = report_of([Host("a", kept, frozenset(STEPS), Failure("Ensure the role", "x"))], now=NOW).clusters
    assert one.status is Status.DRIFTED
    assert [drift.kind for drift in one.drifts] == ["role_missing"]
    assert [(step.status.value, step.note) for step in one.steps] == [
        ("in_sync", ""),
        ("drifted", "The role would lose a right."),
        *[("unknown", "Not reached, because the step iam_web_identity failed.")] * 4,
    ]


def test_a_failure_outside_of_the_steps_is_not_lost() -> None:
    failure = Failure("Require that no two clusters share a role or a credential", "Two are given the same role.")
    assert "failed" in _statuses({}, failure=failure).values() or "unknown" in _statuses({}, failure=failure).values()
    (one,) = report_of([Host("a", {}, frozenset(STEPS), failure)], now=NOW).clusters
    assert one.status in (Status.UNKNOWN, Status.FAILED)
    assert any("Two are given the same role" in step.note for step in one.steps)
    (complete,) = report_of([Host("a", ALL, frozenset(STEPS), failure)], now=NOW).clusters
    assert complete.status is Status.FAILED


def test_steps_that_are_not_selected_or_switched_off_are_skipped() -> None:
    without = {name: value for name, value in ALL.items() if not name.startswith("entra")}
    assert _statuses(without)["entra_federation"] == "skipped"
    changed = {**ALL, "aks_oidc_issuer_result": CHANGED}
    assert _statuses(changed, selected=["service_account"]) == {
        step: "in_sync" if step == "service_account" else "skipped" for step in STEPS
    }


@pytest.mark.parametrize(
    ("link", "status"),
    [
        ({"status": "broken", "tried": True, "summary": "No provider."}, "broken"),
        ({"status": "unknown", "tried": True, "summary": "No right."}, "unknown"),
        ({"status": "unknown", "tried": False, "summary": "Not tried because nothing is written."}, "in_sync"),
    ],
)
def test_the_chain_decides_about_the_check(link: Json, status: str) -> None:
    checked = {"changed": False, "links": [*LINKS, {"link": "provider", **link}]}
    (one,) = report_of([Host("a", {**ALL, "federation_check_result": checked}, frozenset(STEPS))], now=NOW).clusters
    assert one.steps[-1].status.value == status
    assert [found.name for found in one.chain] == ["discovery", "provider"]


def test_files_are_written_whole_and_read_again(tmp_path: Path) -> None:
    report = Report(NOW, (cluster("a"), drifted("b")))
    folder = tmp_path / "new" / "reports"
    written = files.write_report(report, str(folder), list(files.FORMATS))
    assert sorted(path.name for path in folder.iterdir()) == [
        "drift-report.html", "drift-report.json", "drift-report.md", "drift-report.prom", "drift-report.xml"
    ]  # fmt: skip
    assert set(written) == set(files.FORMATS)
    earlier = files.earlier_report(files.own_file(str(folder)))
    assert earlier is not None
    assert earlier.to_json() == report.to_json()
    assert files.earlier_report(str(tmp_path / "none" / "x.json")) is None
    assert files.earlier_report(str(tmp_path / "x.json")) is None


@pytest.mark.parametrize(("text", "problem"), [("{", "It is no JSON"), (json.dumps({"a": 1}), "not a drift report")])
def test_a_file_that_is_no_report_is_said(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(text)
    with pytest.raises(errors.Refused, match=problem):
        files.earlier_report(str(path))


def test_a_folder_that_can_not_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.NotReady, match="can't be made"):
        files.write_report(Report(NOW, ()), str(tmp_path / "file" / "x"), ["json"])
