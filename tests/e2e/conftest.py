# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from demo.runs import ROOT, PlaybookRun, clean_environment, run_playbook
from sandbox.testing import running_sandbox

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.server import Sandbox
    from sandbox.world import LoggedRequest


@dataclasses.dataclass(frozen=True)
class Estate:
    """A sandbox with its three clusters, and the playbooks that are run on it."""

    sandbox: Sandbox

    def play(self, playbook: str, *arguments: str, **options: t.Any) -> PlaybookRun:
        return run_playbook(f"playbooks/{playbook}.yml", self.sandbox.folder.inventory, *arguments, **options)

    def federate(self, *arguments: str) -> PlaybookRun:
        return self.play("federate", *arguments)

    def writes(self, since: int = 0) -> list[LoggedRequest]:
        return [request for request in self.sandbox.world.log.since(since) if request.write]

    def requests(self) -> int:
        """The number of the last request so far, for ``writes``."""
        return max((request.number for request in self.sandbox.world.log.since()), default=0)


@pytest.fixture(scope="session")
def _shared_sandbox() -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def estate(_shared_sandbox: Sandbox) -> Estate:
    """The seeded estate, anew for each test."""
    _shared_sandbox.reset()
    return Estate(_shared_sandbox)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder in which the collection is installed from its built artifact."""
    galaxy = str(Path(sys.executable).parent / "ansible-galaxy")

    def run(*arguments: str) -> None:
        command = (galaxy, "collection", *arguments)
        subprocess.run(command, check=True, capture_output=True, env=clean_environment())  # noqa: S603  # our own

    run("build", "--output-path", str(tmp_path), str(ROOT))
    (artifact,) = tmp_path.glob("crosscloud-aks_amp-*.tar.gz")
    run("install", "--offline", "--force", "-p", str(tmp_path), str(artifact))  # forced, whatever is elsewhere
    return tmp_path
