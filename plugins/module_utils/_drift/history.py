# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One report against the one before it, and several reports of parts of a fleet as one."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift.model import (
    STEPS,
    Cluster,
    Drift,
    Key,
    NotAReport,
    Repaired,
    Report,
    Status,
    Step,
)

#: A step with one of these says nothing of what drifted in it before.
_SILENT = frozenset({Status.FAILED, Status.UNKNOWN, Status.SKIPPED})


def compare(report: Report, previous: Report) -> Report:
    """The report with what is new in it, since when each drift is there, and what is repaired.

    A drift whose step could not be looked at now is neither there nor repaired, so it is not mentioned; when it is
    seen again later it counts as new.
    """
    known = {drift.key(cluster.name, step.name): drift for cluster, step, drift in previous.drifts}
    clusters = tuple(_dated(cluster, known, report.generated_at) for cluster in report.clusters)
    present = {drift.key(cluster.name, step.name) for cluster, step, drift in report.drifts}
    looked_at = {
        (cluster.name, step.name) for cluster in report.clusters for step in cluster.steps if step.status not in _SILENT
    }
    repaired = tuple(
        Repaired(cluster.name, step.name, drift.kind, drift.meaning, drift.object_kind, drift.object_name, drift.since)
        for cluster, step, drift in previous.drifts
        if drift.key(cluster.name, step.name) not in present and (cluster.name, step.name) in looked_at
    )
    return dataclasses.replace(report, clusters=clusters, compared_with=previous.generated_at, repaired=repaired)


def first(report: Report) -> Report:
    """A report that has none before it: every drift is there since now."""
    return dataclasses.replace(
        report, clusters=tuple(_dated(cluster, None, report.generated_at) for cluster in report.clusters)
    )


def _dated(cluster: Cluster, known: t.Mapping[Key, Drift] | None, now: str) -> Cluster:
    def dated(step: str, drift: Drift) -> Drift:
        if known is None:
            return dataclasses.replace(drift, since=now)
        before = known.get(drift.key(cluster.name, step))
        return dataclasses.replace(drift, since=now if before is None else before.since, new=before is None)

    steps = tuple(
        dataclasses.replace(step, drifts=tuple(dated(step.name, drift) for drift in step.drifts))
        for step in cluster.steps
    )
    return dataclasses.replace(cluster, steps=steps)


def merge(reports: t.Sequence[Report]) -> Report:
    """The reports of the parts of a fleet as one, at the time of the last. Raises NotAReport."""
    if not reports:
        raise NotAReport("There is no report to merge.")
    seen: set[str] = set()
    for cluster in (cluster for report in reports for cluster in report.clusters):
        if cluster.name in seen:
            raise NotAReport(
                f"The cluster {cluster.name} is in two of the reports, so they are not parts of one fleet."
            )
        seen.add(cluster.name)
    compared = {report.compared_with for report in reports}
    return Report(
        generated_at=max(report.generated_at for report in reports),
        clusters=tuple(sorted((c for report in reports for c in report.clusters), key=lambda cluster: cluster.name)),
        compared_with=compared.pop() if len(compared) == 1 else max(compared),
        repaired=tuple(
            sorted(
                (one for report in reports for one in report.repaired),
                key=lambda one: (one.cluster, one.step, one.kind, one.object_kind, one.object_name),
            )
        ),
    )


def complete(report: Report, expected: t.Iterable[str]) -> Report:
    """The report with every expected cluster: one that no part names is unknown, not silently left out."""
    known = {cluster.name for cluster in report.clusters}
    absent = tuple(
        Cluster(name, tuple(Step(step, Status.UNKNOWN, "No part of the report names this cluster.") for step in STEPS))
        for name in sorted(set(expected) - known)
    )
    return dataclasses.replace(
        report, clusters=tuple(sorted((*report.clusters, *absent), key=lambda cluster: cluster.name))
    )
