# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The running Prometheus follows what was written, or the cause is said, or what was there before is put back.

Each run that waits judges the workload, whether it changed something or not: what an earlier run left unfinished is
followed to its end. Nothing is followed in check mode.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import POD, ObjectReference
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import Judging
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.prometheus_follow import Follower, pods_of
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.prometheus_objects import Rollout
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.prometheus_trouble import (
    Report,
    Reporter,
    Stuck,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_judge import (
    is_going,
    is_ready,
    made_from,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_subject import (
    RolloutMode,
    RolloutStatus,
    RolloutWish,
    StatusState,
    Subject,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_undo import (
    Written,
    is_untouched,
    undo_patch,
)

if t.TYPE_CHECKING:
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube import KubeClient
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import Change, Outcome, Plan, Resource
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Context

Json = dict[str, t.Any]
OperationT = t.TypeVar("OperationT")
CurrentT = t.TypeVar("CurrentT")
#: The objects in what a resource has read, by their references; None for one that is not there.
Objects: t.TypeAlias = "t.Mapping[ObjectReference, Json | None]"

_ATTEMPTS: t.Final = 5
_DELAY_SECONDS: t.Final = 2.0


class RolloutFailed(errors.CheckFailed):
    """The changes were made, and the running Prometheus does not follow them. ``facts`` has the result all the same."""

    def __init__(self, message: str, *, fix: str, facts: t.Mapping[str, object]) -> None:
        super().__init__(message, facts=facts)
        self.fix = fix


class Journal(t.Generic[OperationT, CurrentT]):
    """A resource that remembers its objects as they were before the run's first write to each, and after the last."""

    def __init__(self, resource: Resource[OperationT, CurrentT], objects: t.Callable[[CurrentT], Objects]) -> None:
        self._resource = resource
        self._objects = objects
        self._written: dict[ObjectReference, Written] = {}

    @property
    def written(self) -> tuple[Written, ...]:
        """In the order of the writes."""
        return tuple(self._written.values())

    def read(self) -> CurrentT:
        return self._resource.read()

    def plan(self, current: CurrentT) -> Plan[OperationT, CurrentT]:
        return self._resource.plan(current)

    def judge(self, current: CurrentT, plan: Plan[OperationT, CurrentT]) -> tuple[str, ...]:
        return self._resource.judge(current, plan) if isinstance(self._resource, Judging) else ()

    def apply(self, change: Change[OperationT], current: CurrentT) -> CurrentT:
        state = self._resource.apply(change, current)
        before, after = self._objects(current), self._objects(state)
        for reference, found in after.items():
            former = before.get(reference)
            if found is None or former is None or found is former:
                continue
            first = self._written[reference].before if reference in self._written else former
            self._written[reference] = Written(reference, first, found)
        return state


@dataclasses.dataclass(frozen=True)
class Following(t.Generic[CurrentT]):
    """How a rollout is followed: ``consequence`` says what changes mean, ``objects`` what of the state is written.

    ``resumes`` is false for a removal: without a change it is no concern of it how Prometheus runs.
    ``subject`` gives what to follow; None when there is nothing, because the workload is gone. It is given the state at
    the end and the objects that the run wrote.
    """

    wish: RolloutWish
    consequence: t.Callable[[t.Iterable[Change[t.Any]]], Rollout]
    objects: t.Callable[[CurrentT], Objects]
    subject: t.Callable[[CurrentT, t.Sequence[Written]], Subject | None]
    facts: t.Callable[[CurrentT], t.Mapping[str, object]]
    resumes: bool = True


def converge(
    client: KubeClient,
    context: Context,
    resource: Resource[OperationT, CurrentT],
    following: Following[CurrentT],
) -> tuple[Outcome[CurrentT], RolloutStatus]:
    """Bring the resource about, and Prometheus to follow it.

    Raises what :meth:`Context.converge` does, and RolloutFailed.
    """
    if context.check_mode:
        outcome = context.converge(resource)
        return outcome, RolloutStatus(StatusState.SKIPPED, "Nothing is followed in check mode.")
    journal = Journal(resource, following.objects)
    outcome = context.converge(journal)
    subject = following.subject(outcome.state, journal.written)
    if subject is None:
        return outcome, RolloutStatus(StatusState.SKIPPED, "There is no workload to follow.")
    consequence = following.consequence(outcome.changes)
    if consequence is Rollout.NONE and not following.resumes and not subject.due:
        return outcome, RolloutStatus(StatusState.SKIPPED, "Nothing changed.")
    if not following.wish.follows:
        return outcome, _not_followed(following.wish, subject, consequence)
    try:
        found = {name: body for name, body in following.objects(outcome.state).items() if body is not None}
        status = Follower(client, context, subject, following.wish.limit).follow(consequence, found)
    except Stuck as stuck:
        end = _End(client, context, following, outcome, journal.written, subject)
        raise end.failure(Reporter(client, subject).report(stuck), stuck) from None
    except errors.AksAmpError as error:
        if not outcome.changes:
            raise
        end = _End(client, context, following, outcome, journal.written, subject)
        raise end.unwatched(error) from error
    return dataclasses.replace(outcome, warnings=(*outcome.warnings, *status.warnings)), status


def _not_followed(wish: RolloutWish, subject: Subject, consequence: Rollout) -> RolloutStatus:
    if wish.mode is RolloutMode.NONE:
        return RolloutStatus(StatusState.SKIPPED, "The running Prometheus was left alone (rollout: none).")
    if consequence is Rollout.NONE:
        return RolloutStatus(StatusState.SKIPPED, "Nobody looked (wait: false).")
    return RolloutStatus(StatusState.WAITING, f"Look at it with '{_look(subject)}'.")


def _look(subject: Subject) -> str:
    """The command that shows how far the rollout is."""
    place = subject.workloads[0]
    return f"kubectl rollout status {place.kind.name.lower()}/{place.name} --namespace {place.namespace}"


class _End(t.Generic[CurrentT]):
    """The end of a run whose rollout failed."""

    def __init__(
        self,
        client: KubeClient,
        context: Context,
        following: Following[CurrentT],
        outcome: Outcome[CurrentT],
        written: tuple[Written, ...],
        subject: Subject,
    ) -> None:
        self._client = client
        self._context = context
        self._following = following
        self._outcome = outcome
        self._written = written
        self._subject = subject

    def failure(self, report: Report, stuck: Stuck) -> RolloutFailed:
        """The error that says the cause first, then what was seen, then how things stand."""
        back = self._put_back() if self._following.wish.rollback and self._written else None
        stand = [_how_it_stands(stuck, self._subject)] if back is None else [*back.sentences]
        message = " ".join(part for part in (report.cause, *report.details, *stand) if part)
        fix = report.fix
        if back is None and self._written:
            fix = f"{fix} {_GO_BACK}".strip()
        status = {
            "state": "failed",
            "ready": stuck.running,
            "done": report.cause,
            "events": list(report.events),
            "log": list(report.log),
            "rolled_back": back is not None and back.complete,
        }
        return RolloutFailed(message, fix=fix, facts=self._facts(status, undone=back is not None and back.complete))

    def unwatched(self, error: errors.AksAmpError) -> RolloutFailed:
        """The error of a run that could not look any more."""
        message = f"The changes were made, but the rollout of {self._subject.name} can't be followed: {error.message}"
        status = {"state": "unknown", "done": error.message, "rolled_back": False}
        return RolloutFailed(message, fix=error.fix, facts=self._facts(status, undone=False))

    def _facts(self, status: t.Mapping[str, object], *, undone: bool) -> Json:
        changes = () if undone else self._outcome.changes
        return {
            **self._following.facts(self._outcome.state),
            "rollout": self._following.consequence(self._outcome.changes).value,
            "rollout_status": dict(status),
            "changed": bool(changes),
            "changes": [change.report() for change in changes],
            "diff": [change.diff() for change in changes],
        }

    # --- putting back -------------------------------------------------------------------------------------------------

    def _put_back(self) -> _Back:
        """What was there before the run, in the order in which it was written, and wait for Prometheus to follow."""
        sentences: list[str] = []
        complete = True
        now: dict[ObjectReference, Json] = {}
        for one in self._written:
            try:
                found = self._restored(one)
            except errors.AksAmpError as error:
                sentences.append(f"{one.reference} could not be put back: {error.message}")
                complete = False
                continue
            if found is None:
                sentences.append(f"{one.reference} was changed by somebody since and is left as it is.")
                complete = False
            else:
                now[one.reference] = found
        unseen = {f"{change.kind} {change.name}" for change in self._outcome.changes}
        unseen -= {str(one.reference) for one in self._written}
        if unseen:
            sentences.append(
                f"No clear answer came to the write of {', '.join(sorted(unseen))}, so it is not put back."
            )
            complete = False
        sentences += self._await(now)
        if complete:
            sentences.insert(0, "What was there before is put back.")
        return _Back(tuple(sentences), complete)

    def _restored(self, written: Written) -> Json | None:
        """The object after it was put back; None when somebody changed what the run had written."""
        patch, put_back = undo_patch(written), Written(written.reference, written.after, written.before)
        for attempt in range(_ATTEMPTS):
            found = self._client.get(written.reference)
            if attempt and found is not None and is_untouched(found, put_back):
                return found  # by the attempt before, whose outcome was open
            if found is None or not is_untouched(found, written):
                return None
            if not patch:
                return found
            try:
                return self._client.merge_patch(
                    written.reference, patch, resource_version=str(found["metadata"]["resourceVersion"])
                )
            except errors.Conflict:
                if attempt == _ATTEMPTS - 1:
                    raise
                self._context.sleep(_DELAY_SECONDS)
        return None

    def _await(self, now: t.Mapping[ObjectReference, Json]) -> list[str]:
        """Follow the rollout of what was put back. Gives sentences about what goes wrong with that."""
        if not now:
            return []
        back = [one for one in self._written if one.reference in now]
        reversed_ = [Written(one.reference, one.after, now[one.reference]) for one in back]
        subject = self._following.subject(self._outcome.state, reversed_)
        if subject is None:
            return []
        # What the operator's workloads are recognised by is what was taken back.
        subject = dataclasses.replace(subject, environment={})
        replaced = any(reference in subject.workloads or reference == subject.parent for reference in now)
        consequence = Rollout.RESTART if replaced else Rollout.RELOAD
        told: list[str] = []
        try:
            for reference in subject.workloads:
                if reference in now and reference.kind.name == "StatefulSet":
                    told += self._free(reference, now[reference])
            status = Follower(self._client, self._context, subject, self._following.wish.limit).follow(consequence, {})
        except Stuck as stuck:
            report = Reporter(self._client, subject).report(stuck)
            return [*told, f"But the pods do not follow that either: {report.cause}"]
        except errors.AksAmpError as error:
            return [*told, f"It can't be followed whether the pods do: {error.message}"]
        return [*told, *status.warnings, status.done]

    def _free(self, reference: ObjectReference, stateful_set: Json) -> list[str]:
        """Delete the pods for which an ordered stateful set would wait for ever.

        https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback
        """
        if stateful_set["spec"].get("podManagementPolicy") == "Parallel":
            return []
        told: list[str] = []
        template, container = stateful_set["spec"]["template"], self._subject.container
        for pod in pods_of(self._client, reference, stateful_set):
            if is_ready(pod) or is_going(pod) or made_from(pod, template, container):
                continue
            name, metadata = POD.at(str(pod["metadata"]["name"]), str(pod["metadata"]["namespace"])), pod["metadata"]
            try:
                self._client.delete(name, uid=str(metadata["uid"]), resource_version=str(metadata["resourceVersion"]))
            except errors.Forbidden as error:
                told.append(f"{name} keeps {reference} from going back, and must be deleted. {error.fix}")
        return told


@dataclasses.dataclass(frozen=True)
class _Back:
    """What became of putting back."""

    sentences: tuple[str, ...]
    complete: bool


_GO_BACK: t.Final = "Rerun when that is mended; with state: absent the change is taken back."


def _how_it_stands(stuck: Stuck, subject: Subject) -> str:
    if not stuck.running:
        return f"No pod of {subject.name} is ready."
    pods = "1 pod of {} is" if stuck.running == 1 else f"{stuck.running} pods of {{}} are"
    return f"{pods.format(subject.name)} ready."
