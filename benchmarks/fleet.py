# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fleet checks of converged clusters, and the floor for each of them."""

from __future__ import annotations

import functools
import itertools
import tempfile
import typing as t
from pathlib import Path

from benchmarks import arena, floor
from benchmarks.contest import measured, median
from benchmarks.measure import BenchmarkError
from benchmarks.ours import Collection
from benchmarks.results import Fleet

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.arena import Arena
    from benchmarks.matrix import Cell, Matrix


def run(matrix: Matrix, say: Callable[[str], None], miss: Callable[[str], None]) -> Iterator[Fleet]:
    """Every cell; the fleets of one size share a sandbox. ``miss`` is told of a cell that fails, which is left out."""
    for clusters, cells in itertools.groupby(sorted(matrix.cells), key=lambda cell: cell.clusters):
        say(f"a sandbox with {clusters} converged clusters")
        with arena.running(clusters) as place:
            for cell in cells:
                try:
                    yield _cell(place, cell, matrix.repeats_of(cell), say)
                except BenchmarkError as error:
                    miss(str(error))


def _cell(place: Arena, cell: Cell, repeats: int, say: Callable[[str], None]) -> Fleet:
    place.latency(cell.latency)
    names = floor.fleet(cell.clusters)
    runs, floors = [], []
    for _unused in range(repeats):
        with tempfile.TemporaryDirectory(prefix="aks-amp-bench-") as folder:
            ours = Collection(place.place, Path(folder))
            runs.append(measured(place, functools.partial(ours.check_fleet, cell.clusters, cell.forks)))
        floors.append(measured(place, functools.partial(floor.run, place.place, names, cell.forks)))
    found = Fleet(cell.clusters, cell.forks, cell.latency, median(runs), median(floors))
    say(
        f"{cell.clusters} clusters, {cell.forks} forks, {cell.latency * 1000:.0f} ms: {found.run.cost.cpu:.1f} CPU s,"
        f" {found.run.cost.wall:.1f} s; floor {found.floor.cost.cpu:.1f} CPU s, {found.floor.cost.wall:.1f} s"
    )
    return found
