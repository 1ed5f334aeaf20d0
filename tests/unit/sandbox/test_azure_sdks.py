# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Azure's own SDKs against the running sandbox, by the clouds' real host names."""

from __future__ import annotations

import asyncio
import base64
import time
import typing as t

import jwt
import pytest
import requests
import yaml
from azure.core import MatchConditions
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceModifiedError
from azure.identity import ClientAssertionCredential, ClientSecretCredential
from azure.mgmt.containerservice import ContainerServiceClient
from azure.mgmt.containerservice.models import (
    ManagedClusterOIDCIssuerProfile,
    ManagedClusterSecurityProfile,
    ManagedClusterSecurityProfileWorkloadIdentity,
)
from kiota_abstractions.base_request_configuration import RequestConfiguration
from msgraph.generated.applications.applications_request_builder import ApplicationsRequestBuilder
from msgraph.generated.models.application import Application
from msgraph.generated.models.federated_identity_credential import FederatedIdentityCredential
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.service_principal import ServicePrincipal
from msgraph.graph_service_client import GraphServiceClient

from sandbox.estate import RESOURCE_GROUP
from sandbox.world import AZURE_SUBSCRIPTION, AZURE_TENANT, CONTROLLER_CLIENT_ID, CONTROLLER_CLIENT_SECRET
from tests.unit.sandbox.azure_support import CREDENTIAL, writes

if t.TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    from sandbox.server import Sandbox

# msgraph's own modules warn of their own classes.
pytestmark = pytest.mark.filterwarnings("ignore:This class is deprecated:DeprecationWarning")

_SDK_VARIABLES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")


@pytest.fixture
def azure(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """The sandbox as the SDKs' environment names it."""
    monkeypatch.setenv("HTTPS_PROXY", sandbox.proxy_url)
    for name in _SDK_VARIABLES:
        monkeypatch.setenv(name, str(sandbox.ca_file))
    for name in ("NO_PROXY", "no_proxy", "https_proxy", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    return sandbox


@pytest.fixture
def credential(azure: Sandbox) -> ClientSecretCredential:  # noqa: ARG001 - for the environment that it sets
    return ClientSecretCredential(AZURE_TENANT, CONTROLLER_CLIENT_ID, CONTROLLER_CLIENT_SECRET)


@pytest.fixture
def aks(credential: ClientSecretCredential) -> ContainerServiceClient:
    return ContainerServiceClient(credential, AZURE_SUBSCRIPTION, polling_interval=0)


def _federate(aks: ContainerServiceClient, etag: str | None) -> t.Any:
    """Get the fresh cluster, set both flags, put it back."""
    cluster = aks.managed_clusters.get(RESOURCE_GROUP, "fresh")
    assert cluster.properties is not None
    cluster.properties.oidc_issuer_profile = ManagedClusterOIDCIssuerProfile(enabled=True)
    cluster.properties.security_profile = ManagedClusterSecurityProfile(
        workload_identity=ManagedClusterSecurityProfileWorkloadIdentity(enabled=True)
    )
    return aks.managed_clusters.begin_create_or_update(
        RESOURCE_GROUP,
        "fresh",
        cluster,
        etag=etag or cluster.e_tag,
        match_condition=MatchConditions.IfNotModified,
    ).result()


def test_a_cluster_is_updated_with_its_etag(azure: Sandbox, aks: ContainerServiceClient) -> None:
    before = aks.managed_clusters.get(RESOURCE_GROUP, "fresh").as_dict()
    after = _federate(aks, None).as_dict()
    assert after["properties"]["oidcIssuerProfile"] == {
        "enabled": True,
        "issuerURL": azure.cluster("fresh").issuer_url,
    }
    assert after["properties"]["securityProfile"] == {"workloadIdentity": {"enabled": True}}
    assert after["properties"]["provisioningState"] == "Succeeded"
    assert after["eTag"] != before["eTag"]
    for content in (before, after):
        del content["eTag"]
        for pool in content["properties"]["agentPoolProfiles"]:
            del pool["eTag"]
        for name in ("oidcIssuerProfile", "securityProfile"):
            content["properties"].pop(name, None)
    assert after == before
    assert writes(azure.world) == ["ManagedClusters_CreateOrUpdate"]


def test_a_stale_etag_is_a_conflict_to_the_sdk(azure: Sandbox, aks: ContainerServiceClient) -> None:
    with pytest.raises(ResourceModifiedError) as refusal:
        _federate(aks, "stale")
    assert refusal.value.error is not None
    assert refusal.value.error.code == "PreconditionFailed"
    assert writes(azure.world) == []


def test_a_conflict_without_envelope_is_understood(
    azure: Sandbox, aks: ContainerServiceClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(azure.world.settings, "aks_etag_conflict_status", 409)
    with pytest.raises(HttpResponseError) as refusal:
        _federate(aks, "stale")
    assert refusal.value.status_code == 409
    assert refusal.value.error is not None
    assert refusal.value.error.code == "EtagMismatch"


def test_clusters_are_listed_over_pages(
    azure: Sandbox, aks: ContainerServiceClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(azure.world.settings, "arm_page_size", 2)
    names = [cluster.name for cluster in aks.managed_clusters.list()]
    in_group = [cluster.name for cluster in aks.managed_clusters.list_by_resource_group(RESOURCE_GROUP)]
    assert names == in_group == ["fresh", "halfdone", "finished"]


def test_the_admin_kubeconfig_opens_the_api_server(azure: Sandbox, aks: ContainerServiceClient, tmp_path: Path) -> None:
    results = aks.managed_clusters.list_cluster_admin_credentials(RESOURCE_GROUP, "fresh")
    assert results.kubeconfigs is not None
    (kubeconfig,) = results.kubeconfigs
    assert kubeconfig.value is not None
    content = yaml.safe_load(kubeconfig.value)
    cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
    authority = tmp_path / "ca.pem"
    authority.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
    with requests.Session() as session:
        session.trust_env = False
        headers = {"Authorization": f"Bearer {user['token']}"}
        response = session.get(f"{cluster['server']}/api/v1/namespaces", headers=headers, verify=str(authority))
    assert response.status_code == 200
    assert response.json()["kind"] == "NamespaceList"
    assert writes(azure.world) == []


def test_a_wrong_secret_is_an_authentication_error(azure: Sandbox) -> None:  # noqa: ARG001 - for the environment that it sets
    credential = ClientSecretCredential(AZURE_TENANT, CONTROLLER_CLIENT_ID, "wrong")
    with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        credential.get_token("https://management.azure.com/.default")


def test_an_application_is_federated_from_nothing(azure: Sandbox, credential: ClientSecretCredential) -> None:
    name = "O'Neil & Söhne"

    async def federate(client: GraphServiceClient) -> str:
        application = await client.applications.post(Application(display_name=name, tags=["mark"]))
        assert application is not None
        assert application.id is not None
        assert application.app_id is not None
        principal = await client.service_principals.post(ServicePrincipal(app_id=application.app_id))
        assert principal is not None
        assert principal.tags == ["mark"]
        credentials = client.applications.by_application_id(application.id).federated_identity_credentials
        cluster = azure.cluster("finished")
        await credentials.post(FederatedIdentityCredential(**{**CREDENTIAL, "issuer": cluster.issuer_url}))
        named = client.applications.by_application_id(application.id).federated_identity_credentials_with_name(
            CREDENTIAL["name"]
        )
        await named.patch(FederatedIdentityCredential(description="changed"))
        page = await credentials.get()
        assert page is not None
        assert [found.description for found in page.value or []] == ["changed"]
        return str(application.app_id)

    app_id = _with_graph(credential, federate)
    cluster = azure.cluster("finished")
    claims = {"iss": cluster.issuer_url, "sub": CREDENTIAL["subject"], "aud": CREDENTIAL["audiences"]}
    assertion = cluster.signing_key.sign({**claims, "exp": int(time.time()) + 600})
    exchanged = ClientAssertionCredential(AZURE_TENANT, app_id, lambda: assertion)
    token = exchanged.get_token("https://graph.microsoft.com/.default").token
    assert jwt.decode(token, options={"verify_signature": False})["appid"] == app_id
    assert writes(azure.world) == [
        "CreateApplication",
        "CreateServicePrincipal",
        "CreateFederatedIdentityCredential",
        "UpdateFederatedIdentityCredential",
    ]


def test_applications_are_found_by_filter_and_key(azure: Sandbox, credential: ClientSecretCredential) -> None:
    seeded = azure.directory.seed_application("O'Neil", unique_name="it-s-unique")

    async def find(client: GraphServiceClient) -> list[str | None]:
        query = ApplicationsRequestBuilder.ApplicationsRequestBuilderGetQueryParameters(
            filter="displayName eq 'O''Neil'", select=["id", "appId"]
        )
        page = await client.applications.get(RequestConfiguration(query_parameters=query))
        assert page is not None
        by_app_id = await client.applications_with_app_id(seeded["appId"]).get()
        by_unique_name = await client.applications_with_unique_name("it-s-unique").get()
        return [entity.id for entity in [*(page.value or []), by_app_id, by_unique_name] if entity]

    assert _with_graph(credential, find) == [seeded["id"]] * 3
    assert writes(azure.world) == []


def test_graphs_errors_are_understood(azure: Sandbox, credential: ClientSecretCredential) -> None:
    application = azure.directory.seed_application("one")
    azure.directory.seed_service_principal(application["appId"])

    async def collide(client: GraphServiceClient) -> ODataError:
        with pytest.raises(ODataError) as refusal:
            await client.service_principals.post(ServicePrincipal(app_id=application["appId"]))
        return refusal.value

    error = _with_graph(credential, collide)
    assert error.response_status_code == 409
    assert error.error is not None
    assert error.error.code == "Request_MultipleObjectsWithSameKeyValue"
    assert error.error.inner_error is not None
    assert error.error.inner_error.request_id


_T = t.TypeVar("_T")


def _with_graph(
    credential: ClientSecretCredential, use: t.Callable[[GraphServiceClient], Coroutine[t.Any, t.Any, _T]]
) -> _T:
    async def run() -> _T:
        return await use(GraphServiceClient(credential, scopes=["https://graph.microsoft.com/.default"]))

    return asyncio.run(run())
