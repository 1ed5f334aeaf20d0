# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lists of subscriptions and clusters against the sandbox's ARM."""

from __future__ import annotations

import time
import typing as t

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ServiceRequestError
from azure.core.pipeline.transport import HttpTransport

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.arm_clusters import FleetClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.azure import CLOUDS, AzureSession
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import AzureAuth, Transport
from sandbox.testing import running_sandbox
from sandbox.world import AZURE_SUBSCRIPTION, Settings
from tests.unit.plugins.azure_estate import AzureEstate
from tests.unit.plugins.fleet import SECOND_SUBSCRIPTION, add_cluster, add_subscription

if t.TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def running() -> Iterator[AzureEstate]:
    with running_sandbox(Settings(arm_page_size=2)) as sandbox:
        yield AzureEstate(sandbox)


@pytest.fixture
def estate(running: AzureEstate) -> AzureEstate:
    running.sandbox.reset()
    return running


def client(estate: AzureEstate, **login: t.Any) -> FleetClient:
    return FleetClient(AzureSession(estate.auth(**login), environ={}))


def test_all_pages_of_clusters_are_read(estate: AzureEstate) -> None:
    found = client(estate).clusters(AZURE_SUBSCRIPTION)
    assert [each.name for each in found] == ["fresh", "halfdone", "finished"]
    assert [one.operation for one in estate.requests("arm")] == ["ManagedClusters_List"] * 2
    assert estate.writes() == []


def test_all_pages_of_subscriptions_are_read(estate: AzureEstate) -> None:
    others = [f"00000000-0000-0000-0000-00000000000{number}" for number in range(4)]
    for other in others:
        add_subscription(estate, other.upper())
    assert client(estate).subscriptions() == (AZURE_SUBSCRIPTION, *others)
    assert [one.operation for one in estate.requests("arm")] == ["Subscriptions_List"] * 3


def test_subscriptions_that_are_disabled_are_left_out(estate: AzureEstate) -> None:
    add_subscription(estate, state="Disabled")
    add_subscription(estate, "00000000-0000-0000-0000-000000000001", state="Warned")
    assert client(estate).subscriptions() == (AZURE_SUBSCRIPTION, "00000000-0000-0000-0000-000000000001")


def test_what_is_read_of_a_cluster(estate: AzureEstate) -> None:
    add_subscription(estate)
    body = add_cluster(
        estate,
        "one",
        group="RG-Other",
        subscription=SECOND_SUBSCRIPTION,
        location="northeurope",
        tags={"team": "a"},
        oidcIssuerProfile={"enabled": True, "issuerURL": "https://issuer/"},
        securityProfile={"workloadIdentity": {"enabled": True}},
        apiServerAccessProfile={"enablePrivateCluster": True},
        disableLocalAccounts=True,
        powerState={"code": "Stopped"},
    )
    (found,) = client(estate).clusters(SECOND_SUBSCRIPTION)
    assert found.variables() == {
        "aks_amp_subscription_id": SECOND_SUBSCRIPTION,
        "aks_amp_resource_group": "RG-Other",
        "aks_amp_cluster_name": "one",
        "aks_resource_id": body["id"],
        "aks_location": "northeurope",
        "aks_tags": {"team": "a"},
        "aks_kubernetes_version": "1.33.4",
        "aks_provisioning_state": "Succeeded",
        "aks_power_state": "Stopped",
        "aks_node_resource_group": body["properties"]["nodeResourceGroup"],
        "aks_oidc_issuer_enabled": True,
        "aks_oidc_issuer_url": "https://issuer/",
        "aks_workload_identity_enabled": True,
        "aks_private_cluster": True,
        "aks_local_accounts_disabled": True,
        "aks_entra_integrated": True,
    }


def test_a_cluster_with_hardly_any_properties_is_read(estate: AzureEstate) -> None:
    add_subscription(estate)
    body = add_cluster(estate, "bare", subscription=SECOND_SUBSCRIPTION)
    del body["tags"]
    body["properties"] = {"provisioningState": "Creating", "securityProfile": None, "aadProfile": None}
    (found,) = client(estate).clusters(SECOND_SUBSCRIPTION)
    assert (found.provisioning_state, found.tags, found.entra_integrated) == ("Creating", {}, False)
    assert (found.issuer_enabled, found.issuer_url, found.power_state) == (False, "", "")


def test_a_subscription_without_role_says_which_right_is_missing(estate: AzureEstate) -> None:
    add_subscription(estate, readable=False)
    with pytest.raises(errors.Forbidden) as caught:
        client(estate).clusters(SECOND_SUBSCRIPTION)
    assert caught.value.code == "AuthorizationFailed"
    assert caught.value.request_id
    assert f"listing the AKS clusters of subscription {SECOND_SUBSCRIPTION}" in caught.value.message
    assert "Allow Microsoft.ContainerService/managedClusters/read on the subscription" in caught.value.fix


def test_an_unknown_subscription_is_not_found(estate: AzureEstate) -> None:
    with pytest.raises(errors.NotFound, match=f"Subscription {SECOND_SUBSCRIPTION} was not found") as caught:
        client(estate).clusters(SECOND_SUBSCRIPTION)
    assert "Correct subscription_ids" in caught.value.fix


def test_a_refused_login_is_entras_refusal(estate: AzureEstate) -> None:
    for listing in (lambda fleet: fleet.subscriptions(), lambda fleet: fleet.clusters(AZURE_SUBSCRIPTION)):
        with pytest.raises(errors.CloudError) as caught:
            listing(client(estate, secret="wrong"))
        assert caught.value.service == "Microsoft Entra ID"
        assert "wrong" not in caught.value.sentence()


def test_a_cluster_without_proper_resource_id_is_an_error_of_the_service(estate: AzureEstate) -> None:
    estate.sandbox.cluster("fresh").body["id"] = "/subscriptions/x"
    with pytest.raises(errors.CloudError, match="has a cluster with the resource ID '/subscriptions/x'"):
        client(estate).clusters(AZURE_SUBSCRIPTION)


class NoNetwork(HttpTransport[t.Any, t.Any]):
    """Notes where requests would go."""

    def __init__(self) -> None:
        self.hosts: set[str] = set()

    def send(self, request: t.Any, **_options: t.Any) -> t.Any:
        self.hosts.add(request.url.split("/")[2])
        raise ServiceRequestError("no network")

    def open(self) -> None:
        """Nothing to open."""

    def close(self) -> None:
        """Nothing to close."""

    def sleep(self, _seconds: float) -> None:
        """Time does not pass."""

    def __exit__(self, *_exception: object) -> None:
        """Nothing to close."""


class Credential:
    """Notes what tokens are asked for."""

    def __init__(self) -> None:
        self.scopes: set[str] = set()

    def get_token(self, *scopes: str, **_options: t.Any) -> AccessToken:
        self.scopes |= set(scopes)
        return AccessToken("token", int(time.time()) + 3000)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_each_cloud_is_asked_at_its_own_endpoint_with_a_token_of_its_own(cloud: str) -> None:
    session = AzureSession(AzureAuth(Transport(), cloud, tenant="t", client_id="c", secret="s"), {})
    transport, credential = NoNetwork(), Credential()
    session.credential = credential
    session.transport_options = {"transport": transport}
    fleet = FleetClient(session)
    with pytest.raises(errors.Unreachable):
        fleet.subscriptions()
    with pytest.raises(errors.Unreachable):
        fleet.clusters(AZURE_SUBSCRIPTION)
    assert transport.hosts == {CLOUDS[cloud].arm}
    assert credential.scopes == {CLOUDS[cloud].arm_scope}
