# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which measurements a run makes."""

from __future__ import annotations

import dataclasses
import itertools
import typing as t


@dataclasses.dataclass(frozen=True, order=True)
class Cell:
    """One fleet check."""

    clusters: int
    forks: int
    latency: float = 0.0  # seconds that each answer is late


@dataclasses.dataclass(frozen=True)
class Matrix:
    """Everything of one run. Small fleets are repeated, large ones even themselves out."""

    repeats: int  # of single clusters, and of fleets of at most ``repeated``
    repeated: int
    cells: tuple[Cell, ...]
    report_clusters: int = 1000

    def repeats_of(self, cell: Cell) -> int:
        return self.repeats if cell.clusters <= self.repeated else 1


_SIZES = (10, 50, 200, 1000)
_FORKS = (1, 5, 10, 25)
_LATENCIES = (0.0, 0.05, 0.2)

#: By the value of BENCH.
MATRICES: t.Final[t.Mapping[str, Matrix]] = {
    # Shows that all of it works.
    "quick": Matrix(1, 0, (Cell(2, 2), Cell(6, 2), Cell(6, 25, 0.2)), report_clusters=100),
    # Each goal and each axis: sizes, then forks, then latencies.
    "standard": Matrix(
        3,
        10,
        (
            *(Cell(clusters, 5) for clusters in (10, 50, 200)),
            *(Cell(50, forks) for forks in (1, 10, 25)),
            *(Cell(200, 25, latency) for latency in (0.05, 0.2)),
        ),
    ),
    # The same with a thousand clusters.
    "large": Matrix(
        3,
        10,
        (
            *(Cell(clusters, 5) for clusters in _SIZES),
            *(Cell(50, forks) for forks in (1, 10, 25)),
            *(Cell(200, 25, latency) for latency in _LATENCIES),
        ),
    ),
    "full": Matrix(3, 10, tuple(itertools.starmap(Cell, itertools.product(_SIZES, _FORKS, _LATENCIES)))),
}
