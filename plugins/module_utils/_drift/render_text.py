# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as Markdown, JUnit XML and OpenMetrics text.

Markdown: https://github.github.com/gfm/. JUnit: the form that CI servers read, one test suite a cluster and one test
case a step. OpenMetrics: https://prometheus.io/docs/specs/om/open_metrics_spec/.
"""

from __future__ import annotations

import datetime as dt
import re
from xml.sax import saxutils

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift.model import (
    STEPS,
    Cluster,
    Report,
    Status,
    Step,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import LastChange, Told
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._severity import Severity

_MARKDOWN_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&!()])")
#: What XML 1.0 does not take, even escaped.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NOTHING_WRONG = (Status.IN_SYNC, Status.SKIPPED)


def markdown(report: Report) -> str:
    """The report for people who read Markdown: a summary, the matrix, and what is wrong with each cluster."""
    lines = [
        "# Drift of the federation",
        "",
        f"{report.generated_at}, {_count(len(report.clusters), 'cluster')}: {sentence(report)}",
        "",
        f"| cluster | {' | '.join(STEPS)} |",
        f"| --- |{' --- |' * len(STEPS)}",
    ]
    for cluster in report.clusters:
        cells = " | ".join(_cell(step) for step in cluster.steps)
        lines.append(f"| {_escaped(cluster.name)} | {cells} |")
    for cluster in report.clusters:
        lines += _section(cluster)
    if report.compared_with:
        lines += ["", f"## Repaired since {report.compared_with}", ""]
        lines += [
            f"- {_escaped(one.cluster)}, {one.step}: {_escaped(one.meaning)} (since {one.since})"
            for one in report.repaired
        ] or ["Nothing."]
    return "\n".join(lines) + "\n"


def sentence(report: Report) -> str:
    """The fleet in one sentence, the gravest first."""
    counts = [f"{number} {status.title}" for status, number in report.counts.items() if number]
    new = sum(drift.new is True for _cluster, _step, drift in report.drifts)
    ending = ""
    if report.compared_with:
        ending = f" Since {report.compared_with}: {new} new, {len(report.repaired)} repaired."
    return f"{', '.join(counts) or 'none'}.{ending}"


def last_change_sentence(last: LastChange) -> str:
    """Who changed the object of a drift last; what a person must know to read it rightly is said."""
    when = f" at {last.when}" if last.when else ""
    return {
        Told.FIELD: f"Set last by {last.who}{when}.",
        Told.OBJECT: f"The object was last written by {last.who}{when}, which may have been another change.",
        Told.TAG: f"A tag names {last.who}.",
    }[last.how]


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _escaped(text: str) -> str:
    return _MARKDOWN_SPECIAL.sub(r"\\\1", text).replace("\n", " ")


def _cell(step: Step) -> str:
    if step.status is Status.DRIFTED:
        return f"**drifted ({len(step.drifts)})**"
    return step.status.title if step.status in _NOTHING_WRONG else f"**{step.status.title}**"


def _section(cluster: Cluster) -> list[str]:
    wrong = [step for step in cluster.steps if step.status not in _NOTHING_WRONG]
    if not wrong:
        return []
    lines = ["", f"## {_escaped(cluster.name)}", ""]
    if cluster.chain:
        drawing = " > ".join(f"{link.name.replace('_', ' ')} {link.status}" for link in cluster.chain)
        lines += [_escaped(drawing), ""]
    for step in wrong:
        note = f": {_escaped(step.note)}" if step.note else ""
        lines.append(f"- **{step.name}** {step.status.title}{note}")
        for drift in step.drifts:
            age = "new" if drift.new else f"since {drift.since}" if drift.since else ""
            weight = ", ".join(filter(None, (drift.severity.value, age)))
            last = "" if drift.last_changed_by is None else f" {_escaped(last_change_sentence(drift.last_changed_by))}"
            lines.append(f"  - {_escaped(drift.meaning)} ({weight}) Repair: {_escaped(drift.repair)}{last}")
    return lines


# JUnit ----------------------------------------------------------------------------------------------------------------


def junit(report: Report) -> str:
    """A drift or a broken link is a failure, a step that failed is an error, what is not known is skipped."""
    suites = [_suite(cluster, report.generated_at) for cluster in report.clusters]
    numbers = [
        sum(step.status in wanted for cluster in report.clusters for step in cluster.steps)
        for wanted in ((Status.BROKEN, Status.DRIFTED), (Status.FAILED,))
    ]
    tests = sum(len(cluster.steps) for cluster in report.clusters)
    return "\n".join(
        (
            '<?xml version="1.0" encoding="UTF-8"?>',
            f'<testsuites name="drift" tests="{tests}" failures="{numbers[0]}" errors="{numbers[1]}" time="0">',
            *suites,
            "</testsuites>\n",
        )
    )


def _suite(cluster: Cluster, generated_at: str) -> str:
    def number(*wanted: Status) -> int:
        return sum(step.status in wanted for step in cluster.steps)

    attributes = " ".join(
        f"{name}={_attribute(str(value))}"
        for name, value in (
            ("name", cluster.name),
            ("tests", len(cluster.steps)),
            ("failures", number(Status.BROKEN, Status.DRIFTED)),
            ("errors", number(Status.FAILED)),
            ("skipped", number(Status.UNKNOWN, Status.SKIPPED)),
            ("timestamp", generated_at.removesuffix("Z")),
            ("hostname", "localhost"),
            ("time", "0"),
        )
    )
    cases = "\n".join(_case(cluster, step) for step in cluster.steps)
    return f"  <testsuite {attributes}>\n{cases}\n  </testsuite>"


def _case(cluster: Cluster, step: Step) -> str:
    head = f'    <testcase name={_attribute(step.name)} classname={_attribute(cluster.name)} time="0"'
    if step.status is Status.IN_SYNC:
        return f"{head}/>"
    element = {
        Status.DRIFTED: "failure",
        Status.BROKEN: "failure",
        Status.FAILED: "error",
        Status.UNKNOWN: "skipped",
        Status.SKIPPED: "skipped",
    }[step.status]
    details = "\n".join(f"[{drift.severity.value}] {drift.meaning} Repair: {drift.repair}" for drift in step.drifts)
    message = step.note or "; ".join(drift.meaning for drift in step.drifts) or step.status.title
    kind = "" if element == "skipped" else f" type={_attribute(step.status.value)}"
    body = "" if element == "skipped" else saxutils.escape(_xml(details))
    return f"{head}>\n      <{element} message={_attribute(message)}{kind}>{body}</{element}>\n    </testcase>"


def _attribute(text: str) -> str:
    return saxutils.quoteattr(_xml(text), {"\n": "&#10;"})


def _xml(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)


# OpenMetrics ----------------------------------------------------------------------------------------------------------


def openmetrics(report: Report) -> str:
    """Gauges to alert on. Every cluster has each status of each step, so that a series ends only with its cluster."""
    lines = [
        "# TYPE aks_amp_drift_step_status gauge",
        "# HELP aks_amp_drift_step_status What is known of a step of a cluster.",
    ]
    lines += [
        _sample(
            "aks_amp_drift_step_status",
            int(step.status is status),
            cluster=cluster.name,
            step=step.name,
            aks_amp_drift_step_status=status.value,
        )
        for cluster in report.clusters
        for step in cluster.steps
        for status in Status
    ]
    lines += [
        "# TYPE aks_amp_drifts gauge",
        "# HELP aks_amp_drifts How many differences a cluster has, by severity.",
    ]
    lines += [
        _sample(
            "aks_amp_drifts",
            sum(drift.severity is severity for drift in cluster.drifts),
            cluster=cluster.name,
            severity=severity.value,
        )
        for cluster in report.clusters
        for severity in Severity
    ]
    lines += [
        "# TYPE aks_amp_drift_report_timestamp_seconds gauge",
        "# UNIT aks_amp_drift_report_timestamp_seconds seconds",
        "# HELP aks_amp_drift_report_timestamp_seconds When the report was made.",
        _sample("aks_amp_drift_report_timestamp_seconds", _epoch(report.generated_at)),
        "# EOF\n",
    ]
    return "\n".join(lines)


def _sample(name: str, value: int, **labels: str) -> str:
    pairs = ",".join(f'{label}="{_label(text)}"' for label, text in labels.items())
    return f"{name}{{{pairs}}} {value}" if pairs else f"{name} {value}"


def _label(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _epoch(time: str) -> int:
    return int(dt.datetime.fromisoformat(time).timestamp())
