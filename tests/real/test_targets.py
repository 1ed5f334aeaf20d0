# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The integration targets that reach into clusters, unchanged, with real API servers in place of the sandbox's own."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t

import pytest

from demo.runs import ROOT

if t.TYPE_CHECKING:
    from pathlib import Path

    from tests.real.cluster import Cluster

TARGETS = (
    "federated_service_account",
    "module_prometheus_remote_write",
    "module_prometheus_operator",
    "module_federation_check",
)


@pytest.fixture(scope="module")
def api_servers(clusters: dict[str, Cluster], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that tells the sandbox of them."""
    file = tmp_path_factory.mktemp("targets") / "api-servers.json"
    named = {name: {"kubeconfig": str(cluster.kubeconfig)} for name, cluster in clusters.items()}
    file.write_text(json.dumps(named), encoding="utf-8")
    return file


def test_targets_pass_on_real_api_servers(api_servers: Path) -> None:
    command = [sys.executable, "-m", "tests.ansible_test", "--api-servers", str(api_servers), "integration", *TARGETS]
    finished = subprocess.run(  # noqa: S603  # no shell, and the project's own command
        command, cwd=ROOT, capture_output=True, text=True, timeout=1800, check=False
    )
    assert finished.returncode == 0, (finished.stdout + finished.stderr)[-8000:]
    for target in TARGETS:
        assert f"Running {target} integration test role" in finished.stderr + finished.stdout
