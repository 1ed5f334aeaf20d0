# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module aks_oidc_issuer among others that change the same cluster: it waits, decides anew, and loses nothing."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import threading
import typing as t
import uuid

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.aks_ids import ClusterRef
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.arm import ArmClient, Cluster, Flags, connect
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.https import HttpClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import KNOWN_AFTER_APPLY
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import ApplyFailed, Outcome
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.aks_oidc_issuer import (
    DEFINITION,
    AksOidcIssuer,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.aks_oidc_issuer_plan import Current, Wish
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Context, Pace, Result, failure_values
from sandbox.testing import running_sandbox
from sandbox.world import AZURE_SUBSCRIPTION, Settings
from tests.unit.plugins.azure_estate import RESOURCE_GROUP, AzureEstate, FastClock, context

if t.TYPE_CHECKING:
    from collections.abc import Iterator

BOTH: t.Final[dict[str, t.Any]] = {"oidc_issuer": True, "workload_identity": True}
FRESH = ClusterRef(AZURE_SUBSCRIPTION, RESOURCE_GROUP, "fresh")


@pytest.fixture(scope="module")
def running() -> Iterator[AzureEstate]:
    with running_sandbox() as sandbox:
        yield AzureEstate(sandbox)


@pytest.fixture
def estate(running: AzureEstate) -> AzureEstate:
    running.sandbox.reset()
    running.sandbox.world.settings = Settings(aks_operation_seconds=0.05)
    return running


def run(estate: AzureEstate, name: str = "fresh", *, among: Context | None = None, **values: t.Any) -> Result:
    params = estate.cluster_params(DEFINITION.spec, name, **values)
    return DEFINITION.run(params, among or context(check_mode=False))


def change_tags(estate: AzureEstate, **tags: str) -> None:
    """What another tool does to the cluster: it changes the tags and waits for it."""
    with connect(estate.session(), AZURE_SUBSCRIPTION) as clusters:
        clusters.managed_clusters.begin_update_tags(
            RESOURCE_GROUP, "fresh", {"tags": tags}, polling_interval=0.02
        ).result()


def keep_busy(estate: AzureEstate, seconds: float) -> None:
    """Let another tool's operation begin, which takes this time."""
    estate.sandbox.world.settings.aks_operation_seconds = seconds
    with connect(estate.session(), AZURE_SUBSCRIPTION) as clusters:
        clusters.managed_clusters.begin_update_tags(RESOURCE_GROUP, "fresh", {"tags": {"by": "another"}}, polling=False)
    estate.sandbox.world.settings.aks_operation_seconds = 0.05


def puts(estate: AzureEstate) -> list[int]:
    return [one.status for one in estate.requests("arm") if one.method == "PUT"]


class Meddled(ArmClient):
    """Lets something happen right before this client's first write."""

    meddle: t.Callable[[], None] | None = None

    def set_flags(self, ref: ClusterRef, cluster: Cluster, flags: Flags, *, wait: bool = True) -> Cluster:
        meddle, self.meddle = self.meddle, None
        if meddle is not None:
            meddle()
        return super().set_flags(ref, cluster, flags, wait=wait)


def run_meddled(
    estate: AzureEstate, meddle: t.Callable[[], None], *, minutes: int = 60, clock: FastClock | None = None
) -> Outcome[Current]:
    """The module's own steps, with something that happens between its read and its write."""
    among = context(clock=clock)
    values = {**BOTH, "wait_timeout": minutes}
    wish = Wish.from_params(estate.cluster_params(DEFINITION.spec, "fresh", **values))
    arm = Meddled(
        estate.session(),
        AZURE_SUBSCRIPTION,
        poll_interval=wish.poll_interval,
        wait_timeout=wish.wait_timeout,
        sleep=among.sleep,
        monotonic=among.monotonic,
    )
    arm.meddle = meddle
    with arm:
        resource = AksOidcIssuer(wish, arm, HttpClient(estate.transport), among)
        return among.converge(resource, Pace(wish.poll_interval, arm.seconds_left))


# Waiting for others


def test_a_busy_cluster_is_waited_for_read_again_and_then_changed(estate: AzureEstate) -> None:
    keep_busy(estate, 0.4)
    done = run(estate, **BOTH)
    assert puts(estate) == [200]
    assert done.facts["oidc_issuer_enabled"] is True
    assert estate.cluster_body("fresh")["tags"] == {"by": "another"}


def test_an_operation_that_does_what_was_wished_for_leaves_nothing_to_do(estate: AzureEstate) -> None:
    estate.sandbox.world.settings.aks_operation_seconds = 0.4
    started = run(estate, wait=False, **BOTH)
    assert (started.facts["provisioning_state"], started.facts["issuer"]) == ("Updating", KNOWN_AFTER_APPLY)
    resumed = run(estate, **BOTH)
    assert resumed.changes == ()
    assert resumed.facts["provisioning_state"] == "Succeeded"
    assert resumed.facts["issuer"] == estate.sandbox.cluster("fresh").issuer_url
    assert puts(estate) == [200]


def test_without_waiting_the_run_says_what_to_poll(estate: AzureEstate) -> None:
    estate.sandbox.world.settings.aks_operation_seconds = 30.0
    started = run(estate, wait=False, **BOTH)
    assert "/locations/eastus/operations/" in str(started.facts["operation_url"])
    assert len(started.changes) == 1
    again = run(estate, wait=False, **BOTH)
    assert again.changes == ()
    assert again.facts["operation_url"] is None


def test_without_waiting_a_busy_cluster_is_one_sentence(estate: AzureEstate) -> None:
    keep_busy(estate, 30.0)
    with pytest.raises(errors.NotReady, match="being changed by another operation"):
        run(estate, wait=False, **BOTH)
    assert puts(estate) == []


def test_the_budget_in_minutes_bounds_the_wait_for_others(estate: AzureEstate) -> None:
    estate.cluster_body("fresh")["properties"]["provisioningState"] = "Upgrading"
    clock = FastClock()
    with pytest.raises(errors.NotReady, match=r"still being changed by another operation .* after 3 minutes"):
        run(estate, among=context(clock=clock), wait_timeout=3, poll_interval=20.0, **BOTH)
    assert 160.0 <= clock.slept <= 180.0
    assert puts(estate) == []


def test_check_mode_waits_for_nobody(estate: AzureEstate) -> None:
    estate.cluster_body("fresh")["properties"]["provisioningState"] = "Upgrading"
    clock = FastClock()
    predicted = run(estate, among=context(check_mode=True, clock=clock), **BOTH)
    assert len(predicted.changes) == 1
    assert "a real run waits for its end" in predicted.warnings[0]
    assert clock.slept == 0.0


def test_a_read_waits_for_nobody(estate: AzureEstate) -> None:
    estate.cluster_body("finished")["properties"]["provisioningState"] = "Upgrading"
    clock = FastClock()
    assert run(estate, "finished", among=context(clock=clock)).facts["provisioning_state"] == "Upgrading"
    assert clock.slept == 0.0


# Lost races


@pytest.mark.parametrize("etags", [True, False])
def test_a_change_between_read_and_write_survives(estate: AzureEstate, etags: bool) -> None:
    estate.sandbox.world.settings.aks_etags = etags
    done = run_meddled(estate, lambda: change_tags(estate, owner="somebody else"))
    assert estate.cluster_body("fresh")["tags"] == {"owner": "somebody else"}
    assert done.state.cluster.workload_identity_enabled is True
    assert len(done.changes) == 1
    # With ETags the service refuses the outdated write; without, the outdated write is never sent.
    assert puts(estate) == ([412, 200] if etags else [200])


@pytest.mark.parametrize("etags", [True, False])
@pytest.mark.parametrize("code", ["OperationNotAllowed", "EtagMismatch"])
def test_an_operation_that_begins_between_read_and_write_is_waited_for(
    estate: AzureEstate, etags: bool, code: t.Literal["OperationNotAllowed", "EtagMismatch"]
) -> None:
    settings = estate.sandbox.world.settings
    settings.aks_etags, settings.aks_busy_code, settings.aks_etag_conflict_status = etags, code, 409
    done = run_meddled(estate, lambda: keep_busy(estate, 0.4))
    assert len(done.changes) == 1
    assert estate.cluster_body("fresh")["tags"] == {"by": "another"}
    assert puts(estate)[-1] == 200


def test_many_lost_races_are_bounded_by_time_and_not_by_their_number(
    estate: AzureEstate, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = 0

    def refuse(self: ArmClient, ref: ClusterRef, cluster: Cluster, flags: Flags, *, wait: bool = True) -> Cluster:
        nonlocal lost
        lost += 1
        if lost > 15:
            monkeypatch.undo()
            return self.set_flags(ref, cluster, flags, wait=wait)
        raise errors.Conflict(service="ARM", action="changing", code="EtagMismatch")

    monkeypatch.setattr(ArmClient, "set_flags", refuse)
    assert len(run(estate, **BOTH).changes) == 1


def test_a_race_that_never_ends_is_reported_when_the_minutes_are_over(
    estate: AzureEstate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: t.Any, **_options: t.Any) -> t.NoReturn:
        raise errors.Conflict(service="ARM", action="changing", code="EtagMismatch")

    monkeypatch.setattr(ArmClient, "set_flags", refuse)
    clock = FastClock()
    with pytest.raises(ApplyFailed) as caught:
        run(estate, among=context(clock=clock), wait_timeout=2, poll_interval=15.0, **BOTH)
    assert 100.0 <= clock.slept <= 120.0
    assert "EtagMismatch" in str(failure_values(caught.value)["msg"])


@pytest.mark.parametrize("code", ["OperationPreempted", "OriginalEtagNotExpect"])
def test_an_operation_that_was_preempted_is_planned_again(estate: AzureEstate, code: str) -> None:
    estate.sandbox.world.settings.aks_operation_error = code
    done = run(estate, **BOTH)
    assert puts(estate) == [200, 200]
    assert len(done.changes) == 1
    assert done.facts["oidc_issuer_enabled"] is True


def test_an_operation_that_failed_is_reported_and_the_next_run_refuses_to_pile_up(estate: AzureEstate) -> None:
    estate.sandbox.world.settings.aks_operation_error = "QuotaExceeded"
    with pytest.raises(ApplyFailed) as caught:
        run(estate, **BOTH)
    assert "QuotaExceeded" in str(failure_values(caught.value)["msg"])
    with pytest.raises(errors.NotReady, match="provisioning state Failed"):
        run(estate, **BOTH)


# Started by one run, waited for by another


def started(estate: AzureEstate, **values: t.Any) -> str:
    """Where the operation can be followed that a run has started."""
    done = run(estate, wait_for_own=False, **BOTH, **values)
    assert done.facts["issuer"] == KNOWN_AFTER_APPLY
    assert len(done.changes) == 1
    return str(done.facts["operation_url"])


def test_an_operation_is_started_by_one_run_and_waited_for_by_another(estate: AzureEstate) -> None:
    done = run(estate, operation_url=started(estate), **BOTH)
    assert puts(estate) == [200]
    assert done.changes == ()
    assert done.facts["issuer"] == estate.sandbox.cluster("fresh").issuer_url
    assert done.facts["operation_url"] is None


def test_the_failure_of_an_operation_is_that_of_the_run_that_waits_for_it(estate: AzureEstate) -> None:
    estate.sandbox.world.settings.aks_operation_error = "QuotaExceeded"
    with pytest.raises(errors.CloudError) as caught:
        run(estate, operation_url=started(estate), **BOTH)
    assert caught.value.code == "QuotaExceeded"
    assert puts(estate) == [200]


@pytest.mark.parametrize("code", ["OperationPreempted", "OriginalEtagNotExpect"])
def test_the_run_that_waits_plans_again_what_was_preempted(estate: AzureEstate, code: str) -> None:
    estate.sandbox.world.settings.aks_operation_error = code
    done = run(estate, operation_url=started(estate), **BOTH)
    assert puts(estate) == [200, 200]
    assert len(done.changes) == 1
    assert done.facts["oidc_issuer_enabled"] is True


def test_an_operation_that_the_service_forgot_has_ended(estate: AzureEstate) -> None:
    url = started(estate)
    before, _mark, query = url.rpartition("?")
    done = run(estate, operation_url=f"{before.rpartition('/')[0]}/{uuid.uuid4()}?{query}", **BOTH)
    assert done.facts["issuer"] == estate.sandbox.cluster("fresh").issuer_url
    assert puts(estate) == [200]


def test_the_waiting_for_an_operation_ends_with_the_minutes(estate: AzureEstate) -> None:
    estate.sandbox.world.settings.aks_operation_seconds = 3600.0
    url = started(estate)
    with pytest.raises(errors.NotReady, match="is not finished after 1 minutes"):
        run(estate, among=context(clock=FastClock()), operation_url=url, wait_timeout=1, **BOTH)


def test_in_check_mode_an_operation_is_not_looked_at(estate: AzureEstate) -> None:
    estate.sandbox.world.settings.aks_operation_seconds = 3600.0
    url = started(estate)
    run(estate, among=context(check_mode=True), operation_url=url, **BOTH)


@pytest.mark.parametrize("url", ["https://evil.example/operations/1", "http://management.azure.com/x", "operations/1"])
def test_the_token_is_sent_to_no_other_host(estate: AzureEstate, url: str) -> None:
    with pytest.raises(errors.InvalidInput, match="operation_url"):
        run(estate, operation_url=url, **BOTH)
    assert estate.requests("arm") == []


def test_what_is_not_waited_for_has_no_url(estate: AzureEstate) -> None:
    with pytest.raises(errors.InvalidInput, match="wait=false"):
        run(estate, operation_url="https://management.azure.com/x", wait=False, **BOTH)


# Several at once


def choose_etags(estate: AzureEstate, etags: bool) -> None:
    """Without ETags, an operation that fits between the last look and the write can't be seen: let them take longer."""
    estate.sandbox.world.settings.aks_etags = etags
    estate.sandbox.world.settings.aks_operation_seconds = 0.05 if etags else 0.8


@pytest.mark.parametrize("etags", [True, False])
def test_two_runs_at_once_lose_no_update(estate: AzureEstate, etags: bool) -> None:
    choose_etags(estate, etags)
    start = threading.Barrier(2)

    def one(values: dict[str, t.Any]) -> Result:
        start.wait(timeout=30)
        return run(estate, **values)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        issuer, both = pool.map(one, [{"oidc_issuer": True}, BOTH])
    properties = estate.cluster_body("fresh")["properties"]
    assert properties["oidcIssuerProfile"]["enabled"] is True
    assert properties["securityProfile"]["workloadIdentity"] == {"enabled": True}
    assert issuer.facts["issuer"] == both.facts["issuer"] == estate.sandbox.cluster("fresh").issuer_url
    assert 1 <= len(issuer.changes) + len(both.changes) <= 2


@pytest.mark.parametrize("etags", [True, False])
def test_a_writer_that_never_rests_loses_no_update(estate: AzureEstate, etags: bool) -> None:
    choose_etags(estate, etags)

    def write() -> None:
        for number in range(4):
            while True:
                try:
                    change_tags(estate, count=str(number))
                except Exception:  # noqa: S112 - the cluster is busy with the module's change
                    continue
                break

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        writer = pool.submit(write)
        enabled = run(estate, **BOTH)
        disabled = run(estate, workload_identity=False)
        writer.result(timeout=60)
    body = estate.cluster_body("fresh")
    assert body["tags"] == {"count": "3"}
    assert body["properties"]["oidcIssuerProfile"]["enabled"] is True
    assert body["properties"]["securityProfile"]["workloadIdentity"] == {"enabled": False}
    assert (len(enabled.changes), len(disabled.changes)) == (1, 1)


# Answers that never came


@dataclasses.dataclass
class Dropped:
    """Makes the first writes of a client end without an answer, after or before they were carried out."""

    carried_out: list[bool]

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        write = ArmClient.set_flags

        def set_flags(arm: ArmClient, ref: ClusterRef, cluster: Cluster, flags: Flags, *, wait: bool = True) -> Cluster:
            if not self.carried_out:
                return write(arm, ref, cluster, flags, wait=wait)
            if self.carried_out.pop(0):
                write(arm, ref, cluster, flags, wait=False)
            raise errors.Interrupted(service="ARM", action="changing", detail="the connection was lost")

        monkeypatch.setattr(ArmClient, "set_flags", set_flags)


@pytest.mark.parametrize("carried_out", [[True], [False], [False, True], [False, False]])
def test_a_write_without_an_answer_is_found_or_repeated_and_reported_once(
    estate: AzureEstate, monkeypatch: pytest.MonkeyPatch, carried_out: list[bool]
) -> None:
    Dropped(list(carried_out)).install(monkeypatch)
    done = run(estate, **BOTH)
    assert len(done.changes) == 1
    assert puts(estate) == [200]
    assert done.facts["issuer"] == estate.sandbox.cluster("fresh").issuer_url
