# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting is bounded, backs off, and never sleeps past its limit."""

from __future__ import annotations

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._waiting import Patience, pause_after_lost_race


class Clock:
    def __init__(self) -> None:
        self.now = 100.0
        self.naps: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds

    def monotonic(self) -> float:
        return self.now


def patience(clock: Clock, limit: float) -> Patience:
    return Patience(limit, first=1, longest=4, sleep=clock.sleep, monotonic=clock.monotonic)


def test_an_answer_at_once_costs_no_sleep() -> None:
    clock = Clock()
    assert patience(clock, 10).until(lambda: "here") == "here"
    assert clock.naps == []


def test_the_delay_doubles_up_to_its_bound_and_ends_at_the_limit() -> None:
    clock = Clock()
    assert patience(clock, 12).until(lambda: None) is None
    assert clock.naps == [1, 2, 4, 4, 1]


def test_a_listed_exception_is_retried_until_it_ends() -> None:
    clock = Clock()
    failures = [KeyError("one"), KeyError("two")]

    def attempt() -> int:
        if failures:
            raise failures.pop()
        return 7

    assert patience(clock, 60).retry(attempt, KeyError) == 7
    assert clock.naps == [1, 2]


def test_the_last_exception_is_raised_at_the_limit_and_others_at_once() -> None:
    clock = Clock()

    def missing() -> int:
        raise KeyError("still missing")

    with pytest.raises(KeyError, match="still missing"):
        patience(clock, 3).retry(missing, KeyError)
    assert sum(clock.naps) == 3
    with pytest.raises(KeyError):
        patience(clock, 3).retry(missing, ValueError)
    assert sum(clock.naps) == 3


def test_after_a_lost_race_the_services_advice_is_followed() -> None:
    assert pause_after_lost_race("7") == 7.0


@pytest.mark.parametrize("retry_after", ["", "Sun, 29 Nov 2026 10:00:00 GMT", "-1"])
def test_after_a_lost_race_without_advice_the_pauses_differ(retry_after: str) -> None:
    pauses = [pause_after_lost_race(retry_after) for _again in range(20)]
    assert all(0.5 <= pause <= 5.0 for pause in pauses)
    assert len(set(pauses)) > 1
