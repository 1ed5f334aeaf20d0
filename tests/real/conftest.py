# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import os
import sys
import typing as t

import pytest

from demo.runs import PlaybookRun, run_playbook
from sandbox.kubernetes.external import ExternalApi
from sandbox.testing import running_sandbox
from tests.real.cache import PartMissing
from tests.real.cluster import Cluster, running_clusters
from tests.real.parts import Parts, obtain

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sandbox.server import Sandbox

CLUSTERS = ("fresh", "halfdone", "finished")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    """A part that can't be had: the test fails and says which, or with ``REAL=auto`` is skipped for that reason."""
    outcome = yield
    _judge(outcome)


@pytest.hookimpl(hookwrapper=True)
def pytest_fixture_setup() -> Iterator[None]:
    outcome = yield
    _judge(outcome)


def _judge(outcome: t.Any) -> None:
    missing = outcome.excinfo[1] if outcome.excinfo else None
    if isinstance(missing, PartMissing) and os.environ.get("REAL") == "auto":
        outcome.force_exception(pytest.skip.Exception(str(missing)))


@pytest.fixture(scope="session")
def parts() -> Parts:
    return obtain(lambda line: print(f"== {line}", file=sys.stderr))  # noqa: T201  # progress, where pytest shows it


@pytest.fixture(scope="session")
def clusters(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Cluster]]:
    """A real API server for each of the sandbox's clusters."""
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


@pytest.fixture(scope="module")
def real_estate(_real_sandbox: Sandbox, clusters: dict[str, Cluster]) -> RealEstate:
    """The seeded estate, anew for each file of tests."""
    _real_sandbox.reset()
    return RealEstate(_real_sandbox, clusters)


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[str], Path]:
    """A new folder of this name for each call."""
    return lambda name: tmp_path / name
