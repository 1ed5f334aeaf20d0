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

#: Folders and files of pytest. The sandbox's own tests see nothing of ansible-core.
UNITS: t.Final = ("tests/unit/plugins", "tests/unit/content")
#: Every playbook, and every module in both ways of running it.
PLAYBOOKS: t.Final = (
    "tests/e2e/test_federate.py",
    "tests/e2e/test_drift.py",
    "tests/e2e/test_direct_execution.py",
    "tests/e2e/test_plan_in_one_task.py",
    "tests/e2e/test_verify.py",
    "tests/e2e/test_teardown.py",
)
_SECONDS: t.Final = 3600.0  # of one part; none takes half as long


def run(cell: Cell, python: Path) -> dict[str, Part]:
    """All parts of a cell, also after one that failed."""
    parts = {
        "units": _pytest(cell, python, "units", UNITS),
        "playbooks": _pytest(cell, python, "playbooks", ("tests/e2e",) if cell.core == LOWEST else PLAYBOOKS),
    }
    if cell.sanity:
        parts["sanity"] = _sanity(cell, python)
    return parts


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
