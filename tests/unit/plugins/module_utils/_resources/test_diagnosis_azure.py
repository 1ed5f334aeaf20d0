# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The diagnosis' link of the AKS cluster: each fault is found, following the fix repairs it, and what is healthy has no
finding."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.aks_ids import ClusterRef
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.links import Link, Status
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import aks_oidc_issuer
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.diagnosis_azure import (
    ClusterSeen,
    Kind,
    look_at_cluster,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.diagnosis_wish import AzureLook
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._severity import Severity
from sandbox.faults import Fault
from sandbox.faults import Kind as FaultKind
from sandbox.testing import running_sandbox
from sandbox.world import AZURE_SUBSCRIPTION, CONTROLLER_CLIENT_SECRET, Json, Settings
from tests.unit.plugins.azure_estate import RESOURCE_GROUP, AzureEstate, context

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

READ = "Microsoft.ContainerService/managedClusters/read"


@pytest.fixture(scope="module")
def running() -> Iterator[AzureEstate]:
    with running_sandbox(Settings(aks_operation_seconds=0.05)) as sandbox:
        yield AzureEstate(sandbox)


@pytest.fixture
def estate(running: AzureEstate) -> AzureEstate:
    running.sandbox.reset()
    return running


def ref(name: str = "finished", **changes: t.Any) -> ClusterRef:
    return dataclasses.replace(ClusterRef(AZURE_SUBSCRIPTION, RESOURCE_GROUP, name), **changes)


def look(
    estate: AzureEstate,
    cluster: ClusterRef | None = None,
    *,
    needs: Severity | None = Severity.HIGH,
    **auth: t.Any,
) -> ClusterSeen:
    wanted = AzureLook(estate.auth(**auth), cluster or ref())
    before, after = len(estate.writes()), look_at_cluster(wanted, needs_workload_identity=needs)
    assert len(estate.writes()) == before
    return after


def kinds(link: Link) -> list[str]:
    return [one.kind for one in link.findings]


def run_step(estate: AzureEstate, name: str) -> None:
    """What ``federate.yml --tags aks_oidc_issuer`` does with its defaults."""
    definition = aks_oidc_issuer.DEFINITION
    params = estate.cluster_params(definition.spec, name, oidc_issuer=True, workload_identity=True)
    definition.run(params, context())


def properties(estate: AzureEstate, name: str = "finished") -> Json:
    found: Json = estate.cluster_body(name)["properties"]
    return found


# Faults


@pytest.mark.parametrize(
    ("needs", "found"),
    [
        (Severity.HIGH, [Kind.ISSUER_OFF, Kind.WORKLOAD_IDENTITY_OFF]),
        (Severity.MEDIUM, [Kind.ISSUER_OFF, Kind.WORKLOAD_IDENTITY_OFF]),
        (None, [Kind.ISSUER_OFF]),
    ],
)
def test_flags_that_are_off_and_the_step_that_switches_them_on(
    estate: AzureEstate, needs: Severity | None, found: list[Kind]
) -> None:
    """Troubleshooting 1 to 3 of the usual guide."""
    seen = look(estate, ref("fresh"), needs=needs)
    assert seen.link.status is Status.BROKEN
    assert seen.issuer == ""
    assert kinds(seen.link) == [kind.value for kind in found]
    issuer = seen.link.findings[0]
    assert issuer.severity is Severity.HIGH
    assert (issuer.expected, issuer.found) == ("oidcIssuerProfile.enabled true", "oidcIssuerProfile.enabled false")
    assert "--tags aks_oidc_issuer" in issuer.fix
    run_step(estate, "fresh")
    after = look(estate, ref("fresh"), needs=needs)
    assert (after.link.status, after.link.findings) == (Status.OK, ())
    assert after.issuer == estate.sandbox.cluster("fresh").issuer_url


@pytest.mark.parametrize(
    ("needs", "status"),
    [(Severity.HIGH, Status.BROKEN), (Severity.MEDIUM, Status.OK), (Severity.LOW, Status.OK), (None, Status.OK)],
)
def test_how_grave_it_is_without_workload_identity_depends_on_who_needs_it(
    estate: AzureEstate, needs: Severity | None, status: Status
) -> None:
    properties(estate)["securityProfile"] = {"workloadIdentity": {"enabled": False}}
    link = look(estate, needs=needs).link
    assert link.status is status
    found = [(one.kind, one.severity) for one in link.findings]
    assert found == ([] if needs is None else [(Kind.WORKLOAD_IDENTITY_OFF.value, needs)])
    run_step(estate, "finished")
    assert look(estate, needs=needs).link.findings == ()


def test_an_issuer_without_url(estate: AzureEstate) -> None:
    """Troubleshooting 4 of the usual guide."""
    profile = properties(estate)["oidcIssuerProfile"]
    url = profile.pop("issuerURL")
    seen = look(estate)
    assert (kinds(seen.link), seen.issuer) == ([Kind.ISSUER_URL_MISSING.value], "")
    profile["issuerURL"] = url
    assert look(estate).link.findings == ()


def stopped(body: Json) -> Callable[[], None]:
    body["powerState"] = {"code": "Stopped"}

    def repair() -> None:
        body["powerState"] = {"code": "Running"}

    return repair


def failed(body: Json) -> Callable[[], None]:
    body["provisioningState"] = "Failed"

    def repair() -> None:
        body["provisioningState"] = "Succeeded"

    return repair


@pytest.mark.parametrize(
    ("break_it", "kind", "severity", "found", "fix"),
    [
        (stopped, Kind.STOPPED, Severity.HIGH, "power state Stopped", "az aks start --resource-group rg-fleet --name"),
        (failed, Kind.OPERATION_FAILED, Severity.MEDIUM, "provisioning state Failed", "activity log"),
    ],
)
def test_a_cluster_in_a_bad_state(
    estate: AzureEstate,
    break_it: Callable[[Json], Callable[[], None]],
    kind: Kind,
    severity: Severity,
    found: str,
    fix: str,
) -> None:
    repair = break_it(properties(estate))
    seen = look(estate)
    (finding,) = seen.link.findings
    assert (finding.kind, finding.severity, finding.found) == (kind.value, severity, found)
    assert fix in finding.fix
    assert seen.issuer == estate.sandbox.cluster("finished").issuer_url
    repair()
    assert look(estate).link.findings == ()


def test_a_cluster_that_is_being_deleted(estate: AzureEstate) -> None:
    properties(estate)["provisioningState"] = "Deleting"
    link = look(estate).link
    assert (link.status, kinds(link)) == (Status.BROKEN, [Kind.BEING_DELETED.value])


def test_a_stopped_cluster_with_everything_off_is_told_as_a_whole(estate: AzureEstate) -> None:
    """The step could not change it now; what it would change is named all the same."""
    stopped(properties(estate, "fresh"))
    assert kinds(look(estate, ref("fresh")).link) == [
        Kind.STOPPED.value,
        Kind.ISSUER_OFF.value,
        Kind.WORKLOAD_IDENTITY_OFF.value,
    ]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"name": "nobody"}, "AKS cluster nobody in resource group rg-fleet"),
        ({"resource_group": "nowhere"}, "Resource group nowhere"),
        ({"subscription_id": "00000000-0000-0000-0000-00000000dead"}, "Subscription 00000000-0000"),
    ],
)
def test_a_cluster_that_is_not_there(estate: AzureEstate, changes: dict[str, str], what: str) -> None:
    link = look(estate, ref(**changes)).link
    (finding,) = link.findings
    assert (link.status, link.missing, finding.kind) == (Status.BROKEN, True, Kind.MISSING.value)
    assert finding.cause.startswith(what)
    assert finding.fix


# Few rights, and what is in the way


def test_without_the_right_to_read_the_link_is_unknown_and_names_it(estate: AzureEstate) -> None:
    estate.sandbox.world.missing_rights.add(READ)
    seen = look(estate)
    assert (seen.link.status, seen.link.findings, seen.issuer) == (Status.UNKNOWN, (), "")
    assert READ in seen.link.fix


@pytest.mark.parametrize(
    ("auth", "text"),
    [
        ({"secret": "wrong"}, "AADSTS7000215"),
        ({"secret": None, "auth_source": "env"}, "no Azure credentials"),
    ],
)
def test_without_a_login_the_link_is_unknown(estate: AzureEstate, auth: dict[str, t.Any], text: str) -> None:
    link = look(estate, **auth).link
    assert (link.status, link.findings) == (Status.UNKNOWN, ())
    assert text in link.summary
    assert link.fix
    assert CONTROLLER_CLIENT_SECRET not in str(link)


def test_a_service_in_trouble_says_nothing_about_the_cluster(
    estate: AzureEstate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("azure.core.pipeline.transport.RequestsTransport.sleep", lambda _self, _seconds: None)
    estate.sandbox.faults.add(Fault(FaultKind.ERROR, service="arm", times=None))
    link = look(estate).link
    assert (link.status, link.findings) == (Status.UNKNOWN, ())
    assert "Internal server error" in link.summary


def test_an_endpoint_that_can_not_be_is_a_fault_of_the_task(estate: AzureEstate) -> None:
    with pytest.raises(errors.InvalidInput, match="arm_endpoint"):
        look(estate, arm_endpoint="http://x")


def test_no_cluster_is_named(estate: AzureEstate) -> None:
    seen = look_at_cluster(AzureLook(estate.auth(), None), needs_workload_identity=None)
    assert (seen.link.status, seen.link.tried, seen.issuer) == (Status.UNKNOWN, False, "")
    assert estate.requests() == []


# What is healthy


@pytest.mark.parametrize(
    ("name", "changes", "needs", "auth"),
    [
        ("finished", {}, Severity.HIGH, {}),
        ("halfdone", {}, Severity.HIGH, {}),
        ("FINISHED", {}, Severity.HIGH, {}),
        ("finished", {"securityProfile": {}}, None, {}),
        ("finished", {"securityProfile": None}, None, {}),
        ("finished", {"powerState": None}, Severity.HIGH, {}),
        ("finished", {"provisioningState": "Updating"}, Severity.HIGH, {}),
        ("finished", {"provisioningState": "Upgrading"}, Severity.HIGH, {}),
        ("finished", {"futureProperty": {"a": 1}}, Severity.HIGH, {}),
        ("finished", {}, Severity.HIGH, {"cloud_environment": "AzureUSGovernment"}),
        ("finished", {}, Severity.HIGH, {"cloud_environment": "AzureChinaCloud"}),
        ("finished", {}, Severity.HIGH, {"authority_host": "https://login.microsoftonline.com/"}),
    ],
)
def test_healthy_clusters_have_no_finding_and_cost_one_request(
    estate: AzureEstate, name: str, changes: Json, needs: Severity | None, auth: dict[str, str]
) -> None:
    cluster = estate.sandbox.cluster(name.lower())
    cluster.body["properties"].update(changes)
    before = estate.last_request()
    seen = look(estate, ref(name), needs=needs, **auth)
    assert (seen.link.status, seen.link.findings) == (Status.OK, ())
    assert seen.issuer == cluster.issuer_url
    assert cluster.issuer_url in seen.link.found
    assert [one.method for one in estate.requests("arm", since=before)] == ["GET"]


def test_a_cluster_at_work_says_so(estate: AzureEstate) -> None:
    properties(estate)["provisioningState"] = "Upgrading"
    assert "Another operation runs on it (provisioning state Upgrading)." in look(estate).link.summary
