# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quantities, decoding and the book of who set which field."""

from __future__ import annotations

import fractions
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.kubernetes.quantity import canonical_quantity, quantity_value
from sandbox.kubernetes.schema import DecodeError, ListOf, MapOf, Scalar, Struct, decode, fields_of
from tests.unit.sandbox.kubernetes_support import DEPLOYMENTS, MERGE, MONITORING, Api, config_map, deployment, new_api

SETTINGS = f"{MONITORING}/configmaps/settings"
Json = dict[str, t.Any]


@pytest.fixture
def api() -> Api:
    return new_api()


# --- quantities -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_text", "canonical"),
    [
        ("0", "0"),
        ("0.5", "500m"),
        ("1.0", "1"),
        ("1000m", "1"),
        ("1500m", "1500m"),
        ("2000", "2k"),
        ("0.001k", "1"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("1000Mi", "1000Mi"),
        ("0.5Ki", "512"),
        ("128974848", "128974848"),
        ("129M", "129M"),
        ("1e3", "1e3"),
        ("12e6", "12e6"),
        ("1E", "1E"),
        ("1E3", "1e3"),
        ("-1.5", "-1500m"),
        ("+1", "1"),
        (".5", "500m"),
        ("1n", "1n"),
        ("0.1n", "1n"),
    ],
)
def test_quantities_are_spelled_canonically(given_text: str, canonical: str) -> None:
    assert canonical_quantity(given_text) == canonical


@pytest.mark.parametrize("text", ["", "x", "1x", "1 Gi", "1GiB", "--1", "1.2.3", "Ki", "1e", "1mi"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="quantities must match the regular expression"):
        canonical_quantity(text)


@given(
    number=st.decimals(min_value=-(10**6), max_value=10**6, places=3),
    suffix=st.sampled_from(["", "m", "k", "M", "G", "Ki", "Mi", "Gi", "e3", "E-2"]),
)
def test_canonical_quantities_are_equal_and_stay(number: t.Any, suffix: str) -> None:
    text = f"{number}{suffix}"
    canonical = canonical_quantity(text)
    assert canonical_quantity(canonical) == canonical
    exact = quantity_value(text)
    # Binary quantities are rounded up to whole bytes, all others to nanos.
    assert exact <= quantity_value(canonical) < exact + fractions.Fraction(1)


# --- decoding ---------------------------------------------------------------------------------------------------------


def test_types_are_read_from_the_clients_models() -> None:
    assert fields_of("V1PodSpec")["containers"] == ListOf(Struct("V1Container"))
    assert fields_of("V1ObjectMeta")["labels"] == MapOf(Scalar("str"))
    assert fields_of("V1Secret")["data"] == MapOf(Scalar("bytes"))
    assert fields_of("V1ResourceRequirements")["limits"] == MapOf(Scalar("quantity"))
    assert fields_of("V1RollingUpdateDeployment")["maxSurge"] == Scalar("int-or-string")
    assert fields_of("V1DeploymentSpec")["replicas"] == Scalar("int")


def test_unknown_fields_are_named_and_dropped() -> None:
    decoded = decode("V1Pod", {"spec": {"containers": [{"name": "a", "nam": "b"}], "x": 1}, "y": {}})
    assert decoded.value == {"spec": {"containers": [{"name": "a"}]}}
    assert decoded.unknown == ("y", "spec.x", "spec.containers[0].nam")


def test_null_is_absence_or_a_zero() -> None:
    assert decode("V1Container", {"name": "a", "env": None, "args": [None]}).value == {"name": "a", "args": [""]}
    assert decode("V1PodSpec", {"securityContext": {}, "hostUsers": False, "hostPID": False}).value == {
        "securityContext": {},
        "hostUsers": False,
    }


def test_a_zero_may_be_a_value() -> None:
    assert decode("V1DeploymentSpec", {"replicas": 0, "minReadySeconds": 0}).value == {"replicas": 0}
    assert decode("V1HostPathVolumeSource", {"path": "/", "type": ""}).value == {"path": "/", "type": ""}


def test_errors_name_the_struct_and_the_path() -> None:
    with pytest.raises(DecodeError) as caught:
        decode("V1Pod", {"spec": {"volumes": [{"name": "a", "projected": {"sources": {}}}]}})
    assert str(caught.value) == (
        "json: cannot unmarshal object into Go struct field"
        " ProjectedVolumeSource.spec.volumes.projected.sources of type []v1.VolumeProjection"
    )


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "a", "1"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["name", "value", "x"]), inner, max_size=2)
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*fields_of("V1Container"), "unknown"]), _VALUES, max_size=4))
def test_what_was_decoded_is_decoded_to_itself(raw: Json) -> None:
    try:
        value = decode("V1Container", raw).value
    except DecodeError:
        return
    again = decode("V1Container", value)
    assert again.value == value
    assert again.unknown == ()


# --- managed fields ---------------------------------------------------------------------------------------------------


def managers(obj: Json) -> dict[str, Json]:
    """The fields of each manager; those of a status carry the subresource."""
    entries = obj["metadata"].get("managedFields", [])
    for entry in entries:
        assert (entry["operation"], entry["fieldsType"]) == ("Update", "FieldsV1")
        assert entry["apiVersion"] == obj["apiVersion"]
    return {
        f"{e['manager']}{'/' if 'subresource' in e else ''}{e.get('subresource', '')}": e["fieldsV1"] for e in entries
    }


def write(api: Api, manager: str, patch: Json, path: str = SETTINGS) -> Json:
    response = api.call("PATCH", f"{path}?fieldManager={manager}", patch, Content_Type=MERGE)
    return api.good(response, 200)


def test_who_sets_a_field_owns_it(api: Api) -> None:
    body = config_map() | {"metadata": {"name": "settings", "labels": {"a": "b"}}}
    created = api.good(api.call("POST", f"{MONITORING}/configmaps", body, User_Agent="kubectl/v1.33 (linux)"), 201)
    assert managers(created) == {
        "kubectl": {
            "f:data": {".": {}, "f:key": {}},
            "f:metadata": {"f:labels": {".": {}, "f:a": {}}},
        }
    }
    changed = write(api, "ansible", {"data": {"key": "new", "mine": "1"}})
    assert managers(changed) == {
        "kubectl": {"f:data": {}, "f:metadata": {"f:labels": {".": {}, "f:a": {}}}},
        "ansible": {"f:data": {"f:key": {}, "f:mine": {}}},
    }
    removed = write(api, "ansible", {"data": None})
    assert managers(removed) == {"kubectl": {"f:metadata": {"f:labels": {".": {}, "f:a": {}}}}}


def test_a_time_is_that_of_the_managers_last_write_that_set_something(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As kube-apiserver has it: who only takes something away leaves no trace."""

    def times(obj: Json) -> dict[str, str]:
        return {entry["manager"]: entry["time"] for entry in obj["metadata"]["managedFields"]}

    clock = iter(f"2026-01-01T00:00:0{second}Z" for second in range(10))
    monkeypatch.setattr("sandbox.kubernetes.objects.now", lambda: next(clock))
    body = config_map() | {"metadata": {"name": "settings", "labels": {"a": "b"}}}
    api.call("POST", f"{MONITORING}/configmaps?fieldManager=alice", body)
    created = times(api.get(SETTINGS))["alice"]
    taken = times(write(api, "bob", {"data": {"key": "new", "mine": "1"}}))
    assert taken["alice"] == created
    assert taken["bob"] > created
    assert times(write(api, "carol", {"data": {"mine": None}})) == taken
    assert times(write(api, "bob", {"metadata": {"labels": None}})) == taken
    assert times(write(api, "bob", {"data": {"more": "1"}}))["bob"] > taken["bob"]


def test_a_write_that_changes_nothing_owns_nothing(api: Api) -> None:
    created = api.post(f"{MONITORING}/configmaps", config_map())
    assert write(api, "ansible", {"data": {"key": "value"}}) == created


def test_items_of_lists_are_told_apart_by_their_keys(api: Api) -> None:
    api.post(DEPLOYMENTS, deployment())
    path = f"{DEPLOYMENTS}/prometheus"
    containers = api.get(path)["spec"]["template"]["spec"]["containers"]
    containers[0]["env"].append({"name": "AWS_REGION", "value": "eu-west-1"})
    changed = write(api, "ansible", {"spec": {"template": {"spec": {"containers": containers}}}}, path)
    variable: Json = {".": {}, "f:name": {}, "f:value": {}}
    assert managers(changed)["ansible"] == {
        "f:spec": {
            "f:template": {
                "f:spec": {
                    "f:containers": {
                        'k:{"name":"prometheus"}': {"f:env": {'k:{"name":"AWS_REGION"}': variable}},
                    }
                }
            }
        }
    }


def test_the_status_is_the_controllers(api: Api) -> None:
    api.post(DEPLOYMENTS, deployment())
    fields = managers(api.get(f"{DEPLOYMENTS}/prometheus"))
    assert set(fields["kube-controller-manager/status"]) == {"f:status"}
    assert set(fields["kube-controller-manager"]["f:metadata"]["f:annotations"]) >= {
        "f:deployment.kubernetes.io/revision"
    }
    assert all("f:status" not in owned for name, owned in fields.items() if not name.endswith("/status"))


def test_the_book_can_be_reset(api: Api) -> None:
    created = api.post(f"{MONITORING}/configmaps", config_map())
    reset = write(api, "ansible", {"metadata": {"managedFields": [{}]}})
    assert managers(reset) == {}
    assert reset["metadata"]["resourceVersion"] != created["metadata"]["resourceVersion"]


def test_a_client_without_a_name_is_called_by_its_program(api: Api) -> None:
    created = api.good(api.call("POST", f"{MONITORING}/configmaps", config_map(), User_Agent=""), 201)
    assert list(managers(created)) == ["unknown"]
    too_long = api.call("POST", f"{MONITORING}/configmaps?fieldManager={'x' * 129}", config_map("b"))
    assert list(api.invalid(too_long)) == ["fieldManager"]
