# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module aks_oidc_issuer against the sandbox's ARM: what it reads and writes, and that it touches nothing else."""

from __future__ import annotations

import copy
import json
import os
import typing as t
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.aks_ids import ClusterRef
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.arm import ArmClient, Flags
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.https import HttpClient, Response
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import KNOWN_AFTER_APPLY
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import ApplyFailed, Outcome
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.aks_oidc_issuer import (
    DEFINITION,
    AksOidcIssuer,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.aks_oidc_issuer_plan import (
    Current,
    Wish,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Result, failure_values, result_values
from sandbox.testing import running_sandbox
from sandbox.world import AZURE_SUBSCRIPTION, Json, Settings
from tests.unit.plugins.azure_estate import RESOURCE_GROUP, AzureEstate, context

if t.TYPE_CHECKING:
    from collections.abc import Iterator

BOTH: t.Final[dict[str, t.Any]] = {"oidc_issuer": True, "workload_identity": True}
FRESH = ClusterRef(AZURE_SUBSCRIPTION, RESOURCE_GROUP, "fresh")


@pytest.fixture(scope="module")
def running() -> Iterator[AzureEstate]:
    with running_sandbox(Settings(aks_operation_seconds=0.05)) as sandbox:
        yield AzureEstate(sandbox)


@pytest.fixture
def estate(running: AzureEstate) -> AzureEstate:
    running.sandbox.reset()
    return running


def run(estate: AzureEstate, name: str = "fresh", *, check_mode: bool = False, **values: t.Any) -> Result:
    return DEFINITION.run(estate.cluster_params(DEFINITION.spec, name, **values), context(check_mode=check_mode))


def without_what_may_change(body: Json) -> str:
    """Canonical JSON of a cluster but for the two flags and what the service itself sets."""
    rest = copy.deepcopy(body)
    rest["properties"].pop("oidcIssuerProfile", None)
    rest["properties"].pop("provisioningState", None)
    security = rest["properties"].setdefault("securityProfile", {})
    security.pop("workloadIdentity", None)
    for pool in rest["properties"].get("agentPoolProfiles", []):
        pool.pop("provisioningState", None)
    return json.dumps(rest, sort_keys=True)


def test_check_mode_predicts_what_the_real_run_does_and_writes_nothing(estate: AzureEstate) -> None:
    predicted = run(estate, check_mode=True, **BOTH)
    assert estate.writes() == []
    assert predicted.facts["issuer"] == KNOWN_AFTER_APPLY
    done = run(estate, **BOTH)
    assert [change.report() for change in predicted.changes] == [change.report() for change in done.changes]
    assert predicted.facts.keys() == done.facts.keys()
    for name in ("id", "location", "tenant_id", "oidc_issuer_enabled", "workload_identity_enabled"):
        assert predicted.facts[name] == done.facts[name]
    cluster = estate.sandbox.cluster("fresh")
    assert done.facts["issuer"] == cluster.issuer_url
    assert done.facts["jwks_uri"] == f"{cluster.issuer_url}openid/v1/jwks"
    assert done.facts["provisioning_state"] == "Succeeded"
    assert [one.operation for one in estate.writes()] == ["ManagedClusters_CreateOrUpdate"]


def test_the_second_run_changes_nothing_and_costs_two_requests(estate: AzureEstate) -> None:
    first = run(estate, **BOTH)
    before = estate.last_request()
    second = run(estate, **BOTH)
    assert result_values(second)["changed"] is False
    assert second.facts == first.facts
    seen = [(one.service, one.method) for one in estate.requests("arm", "oidc", since=before)]
    assert seen == [("arm", "GET"), ("oidc", "GET")]


def test_reading_alone_needs_no_wish(estate: AzureEstate) -> None:
    assert run(estate, "finished").facts["issuer"] == estate.sandbox.cluster("finished").issuer_url
    nothing = run(estate)
    assert (nothing.facts["issuer"], nothing.facts["jwks_uri"]) == (None, None)
    assert estate.writes() == []


def test_workload_identity_is_switched_off_and_the_issuer_stays(estate: AzureEstate) -> None:
    done = run(estate, "finished", workload_identity=False)
    assert done.facts["workload_identity_enabled"] is False
    assert done.facts["oidc_issuer_enabled"] is True
    assert estate.cluster_body("finished")["properties"]["securityProfile"] == {"workloadIdentity": {"enabled": False}}


# No other field may change


def unrelated_fields() -> Json:
    """Properties of every shape that no library knows, and known ones in unusual but legal forms."""
    fields: Json = {f"future{number}": {"value": number, "list": [number, None, {"x": "y"}]} for number in range(30)}
    return {
        **fields,
        "futureNull": None,
        "futureNumber": 2.50,
        "futureTime": "2027-01-02T03:04:05.1234567Z",
        "futureText": "ünïcode \u2028 and 'quotes'",
        "futureEmpty": {},
        "futureEmptyList": [],
        "nodeResourceGroup": "MC_rg",
        "disableLocalAccounts": False,
        "enableRBAC": True,
        "fqdnSubdomain": None,
        "upgradeSettings": {"overrideSettings": {"forceUpgrade": True, "until": "2027-01-02T03:04:05.1234567Z"}},
        "autoUpgradeProfile": {"upgradeChannel": "stable", "futureChannel": "x"},
        "addonProfiles": {"omsagent": {"enabled": True, "config": {"a": "b"}, "future": 1}, "newAddon": {"on": 1}},
        "autoScalerProfile": {"scan-interval": "20s", "future-knob": "5"},
        "identityProfile": {"kubeletidentity": {"resourceId": "r", "clientId": "c", "objectId": "o", "future": True}},
        "networkProfile": {"networkPlugin": "azure", "podCidrs": ["10.0.0.0/8"], "advancedNetworking": {"future": []}},
        "securityProfile": {"imageCleaner": {"enabled": True, "intervalHours": 24}, "futureSecurity": {"q": [1]}},
        "apiServerAccessProfile": {"authorizedIPRanges": ["203.0.113.0/24"], "futureAccess": "x"},
        "windowsProfile": {"adminUsername": "azure", "futureWindows": 1},
        "aadProfile": {"managed": True, "adminGroupObjectIDs": ["g"], "futureAad": {"z": None}},
    }


def add_unrelated(body: Json) -> None:
    body["properties"].update(unrelated_fields())
    body["futureTopLevel"] = {"a": [1, {"b": None}]}
    body["tags"] = {"team": "observability", "aks-managed": "no"}
    for pool in body["properties"]["agentPoolProfiles"]:
        pool["futureInPool"] = {"z": [1, 2, 3]}
        pool["nodeLabels"] = {"a": "b"}


def test_fifty_unrelated_fields_survive_unknown_ones_included(estate: AzureEstate) -> None:
    body = estate.cluster_body("fresh")
    add_unrelated(body)
    assert len(body["properties"]) >= 50
    before = without_what_may_change(body)
    run(estate, **BOTH)
    after = estate.cluster_body("fresh")
    assert without_what_may_change(after) == before
    assert after["properties"]["oidcIssuerProfile"]["enabled"] is True
    assert after["properties"]["securityProfile"]["workloadIdentity"] == {"enabled": True}


_NAMES = st.text("abcdefgXYZ-_.$", min_size=1, max_size=8).map(lambda name: f"future{name}")
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False, width=32)
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(_NAMES, _VALUES, max_size=4),
    st.dictionaries(_NAMES, _VALUES, max_size=4),
    st.dictionaries(_NAMES, _VALUES, max_size=4),
    st.dictionaries(_NAMES, _VALUES, max_size=4),
)
def test_whatever_the_service_may_add_survives(
    running: AzureEstate, top: Json, properties: Json, pool: Json, security: Json
) -> None:
    running.sandbox.reset()
    body = running.cluster_body("fresh")
    body.update(top)
    body["properties"].update(properties)
    body["properties"]["securityProfile"] = security
    body["properties"]["agentPoolProfiles"][0].update(pool)
    before = without_what_may_change(body)
    run(running, **BOTH)
    assert without_what_may_change(running.cluster_body("fresh")) == before


def test_a_recorded_cluster_survives(estate: AzureEstate) -> None:
    folder = os.environ.get("AKS_AMP_RECORDINGS")
    if not folder:
        pytest.skip("AKS_AMP_RECORDINGS names no folder with recorded Azure traffic")
    recording = json.loads(Path(folder, "arm-aks-update-workload-identity.json").read_text(encoding="utf-8"))
    recorded = next(
        answer["body"]
        for answer in (interaction["response"] for interaction in recording["interactions"])
        if answer["status"] == 200 and answer["body"].get("properties", {}).get("provisioningState") == "Succeeded"
    )
    cluster = estate.sandbox.cluster("fresh")
    recorded["properties"].pop("oidcIssuerProfile")
    cluster.body = {**recorded, "location": cluster.location}
    before = without_what_may_change(cluster.body)
    done = run(estate, **BOTH)
    assert done.facts["issuer"] == cluster.issuer_url
    assert without_what_may_change(cluster.body) == before


# ETags, conflicts and time


def test_a_service_without_etags_is_tolerated(estate: AzureEstate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estate.sandbox.world.settings, "aks_etags", False)
    done = run(estate, **BOTH)
    assert done.facts["etag"] is None
    assert done.facts["issuer"] == estate.sandbox.cluster("fresh").issuer_url


def client(estate: AzureEstate, *, wait_timeout: float = 60.0) -> ArmClient:
    return ArmClient(estate.session(), AZURE_SUBSCRIPTION, poll_interval=0.05, wait_timeout=wait_timeout)


def converge(estate: AzureEstate, arm: ArmClient, http: HttpClient) -> Outcome[Current]:
    """What the module does, with clients of the test's own."""
    wish = Wish.from_params(estate.cluster_params(DEFINITION.spec, "fresh", **BOTH))
    return context().converge(AksOidcIssuer(wish, arm, http, context()))


class Rival(ArmClient):
    """Lets somebody else change the cluster between this client's first read and its first write."""

    meddled = False

    def set_flags(self, ref: ClusterRef, cluster: t.Any, flags: Flags, *, wait: bool = True) -> t.Any:
        if not self.meddled:
            self.meddled = True
            super().set_flags(ref, self.get_cluster(ref), Flags(oidc_issuer=True))
        return super().set_flags(ref, cluster, flags, wait=wait)


@pytest.mark.parametrize("status", [409, 412])
def test_a_lost_race_is_planned_again_and_never_forced(
    estate: AzureEstate, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(estate.sandbox.world.settings, "aks_etag_conflict_status", status)
    with Rival(estate.session(), AZURE_SUBSCRIPTION, poll_interval=0.05, wait_timeout=60.0) as arm:
        done = converge(estate, arm, HttpClient(estate.transport))
    assert [change.operation for change in done.changes] == [Flags(oidc_issuer=None, workload_identity=True)]
    assert [one.status for one in estate.requests("arm") if one.method == "PUT"] == [200, status, 200]
    assert done.state.cluster.issuer_enabled is True
    assert done.state.cluster.workload_identity_enabled is True


def test_an_operation_that_takes_too_long_is_reported_as_accepted(
    estate: AzureEstate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estate.sandbox.world.settings, "aks_operation_seconds", 30.0)
    with client(estate, wait_timeout=0.3) as arm:
        cluster = arm.get_cluster(FRESH)
        with pytest.raises(errors.NotReady, match=r"was accepted, but is not finished after 0\.005 minutes") as caught:
            arm.set_flags(FRESH, cluster, Flags(True, True))
    assert caught.value.accepted is True


def test_the_services_own_delay_wins_over_the_poll_interval(
    estate: AzureEstate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estate.sandbox.world.settings, "aks_retry_after", 1)
    done = run(estate, poll_interval=600.0, **BOTH)
    assert done.facts["provisioning_state"] == "Succeeded"


# Refusals


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ({"name": "nowhere"}, "AKS cluster nowhere in resource group rg-fleet of subscription .* was not found"),
        ({"name": "fresh", "resource_group": "rg-none"}, "Resource group rg-none of subscription .* was not found"),
        (
            {"name": "fresh", "subscription_id": "00000000-0000-0000-0000-00000000dead"},
            "Subscription 00000000-0000-0000-0000-00000000dead was not found",
        ),
    ],
)
def test_a_cluster_that_is_not_there_is_one_sentence(estate: AzureEstate, place: dict[str, str], sentence: str) -> None:
    with pytest.raises(errors.NotFound, match=sentence):
        run(estate, **{**BOTH, **place})


@pytest.mark.parametrize(
    ("properties", "sentence"),
    [
        ({"powerState": {"code": "Stopped"}}, "is stopped"),
        ({"provisioningState": "Failed"}, "provisioning state Failed"),
    ],
)
@pytest.mark.parametrize("check_mode", [True, False])
def test_a_cluster_in_a_bad_state_is_refused_before_any_write(
    estate: AzureEstate, properties: Json, sentence: str, check_mode: bool
) -> None:
    estate.cluster_body("fresh")["properties"].update(properties)
    with pytest.raises(errors.NotReady, match=sentence):
        run(estate, check_mode=check_mode, **BOTH)
    assert [one.method for one in estate.requests("arm")] == ["GET"]


def test_a_discovery_document_of_another_issuer_is_refused(estate: AzureEstate) -> None:
    body = estate.cluster_body("finished")
    other = estate.sandbox.cluster("halfdone").issuer_url
    body["properties"]["oidcIssuerProfile"]["issuerURL"] = other.replace("westeurope", "northeurope")
    with pytest.raises(errors.CloudError, match=r"reading the discovery document .*: HTTP 404"):
        run(estate, "finished")


def test_a_missing_slash_in_arms_answer_is_tolerated(estate: AzureEstate) -> None:
    cluster = estate.sandbox.cluster("finished")
    cluster.body["properties"]["oidcIssuerProfile"]["issuerURL"] = cluster.issuer_url.rstrip("/")
    assert run(estate, "finished").facts["issuer"] == cluster.issuer_url


class NoDocument(HttpClient):
    """Reaches a host that publishes nothing."""

    def request(self, *_arguments: t.Any, **_options: t.Any) -> Response:
        return Response(404, {}, b"")


def test_a_document_that_never_appears_is_reported_after_the_write(estate: AzureEstate) -> None:
    with client(estate) as arm, pytest.raises(ApplyFailed) as caught:
        converge(estate, arm, NoDocument(estate.transport))
    values = failure_values(caught.value)
    assert values["changed"] is True
    assert "HTTP 404" in str(values["msg"])
    assert "Nothing was changed" not in str(values["msg"])


def test_a_stranger_is_told_which_right_is_missing(estate: AzureEstate, monkeypatch: pytest.MonkeyPatch) -> None:
    directory, cluster = estate.sandbox.directory, estate.sandbox.cluster("finished")
    application = directory.seed_application("stranger")
    directory.seed_service_principal(application["appId"])
    credential = {"name": "login", "issuer": cluster.issuer_url, "subject": "s", "audiences": ["api://x"]}
    directory.seed_federated_credential(application["id"], credential)
    token = cluster.signing_key.sign(
        {"iss": cluster.issuer_url, "sub": "s", "aud": ["api://x"], "exp": 4102444800, "iat": 0, "nbf": 0}
    )
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN", token)
    with pytest.raises(errors.Forbidden) as caught:
        run(estate, "finished", client_id=application["appId"], secret=None)
    assert caught.value.code == "AuthorizationFailed"
    assert "Allow Microsoft.ContainerService/managedClusters/read" in caught.value.fix
    assert caught.value.request_id
