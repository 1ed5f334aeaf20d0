# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ARM: managed clusters, their long-running operations, eTags and refusals."""

from __future__ import annotations

import base64
import copy
import re
import time
import typing as t
import uuid

import pytest
import yaml

from sandbox import arm
from sandbox.arm.linked import links
from sandbox.rights import AzureRole, Rights
from sandbox.world import AZURE_SUBSCRIPTION, Settings, World
from tests.unit.sandbox.azure_support import A_WHILE, API_VERSION, ARM, GRAPH, STRANGER, add_cluster, bearer, writes

if t.TYPE_CHECKING:
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

    from sandbox.world import AksCluster, Json

_GROUP = f"/subscriptions/{AZURE_SUBSCRIPTION}/resourceGroups/rg-one"
_CLUSTERS = "/providers/Microsoft.ContainerService/managedClusters"
_ONE = f"{_GROUP}{_CLUSTERS}/one"
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Arm:
    """A client of one ARM with one cluster."""

    def __init__(self, **settings: t.Any) -> None:
        self.world = World(Settings(**{"aks_operation_seconds": 0.0, **settings}))
        self.cluster: AksCluster = add_cluster(self.world)
        self._client: FlaskClient = arm.create_app(self.world).test_client()

    def call(self, method: str, path: str = _ONE, **options: t.Any) -> TestResponse:
        query = {"api-version": API_VERSION, **options.pop("query", {})}
        headers = {**bearer(self.world, ARM), **options.pop("headers", {})}
        return self._client.open(path, method=method, query_string=query, headers=headers, **options)

    def read(self) -> Json:
        response = self.call("GET")
        assert response.status_code == 200
        return _json(response)

    def put(self, content: Json, **headers: str) -> TestResponse:
        return self.call("PUT", json=content, headers={k.replace("_", "-"): v for k, v in headers.items()})

    def url(self, address: str) -> TestResponse:
        """GET an address from an answer."""
        return self._client.get(address, headers=bearer(self.world, ARM))


def _json(response: TestResponse) -> Json:
    content = response.get_json()
    assert isinstance(content, dict)
    return content


def _federated(content: Json) -> Json:
    """The body with both flags set."""
    content = copy.deepcopy(content)
    content["properties"]["oidcIssuerProfile"] = {"enabled": True}
    content["properties"]["securityProfile"]["workloadIdentity"] = {"enabled": True}
    return content


def _code(response: TestResponse) -> tuple[int, str]:
    content = _json(response)
    return response.status_code, str(content.get("error", content)["code"])


# Reading


def test_get_answers_the_body_with_etags_of_cluster_and_pools() -> None:
    azure = Arm()
    content = azure.read()
    tags = [content.pop("eTag"), *(pool.pop("eTag") for pool in content["properties"]["agentPoolProfiles"])]
    assert content == azure.cluster.body
    assert all(_GUID.fullmatch(tag) for tag in tags)
    assert len(set(tags)) == 3
    assert writes(azure.world) == []
    assert azure.world.log.since()[-1].operation == "ManagedClusters_Get"


def test_reading_twice_gives_the_same_etag() -> None:
    azure = Arm()
    assert azure.read() == azure.read()


def test_names_and_words_of_a_path_are_case_insensitive() -> None:
    azure = Arm()
    path = f"/SUBSCRIPTIONS/{AZURE_SUBSCRIPTION.upper()}/resourcegroups/RG-One/providers/microsoft.containerservice"
    response = azure.call("GET", f"{path}/managedclusters/ONE")
    assert response.status_code == 200
    assert _json(response)["name"] == "one"


def test_no_etags_when_the_service_leaves_them_out() -> None:
    azure = Arm(aks_etags=False)
    content = azure.read()
    assert content == azure.cluster.body


def test_api_versions_before_etags_have_none() -> None:
    azure = Arm()
    content = _json(azure.call("GET", query={"api-version": "2024-05-01"}))
    assert "eTag" not in content
    assert all("eTag" not in pool for pool in content["properties"]["agentPoolProfiles"])


@pytest.mark.parametrize("version", ["2026-08-01", "2026-05-02-preview"])
def test_any_dated_api_version_is_taken(version: str) -> None:
    assert Arm().call("GET", query={"api-version": version}).status_code == 200


@pytest.mark.parametrize(
    ("version", "code"), [("", "MissingApiVersionParameter"), ("2026", "InvalidApiVersionParameter")]
)
def test_other_api_versions_are_refused(version: str, code: str) -> None:
    assert _code(Arm().call("GET", query={"api-version": version})) == (400, code)


def test_a_missing_cluster_is_not_found() -> None:
    response = Arm().call("GET", f"{_GROUP}{_CLUSTERS}/two")
    assert _code(response) == (404, "ResourceNotFound")
    assert "managedClusters/two' under resource group 'rg-one' was not found" in response.text


def test_an_unknown_group_and_an_unknown_subscription_are_not_found() -> None:
    azure = Arm()
    assert _code(azure.call("GET", _ONE.replace("rg-one", "rg-two"))) == (404, "ResourceGroupNotFound")
    unknown = _ONE.replace(AZURE_SUBSCRIPTION, str(uuid.uuid4()))
    assert _code(azure.call("GET", unknown)) == (404, "SubscriptionNotFound")


def test_unknown_paths_and_methods_are_refused_as_arm_refuses() -> None:
    azure = Arm()
    assert _code(azure.call("GET", f"{_ONE}/agentPools")) == (404, "InvalidResourceType")
    assert _code(azure.call("DELETE")) == (405, "HttpMethodNotSupported")


# Access


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        ("", "AuthenticationFailed"),
        ("Basic eDp5", "AuthenticationFailed"),
        ("Bearer x.y.z", "InvalidAuthenticationToken"),
    ],
)
def test_requests_need_a_token(authorization: str, code: str) -> None:
    azure = Arm()
    response = azure.call("GET", headers={"Authorization": authorization})
    assert _code(response) == (401, code)
    assert response.headers["WWW-Authenticate"].startswith(
        'Bearer authorization_uri="https://login.microsoftonline.com/'
    )


def test_tokens_for_graph_are_refused() -> None:
    azure = Arm()
    response = azure.call("PUT", json={}, headers=bearer(azure.world, GRAPH))
    assert _code(response) == (401, "InvalidAuthenticationTokenAudience")
    assert f"wrong audience or resource '{GRAPH}'" in response.text
    assert writes(azure.world) == []


def test_expired_tokens_are_refused() -> None:
    azure = Arm(entra_token_seconds=-1)
    assert _code(azure.call("GET")) == (401, "ExpiredAuthenticationToken")


def test_another_application_has_no_role() -> None:
    azure = Arm()
    response = azure.call("GET", headers=bearer(azure.world, ARM, STRANGER))
    assert _code(response) == (403, "AuthorizationFailed")
    assert f"The client '{STRANGER.app_id}' with object id '{STRANGER.object_id}'" in response.text


def test_the_controllers_role_may_lack_an_action() -> None:
    azure = Arm()
    azure.world.missing_rights.add("Microsoft.ContainerService/managedClusters/write")
    assert azure.call("GET").status_code == 200
    assert _code(azure.call("PUT", json=azure.read())) == (403, "AuthorizationFailed")


# Rights on what a cluster's body names

_OTHERS = f"/subscriptions/{AZURE_SUBSCRIPTION}/resourceGroups/rg-others/providers"
_SUBNET = f"{_OTHERS}/Microsoft.Network/virtualNetworks/hub/subnets/nodes"
_LOGS = {"logAnalyticsWorkspaceResourceID": "/logs"}
_LINKED = [
    (
        {"properties": {"agentPoolProfiles": [{"name": "system", "podSubnetID": _SUBNET}]}},
        ("Microsoft.Network/virtualNetworks/subnets/join/action", _SUBNET),
    ),
    (
        {"properties": {"apiServerAccessProfile": {"subnetId": _SUBNET}}},
        ("Microsoft.Network/virtualNetworks/subnets/join/action", _SUBNET),
    ),
    (
        {"identity": {"userAssignedIdentities": {"/id": {}}}},
        ("Microsoft.ManagedIdentity/userAssignedIdentities/assign/action", "/id"),
    ),
    (
        {"properties": {"networkProfile": {"loadBalancerProfile": {"outboundIPs": {"publicIPs": [{"id": "/ip"}]}}}}},
        ("Microsoft.Network/publicIPAddresses/join/action", "/ip"),
    ),
    (
        {"properties": {"addonProfiles": {"omsAgent": {"enabled": True, "config": _LOGS}}}},
        ("Microsoft.OperationalInsights/workspaces/sharedkeys/read", "/logs"),
    ),
    ({"properties": {"diskEncryptionSetID": "/disks"}}, ("Microsoft.Compute/diskEncryptionSets/read", "/disks")),
]


@pytest.mark.parametrize(("sent", "needed"), _LINKED)
def test_what_a_cluster_names_needs_rights_of_its_own(sent: Json, needed: tuple[str, str]) -> None:
    assert [(link.action, link.scope) for link in links(sent)] == [needed]


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"identity": None, "properties": None},
        {"identity": {"type": "SystemAssigned"}, "properties": {"agentPoolProfiles": [{"vnetSubnetID": None}, "x"]}},
        {"properties": {"addonProfiles": {"omsagent": {"enabled": False, "config": _LOGS}}}},
    ],
)
def test_a_cluster_on_what_aks_makes_itself_names_nothing(sent: Json) -> None:
    assert links(sent) == ()


def test_a_put_needs_rights_on_linked_resources_where_they_are() -> None:
    azure = Arm()
    write, join = (
        "Microsoft.ContainerService/managedClusters/*",
        "Microsoft.Network/virtualNetworks/subnets/join/action",
    )
    content = azure.read()
    for pool in content["properties"]["agentPoolProfiles"]:
        pool["vnetSubnetID"] = _SUBNET
    group = f"/subscriptions/{AZURE_SUBSCRIPTION}/resourceGroups/rg-one"
    azure.world.rights = Rights(azure=(AzureRole((write, join), (group,)),))
    refused = azure.put(content)
    assert _code(refused) == (403, "LinkedAuthorizationFailed")
    assert f"does not have permission to perform action(s) '{join}' on the linked scope(s) '{_SUBNET}'" in refused.text
    assert writes(azure.world) == []
    azure.world.rights = Rights(azure=(AzureRole((write,), (group,)), AzureRole((join,), (_SUBNET,))))
    assert azure.put(content).status_code == 200


# Writing


def test_put_of_both_flags_changes_nothing_else() -> None:
    azure = Arm()
    before = azure.read()
    response = azure.put(_federated(before), If_Match=before["eTag"])
    assert response.status_code == 200
    assert _json(response)["properties"]["provisioningState"] == "Updating"
    after = azure.read()
    expected = _federated(before)
    expected["properties"]["oidcIssuerProfile"]["issuerURL"] = azure.cluster.issuer_url
    for content in (after, expected):
        del content["eTag"]
        for pool in content["properties"]["agentPoolProfiles"]:
            del pool["eTag"]
            pool.pop("provisioningState")
    assert after == expected
    assert writes(azure.world) == ["ManagedClusters_CreateOrUpdate"]


def test_the_issuer_url_is_in_the_first_answer() -> None:
    azure = Arm()
    answer = _json(azure.put(_federated(azure.read())))
    assert answer["properties"]["oidcIssuerProfile"]["issuerURL"] == azure.cluster.issuer_url
    assert azure.cluster.issuer_enabled


def test_unknown_properties_come_back_as_sent() -> None:
    azure = Arm()
    content = azure.read()
    content["futureTop"] = {"list": [1, {"deep": None}]}
    content["properties"]["futureProfile"] = {"x": [True]}
    content["properties"]["agentPoolProfiles"][0]["futurePool"] = "y"
    azure.put(content)
    after = azure.read()
    assert after["futureTop"] == {"list": [1, {"deep": None}]}
    assert after["properties"]["futureProfile"] == {"x": [True]}
    assert after["properties"]["agentPoolProfiles"][0]["futurePool"] == "y"


def test_read_only_properties_of_a_put_are_ignored() -> None:
    azure = Arm()
    content = azure.read()
    content.update(id="/other", name="other", type="other", eTag="other")
    content["identity"]["principalId"] = "other"
    content["properties"].update(
        provisioningState="Failed", powerState={"code": "Stopped"}, fqdn="other", maxAgentPools=1
    )
    content["properties"]["oidcIssuerProfile"] = {"enabled": True, "issuerURL": "https://other/"}
    content["properties"]["networkProfile"]["loadBalancerProfile"]["effectiveOutboundIPs"] = []
    before = azure.read()
    azure.put(content)
    after = azure.read()
    for key in ("id", "name", "type", "identity"):
        assert after[key] == before[key]
    for key in ("powerState", "fqdn", "maxAgentPools", "networkProfile"):
        assert after["properties"][key] == before["properties"][key]
    assert after["properties"]["provisioningState"] == "Succeeded"
    assert after["properties"]["oidcIssuerProfile"]["issuerURL"] == azure.cluster.issuer_url


def test_an_omitted_issuer_profile_is_backfilled_but_other_profiles_are_lost() -> None:
    azure = Arm()
    content = _federated(azure.read())
    content["properties"]["aadProfile"] = {"managed": True}
    azure.put(content)
    content = azure.read()
    for key in ("oidcIssuerProfile", "aadProfile", "supportPlan", "storageProfile"):
        del content["properties"][key]
    azure.put(content)
    after = azure.read()["properties"]
    assert after["oidcIssuerProfile"] == {"enabled": True, "issuerURL": azure.cluster.issuer_url}
    assert after["supportPlan"] == "KubernetesOfficial"
    assert after["storageProfile"] == {"diskCSIDriver": {"enabled": True}}
    assert "aadProfile" not in after


def test_an_operation_runs_for_the_set_time_and_blocks_others() -> None:
    azure = Arm(aks_operation_seconds=A_WHILE)
    before = azure.read()
    response = azure.put(before)
    address = response.headers["Azure-AsyncOperation"]
    assert "/locations/westeurope/operations/" in address
    assert "Retry-After" not in response.headers
    running = _json(azure.url(address))
    assert set(running) == {"name", "status", "startTime"}
    assert running["status"] == "InProgress"
    during = azure.read()
    assert {pool["provisioningState"] for pool in during["properties"]["agentPoolProfiles"]} == {"Updating"}
    assert _code(azure.put(during)) == (409, "OperationNotAllowed")
    assert _code(azure.call("PATCH", json={"tags": {}})) == (409, "OperationNotAllowed")
    time.sleep(A_WHILE)
    ended = _json(azure.url(address))
    assert ended["status"] == "Succeeded"
    assert ended["startTime"] == running["startTime"]
    assert ended["endTime"] > ended["startTime"]
    after = azure.read()
    assert after["properties"]["provisioningState"] == "Succeeded"
    assert len({before["eTag"], during["eTag"], after["eTag"]}) == 3
    pools = {c["properties"]["agentPoolProfiles"][0]["eTag"] for c in (before, during, after)}
    assert len(pools) == 3


def test_retry_after_is_sent_while_waiting_when_set() -> None:
    azure = Arm(aks_retry_after=7)
    response = azure.put(azure.read())
    assert response.headers["Retry-After"] == "7"
    assert "Retry-After" not in azure.url(response.headers["Azure-AsyncOperation"]).headers


def test_an_unknown_operation_is_not_found() -> None:
    path = f"/subscriptions/{AZURE_SUBSCRIPTION}/providers/Microsoft.ContainerService/locations/westeurope/operations/x"
    assert _code(Arm().call("GET", path)) == (404, "NotFound")


def test_a_put_that_changes_nothing_is_a_write() -> None:
    azure = Arm()
    azure.put(azure.read())
    assert writes(azure.world) == ["ManagedClusters_CreateOrUpdate"]


@pytest.mark.parametrize("state", ["Creating", "Upgrading", "Starting"])
def test_a_cluster_that_is_changed_from_elsewhere_is_busy(state: str) -> None:
    azure = Arm()
    azure.cluster.body["properties"]["provisioningState"] = state
    response = azure.put(azure.read())
    assert _code(response) == (409, "OperationNotAllowed")
    assert f"Another operation ({state}) is in progress" in response.text


def test_a_stopped_cluster_is_not_updated() -> None:
    azure = Arm()
    azure.cluster.body["properties"]["powerState"]["code"] = "Stopped"
    assert _code(azure.put(azure.read())) == (409, "OperationNotAllowed")


# Preconditions


@pytest.mark.parametrize("form", ["{}", '"{}"'])
def test_if_match_is_taken_with_and_without_quotes(form: str) -> None:
    azure = Arm()
    content = azure.read()
    assert azure.put(content, If_Match=form.format(content["eTag"])).status_code == 200


def test_a_stale_etag_is_refused() -> None:
    azure = Arm()
    stale = azure.read()
    azure.call("PATCH", json={"tags": {"by": "another writer"}})
    assert _code(azure.put(stale, If_Match=stale["eTag"])) == (412, "PreconditionFailed")
    assert azure.read()["tags"] == {"by": "another writer"}
    assert writes(azure.world) == ["ManagedClusters_UpdateTags"]


def test_a_stale_etag_can_be_refused_as_the_field_reports_it() -> None:
    azure = Arm(aks_etag_conflict_status=409)
    response = azure.put(azure.read(), If_Match='"stale"')
    assert _code(response) == (409, "EtagMismatch")
    assert "error" not in _json(response)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If_Match": "*"}, 200),
        ({"If_None_Match": "*"}, 412),
        ({"If_None_Match": '"x"'}, 400),
        ({"If_Match": "*", "If_None_Match": "*"}, 400),
    ],
)
def test_wildcards_follow_the_documented_table(headers: dict[str, str], status: int) -> None:
    azure = Arm()
    assert azure.put(azure.read(), **headers).status_code == status


def test_the_sandbox_creates_no_clusters() -> None:
    azure = Arm()
    path = f"{_GROUP}{_CLUSTERS}/two"
    assert _code(azure.call("PUT", path, json=azure.read())) == (403, "RequestDisallowedByPolicy")
    assert azure.call("PUT", path, json=azure.read(), headers={"If-Match": "x"}).status_code == 412
    assert [cluster.name for cluster in azure.world.clusters] == ["one"]


# Bodies that are refused


def test_the_issuer_is_never_switched_off() -> None:
    azure = Arm()
    content = _federated(azure.read())
    azure.put(content)
    content["properties"]["oidcIssuerProfile"] = {"enabled": False}
    assert _code(azure.put(content)) == (400, "OIDCIssuerFeatureCannotBeDisabled")
    assert azure.cluster.issuer_enabled


def test_workload_identity_needs_the_issuer() -> None:
    azure = Arm()
    content = azure.read()
    content["properties"]["securityProfile"] = {"workloadIdentity": {"enabled": True}}
    response = azure.put(content)
    assert _code(response) == (400, "BadRequest")
    assert "requires enabling OIDC issuer" in response.text
    assert azure.read()["properties"]["securityProfile"] == {}


def test_workload_identity_can_be_switched_off() -> None:
    azure = Arm()
    content = _federated(azure.read())
    azure.put(content)
    content["properties"]["securityProfile"]["workloadIdentity"] = {"enabled": False}
    azure.put(content)
    assert azure.read()["properties"]["securityProfile"] == {"workloadIdentity": {"enabled": False}}


def test_the_location_cannot_change() -> None:
    azure = Arm()
    content = azure.read()
    assert azure.put({**content, "location": "West Europe"}).status_code == 200
    content = azure.read()
    assert _code(azure.put({**content, "location": "eastus"})) == (409, "InvalidResourceLocation")
    del content["location"]
    assert _code(azure.put(content)) == (400, "LocationRequired")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"{", "InvalidRequestContent"),
        (b"[]", "InvalidRequestContent"),
        (b'{"location": "westeurope"}', "InvalidParameter"),
        (b'{"location": "westeurope", "properties": {"oidcIssuerProfile": "on"}}', "InvalidParameter"),
        (b'{"location": "westeurope", "properties": {"oidcIssuerProfile": {"enabled": "yes"}}}', "InvalidParameter"),
        (b'{"location": "westeurope", "properties": {}, "tags": {"a": 1}}', "InvalidParameter"),
        (b'{"location": "westeurope", "properties": {"securityProfile": [1]}}', "InvalidParameter"),
        (b'{"location": "westeurope", "properties": {"agentPoolProfiles": [{}]}}', "InvalidParameter"),
    ],
)
def test_bodies_of_another_shape_are_refused(content: bytes, code: str) -> None:
    azure = Arm()
    before = azure.read()
    assert _code(azure.call("PUT", data=content)) == (400, code)
    assert azure.read() == before
    assert writes(azure.world) == []


# Tags


def test_patch_replaces_the_tags() -> None:
    azure = Arm()
    before = azure.read()
    response = azure.call("PATCH", json={"tags": {"a": "b"}}, headers={"If-Match": before["eTag"]})
    assert response.status_code == 200
    assert "Azure-AsyncOperation" in response.headers
    after = azure.read()
    assert after["tags"] == {"a": "b"}
    assert after["eTag"] != before["eTag"]
    assert writes(azure.world) == ["ManagedClusters_UpdateTags"]


@pytest.mark.parametrize("content", [{"tags": {}, "properties": {}}, {"tags": {"a": 1}}, {"tags": []}])
def test_patch_takes_nothing_but_tags(content: Json) -> None:
    azure = Arm()
    assert _code(azure.call("PATCH", json=content)) == (400, "BadRequest")
    assert azure.read()["tags"] == {"team": "observability"}


def test_patch_of_a_missing_cluster_is_not_found_even_with_if_match() -> None:
    response = Arm().call("PATCH", f"{_GROUP}{_CLUSTERS}/two", json={"tags": {}}, headers={"If-Match": "x"})
    assert _code(response) == (404, "ResourceNotFound")


# Lists


def test_lists_are_paged() -> None:
    azure = Arm(arm_page_size=2)
    for name, group in (("two", "rg-one"), ("three", "rg-two"), ("four", "rg-one"), ("five", "rg-one")):
        add_cluster(azure.world, name, group)
    first = _json(azure.call("GET", f"/subscriptions/{AZURE_SUBSCRIPTION}{_CLUSTERS}"))
    second = _json(azure.url(first["nextLink"]))
    third = _json(azure.url(second["nextLink"]))
    names = [[cluster["name"] for cluster in page["value"]] for page in (first, second, third)]
    assert names == [["one", "two"], ["three", "four"], ["five"]]
    assert "nextLink" not in third
    assert all("eTag" in cluster for cluster in first["value"])


def test_a_group_lists_its_own() -> None:
    azure = Arm()
    add_cluster(azure.world, "two", "rg-two")
    answer = _json(azure.call("GET", f"{_GROUP.replace('rg-one', 'RG-TWO')}{_CLUSTERS}"))
    assert [cluster["name"] for cluster in answer["value"]] == ["two"]
    assert set(answer) == {"value"}
    assert _code(azure.call("GET", f"{_GROUP}x{_CLUSTERS}")) == (404, "ResourceGroupNotFound")


def test_a_wrong_page_token_is_refused() -> None:
    response = Arm().call("GET", f"{_GROUP}{_CLUSTERS}", query={"$skipToken": "x"})
    assert _code(response) == (400, "InvalidSkipToken")


# Kubeconfigs


def _kubeconfig(response: TestResponse, name: str) -> Json:
    assert response.status_code == 200
    (entry,) = _json(response)["kubeconfigs"]
    assert entry["name"] == name
    content = yaml.safe_load(base64.b64decode(entry["value"]))
    assert isinstance(content, dict)
    return content


@pytest.mark.parametrize(
    ("call", "name"), [("listClusterUserCredential", "clusterUser"), ("listClusterAdminCredential", "clusterAdmin")]
)
def test_kubeconfigs_lead_to_the_api_server(call: str, name: str) -> None:
    azure = Arm()
    content = _kubeconfig(azure.call("POST", f"{_ONE}/{call}"), name)
    cluster = content["clusters"][0]["cluster"]
    assert cluster["server"] == azure.cluster.api_server_url
    assert base64.b64decode(cluster["certificate-authority-data"]).decode() == azure.cluster.api_server_ca
    assert content["users"][0]["user"] == {"token": azure.cluster.admin_token}
    assert content["current-context"] == content["contexts"][0]["name"]
    assert writes(azure.world) == []


def test_a_cluster_without_local_accounts_gives_no_admin_credential() -> None:
    azure = Arm()
    azure.cluster.body["properties"]["disableLocalAccounts"] = True
    response = azure.call("POST", f"{_ONE}/listClusterAdminCredential")
    assert _code(response) == (400, "BadRequest")
    assert (
        "Getting static credential isn't allowed because this cluster is set to disable local accounts" in response.text
    )


@pytest.mark.parametrize(("style", "kind"), [("exec", "exec"), ("azure", "auth-provider")])
def test_users_of_an_entra_cluster_get_a_login_instead_of_a_credential(style: str, kind: str) -> None:
    azure = Arm()
    azure.cluster.body["properties"]["aadProfile"] = {"managed": True}
    response = azure.call("POST", f"{_ONE}/listClusterUserCredential", query={"format": style})
    user = _kubeconfig(response, "clusterUser")["users"][0]["user"]
    assert list(user) == [kind]
    assert "6dae42f8-4368-4678-94ff-3960e28e3630" in str(user)
    assert azure.cluster.admin_token not in str(user)


def test_an_unknown_kubeconfig_format_is_refused() -> None:
    response = Arm().call("POST", f"{_ONE}/listClusterUserCredential", query={"format": "json"})
    assert _code(response) == (400, "BadRequest")


# Operations that fail


@pytest.mark.parametrize(
    ("code", "state"), [("OperationPreempted", "Succeeded"), ("OriginalEtagNotExpect", "Succeeded"), ("X", "Failed")]
)
def test_an_operation_that_fails_changes_nothing(code: str, state: str) -> None:
    azure = Arm(aks_operation_error=code)
    response = azure.put(_federated(azure.read()))
    assert response.status_code == 200
    ended = _json(azure.url(response.headers["Azure-AsyncOperation"]))
    assert (ended["status"], ended["error"]["code"]) == ("Failed", code)
    after = azure.read()
    assert after["properties"]["oidcIssuerProfile"] == {"enabled": False}
    assert after["properties"]["provisioningState"] == state


def test_only_the_next_operation_fails() -> None:
    azure = Arm(aks_operation_error="OperationPreempted")
    azure.put(_federated(azure.read()))
    azure.put(_federated(azure.read()))
    assert azure.read()["properties"]["oidcIssuerProfile"]["enabled"] is True


def test_a_busy_cluster_may_answer_an_etag_mismatch_that_nobody_asked_for() -> None:
    azure = Arm(aks_busy_code="EtagMismatch", aks_operation_seconds=60.0)
    azure.put(azure.read())
    assert _code(azure.put(azure.read())) == (409, "EtagMismatch")


# Secrets


def test_secrets_go_in_and_never_come_out() -> None:
    azure = Arm()
    content = azure.read()
    content["properties"]["windowsProfile"] = {"adminUsername": "azure", "adminPassword": "not-shown"}
    content["properties"]["servicePrincipalProfile"] = {"clientId": "c", "secret": "not-shown"}
    assert "not-shown" not in azure.put(content).text
    after = azure.read()
    assert "not-shown" not in str(after)
    assert after["properties"]["windowsProfile"] == {"adminUsername": "azure"}
    azure.put(after)
    assert azure.cluster.body["properties"]["windowsProfile"]["adminPassword"] == "not-shown"
    assert azure.cluster.body["properties"]["servicePrincipalProfile"]["secret"] == "not-shown"


# Signing keys


def _rotate(azure: Arm) -> TestResponse:
    return azure.call("POST", f"{_ONE}/rotateServiceAccountSigningKeys")


def test_a_rotation_is_an_operation_at_whose_end_the_new_key_signs() -> None:
    azure = Arm(aks_operation_seconds=A_WHILE)
    old = azure.cluster.signing_key
    response = _rotate(azure)
    assert (response.status_code, response.data) == (202, b"")
    assert azure.url(response.headers["Location"]).status_code == 202
    assert azure.cluster.signing_key is old
    assert azure.read()["properties"]["provisioningState"] == "Updating"
    time.sleep(A_WHILE)
    assert azure.url(response.headers["Location"]).status_code == 204
    assert _json(azure.url(response.headers["Azure-AsyncOperation"]))["status"] == "Succeeded"
    new = azure.cluster.signing_key
    assert new is not old
    assert azure.cluster.listed_keys == (new, old)
    assert writes(azure.world) == ["ManagedClusters_RotateServiceAccountSigningKeys"]


def test_a_second_rotation_drops_the_oldest_key() -> None:
    azure = Arm()
    old = azure.cluster.signing_key
    for _time in range(2):
        _rotate(azure)
        azure.read()
    assert len(azure.cluster.listed_keys) == 2
    assert azure.cluster.verification_key(old.kid) is None


def test_a_busy_cluster_rotates_nothing() -> None:
    azure = Arm(aks_operation_seconds=60.0)
    azure.put(azure.read())
    assert _code(_rotate(azure)) == (409, "OperationNotAllowed")


@pytest.mark.parametrize("version", ["1900-01-01", "2018-03-31", "2099-12-01", "2025-13-01", "2025-06-15"])
def test_a_version_that_was_never_served_is_refused(version: str) -> None:
    assert _code(Arm().call("GET", query={"api-version": version})) == (400, "NoRegisteredProviderFound")


def test_a_version_without_etags_knows_no_preconditions() -> None:
    azure = Arm()
    before = {"api-version": "2020-01-01"}
    tagged = {**azure.read(), "tags": {"a": "b"}}
    assert azure.call("PUT", json=tagged, query=before, headers={"If-Match": "x"}).status_code == 200
    assert azure.call("PUT", json=tagged, headers={"If-Match": "x"}).status_code == 412
