# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run over several clusters says how far it is, on a terminal that is none."""

from __future__ import annotations

import typing as t

import pytest

from demo.runs import PlaybookRun
from sandbox.testing import running_sandbox
from sandbox.world import Settings
from tests.e2e.conftest import Estate

if t.TYPE_CHECKING:
    from collections.abc import Iterator

CLUSTERS = ("fleet-0", "fleet-1", "fleet-2")
#: Longer than what counts as waiting.
AKS_SECONDS = 9.0
ENABLED = {"ANSIBLE_CALLBACKS_ENABLED": "crosscloud.aks_amp.fleet_progress", "AKS_AMP_PROGRESS_INTERVAL": "1"}


@pytest.fixture(scope="module")
def slow() -> Iterator[Estate]:
    """A fleet of which two clusters lack workload identity, which takes its time to be enabled."""
    with running_sandbox(Settings(aks_operation_seconds=AKS_SECONDS)) as sandbox:
        sandbox.add_fleet(*CLUSTERS)
        for name in CLUSTERS[:2]:
            sandbox.cluster(name).body["properties"]["securityProfile"]["workloadIdentity"]["enabled"] = False
        yield Estate(sandbox)


def lines(run: PlaybookRun) -> list[str]:
    return [line for line in run.output.splitlines() if line.startswith("fleet - ")]


def test_a_look_for_drift_and_then_the_run(slow: Estate) -> None:
    looked = slow.play("drift", "--limit", "fleet-*", environment=ENABLED)
    assert looked.exit_code == 2, looked.output[-3000:]
    assert lines(looked)[-1].startswith("fleet - 3 of 3 clusters done, 2 drifted; ")

    step = ("--limit", "fleet-*", "--forks", "3", "--tags", "aks_oidc_issuer")
    run = slow.play("federate", *step, environment=ENABLED)
    assert run.exit_code == 0, run.output[-3000:]
    waiting = [line for line in lines(run) if ", 2 waiting on AKS, " in line and "; at step aks_oidc_issuer; " in line]
    assert waiting
    assert lines(run)[-1].startswith("fleet - 3 of 3 clusters done, 2 changed; ")
    assert len(lines(run)) <= run.seconds + 1  # one an interval, and one at the end
    assert "\r" not in run.output


def test_one_cluster_says_nothing(slow: Estate) -> None:
    run = slow.play("drift", "--limit", CLUSTERS[2], environment=ENABLED)
    assert run.exit_code == 0, run.output[-3000:]
    assert lines(run) == []
