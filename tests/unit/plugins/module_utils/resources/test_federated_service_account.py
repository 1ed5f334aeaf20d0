# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.federation import KNOWN_AFTER_APPLY, ServiceAccount
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.options import Params
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.ownership import MARK
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.resources import federated_service_account as resource
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.resources.federated_service_account import (
    Account,
    Current,
    Wish,
    plan_service_account,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.runner import Context
from sandbox.testing import running_sandbox

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.crosscloud.aks_amp.plugins.module_utils.runner import Result
    from sandbox.server import Sandbox

USE = "azure.workload.identity/use"
CLIENT_ID = "azure.workload.identity/client-id"
WISH = Wish(ServiceAccount("monitoring", "prometheus-sa"), client_id="an-id")
maps = st.dictionaries(st.sampled_from(["a", "b/c", USE, CLIENT_ID]), st.sampled_from(["", "true", "x"]))


@given(labels=maps, annotations=maps, label=st.booleans(), client_id=st.none() | st.just("an-id"))
def test_an_existing_account_keeps_all_metadata_of_others_and_is_not_marked(
    labels: dict[str, str], annotations: dict[str, str], label: bool, client_id: str | None
) -> None:
    wish = dataclasses.replace(WISH, workload_identity_label=label, client_id=client_id)
    current = Current(namespace_exists=True, account=Account(labels, annotations, "uid", "1"))
    plan = plan_service_account(current, wish)
    after = plan.predicted.account
    assert after is not None
    assert after.labels == {**labels, **({USE: "true"} if label else {})}
    assert after.annotations == {**annotations, **({CLIENT_ID: client_id} if client_id else {})}
    assert bool(plan.changes) == (after != current.account)
    assert plan_service_account(plan.predicted, wish).changes == ()


def test_on_an_empty_cluster_both_objects_are_planned() -> None:
    plan = plan_service_account(Current(namespace_exists=False, account=None), WISH)
    assert [(change.action.value, change.kind) for change in plan.changes] == [
        ("create", "Namespace"),
        ("create", "ServiceAccount"),
    ]
    assert plan.predicted.account == Account({**MARK, USE: "true"}, {CLIENT_ID: "an-id"})


def test_another_client_id_is_replaced_and_the_summary_says_from_what() -> None:
    current = Current(namespace_exists=True, account=Account({USE: "true"}, {CLIENT_ID: "old"}, "uid", "1"))
    (change,) = plan_service_account(current, WISH).changes
    assert "from old to an-id" in change.summary


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.reset()
    return running


def run(sandbox: Sandbox, *, check_mode: bool = False, **options: t.Any) -> Result:
    values = {
        **dict.fromkeys(resource.ARGUMENT_SPEC.options),
        "kubeconfig": str(sandbox.kubeconfig),
        "context": "fresh",
        "namespace": "monitoring",
        "name": "prometheus-sa",
        "create_namespace": True,
        "workload_identity_label": True,
        **options,
    }
    return resource.DEFINITION.run(Params(values), Context(check_mode=check_mode, sleep=lambda _: None))


def test_check_mode_predicts_and_writes_nothing_even_without_a_namespace(sandbox: Sandbox) -> None:
    checked = run(sandbox, check_mode=True, namespace="tenant", client_id=KNOWN_AFTER_APPLY)
    assert len(checked.changes) == 2
    assert not any(request.write for request in sandbox.world.log.since())
    applied = run(sandbox, namespace="tenant", client_id="an-id")
    assert [change.report() for change in applied.changes] == [change.report() for change in checked.changes]
    stored = sandbox.api_server("fresh").get("ServiceAccount", "tenant", "prometheus-sa")
    assert stored is not None
    assert stored["metadata"]["labels"] == {**MARK, USE: "true"}
    assert stored["metadata"]["annotations"] == {CLIENT_ID: "an-id"}
    assert run(sandbox, namespace="tenant", client_id="an-id").changes == ()


def test_a_converged_account_costs_one_read(sandbox: Sandbox) -> None:
    run(sandbox)
    before = len(sandbox.world.log.since())
    assert run(sandbox).changes == ()
    (request,) = sandbox.world.log.since()[before:]
    assert request.operation == "get serviceaccounts"


def test_what_others_wrote_survives(sandbox: Sandbox) -> None:
    sandbox.api_server("fresh").seed(
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {
                "name": "prometheus-sa",
                "namespace": "monitoring",
                "labels": {"team": "metrics"},
                "annotations": {"note": "keep"},
            },
            "imagePullSecrets": [{"name": "registry"}],
        }
    )
    run(sandbox, client_id="an-id")
    stored = sandbox.api_server("fresh").get("ServiceAccount", "monitoring", "prometheus-sa")
    assert stored is not None
    assert stored["metadata"]["labels"] == {"team": "metrics", USE: "true"}
    assert stored["metadata"]["annotations"] == {"note": "keep", CLIENT_ID: "an-id"}
    assert stored["imagePullSecrets"] == [{"name": "registry"}]


def test_what_can_not_be_is_refused_before_any_write(sandbox: Sandbox) -> None:
    with pytest.raises(errors.InvalidInput, match="known after apply"):
        run(sandbox, client_id=KNOWN_AFTER_APPLY)
    with pytest.raises(errors.NotFound, match="no namespace nowhere"):
        run(sandbox, namespace="nowhere", create_namespace=False)
    assert not any(request.write for request in sandbox.world.log.since())
