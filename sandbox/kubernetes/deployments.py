# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controllers of deployments and replica sets.

Source: the status fields, conditions and annotations of ``pkg/controller/{deployment,replicaset}`` of Kubernetes.
"""

from __future__ import annotations

import copy
import typing as t

from sandbox.kubernetes import kinds
from sandbox.kubernetes.conditions import keep_condition
from sandbox.kubernetes.kinds import Resource
from sandbox.kubernetes.ownership import Workshop, owner_reference, template_hash, without_zeros
from sandbox.world import Json

_HASH = "pod-template-hash"
_REVISION = "deployment.kubernetes.io/revision"


class ReplicaSets:
    """Keeps as many pods as each replica set asks for."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop

    def reconcile(self, replica_set: Json) -> None:
        pods = self._workshop.owned_pods(replica_set)
        wanted = replica_set["spec"]["replicas"]
        for pod in pods[wanted:]:
            self._workshop.writer.remove(kinds.PODS, pod)
        failure = self._workshop.fill(kinds.REPLICA_SETS, replica_set, wanted - len(pods))
        running = len(self._workshop.owned_pods(replica_set))
        ready = len(self._workshop.ready_pods(replica_set))
        conditions: list[Json] = []
        if failure is not None:
            before = replica_set["status"].get("conditions", [])
            conditions = keep_condition(before, "ReplicaFailure", "True", "FailedCreate", failure)
        counts = {
            "fullyLabeledReplicas": running,
            "readyReplicas": ready,
            "availableReplicas": ready,
            "observedGeneration": replica_set["metadata"]["generation"],
            "conditions": conditions,
        }
        self._workshop.writer.update(
            kinds.REPLICA_SETS, replica_set, {"status": {"replicas": running, **without_zeros(counts)}}
        )


class Deployments:
    """Rolls deployments out by replica sets, one for each template."""

    def __init__(self, workshop: Workshop, replica_sets: ReplicaSets) -> None:
        self._workshop = workshop
        self._replica_sets = replica_sets

    def reconcile(self, deployment: Json) -> None:
        spec = deployment["spec"]
        owned = self._owned(deployment)
        current = next((rs for rs in owned if _plain_template(rs) == spec["template"]), None)
        if current is None and not spec.get("paused"):
            current = self._create_replica_set(deployment)
        if current is not None:
            deployment = self._number(deployment, current, owned)
        self._roll_out(deployment, current)
        self._forget_old(deployment, current)
        self._write_status(deployment, current)

    def _owned(self, deployment: Json) -> list[Json]:
        return self._workshop.owned(kinds.REPLICA_SETS, deployment)

    def _create_replica_set(self, deployment: Json) -> Json:
        spec, metadata = deployment["spec"], deployment["metadata"]
        mark = template_hash(spec["template"])
        template = copy.deepcopy(spec["template"])
        template.setdefault("metadata", {}).setdefault("labels", {})[_HASH] = mark
        selector = copy.deepcopy(spec["selector"])
        selector.setdefault("matchLabels", {})[_HASH] = mark
        return self._workshop.writer.create(
            kinds.REPLICA_SETS,
            {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "metadata": {
                    "name": f"{metadata['name']}-{mark}",
                    "namespace": metadata["namespace"],
                    "labels": dict(template["metadata"]["labels"]),
                    "ownerReferences": [owner_reference(kinds.DEPLOYMENTS, deployment)],
                },
                "spec": {"replicas": 0, "selector": selector, "template": template},
                "status": {"replicas": 0},
            },
        )

    def _number(self, deployment: Json, current: Json, before: list[Json]) -> Json:
        """Give the current template a revision above all others; gives the deployment as it then is."""
        others = [_revision(rs) for rs in before if not _same(rs, current)]
        revision = max(1, _revision(current), *(number + 1 for number in others))
        self._annotate(kinds.REPLICA_SETS, current, revision)
        return self._annotate(kinds.DEPLOYMENTS, deployment, revision)

    def _annotate(self, resource: Resource, obj: Json, revision: int) -> Json:
        annotations = obj["metadata"].get("annotations", {}) | {_REVISION: str(revision)}
        return self._workshop.writer.update(resource, obj, {"metadata": obj["metadata"] | {"annotations": annotations}})

    def _roll_out(self, deployment: Json, current: Json | None) -> None:
        replicas = deployment["spec"]["replicas"]
        owned = self._owned(deployment)
        if current is None:  # paused: the newest template that was rolled out keeps running
            for rs in sorted(owned, key=_revision)[-1:]:
                self._scale(rs, replicas)
            return
        old = [rs for rs in owned if not _same(rs, current)]
        new = next(rs for rs in owned if _same(rs, current))
        if deployment["spec"]["strategy"]["type"] == "Recreate":
            for rs in old:
                self._scale(rs, 0)
            old = []
        self._scale(new, replicas)
        if len(self._workshop.ready_pods(new)) >= replicas:  # the old pods serve until the new ones do
            for rs in old:
                self._scale(rs, 0)

    def _scale(self, replica_set: Json, replicas: int) -> None:
        spec = replica_set["spec"] | {"replicas": replicas}
        self._replica_sets.reconcile(self._workshop.writer.update(kinds.REPLICA_SETS, replica_set, {"spec": spec}))

    def _forget_old(self, deployment: Json, current: Json | None) -> None:
        """Delete replica sets without pods beyond the history that is to be kept."""
        idle = [
            rs
            for rs in self._owned(deployment)
            if current is not None and not _same(rs, current) and not self._workshop.owned_pods(rs)
        ]
        excess = max(0, len(idle) - deployment["spec"]["revisionHistoryLimit"])
        for rs in sorted(idle, key=_revision)[:excess]:
            self._workshop.writer.remove(kinds.REPLICA_SETS, rs)

    def _write_status(self, deployment: Json, current: Json | None) -> None:
        owned = self._owned(deployment)
        new = next((rs for rs in owned if current is not None and _same(rs, current)), None)
        total = sum(len(self._workshop.owned_pods(rs)) for rs in owned)
        updated = len(self._workshop.owned_pods(new)) if new is not None else 0
        ready = sum(len(self._workshop.ready_pods(rs)) for rs in owned)
        wanted = deployment["spec"]["replicas"]
        counts = {
            "observedGeneration": deployment["metadata"]["generation"],
            "replicas": total,
            "updatedReplicas": updated,
            "readyReplicas": ready,
            "availableReplicas": ready,
            "unavailableReplicas": max(0, max(wanted, total) - ready),
            "conditions": _conditions(deployment, new, ready, complete=updated == wanted == total == ready),
        }
        self._workshop.writer.update(kinds.DEPLOYMENTS, deployment, {"status": without_zeros(counts)})


def _conditions(deployment: Json, new: Json | None, ready: int, *, complete: bool) -> list[Json]:
    before: list[Json] = deployment.get("status", {}).get("conditions", [])
    spec = deployment["spec"]
    available = ready >= spec["replicas"] - _max_unavailable(spec)
    conditions = keep_condition(
        [condition for condition in before if condition["type"] != "ReplicaFailure"],
        "Available",
        "True" if available else "False",
        "MinimumReplicasAvailable" if available else "MinimumReplicasUnavailable",
        f"Deployment {'has' if available else 'does not have'} minimum availability.",
        updated=True,
    )
    if new is None:
        return keep_condition(
            conditions, "Progressing", "Unknown", "DeploymentPaused", "Deployment is paused", updated=True
        )
    reason = "NewReplicaSetAvailable" if complete else "ReplicaSetUpdated"
    progress = "has successfully progressed" if complete else "is progressing"
    text = f'ReplicaSet "{new["metadata"]["name"]}" {progress}.'
    conditions = keep_condition(conditions, "Progressing", "True", reason, text, updated=True)
    for failure in new["status"].get("conditions", []):
        known = [condition for condition in before if condition["type"] == "ReplicaFailure"]
        conditions += keep_condition(
            known, "ReplicaFailure", "True", failure["reason"], failure["message"], updated=True
        )
    return conditions


def _same(one: Json, other: Json) -> bool:
    return bool(one["metadata"]["uid"] == other["metadata"]["uid"])


def _plain_template(replica_set: Json) -> Json:
    """A replica set's template without the hash, which is the deployment's own template."""
    template: Json = copy.deepcopy(replica_set["spec"]["template"])
    template.get("metadata", {}).get("labels", {}).pop(_HASH, None)
    return template


def _revision(replica_set: Json) -> int:
    return int(replica_set["metadata"].get("annotations", {}).get(_REVISION, "0"))


def _max_unavailable(spec: Json) -> int:
    """How many pods may be missing during a rolling update; percentages are rounded down."""
    value: t.Any = spec["strategy"].get("rollingUpdate", {}).get("maxUnavailable", 0)
    if isinstance(value, int):
        return value
    return int(spec["replicas"]) * int(value.removesuffix("%")) // 100
