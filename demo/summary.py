# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo's last page: per cluster and step what was planned, what was done, and the sample that arrived."""

from __future__ import annotations

import dataclasses
import datetime as dt
import typing as t

from demo.runs import PlaybookRun

STEPS = (
    ("aks_oidc_issuer", "1 AKS issuer"),
    ("iam_web_identity", "2 IAM provider and role"),
    ("entra_federation", "3 Entra credential"),
    ("service_account", "4 Service account"),
    ("prometheus_remote_write", "5 Prometheus"),
)
STEP_WIDTH = 24


@dataclasses.dataclass(frozen=True)
class StoredSample:
    """A sample as the workspace holds it."""

    labels: t.Mapping[str, str]
    value: float
    timestamp_ms: int
    role_arn: str

    @property
    def time(self) -> str:
        moment = dt.datetime.fromtimestamp(self.timestamp_ms / 1000, tz=dt.UTC)
        return moment.strftime("%H:%M:%S UTC")


@dataclasses.dataclass(frozen=True)
class Demonstration:
    """Everything that the summary is made of. ``clusters`` maps a name to its starting state in words."""

    clusters: t.Mapping[str, str]
    planned: PlaybookRun
    writes_while_planning: int
    applied: PlaybookRun
    repeated: PlaybookRun
    verified: PlaybookRun
    samples: tuple[StoredSample, ...]

    def problems(self) -> tuple[str, ...]:
        """What a person should not have to see; empty when everything went as it should."""
        found = [
            f"{name} ended with exit code {run.exit_code}."
            for name, run in (
                ("The check run", self.planned),
                ("The real run", self.applied),
                ("The second run", self.repeated),
                ("The verification", self.verified),
            )
            if run.exit_code != 0
        ]
        if self.writes_while_planning:
            found.append(f"The check run wrote {self.writes_while_planning} times.")
        for cluster in self.clusters:
            if not self.applied.agrees_with_plan(self.planned, cluster):
                found.append(f"{cluster}: the real run made other changes than the check run had planned.")
            if self.repeated.changed(cluster):
                found.append(f"{cluster}: the second run changed something.")
            if self.sample_of(cluster) is None:
                found.append(f"{cluster}: no sample arrived.")
        return tuple(found)

    def sample_of(self, cluster: str) -> StoredSample | None:
        """The last sample that was written with the cluster's own role."""
        try:
            arn = self.verified.result(cluster, "federation_check")["role_arn"]
        except (LookupError, KeyError):
            return None
        mine = [sample for sample in self.samples if sample.role_arn == arn]
        return mine[-1] if mine else None

    def lines(self) -> tuple[str, ...]:
        """The summary as text."""
        text = [
            "",
            "=" * 100,
            "  Three AKS clusters, one AMP workspace, no static credential in any cluster",
            "=" * 100,
        ]
        for cluster, state in self.clusters.items():
            text += ["", f"  {cluster}  ({state})", *self._steps(cluster), self._proof(cluster)]
        text += ["", "-" * 100, *self._totals()]
        return tuple(text)

    def _steps(self, cluster: str) -> t.Iterator[str]:
        for role, title in STEPS:
            planned = [
                f"{change['action']} {change['kind']}"
                for task in self.planned.tasks
                if task.host == cluster and task.role == role and task.changed
                for change in task.changes
            ]
            done = sum(
                len(task.changes)
                for task in self.applied.tasks
                if task.host == cluster and task.role == role and task.changed
            )
            label = f"    {title:<{STEP_WIDTH}}"
            if not planned and not done:
                yield f"{label} nothing to do"
                continue
            mark = "done" if done == len(planned) else f"planned {len(planned)}, done {done}"
            yield f"{label} {', '.join(planned)}: {mark}"

    def _proof(self, cluster: str) -> str:
        sample = self.sample_of(cluster)
        label = f"    {'6 Proof':<{STEP_WIDTH}}"
        if sample is None:
            return f"{label} NO SAMPLE ARRIVED"
        name = sample.labels.get("__name__", "?")
        role = sample.role_arn.rpartition("/")[2]
        return f"{label} {name} = {sample.value:g} arrived at {sample.time}, signed as {role}"

    def _totals(self) -> t.Iterator[str]:
        changes = sum(len(self.applied.changes(cluster)) for cluster in self.clusters)
        as_planned = all(self.applied.agrees_with_plan(self.planned, cluster) for cluster in self.clusters)
        agreement = "exactly those planned" if as_planned else "NOT those planned"
        again = ", ".join(f"{cluster} changed={self.repeated.changed(cluster)}" for cluster in self.clusters)
        wrote = self.writes_while_planning or "nothing"
        yield f"  check run    {self.planned.seconds:5.1f} s   planned everything, wrote {wrote}"
        yield f"  real run     {self.applied.seconds:5.1f} s   {changes} changes, {agreement}"
        yield f"  second run   {self.repeated.seconds:5.1f} s   {again}"
        yield f"  verify       {self.verified.seconds:5.1f} s   {len(self.samples)} samples stored in all"
