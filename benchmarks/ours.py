# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""This collection's playbooks, run as a user runs them from the clone."""

from __future__ import annotations

import dataclasses
import sys
import typing as t
from pathlib import Path

from benchmarks import measure
from demo.runs import ROOT, clean_environment

if t.TYPE_CHECKING:
    from benchmarks.arena import Place
    from benchmarks.measure import Finished

_SECONDS = 600.0
_SECONDS_A_CLUSTER = 60.0


@dataclasses.dataclass(frozen=True)
class Collection:
    """``direct``: modules run in Ansible's workers; otherwise each starts a process, as ordinary modules do."""

    place: Place
    folder: Path  # where drift reports go
    direct: bool = True
    needs_provider: bool = False

    @property
    def name(self) -> str:
        return "collection" if self.direct else "collection_in_processes"

    @property
    def title(self) -> str:
        return "this collection" if self.direct else "this collection without direct execution"

    def prepare(self) -> None:
        """Nothing: the inventory has the credentials."""

    def federate(self, cluster: str) -> Finished:
        return self._play("federate", cluster, seconds=_SECONDS).require(f"federate.yml for {cluster}")

    def check(self, cluster: str) -> Finished:
        return self._play("drift", cluster, seconds=_SECONDS).require(f"drift.yml for {cluster}")

    def check_fleet(self, clusters: int, forks: int) -> Finished:
        """One fleet check of all the fleet's clusters, with their memory."""
        seconds = _SECONDS + clusters * _SECONDS_A_CLUSTER
        finished = self._play("drift", "fleet-*", "--forks", str(forks), seconds=seconds, sample=True)
        return finished.require(f"drift.yml for {clusters} clusters")

    def _play(self, playbook: str, limit: str, *more: str, seconds: float, sample: bool = False) -> Finished:
        command = [
            str(Path(sys.executable).with_name("ansible-playbook")),
            *("-i", str(self.place.inventory), f"playbooks/{playbook}.yml", "--limit", limit),
            *("-e", f"aks_amp_drift_report_dest={self.folder}"),
            *([] if self.direct else ["-e", "aks_amp_direct=false"]),
            *more,
        ]
        return measure.run(command, environment=clean_environment(), folder=ROOT, seconds=seconds, sample=sample)
