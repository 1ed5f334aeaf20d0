# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each format by a parser of that format; texts of others stay texts."""

from __future__ import annotations

import html.parser
import re
import typing as t
from pathlib import Path
from xml.etree import ElementTree as ET

import xmlschema
from hypothesis import given, settings
from prometheus_client import parser as text_parser
from prometheus_client.openmetrics import parser as openmetrics_parser

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift import history
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift.model import (
    STEPS,
    Repaired,
    Report,
    Status,
    Step,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift.page import SCRIPT, STYLE
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift.render_html import page
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift.render_text import (
    junit,
    markdown,
    openmetrics,
    sentence,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import LastChange, Told
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._severity import Severity
from tests.unit.plugins.module_utils._drift.reports import EARLIER, HOSTILE, NOW, REPORTS, cluster, drift, drifted

JUNIT = xmlschema.XMLSchema11(Path(__file__).with_name("junit.xsd"))
REPORT = history.compare(
    Report(
        NOW,
        (
            drifted("payments", drift(), drift("tags_changed", Severity.LOW, meaning="Other tags.")),
            cluster("search", service_account=Step("service_account", Status.FAILED, "403 Forbidden.")),
            cluster("shop"),
        ),
    ),
    history.first(Report(EARLIER, (drifted("payments"), drifted("shop", drift("role_missing"))))),
)


def test_the_sentence_says_the_gravest_first() -> None:
    assert sentence(REPORT) == f"1 drifted, 1 failed, 1 in sync. Since {EARLIER}: 1 new, 1 repaired."
    assert sentence(Report(NOW, ())) == "none."


def test_markdown() -> None:
    text = markdown(REPORT)
    assert "| payments | in sync | **drifted (2)** | in sync | in sync | in sync | in sync |" in text
    assert "| shop | in sync | in sync | in sync | in sync | in sync | in sync |" in text
    assert f"(high, since {EARLIER}) Repair: Add client ID sts.amazonaws.com." in text
    assert "  - Other tags. (low, new)" in text
    assert "- **service_account** failed: 403 Forbidden." in text
    assert (
        f"- shop, iam_web_identity: The IAM OIDC provider lost the client ID sts.amazonaws.com. (since {EARLIER})"
        in text
    )


def test_markdown_keeps_the_texts_of_others_as_texts() -> None:
    text = markdown(Report(NOW, (drifted(f"a|b\n# c{HOSTILE}", drift(meaning=HOSTILE)),)))
    assert "<script>" not in text
    assert "\n# c" not in text
    row = next(line for line in text.splitlines() if line.startswith("| a"))
    assert len(re.findall(r"(?<!\\)\|", row)) == len(STEPS) + 2


@given(report=REPORTS)
@settings(max_examples=60, deadline=None)
def test_junit_fits_its_schema_and_counts_right(report: Report) -> None:
    text = junit(report)
    JUNIT.validate(text)
    root = ET.fromstring(text)  # noqa: S314  # our own output
    for suite, one in zip(root.iter("testsuite"), report.clusters, strict=True):
        for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.attrib[name]) == len(suite.findall(f"testcase/{tag}"))
        assert [case.attrib["name"] for case in suite] == list(STEPS)
        wrong = [step.status in (Status.DRIFTED, Status.BROKEN) for step in one.steps]
        assert [case.find("failure") is not None for case in suite] == wrong


def test_junit_says_what_is_wrong() -> None:
    root = ET.fromstring(junit(REPORT))  # noqa: S314  # our own output
    failure = root.find(".//testsuite[@name='payments']//failure")
    assert failure is not None
    assert "[high] The IAM OIDC provider lost the client ID" in (failure.text or "")
    error = root.find(".//testsuite[@name='search']//error")
    assert error is not None
    assert error.attrib["message"] == "403 Forbidden."


@given(report=REPORTS)
@settings(max_examples=60, deadline=None)
def test_openmetrics_is_read_by_its_parser(report: Report) -> None:
    families = {
        family.name: family for family in openmetrics_parser.text_string_to_metric_families(openmetrics(report))
    }
    (stamp,) = families["aks_amp_drift_report_timestamp_seconds"].samples
    assert stamp.value == 1777863721
    if not report.clusters:
        return
    states = {
        (sample.labels["cluster"], sample.labels["step"]): sample.labels["aks_amp_drift_step_status"]
        for sample in families["aks_amp_drift_step_status"].samples
        if sample.value == 1
    }
    assert states == {(one.name, step.name): step.status.value for one in report.clusters for step in one.steps}
    for sample in families["aks_amp_drifts"].samples:
        one = next(one for one in report.clusters if one.name == sample.labels["cluster"])
        assert sample.value == sum(found.severity.value == sample.labels["severity"] for found in one.drifts)


@given(report=REPORTS)
@settings(max_examples=30, deadline=None)
def test_the_metrics_have_nothing_that_the_older_text_format_lacks(report: Report) -> None:
    """node_exporter's textfile collector reads that one; tests/real has promtool read it. Comments are free there."""
    text = openmetrics(report)
    types = re.findall(r"^# TYPE \w+ (.*)$", text, re.MULTILINE)
    assert types
    assert set(types) <= {"counter", "gauge", "histogram", "summary", "untyped"}
    assert " # " not in re.sub(r'"(?:[^"\\]|\\.)*"', "", text)  # an exemplar
    families = {family.name: family for family in text_parser.text_string_to_metric_families(text)}
    read = [sample for family in families.values() for sample in family.samples]
    assert len(read) == len([line for line in text.split("\n") if line and not line.startswith("#")])


class _Page(html.parser.HTMLParser):
    """What a browser would see: tags, attributes and texts, those of the page's own style and script apart."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in ("meta", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("script", "style"):
            assert data in (SCRIPT, STYLE)
        else:
            self.texts.append(data)


@given(report=REPORTS)
@settings(max_examples=60, deadline=None)
def test_the_page_is_whole_and_nothing_in_it_is_active_but_its_own_script(report: Report) -> None:
    seen = _Page(page(report))
    assert seen.open == []
    assert seen.tags.count("script") == 1
    assert seen.tags.count("details") == len(report.clusters)
    names = {name for name, _value in seen.attributes}
    assert not [name for name in names if name.startswith("on") or name in ("src", "href", "style", "action")]
    assert {"img", "link", "iframe", "a", "form"}.isdisjoint(seen.tags)
    shown = "".join(seen.texts)
    for one in report.clusters:
        for found in one.drifts:
            assert found.meaning.replace("\r", "\n") in shown.replace("\r", "\n")


def test_the_page_shows_chain_diff_and_history() -> None:
    text = page(REPORT)
    assert '<td></td><td class="plus">    &quot;sts.amazonaws.com&quot;</td>' in text
    assert f"Repaired since {EARLIER}" in text
    assert '<span class="tag ">new</span>' in text
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    assert policy[1].startswith("default-src &#x27;none&#x27;; style-src &#x27;sha256-")
    assert "://" not in text.replace("https://issuer.example/", "")


def test_repaired_needs_a_comparison() -> None:
    repaired = Repaired("a", "iam_web_identity", "role_missing", "Gone.", "IAM role", "r", EARLIER)
    assert "Gone." not in page(Report(NOW, (), repaired=(repaired,)))
    assert "Gone." in page(Report(NOW, (), compared_with=EARLIER, repaired=(repaired,)))


def test_a_thousand_clusters_make_a_page_of_bounded_size() -> None:
    report = Report(NOW, tuple(cluster(f"cluster-{number:04}") for number in range(1000)))
    assert len(page(report)) < 1_500_000
    assert t.cast("int", openmetrics(report).count("\n")) > 1000 * len(STEPS)


def test_who_changed_an_object_last_is_said_with_what_it_is_worth() -> None:
    lasts = (
        (LastChange("kubectl-edit", EARLIER, Told.FIELD), f"Set last by kubectl-edit at {EARLIER}."),
        (
            LastChange("helm", EARLIER, Told.OBJECT),
            f"The object was last written by helm at {EARLIER}, which may have ",
        ),
        (LastChange("CloudFormation stack iam", "", Told.TAG), "A tag names CloudFormation stack iam."),
    )
    for last, sentence_of_it in lasts:
        report = Report(NOW, (drifted("payments", drift(last_changed_by=last)),))
        assert sentence_of_it in page(report)
        assert sentence_of_it in markdown(report).replace("\\", "")
    assert "last change" not in page(Report(NOW, (drifted("payments"),)))
