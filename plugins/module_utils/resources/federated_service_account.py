# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Kubernetes service account that is ready for federation, and its namespace.

The label and the annotation are those of Microsoft Entra Workload ID
(https://azure.github.io/azure-workload-identity/docs/topics/service-account-labels-and-annotations.html); AWS needs
neither. All metadata that others wrote is kept.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.clients.kube import KubeClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.federation import (
    CLIENT_ID_ANNOTATION,
    WORKLOAD_IDENTITY_LABEL,
    ServiceAccount,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.inputs import require_known
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.kube_objects import (
    NAMESPACE,
    SERVICE_ACCOUNT,
    ObjectReference,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.options import (
    KUBERNETES,
    ArgumentSpec,
    KubeAuth,
    Params,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.ownership import MARK
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.plan import Action, Change, Plan
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.runner import Context, ModuleDefinition, Result

ARGUMENT_SPEC = ArgumentSpec(
    {
        "namespace": {"type": "str", "required": True},
        "name": {"type": "str", "required": True},
        "create_namespace": {"type": "bool", "default": True},
        "workload_identity_label": {"type": "bool", "default": True},
        "client_id": {"type": "str"},
    }
).merge(KUBERNETES)

StringMap = t.Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class Wish:
    """What the service account shall be. ``client_id`` None leaves an annotation alone."""

    account: ServiceAccount
    create_namespace: bool = True
    workload_identity_label: bool = True
    client_id: str | None = None

    @classmethod
    def from_params(cls, params: Params, *, check_mode: bool) -> Wish:
        client_id = params.optional_text("client_id")
        if client_id is not None:
            client_id = require_known(client_id, option="client_id", step="entra_federation", check_mode=check_mode)
        return cls(
            account=ServiceAccount.parse(params.text("namespace"), params.text("name")),
            create_namespace=params.flag("create_namespace"),
            workload_identity_label=params.flag("workload_identity_label"),
            client_id=client_id,
        )

    @property
    def namespace_reference(self) -> ObjectReference:
        return NAMESPACE.at(self.account.namespace)

    @property
    def reference(self) -> ObjectReference:
        return SERVICE_ACCOUNT.at(self.account.name, self.account.namespace)

    def labels(self) -> dict[str, str]:
        return {WORKLOAD_IDENTITY_LABEL: "true"} if self.workload_identity_label else {}

    def annotations(self) -> dict[str, str]:
        return {CLIENT_ID_ANNOTATION: self.client_id} if self.client_id is not None else {}


@dataclasses.dataclass(frozen=True)
class Account:
    """The service account's metadata as it is, or as it is predicted (then without uid and version)."""

    labels: StringMap
    annotations: StringMap
    uid: str | None = None
    resource_version: str = ""

    @classmethod
    def from_object(cls, found: t.Mapping[str, t.Any]) -> Account:
        metadata = found["metadata"]
        return cls(
            labels=dict(metadata.get("labels") or {}),
            annotations=dict(metadata.get("annotations") or {}),
            uid=metadata["uid"],
            resource_version=metadata["resourceVersion"],
        )

    def shown(self) -> dict[str, object]:
        """What of it belongs into a diff."""
        return {"labels": dict(self.labels), "annotations": dict(self.annotations)}


@dataclasses.dataclass(frozen=True)
class Current:
    """``namespace_exists`` is known without a request of its own where the service account exists."""

    namespace_exists: bool
    account: Account | None


@dataclasses.dataclass(frozen=True)
class CreateNamespace:
    labels: StringMap


@dataclasses.dataclass(frozen=True)
class CreateAccount:
    labels: StringMap
    annotations: StringMap


@dataclasses.dataclass(frozen=True)
class PatchAccount:
    labels: StringMap
    annotations: StringMap
    resource_version: str


Operation: t.TypeAlias = "CreateNamespace | CreateAccount | PatchAccount"


def plan_service_account(current: Current, wish: Wish) -> Plan[Operation, Current]:
    """Decide. Raises NotFound for a missing namespace that may not be created."""
    changes: list[Change[Operation]] = []
    if not current.namespace_exists:
        changes.append(_namespace_change(wish))
    if current.account is None:
        account = Account({**MARK, **wish.labels()}, wish.annotations())
        changes.append(
            Change(
                action=Action.CREATE,
                kind=SERVICE_ACCOUNT.name,
                name=wish.reference.full_name,
                summary=f"Create the service account {wish.reference.full_name}.",
                before=None,
                after=account.shown(),
                operation=CreateAccount(account.labels, account.annotations),
            )
        )
        return Plan(tuple(changes), Current(namespace_exists=True, account=account))
    labels = _missing(current.account.labels, wish.labels())
    annotations = _missing(current.account.annotations, wish.annotations())
    if not labels and not annotations:
        return Plan((), current)
    account = dataclasses.replace(
        current.account,
        labels={**current.account.labels, **labels},
        annotations={**current.account.annotations, **annotations},
    )
    change: Change[Operation] = Change(
        action=Action.UPDATE,
        kind=SERVICE_ACCOUNT.name,
        name=wish.reference.full_name,
        summary=_update_summary(wish, current.account, labels, annotations),
        before=current.account.shown(),
        after=account.shown(),
        operation=PatchAccount(labels, annotations, current.account.resource_version),
    )
    return Plan((change,), Current(namespace_exists=True, account=account))


def _namespace_change(wish: Wish) -> Change[Operation]:
    name = wish.account.namespace
    if not wish.create_namespace:
        raise errors.NotFound(
            f"There is no namespace {name} in the cluster, and create_namespace is false.",
            fix="Create it, correct 'namespace', or let it be created by create_namespace: true.",
        )
    return Change(
        action=Action.CREATE,
        kind=NAMESPACE.name,
        name=name,
        summary=f"Create the namespace {name}.",
        before=None,
        after={"labels": dict(MARK)},
        operation=CreateNamespace(MARK),
    )


def _missing(present: StringMap, wanted: StringMap) -> dict[str, str]:
    return {key: value for key, value in wanted.items() if present.get(key) != value}


def _update_summary(wish: Wish, account: Account, labels: StringMap, annotations: StringMap) -> str:
    parts = [f"{_from_to('label', key, account.labels, value)}" for key, value in labels.items()]
    parts += [f"{_from_to('annotation', key, account.annotations, value)}" for key, value in annotations.items()]
    return f"Set on the service account {wish.reference.full_name} the {' and the '.join(parts)}."


def _from_to(what: str, key: str, present: StringMap, value: str) -> str:
    origin = f" from {present[key]}" if key in present else ""
    return f"{what} {key}{origin} to {value}"


class ServiceAccountResource:
    """Reads and writes the namespace and the service account."""

    def __init__(self, wish: Wish, client: KubeClient) -> None:
        self._wish = wish
        self._client = client

    def read(self) -> Current:
        found = self._client.get(self._wish.reference)
        if found is not None:
            return Current(namespace_exists=True, account=Account.from_object(found))
        return Current(self._client.get(self._wish.namespace_reference) is not None, None)

    def plan(self, current: Current) -> Plan[Operation, Current]:
        return plan_service_account(current, self._wish)

    def apply(self, change: Change[Operation], current: Current) -> Current:
        operation = change.operation
        if isinstance(operation, CreateNamespace):
            self._client.create(self._wish.namespace_reference, {"metadata": {"labels": dict(operation.labels)}})
            return dataclasses.replace(current, namespace_exists=True)
        metadata = {"labels": dict(operation.labels), "annotations": dict(operation.annotations)}
        if isinstance(operation, CreateAccount):
            written = self._client.create(self._wish.reference, {"metadata": metadata})
        else:
            written = self._client.merge_patch(
                self._wish.reference, {"metadata": metadata}, resource_version=operation.resource_version
            )
        return Current(namespace_exists=True, account=Account.from_object(written))


def run(params: Params, context: Context) -> Result:
    """Ensure the service account; see the module's documentation for the result."""
    wish = Wish.from_params(params, check_mode=context.check_mode)
    outcome = context.converge(ServiceAccountResource(wish, KubeClient(KubeAuth.from_params(params))))
    account = outcome.state.account or Account({}, {})
    return Result.of(
        outcome,
        {
            "namespace": wish.account.namespace,
            "name": wish.account.name,
            "subject": wish.account.subject,
            "labels": dict(account.labels),
            "annotations": dict(account.annotations),
            "uid": account.uid,
        },
    )


DEFINITION = ModuleDefinition(ARGUMENT_SPEC, run)
