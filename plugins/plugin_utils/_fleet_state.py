# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a run over a fleet is, from the events of its tasks. Knows no Ansible and no clock."""

from __future__ import annotations

import dataclasses
import typing as t

AKS_STEP: t.Final = "aks_oidc_issuer"
#: A task that ended sooner did not wait.
WAITING_SECONDS: t.Final = 5.0
_MINUTE: t.Final = 60
_HOUR: t.Final = 60 * _MINUTE


@dataclasses.dataclass(frozen=True)
class Deed:
    """What is known of a task: whether it may wait for AKS, whether it is the play's last, and its step if any."""

    waits_for_aks: bool = False
    is_last: bool = False
    step: str = ""


@dataclasses.dataclass(frozen=True)
class Ending:
    """How a task of a cluster ended. ``operating`` tells that AKS goes on with what the task began."""

    changed: bool = False
    failed: bool = False
    planned: bool = False
    operating: bool = False


@dataclasses.dataclass
class FleetState:
    """One play over ``clusters``, begun at ``start``; times are seconds of any one clock."""

    clusters: int
    start: float
    planning: bool = False
    is_over: bool = False
    step: str = ""
    done: set[str] = dataclasses.field(default_factory=set)
    failed: set[str] = dataclasses.field(default_factory=set)
    changed: set[str] = dataclasses.field(default_factory=set)
    waiting: dict[str, float] = dataclasses.field(default_factory=dict)

    def started(self, cluster: str, deed: Deed, now: float) -> None:
        self.step = deed.step or self.step
        if deed.waits_for_aks:
            self.waiting.setdefault(cluster, now)
        elif deed.step != AKS_STEP:  # it has gone on without waiting
            self.waiting.pop(cluster, None)

    def ended(self, cluster: str, deed: Deed, ending: Ending) -> None:
        self.planning = self.planning or ending.planned
        if ending.changed:
            self.changed.add(cluster)
        if ending.failed:  # what follows, such as handing on the result, is no work on the cluster
            self.failed.add(cluster)
        is_done = ending.failed or deed.is_last
        if is_done:
            self.done.add(cluster)
        if is_done or (deed.waits_for_aks and not ending.operating):
            self.waiting.pop(cluster, None)

    def over(self) -> FleetState:
        """The same when its play has ended: nothing waits, and no cluster has anything to come."""
        return dataclasses.replace(self, waiting={}, is_over=True)

    def counts(self, now: float) -> str:
        """For example: 12 of 200 clusters done, 3 waiting on AKS, 2 drifted so far, 1 failed."""
        waiting = sum(now - since >= WAITING_SECONDS for since in self.waiting.values())
        so_far = "" if self.is_over else " so far"
        numbers = (
            (waiting, "waiting on AKS"),
            (len(self.changed), f"{'drifted' if self.planning else 'changed'}{so_far}"),
            (len(self.failed), "failed"),
        )
        done = f"{self.clusters if self.is_over else len(self.done)} of {self.clusters} clusters done"
        return ", ".join((done, *(f"{number} {told}" for number, told in numbers if number)))

    def line(self, now: float) -> str:
        """The counts, the step at which the run is, and for how long it has run."""
        step = f"; at step {self.step}" if self.step and not self.is_over else ""
        return f"{self.counts(now)}{step}; {duration(now - self.start)}"


def duration(seconds: float) -> str:
    """For example 9s, 1m20s or 2h05m."""
    whole = int(seconds)
    if whole < _MINUTE:
        return f"{whole}s"
    if whole < _HOUR:
        return f"{whole // _MINUTE}m{whole % _MINUTE:02d}s"
    return f"{whole // _HOUR}h{whole % _HOUR // _MINUTE:02d}m"


@dataclasses.dataclass
class Rhythm:
    """When a line is due, by ticks: at each tick that brings news, else at one of ``patience``."""

    patience: int
    _last: str | None = None
    _silent: int = 0

    def is_due(self, counts: str) -> bool:
        self._silent += 1
        if counts == self._last and self._silent < self.patience:
            return False
        self._last, self._silent = counts, 0
        return True
