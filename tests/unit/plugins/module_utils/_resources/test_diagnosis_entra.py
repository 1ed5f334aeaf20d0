# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The diagnosis' link of the Entra identity: each fault is found as what it is, following the fix repairs it, and what
is healthy has no finding."""

from __future__ import annotations

import dataclasses
import typing as t
import uuid

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.links import Status
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import (
    ENTRA_AUDIENCE,
    KNOWN_AFTER_APPLY,
    Issuer,
    ServiceAccount,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.entra_application import ApplicationKey
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.entra_findings import Kind
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._severity import Severity
from sandbox.faults import Fault
from sandbox.faults import Kind as FaultKind
from sandbox.graph.directory import Key
from sandbox.testing import running_sandbox
from sandbox.world import AZURE_TENANT, CONTROLLER_CLIENT_SECRET, Json
from tests.unit.plugins.azure_estate import AzureEstate
from tests.unit.plugins.module_utils._resources.entra_diagnosis import (
    IDENTITY,
    SUBJECT,
    EntraWard,
    kinds,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# The library's generated classes announce the deprecation of classes that nobody here uses.
pytestmark = pytest.mark.filterwarnings("ignore:This class is deprecated:DeprecationWarning")

READ_IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities/read"
READ_CREDENTIALS = "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/read"
GONE = f"https://northeurope.oic.prod-aks.azure.com/{AZURE_TENANT}/00000000-0000-0000-0000-00000000dead/"


@pytest.fixture(scope="module")
def running() -> Iterator[AzureEstate]:
    with running_sandbox() as sandbox:
        yield AzureEstate(sandbox)


@pytest.fixture
def estate(running: AzureEstate) -> AzureEstate:
    running.sandbox.reset()
    return running


@pytest.fixture
def ward(estate: AzureEstate) -> EntraWard:
    return EntraWard(estate)


# Credentials that don't fit


def without_slash(ward: EntraWard) -> None:
    ward.change_credential(issuer=ward.issuer.rstrip("/"))


def in_capitals(ward: EntraWard) -> None:
    ward.change_credential(issuer=ward.issuer.replace("northeurope", "NorthEurope"))


def scheme_twice(ward: EntraWard) -> None:
    """The guide's own mistake: 'https://<issuer>/' around an issuer that has both already."""
    ward.change_credential(issuer=f"https://{ward.issuer}/")


def of_a_gone_cluster(ward: EntraWard) -> None:
    ward.change_credential(issuer=GONE)


def of_a_living_cluster(ward: EntraWard) -> None:
    """By that one's own name: the step takes none of this cluster's name from it."""
    ward.delete_credential()
    ward.add_credential("of-halfdone", issuer=ward.estate.sandbox.cluster("halfdone").issuer_url)


def other_namespace(ward: EntraWard) -> None:
    ward.change_credential(subject="system:serviceaccount:default:prometheus-sa")


def other_name(ward: EntraWard) -> None:
    ward.change_credential(subject="system:serviceaccount:monitoring:prometheus")


def other_form(ward: EntraWard) -> None:
    ward.change_credential(subject="monitoring/prometheus-sa")


def other_case(ward: EntraWard) -> None:
    ward.change_credential(subject=SUBJECT.replace("prometheus", "Prometheus"))


def for_aws(ward: EntraWard) -> None:
    ward.change_credential(audiences=["sts.amazonaws.com"])


def by_an_expression(ward: EntraWard) -> None:
    ward.delete_credential()
    ward.directory.seed_flexible_credential(ward.application["id"], "flexible", ward.issuer)


CREDENTIALS = (
    (EntraWard.delete_credential, Kind.CREDENTIAL_MISSING, "no federated identity credential", "none"),
    (without_slash, Kind.ISSUER_MISSPELLED, "compares the whole text", "e6a03 (credential"),
    (in_capitals, Kind.ISSUER_MISSPELLED, "compares the whole text", "issuer https://NorthEurope."),
    (scheme_twice, Kind.ISSUER_MISSPELLED, "compares the whole text", "issuer https://https://northeurope."),
    (of_a_gone_cluster, Kind.ISSUER_GONE, "a cluster that is gone", f"issuer {GONE}"),
    (of_a_living_cluster, Kind.CREDENTIAL_MISSING, "no federated identity credential", "1 for others"),
    (other_namespace, Kind.SUBJECT_DIFFERS, "in the namespace,", "subject system:serviceaccount:default:"),
    (other_name, Kind.SUBJECT_DIFFERS, "in the service account's name,", "serviceaccount:monitoring:prometheus ("),
    (other_form, Kind.SUBJECT_DIFFERS, "in their form,", "subject monitoring/prometheus-sa"),
    (other_case, Kind.SUBJECT_CASE, "by upper and lower case only", "monitoring:Prometheus-sa"),
    (for_aws, Kind.AUDIENCE_DIFFERS, "another audience", "audience sts.amazonaws.com"),
    (by_an_expression, Kind.FLEXIBLE_CREDENTIAL, "by an expression", "an expression (credential flexible)"),
)


@pytest.mark.parametrize(("break_it", "kind", "cause", "found"), CREDENTIALS)
def test_a_credential_that_does_not_fit_is_found_and_the_step_repairs_it(
    ward: EntraWard, break_it: Callable[[EntraWard], None], kind: Kind, cause: str, found: str
) -> None:
    """The guide's Common Issue 'Federated credential subject mismatch', and its kin."""
    break_it(ward)
    seen = ward.look()
    (finding,) = seen.link.findings
    assert (seen.link.status, finding.kind, finding.severity) == (Status.BROKEN, kind.value, Severity.HIGH)
    assert cause in finding.cause
    assert found in finding.found
    assert finding.expected
    assert finding.fix.startswith("Run the step entra_federation (federate.yml --tags entra_federation).")
    assert (seen.client_id, seen.tenant_id) == (ward.application["appId"], AZURE_TENANT)
    ward.run_step()
    assert (ward.look().link.status, ward.look().link.findings) == (Status.OK, ())
    assert ward.exchange().status is Status.OK


@pytest.mark.parametrize(("break_it", "kind"), [(row[0], row[1]) for row in CREDENTIALS[:-1]])
def test_the_same_goes_for_a_managed_identity(
    ward: EntraWard, break_it: Callable[[EntraWard], None], kind: Kind
) -> None:
    break_it(ward)
    ward.identity.credentials += [
        {name: one[name] for name in ("name", "issuer", "subject", "audiences")} for one in ward.credentials
    ]
    seen = ward.look(IDENTITY)
    assert kinds(seen.link) == [kind.value]
    assert (seen.client_id, seen.tenant_id) == (ward.identity.client_id, AZURE_TENANT)
    ward.run_step(managed_identity_id=IDENTITY.resource_id)
    repaired = ward.look(IDENTITY)
    assert (repaired.link.status, repaired.link.findings) == (Status.OK, ())
    assert ward.exchange(repaired).status is Status.OK


def _key(application: Json) -> Key:
    return Key("id", application["id"])


def test_a_misspelled_credential_under_another_name_is_untidy_once_the_right_one_is_there(ward: EntraWard) -> None:
    ward.delete_credential()
    ward.add_credential("by-hand", issuer=ward.issuer.rstrip("/"))
    assert kinds(ward.look().link) == [Kind.ISSUER_MISSPELLED.value]
    ward.run_step()
    link = ward.look().link
    (finding,) = link.findings
    assert (link.status, finding.kind, finding.severity) == (Status.OK, Kind.NEVER_MATCHES.value, Severity.LOW)
    assert "by-hand" in finding.fix
    ward.estate.sandbox.directory.delete_credential(_key(ward.application), _by_name("by-hand"))
    assert ward.look().link.findings == ()


def _by_name(name: str) -> Key:
    return Key("name", name)


def test_a_full_application_takes_no_credential_before_one_is_deleted(ward: EntraWard) -> None:
    ward.delete_credential()
    for number in range(20):
        ward.add_credential(f"other{number}", issuer=f"https://issuer{number}.example/", subject="repo:a/b")
    link = ward.look().link
    assert kinds(link) == [Kind.CREDENTIAL_MISSING.value, Kind.CREDENTIALS_FULL.value]
    assert "20 for others" in link.findings[0].found
    assert "prune_stale" in link.findings[1].fix
    ward.directory.delete_credential(_key(ward.application), _by_name("other7"))
    assert kinds(ward.look().link) == [Kind.CREDENTIAL_MISSING.value]
    ward.run_step()
    assert ward.look().link.findings == ()


# Applications, service principals and identities


def test_an_application_that_is_not_there_and_the_step_that_creates_it(estate: AzureEstate) -> None:
    ward = EntraWard(estate, "fresh")
    estate.cluster_body("fresh")["properties"]["oidcIssuerProfile"] = {"enabled": True, "issuerURL": ward.issuer}
    seen = ward.look()
    (finding,) = seen.link.findings
    assert (seen.link.status, seen.link.missing) == (Status.BROKEN, True)
    assert (finding.kind, finding.found) == (Kind.APPLICATION_MISSING.value, "none")
    assert seen.client_id == ""
    assert ward.exchange(seen).tried is False
    ward.run_step()
    after = ward.look()
    assert (after.link.status, after.client_id) == (Status.OK, ward.application["appId"])
    assert ward.exchange().status is Status.OK


@pytest.mark.parametrize(
    ("key", "variable"),
    [
        (ApplicationKey.OBJECT_ID, "aks_amp_application_object_id"),
        (ApplicationKey.APP_ID, "aks_amp_application_id"),
        (ApplicationKey.UNIQUE_NAME, "--tags entra_federation"),
    ],
)
def test_an_application_that_is_not_there_by_the_other_options(
    ward: EntraWard, key: ApplicationKey, variable: str
) -> None:
    link = ward.look(ward.choice(key, str(uuid.uuid4()))).link
    assert kinds(link) == [Kind.APPLICATION_MISSING.value]
    assert variable in link.fix


def test_a_display_name_that_two_have(ward: EntraWard) -> None:
    """The guide's own way of addressing an application."""
    right = ward.application["id"]
    ward.directory.seed_application(ward.choice().value)
    seen = ward.look()
    (finding,) = seen.link.findings
    assert (seen.link.status, finding.kind, seen.client_id) == (
        Status.BROKEN,
        Kind.APPLICATION_AMBIGUOUS.value,
        "",
    )
    assert right in finding.cause
    assert "aks_amp_application_object_id" in finding.fix
    healthy = ward.look(ward.choice(ApplicationKey.OBJECT_ID, right)).link
    assert (healthy.status, healthy.findings) == (Status.OK, ())


def test_a_display_name_that_differs_in_case(ward: EntraWard) -> None:
    other = ward.choice(value=ward.choice().value.upper())
    assert kinds(ward.look(other).link) == [Kind.APPLICATION_AMBIGUOUS.value]


def test_an_application_without_service_principal(ward: EntraWard) -> None:
    ward.delete_principal()
    seen = ward.look()
    (finding,) = seen.link.findings
    assert (seen.link.status, finding.kind) == (Status.BROKEN, Kind.PRINCIPAL_MISSING.value)
    assert "AADSTS7000229" in finding.cause
    ward.run_step()
    assert ward.look().link.findings == ()
    assert ward.exchange().status is Status.OK


@pytest.mark.parametrize("change", [("accountEnabled", False, True), ("isDisabled", True, None)])
def test_a_disabled_service_principal(ward: EntraWard, change: tuple[str, bool, bool | None]) -> None:
    name, disabled, enabled = change
    ward.change_principal(**{name: disabled})
    (finding,) = ward.look().link.findings
    assert (finding.kind, finding.severity) == (Kind.PRINCIPAL_DISABLED.value, Severity.HIGH)
    assert f"az ad sp update --id {ward.application['appId']} --set accountEnabled=true" in finding.fix
    ward.change_principal(**{name: enabled})
    assert ward.look().link.findings == ()


def test_what_the_guide_leaves_behind_is_found_as_a_whole_and_repaired_by_one_run(estate: AzureEstate) -> None:
    ward = EntraWard(estate, "halfdone")
    seen = ward.look()
    assert kinds(seen.link) == [Kind.PRINCIPAL_MISSING.value, Kind.ISSUER_MISSPELLED.value]
    assert ward.exchange(seen).status is Status.BROKEN
    ward.run_step()
    assert ward.look().link.findings == ()
    assert ward.exchange().status is Status.OK


def test_an_identity_that_is_not_there(ward: EntraWard) -> None:
    seen = ward.look(dataclasses.replace(IDENTITY, name="nobody"))
    (finding,) = seen.link.findings
    assert (seen.link.status, seen.link.missing) == (Status.BROKEN, True)
    assert finding.kind == Kind.IDENTITY_MISSING.value
    assert "aks_amp_managed_identity_id" in finding.fix
    assert ward.exchange(seen).tried is False


def test_text_of_others_is_cleaned(ward: EntraWard) -> None:
    ward.change_credential(subject="sub\x1b[31mject eyJhbGciOi.eyJpc3Mi.x")
    (finding,) = ward.look().link.findings
    assert finding.found.startswith("subject subject <redacted> (credential ")


# Check mode


def test_in_check_mode_what_a_real_run_creates_is_no_fault(estate: AzureEstate) -> None:
    ward = EntraWard(estate, "fresh")
    seen = ward.look(check_mode=True)
    assert (seen.link.status, seen.link.missing, seen.link.findings) == (Status.UNKNOWN, True, ())
    assert "A real run may create it first." in seen.link.summary
    assert ward.exchange(seen).tried is False


def test_in_check_mode_a_credential_may_be_yet_to_come_but_not_a_wrong_one(ward: EntraWard) -> None:
    without_slash(ward)
    assert ward.look(check_mode=True).link.status is Status.BROKEN
    ward.delete_credential()
    seen = ward.look(check_mode=True)
    assert seen.link.status is Status.UNKNOWN
    assert ward.exchange(seen).tried is False


@pytest.mark.parametrize("key", [ApplicationKey.OBJECT_ID, ApplicationKey.APP_ID])
def test_in_check_mode_an_application_that_is_named_by_an_id_must_be_there(
    ward: EntraWard, key: ApplicationKey
) -> None:
    link = ward.look(ward.choice(key, str(uuid.uuid4())), check_mode=True).link
    assert (link.status, kinds(link)) == (Status.BROKEN, [Kind.APPLICATION_MISSING.value])


def test_an_issuer_that_is_not_known_yet(ward: EntraWard) -> None:
    before = ward.estate.last_request()
    seen = ward.look(issuer=Issuer.parse(KNOWN_AFTER_APPLY))
    assert (seen.link.status, seen.link.tried) == (Status.UNKNOWN, False)
    assert ward.estate.requests(since=before) == []


# Few rights


@pytest.mark.parametrize("key", [ApplicationKey.DISPLAY_NAME, ApplicationKey.APP_ID, ApplicationKey.OBJECT_ID])
def test_without_the_right_to_read_applications_the_link_is_unknown_and_names_it(
    ward: EntraWard, key: ApplicationKey
) -> None:
    values = {ApplicationKey.APP_ID: ward.application["appId"], ApplicationKey.OBJECT_ID: ward.application["id"]}
    ward.estate.sandbox.world.missing_rights.add("Application.Read.All")
    seen = ward.look(ward.choice(key, values.get(key, "")))
    assert (seen.link.status, seen.link.findings) == (Status.UNKNOWN, ())
    assert "Application.Read.All" in seen.link.fix
    exchange = ward.exchange(seen)
    if key is ApplicationKey.APP_ID:  # all that the exchange needs
        assert exchange.status is Status.OK
    else:
        assert (exchange.status, exchange.tried) == (Status.UNKNOWN, False)


def test_without_the_right_to_read_an_identity_the_link_is_unknown_and_names_it(ward: EntraWard) -> None:
    ward.estate.sandbox.world.missing_rights.add(READ_IDENTITY)
    seen = ward.look(IDENTITY)
    assert (seen.link.status, seen.link.findings, seen.client_id) == (Status.UNKNOWN, (), "")
    assert READ_IDENTITY in seen.link.fix


def test_without_the_right_to_read_its_credentials_the_exchange_still_tells(ward: EntraWard) -> None:
    ward.run_step(managed_identity_id=IDENTITY.resource_id)
    ward.estate.sandbox.world.missing_rights.add(READ_CREDENTIALS)
    seen = ward.look(IDENTITY)
    assert (seen.link.status, seen.link.findings) == (Status.UNKNOWN, ())
    assert READ_CREDENTIALS in seen.link.fix
    assert ward.exchange(seen).status is Status.OK


@pytest.mark.parametrize("holder", ["application", "identity"])
@pytest.mark.parametrize(
    ("auth", "text"),
    [({"secret": "wrong"}, "AADSTS7000215"), ({"secret": None, "auth_source": "env"}, "no Azure credentials")],
)
def test_without_a_login_the_link_is_unknown(ward: EntraWard, holder: str, auth: dict[str, t.Any], text: str) -> None:
    link = ward.look(IDENTITY if holder == "identity" else None, **auth).link
    assert (link.status, link.findings) == (Status.UNKNOWN, ())
    assert text in link.summary
    assert link.fix
    assert CONTROLLER_CLIENT_SECRET not in str(link)


def test_what_one_read_hides_the_others_still_show(ward: EntraWard) -> None:
    """The service principal can't be read; that the credential is wrong is known all the same."""
    without_slash(ward)
    ward.estate.sandbox.faults.add(
        Fault(FaultKind.EXPIRED_TOKEN, service="graph", operation="GetServicePrincipal", times=None)
    )
    seen = ward.look()
    assert seen.link.status is Status.BROKEN
    assert kinds(seen.link) == [Kind.ISSUER_MISSPELLED.value]
    assert "reading the service principal" in seen.link.summary
    ward.run_step(service_principal=False)
    assert ward.look().link.status is Status.UNKNOWN


# What is healthy


def as_it_is(_ward: EntraWard) -> None:
    """By hand, by display name, without marks."""


def shared_by_a_fleet(ward: EntraWard) -> None:
    for number in range(5):
        ward.add_credential(f"cluster{number}", issuer=GONE.replace("dead", f"{number:04}"))


def several_accounts(ward: EntraWard) -> None:
    for name in ("prometheus", "grafana"):
        ward.add_credential(name, subject=f"system:serviceaccount:monitoring:{name}")


def beside_a_flexible_one(ward: EntraWard) -> None:
    ward.directory.seed_flexible_credential(ward.application["id"], "flexible", ward.issuer)


def beside_others_of_all_kinds(ward: EntraWard) -> None:
    ward.add_credential("github", issuer="https://token.actions.githubusercontent.com", subject="repo:a/b:ref:x")
    ward.directory.add_secret(ward.application["id"])


def under_another_name(ward: EntraWard) -> None:
    ward.delete_credential()
    ward.add_credential("whatever")


def adopted(ward: EntraWard) -> None:
    ward.run_step()


def made_by_the_step(ward: EntraWard) -> None:
    ward.directory.delete_application(_key(ward.application))
    ward.run_step()


HEALTHY: tuple[Callable[[EntraWard], None], ...] = (
    as_it_is,
    shared_by_a_fleet,
    several_accounts,
    beside_a_flexible_one,
    beside_others_of_all_kinds,
    under_another_name,
    adopted,
    made_by_the_step,
)


@pytest.mark.parametrize("make", HEALTHY)
def test_healthy_applications_have_no_finding(ward: EntraWard, make: Callable[[EntraWard], None]) -> None:
    make(ward)
    seen = ward.look()
    assert (seen.link.status, seen.link.findings) == (Status.OK, ())
    assert (seen.client_id, seen.tenant_id) == (ward.application["appId"], AZURE_TENANT)
    assert seen.link.found == seen.link.expected
    assert ward.exchange(seen).status is Status.OK


@pytest.mark.parametrize("cloud", ["AzureCloud", "AzureUSGovernment", "AzureChinaCloud"])
@pytest.mark.parametrize("holder", ["application", "identity"])
def test_every_cloud_is_healthy(ward: EntraWard, cloud: str, holder: str) -> None:
    ward.run_step(managed_identity_id=IDENTITY.resource_id)
    seen = ward.look(IDENTITY if holder == "identity" else None, cloud_environment=cloud)
    assert (seen.link.status, seen.link.findings) == (Status.OK, ())
    assert ward.exchange(seen, cloud_environment=cloud).status is Status.OK


def test_another_service_account_and_another_audience_are_healthy_with_their_own_credential(ward: EntraWard) -> None:
    account = ServiceAccount("metrics", "writer")
    ward.run_step(name="writer", namespace="metrics", service_account="writer", audience="api://another")
    seen = ward.look(account=account, audience="api://another")
    assert (seen.link.status, seen.link.findings) == (Status.OK, ())
    assert kinds(ward.look(account=account, audience=ENTRA_AUDIENCE).link) == [Kind.AUDIENCE_DIFFERS.value]


def test_a_healthy_application_costs_three_requests(ward: EntraWard) -> None:
    before = ward.estate.last_request()
    ward.look()
    assert [one.operation for one in ward.estate.requests("graph", since=before)] == [
        "ListApplications",
        "GetServicePrincipal",
        "ListFederatedIdentityCredentials",
    ]
