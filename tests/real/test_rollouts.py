# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rollouts on a real API server, whose own controllers replace the pods."""

from __future__ import annotations

import typing as t

import pytest
import yaml

from demo.runs import PlaybookRun, run_playbook
from sandbox import manifests
from sandbox.world import AWS_ACCOUNT
from tests.real.conftest import configuration
from tests.real.kubelet import Failure

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.world import Json
    from tests.real.conftest import RealEstate

CRASHING = f"arn:aws:iam::{AWS_ACCOUNT}:role/Crashing-Role"
_DEPLOYMENT = f"/apis/apps/v1/namespaces/{manifests.NAMESPACE}/deployments/{manifests.WORKLOAD}"
_LOG = (
    'time=2026-01-01T00:00:00.000Z level=ERROR source=main.go:1598 msg="Failed to apply configuration" '
    'err="could not get SigV4 credentials: operation error STS: AssumeRoleWithWebIdentity, api error AccessDenied: '
    'Not authorized to perform sts:AssumeRoleWithWebIdentity"\n'
)


def template(real: RealEstate) -> Json:
    document: Json = real.api("fresh").send("GET", _DEPLOYMENT).json()["spec"]["template"]
    return document


def roll_out(real: RealEstate, folder: Path, **options: t.Any) -> PlaybookRun:
    """Run the module for the Prometheus of ``fresh``."""
    (workspace,) = {sample.workspace_id for sample in real.sandbox.world.samples}
    host = "aps-workspaces.eu-west-1.amazonaws.com"
    task = {
        "name": "Roll out",
        "crosscloud.aks_amp.prometheus_remote_write": {
            "kubeconfig": "{{ aks_amp_kubeconfig }}",
            "context": "{{ aks_amp_kube_context }}",
            "namespace": manifests.NAMESPACE,
            "configmap": manifests.CONFIG_MAP,
            "workload_name": manifests.WORKLOAD,
            "container": manifests.CONTAINER,
            "service_account": "prometheus-sa",
            "region": "eu-west-1",
            "remote_write_url": f"https://{host}/workspaces/{workspace}/api/v1/remote_write",
            **options,
        },
    }
    play = folder / "play.yml"
    play.write_text(yaml.safe_dump([{"hosts": "fresh", "gather_facts": False, "tasks": [task]}]), encoding="utf-8")
    return run_playbook(str(play), real.sandbox.folder.inventory)


@pytest.fixture
def crashing(federated: RealEstate) -> Iterator[RealEstate]:
    """Pods with a certain role do not come to run."""
    node = federated.clusters["fresh"].node
    node.fail(
        Failure(
            "prometheus-*", manifests.CONTAINER, "CrashLoopBackOff", "back-off 40s restarting", log=_LOG, text=CRASHING
        )
    )
    yield federated
    node.heal()


def test_a_rollout_that_fails_says_the_cause_and_is_undone(crashing: RealEstate, tmp_path: Path) -> None:
    before, text = template(crashing), configuration(crashing, "fresh")
    run = roll_out(crashing, tmp_path, role_arn=CRASHING, rollback=True, wait_timeout=3)
    assert run.exit_code == 2
    (failed,) = [task for task in run.tasks if task.status == "failed"]
    assert "could not get SigV4 credentials" in failed.msg.partition(". ")[0]
    assert "AccessDenied" in failed.msg
    assert template(crashing) == before
    assert configuration(crashing, "fresh") == text


def test_a_rollout_that_succeeds_has_waited_for_the_new_pod(federated: RealEstate, tmp_path: Path) -> None:
    before = template(federated)
    other = f"arn:aws:iam::{AWS_ACCOUNT}:role/AKS-Prometheus-AMP-Role-other"
    own = f"arn:aws:iam::{AWS_ACCOUNT}:role/AKS-Prometheus-AMP-Role-fresh"
    for role in (other, own):
        run = roll_out(federated, tmp_path, role_arn=role)
        assert run.exit_code == 0, run.output[-4000:]
        status = federated.api("fresh").send("GET", _DEPLOYMENT).json()["status"]
        assert (status.get("updatedReplicas"), status.get("availableReplicas")) == (1, 1)
    assert template(federated)["spec"] == before["spec"]
