# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as one page that needs nothing else: the fleet's matrix, each cluster's chain, and diffs side by side.

All texts come from clouds and clusters, so every one of them is escaped; the page's own policy forbids anything but the
one style and the one script in it (https://www.w3.org/TR/CSP3/).
"""

from __future__ import annotations

import base64
import difflib
import hashlib
import html
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift.model import (
    STEPS,
    ChainLink,
    Cluster,
    Drift,
    Repaired,
    Report,
    Status,
    Step,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift.page import SCRIPT, STYLE
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift.render_text import (
    last_change_sentence,
    sentence,
)

_CONTEXT_LINES = 3
_FINE = (Status.IN_SYNC, Status.SKIPPED)


def page(report: Report) -> str:
    """The whole page; the clusters in the gravest state come first."""
    policy = (
        f"default-src 'none'; style-src {_hash(STYLE)}; script-src {_hash(SCRIPT)}; base-uri 'none'; form-action 'none'"
    )
    return "".join(
        (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
            f'<meta http-equiv="Content-Security-Policy" content="{_e(policy)}">\n',
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
            f"<title>Drift of the federation, {_e(report.generated_at)}</title>\n",
            f"<style>{STYLE}</style>\n</head>\n<body>\n",
            "<header>\n<h1>Drift of the federation</h1>\n",
            f'<p><time id="age" datetime="{_e(report.generated_at)}">{_e(report.generated_at)}</time>: ',
            f"{_e(sentence(report))}</p>\n",
            _tiles(report),
            "</header>\n<main>\n",
            f'<div class="bar">{_filters(report)}',
            f'<div class="row head" aria-hidden="true">{_head(("cluster", *STEPS))}</div></div>\n',
            *map(_cluster, sorted(report.clusters, key=lambda cluster: cluster.status.rank)),
            _repaired(report),
            f"</main>\n<script>{SCRIPT}</script>\n</body>\n</html>\n",
        )
    )


def _e(text: str) -> str:
    return html.escape(text, quote=True)


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def _head(names: t.Iterable[str]) -> str:
    return "".join(f"<span>{_e(name.replace('_', ' '))}</span>" for name in names)


def _tiles(report: Report) -> str:
    tiles = [f'<span class="tile"><b>{len(report.clusters)}</b> clusters</span>']
    tiles += [
        f'<span class="tile {status.value}"><b>{number}</b> {_e(status.title)}</span>'
        for status, number in report.counts.items()
        if number
    ]
    return f'<div class="tiles">{"".join(tiles)}</div>\n'


def _filters(report: Report) -> str:
    found = {status for cluster in report.clusters for status in _statuses(cluster)}
    boxes = "".join(
        f'<label class="{status.value}"><input type="checkbox" value="{status.value}"> {_e(status.title)}</label>'
        for status in Status
        if status in found
    )
    return (
        '<div class="filters" role="search"><input type="search" id="search" aria-label="Search clusters and findings" '
        f'placeholder="Search clusters and findings ( / )">{boxes}'
        '<button type="button" id="all" aria-pressed="false" hidden>Open all</button>'
        '<span id="shown" class="soft" role="status"></span></div>\n'
    )


def _statuses(cluster: Cluster) -> list[Status]:
    """By what a cluster is filtered: all that is wrong with it, else that nothing is."""
    wrong = {step.status for step in cluster.steps}.difference(_FINE)
    return sorted(wrong, key=lambda status: status.rank) or [cluster.status]


def _cluster(cluster: Cluster) -> str:
    statuses = " ".join(status.value for status in _statuses(cluster))
    texts = [cluster.name, *(step.note for step in cluster.steps)]
    texts += [f"{drift.kind} {drift.meaning} {drift.object_kind} {drift.object_name}" for drift in cluster.drifts]
    texts += [drift.last_changed_by.who for drift in cluster.drifts if drift.last_changed_by is not None]
    wrong = cluster.status not in _FINE
    return (
        f'<details class="cluster" data-statuses="{statuses}" data-wrong="{"yes" if wrong else "no"}" '
        f'data-text="{_e(" ".join(texts).lower())}"><summary class="row"><span class="name">{_e(cluster.name)}</span>'
        f'{"".join(_cell(step) for step in cluster.steps)}</summary>\n<div class="body">{_chain(cluster)}'
        f"{''.join(_step(step) for step in cluster.steps)}</div></details>\n"
    )


def _cell(step: Step) -> str:
    text = f"drifted ({len(step.drifts)})" if step.status is Status.DRIFTED else step.status.title
    return f'<span class="cell {step.status.value}" title="{_e(step.name)}">{_e(text)}</span>'


def _chain(cluster: Cluster) -> str:
    if not cluster.chain:
        return ""
    links = "".join(
        f'<li class="link-{_e(link.status)}" title="{_e(link.summary)}"><span>{_e(link.name.replace("_", " "))}: '
        f"{_e(link.status)}</span></li>"
        for link in cluster.chain
    )
    details = "".join(map(_broken_link, (link for link in cluster.chain if link.status == "broken")))
    return f'<h2>Trust chain</h2><ol class="chain">{links}</ol>{details}'


def _broken_link(link: ChainLink) -> str:
    sides = (("should be", link.expected), ("is", link.found), ("repair", link.fix))
    return (
        f'<section class="link"><p><b>{_e(link.name.replace("_", " "))}: {_e(link.summary)}</b></p>'
        f"{_pairs(sides)}</section>"
    )


def _pairs(pairs: t.Iterable[tuple[str, str]]) -> str:
    rows = "".join(f"<dt>{_e(name)}</dt><dd>{_e(text)}</dd>" for name, text in pairs if text)
    return f"<dl>{rows}</dl>" if rows else ""


def _step(step: Step) -> str:
    if step.status in _FINE:
        return ""
    note = f"<p>{_e(step.note)}</p>" if step.note else ""
    head = f'<h2>{_e(step.name)}: <span class="{step.status.value}">{_e(step.status.title)}</span></h2>'
    return head + note + "".join(map(_drift, step.drifts))


def _drift(drift: Drift) -> str:
    age = "new" if drift.new else f"since {drift.since}" if drift.since else ""
    severity = drift.severity.value
    tags = "".join(
        f'<span class="tag {look}">{_e(tag)}</span> '
        for tag, look in ((severity, severity), (drift.kind, ""), (age, ""))
        if tag
    )
    last = "" if drift.last_changed_by is None else last_change_sentence(drift.last_changed_by)
    pairs = (
        ("object", f"{drift.object_kind} {drift.object_name}"),
        ("last change", last),
        ("repair", drift.repair),
    )
    return (
        f'<section class="drift {severity}"><p><b>{_e(drift.meaning)}</b></p><p>{tags}</p>'
        f"{_pairs(pairs)}{_diff(drift)}</section>"
    )


def _diff(drift: Drift) -> str:
    before, after = drift.before.splitlines(), drift.after.splitlines()
    if before == after:
        return ""
    rows: list[str] = []
    matcher = difflib.SequenceMatcher(a=before, b=after, autojunk=False)
    for number, group in enumerate(matcher.get_grouped_opcodes(_CONTEXT_LINES)):
        if number:
            rows.append('<tr><td class="gap" colspan="2">...</td></tr>')
        for tag, left_from, left_to, right_from, right_to in group:
            left, right = before[left_from:left_to], after[right_from:right_to]
            minus, plus = ("", "") if tag == "equal" else ("minus", "plus")
            rows += [
                f"<tr>{_side(left, index, minus)}{_side(right, index, plus)}</tr>"
                for index in range(max(len(left), len(right)))
            ]
    return (
        '<table class="diff"><thead><tr><th scope="col">is</th><th scope="col">should be</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _side(lines: t.Sequence[str], index: int, colour: str) -> str:
    if index >= len(lines):
        return "<td></td>"
    return f'<td class="{colour}">{_e(lines[index])}</td>' if colour else f"<td>{_e(lines[index])}</td>"


def _repaired(report: Report) -> str:
    if not report.compared_with:
        return ""

    def item(one: Repaired) -> str:
        return f"<li>{_e(one.cluster)}, {_e(one.step)}: {_e(one.meaning)} (since {_e(one.since)})</li>"

    items = "".join(map(item, report.repaired)) or "<li>Nothing.</li>"
    return f"<h2>Repaired since {_e(report.compared_with)}</h2><ul>{items}</ul>\n"
