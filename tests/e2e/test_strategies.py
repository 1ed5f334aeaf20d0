# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Slow operations of different clusters run at the same time: with Ansible's own strategy however few the forks are."""

from __future__ import annotations

import typing as t

import pytest

from tests.e2e.conftest import Estate

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.server import Sandbox
    from sandbox.world import LoggedRequest

#: Longer than a task takes for all clusters, on a busy machine too.
SECONDS: t.Final = 30.0
CLUSTERS: t.Final = ("fresh", "halfdone", "finished")


@pytest.fixture
def slow(_shared_sandbox: Sandbox) -> Iterator[Estate]:
    """An estate of which no cluster has workload identity, and whose operations are slow."""
    _shared_sandbox.reset()
    for name in CLUSTERS:
        _shared_sandbox.cluster(name).body["properties"].setdefault("securityProfile", {})["workloadIdentity"] = {}
    settings = _shared_sandbox.world.settings
    before, settings.aks_operation_seconds = settings.aks_operation_seconds, SECONDS
    yield Estate(_shared_sandbox)
    settings.aks_operation_seconds = before


def starts(estate: Estate) -> dict[str, LoggedRequest]:
    """The write that started each cluster's operation."""
    writes = [request for request in estate.writes() if request.service == "arm" and request.method == "PUT"]
    return {request.path.rpartition("/")[2]: request for request in writes}


@pytest.mark.parametrize(
    ("strategy", "forks"),
    [("linear", 1), ("linear", 5), ("free", 5), ("host_pinned", 5)],
)
def test_operations_of_clusters_overlap(slow: Estate, strategy: str, forks: int) -> None:
    arguments = ("--tags", "aks_oidc_issuer", "--forks", str(forks), "-e", "aks_amp_poll_interval=0.5")
    run = slow.play("federate", *arguments, environment={"ANSIBLE_STRATEGY": strategy})
    assert run.exit_code == 0, run.output[-3000:]
    assert starts(slow).keys() == set(CLUSTERS)
    moments = sorted(request.seconds for request in starts(slow).values())
    assert moments[-1] - moments[0] < SECONDS, moments
    for name in CLUSTERS:
        assert run.changes(name) == (("aks_oidc_issuer", "update", "AKS cluster", name),)
        assert run.result(name, "aks_oidc_issuer")["provisioning_state"] == "Succeeded"
        assert run.result(name, "aks_oidc_issuer")["issuer"] == slow.sandbox.cluster(name).issuer_url


@pytest.mark.parametrize("strategy", ["linear", "free", "host_pinned"])
def test_every_strategy_comes_to_the_same(estate: Estate, strategy: str) -> None:
    arguments = ("--forks", "2")
    planned = estate.play("federate", "--check", *arguments, environment={"ANSIBLE_STRATEGY": strategy})
    assert planned.exit_code == 0, planned.output[-3000:]
    assert estate.writes() == []
    done = estate.play("federate", *arguments, environment={"ANSIBLE_STRATEGY": strategy})
    assert done.exit_code == 0, done.output[-3000:]
    for name in CLUSTERS:
        assert done.agrees_with_plan(planned, name)
    again = estate.play("federate", *arguments, environment={"ANSIBLE_STRATEGY": strategy})
    assert [again.changed(name) for name in CLUSTERS] == [0, 0, 0]
