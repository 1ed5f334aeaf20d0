# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of docs/compatibility.md and README.md, made from the results."""

from __future__ import annotations

import typing as t

from benchmarks.docs import replaced
from demo.runs import ROOT
from tests.matrix.cells import LOWEST
from tests.matrix.results import counted

if t.TYPE_CHECKING:
    from tests.matrix.results import Result

PAGE: t.Final = ROOT / "docs" / "compatibility.md"
README: t.Final = ROOT / "README.md"
BEGIN: t.Final = "<!-- Made by 'make matrix' from docs/compatibility.json: do not edit. -->"
END: t.Final = "<!-- End of what 'make matrix' makes. -->"

Rows = t.Iterable[t.Sequence[str]]


def write(results: t.Sequence[Result]) -> None:
    for file, text in ((PAGE, details(results)), (README, overview(results))):
        file.write_text(replaced(file.read_text(encoding="utf-8"), text, BEGIN, END), encoding="utf-8")


def overview(results: t.Sequence[Result]) -> str:
    """Releases by Pythons: the table of the README."""
    shown = [result for result in results if result.core != LOWEST]
    pythons = sorted({result.python for result in shown}, key=_number)
    found = {(result.core, result.python): result for result in shown}
    rows = [
        [_release(core, shown), *(_mark(found.get((core, python))) for python in pythons)]
        for core in dict.fromkeys(result.core for result in shown)
    ]
    lowest = [f"With the oldest of all packages: {_sentence(result)}." for result in results if result.core == LOWEST]
    table = _table(("ansible-core", *(f"Python {python}" for python in pythons)), rows)
    return "\n\n".join((table, *lowest))


def details(results: t.Sequence[Result]) -> str:
    """The tables of the page: each cell with its counts, then the packages of those that were run."""
    parts = list(dict.fromkeys(name for result in results for name in result.parts))
    rows = [
        (
            result.name,
            result.outcome,
            *(_part(result, name) for name in parts),
            result.day,
            result.commit,
            result.reason,
        )
        for result in results
    ]
    cells = _table(("cell", "outcome", *parts, "day", "commit", "remark"), rows)
    return f"{cells}\n\n{packages(results)}".strip()


def packages(results: t.Sequence[Result]) -> str:
    """Which versions each cell had; cells that were not run had none."""
    run = [result for result in results if result.versions]
    if not run:
        return ""
    names = list(dict.fromkeys(name for result in run for name in result.versions))
    return _table(
        ("cell", *names), [(result.name, *(result.versions.get(name, "") for name in names)) for result in run]
    )


def _part(result: Result, name: str) -> str:
    return counted(result.parts[name]) if name in result.parts else ""


def _mark(result: Result | None) -> str:
    return result.outcome if result else "-"


def _release(core: str, shown: t.Sequence[Result]) -> str:
    exact = {result.versions["ansible-core"] for result in shown if result.core == core and result.versions}
    return f"{core} ({', '.join(sorted(exact))})" if exact else core


def _sentence(result: Result) -> str:
    exact = f"ansible-core {result.versions['ansible-core']} on " if result.versions else ""
    return f"{exact}Python {result.python} {result.outcome}"


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _table(head: t.Sequence[str], rows: Rows) -> str:
    lines = (head, ["---"] * len(head), *rows)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
