# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report's published form, one report against another, and parts of a fleet as one."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift import history
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift.model import (
    FORMAT_VERSION,
    STEPS,
    NotAReport,
    Report,
    Status,
    Step,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import Told
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._severity import Severity
from tests.unit.plugins.module_utils._drift.reports import EARLIER, NOW, REPORTS, cluster, drift, drifted

SCHEMA = json.loads((Path(__file__).parents[5] / "docs/schemas/drift-report.schema.json").read_text())


def test_the_schema_names_what_the_code_knows() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    definitions = SCHEMA["$defs"]
    assert definitions["status"]["enum"] == [status.value for status in Status]
    assert definitions["severity"]["enum"] == [severity.value for severity in Severity]
    assert definitions["step_name"]["enum"] == list(STEPS)
    assert SCHEMA["properties"]["format_version"]["const"] == FORMAT_VERSION
    assert set(definitions["drift"]["properties"]) == {field.name for field in dataclasses.fields(drift())}
    assert definitions["last_change"]["properties"]["how"]["enum"] == [told.value for told in Told]


@given(report=REPORTS)
@settings(max_examples=60, deadline=None)
def test_every_report_fits_the_schema_and_comes_back_as_it_was(report: Report) -> None:
    written = json.loads(json.dumps(report.to_json()))
    jsonschema.validate(written, SCHEMA)
    assert Report.from_json(written) == report


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ([], "not a drift report"),
        ({"format": "other"}, "not a drift report"),
        ({"format": "crosscloud.aks_amp/drift-report", "format_version": 2}, "version 2, and version 1 is read"),
        ({"format": "crosscloud.aks_amp/drift-report", "format_version": 1}, "damaged"),
        ({**Report(NOW, ()).to_json(), "clusters": [{"name": "a", "steps": [{}], "chain": []}]}, "damaged"),
        ({**Report(NOW, ()).to_json(), "clusters": [{"name": ["a"], "steps": [], "chain": []}]}, "name is no text"),
        (
            {**Report(NOW, ()).to_json(), "clusters": [{"name": "a", "steps": [], "chain": [1]}]},
            "ChainLink is no object",
        ),
        ({**Report(NOW, ()).to_json(), "compared_with": {}}, "compared_with is no text"),
    ],
)
def test_what_is_no_report_is_said(document: object, problem: str) -> None:
    with pytest.raises(NotAReport, match=problem):
        Report.from_json(document)


def test_a_cluster_is_as_bad_as_its_worst_step() -> None:
    assert cluster("a").status is Status.IN_SYNC
    failed = Step("service_account", Status.FAILED, "No rights.")
    broken = Step("federation_check", Status.BROKEN, "No provider.")
    assert cluster("a", service_account=failed).status is Status.FAILED
    assert cluster("a", service_account=failed, federation_check=broken).status is Status.BROKEN


def test_without_an_earlier_report_every_drift_is_there_since_now() -> None:
    (found,) = history.first(Report(NOW, (drifted("a"),))).clusters[0].drifts
    assert (found.since, found.new) == (NOW, None)


def test_an_earlier_report_tells_new_from_old_and_what_is_repaired() -> None:
    old = history.first(Report(EARLIER, (drifted("a"), drifted("b", drift("role_missing")), drifted("gone"))))
    now = Report(NOW, (drifted("a", drift(), drift("tags_changed", Severity.LOW)), cluster("b")))
    compared = history.compare(now, old)
    assert [(one.kind, one.since, one.new) for one in compared.clusters[0].drifts] == [
        ("client_id_missing", EARLIER, False),
        ("tags_changed", NOW, True),
    ]
    assert [(one.cluster, one.kind, one.since) for one in compared.repaired] == [("b", "role_missing", EARLIER)]
    assert compared.compared_with == EARLIER


@pytest.mark.parametrize("status", [Status.FAILED, Status.UNKNOWN, Status.SKIPPED])
def test_what_could_not_be_looked_at_is_not_called_repaired(status: Status) -> None:
    old = history.first(Report(EARLIER, (drifted("a"),)))
    now = Report(NOW, (cluster("a", iam_web_identity=Step("iam_web_identity", status, "why")),))
    assert history.compare(now, old).repaired == ()


@given(report=REPORTS)
@settings(max_examples=40, deadline=None)
def test_a_report_against_itself_has_nothing_new_and_nothing_repaired(report: Report) -> None:
    before = history.first(report)
    again = history.compare(dataclasses.replace(report, generated_at="2027-01-01T00:00:00Z"), before)
    assert again.repaired == ()
    assert all(one.new is False and one.since == NOW for _cluster, _step, one in again.drifts)


@given(report=REPORTS)
@settings(max_examples=40, deadline=None)
def test_slices_merge_to_the_whole(report: Report) -> None:
    whole = history.first(
        dataclasses.replace(report, clusters=tuple(sorted(report.clusters, key=lambda one: one.name)))
    )
    slices = [dataclasses.replace(whole, clusters=whole.clusters[first::2]) for first in (0, 1)]
    assert history.merge(slices) == whole
    assert history.merge(slices[::-1]) == whole


@given(report=REPORTS, previous=REPORTS)
@settings(max_examples=40, deadline=None)
def test_slices_that_were_compared_merge_to_the_compared_whole(report: Report, previous: Report) -> None:
    old = history.first(dataclasses.replace(previous, generated_at=EARLIER))
    whole = dataclasses.replace(report, clusters=tuple(sorted(report.clusters, key=lambda one: one.name)))
    slices = [dataclasses.replace(whole, clusters=whole.clusters[first::2]) for first in (0, 1)]
    merged = history.merge([history.compare(one, old) for one in slices])
    compared = history.compare(whole, old)
    in_order = sorted(
        compared.repaired, key=lambda one: (one.cluster, one.step, one.kind, one.object_kind, one.object_name)
    )
    assert merged == dataclasses.replace(compared, repaired=tuple(in_order))


def test_reports_of_earlier_and_of_later_versions_are_read() -> None:
    report = history.first(Report(NOW, (drifted("a"),), compared_with=EARLIER))
    written = report.to_json()
    (found,) = written["clusters"][0]["steps"][1]["drifts"]
    del found["last_changed_by"]
    jsonschema.validate(written, SCHEMA)
    assert Report.from_json(written) == report
    found["of_tomorrow"] = written["of_tomorrow"] = written["clusters"][0]["of_tomorrow"] = 1
    assert Report.from_json(written) == report


def test_slices_that_share_a_cluster_are_refused() -> None:
    with pytest.raises(NotAReport, match="The cluster a is in two of the reports"):
        history.merge([Report(NOW, (cluster("a"),)), Report(NOW, (cluster("a"),))])
    with pytest.raises(NotAReport, match="no report"):
        history.merge([])


def test_an_expected_cluster_that_no_part_names_is_unknown() -> None:
    whole = history.complete(history.first(Report(NOW, (drifted("c"),))), ["b", "c", "a"])
    assert {one.name: one.status for one in whole.clusters} == {
        "a": Status.UNKNOWN,
        "b": Status.UNKNOWN,
        "c": Status.DRIFTED,
    }
    assert [one.name for one in whole.clusters] == ["a", "b", "c"]
    assert {step.note for step in whole.clusters[0].steps} == {"No part of the report names this cluster."}
    jsonschema.validate(json.loads(json.dumps(whole.to_json())), SCHEMA)
    assert history.complete(whole, ["c"]) == whole
