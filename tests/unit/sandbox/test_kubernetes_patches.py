# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The three kinds of patch and what else a PATCH may meet."""

from __future__ import annotations

import copy
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.kubernetes.patches import apply_json_patch, apply_merge_patch, apply_strategic_patch
from tests.unit.sandbox.kubernetes_support import (
    DEPLOYMENTS,
    JSON_PATCH,
    MERGE,
    MONITORING,
    STRATEGIC,
    Api,
    config_map,
    deployment,
    new_api,
    service_account,
    token_volume,
)

SETTINGS = f"{MONITORING}/configmaps/settings"
PROMETHEUS = f"{DEPLOYMENTS}/prometheus"
ACCOUNT = f"{MONITORING}/serviceaccounts/prometheus-sa"


@pytest.fixture
def api() -> Api:
    api = new_api()
    api.server.seed({**config_map(), "metadata": {"name": "settings", "namespace": "monitoring"}})
    api.server.seed(service_account())
    api.server.seed(deployment())
    return api


# --- RFC 7386 ---------------------------------------------------------------------------------------------------------

_RFC_7386 = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("target", "patch", "result"), _RFC_7386)
def test_the_examples_of_rfc_7386(target: t.Any, patch: t.Any, result: t.Any) -> None:
    assert apply_merge_patch(target, patch) == result


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(target=_JSON, patch=_JSON)
def test_a_merge_patch_can_be_applied_twice_and_leaves_its_input_alone(target: t.Any, patch: t.Any) -> None:
    before = copy.deepcopy((target, patch))
    once = apply_merge_patch(target, patch)
    assert apply_merge_patch(once, patch) == once
    assert (target, patch) == before


def test_a_merge_patch_replaces_lists(api: Api) -> None:
    container = {"name": "other", "image": "example.com/other:1"}
    patched = api.patch(PROMETHEUS, {"spec": {"template": {"spec": {"containers": [container], "volumes": None}}}})
    assert [c["name"] for c in patched["spec"]["template"]["spec"]["containers"]] == ["other"]
    assert "volumes" not in patched["spec"]["template"]["spec"]


def test_a_merge_patch_with_the_current_version_is_applied(api: Api) -> None:
    current = api.get(SETTINGS)["metadata"]["resourceVersion"]
    patched = api.patch(SETTINGS, {"metadata": {"resourceVersion": current}, "data": {"new": "1"}})
    assert patched["data"] == {"key": "value", "new": "1"}


@pytest.mark.parametrize("content_type", [MERGE, STRATEGIC])
def test_a_patch_with_a_stale_version_is_a_conflict(api: Api, content_type: str) -> None:
    stale = api.get(SETTINGS)["metadata"]["resourceVersion"]
    api.patch(SETTINGS, {"data": {"foreign": "1"}})
    patch = {"metadata": {"resourceVersion": stale}, "data": {"mine": "1"}}
    status = api.refused(api.call("PATCH", SETTINGS, patch, Content_Type=content_type), 409, "Conflict")
    assert "the object has been modified; please apply your changes to the latest version" in status["message"]
    assert "mine" not in api.get(SETTINGS)["data"]


def test_a_patch_may_carry_the_right_uid_only(api: Api) -> None:
    uid = api.get(SETTINGS)["metadata"]["uid"]
    api.patch(SETTINGS, {"metadata": {"uid": uid}, "data": {"a": "1"}})
    response = api.call("PATCH", SETTINGS, {"metadata": {"uid": "other"}}, Content_Type=MERGE)
    assert api.invalid(response) == {"metadata.uid": 'Invalid value: "other": field is immutable'}


def test_null_removes_an_annotation_and_the_last_one_removes_all(api: Api) -> None:
    api.patch(ACCOUNT, {"metadata": {"annotations": {"a": "1", "b": "2"}}})
    assert api.patch(ACCOUNT, {"metadata": {"annotations": {"a": None}}})["metadata"]["annotations"] == {"b": "2"}
    assert "annotations" not in api.patch(ACCOUNT, {"metadata": {"annotations": {"b": None}}})["metadata"]


def test_a_patch_cannot_rename(api: Api) -> None:
    response = api.call("PATCH", SETTINGS, {"metadata": {"name": "other"}}, Content_Type=MERGE)
    status = api.refused(response, 400, "BadRequest")
    assert status["message"] == "the name of the object (other) does not match the name on the URL (settings)"


def test_a_patch_of_nothing_is_not_found(api: Api) -> None:
    response = api.call("PATCH", f"{MONITORING}/configmaps/nothing", {"data": {}}, Content_Type=MERGE)
    api.refused(response, 404, "NotFound")


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/apply-patch+yaml", "text/plain", "application/merge-patch"]
)
def test_other_content_types_are_refused(api: Api, content_type: str) -> None:
    response = api.call("PATCH", SETTINGS, "{}", Content_Type=content_type)
    status = api.refused(response, 415, "UnsupportedMediaType")
    assert MERGE in status["message"]


def test_content_types_may_have_parameters(api: Api) -> None:
    response = api.call("PATCH", SETTINGS, '{"data":{"a":"b"}}', Content_Type=f"{MERGE}; charset=utf-8")
    assert api.good(response, 200)["data"] == {"key": "value", "a": "b"}


@pytest.mark.parametrize("body", ["", "{", "[]", '"text"'])
def test_a_patch_that_is_no_json_object_is_refused(api: Api, body: str) -> None:
    api.refused(api.call("PATCH", SETTINGS, body, Content_Type=MERGE), 400, "BadRequest")


def test_a_patch_to_a_wrong_type_is_invalid(api: Api) -> None:
    response = api.call("PATCH", SETTINGS, {"data": {"count": 3}}, Content_Type=MERGE)
    causes = api.invalid(response)
    assert causes["patch"].endswith("json: cannot unmarshal number into Go struct field ConfigMap.data of type string")


def test_an_unknown_field_in_a_patch_warns_or_is_refused(api: Api) -> None:
    response = api.call("PATCH", SETTINGS, {"dato": {}, "data": {"a": "b"}}, Content_Type=MERGE)
    assert "dato" not in api.good(response, 200)
    assert response.headers["Warning"] == '299 - "unknown field \\"dato\\""'
    strict = api.call("PATCH", f"{SETTINGS}?fieldValidation=Strict", {"dato": {}}, Content_Type=MERGE)
    assert "strict decoding error: unknown field" in api.invalid(strict)["patch"]
    ignored = api.call("PATCH", f"{SETTINGS}?fieldValidation=Ignore", {"dato": {}}, Content_Type=MERGE)
    assert "Warning" not in ignored.headers


def test_clearing_one_name_of_the_service_account_leaves_the_other(api: Api) -> None:
    """The deprecated field is an alias: whoever clears the current one alone clears nothing."""
    named = {"spec": {"template": {"spec": {"serviceAccountName": "prometheus-sa"}}}}
    spec = api.patch(PROMETHEUS, named)["spec"]["template"]["spec"]
    assert (spec["serviceAccountName"], spec["serviceAccount"]) == ("prometheus-sa", "prometheus-sa")
    cleared = {"spec": {"template": {"spec": {"serviceAccountName": None}}}}
    assert api.patch(PROMETHEUS, cleared)["spec"]["template"]["spec"]["serviceAccountName"] == "prometheus-sa"
    both = {"spec": {"template": {"spec": {"serviceAccountName": None, "serviceAccount": None}}}}
    assert "serviceAccountName" not in api.patch(PROMETHEUS, both)["spec"]["template"]["spec"]


# --- RFC 6902 ---------------------------------------------------------------------------------------------------------


def test_a_json_patch_adds_tests_and_removes(api: Api) -> None:
    operations = [
        {"op": "test", "path": "/data/key", "value": "value"},
        {"op": "add", "path": "/data/a~1b", "value": "1"},
        {"op": "remove", "path": "/data/key"},
    ]
    response = api.call("PATCH", SETTINGS, operations, Content_Type=JSON_PATCH)
    causes = api.invalid(response)  # the key is not one that a ConfigMap may have
    assert list(causes) == ["data[a/b]"]
    operations[1]["path"] = "/data/other"
    assert api.patch(SETTINGS, operations, JSON_PATCH)["data"] == {"other": "1"}


def test_a_failed_test_refuses_the_whole_patch(api: Api) -> None:
    operations = [
        {"op": "add", "path": "/data/other", "value": "1"},
        {"op": "test", "path": "/data/key", "value": "something else"},
    ]
    api.refused(api.call("PATCH", SETTINGS, operations, Content_Type=JSON_PATCH), 422, "Invalid")
    assert api.get(SETTINGS)["data"] == {"key": "value"}


@pytest.mark.parametrize(
    ("patch", "status", "reason"),
    [
        ({"op": "add"}, 400, "BadRequest"),
        ([{"path": "/data/key"}], 400, "BadRequest"),
        ([{"op": "frobnicate", "path": "/data/key"}], 400, "BadRequest"),
        ([{"op": "remove", "path": "/data/nothing"}], 422, "Invalid"),
        ([{"op": "add", "path": "/nowhere/at/all", "value": 1}], 422, "Invalid"),
        ([{"op": "remove", "path": "/x"}] * 10001, 413, "RequestEntityTooLarge"),
    ],
)
def test_bad_json_patches(api: Api, patch: t.Any, status: int, reason: str) -> None:
    api.refused(api.call("PATCH", SETTINGS, patch, Content_Type=JSON_PATCH), status, reason)


def test_a_json_patch_leaves_its_input_alone() -> None:
    target = {"a": {"b": 1}}
    assert apply_json_patch(target, [{"op": "remove", "path": "/a/b"}]) == {"a": {}}
    assert target == {"a": {"b": 1}}


# --- strategic merge --------------------------------------------------------------------------------------------------


def test_a_strategic_patch_merges_by_the_keys_of_the_lists(api: Api) -> None:
    patch = {
        "spec": {
            "template": {
                "spec": {
                    "containers": [
                        {
                            "name": "prometheus",
                            "env": [{"name": "AWS_REGION", "value": "eu-west-1"}],
                            "volumeMounts": [{"mountPath": "/var/run/secrets/aws", "name": "aws-iam-token"}],
                        },
                        {"name": "sidecar", "image": "example.com/sidecar:1"},
                    ],
                    "volumes": [token_volume()],
                    "imagePullSecrets": [{"name": "registry"}],
                }
            }
        }
    }
    spec = api.patch(PROMETHEUS, patch, STRATEGIC)["spec"]["template"]["spec"]
    prometheus = next(c for c in spec["containers"] if c["name"] == "prometheus")
    assert {c["name"] for c in spec["containers"]} == {"prometheus", "sidecar"}
    assert prometheus["image"] == "quay.io/prometheus/prometheus:v3.5.0"
    assert {e["name"] for e in prometheus["env"]} == {"GOMEMLIMIT", "AWS_REGION"}
    assert {m["mountPath"] for m in prometheus["volumeMounts"]} == {"/etc/prometheus", "/var/run/secrets/aws"}
    assert {v["name"] for v in spec["volumes"]} == {"config", "aws-iam-token"}
    assert spec["imagePullSecrets"] == [{"name": "registry"}]
    assert api.patch(PROMETHEUS, patch, STRATEGIC)["metadata"] == api.get(PROMETHEUS)["metadata"]


def test_a_strategic_patch_deletes_items(api: Api) -> None:
    patch = {
        "spec": {
            "template": {
                "spec": {
                    "containers": [
                        {"name": "prometheus", "volumeMounts": [{"mountPath": "/etc/prometheus", "$patch": "delete"}]}
                    ],
                    "volumes": [{"name": "config", "$patch": "delete"}],
                }
            }
        }
    }
    spec = api.patch(PROMETHEUS, patch, STRATEGIC)["spec"]["template"]["spec"]
    assert "volumes" not in spec
    assert "volumeMounts" not in spec["containers"][0]


def strategic(patch: dict[str, t.Any], **current: t.Any) -> dict[str, t.Any]:
    return apply_strategic_patch("V1PodSpec", current, patch)


def test_a_strategic_patch_of_an_atomic_list_replaces_it() -> None:
    current = [{"key": "a"}, {"key": "b"}]
    assert strategic({"tolerations": [{"key": "c"}]}, tolerations=current) == {"tolerations": [{"key": "c"}]}


def test_image_pull_secrets_of_a_service_account_are_atomic_and_its_secrets_are_not() -> None:
    current = {"imagePullSecrets": [{"name": "a"}], "secrets": [{"name": "a"}]}
    patch = {"imagePullSecrets": [{"name": "b"}], "secrets": [{"name": "b"}]}
    assert apply_strategic_patch("V1ServiceAccount", current, patch) == {
        "imagePullSecrets": [{"name": "b"}],
        "secrets": [{"name": "a"}, {"name": "b"}],
    }


def test_finalizers_are_a_set() -> None:
    current = {"metadata": {"finalizers": ["a", "b"]}}
    added = apply_strategic_patch("V1ConfigMap", current, {"metadata": {"finalizers": ["b", "c"]}})
    assert added == {"metadata": {"finalizers": ["a", "b", "c"]}}
    removed = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}
    assert apply_strategic_patch("V1ConfigMap", current, removed) == {"metadata": {"finalizers": ["b"]}}


def test_a_list_or_an_object_can_be_replaced() -> None:
    replaced = strategic({"volumes": [{"$patch": "replace"}, {"name": "b"}]}, volumes=[{"name": "a"}])
    assert replaced == {"volumes": [{"name": "b"}]}
    context = strategic({"securityContext": {"$patch": "replace", "fsGroup": 1}}, securityContext={"runAsUser": 2})
    assert context == {"securityContext": {"fsGroup": 1}}


def test_retained_keys_drop_the_others() -> None:
    current = {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}
    patch = {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}
    assert apply_strategic_patch("V1DeploymentSpec", current, patch) == {"strategy": {"type": "Recreate"}}


def test_the_order_of_a_list_can_be_set() -> None:
    current = [{"name": "a"}, {"name": "server"}, {"name": "b"}]
    patch = {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}], "containers": [{"name": "b", "tty": True}]}
    names = [container["name"] for container in strategic(patch, containers=current)["containers"]]
    assert names == ["server", "b", "a"]


def test_null_in_a_new_item_is_dropped() -> None:
    assert strategic({"volumes": [{"name": "a", "emptyDir": None}]}) == {"volumes": [{"name": "a"}]}


def test_an_item_without_its_key_is_an_error(api: Api) -> None:
    patch = {"spec": {"template": {"spec": {"containers": [{"image": "x"}]}}}}
    response = api.call("PATCH", PROMETHEUS, patch, Content_Type=STRATEGIC)
    assert response.status_code == 500
    assert "does not contain declared merge key: name" in response.get_json()["message"]


def test_an_unknown_directive_is_an_error(api: Api) -> None:
    response = api.call("PATCH", PROMETHEUS, {"spec": {"$patch": "shake"}}, Content_Type=STRATEGIC)
    status = api.refused(response, 400, "BadRequest")
    assert status["message"] == "Unknown patch type found: shake"


_NAMES = st.sampled_from("abcde")
_ITEMS = st.lists(
    st.fixed_dictionaries({"name": _NAMES, "value": st.text(max_size=2)}), max_size=4, unique_by=lambda v: v["name"]
)


@given(current=_ITEMS, patch=_ITEMS)
def test_merging_by_key_is_an_update_of_a_mapping(current: list[dict[str, str]], patch: list[dict[str, str]]) -> None:
    merged = apply_strategic_patch("V1Container", {"env": current}, {"env": patch}).get("env", [])
    wanted = {v["name"]: v["value"] for v in current} | {v["name"]: v["value"] for v in patch}
    assert {v["name"]: v["value"] for v in merged} == wanted
    assert [v["name"] for v in merged][: len(current)] == [v["name"] for v in current]
