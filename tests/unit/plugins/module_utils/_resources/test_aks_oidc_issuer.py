# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The decision about an AKS cluster's two flags, without any cluster."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.aks_ids import ClusterRef, ClusterScope
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.arm import Cluster, Flags
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.oidc_discovery import Discovery
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.signing_keys import KeySet
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import KNOWN_AFTER_APPLY, Issuer
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import Params, State
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.aks_oidc_issuer import ARGUMENT_SPEC, facts
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.aks_oidc_issuer_plan import (
    Current,
    RotateKeys,
    TagSearch,
    Wish,
    plan,
)

REF = ClusterRef("s", "rg", "one")
ISSUER = "https://westeurope.oic.prod-aks.azure.com/72f988bf-86f1-41af-91ab-2d7cd011db47/d85c7db7/"


def current(
    *, issuer: bool = False, workload_identity: bool = False, keys: KeySet | None = None, **changes: t.Any
) -> Current:
    cluster = Cluster(
        id="/subscriptions/s/resourcegroups/rg/providers/Microsoft.ContainerService/managedClusters/one",
        location="westeurope",
        tenant_id="72f988bf-86f1-41af-91ab-2d7cd011db47",
        provisioning_state="Succeeded",
        power_state="Running",
        etag="e1",
        issuer_enabled=issuer,
        issuer_url=ISSUER if issuer else "",
        workload_identity_enabled=workload_identity,
    )
    discovery = Discovery(Issuer.parse(ISSUER), f"{ISSUER}openid/v1/jwks") if issuer else None
    return Current(REF, dataclasses.replace(cluster, **changes), discovery, keys)


def wish(oidc_issuer: bool | None = None, workload_identity: bool | None = None, **options: t.Any) -> Wish:
    return Wish(REF, oidc_issuer, workload_identity, **options)


def params(**values: t.Any) -> Params:
    given_values = {"subscription_id": "s", "resource_group": "rg", "name": "one", **values}
    return Params(
        {name: given_values.get(name, option.get("default")) for name, option in ARGUMENT_SPEC.options.items()}
    )


def test_enabling_both_is_one_change_that_warns_of_its_consequences() -> None:
    made = plan(current(), wish(True, True))
    (change,) = made.changes
    assert change.operation == Flags(oidc_issuer=True, workload_identity=True)
    assert change.summary == (
        "Enable the OIDC issuer and enable workload identity; an issuer can't be switched off again, enabling it "
        "restarts the API server briefly and changes the issuer (iss) of service-account tokens."
    )
    assert change.diff() == {
        "before_header": "AKS cluster one",
        "after_header": "AKS cluster one",
        "before": {"oidc_issuer_enabled": False, "issuer": None, "workload_identity_enabled": False},
        "after": {"oidc_issuer_enabled": True, "issuer": KNOWN_AFTER_APPLY, "workload_identity_enabled": True},
    }
    assert facts(made.predicted)["issuer"] == KNOWN_AFTER_APPLY
    assert facts(made.predicted)["jwks_uri"] == KNOWN_AFTER_APPLY


def test_only_what_differs_is_written() -> None:
    (change,) = plan(current(issuer=True), wish(True, True)).changes
    assert change.operation == Flags(oidc_issuer=None, workload_identity=True)
    assert change.summary == "Enable workload identity."
    assert t.cast("dict[str, object]", change.after)["issuer"] == ISSUER


def test_workload_identity_can_be_switched_off() -> None:
    (change,) = plan(current(issuer=True, workload_identity=True), wish(None, False)).changes
    assert change.operation == Flags(oidc_issuer=None, workload_identity=False)
    assert change.summary == "Disable workload identity."


def test_without_wishes_the_cluster_is_only_read() -> None:
    made = plan(current(), wish())
    assert made.changes == ()
    assert facts(made.predicted)["issuer"] is None


def test_workload_identity_without_issuer_is_refused() -> None:
    with pytest.raises(errors.Refused, match="needs the OIDC issuer, which is off on AKS cluster one"):
        plan(current(), wish(None, True))


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ({"power_state": "Stopped"}, "is stopped"),
        ({"provisioning_state": "Failed"}, "last operation did not succeed"),
        ({"provisioning_state": "Canceled"}, "last operation did not succeed"),
    ],
)
def test_a_cluster_in_no_state_to_be_changed_is_refused_only_when_it_needs_a_change(
    state: dict[str, t.Any], sentence: str
) -> None:
    with pytest.raises(errors.NotReady, match=sentence):
        plan(current(**state), wish(True))
    assert plan(current(issuer=True, **state), wish(True)).changes == ()


@given(*[st.booleans()] * 2, *[st.sampled_from([None, True, False])] * 2)
def test_the_prediction_is_the_wish_and_needs_no_further_change(
    issuer: bool, workload_identity: bool, want_issuer: bool | None, want_workload_identity: bool | None
) -> None:
    assume(want_issuer is not False)
    assume(issuer or not workload_identity)
    wanted = wish(want_issuer, want_workload_identity)
    try:
        made = plan(current(issuer=issuer, workload_identity=workload_identity), wanted)
    except errors.Refused:
        assert want_workload_identity
        assert not issuer
        assert not want_issuer
        return
    after = made.predicted.cluster
    assert after.issuer_enabled is (issuer or bool(want_issuer))
    expected = workload_identity if want_workload_identity is None else want_workload_identity
    assert after.workload_identity_enabled is expected
    assert bool(made.changes) is ((after.issuer_enabled, expected) != (issuer, workload_identity))
    assert plan(made.predicted, wanted).changes == ()


def test_an_issuer_that_is_on_is_never_switched_off() -> None:
    with pytest.raises(errors.Refused, match="resource group rg is on and can never be switched off again") as caught:
        plan(current(issuer=True), wish(False))
    assert "Leave the option out" in caught.value.fix
    assert plan(current(), wish(False)).changes == ()


# Busy clusters


@pytest.mark.parametrize("state", ["Updating", "Upgrading", "Scaling", ""])
def test_a_busy_cluster_is_waited_for_in_a_real_run_and_predicted_with_a_warning_in_check_mode(state: str) -> None:
    made = plan(current(provisioning_state=state), wish(True))
    assert [change.operation for change in made.changes] == [Flags(oidc_issuer=True)]
    (warning,) = made.warnings
    assert f"provisioning state {state or 'unknown'}): a real run waits for its end" in warning


def test_without_waiting_a_busy_cluster_that_needs_a_change_is_one_sentence() -> None:
    busy = current(provisioning_state="Updating")
    with pytest.raises(errors.NotReady, match=r"provisioning state Updating\), and wait is false") as caught:
        plan(busy, wish(True, wait=False))
    assert "set wait to true" in caught.value.fix
    assert plan(busy, wish(wait=False)).changes == ()


def test_without_waiting_the_end_is_not_predicted() -> None:
    made = facts(plan(current(), wish(True, wait=False)).predicted)
    assert made["provisioning_state"] == made["operation_url"] == KNOWN_AFTER_APPLY
    made = facts(plan(current(), wish(True)).predicted)
    assert (made["provisioning_state"], made["operation_url"]) == ("Succeeded", None)


def test_a_failed_cluster_that_needs_no_change_is_returned_with_a_warning() -> None:
    made = plan(current(issuer=True, provisioning_state="Failed"), wish(True))
    assert made.changes == ()
    assert "needs no change, but its last operation did not succeed (provisioning state Failed)" in made.warnings[0]


# Absent


def test_absent_explains_instead_of_trying() -> None:
    made = plan(current(issuer=True, workload_identity=True), wish(state=State.ABSENT))
    assert made.changes == ()
    (warning,) = made.warnings
    assert warning == (
        "The OIDC issuer of AKS cluster one in resource group rg stays on: AKS can't switch an issuer off again. "
        "Workload identity stays on too; workload_identity: false with state present disables it."
    )
    assert facts(made.predicted)["issuer"] == ISSUER


def test_absent_says_nothing_where_nothing_stays() -> None:
    made = plan(current(provisioning_state="Failed"), wish(state=State.ABSENT))
    assert (made.changes, made.warnings) == ((), ())


@pytest.mark.parametrize("values", [{"oidc_issuer": True}, {"workload_identity": False}, {"rotate_signing_keys": True}])
def test_absent_can_not_ask_for_anything_else(values: dict[str, t.Any]) -> None:
    with pytest.raises(errors.InvalidInput, match=r"With state absent, .* can't be asked for"):
        Wish.from_params(params(state="absent", **values))


# Signing keys

ONE = KeySet(("k1",), ("k1",))
TWO = KeySet(("k1", "k2"), ("k1", "k2"))


def test_a_rotation_is_one_change_and_its_prediction_has_a_key_more() -> None:
    made = plan(current(issuer=True, keys=ONE), wish(rotate_signing_keys=True))
    (change,) = made.changes
    assert change.operation == RotateKeys(drops_oldest=False)
    assert "the old key stays listed for 24 hours" in change.summary
    assert (change.before, change.after) == ({"signing_keys": ["k1"]}, {"signing_keys": ["k1", KNOWN_AFTER_APPLY]})
    assert facts(made.predicted)["signing_keys"] == [
        {"kid": "k1", "state": "old"},
        {"kid": KNOWN_AFTER_APPLY, "state": "new"},
    ]


def test_a_rotation_comes_after_the_switches() -> None:
    made = plan(current(issuer=True, keys=ONE), wish(None, True, rotate_signing_keys=True))
    assert [change.operation for change in made.changes] == [Flags(workload_identity=True), RotateKeys()]


def test_a_second_rotation_would_drop_a_key_and_is_refused_unless_forced() -> None:
    with pytest.raises(errors.Refused, match=r"lists 2 signing keys \(k1, k2\)") as caught:
        plan(current(issuer=True, keys=TWO), wish(rotate_signing_keys=True))
    assert "force_rotation" in caught.value.fix
    (change,) = plan(current(issuer=True, keys=TWO), wish(rotate_signing_keys=True, force_rotation=True)).changes
    assert change.operation == RotateKeys(drops_oldest=True)
    assert "the oldest is dropped" in change.summary


def test_without_issuer_there_is_nothing_to_rotate() -> None:
    with pytest.raises(errors.Refused, match=r"can't be rotated: the OIDC issuer of AKS cluster one .* is off"):
        plan(current(), wish(True, rotate_signing_keys=True))


def test_a_key_that_came_in_this_run_is_enough() -> None:
    made = plan(current(issuer=True, keys=KeySet(("k1",), ("k1", "k2"))), wish(rotate_signing_keys=True))
    assert made.changes == ()
    assert facts(made.predicted)["signing_keys"] == [{"kid": "k1", "state": "old"}, {"kid": "k2", "state": "new"}]


def test_two_operations_need_waiting() -> None:
    with pytest.raises(errors.Refused, match="needs two operations"):
        plan(current(issuer=True, keys=ONE), wish(None, True, rotate_signing_keys=True, wait=False))


def test_a_stopped_cluster_rotates_nothing() -> None:
    with pytest.raises(errors.NotReady, match="is stopped"):
        plan(current(issuer=True, keys=ONE, power_state="Stopped"), wish(rotate_signing_keys=True))


def test_force_alone_makes_no_sense() -> None:
    with pytest.raises(errors.InvalidInput, match="force_rotation is given without rotate_signing_keys"):
        Wish.from_params(params(force_rotation=True))


# Which cluster

RESOURCE_ID = "/subscriptions/s2/resourcegroups/RG2/providers/microsoft.containerservice/ManagedClusters/two"


def where(**values: t.Any) -> t.Any:
    nothing = {"subscription_id": None, "resource_group": None, "name": None}
    return Wish.from_params(params(**{**nothing, **values})).where


def test_a_cluster_is_named_by_place_id_or_tags() -> None:
    assert where(subscription_id="s", resource_group="rg", name="one") == REF
    assert where(resource_id=RESOURCE_ID) == ClusterRef("s2", "RG2", "two")
    assert where(subscription_id="s", resource_id=RESOURCE_ID) == ClusterRef("s2", "RG2", "two")
    assert where(subscription_id="s", tags={"a": "b"}) == TagSearch(ClusterScope("s"), {"a": "b"})
    assert where(subscription_id="s", resource_group="rg", tags={"a": 1}) == TagSearch(
        ClusterScope("s", "rg"), {"a": "1"}
    )


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"resource_group": "rg", "name": "one"}, "subscription is not given"),
        ({"tags": {"a": "b"}}, "subscription is not given"),
        ({"subscription_id": "s", "name": "one"}, "'resource_group' is empty"),
        ({"subscription_id": "s", "resource_group": "rg", "name": ""}, "'name' is empty"),
        ({"subscription_id": "s", "resource_group": "rg", "tags": {}}, "'name' is empty"),
        ({"resource_id": "two"}, "resource_id is 'two', which is not the resource ID of an AKS cluster"),
    ],
)
def test_a_place_that_is_none_is_one_sentence(values: dict[str, t.Any], sentence: str) -> None:
    with pytest.raises(errors.InvalidInput, match=sentence):
        where(**values)


@pytest.mark.parametrize("values", [{"poll_interval": 0.0}, {"wait_timeout": 0}, {"wait_timeout": -1}])
def test_times_must_be_positive(values: dict[str, t.Any]) -> None:
    with pytest.raises(errors.InvalidInput, match="greater than zero"):
        Wish.from_params(params(**values))


def test_times_are_seconds_after_parsing() -> None:
    parsed = Wish.from_params(params(poll_interval=2.5, wait_timeout=3))
    assert (parsed.poll_interval, parsed.wait_timeout) == (2.5, 180.0)
