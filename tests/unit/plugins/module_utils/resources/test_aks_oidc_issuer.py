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

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.clients.arm import Cluster, ClusterRef, Flags
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.clients.oidc_discovery import Discovery
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.federation import KNOWN_AFTER_APPLY, Issuer
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.options import Params
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.resources.aks_oidc_issuer import (
    ARGUMENT_SPEC,
    Current,
    Wish,
    facts,
    plan,
)

ISSUER = "https://westeurope.oic.prod-aks.azure.com/72f988bf-86f1-41af-91ab-2d7cd011db47/d85c7db7/"


def current(*, issuer: bool = False, workload_identity: bool = False, **changes: t.Any) -> Current:
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
    return Current(dataclasses.replace(cluster, **changes), discovery)


def wish(oidc_issuer: bool | None = None, workload_identity: bool | None = None) -> Wish:
    return Wish(ClusterRef("s", "rg", "one"), oidc_issuer, workload_identity, 10.0, 60.0)


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
        "restarts the API server briefly and changes the issuer of service-account tokens."
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
        ({"provisioning_state": "Updating"}, "being changed by another operation .provisioning state Updating."),
        ({"provisioning_state": ""}, "provisioning state unknown"),
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


def test_an_issuer_is_never_switched_off() -> None:
    with pytest.raises(errors.InvalidInput, match="can never be switched off again"):
        Wish.from_params(params(oidc_issuer=False))


@pytest.mark.parametrize("values", [{"poll_interval": 0.0}, {"wait_timeout": 0}, {"wait_timeout": -1}])
def test_times_must_be_positive(values: dict[str, t.Any]) -> None:
    with pytest.raises(errors.InvalidInput, match="greater than zero"):
        Wish.from_params(params(**values))


def test_times_are_seconds_after_parsing() -> None:
    parsed = Wish.from_params(params(poll_interval=2.5, wait_timeout=3))
    assert (parsed.poll_interval, parsed.wait_timeout) == (2.5, 180.0)
