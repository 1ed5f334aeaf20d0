# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The results of a run as data: what is kept in docs/benchmarks.json, and all that tables and goals are made from."""

from __future__ import annotations

import dataclasses
import datetime as dt
import importlib.metadata
import json
import os
import platform
import typing as t
from pathlib import Path

from benchmarks.contest import Run
from benchmarks.measure import Cost

Json = dict[str, t.Any]

_PACKAGES = ("ansible-core", "boto3", "azure-identity", "azure-mgmt-containerservice", "msgraph-sdk", "kubernetes")
_GIB = 1 << 30


@dataclasses.dataclass(frozen=True)
class Single:
    """One contender on one cluster."""

    contender: str
    title: str
    work: str  # federate, check
    run: Run


@dataclasses.dataclass(frozen=True)
class Fleet:
    """One fleet check, and the floor for it."""

    clusters: int
    forks: int
    latency: float  # seconds that each answer is late
    run: Run
    floor: Run


@dataclasses.dataclass(frozen=True)
class Machine:
    """Where the figures come from."""

    date: str
    cores: int
    cpu: str
    memory_gib: int
    system: str
    python: str
    packages: t.Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class Results:
    """All of one run."""

    machine: Machine
    repeats: int
    singles: tuple[Single, ...]
    fleets: tuple[Fleet, ...]
    report: Run | None
    report_clusters: int
    documented_requests: int  # of each further converged cluster, by docs/requests.md
    missing: tuple[str, ...]  # why a contender is not there

    def single(self, contender: str, work: str) -> Run | None:
        return next((one.run for one in self.singles if (one.contender, one.work) == (contender, work)), None)

    def row(self, forks: int, latency: float = 0.0) -> tuple[Fleet, ...]:
        """The fleet checks with these forks and this latency, by their size."""
        found = [one for one in self.fleets if (one.forks, one.latency) == (forks, latency)]
        return tuple(sorted(found, key=lambda one: one.clusters))

    def with_later(self, later: Results) -> Results:
        """These and the results of a later run, which count where both measured the same. Raises ValueError when they
        come from different machines or versions, since such figures have nothing to say of each other."""
        if dataclasses.replace(self.machine, date="") != dataclasses.replace(later.machine, date=""):
            raise ValueError("The results are of different machines or versions.")
        singles = {(one.contender, one.work): one for one in (*self.singles, *later.singles)}
        fleets = {(one.clusters, one.forks, one.latency): one for one in (*self.fleets, *later.fleets)}
        return dataclasses.replace(
            later,
            repeats=min(self.repeats, later.repeats),
            singles=tuple(singles.values()),
            fleets=tuple(fleets.values()),
            report=later.report or self.report,
            report_clusters=(later if later.report else self).report_clusters,
            missing=tuple(dict.fromkeys((*self.missing, *later.missing))),
        )

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Results:
        values: Json = json.loads(text)
        return cls(
            machine=Machine(**values["machine"]),
            repeats=values["repeats"],
            singles=tuple(Single(**{**one, "run": _run(one["run"])}) for one in values["singles"]),
            fleets=tuple(
                Fleet(**{**one, "run": _run(one["run"]), "floor": _run(one["floor"])}) for one in values["fleets"]
            ),
            report=values["report"] and _run(values["report"]),
            report_clusters=values["report_clusters"],
            documented_requests=values["documented_requests"],
            missing=tuple(values["missing"]),
        )


def _run(values: Json) -> Run:
    return Run(**{**values, "cost": Cost(**values["cost"])})


def machine() -> Machine:
    """This machine, without names that are its own."""
    return Machine(
        date=dt.datetime.now(dt.UTC).strftime("%Y-%m-%d"),
        cores=os.cpu_count() or 1,
        cpu=_cpu(),
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIB),
        system=f"{platform.system()} {platform.release().partition('-')[0]} {platform.machine()}",
        python=platform.python_version(),
        packages={name: importlib.metadata.version(name) for name in _PACKAGES},
    )


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        name, _unused, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or "unknown"
