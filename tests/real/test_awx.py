# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""awx/ by the real modules of awx.awx, against a strict stand-in of AWX's API."""

from __future__ import annotations

import json
import typing as t

import pytest

from demo.runs import ROOT, PlaybookRun, run_playbook
from tests.real.awx import TOKEN, Awx, running_awx

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.real.parts import Parts

Json = dict[str, t.Any]


@pytest.fixture
def awx() -> Iterator[tuple[Awx, str]]:
    with running_awx() as running:
        yield running


@pytest.fixture
def apply(awx: tuple[Awx, str], parts: Parts, tmp_path: Path) -> Callable[..., PlaybookRun]:
    """Runs the playbook with settings of one's own."""
    collections = parts.program("awx.awx", "ansible_collections").parent
    inventory = tmp_path / "hosts.yml"
    inventory.write_text("all: {}\n", encoding="utf-8")
    environment = {
        "ANSIBLE_COLLECTIONS_PATH": f"{ROOT / '.collections'}:{collections}",
        "CONTROLLER_HOST": awx[1],
        "CONTROLLER_OAUTH_TOKEN": TOKEN,
    }

    def run(**settings: t.Any) -> PlaybookRun:
        found = run_playbook("playbooks/apply_awx.yml", inventory, "-e", json.dumps(settings), environment=environment)
        assert found.exit_code == 0, found.output[-6000:]
        assert TOKEN not in found.output
        return found

    return run


def test_awx_is_set_up_and_a_second_run_changes_nothing(
    awx: tuple[Awx, str], apply: Callable[..., PlaybookRun]
) -> None:
    objects = awx[0]
    assert apply().changed("localhost") > 0
    objects.writes.clear()
    assert apply().changed("localhost") == 0
    assert objects.writes == []

    assert {name: one["playbook"] for name, one in _named(objects, "job_templates").items()} == {
        "AKS-AMP federate": "playbooks/federate.yml",
        "AKS-AMP verify": "playbooks/verify.yml",
        "AKS-AMP drift": "playbooks/drift.yml",
        "AKS-AMP drift report": "playbooks/merge_drift_reports.yml",
        "AKS-AMP teardown": "playbooks/teardown.yml",
    }
    assert objects.named("job_templates", "AKS-AMP drift")["job_type"] == "check"
    assert objects.names_in("job_templates", "AKS-AMP federate", "credentials") == ["AKS-AMP AWS", "AKS-AMP Azure"]
    assert objects.names_in("job_templates", "AKS-AMP drift report", "credentials") == []
    # AWX gets templates for its own jobs, which nothing here has filled in.
    drift = json.loads(objects.named("job_templates", "AKS-AMP drift")["extra_vars"])
    assert drift["aks_amp_drift_report_part"] == "{{ tower_job_id }}"
    assert all(one["inputs"] == {} for one in objects.objects["credentials"].values())
    teardown = objects.surveys[objects.named("job_templates", "AKS-AMP teardown")["id"]]["spec"]
    assert teardown[-1]["variable"] == "aks_amp_teardown_confirmation"

    # The schedule starts the workflow, in which the report follows the look whatever that found.
    (schedule,) = objects.objects["schedules"].values()
    assert (
        schedule["unified_job_template"] == objects.named("workflow_job_templates", "AKS-AMP drift of the fleet")["id"]
    )
    assert objects.names_in("workflow_job_template_nodes", "drift", "always_nodes") == ["report"]
    assert objects.names_in("workflow_job_template_nodes", "federate", "success_nodes") == ["verify"]
    assert objects.objects["notification_templates"] == {}


def test_settings_change_what_is_there(awx: tuple[Awx, str], apply: Callable[..., PlaybookRun]) -> None:
    objects = awx[0]
    apply()
    settings: Json = {
        "aks_amp_awx_slices": 4,
        "aks_amp_awx_kubernetes_credential": True,
        "aks_amp_awx_notification_url": "https://alerts.example.com/drift",
        "aks_amp_awx_survey": {},
    }
    assert apply(**settings).changed("localhost") > 0
    objects.writes.clear()
    assert apply(**settings).changed("localhost") == 0
    assert objects.writes == []
    federate = objects.named("job_templates", "AKS-AMP federate")
    assert federate["job_slice_count"] == 4
    assert json.loads(federate["extra_vars"]) == {
        "aks_amp_name_suffix": "-{{ aks_amp_cluster_name | default(inventory_hostname, true) }}"
    }
    # Nothing is asked any more but what a teardown asks.
    assert not federate["survey_enabled"]
    teardown = objects.named("job_templates", "AKS-AMP teardown")
    assert [one["variable"] for one in objects.surveys[teardown["id"]]["spec"]] == ["aks_amp_teardown_confirmation"]
    assert "AKS-AMP Kubernetes" in objects.names_in("job_templates", "AKS-AMP federate", "credentials")
    told = "notification_templates_error"
    assert objects.names_in("workflow_job_templates", "AKS-AMP drift of the fleet", told) == ["AKS-AMP drift"]
    assert objects.named("job_templates", "AKS-AMP drift report")["job_slice_count"] == 1


def _named(objects: Awx, kind: str) -> dict[str, Json]:
    return {one["name"]: one for one in objects.objects[kind].values()}
