# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a round of the kill test runs and when it is killed, all of it told by a seed and the round's number."""

from __future__ import annotations

import dataclasses
import os
import random
import signal
import subprocess
import sys
import threading
import typing as t
from pathlib import Path

from werkzeug.exceptions import ServiceUnavailable

from demo.runs import ROOT, clean_environment
from sandbox.faults import Fault, Kind

if t.TYPE_CHECKING:
    from sandbox.server import Sandbox
    from tests.endurance.places import Place

SEED: t.Final = int(os.environ.get("KILL_SEED", "20261128"))
_LONGEST_RUN_SECONDS = 900  # on a machine that has much else to do


@dataclasses.dataclass(frozen=True)
class Scenario:
    """A run, and the runs that lead to where it starts. ``weight``: of how many rounds it is the subject."""

    name: str
    playbook: str
    arguments: tuple[str, ...]
    hosts: tuple[str, ...]
    weight: int
    before: tuple[str, ...] = ()  # playbooks


_FRESH = ("--limit", "fresh")

SCENARIOS: t.Final = (
    Scenario("federate", "federate", _FRESH, ("fresh",), weight=10),
    Scenario("repair", "federate", ("--limit", "halfdone"), ("halfdone",), weight=4),
    Scenario("teardown", "teardown", _FRESH, ("fresh",), weight=4, before=("federate",)),
    Scenario("fleet", "federate", ("--forks", "3"), ("fresh", "halfdone", "finished"), weight=1),
    Scenario("processes", "federate", (*_FRESH, "-e", "aks_amp_direct=false"), ("fresh",), weight=1),
)


@dataclasses.dataclass(frozen=True)
class Round:
    """One kill. ``moment`` is a share of the undisturbed run: of its requests, or of its time."""

    number: int
    scenario: Scenario
    by: t.Literal["request", "time"]
    moment: float
    handled: bool  # whether the request at which it strikes still reaches the service
    all_processes: bool  # otherwise the controller alone, and workers end by themselves

    @property
    def name(self) -> str:
        what = "all" if self.all_processes else "controller"
        when = self.by if self.by == "time" or self.handled else "request-lost"
        return f"{self.number:03}-{self.scenario.name}-{what}-{when}-{self.moment:.2f}"


def rounds(count: int, seed: int = SEED) -> list[Round]:
    return [_round(number, random.Random(f"{seed}:{number}")) for number in range(count)]  # noqa: S311  # no secret


def _round(number: int, chance: random.Random) -> Round:
    (scenario,) = chance.choices(SCENARIOS, [scenario.weight for scenario in SCENARIOS])
    by: t.Literal["request", "time"] = "request" if chance.random() < 0.7 else "time"
    handled, all_processes = chance.random() < 0.6, chance.random() < 0.6
    return Round(number, scenario, by, chance.random(), handled, all_processes)


@dataclasses.dataclass(frozen=True)
class Measured:
    """An undisturbed run: how many requests it sent, and how many seconds it took."""

    requests: int
    seconds: float


class Killer:
    """Kills a run once, when its moment has come."""

    def __init__(self, wanted: Round, place: Place, process: subprocess.Popen[bytes]) -> None:
        self._round = wanted
        self._place = place
        self._process = process
        self._once = threading.Lock()
        self._done = threading.Event()

    def strike(self) -> None:
        if not self._once.acquire(blocking=False):
            return
        try:
            if self._round.all_processes:
                self._place.kill()
            elif self._process.poll() is None:
                os.kill(self._process.pid, signal.SIGKILL)
        finally:
            self._done.set()

    def stop(self) -> None:
        """Strike no more. One that has begun is waited for: it would find the processes of the next run as well."""
        if not self._once.acquire(blocking=False):
            self._done.wait()

    def strike_at_request(self) -> None:
        self.strike()
        if not self._round.handled:
            raise ServiceUnavailable


@dataclasses.dataclass(frozen=True)
class Killed:
    """What became of a run. ``exit_code`` is that of a run which ended before its moment came, or -9."""

    exit_code: int
    last_request: str


def kill_run(sandbox: Sandbox, place: Place, wanted: Round, measured: Measured) -> Killed:
    """Start the scenario's run and kill it."""
    ready = threading.Event()
    killers: list[Killer] = []

    def struck() -> None:
        ready.wait()
        killers[0].strike_at_request()

    if wanted.by == "request":
        nth = 1 + int(wanted.moment * measured.requests)
        sandbox.faults.add(Fault(Kind.CALL, nth=nth, callback=struck))
    process = start(sandbox, place, wanted.scenario)
    killers.append(Killer(wanted, place, process))
    ready.set()
    timer = threading.Timer(wanted.moment * measured.seconds, killers[0].strike)
    if wanted.by == "time":
        timer.start()
    try:
        process.wait(_LONGEST_RUN_SECONDS)
    finally:
        timer.cancel()
        killers[0].stop()
        process.kill()
    log = sandbox.world.log.since()
    last = f"{log[-1].service} {log[-1].operation or log[-1].method}" if log else "none"
    sandbox.faults.clear()
    return Killed(process.returncode, last)


def start(sandbox: Sandbox, place: Place, scenario: Scenario) -> subprocess.Popen[bytes]:
    """The run, in a session of its own as one that a service manager starts."""
    command = [
        str(Path(sys.executable).parent / "ansible-playbook"),
        *("-i", str(sandbox.folder.inventory)),
        f"playbooks/{scenario.playbook}.yml",
        *scenario.arguments,
    ]
    return subprocess.Popen(  # noqa: S603  # the command is this project's own
        command,
        cwd=ROOT,
        env={**clean_environment(), **place.environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
