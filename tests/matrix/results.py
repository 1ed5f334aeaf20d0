# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cells came to: kept in docs/compatibility.json, from which the tables of the documentation are made."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from demo.runs import ROOT

if t.TYPE_CHECKING:
    from pathlib import Path

    from tests.matrix.cells import Cell

FILE: t.Final = ROOT / "docs" / "compatibility.json"
Outcome = t.Literal["passed", "failed", "not run"]


@dataclasses.dataclass(frozen=True)
class Part:
    """A part of a cell, such as its unit tests, counted in tests."""

    passed: int
    failed: int
    skipped: int
    seconds: int


@dataclasses.dataclass(frozen=True)
class Result:
    """A cell's result. ``reason`` says why it was not run, or could not be.

    ``commit`` is what was tested; empty outside of a repository.
    """

    core: str
    python: str
    outcome: Outcome
    day: str
    reason: str = ""
    commit: str = ""
    versions: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    parts: t.Mapping[str, Part] = dataclasses.field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.core}/{self.python}"

    @property
    def line(self) -> str:
        """The cell in one line, as it is printed."""
        counts = "; ".join(f"{name} {counted(part)} in {part.seconds} s" for name, part in self.parts.items())
        return f"{self.name:12} {self.outcome:8} {counts or self.reason}"


def counted(part: Part) -> str:
    """A part's counts in words."""
    failed = f", {part.failed} failed" if part.failed else ""
    skipped = f", {part.skipped} skipped" if part.skipped else ""
    return f"{part.passed:,} passed{failed}{skipped}"


def judged(parts: t.Mapping[str, Part]) -> Outcome:
    return "failed" if not parts or any(part.failed for part in parts.values()) else "passed"


def load(file: Path = FILE) -> tuple[Result, ...]:
    """The kept results; none when there is no file yet."""
    if not file.is_file():
        return ()
    return tuple(_result(entry) for entry in json.loads(file.read_text(encoding="utf-8"))["cells"])


def _result(entry: dict[str, t.Any]) -> Result:
    parts = {name: Part(**part) for name, part in entry.pop("parts").items()}
    return Result(**entry, parts=parts)


def save(results: t.Iterable[Result], file: Path = FILE) -> None:
    text = json.dumps({"cells": [dataclasses.asdict(result) for result in results]}, indent=2)
    file.write_text(f"{text}\n", encoding="utf-8")


def merged(kept: t.Iterable[Result], new: t.Iterable[Result], every: t.Iterable[Cell]) -> tuple[Result, ...]:
    """A result for each cell that there is: a new one replaces the one that was kept."""
    known = {result.name: result for result in (*kept, *new)}
    return tuple(
        known.get(cell.name) or Result(cell.core, cell.python, "not run", "", reason="It was never run.")
        for cell in every
    )
