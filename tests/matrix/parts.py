# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is run in a cell, and how its tests are counted."""

from __future__ import annotations

import os
import subprocess
import time
import typing as t
from xml.etree import ElementTree as ET

from demo.runs import ROOT
from tests.matrix.cells import LOWEST
from tests.matrix.environment import FOLDER
from tests.matrix.results import Part

if t.TYPE_CHECKING:
    from pathlib import Path

    from tests.matrix.cells import Cell

#: The unit tests of what ansible-core loads itself, then all but those of the sandbox, which sees nothing of it.
CORE_UNITS: t.Final = (
    "tests/unit/plugins/action",
    "tests/unit/plugins/callback",
    "tests/unit/plugins/inventory",
    "tests/unit/plugins/plugin_utils",
    "tests/unit/content",
)
UNITS: t.Final = ("tests/unit/plugins", "tests/unit/content")
#: Every playbook and every module in both ways of running it, then with what federate does in each of its steps.
CORE_PLAYBOOKS: t.Final = ("tests/e2e/test_direct_execution.py", "tests/e2e/test_drift.py")
PLAYBOOKS: t.Final = (*CORE_PLAYBOOKS, "tests/e2e/test_federate.py")
ALL_PLAYBOOKS: t.Final = ("tests/e2e",)
_SECONDS: t.Final = 3600.0  # of one part; none takes half as long


def run(cell: Cell, python: Path) -> dict[str, Part]:
    """All parts of a cell, also after one that failed."""
    parts = {name: _pytest(cell, python, name, tests) for name, tests in chosen(cell).items()}
    # The series of the lower bounds has its sanity tests in another cell.
    if cell.whole and cell.core != LOWEST:
        parts["sanity"] = _sanity(cell, python)
    return parts


def chosen(cell: Cell) -> dict[str, tuple[str, ...]]:
    """Which files and folders of tests a cell runs, by part."""
    playbooks = PLAYBOOKS if cell.whole else CORE_PLAYBOOKS
    return {
        "units": UNITS if cell.pure else CORE_UNITS,
        "playbooks": ALL_PLAYBOOKS if cell.core == LOWEST else playbooks,
    }


def _pytest(cell: Cell, python: Path, name: str, tests: tuple[str, ...]) -> Part:
    counted = FOLDER / cell.folder / f"{name}.xml"
    counted.unlink(missing_ok=True)
    command = ("-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", "-p", "no:cacheprovider", f"--junitxml={counted}")
    code, seconds = _logged(cell, name, str(python), *command, *tests)
    if not counted.is_file():
        return Part(0, 1, 0, seconds)
    return count(counted.read_text(encoding="utf-8"), code, seconds)


def count(report: str, code: int, seconds: int) -> Part:
    """The counts of pytest's report; a run that fails has at least one failure, and so has one without tests."""
    (suite,) = ET.fromstring(report).iter("testsuite")  # noqa: S314  # pytest's own file
    tests, skipped = int(suite.attrib["tests"]), int(suite.attrib["skipped"])
    failed = int(suite.attrib["failures"]) + int(suite.attrib["errors"])
    if not failed and (code or tests == skipped):
        failed = 1
    return Part(max(0, tests - skipped - failed), failed, skipped, seconds)


def _sanity(cell: Cell, python: Path) -> Part:
    code, seconds = _logged(
        cell, "sanity", str(python), "-m", "tests.ansible_test", f"--place=-{cell.folder}", "sanity"
    )
    run_tests = log(cell, "sanity").read_text(encoding="utf-8").count("Running sanity test ")
    return Part(run_tests - bool(code), 1, 0, seconds) if code or not run_tests else Part(run_tests, 0, 0, seconds)


def log(cell: Cell, name: str) -> Path:
    return FOLDER / cell.folder / f"{name}.log"


def _logged(cell: Cell, name: str, *command: str) -> tuple[int, int]:
    """Run with the cell's programs first on the PATH; gives the exit code and the seconds."""
    programs = FOLDER / cell.folder / "bin"
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    started = time.monotonic()
    with log(cell, name).open("w", encoding="utf-8") as output:
        try:
            done = subprocess.run(  # noqa: S603  # the project's own
                command,
                cwd=ROOT,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=_SECONDS,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            output.write(f"\nIt did not end within {_SECONDS:.0f} s.\n")
            done = 1
    return done, round(time.monotonic() - started)
