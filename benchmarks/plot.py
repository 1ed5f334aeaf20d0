# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plot of the documentation: CPU seconds of a fleet check over the fleet's size, both logarithmic. Pure."""

from __future__ import annotations

import dataclasses
import html
import math
import typing as t

from benchmarks import goals

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.results import Results

Point = tuple[float, float]

_WIDTH, _HEIGHT = 760, 440
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 240, 50, 55
_COLOURS = ("#1f6feb", "#57606a", "#bf3989", "#9a6700")


@dataclasses.dataclass(frozen=True)
class Line:
    """A named line; ``counted`` is false where single clusters are only multiplied."""

    name: str
    points: tuple[Point, ...]
    counted: bool = True


def svg(results: Results) -> str:
    """The plot as an SVG document, which needs no font or script of its own."""
    lines = _lines(results)
    if not lines:
        return _document(["<text x='20' y='40'>No fleet of two sizes was measured.</text>"])
    scale = _Scale.over([point for line in lines for point in line.points])
    parts = [*_axes(scale)]
    for number, line in enumerate(lines):
        parts += _drawn(line, scale, _COLOURS[number % len(_COLOURS)], number)
    return _document(parts)


def _lines(results: Results) -> list[Line]:
    """The longest row of fleets, its floor, and what the rivals would take for as many single clusters."""
    rows = [results.row(forks) for forks in sorted({one.forks for one in results.fleets})]
    row = max(rows, key=len, default=())
    if len(row) < 2:  # a line needs two points
        return []
    found = [
        Line("this collection", tuple((one.clusters, one.run.cost.cpu) for one in row)),
        Line("the floor", tuple((one.clusters, one.floor.cost.cpu) for one in row)),
    ]
    for rival, name in ((goals.GUIDE, "the guide's commands"), (goals.STOCK, "stock Ansible content")):
        theirs = results.single(rival, "check")
        if theirs:
            points = tuple((one.clusters, one.clusters * theirs.cost.cpu) for one in row)
            found.append(Line(f"{name}, one by one", points, counted=False))
    return found


@dataclasses.dataclass(frozen=True)
class _Scale:
    """Powers of ten that enclose all points."""

    left: int
    right: int
    low: int
    high: int

    @classmethod
    def over(cls, points: Sequence[Point]) -> _Scale:
        across, up = [x for x, _unused in points], [y for _unused, y in points]
        left, low = (math.floor(math.log10(min(values))) for values in (across, up))
        right, high = (math.ceil(math.log10(max(values))) for values in (across, up))
        return cls(left, max(right, left + 1), low, max(high, low + 1))

    def place(self, point: Point) -> Point:
        x = (math.log10(point[0]) - self.left) / (self.right - self.left)
        y = (math.log10(point[1]) - self.low) / (self.high - self.low)
        return _LEFT + x * (_WIDTH - _LEFT - _RIGHT), _HEIGHT - _BOTTOM - y * (_HEIGHT - _TOP - _BOTTOM)


def _axes(scale: _Scale) -> Iterator[str]:
    yield _text(_LEFT, 28, "CPU seconds of a fleet check", weight="bold")
    yield _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 14, "converged clusters", anchor="middle")
    for power in range(scale.left, scale.right + 1):
        x, bottom = scale.place((10.0**power, 10.0**scale.low))
        yield f"<line x1='{x:.1f}' y1='{_TOP}' x2='{x:.1f}' y2='{bottom:.1f}' stroke='#d0d7de'/>"
        yield _text(x, bottom + 18, f"{10**power:,}", anchor="middle")
    for power in range(scale.low, scale.high + 1):
        left, y = scale.place((10.0**scale.left, 10.0**power))
        yield f"<line x1='{left:.1f}' y1='{y:.1f}' x2='{_WIDTH - _RIGHT}' y2='{y:.1f}' stroke='#d0d7de'/>"
        yield _text(left - 8, y + 4, f"{10.0**power:,.10g}", anchor="end")


def _drawn(line: Line, scale: _Scale, colour: str, number: int) -> Iterator[str]:
    """The line, and its entry in the legend."""
    places = [scale.place(point) for point in line.points]
    dashes = "" if line.counted else " stroke-dasharray='6 4'"
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    yield f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='2'{dashes}/>"
    if line.counted:
        yield from (f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3.5' fill='{colour}'/>" for x, y in places)
    x, y = _WIDTH - _RIGHT + 14, _TOP + 16 + number * 22
    yield f"<line x1='{x}' y1='{y - 4}' x2='{x + 22}' y2='{y - 4}' stroke='{colour}' stroke-width='2'{dashes}/>"
    yield _text(x + 28, y, line.name)


def _text(x: float, y: float, text: str, anchor: str = "start", weight: str = "normal") -> str:
    return f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' font-weight='{weight}'>{html.escape(text)}</text>"


def _document(parts: Sequence[str]) -> str:
    """On a light ground, so that it can be read on dark pages too."""
    size = f"viewBox='0 0 {_WIDTH} {_HEIGHT}'"
    return "\n".join(
        [
            f"<svg xmlns='http://www.w3.org/2000/svg' {size} font-family='sans-serif' font-size='13' fill='#1f2328'>",
            "<!-- Copyright (c) 2026, crosscloud.aks_amp contributors, SPDX-License-Identifier: GPL-3.0-or-later -->",
            f"<rect width='{_WIDTH}' height='{_HEIGHT}' fill='#ffffff'/>",
            *parts,
            "</svg>\n",
        ]
    )
