# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a rollout is, and what keeps a pod from being ready; pure.

The judgement of workloads is that of ``kubectl rollout status`` (k8s.io/kubectl, pkg/polymorphichelpers/
rollout_status.go); pods are judged by their status alone
(https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#PodStatus).
"""

from __future__ import annotations

import dataclasses
import enum
import typing as t

Json = dict[str, t.Any]

#: A container that was started so often and ended each time is not waiting for anything any more: a role that is new
#: to IAM is known after the first or second start.
CRASHES_UNTIL_FAILURE: t.Final = 3

#: States of a waiting container that nothing but a change of the pod ends.
_HOPELESS = frozenset({"InvalidImageName", "ErrImageNeverPull"})
#: States that may pass: an image or an object that is about to come, a registry in trouble.
_DOUBTFUL = frozenset(
    {
        "ImagePullBackOff",
        "ErrImagePull",
        "ImageInspectError",
        "RegistryUnavailable",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
        "PreStartHookError",
        "PostStartHookError",
    }
)
_CRASHING = "CrashLoopBackOff"


class Stage(enum.Enum):
    """How far a workload is."""

    COMPLETE = "complete"
    WAITING = "waiting"
    FAILED = "failed"  # its controller has given up, or can't go on
    MANUAL = "manual"  # somebody has to act before its pods are replaced


@dataclasses.dataclass(frozen=True)
class Progress:
    """A workload's rollout. ``ready`` counts pods of the newest template that are ready, of ``wanted``."""

    stage: Stage
    ready: int
    wanted: int
    message: str
    refusal: str = ""  # why the controller can't make a pod


class Urgency(enum.Enum):
    """How long a trouble is watched before it is called the rollout's failure."""

    NOW = "now"
    SOON = "soon"  # when it has lasted for a while
    LATE = "late"  # when the time is up


@dataclasses.dataclass(frozen=True)
class Trouble:
    """Why a pod is not ready. ``container`` is empty where it is none of a container's."""

    pod: str
    container: str
    reason: str
    message: str
    urgency: Urgency
    crashed: bool = False

    def sentence(self) -> str:
        """The trouble in words, without a full stop."""
        place = f"the container {self.container} of pod {self.pod}" if self.container else f"pod {self.pod}"
        return f"{place} {self.message}"


def progress_of(kind: str, workload: t.Mapping[str, t.Any]) -> Progress:
    """How far the workload of this kind (``Deployment``, ``StatefulSet`` or ``DaemonSet``) is."""
    spec, status = workload.get("spec") or {}, workload.get("status") or {}
    judge = {"Deployment": _deployment, "StatefulSet": _stateful_set, "DaemonSet": _daemon_set}[kind]
    progress = judge(spec, status)
    if not _observed(workload, status):
        return dataclasses.replace(
            progress, stage=Stage.WAITING, ready=0, message="its controller has not seen the change yet"
        )
    return progress


def was_finished(kind: str, workload: t.Mapping[str, t.Any]) -> bool:
    """Whether the newest template has been rolled out already, though pods of it may have come into trouble since.

    A Deployment and a StatefulSet keep that in their status. A DaemonSet goes on only when its new pods are available,
    so one whose pods are all new has been rolled out unless none of them is.
    """
    spec, status = workload.get("spec") or {}, workload.get("status") or {}
    if not _observed(workload, status):
        return False
    if kind == "StatefulSet":
        return str(status.get("updateRevision") or "") == str(status.get("currentRevision") or "")
    if kind == "DaemonSet":
        wanted, available = _number(status, "desiredNumberScheduled"), _number(status, "numberAvailable")
        return _number(status, "updatedNumberScheduled") >= wanted and (available > 0 or not wanted)
    updated, total = _number(status, "updatedReplicas"), _number(status, "replicas")
    reasons = [item.get("reason") for item in status.get("conditions") or () if item.get("type") == "Progressing"]
    return updated >= _number(spec, "replicas", 1) and total <= updated and reasons == ["NewReplicaSetAvailable"]


def _observed(workload: t.Mapping[str, t.Any], status: t.Mapping[str, t.Any]) -> bool:
    """Whether the status speaks of the newest specification."""
    return int(status.get("observedGeneration") or 0) >= int(workload["metadata"].get("generation") or 0)


def _deployment(spec: t.Mapping[str, t.Any], status: t.Mapping[str, t.Any]) -> Progress:
    wanted = _number(spec, "replicas", 1)
    updated, total = _number(status, "updatedReplicas"), _number(status, "replicas")
    available = _number(status, "availableReplicas")
    ready = max(0, min(updated, available - (total - updated)))
    conditions = {str(item.get("type")): item for item in status.get("conditions") or ()}

    failure = conditions.get("ReplicaFailure") or {}
    refusal = str(failure.get("message") or failure.get("reason") or "") if failure.get("status") == "True" else ""

    def at(stage: Stage, message: str) -> Progress:
        return Progress(stage, ready, wanted, message, refusal)

    if spec.get("paused"):
        return at(Stage.MANUAL, "it is paused, so its pods are replaced when somebody resumes it")
    if (conditions.get("Progressing") or {}).get("reason") == "ProgressDeadlineExceeded":
        return at(Stage.FAILED, "it made no progress within its progressDeadlineSeconds")
    if updated < wanted:
        return at(Stage.WAITING, f"{updated} of {wanted} new pods exist{f': {refusal}' if refusal else ''}")
    if total > updated:
        return at(Stage.WAITING, f"{total - updated} old pods are still there")
    if available < updated:
        return at(Stage.WAITING, f"{available} of {updated} new pods are available")
    return Progress(Stage.COMPLETE, updated, wanted, "all pods are new and ready")


def _stateful_set(spec: t.Mapping[str, t.Any], status: t.Mapping[str, t.Any]) -> Progress:
    wanted = _number(spec, "replicas", 1)
    updated, ready = _number(status, "updatedReplicas"), _number(status, "readyReplicas")
    strategy = spec.get("updateStrategy") or {}
    new = str(status.get("updateRevision") or "")
    finished = new == str(status.get("currentRevision") or "")
    updated = wanted if finished else updated

    def at(stage: Stage, message: str) -> Progress:
        return Progress(stage, min(updated, ready), wanted, message)

    partition = _number(strategy.get("rollingUpdate") or {}, "partition")
    kept = min(partition, wanted)
    if strategy.get("type") == "OnDelete" and updated < wanted:
        return at(
            Stage.MANUAL, f"it has the update strategy OnDelete: delete its {wanted - updated} old pods to replace them"
        )
    if ready < wanted:
        return at(Stage.WAITING, f"{ready} of {wanted} pods are ready")
    if updated < wanted - kept:
        return at(Stage.WAITING, f"{updated} of {wanted - kept} pods are new")
    if kept and updated < wanted:
        return at(
            Stage.MANUAL,
            f"its partition {partition} keeps the old pods below that number: lower it to have them replaced",
        )
    if not finished and not kept and strategy.get("type") != "OnDelete":
        return at(Stage.WAITING, "its newest revision is not the current one yet")
    return Progress(Stage.COMPLETE, wanted, wanted, "all pods are new and ready")


def _daemon_set(spec: t.Mapping[str, t.Any], status: t.Mapping[str, t.Any]) -> Progress:
    wanted = _number(status, "desiredNumberScheduled")
    updated, available = _number(status, "updatedNumberScheduled"), _number(status, "numberAvailable")

    def at(stage: Stage, message: str) -> Progress:
        return Progress(stage, min(updated, available), wanted, message)

    if (spec.get("updateStrategy") or {}).get("type") == "OnDelete" and updated < wanted:
        return at(
            Stage.MANUAL, f"it has the update strategy OnDelete: delete its {wanted - updated} old pods to replace them"
        )
    if updated < wanted:
        return at(Stage.WAITING, f"{updated} of {wanted} pods are new")
    if available < wanted:
        return at(Stage.WAITING, f"{available} of {wanted} pods are available")
    return at(Stage.COMPLETE, "all pods are new and ready")


def _number(values: t.Mapping[str, t.Any], name: str, default: int = 0) -> int:
    """A count of a status; Kubernetes leaves out zeros."""
    value = values.get(name)
    return default if value is None else int(value)


# --- pods -------------------------------------------------------------------------------------------------------------


def is_ready(pod: t.Mapping[str, t.Any]) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(item.get("type") == "Ready" and item.get("status") == "True" for item in conditions)


def is_going(pod: t.Mapping[str, t.Any]) -> bool:
    """Whether the pod is being deleted."""
    return bool(pod["metadata"].get("deletionTimestamp"))


def made_from(pod: t.Mapping[str, t.Any], template: t.Mapping[str, t.Any], container: str) -> bool:
    """Whether the pod was made from this template, by all in which the collection's changes show.

    Admission adds to pods and may put other images in, so only what a template says of labels, annotations, service
    account, volumes and the container's environment is looked for.
    """
    meta, spec = template.get("metadata") or {}, template["spec"]
    for part in ("labels", "annotations"):
        found = pod["metadata"].get(part) or {}
        if any(found.get(name) != value for name, value in (meta.get(part) or {}).items()):
            return False
    wanted_account = spec.get("serviceAccountName") or "default"
    if (pod["spec"].get("serviceAccountName") or "default") != wanted_account:
        return False
    volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes") or ()}
    if any(not _within(volume, volumes.get(volume["name"])) for volume in spec.get("volumes") or ()):
        return False
    return _environment(pod["spec"], container) >= _environment(spec, container)


def _environment(spec: t.Mapping[str, t.Any], container: str) -> set[str]:
    containers = [item for item in spec.get("containers") or () if item.get("name") == container]
    variables = [item for found in containers for item in found.get("env") or () if "valueFrom" not in item]
    return {f"{item.get('name')}={item.get('value')!r}" for item in variables}


def _within(wanted: t.Any, found: t.Any) -> bool:
    """Whether ``found`` has all that ``wanted`` says; defaults may have been added to it."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(_within(value, found.get(key)) for key, value in wanted.items())
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and len(found) == len(wanted)
            and all(_within(one, other) for one, other in zip(wanted, found, strict=True))
        )
    return bool(wanted == found)


def trouble_of(pod: t.Mapping[str, t.Any], container: str) -> Trouble | None:
    """What keeps a pod from being ready; None when nothing does, or when it is being deleted.

    Of several troubles the most urgent counts, among equal ones that of the named container.
    """
    if is_ready(pod) or is_going(pod):
        return None
    troubles = list(_troubles(pod))
    if not troubles:
        return _trouble(pod, "", "NotReady", "is not ready yet", Urgency.LATE)
    order = (Urgency.NOW, Urgency.SOON, Urgency.LATE)
    return min(troubles, key=lambda item: (order.index(item.urgency), item.container != container))


def _troubles(pod: t.Mapping[str, t.Any]) -> t.Iterator[Trouble]:
    status = pod.get("status") or {}
    if status.get("phase") == "Failed":
        reason = str(status.get("reason") or "Failed")
        yield _trouble(pod, "", reason, f"has failed{_detail(status.get('reason'), status.get('message'))}")
        return
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            reason, message = condition.get("reason"), condition.get("message")
            yield _trouble(
                pod, "", str(reason or "Unscheduled"), f"finds no node{_detail(reason, message)}", Urgency.LATE
            )
            return
    waits_for_init = False
    for item in status.get("initContainerStatuses") or ():
        trouble = _of_container(pod, item)
        if trouble is not None:
            waits_for_init = True
            yield trouble
    for item in status.get("containerStatuses") or ():
        waiting = (item.get("state") or {}).get("waiting") or {}
        if waits_for_init and waiting.get("reason") == "PodInitializing":
            continue
        trouble = _of_container(pod, item)
        if trouble is not None:
            yield trouble


def _of_container(pod: t.Mapping[str, t.Any], item: t.Mapping[str, t.Any]) -> Trouble | None:
    state = item.get("state") or {}
    name, restarts = str(item.get("name") or ""), int(item.get("restartCount") or 0)
    last = (item.get("lastState") or {}).get("terminated") or {}
    waiting, terminated = state.get("waiting"), state.get("terminated")
    if waiting is not None:
        reason = str(waiting.get("reason") or "Waiting")
        if reason == _CRASHING:
            return _crash(pod, name, reason, last, restarts)
        message = f"waits{_detail(reason, waiting.get('message'))}"
        return _trouble(pod, name, reason, message, _urgency_of_wait(reason))
    if terminated is not None:
        if not int(terminated.get("exitCode") or 0):
            return None
        return _crash(pod, name, "Crashed", terminated, restarts)
    if item.get("ready"):
        return None
    if restarts and int(last.get("exitCode") or 0):
        return _crash(pod, name, "Crashed", last, restarts)
    return _trouble(pod, name, "Unready", "runs but is not ready", Urgency.LATE)


def _crash(
    pod: t.Mapping[str, t.Any], container: str, reason: str, ended: t.Mapping[str, t.Any], restarts: int
) -> Trouble:
    code = ended.get("exitCode")
    how = "ends again and again" if restarts else "ended"
    parts = [f"exit code {code}"] if code is not None else []
    if ended.get("reason") not in (None, "", "Error"):
        parts.append(str(ended["reason"]))
    if restarts:
        parts.append(f"{restarts} restarts")
    message = f"{how} ({', '.join(parts)})" if parts else how
    if ended.get("message"):
        message = f"{message}: {ended['message']}"
    urgency = Urgency.NOW if restarts >= CRASHES_UNTIL_FAILURE else Urgency.LATE
    return dataclasses.replace(_trouble(pod, container, reason, message, urgency), crashed=True)


def _urgency_of_wait(reason: str) -> Urgency:
    if reason in _HOPELESS:
        return Urgency.NOW
    return Urgency.SOON if reason in _DOUBTFUL else Urgency.LATE


def _trouble(
    pod: t.Mapping[str, t.Any], container: str, reason: str, message: str, urgency: Urgency = Urgency.SOON
) -> Trouble:
    return Trouble(str(pod["metadata"]["name"]), container, reason, message, urgency)


def _detail(reason: object, message: object) -> str:
    words = ": ".join(str(part).strip().rstrip(".") for part in (reason, message) if part)
    return f" ({words})" if words else ""
