# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a request holds, the server answers it as an API server does."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.kubernetes.kinds import DAEMON_SETS, DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS, STORED, Resource
from sandbox.kubernetes.monitoring import definitions
from sandbox.kubernetes.schema import FieldType, ListOf, MapOf, Scalar, Struct, fields_of
from tests.unit.sandbox.kubernetes_support import (
    JSON_PATCH,
    MERGE,
    STRATEGIC,
    Api,
    config_map,
    deployment,
    new_api,
    token_volume,
)

Json = dict[str, t.Any]

_TEXTS = st.sampled_from(
    ["", "a", "prometheus", "Not Good", "25%", "x%", "..", "/etc", "RollingUpdate", "In", "Always"]
)
_SCALARS: dict[str, st.SearchStrategy[t.Any]] = {
    "str": _TEXTS,
    "int": st.sampled_from([-1, 0, 1, 3, 600, 2**40]),
    "float": st.sampled_from([0.5, -1.0]),
    "bool": st.booleans(),
    "bytes": st.sampled_from(["", "eA==", "?"]),
    "datetime": st.sampled_from(["2026-01-02T03:04:05Z", "now"]),
    "quantity": st.sampled_from(["1", "1Gi", "-1m", "lots"]),
    "int-or-string": st.sampled_from([0, 1, "25%", "0%", "x", ""]),
}
_ANYTHING: st.SearchStrategy[t.Any] = st.sampled_from([None, True, 1, "text", [], {}, [[]], [None], {"a": None}])
_DEPTH = 7
WORKLOADS = (DAEMON_SETS, DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS)


def values(kind: FieldType, depth: int) -> st.SearchStrategy[t.Any]:
    """Values of a field: mostly of its type, rarely of another."""
    match kind:
        case Struct(model) if depth:
            return struct(model, depth - 1)
        case ListOf(item) if depth:
            return st.lists(values(item, depth - 1), max_size=2)
        case MapOf(value) if depth:
            return st.dictionaries(_TEXTS, values(value, depth - 1), max_size=2)
        case Scalar(name):
            return _SCALARS[name]
        case _:
            return _ANYTHING


@st.composite
def struct(draw: st.DrawFn, model: str, depth: int) -> Json:
    """An object with a few of its fields, those that reach deep more often than others."""
    known = fields_of(model)
    deep = [name for name in ("spec", "template", "containers", "selector", "webhooks", "name") if name in known]
    names = draw(st.lists(st.sampled_from([*known, *deep * 4]), max_size=6, unique=True))
    result = {name: draw(values(known[name], depth)) for name in names}
    if draw(st.integers(0, 30)) == 0:
        result[draw(st.sampled_from([*known, "unknown"]))] = draw(_ANYTHING)
    return result


def collection(resource: Resource) -> str:
    root = f"/apis/{resource.group}" if resource.group else "/api"
    namespace = "namespaces/monitoring/" if resource.namespaced else ""
    return f"{root}/{resource.version}/{namespace}{resource.plural}"


@pytest.fixture(scope="module")
def api() -> Api:
    api = new_api()
    for definition in definitions():  # without them the server does not know prometheus-operator's kinds
        api.server.seed(definition)
    return api


@pytest.mark.parametrize("resource", STORED, ids=lambda resource: resource.plural)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_object_is_taken_or_refused(api: Api, resource: Resource, data: st.DataObject) -> None:
    body = data.draw(struct(resource.model, _DEPTH))
    if isinstance(body.get("metadata", {}), dict):
        body["metadata"] = body.get("metadata", {}) | {"name": "any", "namespace": "monitoring"}
        if not resource.namespaced:
            del body["metadata"]["namespace"]
        body["metadata"].pop("resourceVersion", None)
    path = collection(resource)
    response = api.call("POST", path, body | {"kind": resource.kind, "apiVersion": resource.api_version})
    assert response.status_code in (201, 400, 403, 422), (response.text, body)
    if response.status_code == 201 and resource.plural != "namespaces":
        # What the server took it takes back unchanged, and it lets go of it.
        stored = api.call("GET", f"{path}/any")
        if stored.status_code == 200:
            again = api.call("PUT", f"{path}/any", stored.get_json())
            assert (again.status_code, again.get_json()) == (200, stored.get_json())
            api.call("PATCH", f"{path}/any", {"metadata": {"finalizers": None}}, Content_Type=MERGE)
            # One whose owner does not exist was being deleted already, and went with its finalizers.
            going = "deletionTimestamp" in stored.get_json()["metadata"]
            api.good(api.call("DELETE", f"{path}/any"), 404 if going else 200)
    elif response.status_code == 201:
        api.call("PATCH", f"{path}/any", {"metadata": {"finalizers": None}}, Content_Type=MERGE)
        api.good(api.call("DELETE", f"{path}/any"), 200)


def rich_workload() -> Json:
    """A deployment that uses what the server looks at."""
    body = deployment(replicas=2, strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}})
    body["spec"]["selector"]["matchExpressions"] = [{"key": "app", "operator": "In", "values": ["prometheus"]}]
    body["metadata"]["annotations"] = {"a": "b"}
    spec = body["spec"]["template"]["spec"]
    spec |= {"serviceAccountName": "default", "imagePullSecrets": [{"name": "registry"}], "initContainers": []}
    spec["volumes"].append(token_volume(expirationSeconds=3600))
    container = spec["containers"][0]
    spec["initContainers"].append({"name": "init", "image": "example.com/init:1"})
    container["volumeMounts"].append({"name": "aws-iam-token", "mountPath": "/var/run/secrets/aws", "readOnly": True})
    container["env"].append({"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}})
    container["ports"] = [{"name": "http", "containerPort": 9090}]
    container["readinessProbe"] = {"httpGet": {"port": "http"}}
    container["resources"] = {"limits": {"memory": "2Gi"}, "requests": {"cpu": "250m"}}
    return body


def places(value: t.Any, path: tuple[t.Any, ...] = ()) -> list[tuple[t.Any, ...]]:
    """The paths of all values inside of a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [p for key, item in inner for p in [(*path, key), *places(item, (*path, key))]]


@st.composite
def damaged(draw: st.DrawFn, kind: str) -> Json:
    """A rich workload in which one value was removed or replaced."""
    body = rich_workload() | {"kind": kind}
    if kind == "StatefulSet":
        del body["spec"]["strategy"]
        body["spec"]["volumeClaimTemplates"] = [{"metadata": {"name": "data"}, "spec": {}}]
    path = draw(st.sampled_from(places(body["spec"])))
    node = body["spec"]
    for key in path[:-1]:
        node = node[key]
    if draw(st.booleans()):
        del node[path[-1]]
    else:
        node[path[-1]] = draw(_ANYTHING | _TEXTS | _SCALARS["int"])
    return body


@pytest.mark.parametrize(("kind", "plural"), [(r.kind, r.plural) for r in WORKLOADS])
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_damaged_workload_is_taken_or_refused(api: Api, kind: str, plural: str, data: st.DataObject) -> None:
    api.server.reset()
    api.server.seed({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "monitoring"}})
    path = f"/apis/apps/v1/namespaces/monitoring/{plural}"
    body = data.draw(damaged(kind))
    response = api.call("POST", path, body)
    assert response.status_code in (201, 400, 422), response.text
    if response.status_code == 201:
        stored = api.get(f"{path}/prometheus")
        assert api.put(f"{path}/prometheus", stored) == stored
        changed = data.draw(damaged(kind))
        assert api.call("PUT", f"{path}/prometheus", changed).status_code in (200, 400, 422)
        api.delete(f"{path}/prometheus")
        assert api.get("/api/v1/pods")["items"] == []


@settings(max_examples=150, deadline=None)
@given(patch=struct("V1Deployment", _DEPTH), content_type=st.sampled_from([MERGE, STRATEGIC]))
def test_any_patch_is_taken_or_refused(api: Api, patch: Json, content_type: str) -> None:
    api.server.reset()
    api.server.seed(rich_workload())
    path = "/apis/apps/v1/namespaces/monitoring/deployments/prometheus"
    response = api.call("PATCH", path, patch, Content_Type=content_type)
    if response.status_code == 500:
        assert "does not contain declared merge key" in response.get_json()["message"]
    else:
        assert response.status_code in (200, 400, 409, 422), response.text


_POINTERS = st.sampled_from(["", "/", "/data", "/data/key", "/data/-", "/metadata/labels/a", "/~2", "x", "/kind"])
_OPERATIONS = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "dance"]), "path": _POINTERS},
    optional={"from": _POINTERS, "value": _ANYTHING},
)


@settings(max_examples=150, deadline=None)
@given(patch=st.lists(_OPERATIONS | _ANYTHING, max_size=3))
def test_any_json_patch_is_taken_or_refused(api: Api, patch: list[t.Any]) -> None:
    api.server.reset()
    api.server.seed(config_map() | {"metadata": {"name": "settings", "namespace": "monitoring"}})
    response = api.call("PATCH", "/api/v1/namespaces/monitoring/configmaps/settings", patch, Content_Type=JSON_PATCH)
    assert response.status_code in (200, 400, 409, 422), response.text
