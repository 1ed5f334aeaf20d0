# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Kubernetes service account that is ready for federation, and its namespace.

The label and the annotation are those of Microsoft Entra Workload ID
(https://azure.github.io/azure-workload-identity/docs/topics/service-account-labels-and-annotations.html); AWS needs
neither. All metadata that others wrote is kept. What is set on a service account of others is recorded on it, so that
``absent`` can put back what was there.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _last_change as last_change
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients import kube_config
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube import KubeClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import (
    CLIENT_ID_ANNOTATION,
    WORKLOAD_IDENTITY_LABEL,
    ServiceAccount,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._inputs import require_known
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import (
    NAMESPACE,
    SERVICE_ACCOUNT,
    ObjectReference,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_record import (
    RECORD_ANNOTATION,
    kept,
    kept_among,
    noted,
    read_record,
    record_annotation,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import (
    KUBERNETES,
    STATE,
    ArgumentSpec,
    KubeAuth,
    Params,
    State,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._ownership import MARK, is_marked
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import Action, Change, Plan
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.service_account_removal import (
    NOTHING_FOUND,
    Survey,
    occupants_of,
    undo,
    users_of,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Context, ModuleDefinition, Result

ARGUMENT_SPEC = ArgumentSpec(
    {
        "namespace": {"type": "str", "required": True},
        "name": {"type": "str", "required": True},
        "create_namespace": {"type": "bool", "default": True},
        "workload_identity_label": {"type": "bool", "default": True},
        "client_id": {"type": "str"},
        "released_by": {"type": "list", "elements": "str", "default": []},
    }
).merge(STATE, KUBERNETES)

StringMap = t.Mapping[str, str]
#: Labels or annotations of a JSON merge patch, in which None removes.
PatchMap = t.Mapping[str, "str | None"]


@dataclasses.dataclass(frozen=True)
class Wish:
    """What the service account shall be. ``client_id`` None leaves an annotation alone.

    ``released_by`` are workloads ("Deployment monitoring/prometheus") from which the same run takes an absent service
    account; check mode, in which they still have it, does not count them as its users.
    """

    account: ServiceAccount
    create_namespace: bool = True
    workload_identity_label: bool = True
    client_id: str | None = None
    state: State = State.PRESENT
    released_by: tuple[str, ...] = ()

    @classmethod
    def from_params(cls, params: Params, *, check_mode: bool) -> Wish:
        state = State.from_params(params)
        client_id = params.optional_text("client_id")
        if client_id is not None and state is State.PRESENT:
            client_id = require_known(client_id, option="client_id", step="entra_federation", check_mode=check_mode)
        return cls(
            account=ServiceAccount.parse(params.text("namespace"), params.text("name")),
            create_namespace=params.flag("create_namespace"),
            workload_identity_label=params.flag("workload_identity_label"),
            client_id=client_id,
            state=state,
            released_by=params.texts("released_by") if check_mode else (),
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
    managed_fields: tuple[t.Mapping[str, t.Any], ...] = dataclasses.field(default=(), compare=False, repr=False)

    @classmethod
    def from_object(cls, found: t.Mapping[str, t.Any]) -> Account:
        metadata = found["metadata"]
        return cls(
            labels=dict(metadata.get("labels") or {}),
            annotations=dict(metadata.get("annotations") or {}),
            uid=metadata["uid"],
            resource_version=metadata["resourceVersion"],
            managed_fields=tuple(metadata.get("managedFields") or ()),
        )

    def shown(self) -> dict[str, object]:
        """What of it belongs into a diff."""
        return {"labels": dict(self.labels), "annotations": dict(self.annotations)}

    def patched(self, labels: PatchMap, annotations: PatchMap) -> Account:
        """The account after a merge patch of its metadata."""
        return dataclasses.replace(
            self, labels=_patched(self.labels, labels), annotations=_patched(self.annotations, annotations)
        )


def _patched(present: StringMap, patch: PatchMap) -> dict[str, str]:
    merged = {**present, **patch}
    return {key: value for key, value in merged.items() if value is not None}


@dataclasses.dataclass(frozen=True)
class Namespace:
    """A namespace that may have to go. Only one that the collection created is read that far."""

    labels: StringMap
    uid: str
    resource_version: str
    occupants: Survey


@dataclasses.dataclass(frozen=True)
class Current:
    """``namespace_exists`` is known without a request of its own where the service account exists.

    ``users`` and ``namespace`` are read only when both are to be absent.
    """

    namespace_exists: bool
    account: Account | None
    users: Survey = NOTHING_FOUND
    namespace: Namespace | None = None


@dataclasses.dataclass(frozen=True)
class CreateNamespace:
    labels: StringMap


@dataclasses.dataclass(frozen=True)
class CreateAccount:
    labels: StringMap
    annotations: StringMap


@dataclasses.dataclass(frozen=True)
class PatchAccount:
    labels: PatchMap
    annotations: PatchMap
    resource_version: str


@dataclasses.dataclass(frozen=True)
class Delete:
    """Delete this version of an object."""

    reference: ObjectReference
    uid: str
    resource_version: str


Operation: t.TypeAlias = "CreateNamespace | CreateAccount | PatchAccount | Delete"


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
    record = _record(current.account, labels, annotations)
    account = current.account.patched(labels, {**annotations, **record})
    change: Change[Operation] = Change(
        action=Action.UPDATE,
        kind=SERVICE_ACCOUNT.name,
        name=wish.reference.full_name,
        summary=_update_summary(wish, current.account, labels, annotations),
        before=current.account.shown(),
        after=account.shown(),
        operation=PatchAccount(labels, {**annotations, **record}, current.account.resource_version),
        last_changed_by=last_change.of_entries(
            current.account.managed_fields,
            *(("metadata", "labels", name) for name in labels),
            *(("metadata", "annotations", name) for name in annotations),
        ),
    )
    return Plan((change,), Current(namespace_exists=True, account=account))


def _record(account: Account, labels: StringMap, annotations: StringMap) -> PatchMap:
    """The annotation by which ``absent`` knows what was there; an account that is ours goes as a whole."""
    if is_marked(dict(account.labels)):
        return {}
    record = read_record(account.annotations)
    for name, value in labels.items():
        record = noted(record, "labels", name, was=account.labels.get(name), to=value)
    for name, value in annotations.items():
        record = noted(record, "annotations", name, was=account.annotations.get(name), to=value)
    return record_annotation(record)


def plan_absence(current: Current, wish: Wish) -> Plan[Operation, Current]:
    """Decide what may go: what the collection created and nobody else uses, and what it set on an account of others.

    Warnings say what is kept, and why.
    """
    changes: list[Change[Operation]] = []
    keeping: list[str] = []
    account = current.account
    if account is not None and is_marked(dict(account.labels)):
        objection = current.users.objection("it is used by")
        if objection:
            keeping.append(kept(wish.reference, objection))
        else:
            changes.append(_account_deletion(account, wish))
            account = None
    elif account is not None:
        account = _undo_on(account, wish, changes, keeping)
    namespace = current.namespace
    if namespace is not None and account is None:
        objection = namespace.occupants.objection("it holds")
        if objection:
            keeping.append(kept(wish.namespace_reference, objection))
        else:
            changes.append(_namespace_deletion(namespace, wish))
            namespace = None
    gone = current.namespace is not None and namespace is None
    predicted = Current(current.namespace_exists and not gone, account, current.users, namespace)
    return Plan(tuple(changes), predicted, tuple(keeping))


def _account_deletion(account: Account, wish: Wish) -> Change[Operation]:
    return Change(
        action=Action.DELETE,
        kind=SERVICE_ACCOUNT.name,
        name=wish.reference.full_name,
        summary=f"Delete the service account {wish.reference.full_name}.",
        before=account.shown(),
        after=None,
        operation=Delete(wish.reference, account.uid or "", account.resource_version),
    )


def _namespace_deletion(namespace: Namespace, wish: Wish) -> Change[Operation]:
    name = wish.account.namespace
    return Change(
        action=Action.DELETE,
        kind=NAMESPACE.name,
        name=name,
        summary=f"Delete the namespace {name}, which holds nothing else.",
        before={"labels": dict(namespace.labels)},
        after=None,
        operation=Delete(wish.namespace_reference, namespace.uid, namespace.resource_version),
    )


def _undo_on(account: Account, wish: Wish, changes: list[Change[Operation]], keeping: list[str]) -> Account:
    """Put back what was changed on an account of others; what it is afterwards."""
    keeping.append(kept(wish.reference, "the collection did not create it"))
    record = read_record(account.annotations)
    labels, annotations = undo(record, "labels", account.labels), undo(record, "annotations", account.annotations)
    keeping += [
        kept(f"The {what} {name} of {wish.reference}", "it was changed since")
        for what, undoing in (("label", labels), ("annotation", annotations))
        for name in undoing.kept
    ]
    if RECORD_ANNOTATION not in account.annotations:
        return account
    patch = {**annotations.values, RECORD_ANNOTATION: None}
    after = account.patched(labels.values, patch)
    parts = [f"label {name}" for name in labels.values] + [f"annotation {name}" for name in annotations.values]
    what = " and the ".join(parts) or "collection's record"
    changes.append(
        Change(
            action=Action.UPDATE,
            kind=SERVICE_ACCOUNT.name,
            name=wish.reference.full_name,
            summary=f"Put back on the service account {wish.reference.full_name} the {what}, as it was before.",
            before=account.shown(),
            after=after.shown(),
            operation=PatchAccount(labels.values, patch, account.resource_version),
        )
    )
    return after


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
        account = Account.from_object(found) if found is not None else None
        if self._wish.state is State.ABSENT:
            return self._read_for_removal(account)
        if account is not None:
            return Current(namespace_exists=True, account=account)
        return Current(self._client.get(self._wish.namespace_reference) is not None, None)

    def _read_for_removal(self, account: Account | None) -> Current:
        wish = self._wish
        ours = account is not None and is_marked(dict(account.labels))
        released = frozenset(wish.released_by)
        users = users_of(self._client, wish.reference, released_by=released) if ours else NOTHING_FOUND
        goes = account is None or (ours and not users.objection("it is used by"))
        # A namespace is not looked at while its service account stays, nor when it is to be left alone.
        found = self._client.get(wish.namespace_reference) if goes and wish.create_namespace else None
        return Current(account is not None or found is not None, account, users, self._own_namespace(found))

    def _own_namespace(self, found: t.Mapping[str, t.Any] | None) -> Namespace | None:
        metadata = found["metadata"] if found is not None else {}
        labels = dict(metadata.get("labels") or {})
        if not is_marked(labels) or "deletionTimestamp" in metadata:
            return None
        wish = self._wish
        occupants = occupants_of(self._client, wish.account.namespace, besides=wish.reference)
        return Namespace(labels, metadata["uid"], metadata["resourceVersion"], occupants)

    def plan(self, current: Current) -> Plan[Operation, Current]:
        if self._wish.state is State.ABSENT:
            return plan_absence(current, self._wish)
        return plan_service_account(current, self._wish)

    def apply(self, change: Change[Operation], current: Current) -> Current:
        operation = change.operation
        if isinstance(operation, Delete):
            self._client.delete(operation.reference, uid=operation.uid, resource_version=operation.resource_version)
            if operation.reference == self._wish.reference:
                return dataclasses.replace(current, account=None)
            return Current(namespace_exists=False, account=None)
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
        return dataclasses.replace(current, namespace_exists=True, account=Account.from_object(written))


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
            "kept": kept_among(outcome.warnings),
        },
    )


DEFINITION = ModuleDefinition(ARGUMENT_SPEC, run, kube_config.remove_files)
