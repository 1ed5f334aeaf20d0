# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import (
    Action,
    ApplyFailed,
    Change,
    Outcome,
    Plan,
    Retry,
    converge,
)

Values = dict[str, int]


class Race(Exception):
    """Another writer was faster; ``advised`` is the service's advice in seconds."""

    advised: float | None = None


class Silence(Race):
    """A write without an answer."""


@dataclasses.dataclass
class Register:
    """A resource that sets numbers; ``races`` says after how many writes another writer comes in between."""

    stored: Values
    wanted: Values
    races: list[Values] = dataclasses.field(default_factory=list)
    fail_on: str = ""
    reads: int = 0
    writes: int = 0

    def read(self) -> Values:
        self.reads += 1
        return dict(self.stored)

    def plan(self, current: Values) -> Plan[tuple[str, int], Values]:
        changes = tuple(
            Change(
                action=Action.UPDATE if name in current else Action.CREATE,
                kind="number",
                name=name,
                summary=f"Set {name} to {value}.",
                before={"value": current[name]} if name in current else None,
                after={"value": value},
                operation=(name, value),
            )
            for name, value in sorted(self.wanted.items())
            if current.get(name) != value
        )
        return Plan(changes, {**current, **self.wanted}, warnings=("watch out",) if changes else ())

    def apply(self, change: Change[tuple[str, int]], current: Values) -> Values:
        if self.races:
            self.stored.update(self.races.pop(0))
            raise Race
        name, value = change.operation
        if name == self.fail_on:
            raise RuntimeError("no")
        self.writes += 1
        self.stored[name] = value
        return {**current, name: value}


def run(register: Register, *, check_mode: bool = False, slept: list[float] | None = None) -> Outcome[Values]:
    return converge(
        register,
        check_mode=check_mode,
        retry=Retry(
            is_conflict=lambda error: isinstance(error, Race),
            delay_of=lambda _: None,
            sleep=(slept if slept is not None else []).append,
            attempts=3,
        ),
    )


numbers = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 3))


@given(stored=numbers, wanted=numbers)
def test_check_mode_predicts_what_a_real_run_does(stored: Values, wanted: Values) -> None:
    checked = Register(dict(stored), wanted)
    predicted = run(checked, check_mode=True)
    assert checked.writes == 0
    assert checked.stored == stored
    real = Register(dict(stored), wanted)
    applied = run(real)
    assert applied.changes == predicted.changes
    assert applied.state == predicted.state == real.stored
    assert run(real).changes == ()


@dataclasses.dataclass
class Rehearsed(Register):
    """A register whose service judges a plan: it adds a number of its own, is overtaken, or refuses."""

    overtaken: list[Values] = dataclasses.field(default_factory=list)
    refusal: str = ""
    rehearsals: int = 0

    def rehearse(self, plan: Plan[tuple[str, int], Values]) -> Plan[tuple[str, int], Values]:
        self.rehearsals += 1
        if self.overtaken:
            self.stored.update(self.overtaken.pop(0))
            raise Race
        if self.refusal:
            raise RuntimeError(self.refusal)
        return dataclasses.replace(
            plan, predicted={**plan.predicted, "z": 9}, warnings=(*plan.warnings, "the service adds z")
        )


def test_check_mode_shows_what_the_service_says_of_the_plan() -> None:
    register = Rehearsed({"a": 1}, {"a": 2})
    outcome = run(register, check_mode=True)
    assert (outcome.state, outcome.warnings) == ({"a": 2, "z": 9}, ("watch out", "the service adds z"))
    assert (register.rehearsals, register.writes, register.stored) == (1, 0, {"a": 1})


def test_nothing_is_rehearsed_without_changes_or_in_a_real_run() -> None:
    converged, real = Rehearsed({"a": 1}, {"a": 1}), Rehearsed({"a": 1}, {"a": 2})
    assert run(converged, check_mode=True).state == {"a": 1}
    assert run(real).state == {"a": 2}
    assert (converged.rehearsals, real.rehearsals) == (0, 0)


def test_a_rehearsal_that_is_overtaken_is_planned_anew() -> None:
    slept: list[float] = []
    register = Rehearsed({"a": 1, "b": 1}, {"a": 2, "b": 2}, overtaken=[{"b": 2}, {"a": 7}])
    outcome = run(register, check_mode=True, slept=slept)
    assert [change.before for change in outcome.changes] == [{"value": 7}]
    assert (register.reads, len(slept)) == (3, 2)
    endless = Rehearsed({"a": 1}, {"a": 2}, overtaken=[{"b": 1}] * 9)
    with pytest.raises(Race):
        run(endless, check_mode=True)


def test_what_the_service_refuses_in_a_rehearsal_is_raised() -> None:
    with pytest.raises(RuntimeError, match="not allowed"):
        run(Rehearsed({}, {"a": 1}, refusal="not allowed"), check_mode=True)


@dataclasses.dataclass
class Judged(Register):
    """A register whose plans a program judges: it warns, or refuses the number 13."""

    judged: list[int] = dataclasses.field(default_factory=list)

    def judge(self, current: Values, plan: Plan[tuple[str, int], Values]) -> tuple[str, ...]:
        assert current == self.stored
        self.judged.append(self.writes)
        if 13 in plan.predicted.values():
            raise RuntimeError("not thirteen")
        return ("looks odd",)


@pytest.mark.parametrize("check_mode", [True, False])
def test_every_plan_with_changes_is_judged_before_it_is_written(check_mode: bool) -> None:
    register = Judged({}, {"a": 1})
    assert run(register, check_mode=check_mode).warnings == ("watch out", "looks odd")
    assert register.judged == [0]
    raced = Judged({}, {"a": 1, "b": 2}, races=[{"z": 9}])
    assert run(raced, check_mode=check_mode).changes
    assert len(raced.judged) == (1 if check_mode else 2)
    refused = Judged({}, {"a": 13})
    with pytest.raises(RuntimeError, match="not thirteen"):
        run(refused, check_mode=check_mode)
    assert refused.writes == 0
    converged = Judged({"a": 13}, {"a": 13})
    run(converged, check_mode=check_mode)
    assert converged.judged == []


def test_a_converged_resource_is_read_once_and_never_written() -> None:
    register = Register({"a": 1}, {"a": 1})
    assert run(register).changes == ()
    assert (register.reads, register.writes) == (1, 0)


def test_a_lost_race_is_planned_anew_and_keeps_the_other_writers_change() -> None:
    register = Register({}, {"a": 1, "b": 2}, races=[{"z": 9, "a": 1}])
    slept: list[float] = []
    outcome = run(register, slept=slept)
    assert [change.name for change in outcome.changes] == ["b"]
    assert register.stored == {"a": 1, "b": 2, "z": 9}
    assert len(slept) == 1
    assert outcome.warnings == ("watch out",)


def test_a_race_that_never_ends_is_reported_in_the_end() -> None:
    register = Register({}, {"a": 1}, races=[{"z": value} for value in range(20)])
    with pytest.raises(ApplyFailed) as failure:
        run(register)
    assert isinstance(failure.value.__cause__, Race)
    assert failure.value.done == ()


def test_a_failure_says_what_was_done_before_it() -> None:
    register = Register({}, {"a": 1, "b": 2, "c": 3}, fail_on="b")
    with pytest.raises(ApplyFailed) as failure:
        run(register)
    assert [change.name for change in failure.value.done] == ["a"]
    assert failure.value.failed.name == "b"
    # A rerun repairs.
    register.fail_on = ""
    assert [change.name for change in run(register).changes] == ["b", "c"]


def test_the_diff_of_each_kind_of_change() -> None:
    def change(before: dict[str, int] | str | None, after: dict[str, int] | str | None) -> dict[str, object]:
        return Change(Action.UPDATE, "thing", "x", "Change x.", before, after, None).diff()

    assert change(None, {"a": 1}) == {
        "before_header": "thing x",
        "after_header": "thing x",
        "before": {},
        "after": {"a": 1},
    }
    assert change({"a": 1}, None)["after"] == {}
    assert change(None, "text")["before"] == ""
    assert change("old", "new")["before"] == "old"


def test_a_reread_that_fails_after_a_lost_race_still_says_what_was_done() -> None:
    class Vanishing(Register):
        def apply(self, change: Change[tuple[str, int]], current: Values) -> Values:
            if change.name == "b":
                self.races = [{}]
            return super().apply(change, current)

        def read(self) -> Values:
            if self.reads:
                raise RuntimeError("gone")
            return super().read()

    with pytest.raises(ApplyFailed) as failure:
        run(Vanishing({}, {"a": 1, "b": 2}))
    assert [change.name for change in failure.value.done] == ["a"]
    assert str(failure.value.__cause__) == "gone"


# A budget of time


class Clock:
    def __init__(self, seconds: float) -> None:
        self.left = seconds
        self.naps: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.left -= seconds

    def seconds_left(self) -> float:
        return self.left


def run_within(register: Register, clock: Clock) -> Outcome[Values]:
    return converge(
        register,
        check_mode=False,
        retry=Retry(
            is_conflict=lambda error: isinstance(error, Race),
            delay_of=lambda error: error.advised if isinstance(error, Race) else None,
            is_uncertain=lambda error: isinstance(error, Silence),
            sleep=clock.sleep,
            seconds_left=clock.seconds_left,
            attempts=3,
            delay=10.0,
        ),
    )


def test_with_a_budget_races_are_retried_as_often_as_time_allows() -> None:
    clock = Clock(600.0)
    outcome = run_within(Register({}, {"a": 1}, races=[{"z": value} for value in range(40)]), clock)
    assert [change.name for change in outcome.changes] == ["a"]
    assert clock.naps == [10.0] * 40


def test_a_budget_ends_races_that_never_end_and_is_never_overdrawn() -> None:
    clock = Clock(25.0)
    with pytest.raises(ApplyFailed) as failure:
        run_within(Register({}, {"a": 1}, races=[{"z": value} for value in range(40)]), clock)
    assert clock.naps == [10.0, 10.0, 5.0]
    assert failure.value.uncertain is False


class Advising(Register):
    """The service says how long to wait after a lost race."""

    seconds = 0.0

    def apply(self, change: Change[tuple[str, int]], current: Values) -> Values:
        try:
            return super().apply(change, current)
        except Race as race:
            race.advised = self.seconds
            raise


def test_the_services_advice_is_honoured() -> None:
    register = Advising({}, {"a": 1}, races=[{"z": 1}])
    register.seconds = 42.0
    clock = Clock(600.0)
    run_within(register, clock)
    assert clock.naps == [42.0]


def test_advice_that_exceeds_the_budget_ends_the_run_at_once() -> None:
    register = Advising({}, {"a": 1}, races=[{"z": 1}])
    register.seconds = 42.0
    clock = Clock(41.0)
    with pytest.raises(ApplyFailed):
        run_within(register, clock)
    assert clock.naps == []


# Writes without an answer


class Silent(Register):
    """Answers none of its first writes; ``done`` says which of them were done all the same."""

    done: list[bool]

    def apply(self, change: Change[tuple[str, int]], current: Values) -> Values:
        if not self.done:
            return super().apply(change, current)
        if self.done.pop(0):
            super().apply(change, current)
        raise Silence


def silent(*done: bool) -> Silent:
    register = Silent({}, {"a": 1, "b": 2})
    register.done = list(done)
    return register


@pytest.mark.parametrize("done", [[True], [False], [False, True], [True, False], [True, True]])
def test_a_write_without_an_answer_is_reported_exactly_once(done: list[bool]) -> None:
    register = silent(*done)
    outcome = run_within(register, Clock(600.0))
    assert [change.name for change in outcome.changes] == ["a", "b"]
    assert register.stored == {"a": 1, "b": 2}
    assert register.writes == 2


class Parts(Silent):
    """The numbers are parts of one object."""

    def plan(self, current: Values) -> Plan[tuple[str, int], Values]:
        planned = super().plan(current)
        changes = (dataclasses.replace(change, name="all", part=change.name) for change in planned.changes)
        return dataclasses.replace(planned, changes=tuple(changes))


@given(done=st.lists(st.booleans(), max_size=3))
def test_a_write_without_an_answer_is_told_from_those_to_other_parts_of_its_object(done: list[bool]) -> None:
    register = Parts({}, {"a": 1, "b": 2})
    register.done = done
    outcome = run_within(register, Clock(600.0))
    assert [change.part for change in outcome.changes] == ["a", "b"]
    assert register.writes == 2


@dataclasses.dataclass(frozen=True)
class Rewrite:
    """A whole document, put in the place of the version that was read."""

    document: Values
    version: int


class Refusal(Exception):
    """The service refuses a write for good."""


@dataclasses.dataclass
class Shared:
    """A document into which others write whenever nobody looks. ``stored`` says what became of the first writes, none
    of which is answered; the next one is answered, or ``refused``."""

    stored: list[bool]
    refused: bool
    document: Values = dataclasses.field(default_factory=lambda: {"z": 0})
    version: int = 0
    made: int = 0

    def read(self) -> Rewrite:
        return Rewrite(dict(self.document), self.version)

    def plan(self, current: Rewrite) -> Plan[Rewrite, Rewrite]:
        if "a" in current.document:
            return Plan((), current)
        after = Rewrite({**current.document, "a": 1}, current.version)
        summary = f"Add a beside {current.document['z']}."
        change = Change(Action.UPDATE, "document", "x", summary, current.document, after.document, after)
        return Plan((change,), after)

    def apply(self, change: Change[Rewrite], current: Rewrite) -> Rewrite:  # noqa: ARG002  # the protocol
        assert change.operation.version == self.version
        if not self.stored and self.refused:
            raise Refusal
        if not self.stored or self.stored[0]:
            self.document, self.version = dict(change.operation.document), self.version + 1
            self.made += 1
        if self.stored:
            self.stored.pop(0)
            raise Silence
        return self.read()

    def sleep(self, _seconds: float) -> None:
        self.document["z"] += 1
        self.version += 1


def told(shared: Shared) -> tuple[int, bool]:
    """How many changes a run reports, and whether it tells of a doubt."""
    retry = Retry(
        is_conflict=lambda error: isinstance(error, Race),
        delay_of=lambda _: None,
        is_uncertain=lambda error: isinstance(error, Silence),
        sleep=shared.sleep,
        attempts=3,
    )
    try:
        return len(converge(shared, check_mode=False, retry=retry).changes), False
    except ApplyFailed as failure:
        return len(failure.done), failure.uncertain


@given(stored=st.lists(st.booleans(), max_size=3), refused=st.booleans())
def test_a_write_in_doubt_counts_as_made_only_when_it_was_however_often_others_write(
    stored: list[bool], refused: bool
) -> None:
    made = any(stored) or not refused
    shared = Shared(list(stored), refused)
    assert told(shared) == (int(made), bool(stored) and not made)
    assert shared.made == int(made)


class Late(Silent):
    """Shows what it has done after ``hidden`` further reads only; until then a repetition is a lost race."""

    hidden = 2

    def read(self) -> Values:
        found = super().read()
        if self.reads > 1 and self.hidden:
            self.hidden -= 1
            return {}
        return found

    def apply(self, change: Change[tuple[str, int]], current: Values) -> Values:
        if change.name in self.stored:
            raise Race
        return super().apply(change, current)


def test_a_write_in_doubt_that_is_shown_late_is_reported_all_the_same() -> None:
    register = Late({}, {"a": 1, "b": 2})
    register.done = [True]
    outcome = run_within(register, Clock(600.0))
    assert [change.name for change in outcome.changes] == ["a", "b"]
    assert register.writes == 2


def test_a_doubt_that_was_not_settled_is_told_with_another_error() -> None:
    register = Late({}, {"a": 1})
    register.done, register.hidden = [True], 99
    with pytest.raises(ApplyFailed) as failure:
        run_within(register, Clock(30.0))
    assert isinstance(failure.value.__cause__, Race)
    assert not isinstance(failure.value.__cause__, Silence)
    assert failure.value.uncertain is True


def test_a_service_that_never_answers_is_given_up_on_and_the_doubt_is_told() -> None:
    clock = Clock(600.0)
    with pytest.raises(ApplyFailed) as failure:
        run_within(silent(*[False] * 20), clock)
    assert failure.value.uncertain is True
    assert len(clock.naps) == 3


def test_the_doubt_is_told_when_not_even_a_look_is_possible() -> None:
    class Vanishing(Silent):
        def read(self) -> Values:
            if self.reads:
                raise RuntimeError("gone")
            return super().read()

    register = Vanishing({}, {"a": 1})
    register.done = [True]
    with pytest.raises(ApplyFailed) as failure:
        run_within(register, Clock(600.0))
    assert failure.value.uncertain is True
