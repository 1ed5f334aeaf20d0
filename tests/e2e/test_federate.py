# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks as a user runs them, on the sandbox's three clusters."""

from __future__ import annotations

import json
import typing as t

import pytest

from demo.runs import KNOWN_AFTER_APPLY, ROOT, PlaybookRun, run_playbook
from sandbox import world

if t.TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Estate

CLUSTERS = ("fresh", "halfdone", "finished")

# Every object that the five writing steps make or change on a cluster where nothing is done yet.
FRESH_CHANGES = {
    ("aks_oidc_issuer", "update"),
    ("iam_web_identity", "create"),
    ("entra_federation", "create"),
    ("service_account", "create"),
    ("prometheus_remote_write", "update"),
}


def explain(run: PlaybookRun) -> str:
    return run.output[-6000:]


def test_check_mode_plans_everything_on_a_fresh_cluster_and_writes_nothing(estate: Estate) -> None:
    run = estate.federate("--check", "--diff", "--limit", "fresh")
    assert run.exit_code == 0, explain(run)
    assert estate.writes() == []
    assert {(role, action) for role, action, _unused, _unused in run.changes("fresh")} == FRESH_CHANGES
    for task in run.tasks:
        assert len(task.changes) == len(task.result.get("diff") or ()), task.task
    assert KNOWN_AFTER_APPLY in run.output
    assert run.output.count("+++ after") >= len(run.changes("fresh"))


def agree(predicted: t.Any, real: t.Any, where: str) -> int:
    """Require that what was known of an object came true; gives the number of values that were compared."""
    if isinstance(predicted, dict):
        # A key that holds the placeholder is known afterwards only, under another name; a rollout can't be foretold.
        return sum(
            agree(value, real[key], f"{where}.{key}")
            for key, value in predicted.items()
            if KNOWN_AFTER_APPLY not in key and key != "rollout_status"
        )
    if predicted is None or KNOWN_AFTER_APPLY in json.dumps(predicted):
        return 0
    assert real == predicted, where
    return 1


def test_the_real_run_does_what_check_mode_predicted_and_a_second_run_nothing(estate: Estate) -> None:
    planned = estate.federate("--check", "--diff")
    applied = estate.federate()
    repeated = estate.federate()
    for run in (planned, applied, repeated):
        assert run.exit_code == 0, explain(run)
    for cluster in CLUSTERS:
        assert applied.agrees_with_plan(planned, cluster), (planned.changes(cluster), applied.changes(cluster))
        assert repeated.changed(cluster) == 0, explain(repeated)
        assert_predictions(planned, applied, cluster)
    assert planned.changes("finished") == ()
    assert {sample.role_arn.rpartition("/")[2] for sample in estate.sandbox.world.samples} == {
        f"AKS-Prometheus-AMP-Role-{cluster}" for cluster in CLUSTERS
    }


def assert_predictions(planned: PlaybookRun, applied: PlaybookRun, cluster: str) -> None:
    """What check mode could know of each object is what the real run left behind."""
    for module in (
        "aks_oidc_issuer",
        "iam_oidc_provider_thumbprint",
        "iam_web_identity_role",
        "entra_federated_credential",
        "federated_service_account",
        "prometheus_remote_write",
    ):
        predicted, real = planned.result(cluster, module), applied.result(cluster, module)
        # etag and uid are the service's own; version counters and states too.
        own = ("changed", "changes", "diff", "etag", "uid", "provisioning_state")
        assert agree({key: value for key, value in predicted.items() if key not in own}, real, module) >= 2, module


@pytest.mark.parametrize("cluster", ["fresh", "halfdone"])
def test_each_step_alone_by_its_tag_is_predicted_as_well(estate: Estate, cluster: str) -> None:
    for step in (
        "aks_oidc_issuer",
        "iam_web_identity",
        "entra_federation",
        "service_account",
        "prometheus_remote_write",
        "federation_check",
    ):
        before = estate.requests()
        planned = estate.federate("--check", "--limit", cluster, "--tags", step)
        assert planned.exit_code == 0, explain(planned)
        assert estate.writes(before) == [], step
        applied = estate.federate("--limit", cluster, "--tags", step)
        assert applied.exit_code == 0, explain(applied)
        assert applied.agrees_with_plan(planned, cluster), (step, planned.changes(cluster), applied.changes(cluster))
        assert {role for role, *_unused in applied.changes(cluster)} <= {step}
    assert estate.federate("--limit", cluster).changed(cluster) == 0


@pytest.mark.parametrize(
    "step", ["iam_web_identity", "entra_federation", "service_account", "prometheus_remote_write", "federation_check"]
)
def test_each_step_can_be_planned_alone_before_anything_exists(estate: Estate, step: str) -> None:
    run = estate.federate("--check", "--diff", "--limit", "fresh", "--tags", step)
    assert run.exit_code == 0, explain(run)
    assert estate.writes() == []


def test_a_step_that_needs_an_earlier_one_says_so_and_writes_nothing(estate: Estate) -> None:
    run = estate.federate("--limit", "fresh", "--tags", "iam_web_identity")
    assert run.exit_code == 2
    assert "aks_oidc_issuer" in next(task.msg for task in run.tasks if task.status == "failed")
    assert estate.writes() == []


def test_entra_can_be_left_out(estate: Estate) -> None:
    run = estate.federate("--limit", "fresh", "-e", "aks_amp_entra_enabled=false")
    assert run.exit_code == 0, explain(run)
    assert not any(task.role == "entra_federation" for task in run.tasks)
    assert not any(request.service == "graph" for request in estate.sandbox.world.log.since())
    service_account = estate.sandbox.api_server("fresh").get("ServiceAccount", "monitoring", "prometheus-sa")
    assert service_account is not None
    assert "azure.workload.identity/client-id" not in service_account["metadata"].get("annotations", {})


def test_two_clusters_may_not_share_a_role(estate: Estate) -> None:
    run = estate.federate("-e", "aks_amp_role_name=shared")
    assert run.exit_code == 2
    assert "aks_amp_role_name" in run.output
    assert estate.writes() == []


def test_it_runs_inside_the_playbooks_folder_and_installed(estate: Estate, installed: Path) -> None:
    inventory = estate.sandbox.folder.inventory
    inside = run_playbook("federate.yml", inventory, "--check", "--limit", "finished", folder=ROOT / "playbooks")
    assert inside.exit_code == 0, explain(inside)
    fqcn = run_playbook(
        "crosscloud.aks_amp.federate",
        inventory,
        "--check",
        "--limit",
        "finished",
        folder=installed,
        environment={"ANSIBLE_COLLECTIONS_PATH": str(installed)},
    )
    assert fqcn.exit_code == 0, explain(fqcn)
    assert fqcn.changes("finished") == inside.changes("finished") == ()


def test_no_secret_reaches_the_output(estate: Estate) -> None:
    run = estate.federate("-vvv", "--diff", "--limit", "halfdone")
    assert run.exit_code == 0, explain(run)
    kept = run.output + json.dumps([task.result for task in run.tasks], default=str)
    bearer = estate.sandbox.api_server("halfdone").controller_token
    for secret in (world.CONTROLLER_CLIENT_SECRET, world.CONTROLLER_AWS_SECRET_KEY, bearer):
        assert secret not in kept
    # A token of any kind is a JWT, a session key pair has AWS' prefix for temporary keys.
    assert "eyJ" not in kept
    assert "ASIA" not in kept
