# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Following a rollout: looking at workload and pods until all is new and ready, and asking Prometheus to reload."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import POD, ObjectReference
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.prometheus_objects import Rollout
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.prometheus_trouble import Stuck, in_minutes
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_judge import (
    Progress,
    Stage,
    Trouble,
    Urgency,
    is_going,
    is_ready,
    made_from,
    progress_of,
    trouble_of,
    was_finished,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_loaded import Likeness
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_logs import clean
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_subject import (
    RolloutStatus,
    StatusState,
    Subject,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_way import (
    RELOAD_ANNOTATION,
    RELOAD_DUE,
    Endpoint,
    Way,
    endpoint_of,
    reload_mark,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._waiting import Patience

if t.TYPE_CHECKING:
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube import KubeClient
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube_http import Answer
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Context

Json = dict[str, t.Any]

#: How long, in seconds, a trouble that may pass is watched: an image that is pushed late, a quota that is raised.
GRACE_SECONDS: t.Final = 60.0
#: How long a refused reload is repeated: a role or its trust policy may not be known everywhere yet.
REFUSED_SECONDS: t.Final = 60.0
#: How long a changed configuration may take to reach running pods: the kubelet looks once a minute, and its cache of
#: the object may be as old (https://kubernetes.io/docs/concepts/configuration/configmap/#mounted-configmaps-are-updated-automatically).
SYNC_SECONDS: t.Final = 150.0
#: How long a Prometheus that does not answer through the API server is asked.
SILENT_SECONDS: t.Final = 20.0
#: How often the mark of a reload that is due is tried to be written against other writers.
MARK_ATTEMPTS: t.Final = 3

_READY: t.Final = "All pods are ready."
_FINISHED: t.Final = "No rollout is under way."
_FIRST_DELAY: t.Final = 1.0
_LONGEST_DELAY: t.Final = 10.0


class Follower:
    """Follows one subject. ``limit`` is the seconds for all of it, beginning now."""

    def __init__(self, client: KubeClient, context: Context, subject: Subject, limit: float) -> None:
        self._client = client
        self._context = context
        self._subject = subject
        self._limit = limit
        self._end = context.monotonic() + limit
        self._warnings: list[str] = []
        self._found: dict[ObjectReference, Json] = {}

    def follow(self, consequence: Rollout, workloads: t.Mapping[ObjectReference, Json]) -> RolloutStatus:
        """Wait for the rollout's end. ``workloads`` holds those that the run has read, as they were then.

        Raises Stuck when it does not come to it.
        """
        if self._subject.parent is not None and consequence is not Rollout.NONE:
            self._await_operator()
        resumed = consequence is Rollout.NONE
        progress = [
            self._await_workload(reference, workloads.get(reference), resumed=resumed)
            for reference in self._subject.workloads
        ]
        ready, wanted = sum(item.ready for item in progress), sum(item.wanted for item in progress)
        waiting = [
            f"{reference}: {item.message}"
            for reference, item in zip(self._subject.workloads, progress, strict=True)
            if item.stage is Stage.MANUAL
        ]
        if waiting:
            return self._status(StatusState.WAITING, f"{'; '.join(waiting)}.", ready, wanted)
        done = "The pods were replaced and are ready." if consequence is Rollout.RESTART else _READY
        if any(item.stage is not Stage.COMPLETE for item in progress):
            done = _FINISHED
        state = StatusState.COMPLETE
        if consequence is Rollout.RELOAD and self._subject.way is Way.RESTART:
            done, state = "The pods must be restarted to follow the configuration.", StatusState.WAITING
        due = consequence is Rollout.RELOAD or (consequence is Rollout.NONE and self._subject.due)
        if due and self._subject.way in (Way.LIFECYCLE, Way.RELOADER) and wanted:
            loaded = _Loading(self._client, self._subject, self._context, self._end, self._found).bring()
            self._warnings += loaded.warnings
            done, state = loaded.done, loaded.state
        return self._status(state, done, ready, wanted)

    def _status(self, state: StatusState, done: str, ready: int, wanted: int) -> RolloutStatus:
        return RolloutStatus(state, done, ready, wanted, tuple(self._warnings))

    # --- the operator -------------------------------------------------------------------------------------------------

    def _await_operator(self) -> None:
        """Until the operator has brought its workloads up to the newest state of the resource."""
        parent = self._subject.parent
        if parent is None:
            return
        begun = self._context.monotonic()
        refused = ""

        def reconciled() -> bool | None:
            nonlocal refused
            found = self._client.get(parent)
            if found is None:
                raise Stuck(f"{parent} was deleted while its rollout was followed")
            condition = _reconciled(found)
            if condition is None:
                return True if self._workloads_say_so() else None
            if condition.get("status") == "True":
                return True
            if int(condition.get("observedGeneration") or 0) < int(found["metadata"].get("generation") or 0):
                return None
            refused = str(condition.get("message") or condition.get("reason") or "")
            if self._context.monotonic() - begun >= GRACE_SECONDS:
                raise Stuck(
                    f"The operator can't bring {parent} about: {refused}",
                    about=parent,
                    about_uid=str(found["metadata"].get("uid") or ""),
                )
            return None

        if _until(self._context, self._end, reconciled) is None:
            told = f": {refused}" if refused else ""
            raise Stuck(
                f"The Prometheus operator has not taken up the change of {parent} within "
                f"{in_minutes(self._limit)}{told}",
                fix="Look whether the operator runs and watches the namespace.",
            )

    def _workloads_say_so(self) -> bool:
        """Whether the workloads of an operator that keeps no conditions have the environment that was asked for."""
        for reference in self._subject.workloads:
            found = self._client.get(reference)
            if found is None:
                return False
            containers = found["spec"]["template"]["spec"]["containers"]
            variables = {
                item["name"]: item.get("value")
                for container in containers
                if container["name"] == self._subject.container
                for item in container.get("env") or ()
            }
            if any(variables.get(name) != value for name, value in self._subject.environment.items()):
                return False
        return True

    # --- workloads ----------------------------------------------------------------------------------------------------

    def _await_workload(self, reference: ObjectReference, read: Json | None, *, resumed: bool) -> Progress:
        """Until all its pods are new and ready, or somebody has to act.

        A run that changed nothing waits only for a rollout that did not come to its end: pods that got into trouble
        later are no concern of it.
        """
        watch = _Watch(self._client, self._subject, self._context, reference)
        seen: list[Json] = [read] if read is not None else []

        def finished() -> Progress | None:
            found = seen.pop() if seen else self._client.get(reference)
            if found is None:
                if self._subject.parent is not None:
                    return None
                raise Stuck(f"{reference} was deleted while its rollout was followed")
            self._found[reference] = found
            progress = progress_of(reference.kind.name, found)
            if progress.stage in (Stage.COMPLETE, Stage.MANUAL):
                return progress
            if resumed and was_finished(reference.kind.name, found):
                return progress
            watch.look(found, progress)
            return None

        progress = _until(self._context, self._end, finished)
        if progress is not None:
            self._warnings += watch.warnings
            return progress
        raise watch.out_of_time(self._limit)


AnswerT = t.TypeVar("AnswerT")


def _until(context: Context, end: float, attempt: t.Callable[[], AnswerT | None]) -> AnswerT | None:
    """The first answer before ``end``. An API server that is out of reach or overloaded for a while is asked again.

    Raises its last error when it was so at the end.
    """
    failures: list[errors.CloudError] = []

    def tolerant() -> AnswerT | None:
        try:
            answer = attempt()
        except errors.CloudError as error:
            if not isinstance(error, errors.Unreachable) and error.status < 500 and error.status != 429:
                raise
            failures[:] = [error]
            return None
        failures.clear()
        return answer

    left = max(0.0, end - context.monotonic())
    answer = Patience(left, _FIRST_DELAY, _LONGEST_DELAY, context.sleep, context.monotonic).until(tolerant)
    if answer is None and failures:
        raise failures[0]
    return answer


class _Watch:
    """What the pods of a workload show while it is not finished."""

    def __init__(self, client: KubeClient, subject: Subject, context: Context, reference: ObjectReference) -> None:
        self._client = client
        self._subject = subject
        self._context = context
        self._reference = reference
        self._since: dict[tuple[str, str, str], float] = {}
        self._pods: list[Json] = []
        self._uid = ""
        self._progress: Progress | None = None
        self._latest: list[tuple[Trouble, Json]] = []  # one at most
        self._may_list = True
        self.warnings: list[str] = []

    def look(self, workload: Json, progress: Progress) -> None:
        """Look at the pods. Raises Stuck for what does not pass by itself."""
        self._progress = progress
        self._uid = str(workload["metadata"].get("uid") or "")
        self._pods = self._list(workload)
        troubles = list(self._troubles(workload))
        order = (Urgency.NOW, Urgency.SOON, Urgency.LATE)
        troubles.sort(key=lambda item: order.index(item[0].urgency))
        self._latest = troubles[:1]
        if progress.stage is Stage.FAILED:
            raise self._stuck(f"{self._reference} {_without_it(progress.message)}")
        for trouble, pod in troubles:
            if trouble.urgency is Urgency.NOW or self._lasts(trouble):
                raise self._stuck("", trouble, pod)
        refusal = progress.refusal
        if refusal and not troubles and self._lasts(_of_workload(refusal)):
            raise self._stuck(f"The pods of {self._reference} can't be made: {refusal}")

    def out_of_time(self, limit: float) -> Stuck:
        """What to say when the time is up."""
        if self._latest:
            return self._stuck("")
        told = self._progress.message if self._progress is not None else "it does not exist yet"
        return self._stuck(f"The rollout of {self._reference} is not finished after {in_minutes(limit)}: {told}")

    def _stuck(self, message: str, trouble: Trouble | None = None, pod: Json | None = None) -> Stuck:
        if trouble is None and self._latest:
            trouble, pod = self._latest[0]
        return Stuck(
            message,
            trouble=trouble,
            pod=pod,
            about=self._reference,
            about_uid=self._uid,
            running=sum(is_ready(one) and not is_going(one) for one in self._pods),
            notes=self.warnings,
            fix="" if trouble is None or trouble.reason != _BLOCKING else f"Delete {trouble.pod} and rerun.",
        )

    def _lasts(self, trouble: Trouble) -> bool:
        if trouble.urgency is not Urgency.SOON:
            return False
        key = (trouble.pod, trouble.container, trouble.reason)
        now = self._context.monotonic()
        return now - self._since.setdefault(key, now) >= GRACE_SECONDS

    def _list(self, workload: Json) -> list[Json]:
        if not self._may_list:
            return []
        try:
            return pods_of(self._client, self._reference, workload)
        except errors.Forbidden as error:
            self._may_list = False
            self.warnings.append(f"The pods of {self._reference} could not be looked at. {error.fix}".strip())
            return []

    def _troubles(self, workload: Json) -> t.Iterator[tuple[Trouble, Json]]:
        template, container = workload["spec"]["template"], self._subject.container
        ordered = self._reference.kind.name == "StatefulSet" and (
            workload["spec"].get("podManagementPolicy") != "Parallel"
        )
        for pod in self._pods:
            trouble = trouble_of(pod, container)
            if trouble is None:
                continue
            if made_from(pod, template, container):
                yield trouble, pod
            elif ordered:
                yield _blocking(trouble), pod


_BLOCKING: t.Final = "Blocking"


def _blocking(trouble: Trouble) -> Trouble:
    """https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback"""
    return dataclasses.replace(
        trouble,
        container="",
        reason=_BLOCKING,
        message="has the pod template from before and is not ready, and a StatefulSet replaces no pod before all are",
        urgency=Urgency.SOON,
        crashed=False,
    )


def _of_workload(refusal: str) -> Trouble:
    return Trouble("", "", "ReplicaFailure", refusal, Urgency.SOON)


def _without_it(message: str) -> str:
    return message.removeprefix("it ")


def _reconciled(found: t.Mapping[str, t.Any]) -> t.Mapping[str, t.Any] | None:
    """The condition in which the operator says how far it is; older operators keep none."""
    conditions = (found.get("status") or {}).get("conditions") or ()
    condition = next((item for item in conditions if item.get("type") == "Reconciled"), None)
    if condition is None:
        return None
    seen = int(condition.get("observedGeneration") or 0)
    if seen < int(found["metadata"].get("generation") or 0):
        return {**condition, "status": "Unknown"}
    return t.cast("t.Mapping[str, t.Any]", condition)


def selector_text(selector: t.Mapping[str, t.Any]) -> str:
    """A workload's selector as a list request takes it."""
    parts = [f"{name}={value}" for name, value in sorted((selector.get("matchLabels") or {}).items())]
    for item in selector.get("matchExpressions") or ():
        key, operator, values = item["key"], item["operator"], ",".join(item.get("values") or ())
        texts = {
            "In": f"{key} in ({values})",
            "NotIn": f"{key} notin ({values})",
            "Exists": key,
            "DoesNotExist": f"!{key}",
        }
        parts.append(texts[operator])
    return ",".join(parts)


def pods_of(client: KubeClient, reference: ObjectReference, workload: t.Mapping[str, t.Any]) -> list[Json]:
    """The pods of a workload, old ones too, by its selector. Raises Forbidden without the right to list pods."""
    namespace = reference.namespace or ""
    pods = client.list_in(POD, namespace, labels=selector_text(workload["spec"]["selector"]))
    if reference.kind.name == "Deployment":  # between which and its pods there are replica sets
        return pods
    uid = workload["metadata"].get("uid")
    return [pod for pod in pods if any(o.get("uid") == uid for o in pod["metadata"].get("ownerReferences") or ())]


@dataclasses.dataclass(frozen=True)
class _Loaded:
    """Whether the running Prometheus has loaded the configuration."""

    done: str
    state: StatusState = StatusState.COMPLETE
    warnings: tuple[str, ...] = ()


def _is_own_answer(method: str, answer: Answer) -> bool:
    """Whether it is Prometheus that answers, and not the API server for it. A refused reload is its 500, which
    kubectl words as an error of the server's."""
    if method == "GET":
        return answer.status == 200
    return answer.status in (200, 403, 405, 500) and answer.reason in ("", "InternalError")


class _Silent(Exception):
    """A Prometheus does not answer through the API server. The message says how that shows."""


_BY_HAND: t.Final = "Otherwise POST to its path /-/reload in about a minute, when its pods see the new file."


class _Loading:
    """Brings the Prometheus in each pod to load the configuration that was written."""

    def __init__(
        self,
        client: KubeClient,
        subject: Subject,
        context: Context,
        end: float,
        workloads: t.Mapping[ObjectReference, Json],
    ) -> None:
        self._client = client
        self._subject = subject
        self._context = context
        self._workloads = workloads
        self._begun = context.monotonic()
        self._end = end
        self._asks = subject.way is Way.LIFECYCLE
        self._refused: dict[str, float] = {}
        self._silent: dict[str, float] = {}
        self._marked = False
        self._may_mark = True

    def bring(self) -> _Loaded:
        """Raises Stuck when Prometheus refuses the configuration, or does not show it in time.

        When it does not show it at the first look, or could not be asked, the configuration's object is marked until it
        does: so a run that ends before, however it ends, is continued by the next one.
        """
        try:
            loaded = self._bring()
        except errors.Forbidden as error:
            loaded = self._untold(error.fix)
        except _Silent as silence:
            loaded = self._untold(f"Prometheus does not answer through the API server ({silence}).")
        if loaded.state is StatusState.WAITING:
            self._mark(RELOAD_DUE)
        elif self._subject.due or self._marked:
            self._mark(None)
        return loaded

    def _mark(self, value: str | None) -> None:
        """Set or remove the mark. It helps later runs only, so this one does not fail for it."""
        place = self._subject.marked
        if place is None or not self._may_mark:
            return
        for _attempt in range(MARK_ATTEMPTS):
            try:
                found = self._client.get(place)
                if found is None or reload_mark(found) == value:
                    self._marked |= found is not None and value is not None
                    return
                body: Json = {"metadata": {"annotations": {RELOAD_ANNOTATION: value}}}
                self._client.merge_patch(place, body, resource_version=str(found["metadata"]["resourceVersion"]))
                self._marked = True
            except errors.Interrupted:
                self._marked = True  # the write may have been done
                continue
            except errors.Conflict:
                continue
            except errors.Unreachable:
                self._marked = True  # so that it is looked for when all is done
                return
            except errors.Forbidden:
                self._may_mark = False
                return
            except errors.CloudError:
                return
            return

    def _untold(self, why: str) -> _Loaded:
        """The configuration is written and nothing speaks against it, but nobody could look."""
        name = self._subject.name
        if not self._asks:
            return _Loaded(
                "The config reloader loads the configuration.",
                warnings=(f"The config reloader of {name} loads the new configuration in about a minute. {why}",),
            )
        return _Loaded(
            "Prometheus must be asked to reload.",
            StatusState.WAITING,
            (f"{name} has not been asked to reload its configuration. {why} {_BY_HAND}",),
        )

    def _pods(self) -> list[tuple[Json, Endpoint]]:
        found: list[tuple[Json, Endpoint]] = []
        for reference, workload in self._workloads.items():
            endpoint = endpoint_of(workload["spec"]["template"], self._subject.container)
            if endpoint.local_only:
                raise _Silent("it listens on its pod's loopback address only")
            pods = pods_of(self._client, reference, workload)
            found += [(pod, endpoint) for pod in pods if not is_going(pod)]
        return found

    def _bring(self) -> _Loaded:
        begun = self._context.monotonic()
        pods: dict[str, tuple[Json, Endpoint]] = {}
        loaded: set[str] = set()

        def all_loaded() -> bool | None:
            if not pods:
                pods.update({str(pod["metadata"]["name"]): (pod, endpoint) for pod, endpoint in self._pods()})
            loaded.update(name for name in pods if name not in loaded and self._has_loaded(*pods[name]))
            if len(loaded) == len(pods):
                return True
            if not (self._subject.due or self._marked):
                self._mark(RELOAD_DUE)
            return None

        if _until(self._context, self._end, all_loaded):
            return _Loaded("Prometheus has loaded the configuration.")
        limit = self._end - begun
        name, (pod, _endpoint) = next((name, found) for name, found in pods.items() if name not in loaded)
        what = f"The Prometheus in pod {name} has not loaded the configuration that {self._subject.name} shall have"
        how = "although it was asked to" if self._asks else "and its config reloader is to see to it"
        raise Stuck(
            f"{what} after {in_minutes(limit)}, {how}",
            pod=pod,
            running=len(pods),
            fix="Look at the logs of Prometheus and of its reloader, and whether --config.file is the file that is "
            "mounted.",
        )

    def _has_loaded(self, pod: Json, endpoint: Endpoint) -> bool:
        """Ask one pod's Prometheus, if that is the way, and see what it has loaded."""
        name = str(pod["metadata"]["name"])
        before = self._likeness(pod, endpoint)
        if before is None:
            return self._gone(name)
        likeness, told_apart = before
        if likeness is Likeness.SAME and (told_apart or not self._asks):
            return True
        if not self._asks:
            return likeness is Likeness.SIMILAR and self._seconds() >= SYNC_SECONDS
        if not self._reload(pod, endpoint):
            return False
        after = self._likeness(pod, endpoint)
        if after is None:
            return self._gone(name)
        likeness, told_apart = after
        if likeness is Likeness.SAME and told_apart:
            return True
        # What differs is written in a form of Prometheus' own, or is a setting that is gone: time tells.
        return likeness is not Likeness.OTHER and self._seconds() >= SYNC_SECONDS

    def _gone(self, name: str) -> bool:
        """A pod that is not there any more has nothing to load; one that does not answer is asked again."""
        return name not in self._silent

    def _seconds(self) -> float:
        return self._context.monotonic() - self._begun

    def _likeness(self, pod: Json, endpoint: Endpoint) -> tuple[Likeness, bool] | None:
        """How much what is loaded is like what shall be, and whether it can't be what was before."""
        answer = self._ask("GET", pod, endpoint, "/api/v1/status/config", "reading the configuration that is loaded in")
        if answer is None:
            return None
        data = answer.body.get("data")
        text = data.get("yaml") if isinstance(data, dict) else None
        if not isinstance(text, str):
            raise _Silent("what answers on its port is no Prometheus")
        return self._subject.expected.likeness(text), self._subject.expected.is_told_from_former(text)

    def _reload(self, pod: Json, endpoint: Endpoint) -> bool:
        name = str(pod["metadata"]["name"])
        answer = self._ask("POST", pod, endpoint, "/-/reload", "reloading the configuration of")
        if answer is None:
            return False
        if answer.status == 200:
            self._refused.pop(name, None)
            return True
        if answer.status != 500:
            raise _Silent(f"it refuses to be asked: {clean(answer.text)}")
        first = self._refused.setdefault(name, self._context.monotonic())
        if self._context.monotonic() - first >= REFUSED_SECONDS:
            raise Stuck("", refusal=answer.text or f"HTTP {answer.status}", pod=pod, running=1)
        return False

    def _ask(self, method: str, pod: Json, endpoint: Endpoint, path: str, doing: str) -> Answer | None:
        """The answer of Prometheus; None for the moment without one, or when the pod is gone."""
        name, namespace = str(pod["metadata"]["name"]), str(pod["metadata"]["namespace"])
        reference = POD.at(name, namespace)
        way = endpoint.path(namespace, name, path)
        answer: Answer | None = None
        try:
            answer = self._client.ask_pod(method, reference, way, f"{doing} {reference}")
            reason = clean(answer.message or answer.text) or f"HTTP {answer.status}"
            silent = not _is_own_answer(method, answer)
        except errors.Unreachable as error:
            reason, silent = error.detail, True
        if not silent:
            self._silent.pop(name, None)
            return answer
        if answer is not None and answer.status == 404 and answer.reason == "NotFound":
            self._silent.pop(name, None)
            return None
        first = self._silent.setdefault(name, self._context.monotonic())
        if self._context.monotonic() - first >= SILENT_SECONDS:
            raise _Silent(reason)
        return None
