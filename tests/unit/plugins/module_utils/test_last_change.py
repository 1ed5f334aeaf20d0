# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who changed an object last: from managed fields as an API server writes them, and from tags."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._last_change import (
    OURS,
    of_entries,
    of_object,
    of_tags,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import Action, Change, LastChange, Told
from tests.unit.sandbox.kubernetes_support import MERGE, MONITORING, Api, config_map, new_api

Json = dict[str, t.Any]

KEY = ("data", "prometheus.yml")


def entry(manager: str, time: str, fields: Json, **more: str) -> Json:
    return {"manager": manager, "operation": "Update", "time": time, "fieldsV1": fields, **more}


WHOLE: Json = {"f:data": {".": {}, "f:prometheus.yml": {}, "f:alerts.yml": {}}}


def test_it_is_who_set_the_field_and_not_who_wrote_the_object_later() -> None:
    entries = [
        entry("kubectl-create", "2026-01-01T00:00:00Z", {"f:data": {"f:alerts.yml": {}}}),
        entry("kubectl-edit", "2026-01-02T00:00:00Z", {"f:data": {"f:prometheus.yml": {}}}),
        entry("helm", "2026-01-03T00:00:00Z", {"f:metadata": {"f:labels": {"f:a": {}}}}),
    ]
    assert of_entries(entries, KEY) == LastChange("kubectl-edit", "2026-01-02T00:00:00Z", Told.FIELD)
    assert of_entries(entries, ("binaryData", "x"), KEY) == of_entries(entries, KEY)
    assert of_entries(entries, ("metadata", "labels")) == LastChange("helm", "2026-01-03T00:00:00Z", Told.FIELD)


def test_where_the_field_is_gone_it_is_who_wrote_the_object() -> None:
    entries = [
        entry("helm", "2026-01-03T00:00:00Z", {"f:metadata": {"f:labels": {"f:a": {}}}}),
        entry("kubectl-create", "2026-01-01T00:00:00Z", {"f:data": {}}),
    ]
    assert of_entries(entries, KEY) == LastChange("helm", "2026-01-03T00:00:00Z", Told.OBJECT)
    assert of_entries(entries) == of_entries(entries, KEY)


@pytest.mark.parametrize("other", ["kubectl-create", "argocd-controller"])
def test_the_collection_itself_is_not_named_and_nobody_who_wrote_before_it(other: str) -> None:
    entries = [entry(other, "2026-01-01T00:00:00Z", WHOLE), entry(OURS, "2026-01-02T00:00:00Z", WHOLE)]
    assert of_entries(entries, KEY) is None
    since = entry(other, "2026-01-03T00:00:00Z", {"f:metadata": {"f:labels": {"f:a": {}}}})
    assert of_entries([entries[1], since], KEY) == LastChange(other, "2026-01-03T00:00:00Z", Told.OBJECT)


def test_status_and_control_plane_tell_nothing() -> None:
    entries = [
        entry("anybody", "2026-01-04T00:00:00Z", {"f:status": {}}, subresource="status"),
        entry("kube-controller-manager", "2026-01-05T00:00:00Z", {"f:metadata": {}}),
    ]
    assert of_entries(entries, KEY) is None
    assert of_object({"metadata": {}}, KEY) is None
    assert of_object({"metadata": {"managedFields": None}}) is None


def test_an_api_server_tells_it_of_a_value_that_was_set_and_not_of_one_that_was_taken_away() -> None:
    api: Api = new_api()
    body = config_map("settings") | {"data": {"prometheus.yml": "a", "other": "b"}}
    api.good(api.call("POST", f"{MONITORING}/configmaps?fieldManager=helm", body), 201)
    path = f"{MONITORING}/configmaps/settings"

    def patch(manager: str, data: Json) -> Json:
        answer = api.call("PATCH", f"{path}?fieldManager={manager}", {"data": data}, Content_Type=MERGE)
        return api.good(answer, 200)

    edited = of_object(patch("kubectl-edit", {"prometheus.yml": "c"}), KEY)
    assert edited is not None
    assert (edited.who, edited.how) == ("kubectl-edit", Told.FIELD)
    emptied = of_object(patch("kubectl-patch", {"prometheus.yml": None}), KEY)
    assert emptied is not None
    assert (emptied.who, emptied.how) == ("helm", Told.OBJECT)
    own = of_object(patch(OURS, {"prometheus.yml": "d"}), KEY)
    assert own is None


@pytest.mark.parametrize(
    ("tags", "who"),
    [
        ({}, None),
        ({"aks-amp.crosscloud.io/managed-by": "crosscloud.aks_amp"}, None),
        ({"aws:cloudformation:stack-name": "fleet-iam", "owner": "platform"}, "CloudFormation stack fleet-iam"),
        ({"Owner": "platform", "team": "metrics"}, "platform"),
        ({"Team": "metrics", "owner": ""}, "metrics"),
        ({"owner": "x" * 200}, f"{'x' * 120}..."),
    ],
)
def test_tags_name_a_keeper(tags: dict[str, str], who: str | None) -> None:
    assert of_tags(tags) == (None if who is None else LastChange(who, "", Told.TAG))


def test_a_change_reports_it_only_where_it_is_told() -> None:
    change = Change(Action.UPDATE, "ConfigMap", "a/b", "Set it.", "x", "y", None)
    assert "last_changed_by" not in change.report()
    known = Change(Action.UPDATE, "ConfigMap", "a/b", "Set it.", "x", "y", None, LastChange("helm", "", Told.FIELD))
    assert known.report()["last_changed_by"] == {"who": "helm", "when": "", "how": "field"}


_fields: st.SearchStrategy[Json] = st.recursive(
    st.just({}), lambda below: st.dictionaries(st.sampled_from(["f:a", "f:b", "k:{}", "."]), below, max_size=3)
)
_entries = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "manager": st.sampled_from(["a", "b", OURS, ""]),
            "time": st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"]),
            "fieldsV1": _fields,
            "subresource": st.sampled_from(["", "status"]),
        },
    ),
    max_size=4,
)


@given(entries=_entries, paths=st.lists(st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=3).map(tuple)))
@settings(max_examples=100, deadline=None)
def test_whatever_is_noted_it_names_somebody_who_is_noted_and_is_not_the_collection(
    entries: list[Json], paths: list[tuple[str, ...]]
) -> None:
    last = of_entries(entries, *paths)
    if last is not None:
        assert last.who in {one.get("manager") for one in entries} - {OURS, ""}
        assert last.how in (Told.FIELD, Told.OBJECT)
