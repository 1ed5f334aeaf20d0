# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import resource
import sys
import time
import typing as t

import pytest

from benchmarks import measure

if t.TYPE_CHECKING:
    from pathlib import Path

_MIB = 1 << 20
_BURN = "import time\nwhile time.process_time() < 0.4: pass\n"


def run(code: str, folder: Path, **more: t.Any) -> measure.Finished:
    command = [sys.executable, "-c", code]
    return measure.run(command, environment=dict(os.environ), folder=folder, **{"seconds": 30.0, **more})


def test_the_work_of_children_and_grandchildren_counts(tmp_path: Path) -> None:
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {_BURN!r}])"
    finished = run(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])", tmp_path)
    assert finished.exit_code == 0
    assert finished.cost.cpu >= 0.4


def test_waiting_is_not_work(tmp_path: Path) -> None:
    finished = run("import time; time.sleep(1)", tmp_path)
    assert finished.cost.wall >= 1
    assert finished.cost.cpu < 0.9


def test_memory_is_that_of_the_largest_process_and_of_all_together(tmp_path: Path) -> None:
    hold = "import time; held = bytearray(b'x') * (64 << 20); time.sleep(3)"
    code = (
        "import subprocess, sys\n"
        f"children = [subprocess.Popen([sys.executable, '-c', {hold!r}]) for _ in '12']\n"
        "for one in children: one.wait()\n"
    )
    cost = run(code, tmp_path, sample=True).cost
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # the kernel counts it until the command is loaded
    assert 64 * _MIB < cost.largest < max(120 * _MIB, own + _MIB)
    assert cost.together > 128 * _MIB
    assert 0 < cost.root < 64 * _MIB


def test_a_command_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    code = (
        "import pathlib, subprocess\n"
        "child = subprocess.Popen(['sleep', '60'])\n"
        f"pathlib.Path({str(file)!r}).write_text(str(child.pid))\n"
        "child.wait()\n"
    )
    with pytest.raises(measure.BenchmarkError, match="did not end within 3 s"):
        run(code, tmp_path, seconds=3.0)
    assert _gone(int(file.read_text()))


def _gone(pid: int) -> bool:
    """Whether a process has ended, some moments from now at the latest."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii") as stat:  # noqa: PTH123  # reads like the kernel's docs
                if stat.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


def test_input_and_output_are_the_commands(tmp_path: Path) -> None:
    finished = run("import sys; sys.stderr.write(sys.stdin.read().upper())", tmp_path, given="given")
    assert finished.output == "GIVEN"


def test_an_exit_code_that_is_not_awaited_says_what_was_printed(tmp_path: Path) -> None:
    finished = run("import sys; print('why'); sys.exit(3)", tmp_path)
    assert finished.require("It", 0, 3) is finished
    with pytest.raises(measure.BenchmarkError, match=r"It ended with exit code 3:\nwhy"):
        finished.require("It")


def test_costs_of_runs_one_after_the_other() -> None:
    assert measure.Cost(1, 2, 30, 4, 5) + measure.Cost(1, 2, 3, 40, 0) == measure.Cost(2, 4, 30, 40, 5)
