# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import os
import typing as t

import pytest

from demo.runs import PlaybookRun, run_playbook
from sandbox import manifests
from sandbox.kubernetes.external import ExternalApi
from sandbox.testing import running_sandbox
from tests.real.cache import PartMissing
from tests.real.cluster import Cluster, running_clusters
from tests.real.parts import Parts, parts_of_this_run

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.server import Sandbox

GIVEN = os.environ.get("REAL_KUBECONFIG", "")
CLUSTERS = ("fresh", "halfdone", "finished")
SESSION_SECONDS = 6  # so that Prometheus has to exchange its token again and again
_CONFIG_MAP = f"/api/v1/namespaces/{manifests.NAMESPACE}/configmaps/{manifests.CONFIG_MAP}"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    """A part that can't be had: the test fails and says which, or with ``REAL=auto`` is skipped for that reason."""
    outcome = yield
    _judge(outcome)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_setup() -> Iterator[None]:
    """The same for the fixtures of a test."""
    outcome = yield
    _judge(outcome)


def _judge(outcome: t.Any) -> None:
    missing = outcome.excinfo[1] if outcome.excinfo else None
    if isinstance(missing, PartMissing) and os.environ.get("REAL") == "auto":
        outcome.force_exception(pytest.skip.Exception(str(missing)))


@pytest.fixture(scope="session")
def parts() -> Parts:
    return parts_of_this_run()


@pytest.fixture(scope="session")
def clusters(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Cluster]]:
    """A real API server for each of the sandbox's clusters."""
    if GIVEN:
        pytest.skip("REAL_KUBECONFIG gives a cluster; this test needs the issuer and the kubelet of its own ones.")
    with running_clusters(parts, tmp_path_factory.mktemp("clusters"), CLUSTERS) as running:
        yield running


@dataclasses.dataclass(frozen=True)
class RealEstate:
    """A sandbox whose clusters are real ones."""

    sandbox: Sandbox
    clusters: dict[str, Cluster]

    def api(self, cluster: str) -> ExternalApi:
        return ExternalApi(self.clusters[cluster].external)

    def set(self, **settings: t.Any) -> None:
        """Change the sandbox's settings until the next reset."""
        world = self.sandbox.world
        with world.lock:
            world.settings = dataclasses.replace(world.settings, **settings)

    def play(self, playbook: str, *arguments: str) -> PlaybookRun:
        return run_playbook(f"playbooks/{playbook}.yml", self.sandbox.folder.inventory, *arguments)


@pytest.fixture(scope="session")
def _real_sandbox(clusters: dict[str, Cluster]) -> Iterator[Sandbox]:
    external = {name: cluster.external for name, cluster in clusters.items()}
    with running_sandbox(external=external) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def real_estate(_real_sandbox: Sandbox, clusters: dict[str, Cluster]) -> RealEstate:
    """The seeded estate. The playbook takes its time, so all tests share it, and leave it as it was."""
    return RealEstate(_real_sandbox, clusters)


@pytest.fixture(scope="session")
def federated(real_estate: RealEstate) -> RealEstate:
    """The playbook has been run for the cluster ``fresh``, whose owner scrapes often, so that tests need not wait."""
    edit_configuration(real_estate, "fresh", "scrape_interval: 30s", "scrape_interval: 1s")
    run = real_estate.play("federate", "--limit", "fresh")
    assert run.exit_code == 0, run.output[-6000:]
    real_estate.set(sts_longest_session_seconds=SESSION_SECONDS)
    return real_estate


def edit_configuration(real: RealEstate, cluster: str, old: str, new: str) -> None:
    """Change a text in ``prometheus.yml``, as the owner would."""
    text = configuration(real, cluster)
    assert old in text
    patch = {"data": {manifests.CONFIG_KEY: text.replace(old, new)}}
    answer = real.api(cluster).send_json("PATCH", _CONFIG_MAP, patch, "application/merge-patch+json")
    assert answer.status == 200, answer.body


def configuration(real: RealEstate, cluster: str) -> str:
    """The ``prometheus.yml`` that a cluster has."""
    return str(real.api(cluster).send("GET", _CONFIG_MAP).json()["data"][manifests.CONFIG_KEY])
