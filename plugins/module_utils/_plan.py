# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read, plan, apply: the one way in which every resource of the collection is handled.

``plan`` is a pure function of what is there and what is wished for. Check mode reports the plan, a real run executes
that same plan, and the diff is made from it, so the three can't disagree. Nothing here imports the collection.
"""

from __future__ import annotations

import dataclasses
import enum
import typing as t

# A document before or after a change: structured data, or text that is shown line by line.
Document: t.TypeAlias = "t.Mapping[str, object] | str"

OperationT = t.TypeVar("OperationT")
CurrentT = t.TypeVar("CurrentT")


class Action(enum.Enum):
    """What a change does to its object."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


class Told(enum.Enum):
    """What tells who changed something last."""

    FIELD = "field"  # the service notes who set that field
    OBJECT = "object"  # it notes who wrote the object, which may have been another change
    TAG = "tag"  # a tag of the object names its keeper


@dataclasses.dataclass(frozen=True)
class LastChange:
    """Who changed an object last: a client, a tool or a person by the name that the service has for it.

    ``when`` is a time in ISO 8601, UTC, empty where none is told.
    """

    who: str
    when: str
    how: Told

    def report(self) -> dict[str, str]:
        """As a module returns it."""
        return {"who": self.who, "when": self.when, "how": self.how.value}


@dataclasses.dataclass(frozen=True)
class Change(t.Generic[OperationT]):
    """One write and what it does.

    ``kind`` and ``name`` identify the object for people ("IAM role", "AKS-Prometheus-AMP-Role"), ``summary`` says in
    one sentence what is changed and why. ``before`` is None for a creation, ``after`` for a deletion. ``operation``
    is what the resource's ``apply`` executes, ``last_changed_by`` whom the service names, if it does. ``part`` names
    what of the object is written where a plan may have several operations of one type for it, empty elsewhere.
    """

    action: Action
    kind: str
    name: str
    summary: str
    before: Document | None
    after: Document | None
    operation: OperationT
    last_changed_by: LastChange | None = None
    part: str = ""

    def diff(self) -> dict[str, object]:
        """This change as Ansible shows it under ``--diff``."""
        empty: Document = "" if isinstance(self.before or self.after, str) else {}
        header = f"{self.kind} {self.name}"
        return {
            "before_header": header,
            "after_header": header,
            "before": empty if self.before is None else self.before,
            "after": empty if self.after is None else self.after,
        }

    def report(self) -> dict[str, object]:
        """This change as a module returns it: ``action``, ``kind``, ``name``, ``summary``, and ``last_changed_by``
        where it is known."""
        known = {} if self.last_changed_by is None else {"last_changed_by": self.last_changed_by.report()}
        return {"action": self.action.value, "kind": self.kind, "name": self.name, "summary": self.summary, **known}


@dataclasses.dataclass(frozen=True)
class Plan(t.Generic[OperationT, CurrentT]):
    """The changes in the order in which they are made, and the state that they lead to.

    ``predicted`` is what is there afterwards; what only the service can know is ``federation.KNOWN_AFTER_APPLY``.
    """

    changes: tuple[Change[OperationT], ...]
    predicted: CurrentT
    warnings: tuple[str, ...] = ()


class Resource(t.Protocol[OperationT, CurrentT]):
    """What a resource must offer to be converged."""

    def read(self) -> CurrentT:
        """Read everything that the decision needs; the only I/O before it."""

    def plan(self, current: CurrentT) -> Plan[OperationT, CurrentT]:
        """Decide; pure."""

    def apply(self, change: Change[OperationT], current: CurrentT) -> CurrentT:
        """Execute one change under its precondition and return what is there then.

        Raises an exception for which ``is_conflict`` is true when another writer was faster.
        """


@t.runtime_checkable
class Judging(t.Protocol[OperationT, CurrentT]):
    """A resource whose plans a program judges before anything is written, in check mode and outside of it."""

    def judge(self, current: CurrentT, plan: Plan[OperationT, CurrentT]) -> tuple[str, ...]:
        """What the program warns of. Raises what it refuses. Asked only about a plan with changes."""


@t.runtime_checkable
class Rehearsing(t.Protocol[OperationT, CurrentT]):
    """A resource whose service judges writes without making them."""

    def rehearse(self, plan: Plan[OperationT, CurrentT]) -> Plan[OperationT, CurrentT]:
        """The plan with the state that the service predicts, and what it warns of. Raises what the service refuses,
        and as ``apply`` does when another writer was faster.
        """


@dataclasses.dataclass(frozen=True)
class Outcome(t.Generic[CurrentT]):
    """What happened, or in check mode would happen."""

    changes: tuple[Change[t.Any], ...]
    state: CurrentT
    warnings: tuple[str, ...] = ()


class ApplyFailed(Exception):
    """A write failed. ``done`` lists the changes that were made before it; ``__cause__`` is the failure.

    ``uncertain`` is true when nobody knows whether the failed change was made all the same.
    """

    def __init__(self, done: tuple[Change[t.Any], ...], failed: Change[t.Any], *, uncertain: bool = False) -> None:
        super().__init__(failed.summary)
        self.done = done
        self.failed = failed
        self.uncertain = uncertain


@dataclasses.dataclass(frozen=True)
class Retry:
    """How lost races are retried: with a new plan, ``delay`` seconds later unless the service says when.

    Without ``seconds_left`` there are at most ``attempts`` new plans, with growing delays. With it, a resource that
    others may keep busy for long gives its own budget: races are retried until no second is left. A write of which
    nobody knows whether it was done (``is_uncertain``) is looked into ``attempts`` times in either case.
    """

    is_conflict: t.Callable[[Exception], bool]
    delay_of: t.Callable[[Exception], float | None]
    sleep: t.Callable[[float], None]
    is_uncertain: t.Callable[[Exception], bool] = lambda _: False
    seconds_left: t.Callable[[], float] | None = None
    attempts: int = 6
    delay: float = 2.0

    def pause(self, error: Exception, races: int, doubts: int) -> float | None:
        """Seconds until the next plan after this many lost races and writes in doubt; None to give up."""
        if not self.is_conflict(error) or doubts > self.attempts:
            return None
        advised = self.delay_of(error)
        if self.seconds_left is None:
            return None if races > self.attempts else self.delay * races if advised is None else advised
        left = self.seconds_left()
        if left <= 0 or (advised is not None and advised > left):
            return None
        return min(self.delay, left) if advised is None else advised


def converge(resource: Resource[OperationT, CurrentT], *, check_mode: bool, retry: Retry) -> Outcome[CurrentT]:
    """Read, plan and, outside check mode, apply; a lost race reads and plans again instead of forcing anything.

    A write in doubt counts as made when a later plan no longer asks for it. In check mode the plan is rehearsed where
    the service can do that, so that what the service would refuse is refused then.
    """
    if check_mode:
        return _predict(resource, retry)
    current = resource.read()
    plan = _decide(resource, current)
    done: list[Change[OperationT]] = []
    warnings = plan.warnings
    doubted: list[Change[OperationT]] = []
    races = doubts = 0
    while plan.changes:
        current, lost = _execute(resource, plan, current, done)
        if lost is None:
            break
        races += 1
        uncertain = retry.is_uncertain(lost.error)
        doubts += uncertain
        # What a service shows late is asked for again in between, so a doubt outlives the next plan.
        doubted = [change for change in doubted if not _among(done, change) and not _same(change, lost.change)] + (
            [lost.change] if uncertain or _among(doubted, lost.change) else []
        )
        pause = retry.pause(lost.error, races, doubts)
        if pause is None:
            raise ApplyFailed(tuple(done), lost.change, uncertain=bool(doubted)) from lost.error
        try:
            retry.sleep(pause)
            current = resource.read()
            plan = _decide(resource, current)
        except Exception as error:
            raise ApplyFailed(tuple(done), lost.change, uncertain=bool(doubted)) from error
        done += [change for change in doubted if not _among(plan.changes, change)]
        doubted = [change for change in doubted if _among(plan.changes, change)]
        warnings += tuple(warning for warning in plan.warnings if warning not in warnings)
    return Outcome(tuple(done), current, warnings)


def _decide(resource: Resource[OperationT, CurrentT], current: CurrentT) -> Plan[OperationT, CurrentT]:
    """The plan, with what is said against it."""
    plan = resource.plan(current)
    if isinstance(resource, Judging) and plan.changes:
        plan = dataclasses.replace(plan, warnings=(*plan.warnings, *resource.judge(current, plan)))
    return plan


def _predict(resource: Resource[OperationT, CurrentT], retry: Retry) -> Outcome[CurrentT]:
    """What the plan would lead to. A rehearsal that meets another writer's change is planned anew."""
    races = 0
    while True:
        plan = _decide(resource, resource.read())
        try:
            if isinstance(resource, Rehearsing) and plan.changes:
                plan = resource.rehearse(plan)
        except Exception as error:  # the retry decides by kind, and all but lost races are raised
            races += 1
            pause = retry.pause(error, races, 0)
            if pause is None:
                raise
            retry.sleep(pause)
        else:
            return Outcome(plan.changes, plan.predicted, plan.warnings)


def _same(one: Change[OperationT], other: Change[OperationT]) -> bool:
    """Whether both are the same write on the same object, whatever it looked like before."""
    return _identity(one) == _identity(other)


def _identity(change: Change[OperationT]) -> tuple[str, str, str, type[OperationT]]:
    """Neither the operation nor the sentence: they hold versions, documents and values that others may have changed."""
    return change.kind, change.name, change.part, type(change.operation)


def _among(changes: t.Iterable[Change[OperationT]], change: Change[OperationT]) -> bool:
    return any(_same(change, other) for other in changes)


@dataclasses.dataclass(frozen=True)
class _Failure:
    """A change that could not be made."""

    change: Change[t.Any]
    error: Exception


def _execute(
    resource: Resource[OperationT, CurrentT],
    plan: Plan[OperationT, CurrentT],
    current: CurrentT,
    done: list[Change[OperationT]],
) -> tuple[CurrentT, _Failure | None]:
    """Make a plan's changes in order, entering each into ``done``, up to the first that fails."""
    for change in plan.changes:
        try:
            current = resource.apply(change, current)
        except Exception as error:  # the caller decides by kind, and raises all but lost races
            return current, _Failure(change, error)
        done.append(change)
    return current, None
