# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The goals, and by how much the results meet or miss them. Pure: results in, sentences out."""

from __future__ import annotations

import dataclasses
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.contest import Run
    from benchmarks.results import Fleet, Results

OURS: t.Final = "collection"
GUIDE: t.Final = "guide"
STOCK: t.Final = "stock"

_GIB = 1 << 30
_RIVALS = {GUIDE: "the guide's commands", STOCK: "stock Ansible content"}
_ALONE = {GUIDE: 1 / 3, STOCK: 1 / 5}
_FURTHER = 1 / 10
_CPU_A_CLUSTER = 0.8
_FLEET = 200
_LARGE_FLEET = 1000
_LINEAR = 1.1  # what "linear" allows a cluster of the large fleet to cost, against one of the small fleet
_SLOW = 0.2
_SLOW_FORKS = 25
_WALL = 1.3


@dataclasses.dataclass(frozen=True)
class Verdict:
    """One goal: what is allowed, what was found."""

    goal: str
    found: float
    allowed: float
    unit: str

    @property
    def met(self) -> bool:
        return self.found <= self.allowed

    @property
    def sentence(self) -> str:
        """``met`` or ``not met``, and by which factor."""
        if self.met:
            return "met"
        return f"not met, {self.found / self.allowed:.2f} times what is allowed"


def verdicts(results: Results) -> tuple[Verdict, ...]:
    """Every goal for which there are results."""
    return (*_alone(results), *_further(results), *_fleet(results), *_slow(results), *_requests(results))


def _alone(results: Results) -> Iterator[Verdict]:
    for work in ("federate", "check"):
        ours = results.single(OURS, work)
        for rival, share in _ALONE.items():
            theirs = results.single(rival, work)
            if ours and theirs:
                goal = f"{work} one cluster alone: at most {share:.2f} of {_RIVALS[rival]}"
                yield Verdict(goal, ours.cost.cpu, share * theirs.cost.cpu, "CPU s")


def _further(results: Results) -> Iterator[Verdict]:
    slope = further_cluster(results)
    for rival, name in _RIVALS.items():
        theirs = results.single(rival, "check")
        if slope is not None and theirs:
            goal = f"each further cluster of a fleet: at most {_FURTHER:.2f} of {name}"
            yield Verdict(goal, slope, _FURTHER * theirs.cost.cpu, "CPU s")


def _fleet(results: Results) -> Iterator[Verdict]:
    small, large = (_largest_forks(results, size) for size in (_FLEET, _LARGE_FLEET))
    if small:
        yield Verdict(f"fleet check of {_FLEET}: CPU a cluster", _a_cluster(small), _CPU_A_CLUSTER, "CPU s")
    if small and large:
        goal = f"linear to {_LARGE_FLEET:,} clusters: CPU a cluster at most {_LINEAR} times that of {_FLEET}"
        yield Verdict(goal, _a_cluster(large), _LINEAR * _a_cluster(small), "CPU s")
    for one in (large or small,):
        if one:
            goal = f"controller of a fleet check of {one.clusters:,}: below 1 GiB"
            yield Verdict(goal, one.run.cost.root / _GIB, 1.0, "GiB")


def _slow(results: Results) -> Iterator[Verdict]:
    """Of the largest fleet that was checked so: small ones mostly show Ansible's start."""
    row = results.row(_SLOW_FORKS, _SLOW)
    if row:
        one = row[-1]
        bound = max(one.floor.cost.wall, one.run.cost.cpu / results.machine.cores)
        goal = (
            f"{one.clusters} clusters with {_SLOW * 1000:.0f} ms of latency and {_SLOW_FORKS} forks: wall time at most"
            f" {_WALL} times the larger of the floor's and the own CPU time divided by the cores"
        )
        yield Verdict(goal, one.run.cost.wall, _WALL * bound, "s")


def _requests(results: Results) -> Iterator[Verdict]:
    ends = _slope_ends(results)
    if ends:
        small, large = ends
        each = (large.run.requests - small.run.requests) / (large.clusters - small.clusters)
        goal = "requests of each further converged cluster: as many as docs/requests.md lists"
        yield Verdict(goal, each, float(results.documented_requests), "requests")


def further_cluster(results: Results) -> float | None:
    """CPU seconds of each cluster of a fleet but the first: the slope between the smallest and the largest fleet."""
    return _slope(results, lambda one: one.run)


def floor_of_a_cluster(results: Results) -> float | None:
    """The same of the floor."""
    return _slope(results, lambda one: one.floor)


def _slope(results: Results, of: Callable[[Fleet], Run]) -> float | None:
    ends = _slope_ends(results)
    if ends is None:
        return None
    small, large = ends
    return (of(large).cost.cpu - of(small).cost.cpu) / (large.clusters - small.clusters)


def _slope_ends(results: Results) -> tuple[Fleet, Fleet] | None:
    """Smallest and largest fleet of the forks for which most sizes were looked at."""
    rows = [results.row(forks) for forks in sorted({one.forks for one in results.fleets})]
    longest = max(rows, key=len, default=())
    return (longest[0], longest[-1]) if len(longest) > 1 else None


def _largest_forks(results: Results, clusters: int) -> Fleet | None:
    found = [one for one in results.fleets if one.clusters == clusters and not one.latency]
    return max(found, key=lambda one: one.forks, default=None)


def _a_cluster(fleet: Fleet) -> float:
    return fleet.run.cost.cpu / fleet.clusters


def ratio(ours: Run, theirs: Run) -> float:
    """How many times more CPU the other one takes."""
    return theirs.cost.cpu / ours.cost.cpu
