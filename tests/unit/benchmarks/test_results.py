# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From results to goals, tables, plot and pages."""

from __future__ import annotations

import dataclasses
import typing as t
from xml.etree import ElementTree as ET

import pytest

from benchmarks import budget, docs, goals, plot, table
from benchmarks.contest import Run, median
from benchmarks.matrix import MATRICES
from benchmarks.measure import BenchmarkError, Cost
from benchmarks.results import Fleet, Machine, Results, Single

_GIB = 1 << 30


def cost(cpu: float, wall: float = 1.0, root: int = 0) -> Cost:
    return Cost(cpu, wall, 100 << 20, 200 << 20, root)


def fleet(clusters: int, cpu: float, *, forks: int = 5, latency: float = 0.0, **more: t.Any) -> Fleet:
    wall = more.get("wall", 1.0)
    run = Run(cost(cpu, wall, more.get("root", 0)), 2 + 29 * clusters, 0, 1.0)
    floor = Run(cost(0.8 + 0.02 * clusters, more.get("floor_wall", 1.0)), 5 + 13 * clusters, 0, 1.0)
    return Fleet(clusters, forks, latency, run, floor)


def results(*fleets: Fleet, singles: t.Mapping[tuple[str, str], float] | None = None) -> Results:
    machine = Machine("2026-11-28", 2, "a processor", 24, "Linux", "3.11.7", {"ansible-core": "2.19.14"})
    alone = [
        Single(contender, f"the {contender}", work, Run(cost(cpu), 9, 0, 0.1))
        for (contender, work), cpu in (singles or {}).items()
    ]
    return Results(machine, 3, tuple(alone), fleets, Run(cost(3.0), 0, 0, 0.0), 1000, 29, ("No kubectl.",))


SINGLES: t.Final = {
    ("collection", "check"): 2.0,
    ("guide", "check"): 7.5,
    ("stock", "check"): 9.0,
    ("collection", "federate"): 6.0,
    ("guide", "federate"): 13.0,
}


def found(of: Results) -> dict[str, goals.Verdict]:
    return {one.goal: one for one in goals.verdicts(of)}


def named(of: Results, words: str) -> goals.Verdict:
    (one,) = (verdict for goal, verdict in found(of).items() if words in goal)
    return one


def test_one_cluster_alone_is_compared_with_each_rival() -> None:
    some = results(singles=SINGLES)
    assert named(some, "check one cluster alone: at most 0.33").sentence == "met"
    assert named(some, "check one cluster alone: at most 0.20").sentence == "not met, 1.11 times what is allowed"
    assert named(some, "federate one cluster alone").allowed == pytest.approx(13 / 3)


def test_each_further_cluster_is_the_slope_of_the_fleets() -> None:
    some = results(fleet(10, 14.0), fleet(210, 154.0), singles=SINGLES)
    assert goals.further_cluster(some) == pytest.approx(0.7)
    assert goals.floor_of_a_cluster(some) == pytest.approx(0.02)
    verdict = named(some, "further cluster of a fleet: at most 0.10 of the guide")
    assert verdict.found == pytest.approx(0.7)
    assert verdict.met


def test_one_size_alone_has_no_slope() -> None:
    assert goals.further_cluster(results(fleet(10, 14.0), fleet(50, 40.0, forks=1))) is None


def test_a_fleet_of_two_hundred_and_one_of_a_thousand() -> None:
    some = results(fleet(200, 180.0), fleet(1000, 950.0, root=2 * _GIB))
    assert named(some, "fleet check of 200: CPU a cluster").sentence == "not met, 1.12 times what is allowed"
    assert named(some, "linear").met
    assert named(some, "below 1 GiB").found == pytest.approx(2.0)


def test_with_latency_the_larger_of_floor_and_own_work_counts() -> None:
    slow = fleet(200, 100.0, forks=25, latency=0.2, wall=60.0, floor_wall=30.0)
    verdict = named(results(slow), "200 ms")
    assert verdict.allowed == pytest.approx(1.3 * 50)
    assert verdict.met
    work = fleet(200, 40.0, forks=25, latency=0.2, wall=60.0, floor_wall=30.0)
    assert named(results(work), "200 ms").allowed == pytest.approx(1.3 * 30)


def test_requests_are_compared_with_the_documented_ones() -> None:
    some = results(fleet(10, 14.0), fleet(50, 40.0))
    assert named(some, "requests").met
    assert not named(dataclasses.replace(some, documented_requests=28), "requests").met


def test_results_are_the_same_after_they_were_kept() -> None:
    some = results(fleet(10, 14.0), singles=SINGLES)
    assert Results.from_json(some.to_json()) == some


def test_what_a_later_run_measured_again_counts() -> None:
    first = results(fleet(10, 8.0), fleet(200, 100.0), singles={("guide", "check"): 8.0})
    later = dataclasses.replace(results(fleet(200, 90.0), fleet(1000, 450.0)), report=None, report_clusters=0)
    both = first.with_later(later)
    assert [(one.clusters, one.run.cost.cpu) for one in both.row(5)] == [(10, 8.0), (200, 90.0), (1000, 450.0)]
    alone = both.single("guide", "check")
    assert alone is not None
    assert alone.cost.cpu == 8.0
    assert (both.report, both.report_clusters) == (first.report, 1000)


def test_results_of_other_machines_are_not_mixed() -> None:
    one = results(fleet(10, 8.0))
    other = dataclasses.replace(one, machine=dataclasses.replace(one.machine, cores=64))
    with pytest.raises(ValueError, match="different machines"):
        one.with_later(other)


def test_tables_have_all_figures() -> None:
    text = table.markdown(results(fleet(10, 14.0), fleet(50, 40.0), singles=SINGLES))
    assert "| the guide | 7.50 | 3.75 | 1.0 | 100 | 9 |" in text
    assert "| 10 | 5 | 0 | 14.0 | 1.40 |" in text
    assert "the quotient is 32" in text
    assert "The report of 1,000 clusters with its files costs 3.0 CPU seconds" in text
    assert "Not measured: No kubectl." in text
    assert "not met, 1.11 times" in text


def test_the_readmes_lines_are_quotients() -> None:
    text = table.ratios(results(fleet(10, 14.0), fleet(50, 40.0), singles=SINGLES))
    assert "| check of one converged cluster | the guide's commands | 7.50 | 2.00 | 3.8 |" in text
    assert "| each further cluster of a fleet check | the guide's commands | 7.50 | 0.65 | 11.5 |" in text
    assert table.ratios(results(fleet(10, 14.0))) == ""


def test_the_plot_is_xml_with_a_line_for_each_contender() -> None:
    text = plot.svg(results(fleet(10, 14.0), fleet(1000, 800.0), singles=SINGLES))
    document = ET.fromstring(text)  # noqa: S314  # our own
    lines = document.findall("{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == 4
    for line in lines:
        for place in line.attrib["points"].split():
            x, y = map(float, place.split(","))
            assert 0 < x < 760
            assert 0 < y < 440


def test_a_plot_without_fleets_says_so() -> None:
    assert "No fleet of two sizes" in plot.svg(results())


def test_medians_are_taken_of_each_figure() -> None:
    runs = [Run(cost(cpu, wall), requests, 0, 0.0) for cpu, wall, requests in ((1, 30, 5), (2, 10, 6), (3, 20, 7))]
    assert median(runs) == Run(cost(2, 20), 6, 0, 0.0)
    with pytest.raises(BenchmarkError):
        median([])


def test_what_stands_between_the_comments_is_replaced_each_time() -> None:
    page = f"before\n\n{docs.BEGIN}\n\nold\n\n{docs.END}\n\nafter\n"
    once = docs.replaced(page, "new\n")
    assert once == f"before\n\n{docs.BEGIN}\n\nnew\n\n{docs.END}\n\nafter\n"
    assert docs.replaced(once, "new\n") == once
    with pytest.raises(ValueError, match="has no lines"):
        docs.replaced("nothing here", "new")


@pytest.mark.parametrize("page", [docs.PAGE, docs.README])
def test_the_pages_have_their_places(page: t.Any) -> None:
    text = page.read_text(encoding="utf-8")
    assert docs.replaced(docs.replaced(text, "x"), "y") == docs.replaced(text, "y")


def test_the_documented_requests_are_counted_in_the_page_itself() -> None:
    number = budget.documented(budget.PAGE.read_text(encoding="utf-8"))
    assert 13 <= number <= 35
    rows = "| 1 | `a` | why |\n| 2 | `b` | why. Read once for a fleet |\n| 6, for real | `c` | why |\n"
    assert budget.documented(rows) == 1
    with pytest.raises(ValueError, match="no table"):
        budget.documented("no rows")


@pytest.mark.parametrize("matrix", MATRICES.values(), ids=MATRICES)
def test_every_matrix_has_two_sizes_and_the_slow_fleet(matrix: t.Any) -> None:
    assert len({cell.clusters for cell in matrix.cells if not cell.latency}) > 1
    assert any((cell.forks, cell.latency) == (25, 0.2) for cell in matrix.cells)
    assert len(set(matrix.cells)) == len(matrix.cells)
