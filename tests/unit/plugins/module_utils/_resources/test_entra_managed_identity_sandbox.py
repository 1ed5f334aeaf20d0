# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client of managed identities against the sandbox's ARM, and the module with a managed identity as holder."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import typing as t

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.entra import IdentityRef, Trust
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.managed_identity import IdentityClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import ENTRA_AUDIENCE
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import ApplyFailed
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.entra_federated_credential import DEFINITION
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Result, failure_values
from sandbox import entra_tokens
from sandbox import estate as seeded
from sandbox.entra_tokens import Principal
from sandbox.faults import Fault, Kind
from sandbox.testing import running_sandbox
from sandbox.world import AZURE_SUBSCRIPTION, AZURE_TENANT, UserAssignedIdentity
from tests.unit.plugins.azure_estate import AzureEstate, FixedCredential, context

if t.TYPE_CHECKING:
    from collections.abc import Iterator

REF = IdentityRef(AZURE_SUBSCRIPTION, seeded.RESOURCE_GROUP, seeded.MANAGED_IDENTITY)
TRUST = Trust("https://x.oic.prod-aks.azure.com/t/g/", "system:serviceaccount:a:b", (ENTRA_AUDIENCE,))
MISSING = "00000000-0000-0000-0000-00000000dead"


@pytest.fixture(scope="module")
def running() -> Iterator[AzureEstate]:
    with running_sandbox() as sandbox:
        yield AzureEstate(sandbox)


@pytest.fixture
def estate(running: AzureEstate) -> AzureEstate:
    running.sandbox.reset()
    return running


@pytest.fixture
def client(estate: AzureEstate) -> Iterator[IdentityClient]:
    with IdentityClient(estate.session()) as identities:
        yield identities


def identity(estate: AzureEstate) -> UserAssignedIdentity:
    (found,) = estate.sandbox.world.identities
    return found


def run(estate: AzureEstate, *, check_mode: bool = False, **values: t.Any) -> Result:
    given = {
        "managed_identity_id": REF.resource_id,
        "name": "aks-finished",
        "issuer": estate.sandbox.cluster("finished").issuer_url,
        "namespace": "monitoring",
        "service_account": "prometheus-sa",
        **values,
    }
    return DEFINITION.run(estate.params(DEFINITION.spec, **given), context(check_mode=check_mode))


# The client


def test_an_identity_and_its_credentials_are_read_page_by_page(
    estate: AzureEstate, client: IdentityClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estate.sandbox.world.settings, "arm_page_size", 2)
    found = client.identity(REF)
    assert (found.client_id, found.principal_id) == (identity(estate).client_id, identity(estate).principal_id)
    assert found.tenant_id == AZURE_TENANT
    for number in range(5):
        client.put_credential(REF, f"name{number}", dataclasses.replace(TRUST, subject=f"s{number}"))
    assert [one.name for one in client.credentials(REF)] == [f"name{number}" for number in range(5)]


def test_a_credential_is_written_and_deleted(client: IdentityClient) -> None:
    created = client.put_credential(REF, "login", TRUST)
    changed = client.put_credential(REF, "login", dataclasses.replace(TRUST, subject="other"))
    assert changed == dataclasses.replace(created, subject="other")
    for _unused in range(2):  # the second time it is gone already
        client.delete_credential(REF, "login")
    assert client.credentials(REF) == ()


def test_what_a_write_loses_to_is_a_conflict(
    estate: AzureEstate, client: IdentityClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.put_credential(REF, "login", TRUST)
    with pytest.raises(errors.Conflict, match="Issuer and subject combination already exists"):
        client.put_credential(REF, "other", TRUST)
    monkeypatch.setattr(estate.sandbox.world.settings, "identity_write_seconds", 3600.0)
    client.put_credential(REF, "login", dataclasses.replace(TRUST, subject="s"))
    with pytest.raises(errors.Conflict) as caught:
        client.put_credential(REF, "login", TRUST)
    assert caught.value.code == "ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity"
    assert caught.value.retry_after is not None
    assert 0 < caught.value.retry_after <= 5


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"name": "nobody"}, "The managed identity nobody in resource group rg-fleet of subscription"),
        ({"resource_group": "nowhere"}, "Resource group nowhere of subscription"),
        ({"subscription_id": MISSING}, f"Subscription {MISSING} was not found"),
    ],
)
def test_what_is_not_there_is_named(client: IdentityClient, changes: dict[str, str], what: str) -> None:
    with pytest.raises(errors.NotFound, match=what):
        client.identity(dataclasses.replace(REF, **changes))


def test_a_stranger_is_told_which_right_is_missing(estate: AzureEstate) -> None:
    session = estate.session()
    stranger = Principal(MISSING, MISSING)
    session.credential = FixedCredential(
        entra_tokens.issue(estate.sandbox.world, stranger, "https://management.azure.com")
    )
    with IdentityClient(session) as client, pytest.raises(errors.Forbidden) as caught:
        client.credentials(REF)
    assert caught.value.code == "AuthorizationFailed"
    assert "federatedIdentityCredentials/read" in caught.value.fix
    assert "Managed Identity Contributor" in caught.value.fix


def test_a_throttled_request_is_repeated_when_the_service_says_so(estate: AzureEstate, client: IdentityClient) -> None:
    estate.sandbox.world.faults.add(Fault(Kind.THROTTLED, service="arm", method="PUT", retry_after=1))
    before = estate.last_request()
    client.put_credential(REF, "login", TRUST)
    assert [one.status for one in estate.requests("arm", since=before)] == [429, 201]


# The module


def test_twelve_steps(estate: AzureEstate) -> None:
    """{create, modify, delete} x {check, apply, check again, apply again}."""
    modified: dict[str, t.Any] = {"namespace": "metrics", "audience": "api://another"}
    steps: list[tuple[dict[str, t.Any], str]] = [({}, "create"), (modified, "update")]
    for values, action in (*steps, ({**modified, "state": "absent"}, "delete")):
        writes = len(estate.writes())
        predicted = run(estate, check_mode=True, **values)
        assert len(estate.writes()) == writes
        done = run(estate, **values)
        assert [change.action.value for change in done.changes] == [action]
        assert [one.diff() for one in done.changes] == [one.diff() for one in predicted.changes]
        assert run(estate, check_mode=True, **values).changes == ()
        again = run(estate, **values)
        assert (again.changes, again.facts) == ((), done.facts)
        assert len(estate.writes()) == writes + 1
    assert identity(estate).credentials == []


def test_the_results_are_those_of_the_identity(estate: AzureEstate) -> None:
    done = run(estate)
    credential = {
        "id": f"{identity(estate).id}/federatedIdentityCredentials/aks-finished",
        "name": "aks-finished",
        "issuer": estate.sandbox.cluster("finished").issuer_url,
        "subject": "system:serviceaccount:monitoring:prometheus-sa",
        "audiences": [ENTRA_AUDIENCE],
        "description": None,
    }
    assert done.facts == {
        "client_id": identity(estate).client_id,
        "object_id": identity(estate).principal_id,
        "tenant_id": AZURE_TENANT,
        "service_principal_id": identity(estate).principal_id,
        "credential": credential,
        "credentials": [credential],
        "kept": [],
    }
    assert estate.requests("graph") == []  # no Graph permission is needed


def test_a_pod_can_log_in_as_the_identity(estate: AzureEstate) -> None:
    done = run(estate)
    cluster = estate.sandbox.cluster("finished")
    token = cluster.signing_key.sign(
        {
            "iss": cluster.issuer_url,
            "sub": "system:serviceaccount:monitoring:prometheus-sa",
            "aud": [ENTRA_AUDIENCE],
            "iat": 0,
            "exp": 4102444800,
        }
    )
    session = estate.session(
        {"AZURE_FEDERATED_TOKEN": token}, secret=None, client_id=t.cast("str", done.facts["client_id"])
    )
    assert session.credential.get_token("https://management.azure.com/.default").token


def test_the_trust_under_another_name_is_used_or_reported(estate: AzureEstate) -> None:
    run(estate, name="by-hand")
    assert run(estate).changes == ()
    with pytest.raises(errors.Refused, match="by-hand and not by aks-finished"):
        run(estate, existing="report")
    with pytest.raises(errors.Refused, match="but not the name aks-finished"):
        run(estate, state="absent")
    assert len(run(estate, state="absent", force=True).changes) == 1


def test_the_credential_of_another_cluster_is_not_taken_by_its_name(estate: AzureEstate) -> None:
    run(estate, issuer=estate.sandbox.cluster("halfdone").issuer_url)
    writes = len(estate.writes())
    with pytest.raises(errors.Refused, match=r"aks-finished of the managed identity .* which is alive"):
        run(estate)
    assert len(estate.writes()) == writes
    assert [one.action.value for one in run(estate, force=True).changes] == ["update"]
    assert run(estate).changes == ()


def test_an_identity_that_is_not_there_is_an_error_in_every_state(estate: AzureEstate) -> None:
    for state in ("present", "absent"):
        with pytest.raises(errors.NotFound, match="The managed identity nobody"):
            run(estate, state=state, managed_identity_id=REF.resource_id.replace(REF.name, "nobody"))


def test_parallel_runs_write_one_after_the_other(estate: AzureEstate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Azure refuses writes that meet; each is planned anew, and none is lost."""
    monkeypatch.setattr(estate.sandbox.world.settings, "identity_write_seconds", 0.02)

    def one(number: int) -> Result:
        issuer = f"https://westeurope.oic.prod-aks.azure.com/{AZURE_TENANT}/cluster{number}/"
        return run(estate, name=f"cluster{number}", issuer=issuer)

    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        results = list(pool.map(one, range(5)))
    assert sorted(credential["name"] for credential in identity(estate).credentials) == [
        f"cluster{n}" for n in range(5)
    ]
    assert all(len(result.changes) == 1 for result in results)


def test_an_outside_writer_loses_nothing(estate: AzureEstate) -> None:
    """Somebody adds the same trust just before the write: it is found and used, not duplicated."""

    def meddle() -> None:
        trust = {"issuer": estate.sandbox.cluster("finished").issuer_url, "audiences": [ENTRA_AUDIENCE]}
        subject = "system:serviceaccount:monitoring:prometheus-sa"
        identity(estate).credentials.append({"name": "rival", "subject": subject, **trust})

    estate.sandbox.world.faults.add(Fault(Kind.CALL, service="arm", method="PUT", callback=meddle))
    done = run(estate)
    assert done.changes == ()
    assert [one["name"] for one in identity(estate).credentials] == ["rival"]


@pytest.mark.parametrize(
    "kind", [Kind.DROP_AFTER, Kind.DROP_BEFORE, Kind.ERROR, Kind.ERROR_AFTER, Kind.UNREADABLE_AFTER]
)
def test_a_write_that_goes_wrong_once_is_done_all_the_same(estate: AzureEstate, kind: Kind) -> None:
    estate.sandbox.world.faults.add(Fault(kind, service="arm", method="PUT"))
    assert len(run(estate).changes) == 1
    assert len(identity(estate).credentials) == 1
    assert run(estate).changes == ()


@pytest.mark.parametrize("state", ["present", "absent"])
@pytest.mark.parametrize("kind", [Kind.DROP_AFTER, Kind.ERROR_AFTER, Kind.UNREADABLE_AFTER])
def test_a_write_whose_answer_never_comes_is_looked_for(estate: AzureEstate, kind: Kind, state: str) -> None:
    if state == "absent":
        run(estate)
    method = "PUT" if state == "present" else "DELETE"
    estate.sandbox.world.faults.add(Fault(kind, service="arm", method=method, times=None))
    try:
        changed = bool(run(estate, state=state).changes)
    except ApplyFailed as error:
        values = failure_values(error)
        changed = bool(values["changed"]) or "It is not known whether" in str(values["msg"])
    assert changed
    estate.sandbox.world.faults.clear()
    assert len(identity(estate).credentials) == int(state == "present")
    assert run(estate, state=state).changes == ()


@pytest.mark.parametrize("cloud", ["AzureUSGovernment", "AzureChinaCloud"])
def test_national_clouds_have_managed_identities_too(estate: AzureEstate, cloud: str) -> None:
    assert len(run(estate, cloud_environment=cloud).changes) == 1
