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
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import (
    Context,
    Result,
    failure_values,
    result_values,
)
from sandbox.faults import Fault, Kind
from sandbox.testing import running_sandbox
from sandbox.world import AZURE_SUBSCRIPTION, Settings
from tests.unit.plugins.azure_estate import RESOURCE_GROUP, AzureEstate, FastClock, context

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


ROTATE: t.Final = "ManagedClusters_RotateServiceAccountSigningKeys"
LOST: t.Final = (
    Fault(Kind.DROP_AFTER, operation=ROTATE),
    Fault(Kind.ERROR_AFTER, operation=ROTATE, status=502),
    Fault(Kind.UNREADABLE_AFTER, operation=ROTATE, code="page"),
)


def list_late(estate: AzureEstate, clock: FastClock, seconds: float) -> None:
    """Let the issuer list a new key only some time later than the cluster signs with it."""
    cluster = estate.sandbox.cluster("finished")
    before = [key.jwk() for key in cluster.listed_keys]
    cluster.published_keys = lambda: before if clock.slept < seconds else [key.jwk() for key in cluster.listed_keys]


def rotate(estate: AzureEstate, clock: FastClock, **values: t.Any) -> Result:
    params = estate.cluster_params(DEFINITION.spec, "finished", rotate_signing_keys=True, **values)
    return DEFINITION.run(params, context(clock=clock))


def posts(estate: AzureEstate) -> int:
    return len([one for one in estate.requests("arm") if one.operation == ROTATE])


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("fault", LOST, ids=lambda fault: fault.kind.value)
def test_a_rotation_whose_answer_is_lost_is_not_sent_again_while_its_key_is_listed_late(
    estate: AzureEstate, fault: Fault, force: bool
) -> None:
    if force:
        run(estate, rotate_signing_keys=True)
    before, sent, clock = token_of(estate), posts(estate), FastClock()
    list_late(estate, clock, 60.0)
    estate.sandbox.faults.add(fault)
    done = rotate(estate, clock, force_rotation=force)
    assert posts(estate) - sent == 1
    assert len(done.changes) == 1
    assert [entry["state"] for entry in t.cast("list[dict[str, str]]", done.facts["signing_keys"])] == ["new", "old"]
    assert login_works(estate, before)


@pytest.mark.parametrize(
    ("fault", "wait"),
    [*((fault, True) for fault in (*LOST, Fault(Kind.DROP_BEFORE, operation=ROTATE))), (LOST[0], False)],
    ids=["drop-after", "error-after", "page-after", "drop-before", "drop-after-without-waiting"],
)
def test_a_rotation_whose_answer_is_lost_and_whose_key_never_shows_ends_open(
    estate: AzureEstate, fault: Fault, wait: bool
) -> None:
    clock = FastClock()
    list_late(estate, clock, 3600.0)
    estate.sandbox.faults.add(fault)
    with pytest.raises(ApplyFailed) as caught:
        rotate(estate, clock, wait=wait)
    assert posts(estate) == 1
    assert 120.0 <= clock.slept <= 200.0  # of the three minutes, some really pass
    message = str(failure_values(caught.value)["msg"])
    assert message.startswith(
        "The signing keys of AKS cluster finished in resource group rg-fleet may have been rotated"
    )
    assert message.endswith(" It is not known whether the change was made.")
    assert "with report_signing_keys and without rotate_signing_keys" in message


def test_what_can_not_be_read_after_a_rotation_leaves_its_end_open(estate: AzureEstate) -> None:
    faults = estate.sandbox.faults
    faults.add(LOST[0])
    faults.add(Fault(Kind.ERROR, operation="JsonWebKeySet", nth=2, times=None))
    with pytest.raises(ApplyFailed) as caught:
        rotate(estate, FastClock())
    assert posts(estate) == 1
    message = str(failure_values(caught.value)["msg"])
    assert "reading the key set" in message
    assert "without rotate_signing_keys" in message
    assert message.endswith(" It is not known whether the change was made.")


def test_a_rotation_whose_answer_is_lost_with_the_old_key_is_reported(estate: AzureEstate) -> None:
    cluster = estate.sandbox.cluster("finished")
    cluster.published_keys = lambda: [cluster.signing_key.jwk()]
    estate.sandbox.faults.add(LOST[0])
    with pytest.raises(ApplyFailed) as caught:
        rotate(estate, FastClock())
    assert posts(estate) == 1
    values = failure_values(caught.value)
    assert "no longer lists" in str(values["msg"])
    assert str(values["msg"]).endswith("Restart the pods that use such tokens, so that they get new ones.")
    assert values["changed"] is True


@pytest.mark.parametrize("code", ["OperationPreempted", "OriginalEtagNotExpect"])
def test_a_rotation_in_whose_place_came_another_operation_is_not_sent_again(estate: AzureEstate, code: str) -> None:
    estate.sandbox.world.settings.aks_operation_error = code
    with pytest.raises(ApplyFailed) as caught:
        rotate(estate, FastClock())
    assert posts(estate) == 1
    assert "It is not known whether the change was made." in str(failure_values(caught.value)["msg"])


def test_a_rotation_that_was_refused_is_sent_again(estate: AzureEstate) -> None:
    estate.sandbox.faults.add(Fault(Kind.CONFLICT, operation=ROTATE))
    clock = FastClock()
    assert len(rotate(estate, clock).changes) == 1
    assert posts(estate) == 2
    assert clock.slept < 60.0, "no rotation of others was waited for"


def test_a_rotation_that_takes_too_long_is_not_asked_for_again_by_its_failure(estate: AzureEstate) -> None:
    estate.sandbox.world.settings.aks_operation_seconds = 30.0
    clock = FastClock()
    with pytest.raises(ApplyFailed) as caught:
        DEFINITION.run(
            estate.cluster_params(DEFINITION.spec, "finished", rotate_signing_keys=True, wait_timeout=1),
            Context(check_mode=False, sleep=clock.sleep, monotonic=lambda: clock.monotonic() * 10_000),
        )
    values = failure_values(caught.value)
    assert "was accepted, but is not finished after 1 minutes" in str(values["msg"])
    assert "without rotate_signing_keys" in str(values["msg"])
    assert "un again" not in str(values["msg"])
    assert values["changed"] is True


@pytest.mark.parametrize("follows", [True, False])
def test_a_rotation_that_another_run_began_is_seen_though_its_key_is_listed_late(
    estate: AzureEstate, follows: bool
) -> None:
    clock = FastClock()
    list_late(estate, clock, 60.0)
    estate.sandbox.world.settings.aks_operation_seconds = 0.4
    started = rotate(estate, clock, wait=False)
    with pytest.raises(errors.Refused, match="lists 2 signing keys"):
        rotate(estate, clock, operation_url=started.facts["operation_url"] if follows else None)
    assert posts(estate) == 1


def test_after_an_operation_that_was_no_rotation_the_keys_are_rotated(estate: AzureEstate) -> None:
    estate.sandbox.world.settings.aks_operation_seconds = 0.4
    run(estate, workload_identity=False, wait=False)
    clock = FastClock()
    assert len(rotate(estate, clock).changes) == 1
    assert posts(estate) == 1
    assert clock.slept >= 120.0


def test_a_rotation_for_which_no_time_is_left_is_not_sent(estate: AzureEstate) -> None:
    estate.sandbox.world.settings.aks_operation_seconds = 0.4
    run(estate, workload_identity=False, wait=False)
    with pytest.raises(errors.NotReady, match="were not rotated, because the time was up") as caught:
        rotate(estate, FastClock(), wait_timeout=2)
    assert "raise wait_timeout" in caught.value.fix
    assert posts(estate) == 0


@pytest.mark.parametrize(
    "fault",
    [
        Fault(Kind.ERROR, operation="Operations_Get", status=500, times=None),
        Fault(Kind.ERROR, operation="JsonWebKeySet", nth=2, times=None),
    ],
    ids=lambda fault: fault.operation,
)
def test_what_fails_after_a_rotation_was_accepted_does_not_call_for_another(estate: AzureEstate, fault: Fault) -> None:
    estate.sandbox.faults.add(fault)
    with pytest.raises(ApplyFailed) as caught:
        rotate(estate, FastClock())
    values = failure_values(caught.value)
    assert "with report_signing_keys and without rotate_signing_keys" in str(values["msg"])
    assert "rerun" not in str(values["msg"])
    assert values["changed"] is True
    assert posts(estate) == 1


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
