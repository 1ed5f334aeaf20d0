# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m benchmarks``: measure, print the tables, and put them into the documentation when that is asked for."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import signal
import sys
import tempfile
import typing as t
from pathlib import Path

from benchmarks import budget, docs, fleet, parts, report, single, table
from benchmarks.contest import Run, median
from benchmarks.matrix import MATRICES, Cell, Matrix
from benchmarks.measure import BenchmarkError
from benchmarks.results import Results, machine

if t.TYPE_CHECKING:
    from collections.abc import Sequence

_PARTS = ("singles", "fleets", "report")


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(word) for word in text.split(","))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--bench", choices=sorted(MATRICES), default="standard", help="how much is measured (standard)")
    parser.add_argument("--only", choices=_PARTS, action="append", help="leave the other parts out; can be repeated")
    parser.add_argument(
        "--sizes", type=_numbers, metavar="N,...", help="fleets of these sizes in place of the matrix's"
    )
    parser.add_argument("--forks", type=_numbers, metavar="N,...", default=(5,), help="with these forks (5)")
    parser.add_argument("--latencies", type=_numbers, metavar="MS,...", default=(0,), help="with these latencies (0)")
    parser.add_argument("--repeats", type=int, metavar="N", help="runs of which the median counts")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the results in this file, too")
    parser.add_argument(
        "--results",
        type=Path,
        metavar="FILE",
        action="append",
        help="measure nothing, take the results of a run; repeated, those of later runs on the same machine count",
    )
    parser.add_argument("--write-docs", action="store_true", help="put the results into docs/ and the README")
    return parser


def _matrix(options: argparse.Namespace) -> Matrix:
    matrix = MATRICES[options.bench]
    if options.sizes:
        cells = [
            Cell(clusters, forks, latency / 1000)
            for clusters in options.sizes
            for forks in options.forks
            for latency in options.latencies
        ]
        matrix = dataclasses.replace(matrix, cells=tuple(cells))
    if options.repeats:
        matrix = dataclasses.replace(matrix, repeats=options.repeats)
    return matrix


def _say(line: str) -> None:
    sys.stdout.write(f"== {line}\n")
    sys.stdout.flush()


def _measure(matrix: Matrix, wanted: Sequence[str]) -> Results:
    """Raises BenchmarkError only when nothing can go on; a measurement that fails is named among the missing ones."""
    found = parts.obtain() if "singles" in wanted else None
    missing = list(found.missing) if found else []

    def miss(sentence: str) -> None:
        _say(f"left out: {sentence}")
        missing.append(sentence.partition("\n")[0])

    singles = tuple(single.run(found, matrix.repeats, _say, miss)) if found else ()
    fleets = tuple(fleet.run(matrix, _say, miss)) if "fleets" in wanted else ()
    return Results(
        machine=machine(),
        repeats=matrix.repeats,
        singles=singles,
        fleets=fleets,
        report=_report(matrix) if "report" in wanted else None,
        report_clusters=matrix.report_clusters,
        documented_requests=budget.documented(budget.PAGE.read_text(encoding="utf-8")),
        missing=tuple(missing),
    )


def _report(matrix: Matrix) -> Run:
    with tempfile.TemporaryDirectory(prefix="aks-amp-bench-") as folder:
        costs = [report.run(matrix.report_clusters, Path(folder)).cost for _unused in range(matrix.repeats)]
    return median([Run(cost, 0, 0, 0.0) for cost in costs])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit code."""
    # Told to end, it ends what it has started first, as after an interrupt.
    signal.signal(signal.SIGTERM, lambda *_unused: sys.exit(128 + signal.SIGTERM))
    options = _parser().parse_args(arguments)
    try:
        if options.results:
            read = [Results.from_json(path.read_text(encoding="utf-8")) for path in options.results]
            results = functools.reduce(Results.with_later, read)
        else:
            results = _measure(_matrix(options), options.only or _PARTS)
    except (BenchmarkError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if options.json:
        options.json.write_text(results.to_json(), encoding="utf-8")
    sys.stdout.write(f"\n{table.markdown(results)}\n")
    if options.write_docs:
        for file in docs.write(results):
            _say(f"written: {file}")
    return 1 if results.missing else 0


if __name__ == "__main__":
    sys.exit(main())
