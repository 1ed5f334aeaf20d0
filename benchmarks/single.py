# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One fresh cluster and one converged one, by every contender that can be had."""

from __future__ import annotations

import tempfile
import typing as t
from pathlib import Path

from benchmarks import arena, floor
from benchmarks.cli import Guide
from benchmarks.contest import measured, median
from benchmarks.measure import BenchmarkError
from benchmarks.ours import Collection
from benchmarks.results import Single
from benchmarks.stock import Stock

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.arena import Arena, Place
    from benchmarks.contest import Contender, Run
    from benchmarks.parts import Parts

FLOOR: t.Final = "floor"
_CONVERGED = arena.fleet_name(0)


def run(parts: Parts, repeats: int, say: Callable[[str], None], miss: Callable[[str], None]) -> Iterator[Single]:
    """Each contender once to warm its caches up, then ``repeats`` times. All share one sandbox.

    ``miss`` is told of a contender that fails; what it can't do is left out.
    """
    with arena.running(1) as place, tempfile.TemporaryDirectory(prefix="aks-amp-bench-") as folder:
        for contender in _contenders(parts, place.place, Path(folder)):
            try:
                yield from _contest(place, contender, repeats, say)
            except BenchmarkError as error:
                miss(str(error))
        runs = [measured(place, lambda: floor.run(place.place, (_CONVERGED,), 1)) for _unused in range(repeats)]
        yield Single(FLOOR, "the floor: one process, just the necessary requests", "check", median(runs))


def _contest(place: Arena, contender: Contender, repeats: int, say: Callable[[str], None]) -> Iterator[Single]:
    contender.prepare()
    for work, one in _works(place, contender):
        runs = [one(number) for number in range(repeats + 1)]
        found = Single(contender.name, contender.title, work, median(runs[1:]))
        say(f"{contender.title}, {work}: {found.run.cost.cpu:.2f} CPU s, {found.run.cost.wall:.1f} s")
        yield found


def _works(place: Arena, contender: Contender) -> Iterator[tuple[str, Callable[[int], Run]]]:
    """The two works, each as a function of the repeat's number."""

    def federate(number: int) -> Run:
        cluster = f"{contender.name.replace('_', '-')}-{number}"
        place.fresh(cluster, provider=contender.needs_provider)
        return measured(place, lambda: contender.federate(cluster))

    yield "federate", federate
    yield "check", lambda _number: measured(place, lambda: contender.check(_CONVERGED))


def _contenders(parts: Parts, place: Place, folder: Path) -> Iterator[Contender]:
    def home(name: str) -> Path:
        made = folder / name
        made.mkdir()
        return made

    if parts.azure_cli and parts.aws_cli and parts.kubectl:
        yield Guide(parts.azure_cli, parts.aws_cli, parts.kubectl, place, home("guide"))
    if parts.stock:
        yield Stock(parts.stock, place, home("stock"))
    yield Collection(place, home("collection"))
    yield Collection(place, home("collection_in_processes"), direct=False)
