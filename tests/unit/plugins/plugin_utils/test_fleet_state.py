# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts of a fleet's run."""

from __future__ import annotations

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.plugin_utils._fleet_state import (
    Deed,
    Ending,
    FleetState,
    Rhythm,
    duration,
)

LAST = Deed(is_last=True)
AKS = Deed(waits_for_aks=True, step="aks_oidc_issuer")


@pytest.fixture
def state() -> FleetState:
    return FleetState(clusters=4, start=100.0)


def test_at_first_nothing_is_done(state: FleetState) -> None:
    assert state.line(100.0) == "0 of 4 clusters done; 0s"


def test_a_cluster_is_done_after_its_last_task(state: FleetState) -> None:
    state.ended("a", Deed(), Ending())
    assert state.counts(101.0) == "0 of 4 clusters done"
    state.ended("a", LAST, Ending())
    assert state.counts(101.0) == "1 of 4 clusters done"


def test_a_failed_cluster_is_done_and_counts_once(state: FleetState) -> None:
    for _unused in range(2):
        state.ended("a", Deed(), Ending(failed=True))
    state.ended("a", LAST, Ending())
    assert state.counts(101.0) == "1 of 4 clusters done, 1 failed"


def test_waiting_on_aks_begins_after_some_seconds(state: FleetState) -> None:
    state.started("a", AKS, 100.0)
    state.started("b", AKS, 103.0)
    state.started("c", Deed(), 100.0)
    assert state.line(104.9) == "0 of 4 clusters done; at step aks_oidc_issuer; 4s"
    assert state.line(105.0) == "0 of 4 clusters done, 1 waiting on AKS; at step aks_oidc_issuer; 5s"
    state.ended("a", AKS, Ending())
    assert "waiting" not in state.counts(107.0)
    assert ", 1 waiting on AKS" in state.counts(108.0)


def test_an_operation_that_goes_on_is_waited_for(state: FleetState) -> None:
    state.started("a", AKS, 100.0)
    state.ended("a", AKS, Ending(operating=True))
    state.started("a", Deed(step="aks_oidc_issuer"), 104.0)
    state.ended("a", Deed(step="aks_oidc_issuer"), Ending())
    state.started("a", AKS, 106.0)
    assert ", 1 waiting on AKS" in state.counts(106.0)
    state.ended("a", AKS, Ending())
    assert "waiting" not in state.counts(120.0)


@pytest.mark.parametrize("step", ["", "iam_web_identity"])
def test_who_goes_on_to_the_next_step_does_not_wait(state: FleetState, step: str) -> None:
    state.started("a", AKS, 100.0)
    state.ended("a", AKS, Ending(operating=True))
    state.started("a", Deed(step=step), 106.0)
    assert "waiting" not in state.counts(107.0)


def test_what_check_mode_would_change_has_drifted(state: FleetState) -> None:
    state.ended("a", Deed(), Ending(changed=True, planned=True))
    state.ended("a", Deed(), Ending(changed=True, planned=True))
    assert state.counts(101.0) == "0 of 4 clusters done, 1 drifted so far"


def test_a_real_run_changes(state: FleetState) -> None:
    state.ended("a", Deed(), Ending(changed=True))
    assert state.counts(101.0) == "0 of 4 clusters done, 1 changed so far"


def test_when_the_play_is_over_all_are_done_and_none_waits(state: FleetState) -> None:
    state.started("a", AKS, 100.0)
    state.ended("b", AKS, Ending(changed=True))
    state.ended("c", AKS, Ending(failed=True))
    assert state.over().line(180.0) == "4 of 4 clusters done, 1 changed, 1 failed; 1m20s"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.9, "0s"), (59.9, "59s"), (60, "1m00s"), (3599, "59m59s"), (7500, "2h05m")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_line_is_due_when_there_is_news_and_else_now_and_then() -> None:
    rhythm = Rhythm(patience=3)
    ticks = [rhythm.is_due(counts) for counts in ("1", "2", "2", "2", "2", "2", "3", "3")]
    assert ticks == [True, True, False, False, True, False, True, False]
