# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that is killed at a random moment is finished by the same run: nothing is lost, doubled or left behind.

``KILL`` says how many rounds there are, ``KILL_SEED`` which ones. ``KILL_LOG`` names a file that gets a line of JSON
for each round that has passed.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import typing as t
from pathlib import Path

import pytest

from demo.runs import PlaybookRun, run_playbook
from sandbox.faults import Fault, Kind
from sandbox.testing import running_sandbox
from tests.endurance.killing import SCENARIOS, Killed, Measured, Round, Scenario, kill_run, rounds
from tests.endurance.places import Place
from tests.faults.modules import differences, snapshot

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.server import Sandbox
    from sandbox.world import Json

ROUNDS: t.Final = int(os.environ.get("KILL", "6"))
#: How long workers whose controller is gone may take to end what they were doing.
_ORPHAN_SECONDS = 60.0
_NEVER = 1_000_000
#: A run can be faster than the undisturbed one by which its moment was chosen.
_ATTEMPTS = 5
_EARLIER = 0.7
#: The state after a rerun is compared whole with one in which check mode finds nothing to do. Some rounds ask it again.
_CHECKED_EACH = 10


@dataclasses.dataclass(frozen=True)
class Undisturbed:
    """What a scenario starts from, leaves and takes."""

    before: Json
    after: Json
    measured: Measured


@dataclasses.dataclass
class Arena:
    """The sandbox, and the undisturbed run of each scenario, which is made when it is first asked for."""

    sandbox: Sandbox
    known: dict[str, Undisturbed] = dataclasses.field(default_factory=dict)

    def start(self, scenario: Scenario, place: Place) -> None:
        """Bring the sandbox to where the scenario's run begins."""
        self.sandbox.reset()
        for playbook in scenario.before:
            assert self.play(playbook, scenario, place).exit_code == 0

    def play(self, playbook: str, scenario: Scenario, place: Place, *arguments: str) -> PlaybookRun:
        inventory, given = self.sandbox.folder.inventory, (*scenario.arguments, *arguments)
        return run_playbook(f"playbooks/{playbook}.yml", inventory, *given, environment=place.environment)

    def kill(self, wanted: Round, measured: Measured, place: Place, before: Place) -> Killed:
        """A run that was killed. One that ended before its moment came is made again with an earlier moment."""
        for attempt in range(_ATTEMPTS):
            self.start(wanted.scenario, before)
            earlier = dataclasses.replace(wanted, moment=wanted.moment * _EARLIER**attempt)
            killed = kill_run(self.sandbox, place, earlier, measured)
            if killed.exit_code == -signal.SIGKILL:
                return killed
        pytest.fail(f"{_ATTEMPTS} runs ended by themselves: the round has killed none.")

    def undisturbed(self, scenario: Scenario, place: Place) -> Undisturbed:
        if scenario.name not in self.known:
            self.start(scenario, place)
            before = snapshot(self.sandbox)
            counting = self.sandbox.faults.add(Fault(Kind.CALL, nth=_NEVER, callback=lambda: None))
            run = self.play(scenario.playbook, scenario, place)
            assert run.exit_code == 0, run.output[-3000:]
            measured = Measured(counting.seen, run.seconds)
            self.known[scenario.name] = Undisturbed(before, snapshot(self.sandbox), measured)
            self.require_converged(scenario, place)
        return self.known[scenario.name]

    def require_converged(self, scenario: Scenario, place: Place) -> None:
        """Another run would change nothing."""
        since = len(self.sandbox.world.log.since())
        run = self.play(scenario.playbook, scenario, place, "--check")
        assert run.exit_code == 0, run.output[-3000:]
        assert {host: run.changed(host) for host in scenario.hosts} == dict.fromkeys(scenario.hosts, 0)
        assert [request for request in self.sandbox.world.log.since(since) if request.write] == []


@pytest.fixture(scope="session")
def arena() -> Iterator[Arena]:
    with running_sandbox() as sandbox:
        yield Arena(sandbox)


def note(wanted: Round, **values: object) -> None:
    if log := os.environ.get("KILL_LOG"):
        line = json.dumps({"round": wanted.name, "scenario": wanted.scenario.name, **values})
        with Path(log).open("a", encoding="utf-8") as file:
            file.write(line + "\n")


@pytest.mark.parametrize("wanted", rounds(ROUNDS), ids=lambda wanted: wanted.name)
def test_a_killed_run_is_finished_by_the_next(arena: Arena, wanted: Round, tmp_path: Path) -> None:
    scenario = wanted.scenario
    undisturbed = arena.undisturbed(scenario, Place(tmp_path / "undisturbed"))
    place = Place(tmp_path / "run")
    killed = arena.kill(wanted, undisturbed.measured, place, Place(tmp_path / "before"))
    partly = snapshot(arena.sandbox)
    assert place.with_secrets(arena.sandbox) == []
    left = place.files()

    rerun = arena.play(scenario.playbook, scenario, place)
    assert rerun.exit_code == 0, rerun.output[-3000:]
    assert place.wait(_ORPHAN_SECONDS) == []
    assert differences(snapshot(arena.sandbox), undisturbed.after) == []
    assert place.files() <= left

    if wanted.number % _CHECKED_EACH == 0:
        arena.require_converged(scenario, place)
    state = "untouched" if partly == undisturbed.before else "done" if partly == undisturbed.after else "partly"
    note(wanted, last=killed.last_request, state=state, files=len(left))


def test_the_rounds_are_of_every_kind() -> None:
    found = rounds(200)
    assert {one.scenario.name for one in found} == {scenario.name for scenario in SCENARIOS}
    assert {(one.by, one.all_processes) for one in found} == {
        (by, whole) for by in ("request", "time") for whole in (True, False)
    }
    assert rounds(200) == found  # a round can be repeated
