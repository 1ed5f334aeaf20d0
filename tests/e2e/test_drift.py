# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook drift: its report, how the run ends, and that it never writes."""

from __future__ import annotations

import json
import typing as t

import jsonschema
import pytest

from sandbox.faults import Fault, Kind
from sandbox.graph.directory import Key
from tests.unit.plugins.module_utils._drift.test_drift_model import SCHEMA

if t.TYPE_CHECKING:
    from pathlib import Path

    from demo.runs import PlaybookRun
    from tests.e2e.conftest import Estate

Json = dict[str, t.Any]


def explain(run: PlaybookRun) -> str:
    return run.output[-6000:]


def _report(folder: Path) -> Json:
    report: Json = json.loads((folder / "drift-report.json").read_text())
    jsonschema.validate(report, SCHEMA)
    return report


def _statuses(report: Json, cluster: str) -> dict[str, str]:
    found = next(one for one in report["clusters"] if one["name"] == cluster)
    return {step["name"]: step["status"] for step in found["steps"]}


def _kinds(report: Json, cluster: str) -> set[str]:
    found = next(one for one in report["clusters"] if one["name"] == cluster)
    return {drift["kind"] for step in found["steps"] for drift in step["drifts"]}


def test_drift_fails_on_a_change_only_and_never_writes(estate: Estate, tmp_path: Path) -> None:
    to_folder = ("-e", f"aks_amp_drift_report_dest={tmp_path}")
    drifted = estate.play("drift", *to_folder)
    assert drifted.exit_code == 2, explain(drifted)
    assert estate.writes() == []
    report = _report(tmp_path)
    assert {one["name"]: one["status"] for one in report["clusters"]} == {
        "finished": "in_sync",
        "fresh": "drifted",
        "halfdone": "broken",
    }
    assert _statuses(report, "finished") == dict.fromkeys(_statuses(report, "finished"), "in_sync")
    assert {"issuer_disabled", "role_missing", "provider_missing", "remote_write_missing"} <= _kinds(report, "fresh")
    assert {"client_id_missing", "federated_credential_issuer_changed"} <= _kinds(report, "halfdone")
    assert [task.host for task in drifted.tasks if task.status == "failed"] == ["localhost"]

    assert estate.federate("--limit", "halfdone").exit_code == 0
    steady = estate.play("drift", "--limit", "halfdone,finished", *to_folder)
    assert steady.exit_code == 0, explain(steady)
    repaired = _report(tmp_path)
    assert {one["status"] for one in repaired["clusters"]} == {"in_sync"}
    assert repaired["compared_with"] == report["generated_at"]
    assert {one["kind"] for one in repaired["repaired"]} == _kinds(report, "halfdone")


def test_what_may_not_be_repaired_unasked_is_drift(estate: Estate, tmp_path: Path) -> None:
    """Somebody has given a cluster's credential to another cluster, which is alive."""
    directory = estate.sandbox.directory
    (application,) = (one for one in directory.applications() if one["displayName"].endswith("-finished"))
    key = Key("id", application["id"])
    (credential,) = directory.credentials(key)
    alive = estate.sandbox.cluster("halfdone").issuer_url
    directory.update_credential(key, Key("id", credential["id"]), {"issuer": alive})
    told = estate.play("drift", "--limit", "finished", "-e", f"aks_amp_drift_report_dest={tmp_path}")
    assert told.exit_code == 2, explain(told)
    assert estate.writes() == []
    report = _report(tmp_path)
    assert _kinds(report, "finished") == {"federated_credential_issuer_changed"}
    statuses = _statuses(report, "finished")
    assert statuses["entra_federation"] == "drifted"
    assert statuses["service_account"] == "unknown"
    (step,) = (one for one in report["clusters"][0]["steps"] if one["name"] == "entra_federation")
    assert "which is alive" in step["note"]
    assert [drift["severity"] for drift in step["drifts"]] == ["medium"]


def test_one_cluster_that_can_not_be_read_stops_nothing(estate: Estate, tmp_path: Path) -> None:
    estate.sandbox.faults.add(
        Fault(Kind.ERROR, service="arm", path="*/managedClusters/halfdone", status=500, times=None)
    )
    options = (
        "-e",
        f"aks_amp_drift_report_dest={tmp_path}",
        "-e",
        '{"aks_amp_drift_report_formats": ["json", "junit"]}',
    )
    run = estate.play("drift", "--limit", "halfdone,finished", *options)
    assert run.exit_code == 4, explain(run)
    report = _report(tmp_path)
    assert _statuses(report, "halfdone") == {
        "aks_oidc_issuer": "failed",
        **dict.fromkeys(list(_statuses(report, "halfdone"))[1:], "unknown"),
    }
    assert set(_statuses(report, "finished").values()) == {"in_sync"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["drift-report.json", "drift-report.xml"]
    assert estate.writes() == []


@pytest.mark.parametrize(
    ("options", "exit_code"),
    [
        (("-e", "aks_amp_fail_on_drift=false"), 0),
        (("--tags", "service_account"), 2),
        (("--tags", "aks_oidc_issuer"), 0),
    ],
)
def test_what_fails_can_be_chosen(estate: Estate, options: tuple[str, ...], exit_code: int) -> None:
    account = {"name": "prometheus-sa", "namespace": "monitoring"}  # without the annotation
    estate.sandbox.api_server("finished").seed({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
    run = estate.play("drift", "--limit", "finished", *options)
    assert run.exit_code == exit_code, explain(run)


def test_slices_become_one_report(estate: Estate, tmp_path: Path) -> None:
    for name in ("finished", "halfdone"):
        estate.play("drift", "--limit", name, "-e", f"aks_amp_drift_report_dest={tmp_path / name}")
    whole = estate.play(
        "drift", "--limit", "finished,halfdone", "-e", f"aks_amp_drift_report_dest={tmp_path / 'whole'}"
    )
    parts = [str(tmp_path / name / "drift-report.json") for name in ("finished", "halfdone")]
    merged = estate.play("merge_drift_reports", "-e", json.dumps({
        "aks_amp_drift_report_parts": parts, "aks_amp_drift_report_dest": str(tmp_path / "merged")
    }))  # fmt: skip
    assert merged.exit_code == whole.exit_code == 2, explain(merged)

    def found(folder: Path) -> list[t.Any]:
        """Without times, and without the texts of the chain, in which the services' request ids are."""
        return [
            (one["name"], step["name"], step["status"], [{**drift, "since": ""} for drift in step["drifts"]])
            for one in _report(folder)["clusters"]
            for step in one["steps"]
        ]

    assert len(found(tmp_path / "whole")) == 12
    assert found(tmp_path / "merged") == found(tmp_path / "whole")


def test_what_fails_for_the_whole_fleet_is_in_the_report_of_each_cluster(estate: Estate, tmp_path: Path) -> None:
    run = estate.play("drift", "-e", f"aks_amp_drift_report_dest={tmp_path}", "-e", "aks_amp_role_name=same")
    assert run.exit_code in (2, 4), explain(run)  # ansible-core 2.16 ends with 2 after any failure of such a task
    report = _report(tmp_path)
    assert {one["status"] for one in report["clusters"]} == {"failed"}
    assert len(report["clusters"]) == 3
    assert "are given the same role, same, in the same account" in json.dumps(report)
    assert estate.writes() == []
