# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import typing as t

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube import KubeClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import KNOWN_AFTER_APPLY, ServiceAccount
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import ObjectKind
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_record import RECORD_ANNOTATION
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import KubeAuth, Params, State
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._ownership import MARK
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import ApplyFailed, LastChange, Told
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import federated_service_account as resource
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.federated_service_account import (
    Account,
    Current,
    ServiceAccountResource,
    Wish,
    plan_absence,
    plan_service_account,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.service_account_removal import (
    occupants_of,
    users_of,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Context, failure_values
from sandbox import manifests
from sandbox.faults import Fault, Kind
from sandbox.kubernetes.access import Rule
from sandbox.kubernetes.monitoring import definitions
from sandbox.testing import running_sandbox

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Result
    from sandbox.server import Sandbox

USE = "azure.workload.identity/use"
CLIENT_ID = "azure.workload.identity/client-id"
WISH = Wish(ServiceAccount("monitoring", "prometheus-sa"), client_id="an-id")
WORKLOAD = "Deployment monitoring/prometheus"
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
    assert without_record(after) == {**annotations, **({CLIENT_ID: client_id} if client_id else {})}
    assert (RECORD_ANNOTATION in after.annotations) == bool(plan.changes)
    assert bool(plan.changes) == (after != current.account)
    assert plan_service_account(plan.predicted, wish).changes == ()


@given(labels=maps, annotations=maps, label=st.booleans(), client_id=st.none() | st.just("an-id"))
def test_absent_puts_back_what_an_existing_account_had(
    labels: dict[str, str], annotations: dict[str, str], label: bool, client_id: str | None
) -> None:
    before = Account(labels, annotations, "uid", "1")
    wish = dataclasses.replace(WISH, workload_identity_label=label, client_id=client_id)
    added = plan_service_account(Current(namespace_exists=True, account=before), wish).predicted
    again = plan_service_account(added, dataclasses.replace(wish, client_id="another-id")).predicted
    removed = plan_absence(again, wish)
    assert removed.predicted.account == before
    assert plan_absence(removed.predicted, wish).changes == ()


def test_what_others_changed_since_is_kept_and_said() -> None:
    before = Current(namespace_exists=True, account=Account({}, {}, "uid", "1"))
    account = plan_service_account(before, WISH).predicted.account
    assert account is not None
    changed = dataclasses.replace(account, labels={USE: "false"})
    plan = plan_absence(Current(namespace_exists=True, account=changed), WISH)
    assert plan.predicted.account == Account({USE: "false"}, {}, "uid", "1")
    assert any(f"The label {USE}" in warning and "changed since" in warning for warning in plan.warnings)


@pytest.mark.parametrize("broken", ["", "null", "[]", "{", '{"labels": 1, "annotations": {"a": 2}}'])
def test_a_record_that_is_none_undoes_nothing(broken: str) -> None:
    account = Account({USE: "true"}, {RECORD_ANNOTATION: broken}, "uid", "1")
    plan = plan_absence(Current(namespace_exists=True, account=account), WISH)
    assert plan.predicted.account == Account({USE: "true"}, {}, "uid", "1")


def without_record(account: Account) -> dict[str, str]:
    return {name: value for name, value in account.annotations.items() if name != RECORD_ANNOTATION}


def test_a_change_names_who_set_what_it_changes() -> None:
    fields = {"f:metadata": {"f:annotations": {f"f:{CLIENT_ID}": {}}}}
    entry = {"manager": "kubectl-annotate", "time": "2026-05-01T09:12:44Z", "fieldsV1": fields}
    metadata = {"uid": "u", "resourceVersion": "1", "labels": {USE: "true"}, "managedFields": [entry]}

    def last(annotations: dict[str, str]) -> LastChange | None:
        account = Account.from_object({"metadata": {**metadata, "annotations": annotations}})
        (change,) = plan_service_account(Current(namespace_exists=True, account=account), WISH).changes
        return change.last_changed_by

    assert last({CLIENT_ID: "another"}) == LastChange("kubectl-annotate", "2026-05-01T09:12:44Z", Told.FIELD)
    entry["fieldsV1"] = {"f:metadata": {"f:labels": {f"f:{USE}": {}}}}
    assert last({}) == LastChange("kubectl-annotate", "2026-05-01T09:12:44Z", Told.OBJECT)


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


def run(
    sandbox: Sandbox,
    *,
    check_mode: bool = False,
    sleep: t.Callable[[float], None] = lambda _: None,
    **options: t.Any,
) -> Result:
    values = {
        **dict.fromkeys(resource.ARGUMENT_SPEC.options),
        "kubeconfig": str(sandbox.kubeconfig),
        "context": "fresh",
        "namespace": "monitoring",
        "name": "prometheus-sa",
        "create_namespace": True,
        "workload_identity_label": True,
        "state": "present",
        **options,
    }
    return resource.DEFINITION.run(Params(values), Context(check_mode=check_mode, sleep=sleep))


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
    assert without_record(Account.from_object(stored)) == {"note": "keep", CLIENT_ID: "an-id"}
    assert stored["imagePullSecrets"] == [{"name": "registry"}]
    removed = run(sandbox, state="absent")
    restored = sandbox.api_server("fresh").get("ServiceAccount", "monitoring", "prometheus-sa")
    assert restored is not None
    assert restored["metadata"]["labels"] == {"team": "metrics"}
    assert restored["metadata"]["annotations"] == {"note": "keep"}
    assert removed.facts["kept"] == list(removed.warnings) != []
    assert run(sandbox, state="absent").changes == ()


def test_what_can_not_be_is_refused_before_any_write(sandbox: Sandbox) -> None:
    with pytest.raises(errors.InvalidInput, match="known after apply"):
        run(sandbox, client_id=KNOWN_AFTER_APPLY)
    with pytest.raises(errors.NotFound, match="no namespace nowhere"):
        run(sandbox, namespace="nowhere", create_namespace=False)
    assert not any(request.write for request in sandbox.world.log.since())


# --- a write in doubt -------------------------------------------------------------------------------------------------


def account_of_others(label: str) -> dict[str, t.Any]:
    metadata = {"name": "prometheus-sa", "namespace": "monitoring", "labels": {USE: label}}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


@pytest.mark.parametrize("label", ["false", "disabled"], ids=["as-it-was", "another"])
def test_an_update_that_was_not_stored_is_told_once_whatever_others_write_meanwhile(
    sandbox: Sandbox, label: str
) -> None:
    api_server = sandbox.api_server("fresh")
    api_server.seed(account_of_others("false"))
    sandbox.faults.add(Fault(Kind.ERROR, operation="patch serviceaccounts", status=504))

    def others_write(_seconds: float) -> None:
        api_server.seed(account_of_others(label))

    (change,) = run(sandbox, sleep=others_write).changes
    assert f"from {label} to true" in change.summary


@pytest.mark.parametrize("label", ["false", "disabled"], ids=["as-it-was", "another"])
def test_an_update_that_was_not_stored_and_is_refused_then_is_not_told_as_done(sandbox: Sandbox, label: str) -> None:
    api_server = sandbox.api_server("fresh")
    api_server.seed(account_of_others("false"))
    sandbox.faults.add(Fault(Kind.ERROR, operation="patch serviceaccounts", status=504))

    def others_write_and_take_the_right_away(_seconds: float) -> None:
        api_server.seed(account_of_others(label))
        api_server.set_controller_rules([Rule(verbs=("get",), resources=("serviceaccounts",))])

    with pytest.raises(ApplyFailed) as caught:
        run(sandbox, sleep=others_write_and_take_the_right_away)
    values = failure_values(caught.value)
    assert isinstance(caught.value.__cause__, errors.Forbidden)
    assert (values["changed"], values["changes"]) == (False, [])
    assert "It is not known whether the change was made." in str(values["msg"])


# --- absent -----------------------------------------------------------------------------------------------------------


def stored(sandbox: Sandbox, kind: str, name: str, namespace: str | None = "tenant") -> dict[str, t.Any] | None:
    return sandbox.api_server("fresh").get(kind, namespace, name)


def test_what_was_created_is_deleted_and_check_mode_predicts_it(sandbox: Sandbox) -> None:
    run(sandbox, namespace="tenant")
    checked = run(sandbox, check_mode=True, namespace="tenant", state="absent")
    assert stored(sandbox, "ServiceAccount", "prometheus-sa") is not None
    removed = run(sandbox, namespace="tenant", state="absent")
    assert [change.report() for change in removed.changes] == [change.report() for change in checked.changes]
    assert [(change.action.value, change.kind, change.after) for change in removed.changes] == [
        ("delete", "ServiceAccount", None),
        ("delete", "Namespace", None),
    ]
    assert removed.facts["uid"] is None
    assert stored(sandbox, "ServiceAccount", "prometheus-sa") is None
    assert stored(sandbox, "Namespace", "tenant", None) is None
    again = run(sandbox, namespace="tenant", state="absent")
    assert (again.changes, again.warnings) == ((), ())


def run_as_ours(sandbox: Sandbox, **metadata: t.Any) -> None:
    deployment = manifests.deployment()
    deployment["metadata"].update(metadata)
    deployment["spec"]["template"]["spec"]["serviceAccountName"] = "prometheus-sa"
    sandbox.api_server("fresh").seed(deployment)


def kubeconfig_of(sandbox: Sandbox, folder: Path, token: str) -> str:
    """A kubeconfig of somebody else."""
    config = yaml.safe_load(sandbox.kubeconfig.read_text(encoding="utf-8"))
    for user in config["users"]:
        user["user"] = {"token": token}
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return str(path)


def test_an_account_that_a_workload_uses_is_kept_until_the_workload_lets_go(sandbox: Sandbox) -> None:
    run(sandbox)
    run_as_ours(sandbox)
    kept = run(sandbox, state="absent")
    assert kept.changes == ()
    assert kept.warnings == (f"ServiceAccount monitoring/prometheus-sa is kept: it is used by {WORKLOAD}.",)
    # Only check mode may look ahead; a real run counts what is there.
    assert run(sandbox, state="absent", released_by=[WORKLOAD]).changes == ()
    assert len(run(sandbox, check_mode=True, state="absent", released_by=[WORKLOAD]).changes) == 1
    sandbox.api_server("fresh").seed(manifests.deployment())
    assert len(run(sandbox, state="absent").changes) == 1
    assert stored(sandbox, "Namespace", "monitoring", None) is not None


def test_what_the_operator_runs_for_a_released_resource_does_not_count(sandbox: Sandbox) -> None:
    run(sandbox)
    api_server = sandbox.api_server("fresh")
    for definition in definitions():
        api_server.seed(definition)
    resource = {"serviceAccountName": "prometheus-sa", "version": "v3.5.0", "replicas": 1}
    metadata = {"name": "k8s", "namespace": "monitoring"}
    api_server.seed(
        {"apiVersion": "monitoring.coreos.com/v1", "kind": "Prometheus", "metadata": metadata, "spec": resource}
    )
    kept = run(sandbox, check_mode=True, state="absent")
    assert "StatefulSet monitoring/prometheus-k8s" in kept.warnings[0]
    released = run(sandbox, check_mode=True, state="absent", released_by=["Prometheus monitoring/k8s"])
    assert [change.kind for change in released.changes] == ["ServiceAccount"]


def test_a_pod_of_nobody_counts(sandbox: Sandbox) -> None:
    run(sandbox)
    pod: dict[str, t.Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "probe", "namespace": "monitoring"},
        "spec": {"serviceAccountName": "prometheus-sa", "containers": [{"name": "c", "image": "i"}]},
    }
    sandbox.api_server("fresh").seed(pod)
    assert "Pod monitoring/probe" in run(sandbox, state="absent").warnings[0]


class Listing:
    """A cluster with these objects, which lists only."""

    def __init__(self, **objects: dict[str, t.Any]) -> None:
        self._objects = objects

    def list_in(self, kind: ObjectKind, namespace: str) -> list[dict[str, t.Any]]:
        found = self._objects.get(kind.name)
        return [] if found is None else [{"metadata": {"name": "x", "namespace": namespace}, **found}]


AS_OURS = {"spec": {"serviceAccountName": "prometheus-sa"}}
DONE = {"conditions": [{"type": "Complete", "status": "True"}]}


def owned(api_version: str, kind: str) -> dict[str, t.Any]:
    return {
        "metadata": {
            "name": "x",
            "namespace": "monitoring",
            "ownerReferences": [{"apiVersion": api_version, "kind": kind, "name": "d", "controller": True}],
        }
    }


@pytest.mark.parametrize(
    ("objects", "found"),
    [
        ({"Pod": AS_OURS}, ("Pod monitoring/x",)),
        ({"Pod": {"spec": {}}}, ()),
        ({"Pod": {**AS_OURS, "status": {"phase": "Succeeded"}}}, ()),
        ({"Job": {"spec": {"template": AS_OURS}}}, ("Job monitoring/x",)),
        ({"Job": {"spec": {"template": AS_OURS}, "status": DONE}}, ()),
        ({"CronJob": {"spec": {"jobTemplate": {"spec": {"template": AS_OURS}}}}}, ("CronJob monitoring/x",)),
        ({"StatefulSet": {"spec": {"template": AS_OURS}}}, ("StatefulSet monitoring/x",)),
        ({"ReplicaSet": {**owned("apps/v1", "Deployment"), "spec": {"template": AS_OURS}}}, ()),
        ({"Pod": {**owned("batch/v1", "Job"), **AS_OURS}}, ()),
        # Controllers of others have kinds of the same names, and these are not looked at.
        ({"Pod": {**owned("batch.volcano.sh/v1alpha1", "Job"), **AS_OURS}}, ("Pod monitoring/x",)),
        ({"Pod": {**owned("apps.kruise.io/v1beta1", "StatefulSet"), **AS_OURS}}, ("Pod monitoring/x",)),
    ],
)
def test_who_counts_as_a_user(objects: dict[str, t.Any], found: tuple[str, ...]) -> None:
    assert users_of(t.cast("KubeClient", Listing(**objects)), WISH.reference).found == found


def test_a_namespace_with_anything_of_others_is_kept(sandbox: Sandbox) -> None:
    run(sandbox, namespace="tenant")
    settings = {"name": "settings", "namespace": "tenant"}
    sandbox.api_server("fresh").seed({"apiVersion": "v1", "kind": "ConfigMap", "metadata": settings})
    removed = run(sandbox, namespace="tenant", state="absent")
    assert [change.kind for change in removed.changes] == ["ServiceAccount"]
    assert removed.warnings == ("Namespace tenant is kept: it holds ConfigMap tenant/settings.",)


def test_a_custom_resource_keeps_the_namespace_too(sandbox: Sandbox, tmp_path: Path) -> None:
    run(sandbox, namespace="tenant")
    api_server = sandbox.api_server("fresh")
    for definition in definitions():
        api_server.seed(definition)
    metadata = {"name": "k8s", "namespace": "tenant"}
    spec = {"version": "v3.5.0", "paused": True}
    api_server.seed(
        {"apiVersion": "monitoring.coreos.com/v1", "kind": "Prometheus", "metadata": metadata, "spec": spec}
    )
    removed = run(sandbox, namespace="tenant", state="absent")
    assert [change.kind for change in removed.changes] == ["ServiceAccount"]
    assert removed.warnings == ("Namespace tenant is kept: it holds Prometheus.monitoring.coreos.com tenant/k8s.",)
    # Who may list all that every cluster has, but not these, can't tell.
    groups = (
        *("", "apps", "batch", "networking.k8s.io", "rbac.authorization.k8s.io", "policy", "autoscaling"),
        *("resource.k8s.io", "snapshot.storage.k8s.io"),
    )
    api_server.grant("ordinary", [Rule(verbs=("get", "list", "delete"), resources=("*",), api_groups=groups)])
    limited = run(sandbox, namespace="tenant", state="absent", kubeconfig=kubeconfig_of(sandbox, tmp_path, "ordinary"))
    (warning,) = limited.warnings
    hidden = "prometheuses.monitoring.coreos.com, prometheusagents.monitoring.coreos.com"
    assert f"Namespace tenant is kept: whether others use it can't be told without listing {hidden}. " in warning
    assert "'list' on 'prometheuses' of the API group 'monitoring.coreos.com' in namespace 'tenant'" in warning
    assert stored(sandbox, "Namespace", "tenant", None) is not None


class Announcing(Listing):
    """One that says which kinds it has. ``lists`` are the paths of all that was listed."""

    def __init__(self, announced: t.Sequence[ObjectKind], **objects: dict[str, t.Any]) -> None:
        super().__init__(**objects)
        self._announced = announced
        self.lists: list[str] = []

    def kinds_in_namespaces(self) -> tuple[ObjectKind, ...]:
        return tuple(self._announced)

    def list_in(self, kind: ObjectKind, namespace: str) -> list[dict[str, t.Any]]:
        self.lists.append(f"{kind.api}/{kind.plural}")
        return super().list_in(kind, namespace)


def occupants(client: Announcing) -> tuple[str, ...]:
    return occupants_of(t.cast("KubeClient", client), "monitoring", besides=WISH.reference).found


RULE = ObjectKind("apis/monitoring.coreos.com/v1", "prometheusrules", "PrometheusRule.monitoring.coreos.com")


@pytest.mark.parametrize("name", ["NetworkPolicy", "ResourceQuota", "LimitRange", "PodDisruptionBudget", RULE.name])
def test_an_object_of_any_kind_is_an_occupant(name: str) -> None:
    assert occupants(Announcing([RULE], **{name: {}})) == (f"{name} monitoring/x",)


def test_what_the_cluster_keeps_of_other_objects_is_none() -> None:
    announced = [
        ObjectKind("api/v1", "events", "Event"),
        ObjectKind("api/v1", "endpoints", "Endpoints"),
        ObjectKind("apis/discovery.k8s.io/v1", "endpointslices", "EndpointSlice.discovery.k8s.io"),
        ObjectKind("apis/coordination.k8s.io/v1", "leases", "Lease.coordination.k8s.io"),
    ]
    client = Announcing(announced, **{kind.name: {} for kind in announced})
    assert occupants(client) == ()


def test_each_kind_is_listed_once_and_in_a_version_that_the_cluster_has() -> None:
    def kind(api: str, plural: str) -> ObjectKind:
        return ObjectKind(api, plural, plural)

    announced = [
        kind("apis/autoscaling/v2", "horizontalpodautoscalers"),
        kind("apis/autoscaling/v1", "horizontalpodautoscalers"),
        kind("apis/resource.k8s.io/v1beta1", "resourceclaims"),
        kind("apis/example.net/v2", "jobs"),
        kind("apis/example.net/v1", "jobs"),
    ]
    client = Announcing(announced)
    assert occupants(client) == ()
    assert len(client.lists) == len(set(client.lists))
    assert client.lists[-2:] == ["apis/resource.k8s.io/v1beta1/resourceclaims", "apis/example.net/v2/jobs"]
    assert "apis/autoscaling/v1/horizontalpodautoscalers" not in client.lists


def test_what_others_call_by_a_name_of_every_namespace_counts() -> None:
    other = ObjectKind("apis/example.net/v1", "serviceaccounts", "ServiceAccount.example.net")
    named = {"metadata": {"name": "default", "namespace": "monitoring"}, "type": "kubernetes.io/service-account-token"}
    assert occupants(Announcing([other], **{other.name: named})) == (f"{other.name} monitoring/default",)


def test_a_namespace_is_kept_when_a_part_of_the_kinds_can_not_be_read(sandbox: Sandbox) -> None:
    run(sandbox, namespace="tenant")
    sandbox.faults.add(Fault(Kind.ERROR, path="/apis/batch/v1", status=503, times=None))
    removed = run(sandbox, namespace="tenant", state="absent")
    assert [change.kind for change in removed.changes] == ["ServiceAccount"]
    (warning,) = removed.warnings
    assert warning.startswith("Namespace tenant is kept: whether others use it can't be told. ")
    assert "reading which kinds apis/batch/v1 has" in warning


def test_a_namespace_is_left_alone_when_it_was_not_to_be_created(sandbox: Sandbox) -> None:
    run(sandbox, namespace="tenant")
    removed = run(sandbox, namespace="tenant", state="absent", create_namespace=False)
    assert [change.kind for change in removed.changes] == ["ServiceAccount"]


def test_without_the_right_to_look_the_account_is_kept_and_the_right_named(sandbox: Sandbox, tmp_path: Path) -> None:
    run(sandbox)
    api_server = sandbox.api_server("fresh")
    api_server.grant("limited", [Rule(verbs=("get", "delete"), resources=("serviceaccounts", "namespaces"))])
    kept = run(sandbox, state="absent", kubeconfig=kubeconfig_of(sandbox, tmp_path, "limited"))
    assert kept.changes == ()
    (warning,) = kept.warnings
    assert "can't be told" in warning
    assert "'list' on 'deployments'" in warning


def test_another_writer_is_planned_anew_instead_of_being_overrun(sandbox: Sandbox) -> None:
    """Between look and deletion somebody starts to use the account: it is kept."""
    run(sandbox)
    wish = dataclasses.replace(WISH, client_id=None, state=State.ABSENT)
    client = KubeClient(KubeAuth(kubeconfig=str(sandbox.kubeconfig), context="fresh"))

    class Raced(ServiceAccountResource):
        raced = False

        def read(self) -> Current:
            current = super().read()
            if not self.raced:
                self.raced = True
                run_as_ours(sandbox)
                client.merge_patch(
                    wish.reference, {"metadata": {"labels": {"touched": "1"}}}, resource_version=version(current)
                )
            return current

    outcome = Context(check_mode=False, sleep=lambda _: None).converge(Raced(wish, client))
    assert outcome.changes == ()
    assert stored(sandbox, "ServiceAccount", "prometheus-sa", "monitoring") is not None


def version(current: Current) -> str:
    assert current.account is not None
    return current.account.resource_version


class NoSecretsWay:
    """A way to the API server that itself shows no Secrets, as Azure's run command is."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def list_in(self, kind: ObjectKind, _namespace: str) -> list[dict[str, t.Any]]:
        self.asked.append(kind.plural)
        raise errors.Forbidden(service="Azure", action="listing", detail="no secret is shown", fix="Go another way.")


def test_where_no_secret_can_be_seen_nothing_else_is_asked_for() -> None:
    way = NoSecretsWay()
    survey = occupants_of(t.cast("KubeClient", way), "monitoring", besides=WISH.reference)
    assert way.asked == ["secrets"]
    assert survey.unknown == "whether others use it can't be told without listing secrets. Go another way."
