# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check mode again and again: no memory, file, thread or process is kept, neither by a process nor on the machine.

``SOAK`` says how often modules are run in one process, ``SOAK_PLAYBOOKS`` how many playbooks are run one after the
other. ``SOAK_LOG`` names a file that gets what was measured as lines of JSON.
"""

from __future__ import annotations

import itertools
import json
import os
import statistics
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from demo.runs import ROOT, clean_environment, run_playbook
from sandbox.testing import running_sandbox
from tests.endurance.long_life import EVERY
from tests.endurance.places import Place
from tests.faults.modules import PRESENT, Case, Estate

if t.TYPE_CHECKING:
    from collections.abc import Iterator

RUNS: t.Final = int(os.environ.get("SOAK", "200"))
PLAYBOOKS: t.Final = int(os.environ.get("SOAK_PLAYBOOKS", "2"))
#: Caches fill, and allocators settle, in this share of the runs.
_WARM_UP: t.Final = 0.4
#: What a run may keep on the average: less than any object that matters, more than the noise of an allocator.
_MOST_BYTES_A_RUN: t.Final = 8 * 1024


@pytest.fixture(scope="module")
def estate() -> Iterator[Estate]:
    with running_sandbox() as sandbox:
        yield Estate(sandbox)


def note(**values: object) -> None:
    if log := os.environ.get("SOAK_LOG"):
        with Path(log).open("a", encoding="utf-8") as file:
            file.write(json.dumps(values) + "\n")


def given_to(estate: Estate, case: Case) -> dict[str, t.Any]:
    """All options of a case, as its own runs give them."""
    known = case.definition.spec.options
    connection = {name: value for name, value in estate.connection.items() if name in known}
    if "context" in known:
        connection["context"] = case.cluster
    return {**connection, **case.options(estate)}


def growth(looks: list[dict[str, int]]) -> float:
    """Bytes that a run keeps: the median of the slopes between any two looks (Theil and Sen), which one odd look does
    not change."""
    slopes = [
        (later["memory"] - earlier["memory"]) / (later["runs"] - earlier["runs"])
        for earlier, later in itertools.combinations(looks, 2)
    ]
    return statistics.median(slopes)


def test_growth_is_told_from_noise() -> None:
    steady = [{"runs": n, "memory": 1_000_000 + (n % 3) * 4096} for n in range(0, 600, 50)]
    leaking = [{"runs": one["runs"], "memory": one["memory"] + one["runs"] * 20_000} for one in steady]
    assert abs(growth(steady)) < _MOST_BYTES_A_RUN < growth(leaking)


def plain_cases() -> list[Case]:
    """The cases that start from the estate as it is."""
    unprepared = Case.__dataclass_fields__["prepare"].default
    return [case for case in PRESENT if not case.before and case.prepare is unprepared]


def test_a_process_keeps_nothing_of_its_runs(estate: Estate, tmp_path: Path) -> None:
    cases = tmp_path / "cases.json"
    cases.write_text(json.dumps([[case.name, given_to(estate, case)] for case in plain_cases()]), encoding="utf-8")
    place = Place(tmp_path / "place")
    ended = subprocess.run(  # noqa: S603  # our own interpreter and module
        [sys.executable, "-m", "tests.endurance.long_life", str(cases), str(RUNS)],
        cwd=ROOT,
        env={**clean_environment(), **place.environment, "PYTHONPATH": f"{ROOT / '.collections'}{os.pathsep}{ROOT}"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    looks = [json.loads(line) for line in ended.stdout.splitlines()]
    assert len(looks) == RUNS // EVERY
    warm = looks[int(len(looks) * _WARM_UP) :]
    assert growth(warm) < _MOST_BYTES_A_RUN, looks
    assert {look["processes"] for look in warm} == {0}
    assert len({look["threads"] for look in warm}) == 1, looks
    assert max(look["files"] for look in warm) <= warm[0]["files"], looks
    assert (place.files(), place.processes()) == (frozenset(), [])
    note(what="process", runs=RUNS, cases=len(plain_cases()), growth=round(growth(warm)), first=warm[0], last=warm[-1])


def test_playbooks_leave_nothing(estate: Estate, tmp_path: Path) -> None:
    place = Place(tmp_path / "place")
    seen = set()
    for _unused in range(PLAYBOOKS):
        inventory = estate.sandbox.folder.inventory
        run = run_playbook(
            "playbooks/drift.yml", inventory, "--check", "--limit", "finished", environment=place.environment
        )
        assert run.exit_code == 0, run.output[-3000:]
        assert place.processes() == []
        assert place.files() == frozenset()
        seen.add(place.folders())
    assert len(seen) == 1
    note(what="playbooks", runs=PLAYBOOKS, folders=sorted(*seen))
