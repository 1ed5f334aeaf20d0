# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controllers of workloads. They bring a rollout to its end at once, or as far as pods can be made.

Source: the status fields of ``pkg/controller/{statefulset,daemon,job}`` of Kubernetes.
"""

from __future__ import annotations

import copy

from sandbox.kubernetes import kinds
from sandbox.kubernetes.conditions import keep_condition
from sandbox.kubernetes.deployments import Deployments, ReplicaSets
from sandbox.kubernetes.objects import now
from sandbox.kubernetes.ownership import REVISION_HASH, Workshop, template_hash, without_zeros
from sandbox.kubernetes.pods import is_finished, is_ready
from sandbox.world import Json


class Workloads:
    """Reconciles the workloads of a namespace."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        replica_sets = ReplicaSets(workshop)
        self._controllers = (
            (kinds.DEPLOYMENTS, Deployments(workshop, replica_sets).reconcile),
            (kinds.REPLICA_SETS, replica_sets.reconcile),
            (kinds.STATEFUL_SETS, StatefulSets(workshop).reconcile),
            (kinds.DAEMON_SETS, DaemonSets(workshop).reconcile),
            (kinds.JOBS, Jobs(workshop).reconcile),
        )

    def reconcile(self, namespace: str) -> None:
        for resource, reconcile in self._controllers:
            for obj in self._workshop.store.select(resource, namespace):
                if "deletionTimestamp" not in obj["metadata"]:
                    reconcile(obj)


class StatefulSets:
    """Keeps the numbered pods of stateful sets; a changed template replaces them from the last to the first.

    One that is not ready holds up the rest, even when the template that made it is no longer the newest
    (https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback).
    """

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop

    def reconcile(self, stateful_set: Json) -> None:
        spec, name = stateful_set["spec"], stateful_set["metadata"]["name"]
        revision = f"{name}-{template_hash(spec['template'])}"
        pods = {_ordinal(pod): pod for pod in self._workshop.owned_pods(stateful_set)}
        for ordinal in [number for number in pods if number >= spec["replicas"]]:
            self._workshop.writer.remove(kinds.PODS, pods.pop(ordinal))
        missing = (ordinal for ordinal in range(spec["replicas"]) if ordinal not in pods)
        # A pod that cannot be made holds up all that come after it, the update of the others too.
        if all(self._make(stateful_set, ordinal, revision) for ordinal in missing):
            self._update(stateful_set, pods, revision)
        self._write_status(stateful_set, revision)

    def _update(self, stateful_set: Json, pods: dict[int, Json], revision: str) -> None:
        strategy = stateful_set["spec"]["updateStrategy"]
        if strategy["type"] != "RollingUpdate":
            return
        first = strategy["rollingUpdate"].get("partition", 0)
        monotonic = stateful_set["spec"].get("podManagementPolicy") != "Parallel"
        if monotonic and not all(is_ready(pod) for pod in pods.values()):
            return
        for ordinal in sorted(pods, reverse=True):
            if ordinal >= first and _hash_of(pods[ordinal]) != revision:
                self._workshop.writer.remove(kinds.PODS, pods[ordinal])
                self._make(stateful_set, ordinal, revision)
                return  # the next one when this one is ready
            if not is_ready(pods[ordinal]):
                return

    def _make(self, stateful_set: Json, ordinal: int, revision: str) -> bool:
        """Make one pod; false when it is refused."""
        name = f"{stateful_set['metadata']['name']}-{ordinal}"
        labels = {
            REVISION_HASH: revision,
            "statefulset.kubernetes.io/pod-name": name,
            "apps.kubernetes.io/pod-index": str(ordinal),
        }
        template = copy.deepcopy(stateful_set["spec"]["template"])
        for claim in stateful_set["spec"].get("volumeClaimTemplates", []):
            of_claim = claim["metadata"]["name"]
            volume = {"name": of_claim, "persistentVolumeClaim": {"claimName": f"{of_claim}-{name}"}}
            others = [v for v in template["spec"].get("volumes", []) if v["name"] != of_claim]
            template["spec"]["volumes"] = [*others, volume]
        metadata = {"name": name, "labels": labels}
        return self._workshop.make_pod(kinds.STATEFUL_SETS, stateful_set, template, metadata) is None

    def _write_status(self, stateful_set: Json, revision: str) -> None:
        pods = self._workshop.owned_pods(stateful_set)
        updated = [pod for pod in pods if _hash_of(pod) == revision]
        ready = len(self._workshop.ready_pods(stateful_set))
        complete = len(updated) == len(pods) == ready == stateful_set["spec"]["replicas"]
        current = revision if complete else stateful_set["status"].get("currentRevision", revision)
        counts = {
            "observedGeneration": stateful_set["metadata"]["generation"],
            "readyReplicas": ready,
            "currentReplicas": sum(_hash_of(pod) == current for pod in pods),
            "updatedReplicas": len(updated),
        }
        status = {
            "replicas": len(pods),
            "availableReplicas": ready,
            "currentRevision": current,
            "updateRevision": revision,
            "collisionCount": 0,
            **without_zeros(counts),
        }
        self._workshop.writer.update(kinds.STATEFUL_SETS, stateful_set, {"status": status})


class DaemonSets:
    """Keeps one pod of each daemon set on each node."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop

    def reconcile(self, daemon_set: Json) -> None:
        spec = daemon_set["spec"]
        revision = template_hash(spec["template"])
        if spec["updateStrategy"]["type"] == "RollingUpdate":
            self._update(daemon_set, revision)
        nodes = self._workshop.pods.nodes()
        occupied = {pod["spec"].get("nodeName") for pod in self._workshop.owned_pods(daemon_set)}
        all(self._make(daemon_set, node, revision) for node in nodes if node not in occupied)
        self._write_status(daemon_set, revision, len(nodes))

    def _update(self, daemon_set: Json, revision: str) -> None:
        """Remove old pods: those that are not ready at once, the others one by one."""
        pods = self._workshop.owned_pods(daemon_set)
        old = [pod for pod in pods if _hash_of(pod) != revision]
        broken = [pod for pod in old if not is_ready(pod)]
        whole = len(self._workshop.ready_pods(daemon_set)) == len(pods)
        for pod in broken or (old[:1] if whole else []):
            self._workshop.writer.remove(kinds.PODS, pod)

    def _make(self, daemon_set: Json, node: str, revision: str) -> bool:
        """Make one pod; false when it is refused."""
        template = copy.deepcopy(daemon_set["spec"]["template"])
        template["spec"]["nodeName"] = node
        metadata = {"labels": {REVISION_HASH: revision}}
        return self._workshop.make_pod(kinds.DAEMON_SETS, daemon_set, template, metadata) is None

    def _write_status(self, daemon_set: Json, revision: str, nodes: int) -> None:
        pods = self._workshop.owned_pods(daemon_set)
        ready = len(self._workshop.ready_pods(daemon_set))
        counts = {
            "observedGeneration": daemon_set["metadata"]["generation"],
            "updatedNumberScheduled": sum(_hash_of(pod) == revision for pod in pods),
            "numberAvailable": ready,
            "numberUnavailable": nodes - ready,
        }
        status = {
            "currentNumberScheduled": len(pods),
            "numberMisscheduled": 0,
            "desiredNumberScheduled": nodes,
            "numberReady": ready,
            **without_zeros(counts),
        }
        self._workshop.writer.update(kinds.DAEMON_SETS, daemon_set, {"status": status})


class Jobs:
    """Starts the pods of jobs and counts those that came to their end; without a program they run for ever."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop

    def reconcile(self, job: Json) -> None:
        spec = job["spec"]
        wanted = 0 if spec["suspend"] else min(spec["parallelism"], spec.get("completions", spec["parallelism"]))
        self._workshop.fill(kinds.JOBS, job, wanted - len(self._workshop.owned_pods(job)))
        pods = self._workshop.owned_pods(job)
        if pods:
            started = job["status"].get("startTime", now())
            active = sum(not is_finished(pod) for pod in pods)
            ended = [pod["status"]["phase"] for pod in pods if is_finished(pod)]
            counts = {
                "active": active,
                "ready": active,
                "succeeded": ended.count("Succeeded"),
                "failed": ended.count("Failed"),
                "conditions": _job_conditions(job, ended),
            }
            status = {"startTime": started, "uncountedTerminatedPods": {}, **without_zeros(counts)}
            self._workshop.writer.update(kinds.JOBS, job, {"status": status})


def _job_conditions(job: Json, ended: list[str]) -> list[Json]:
    """https://kubernetes.io/docs/concepts/workloads/controllers/job/#terminal-job-conditions"""
    before: list[Json] = job["status"].get("conditions", [])
    if ended.count("Succeeded") >= job["spec"].get("completions", 1):
        return keep_condition(
            before, "Complete", "True", "CompletionsReached", "Reached expected number of succeeded pods"
        )
    if ended.count("Failed") > job["spec"]["backoffLimit"]:
        return keep_condition(
            before, "Failed", "True", "BackoffLimitExceeded", "Job has reached the specified backoff limit"
        )
    return before


def _hash_of(pod: Json) -> str | None:
    labels: dict[str, str] = pod["metadata"].get("labels", {})
    return labels.get(REVISION_HASH)


def _ordinal(pod: Json) -> int:
    return int(pod["metadata"]["name"].rpartition("-")[2])
