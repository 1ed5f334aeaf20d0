# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the results into the documentation: whole files, and what lies between two comments of a page."""

from __future__ import annotations

import typing as t

from benchmarks import plot, table
from demo.runs import ROOT

if t.TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.results import Results

RESULTS: t.Final = ROOT / "docs" / "benchmarks.json"

PAGE = ROOT / "docs" / "benchmarks.md"
README = ROOT / "README.md"
_PLOT = ROOT / "docs" / "images" / "benchmark.svg"
BEGIN = "<!-- Made by 'make bench' from docs/benchmarks.json: do not edit. -->"
END = "<!-- End of what 'make bench' makes. -->"


def write(results: Results) -> tuple[Path, ...]:
    """Write all that is made of the results; gives the files."""
    RESULTS.write_text(results.to_json(), encoding="utf-8")
    _PLOT.write_text(plot.svg(results), encoding="utf-8")
    for file, text in ((PAGE, table.markdown(results)), (README, table.ratios(results))):
        file.write_text(replaced(file.read_text(encoding="utf-8"), text), encoding="utf-8")
    return RESULTS, _PLOT, PAGE, README


def replaced(page: str, text: str, first: str = BEGIN, last: str = END) -> str:
    """The page with this text between the two comments. Raises ValueError when it lacks one of them."""
    before, begin, rest = page.partition(first)
    _unused, end, after = rest.partition(last)
    if not begin or not end:
        raise ValueError(f"The page has no lines {first} and {last}.")
    return f"{before}{begin}\n\n{text.strip()}\n\n{end}{after}"
