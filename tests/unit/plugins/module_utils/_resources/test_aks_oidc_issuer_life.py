# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module aks_oidc_issuer against the sandbox: finding its cluster, signing keys, and what absent means."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients import jwks
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.arm import ArmClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import KNOWN_AFTER_APPLY
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import ApplyFailed
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import aks_oidc_issuer
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.aks_oidc_issuer import DEFINITION
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Result, failure_values, result_values
from sandbox.testing import running_sandbox
from sandbox.world import AZURE_SUBSCRIPTION, Settings
from tests.unit.plugins.azure_estate import RESOURCE_GROUP, AzureEstate, context

if t.TYPE_CHECKING:
    from collections.abc import Iterator

BOTH: t.Final[dict[str, t.Any]] = {"oidc_issuer": True, "workload_identity": True}


@pytest.fixture(scope="module")
def running() -> Iterator[AzureEstate]:
    with running_sandbox() as sandbox:
        yield AzureEstate(sandbox)


@pytest.fixture
def estate(running: AzureEstate) -> AzureEstate:
    running.sandbox.reset()
    running.sandbox.world.settings = Settings(aks_operation_seconds=0.05)
    return running


def run(estate: AzureEstate, name: str = "finished", *, check_mode: bool = False, **values: t.Any) -> Result:
    return DEFINITION.run(estate.cluster_params(DEFINITION.spec, name, **values), context(check_mode=check_mode))


def run_where(estate: AzureEstate, **values: t.Any) -> Result:
    return DEFINITION.run(estate.params(DEFINITION.spec, poll_interval=0.05, **values), context())


def seen(estate: AzureEstate) -> list[tuple[str, str]]:
    return [(one.service, one.operation) for one in estate.requests("arm", "oidc")]


# Finding the cluster


def test_a_resource_id_is_all_that_is_needed(estate: AzureEstate) -> None:
    cluster_id = estate.cluster_body("finished")["id"]
    found = run_where(estate, resource_id=cluster_id.upper(), **BOTH)
    assert found.facts["id"] == cluster_id
    assert seen(estate) == [("arm", "ManagedClusters_Get"), ("oidc", "OpenIdConfiguration")]


@pytest.mark.parametrize("resource_group", [None, RESOURCE_GROUP])
def test_tags_find_the_one_cluster_that_carries_them(estate: AzureEstate, resource_group: str | None) -> None:
    estate.cluster_body("fresh")["tags"]["Team"] = "payments"
    place = {"subscription_id": AZURE_SUBSCRIPTION, "resource_group": resource_group}
    done = run_where(estate, tags={"team": "payments"}, **place, **BOTH)
    assert done.facts["id"] == estate.cluster_body("fresh")["id"]
    assert estate.cluster_body("fresh")["tags"]["Team"] == "payments"
    lists = [one.operation for one in estate.requests("arm") if "List" in one.operation]
    assert lists == ["ManagedClusters_ListByResourceGroup" if resource_group else "ManagedClusters_List"]


def test_tags_of_none_and_of_several_name_the_clusters(estate: AzureEstate) -> None:
    for name in ("fresh", "halfdone", "finished"):
        estate.cluster_body(name)["tags"] = {"fleet": "one"}
    with pytest.raises(
        errors.Ambiguous, match=r"3 AKS clusters of subscription .*finished .rg-fleet., fresh .rg-fleet"
    ):
        run_where(estate, subscription_id=AZURE_SUBSCRIPTION, tags={"fleet": "one"}, **BOTH)
    with pytest.raises(errors.NotFound, match=r"There are finished .rg-fleet., fresh"):
        run_where(estate, subscription_id=AZURE_SUBSCRIPTION, tags={"fleet": "two"}, **BOTH)
    assert estate.writes() == []


# What absent means


def test_absent_changes_nothing_says_so_and_returns_the_cluster(estate: AzureEstate) -> None:
    kept = run(estate, state="absent")
    again = run(estate, state="absent")
    assert result_values(kept)["changed"] is False
    assert "AKS can't switch an issuer off again" in kept.warnings[0]
    assert kept.facts == again.facts
    assert kept.facts["issuer"] == estate.sandbox.cluster("finished").issuer_url
    assert estate.writes() == []


def test_absent_of_a_cluster_that_is_gone_is_no_error(estate: AzureEstate) -> None:
    gone = run(estate, "deleted", state="absent")
    assert gone.changes == ()
    assert set(gone.facts.values()) == {None}
    assert gone.facts.keys() == run(estate, state="absent").facts.keys()
    assert "AKS cluster deleted in resource group rg-fleet" in gone.warnings[0]


def test_switching_the_issuer_off_is_refused_before_any_write(estate: AzureEstate) -> None:
    with pytest.raises(errors.Refused, match="can never be switched off again"):
        run(estate, oidc_issuer=False)
    assert run(estate, "fresh", oidc_issuer=False).changes == ()
    assert estate.writes() == []


# Signing keys


def test_keys_are_read_only_when_asked_for(estate: AzureEstate) -> None:
    assert run(estate, **BOTH).facts["signing_keys"] is None
    assert ("oidc", "JsonWebKeySet") not in seen(estate)
    kid = estate.sandbox.cluster("finished").signing_key.kid
    assert run(estate, report_signing_keys=True).facts["signing_keys"] == [{"kid": kid, "state": "listed"}]
    assert seen(estate)[-1] == ("oidc", "JsonWebKeySet")
    assert run(estate, "fresh", report_signing_keys=True).facts["signing_keys"] is None


def token_of(estate: AzureEstate) -> str:
    cluster = estate.sandbox.cluster("finished")
    claims = {"iss": cluster.issuer_url, "sub": "s", "aud": ["api://x"], "exp": 4102444800, "iat": 0, "nbf": 0}
    return cluster.signing_key.sign(claims)


def login_works(estate: AzureEstate, token: str) -> bool:
    """Whether Entra takes a token of the cluster's, which it verifies by the keys that the issuer lists."""
    directory, cluster = estate.sandbox.directory, estate.sandbox.cluster("finished")
    application = directory.seed_application("by-token")
    directory.seed_service_principal(application["appId"])
    credential = {"name": "login", "issuer": cluster.issuer_url, "subject": "s", "audiences": ["api://x"]}
    directory.seed_federated_credential(application["id"], credential)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AZURE_FEDERATED_TOKEN", token)
        try:
            run(estate, client_id=application["appId"], secret=None)
        except errors.CloudError as refusal:
            return refusal.code == "AuthorizationFailed"  # logged in, but without a role on the cluster
    return True


def test_a_rotation_keeps_the_old_key_listed_and_its_tokens_hold(estate: AzureEstate) -> None:
    cluster = estate.sandbox.cluster("finished")
    old, before = cluster.signing_key.kid, token_of(estate)
    predicted = run(estate, check_mode=True, rotate_signing_keys=True)
    assert estate.writes() == []
    done = run(estate, rotate_signing_keys=True)
    assert [change.report() for change in done.changes] == [change.report() for change in predicted.changes]
    assert [change.diff() for change in done.changes] == [change.diff() for change in predicted.changes]
    new = cluster.signing_key.kid
    assert new != old
    assert done.facts["signing_keys"] == [{"kid": new, "state": "new"}, {"kid": old, "state": "old"}]
    assert predicted.facts["signing_keys"] == [
        {"kid": old, "state": "old"},
        {"kid": KNOWN_AFTER_APPLY, "state": "new"},
    ]
    assert done.facts["issuer"] == cluster.issuer_url
    assert [one.operation for one in estate.writes()] == ["ManagedClusters_RotateServiceAccountSigningKeys"]
    assert login_works(estate, before)
    assert login_works(estate, token_of(estate))


def test_a_second_rotation_is_refused_and_when_forced_the_oldest_tokens_hold_no_longer(estate: AzureEstate) -> None:
    before = token_of(estate)
    run(estate, rotate_signing_keys=True)
    with pytest.raises(errors.Refused, match="lists 2 signing keys"):
        run(estate, rotate_signing_keys=True)
    second = token_of(estate)
    forced = run(estate, rotate_signing_keys=True, force_rotation=True)
    assert [entry["state"] for entry in t.cast("list[dict[str, str]]", forced.facts["signing_keys"])] == ["new", "old"]
    assert not login_works(estate, before)
    assert login_works(estate, second)


def test_a_rotation_without_waiting_says_what_to_poll(estate: AzureEstate) -> None:
    estate.sandbox.world.settings.aks_operation_seconds = 30.0
    started = run(estate, rotate_signing_keys=True, wait=False)
    assert "/operations/" in str(started.facts["operation_url"])
    assert started.facts["provisioning_state"] == "Updating"


def test_a_rotation_without_an_answer_is_not_repeated(estate: AzureEstate, monkeypatch: pytest.MonkeyPatch) -> None:
    rotate = ArmClient.rotate_signing_keys

    def drop(arm: ArmClient, *arguments: t.Any, **_options: t.Any) -> t.NoReturn:
        rotate(arm, *arguments, wait=False)
        raise errors.Interrupted(service="ARM", action="rotating", detail="the connection was lost")

    monkeypatch.setattr(ArmClient, "rotate_signing_keys", drop)
    done = run(estate, rotate_signing_keys=True)
    assert len(done.changes) == 1
    assert len(estate.writes()) == 1
    assert len(estate.sandbox.cluster("finished").listed_keys) == 2


def test_a_rotation_that_lost_the_old_key_is_reported(estate: AzureEstate, monkeypatch: pytest.MonkeyPatch) -> None:
    read = jwks.signing_key_ids

    def only_the_newest(*arguments: t.Any) -> tuple[str, ...]:
        return read(*arguments)[:1]

    monkeypatch.setattr(aks_oidc_issuer, "signing_key_ids", only_the_newest)
    with pytest.raises(ApplyFailed) as caught:
        run(estate, rotate_signing_keys=True)
    values = failure_values(caught.value)
    assert "no longer lists" in str(values["msg"])
    assert "Restart the pods" in str(values["msg"])
    assert values["changed"] is True


def test_a_new_key_that_never_appears_is_reported(estate: AzureEstate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aks_oidc_issuer, "signing_key_ids", lambda *_arguments: ("always-the-same",))
    with pytest.raises(ApplyFailed) as caught:
        run(estate, rotate_signing_keys=True)
    values = failure_values(caught.value)
    assert "does not list a new key yet" in str(values["msg"])
    assert values["changed"] is True


# Secrets


def test_what_is_secret_is_in_no_result_diff_or_failure(estate: AzureEstate) -> None:
    properties = estate.cluster_body("fresh")["properties"]
    properties["windowsProfile"] = {"adminUsername": "azure", "adminPassword": "hush-hush"}
    properties["servicePrincipalProfile"] = {"clientId": "c", "secret": "hush-hush"}
    shown = str(result_values(run(estate, "fresh", **BOTH)))
    assert "hush-hush" not in shown
    assert "adminUsername" not in shown
    assert estate.cluster_body("fresh")["properties"]["windowsProfile"]["adminPassword"] == "hush-hush"
