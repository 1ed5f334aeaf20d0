# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The official Python client against the API server over TLS."""

from __future__ import annotations

import dataclasses
import json
import typing as t

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import ConflictError, ForbiddenError, NotFoundError, UnprocessibleEntityError

from sandbox.listener import LOOPBACK, Listener
from sandbox.tls import Authority
from tests.unit.sandbox.kubernetes_support import MONITORING, Api, config_map, deployment, new_api, service_account

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Json = dict[str, t.Any]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def api() -> Api:
    api = new_api()
    api.server.seed(service_account())
    api.server.seed(deployment())
    return api


@pytest.fixture
def connect(api: Api, authority: Authority, tmp_path: Path) -> Iterator[t.Callable[[str], client.ApiClient]]:
    """Gives a client that uses a bearer token."""
    ca_file = tmp_path / "ca.pem"
    ca_file.write_text(authority.root_pem, encoding="ascii")
    listener = Listener("fleet", api.server.app, authority.server(LOOPBACK).context())
    clients: list[t.Any] = []  # its methods have no types

    def make(token: str) -> client.ApiClient:
        configuration = client.Configuration()
        configuration.host = f"https://{LOOPBACK}:{listener.port}"
        configuration.ssl_ca_cert = str(ca_file)
        configuration.api_key = {"authorization": f"Bearer {token}"}
        configuration.no_proxy = LOOPBACK
        configuration.proxy = None
        made = client.ApiClient(configuration)
        clients.append(made)
        return made

    try:
        yield make
    finally:
        for made in clients:
            made.close()
        listener.close()


@pytest.fixture
def controller(api: Api, connect: t.Callable[[str], client.ApiClient]) -> client.ApiClient:
    return connect(api.server.controller_token)


def typed(api_class: t.Any, api_client: client.ApiClient) -> t.Any:
    """One of the client's API classes. Every field of its models may be None, which the tests would have to repeat."""
    return api_class(api_client)


def dynamic_client(api_client: client.ApiClient, folder: Path) -> t.Any:
    """The dynamic client, which has no types, with a discovery cache of its own."""
    untyped: t.Any = DynamicClient
    return untyped(api_client, cache_file=str(folder / "discovery.json"))


@dataclasses.dataclass(frozen=True)
class Answer:
    """An answer as it came over the wire."""

    status: int
    body: Json
    audit_id: str


def call(
    api_client: client.ApiClient, method: str, path: str, body: t.Any = None, content_type: str = "application/json"
) -> Answer:
    """``ApiClient.call_api``, which knows no models and raises for no status."""
    configuration = api_client.configuration
    untyped: t.Any = api_client
    response = untyped.call_api(
        method,
        f"{configuration.host}{path}",
        header_params={
            "Accept": "application/json",
            "Content-Type": content_type,
            "Authorization": configuration.get_api_key_with_prefix("authorization"),
        },
        body=body,
    )
    return Answer(response.status, json.loads(response.read()), response.getheader("Audit-Id"))


def test_plain_calls(api: Api, controller: client.ApiClient) -> None:
    path = f"{MONITORING}/configmaps"
    created = call(controller, "POST", path, config_map())
    assert created.status == 201
    assert api.server.get("ConfigMap", "monitoring", "settings") == created.body
    version = created.body["metadata"]["resourceVersion"]
    patch = {"metadata": {"resourceVersion": version}, "data": {"a": "b"}}
    patched = call(controller, "PATCH", f"{path}/settings", patch, "application/merge-patch+json")
    assert (patched.status, patched.body["data"]) == (200, {"key": "value", "a": "b"})
    stale = call(controller, "PATCH", f"{path}/settings", patch, "application/merge-patch+json")
    assert (stale.status, stale.body["reason"]) == (409, "Conflict")
    assert len({created.audit_id, patched.audit_id, stale.audit_id}) == 3


def test_typed_models_take_every_answer(controller: client.ApiClient) -> None:
    """The models refuse what is not of the API's shape."""
    core, apps = typed(client.CoreV1Api, controller), typed(client.AppsV1Api, controller)
    read = apps.read_namespaced_deployment("prometheus", "monitoring")
    assert read.status.ready_replicas == read.spec.replicas == 1
    assert read.metadata.managed_fields
    assert apps.list_namespaced_replica_set("monitoring").items[0].status.ready_replicas == 1
    (pod,) = core.list_namespaced_pod("monitoring", label_selector="app=prometheus").items
    assert pod.status.phase == "Running"
    assert pod.status.container_statuses[0].state.running.started_at
    assert core.read_namespaced_pod_log(pod.metadata.name, "monitoring") == ""
    read.spec.replicas = 2
    apps.replace_namespaced_deployment("prometheus", "monitoring", read)
    assert len(core.list_namespaced_pod("monitoring").items) == 2
    with pytest.raises(ApiException) as caught:
        apps.replace_namespaced_deployment("prometheus", "monitoring", read)
    assert caught.value.status == 409
    namespace = core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name="typed")))
    assert namespace.status.phase == "Active"
    assert client.VersionApi(controller).get_code().git_version == "v1.33.4"
    assert "deployments" in {r.name for r in apps.get_api_resources().resources}


def test_typed_patches(controller: client.ApiClient) -> None:
    core = typed(client.CoreV1Api, controller)
    patched = core.patch_namespaced_service_account(
        "prometheus-sa", "monitoring", {"metadata": {"annotations": {"a": "b"}}}, dry_run="All"
    )
    assert patched.metadata.annotations == {"a": "b"}
    assert core.read_namespaced_service_account("prometheus-sa", "monitoring").metadata.annotations is None
    operations = [{"op": "add", "path": "/metadata/labels", "value": {"c": "d"}}]
    patched = core.patch_namespaced_service_account("prometheus-sa", "monitoring", operations)
    assert patched.metadata.labels == {"c": "d"}
    assert core.delete_namespaced_service_account("prometheus-sa", "monitoring").metadata.name == "prometheus-sa"


def test_typed_tokens_and_reviews(api: Api, controller: client.ApiClient) -> None:
    core = typed(client.CoreV1Api, controller)
    request = client.AuthenticationV1TokenRequest(
        spec=client.V1TokenRequestSpec(audiences=["sts.amazonaws.com"], expiration_seconds=600)
    )
    answer = core.create_namespaced_service_account_token("prometheus-sa", "monitoring", request)
    assert answer.status.token.count(".") == 2
    assert answer.status.expiration_timestamp.tzinfo is not None
    attributes = client.V1ResourceAttributes(verb="create", resource="serviceaccounts", subresource="token")
    review = client.V1SelfSubjectAccessReview(spec=client.V1SelfSubjectAccessReviewSpec(resource_attributes=attributes))
    assert typed(client.AuthorizationV1Api, controller).create_self_subject_access_review(review).status.allowed is True
    authentication = typed(client.AuthenticationV1Api, controller)
    token_review = client.V1TokenReview(
        spec=client.V1TokenReviewSpec(token=answer.status.token, audiences=["sts.amazonaws.com"])
    )
    assert authentication.create_token_review(token_review).status.authenticated is True
    me = authentication.create_self_subject_review(client.V1SelfSubjectReview())
    assert me.status.user_info.username == "clusterAdmin"
    assert api.writes() == []


def test_the_dynamic_client(controller: client.ApiClient, tmp_path: Path) -> None:
    dynamic = dynamic_client(controller, tmp_path)
    maps = dynamic.resources.get(api_version="v1", kind="ConfigMap")
    created = maps.create(body=config_map(), namespace="monitoring")
    assert created.metadata.uid
    assert maps.get(name="settings", namespace="monitoring").data.key == "value"
    patched = maps.patch(
        name="settings", namespace="monitoring", body={"data": {"a": "b"}}, content_type="application/merge-patch+json"
    )
    assert patched.data.to_dict() == {"key": "value", "a": "b"}
    with pytest.raises(ConflictError):
        maps.create(body=config_map(), namespace="monitoring")
    with pytest.raises(UnprocessibleEntityError):
        maps.create(body=config_map("NO"), namespace="monitoring")
    stale = created.to_dict()
    with pytest.raises(ConflictError) as conflict:
        maps.replace(body=stale, namespace="monitoring")
    assert "the object has been modified" in str(conflict.value.body)
    names = {item.metadata.name for item in maps.get(namespace="monitoring").items}
    assert names == {"settings", "kube-root-ca.crt"}
    assert maps.delete(name="settings", namespace="monitoring").status == "Success"
    with pytest.raises(NotFoundError):
        maps.get(name="settings", namespace="monitoring")
    deployments = dynamic.resources.get(api_version="apps/v1", kind="Deployment")
    assert deployments.get(name="prometheus", namespace="monitoring").status.readyReplicas == 1
    accounts = dynamic.resources.get(api_version="v1", kind="ServiceAccount")
    token = accounts.token.create(
        name="prometheus-sa",
        namespace="monitoring",
        body={"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": ["x"]}},
    )
    assert token.status.token


def test_the_dynamic_client_without_rights(
    api: Api, connect: t.Callable[[str], client.ApiClient], tmp_path: Path
) -> None:
    dynamic = dynamic_client(connect(api.server.unprivileged_token), tmp_path)
    assert dynamic.resources.get(api_version="v1", kind="Namespace").get(name="monitoring").status.phase == "Active"
    maps = dynamic.resources.get(api_version="v1", kind="ConfigMap")
    with pytest.raises(ForbiddenError):
        maps.get(name="settings", namespace="monitoring")


def test_a_wrong_token(connect: t.Callable[[str], client.ApiClient]) -> None:
    assert call(connect("wrong"), "GET", "/api/v1/namespaces").status == 401
    with pytest.raises(ApiException) as caught:
        client.CoreV1Api(connect("wrong")).list_namespace()
    assert caught.value.status == 401
