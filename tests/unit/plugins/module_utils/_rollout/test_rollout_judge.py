# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a rollout is, and what keeps a pod from being ready."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_judge import (
    CRASHES_UNTIL_FAILURE,
    Stage,
    Urgency,
    made_from,
    progress_of,
    trouble_of,
    was_finished,
)

Json = dict[str, t.Any]


def workload(spec: Json, status: Json, *, generation: int = 2) -> Json:
    return {"metadata": {"generation": generation}, "spec": spec, "status": {"observedGeneration": 2, **status}}


# --- workloads: the cases of kubectl's rollout_status_test.go, and those beside it ------------------------------------


DEPLOYMENTS: t.Final = (
    ({"replicas": 1}, {"replicas": 1}, Stage.WAITING, "0 of 1 new pods exist"),
    ({"replicas": 1}, {"replicas": 2, "updatedReplicas": 1, "availableReplicas": 2}, Stage.WAITING, "1 old pods"),
    ({"replicas": 2}, {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 1}, Stage.WAITING, "1 of 2 new pods"),
    ({"replicas": 2}, {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}, Stage.COMPLETE, "all pods"),
    ({}, {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}, Stage.COMPLETE, "all pods"),
    ({"replicas": 0}, {}, Stage.COMPLETE, "all pods"),
    ({"replicas": 1, "paused": True}, {"replicas": 1}, Stage.MANUAL, "paused"),
    (
        {"replicas": 1},
        {"conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]},
        Stage.FAILED,
        "progressDeadlineSeconds",
    ),
    (
        {"replicas": 1},
        {"conditions": [{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}]},
        Stage.WAITING,
        "exceeded quota",
    ),
)

_ROLLING: t.Final = {"type": "RollingUpdate"}
_SAME: t.Final = {"currentRevision": "a", "updateRevision": "a"}
_NEW: t.Final = {"currentRevision": "a", "updateRevision": "b"}

STATEFUL_SETS: t.Final = (
    ({"replicas": 2, "updateStrategy": _ROLLING}, {"readyReplicas": 1, **_NEW}, Stage.WAITING, "1 of 2 pods are ready"),
    (
        {"replicas": 2, "updateStrategy": _ROLLING},
        {"readyReplicas": 2, "updatedReplicas": 1, **_NEW},
        Stage.WAITING,
        "1 of 2 pods are new",
    ),
    (
        {"replicas": 2, "updateStrategy": _ROLLING},
        {"readyReplicas": 2, "updatedReplicas": 2, **_NEW},
        Stage.WAITING,
        "newest revision",
    ),
    ({"replicas": 2, "updateStrategy": _ROLLING}, {"readyReplicas": 2, **_SAME}, Stage.COMPLETE, "all pods"),
    # Without a rollout updatedReplicas may be left out.
    ({"updateStrategy": _ROLLING}, {"readyReplicas": 1, **_SAME}, Stage.COMPLETE, "all pods"),
    (
        {"replicas": 3, "updateStrategy": {**_ROLLING, "rollingUpdate": {"partition": 2}}},
        {"readyReplicas": 3, "updatedReplicas": 1, **_NEW},
        Stage.MANUAL,
        "partition 2",
    ),
    (
        {"replicas": 3, "updateStrategy": {**_ROLLING, "rollingUpdate": {"partition": 2}}},
        {"readyReplicas": 3, **_NEW},
        Stage.WAITING,
        "0 of 1 pods are new",
    ),
    ({"replicas": 2, "updateStrategy": {"type": "OnDelete"}}, {"readyReplicas": 2, **_NEW}, Stage.MANUAL, "2 old pods"),
    (
        {"replicas": 2, "updateStrategy": {"type": "OnDelete"}},
        {"readyReplicas": 2, "updatedReplicas": 2, **_NEW},
        Stage.COMPLETE,
        "all pods",
    ),
    ({"replicas": 0, "updateStrategy": _ROLLING}, _SAME, Stage.COMPLETE, "all pods"),
)

DAEMON_SETS: t.Final = (
    ({"updateStrategy": _ROLLING}, {"desiredNumberScheduled": 2, "updatedNumberScheduled": 1}, Stage.WAITING, "1 of 2"),
    (
        {"updateStrategy": _ROLLING},
        {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 1},
        Stage.WAITING,
        "1 of 2 pods are available",
    ),
    (
        {"updateStrategy": _ROLLING},
        {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 2},
        Stage.COMPLETE,
        "all pods",
    ),
    ({"updateStrategy": {"type": "OnDelete"}}, {"desiredNumberScheduled": 2}, Stage.MANUAL, "2 old pods"),
    ({"updateStrategy": _ROLLING}, {}, Stage.COMPLETE, "all pods"),
)

CASES: t.Final = [
    *(("Deployment", *case) for case in DEPLOYMENTS),
    *(("StatefulSet", *case) for case in STATEFUL_SETS),
    *(("DaemonSet", *case) for case in DAEMON_SETS),
]


@pytest.mark.parametrize(("kind", "spec", "status", "stage", "words"), CASES)
def test_a_workload_is_judged_as_kubectl_does(kind: str, spec: Json, status: Json, stage: Stage, words: str) -> None:
    progress = progress_of(kind, workload(spec, status))
    assert (progress.stage, words in progress.message) == (stage, True), progress
    assert 0 <= progress.ready <= max(progress.wanted, progress.ready)


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
def test_a_status_that_is_older_than_the_change_says_nothing(kind: str) -> None:
    done = {
        "replicas": 1,
        "updatedReplicas": 1,
        "availableReplicas": 1,
        "readyReplicas": 1,
        "desiredNumberScheduled": 1,
        "updatedNumberScheduled": 1,
        "numberAvailable": 1,
        "currentRevision": "a",
        "updateRevision": "a",
    }
    assert progress_of(kind, workload({"replicas": 1}, done)).stage is Stage.COMPLETE
    progress = progress_of(kind, workload({"replicas": 1}, done, generation=3))
    assert (progress.stage, progress.ready) == (Stage.WAITING, 0)
    assert progress_of(kind, {"metadata": {"generation": 1}, "spec": {"replicas": 1}}).stage is Stage.WAITING


_COUNT = st.integers(0, 5)


@given(wanted=_COUNT, total=_COUNT, updated=_COUNT, available=_COUNT)
def test_a_deployment_is_complete_only_when_no_pod_is_old_or_missing(
    wanted: int, total: int, updated: int, available: int
) -> None:
    status = {"replicas": total, "updatedReplicas": updated, "availableReplicas": available}
    progress = progress_of("Deployment", workload({"replicas": wanted}, status))
    whole = updated >= wanted and total <= updated and available >= updated
    assert (progress.stage is Stage.COMPLETE) is whole
    assert progress.ready <= updated


@given(wanted=_COUNT, updated=_COUNT, ready=_COUNT, partition=_COUNT, same=st.booleans())
def test_a_stateful_set_with_old_pods_is_never_complete(
    wanted: int, updated: int, ready: int, partition: int, same: bool
) -> None:
    spec = {"replicas": wanted, "updateStrategy": {**_ROLLING, "rollingUpdate": {"partition": partition}}}
    status = {"updatedReplicas": updated, "readyReplicas": ready, **(_SAME if same else _NEW)}
    progress = progress_of("StatefulSet", workload(spec, status))
    if progress.stage is Stage.COMPLETE:
        assert ready >= wanted
        assert same or updated >= wanted
    if progress.stage is Stage.MANUAL:
        assert partition > 0


_DONE: t.Final = {"conditions": [{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}]}
_UNDER_WAY: t.Final = {"conditions": [{"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated"}]}


@pytest.mark.parametrize(
    ("kind", "status", "finished"),
    [
        ("Deployment", {"replicas": 1, "updatedReplicas": 1, **_DONE}, True),
        ("Deployment", {"replicas": 1, "updatedReplicas": 1, **_UNDER_WAY}, False),
        ("Deployment", {"replicas": 1, "updatedReplicas": 1}, False),
        ("Deployment", {"replicas": 2, "updatedReplicas": 1, **_DONE}, False),
        ("StatefulSet", {"readyReplicas": 0, **_SAME}, True),
        ("StatefulSet", {"readyReplicas": 1, **_NEW}, False),
        ("DaemonSet", {"desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberAvailable": 2}, True),
        ("DaemonSet", {"desiredNumberScheduled": 3, "updatedNumberScheduled": 1, "numberAvailable": 2}, False),
        ("DaemonSet", {"desiredNumberScheduled": 1, "updatedNumberScheduled": 1}, False),
        ("DaemonSet", {}, True),
    ],
)
def test_a_rollout_that_came_to_its_end_is_told_from_one_that_did_not(kind: str, status: Json, finished: bool) -> None:
    assert was_finished(kind, workload({"replicas": 1}, status)) is finished
    assert not was_finished(kind, workload({"replicas": 1}, status, generation=3))


# --- pods -------------------------------------------------------------------------------------------------------------


def pod(*containers: Json, init: t.Sequence[Json] = (), **status: t.Any) -> Json:
    return {
        "metadata": {"name": "p-0", "namespace": "m", "uid": "u"},
        "spec": {"containers": [{"name": "prometheus"}]},
        "status": {"containerStatuses": list(containers), "initContainerStatuses": list(init), **status},
    }


def container(
    state: Json, *, name: str = "prometheus", ready: bool = False, restarts: int = 0, last: Json | None = None
) -> Json:
    return {
        "name": name,
        "state": state,
        "ready": ready,
        "restartCount": restarts,
        "lastState": {"terminated": last} if last else {},
    }


def waiting(reason: str, message: str = "", **more: t.Any) -> Json:
    return container({"waiting": {"reason": reason, "message": message}}, **more)


ENDED: t.Final = {"exitCode": 1, "reason": "Error"}
KILLED: t.Final = {"exitCode": 137, "reason": "OOMKilled"}

TROUBLES: t.Final = (
    (pod(waiting("CrashLoopBackOff", restarts=1, last=ENDED)), Urgency.LATE, "exit code 1, 1 restarts"),
    (pod(waiting("CrashLoopBackOff", restarts=3, last=ENDED)), Urgency.NOW, "ends again and again"),
    (pod(container({"running": {}}, restarts=4, last=KILLED)), Urgency.NOW, "OOMKilled"),
    (pod(container({"terminated": ENDED})), Urgency.LATE, "ended (exit code 1)"),
    (pod(container({"terminated": {**ENDED, "message": "why"}})), Urgency.LATE, "why"),
    (pod(waiting("ImagePullBackOff", "no such image")), Urgency.SOON, "ImagePullBackOff: no such image"),
    (pod(waiting("InvalidImageName")), Urgency.NOW, "InvalidImageName"),
    (pod(waiting("CreateContainerConfigError", "no secret")), Urgency.SOON, "no secret"),
    (pod(waiting("ContainerCreating")), Urgency.LATE, "ContainerCreating"),
    (pod(container({"running": {}})), Urgency.LATE, "runs but is not ready"),
    (pod(phase="Failed", reason="Evicted", message="disk"), Urgency.SOON, "Evicted: disk"),
    (pod(phase="Pending"), Urgency.LATE, "is not ready yet"),
    (
        pod(conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "full"}]),
        Urgency.LATE,
        "finds no node (Unschedulable: full)",
    ),
    (
        pod(waiting("PodInitializing"), init=[waiting("CrashLoopBackOff", name="init", restarts=5, last=ENDED)]),
        Urgency.NOW,
        "the container init",
    ),
)


@pytest.mark.parametrize(("found", "urgency", "words"), TROUBLES)
def test_a_pod_in_trouble_says_which(found: Json, urgency: Urgency, words: str) -> None:
    trouble = trouble_of(found, "prometheus")
    assert trouble is not None
    assert trouble.urgency is urgency
    assert words in trouble.sentence()


def test_a_pod_that_is_ready_or_going_is_in_no_trouble() -> None:
    crashing = waiting("CrashLoopBackOff", restarts=9, last=ENDED)
    assert trouble_of(pod(crashing, conditions=[{"type": "Ready", "status": "True"}]), "prometheus") is None
    going = pod(crashing)
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert trouble_of(going, "prometheus") is None


def test_the_most_urgent_trouble_counts_and_then_that_of_prometheus() -> None:
    sidecar, own = waiting("ErrImagePull", name="sidecar"), waiting("ErrImagePull")
    found = trouble_of(pod(sidecar, own), "prometheus")
    assert found is not None
    assert found.container == "prometheus"
    urgent = waiting("InvalidImageName", name="sidecar")
    found = trouble_of(pod(own, urgent), "prometheus")
    assert found is not None
    assert found.container == "sidecar"


@given(restarts=st.integers(0, 20))
def test_a_crash_becomes_a_failure_after_some_starts(restarts: int) -> None:
    found = trouble_of(pod(waiting("CrashLoopBackOff", restarts=restarts, last=ENDED)), "prometheus")
    assert found is not None
    assert (found.urgency is Urgency.NOW) is (restarts >= CRASHES_UNTIL_FAILURE)


# --- which template a pod was made from -------------------------------------------------------------------------------


TEMPLATE: t.Final[Json] = {
    "metadata": {"labels": {"app": "p"}, "annotations": {"a": "1"}},
    "spec": {
        "serviceAccountName": "sa",
        "containers": [{"name": "prometheus", "image": "i", "env": [{"name": "AWS_ROLE_ARN", "value": "r"}]}],
        "volumes": [{"name": "token", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}],
    },
}


def made(**spec: t.Any) -> Json:
    """A pod of the template, to which admission and controllers have added."""
    env = [{"name": "ADDED", "value": "x"}, {"name": "AWS_ROLE_ARN", "value": "r"}]
    own = {"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}}
    return {
        "metadata": {
            "name": "p",
            "labels": {"app": "p", "pod-template-hash": "h"},
            "annotations": {"a": "1", "b": "2"},
        },
        "spec": {
            "serviceAccountName": "sa",
            "containers": [{"name": "istio"}, {"name": "prometheus", "image": "mirror/i", "env": env}],
            "volumes": [
                {"name": "token", "projected": {"sources": [own], "defaultMode": 420}},
                {"name": "kube-api-access-x"},
            ],
            **spec,
        },
    }


def test_what_admission_adds_does_not_make_a_pod_another_s() -> None:
    assert made_from(made(), TEMPLATE, "prometheus")


@pytest.mark.parametrize(
    "change",
    [
        {"serviceAccountName": "other"},
        {"volumes": []},
        {"containers": [{"name": "prometheus", "env": [{"name": "AWS_ROLE_ARN", "value": "other"}]}]},
        {"containers": [{"name": "prometheus"}]},
        {"volumes": [{"name": "token", "projected": {"sources": []}}]},
    ],
)
def test_an_older_pod_is_told_from_a_new_one(change: Json) -> None:
    assert not made_from(made(**change), TEMPLATE, "prometheus")


def test_annotations_and_labels_tell_too() -> None:
    found = made()
    found["metadata"]["annotations"]["a"] = "0"
    assert not made_from(found, TEMPLATE, "prometheus")
    found = made()
    del found["metadata"]["labels"]["app"]
    assert not made_from(found, TEMPLATE, "prometheus")
