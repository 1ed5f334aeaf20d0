# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results as Markdown. Pure."""

from __future__ import annotations

import typing as t

from benchmarks import goals

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.results import Results

_MIB = 1 << 20
_WORKS = {"federate": "One fresh cluster is federated", "check": "One converged cluster is checked"}


def markdown(results: Results) -> str:
    """All tables, each with its heading."""
    parts = [_machine(results), *_singles(results), *_fleets(results), *_report(results), *_goals(results)]
    return "\n\n".join(parts) + "\n"


def ratios(results: Results) -> str:
    """A few lines for the README: how many times less CPU the collection takes. Empty where nothing was compared."""
    lines = []
    for work, title in (("check", "check of one converged cluster"), ("federate", "federation of one fresh cluster")):
        ours = results.single(goals.OURS, work)
        for rival, name in ((goals.GUIDE, "the guide's commands"), (goals.STOCK, "stock Ansible content")):
            theirs = results.single(rival, work)
            if ours and theirs:
                lines.append((title, name, theirs.cost.cpu, ours.cost.cpu))
    further = goals.further_cluster(results)
    for rival, name in ((goals.GUIDE, "the guide's commands"), (goals.STOCK, "stock Ansible content")):
        theirs = results.single(rival, "check")
        if further and theirs:
            lines.append(("each further cluster of a fleet check", name, theirs.cost.cpu, further))
    rows = [(what, who, f"{theirs:.2f}", f"{ours:.2f}", f"{theirs / ours:.1f}") for what, who, theirs, ours in lines]
    if not rows:
        return ""
    return _table(("CPU seconds", "compared with", "theirs", "ours", "quotient"), rows) + "\n"


def _machine(results: Results) -> str:
    machine = results.machine
    packages = ", ".join(f"{name} {version}" for name, version in machine.packages.items())
    return (
        f"Measured on {machine.date} on {machine.cores} cores of {machine.cpu} with {machine.memory_gib} GiB,"
        f" {machine.system}, Python {machine.python}, {packages}. Single clusters are medians of {results.repeats}"
        " runs." + "".join(f"\n\nNot measured: {sentence}" for sentence in results.missing)
    )


def _singles(results: Results) -> Iterator[str]:
    for work, title in _WORKS.items():
        found = [one for one in results.singles if one.work == work]
        ours = results.single(goals.OURS, work)
        if not found or ours is None:
            continue
        rows = [
            (
                one.title,
                f"{one.run.cost.cpu:.2f}",
                f"{goals.ratio(ours, one.run):.2f}",
                f"{one.run.cost.wall:.1f}",
                _mib(one.run.cost.largest),
                str(one.run.requests),
            )
            for one in found
        ]
        head = ("", "CPU s", "times ours", "wall s", "largest process MiB", "requests")
        yield f"### {title}\n\n{_table(head, rows)}"


def _fleets(results: Results) -> Iterator[str]:
    if not results.fleets:
        return
    rows = [
        (
            f"{one.clusters:,}",
            str(one.forks),
            f"{one.latency * 1000:.0f}",
            f"{one.run.cost.cpu:.1f}",
            f"{one.run.cost.cpu / one.clusters:.2f}",
            f"{one.run.cost.wall:.1f}",
            _mib(one.run.cost.root),
            _mib(one.run.cost.together),
            f"{one.run.requests:,}",
            f"{one.run.sandbox_cpu:.1f}",
            f"{one.floor.cost.cpu:.1f}",
            f"{one.floor.cost.wall:.1f}",
            f"{one.floor.requests:,}",
            f"{goals.ratio(one.floor, one.run):.1f}",
        )
        for one in sorted(results.fleets, key=lambda one: (one.latency, one.forks, one.clusters))
    ]
    head = (
        *("clusters", "forks", "latency ms", "CPU s", "CPU s a cluster", "wall s", "controller MiB", "all MiB"),
        *("requests", "sandbox CPU s", "floor CPU s", "floor wall s", "floor requests", "CPU to floor"),
    )
    text = f"### A fleet of converged clusters is checked\n\n{_table(head, rows)}"
    ours, floor = goals.further_cluster(results), goals.floor_of_a_cluster(results)
    if ours is not None and floor is not None and floor > 0:  # small fleets can show noise only
        text += (
            f"\n\nEach further cluster costs {ours:.2f} CPU seconds, and {floor:.3f} at the floor:"
            f" the quotient is {ours / floor:.0f}."
        )
    yield text


def _report(results: Results) -> Iterator[str]:
    if results.report is not None:
        cost = results.report.cost
        yield (
            f"### The report alone\n\nThe report of {results.report_clusters:,} clusters with its files costs"
            f" {cost.cpu:.1f} CPU seconds, {cost.wall:.1f} seconds of wall time and {_mib(cost.largest)} MiB."
        )


def _goals(results: Results) -> Iterator[str]:
    found = goals.verdicts(results)
    if found:
        rows = [
            (one.goal, f"{one.allowed:.2f} {one.unit}", f"{one.found:.2f} {one.unit}", one.sentence) for one in found
        ]
        yield f"### Goals\n\n{_table(('goal', 'allowed', 'found', ''), rows)}"


def _mib(size: int) -> str:
    return f"{size / _MIB:.0f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The first column is text, the others are too narrow to matter."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
