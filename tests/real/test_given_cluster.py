# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster that the user gives by ``REAL_KUBECONFIG`` (kind, AKS, ...) in place of the sandbox's ``fresh``.

What is tested there is what needs neither its kubelet nor its issuer: Prometheus would find no credentials in its pods,
because the sandbox's STS can't be reached from there, and does not know the cluster's issuer.
"""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from demo.runs import ROOT, run_playbook
from sandbox.kubernetes.external import ExternalApi, ExternalServer
from sandbox.testing import running_sandbox
from tests.real.conftest import GIVEN

if t.TYPE_CHECKING:
    from collections.abc import Iterator

#: What these tests make there, and remove again.
NAMESPACES = ("monitoring", "tenant-a")

pytestmark = pytest.mark.skipif(not GIVEN, reason="REAL_KUBECONFIG gives no cluster.")


@pytest.fixture(scope="module")
def given() -> Iterator[ExternalServer]:
    """The cluster, in which nothing has the names that these tests use."""
    server = ExternalServer(Path(GIVEN), None, NAMESPACES)
    api = ExternalApi(server)
    for name in NAMESPACES:
        status = api.send("GET", f"/api/v1/namespaces/{name}").status
        assert status == 404, f"The cluster has a namespace {name}, which these tests would remove: give another one."
    yield server
    for name in NAMESPACES:
        api.send("DELETE", f"/api/v1/namespaces/{name}")


def test_the_playbook_plans_for_it_and_writes_nothing(given: ExternalServer) -> None:
    with running_sandbox(external={"fresh": given}) as sandbox:
        before = len(sandbox.world.log.since())
        run = run_playbook("playbooks/federate.yml", sandbox.folder.inventory, "--check", "--diff", "--limit", "fresh")
        assert run.exit_code == 0, run.output[-6000:]
        assert run.changes("fresh")
        assert not [request for request in sandbox.world.log.since(before) if request.write]


def test_the_service_accounts_target_passes(given: ExternalServer, tmp_path: Path) -> None:
    file = tmp_path / "api-servers.json"
    entry = {"kubeconfig": str(given.kubeconfig.resolve()), "namespaces": list(NAMESPACES)}
    file.write_text(json.dumps({"fresh": entry}), encoding="utf-8")
    finished = subprocess.run(  # noqa: S603  # no shell, and the project's own command
        [
            *(sys.executable, "-m", "tests.ansible_test", "--api-servers", str(file)),
            *("integration", "federated_service_account"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert finished.returncode == 0, (finished.stdout + finished.stderr)[-8000:]
