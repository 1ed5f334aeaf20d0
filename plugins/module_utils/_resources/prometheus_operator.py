# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remote write of a Prometheus that prometheus-operator runs: one resource holds the entries and what the pods need.

The operator makes configuration and pods of it. What is changed is recorded on the resource, as on other objects.
"""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _last_change as last_change
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube import KubeClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import ServiceAccount
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import (
    CUSTOM_RESOURCE_DEFINITION,
    OPERATOR_KINDS,
    SERVICE_ACCOUNT,
    ObjectReference,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_record import kept_among, record_annotation
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.pod_environment import LoadedVariables
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.pod_template import (
    PROMETHEUS,
    PodWish,
    service_account_of,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._operator.operator_plan import (
    ResourceChange,
    merge_resource,
    remove_from_resource,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._operator.operator_resource import (
    generated_workloads,
    is_daemon_set,
    operator_entry,
    pod_template,
    version_of,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._operator.operator_schema import (
    KnownFields,
    dropped_fields,
    refuse_unknown,
    unknown_in_refusal,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import KubeAuth, Params
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import Action, Change, Plan
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.remote_write_options import RemoteWrites
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.azure_webhook import locate_token
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.kube_patches import (
    rehearse,
    require_living_namespace,
    write,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.prometheus_objects import (
    Annotations,
    Rollout,
    keeper_warnings,
    loaded_variables,
    predicted,
    record_of,
    refuse_controlled,
    sentence,
    version,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.prometheus_rollout import (
    Following,
    converge,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_subject import (
    DEFAULT_ROLLOUT,
    ExpectedEntries,
    RolloutWish,
    Subject,
    chain_of,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_way import Way
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Context, Result
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._token_options import TokenWish

if t.TYPE_CHECKING:
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_undo import Written

Json = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class PatchResource:
    """Patch a resource's ``spec`` and the record with it. ``entries`` and ``pods`` say what of it changes."""

    spec: Json
    annotations: Annotations
    resource_version: str
    entries: bool
    pods: bool

    def body(self) -> Json:
        metadata = {"metadata": {"annotations": dict(self.annotations)}} if self.annotations else {}
        return {**metadata, **({"spec": self.spec} if self.spec else {})}


@dataclasses.dataclass(frozen=True)
class OperatorWish:
    """What a resource shall say. ``token_file`` is where the Azure webhook mounts its token, if given."""

    resource: ObjectReference
    remote_writes: RemoteWrites
    pod: PodWish
    token_file: str | None = None
    rollout: RolloutWish = DEFAULT_ROLLOUT

    @classmethod
    def from_params(cls, params: Params, *, check_mode: bool) -> OperatorWish:
        """Raises InvalidInput and FederationError for what can't be."""
        resource = resource_of(params)
        account = ServiceAccount.parse(params.text("namespace"), params.text("service_account"))
        remote_writes = RemoteWrites.from_params(params, check_mode=check_mode)
        token_wish = TokenWish.from_params(params)
        main = remote_writes.main
        token = token_wish.token(main.role_arn, main.region, account.namespace)
        pod = PodWish(account.name, token, PROMETHEUS, params.flag("pod_label"))
        return cls(resource, remote_writes, pod, token_wish.file, RolloutWish.from_params(params))

    @property
    def account(self) -> ObjectReference:
        """The service account that the pods shall run as."""
        return SERVICE_ACCOUNT.at(self.pod.service_account, self.resource.namespace)


def resource_of(params: Params) -> ObjectReference:
    """The resource that is named. Raises InvalidInput for options that do not go with one."""
    kind = OPERATOR_KINDS[params.text("workload_kind")]
    for option in ("configmap", "config_secret"):
        if params.optional_text(option) is not None:
            raise errors.InvalidInput(
                f"'{option}' is given, but the operator writes the configuration of a {kind.name} itself.",
                fix=f"Leave '{option}' out: the entries go into the resource.",
            )
    container = params.optional_text("container")
    if container not in (None, PROMETHEUS):
        raise errors.InvalidInput(
            f"'container' is '{container}', but the operator calls the container of a {kind.name} '{PROMETHEUS}'.",
            fix="Leave 'container' out.",
        )
    return kind.at(params.text("workload_name"), params.text("namespace"))


@dataclasses.dataclass(frozen=True)
class OperatorCurrent:
    """The resource as it was read, with what the decision needs beside it.

    ``account_exists`` is None where it does not matter, ``known`` where the definition was not asked for or can't be
    read.
    """

    resource: Json
    account_exists: bool | None = None
    loaded: tuple[LoadedVariables, ...] = ()
    known: KnownFields | None = None


def plan_operator(current: OperatorCurrent, wish: OperatorWish) -> Plan[PatchResource, OperatorCurrent]:
    """Decide; pure. Raises Refused, NotFound or FederationError before anything is written."""
    reference, resource, known = wish.resource, current.resource, current.known
    place = str(reference)
    change = merge_resource(
        resource, record_of(resource), wish.remote_writes, wish.pod, place, loaded=current.loaded, known=known
    )
    if not change.summaries:
        return Plan((), current, change.warnings)
    refuse_controlled(resource, reference)
    _refuse_paused(resource, reference)
    if known is not None:
        refuse_unknown(known.unknown(change.spec), reference.kind.name, known.release)
    if current.account_exists is False and change.pods:
        raise errors.NotFound(
            f"There is no {wish.account} in the cluster, so the pods of {reference} could not start.",
            fix="Run the step service_account first (--tags service_account).",
        )
    planned = _planned(reference, resource, change)
    state = dataclasses.replace(current, resource=predicted(resource, planned.operation))
    keepers = keeper_warnings([planned], {reference: resource})
    return Plan((planned,), state, (*change.warnings, *keepers, *_warnings(current, wish, change)))


def _planned(reference: ObjectReference, resource: Json, change: ResourceChange) -> Change[PatchResource]:
    annotations = record_annotation(change.record)
    stays = record_of(resource) == {name: section for name, section in change.record.items() if section}
    operation = PatchResource(change.spec, {} if stays else annotations, version(resource), change.entries, change.pods)
    return Change(
        action=Action.UPDATE,
        kind=reference.kind.name,
        name=reference.full_name,
        summary=sentence(f"In {reference}", change.summaries),
        before=change.before,
        after=change.after,
        operation=operation,
        last_changed_by=last_change.of_object(resource, *(("spec", name) for name in change.spec)),
    )


def _refuse_paused(resource: t.Mapping[str, t.Any], reference: ObjectReference) -> None:
    if resource["spec"].get("paused"):
        raise errors.Refused(
            f"{reference} is paused (spec.paused), so the operator would make nothing of the change.",
            fix="Set spec.paused to false, then rerun.",
        )


def _warnings(current: OperatorCurrent, wish: OperatorWish, change: ResourceChange) -> list[str]:
    resource, reference = current.resource, wish.resource
    warnings: list[str] = []
    present = service_account_of(pod_template(resource)["spec"])
    if "serviceAccountName" in change.spec:
        warnings.append(
            f"{reference} discovers its targets by the rights of its service account: see that "
            f"{wish.pod.service_account} has those of {present} (RBAC)."
        )
    if is_daemon_set(resource) and "volumes" in change.spec:
        warnings.append(
            f"{reference} runs as a DaemonSet, for which releases of prometheus-operator have ignored spec.volumes "
            "(its issue 7813): if its condition Reconciled becomes False, update the operator or use the mode "
            "StatefulSet."
        )
    for condition in (resource.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "Reconciled" and condition.get("status") == "False":
            message = " ".join(str(condition.get("message") or "no reason given").split())
            warnings.append(f"The operator could not make what {reference} says so far: {message.rstrip('.')}.")
    if current.known is not None:
        dropped = dropped_fields(resource, current.known)
        if dropped:
            warnings.append(
                f"The manifest of {reference} that kubectl applied last names {', '.join(dropped)}, which the operator "
                "does not know and the API server dropped: is it spelled rightly?"
            )
    return warnings


def operator_rollout(changes: t.Iterable[Change[PatchResource]]) -> Rollout:
    """What these changes mean for the running Prometheus: the operator replaces its pods, or reloads it."""
    operations = [change.operation for change in changes]
    if any(operation.pods for operation in operations):
        return Rollout.RESTART
    return Rollout.RELOAD if any(operation.entries for operation in operations) else Rollout.NONE


class _Writer:
    """Writes one resource, strictly: what the operator's definition does not know is refused instead of dropped."""

    def __init__(self, reference: ObjectReference, client: KubeClient) -> None:
        self.reference = reference
        self.client = client
        self._namespace_lives = False

    def found(self) -> Json | None:
        """The resource; None when there is none. Raises NotFound where the cluster does not know the kind."""
        kind = self.reference.kind
        try:
            return self.client.get(self.reference)
        except errors.CloudError as error:
            # An API server has no words of its own for a kind that nobody defined.
            if error.status != 404:
                raise
            raise errors.NotFound(
                f"The cluster does not know the kind {kind.name} of {kind.api.removeprefix('apis/')}.",
                fix="Install prometheus-operator with its CustomResourceDefinitions, or correct 'workload_kind'.",
            ) from error

    def rehearsed(self, operation: PatchResource, expected: Json) -> tuple[Json, tuple[str, ...]]:
        self._require_namespace()
        with self._explained():
            heard = rehearse(self.client, self.reference, operation, expected, strict=True)
        self._refuse_dropped(operation, heard.found, stored=False)
        return heard.found, heard.warnings

    def written(self, operation: PatchResource) -> Json:
        self._require_namespace()
        with self._explained():
            found = write(self.client, self.reference, operation, strict=True)
        self._refuse_dropped(operation, found, stored=True)
        return found

    def _require_namespace(self) -> None:
        """Asked for before the first write only, so that a converged cluster costs no request for it."""
        if not self._namespace_lives:
            require_living_namespace(self.client, self.reference.namespace)
            self._namespace_lives = True

    @contextlib.contextmanager
    def _explained(self) -> t.Iterator[None]:
        try:
            yield
        except errors.CloudError as error:
            refuse_unknown(unknown_in_refusal(error.detail), self.reference.kind.name)
            raise

    def _refuse_dropped(self, operation: PatchResource, found: Json, *, stored: bool) -> None:
        """Not every way to the API server can be strict: a run command's kubectl can't."""
        lost = tuple(_lost(operation.spec, found.get("spec") or {}, "spec"))
        try:
            refuse_unknown(lost, self.reference.kind.name)
        except errors.Refused as refusal:
            refusal.accepted = stored
            raise


def _lost(wanted: object, found: object, path: str) -> t.Iterator[str]:
    """The paths of what was sent and is not there."""
    if isinstance(wanted, dict):
        present = found if isinstance(found, dict) else {}
        for name, value in wanted.items():
            if value is not None and name not in present:
                yield f"{path}.{name}"
            elif value is not None:
                yield from _lost(value, present[name], f"{path}.{name}")
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for index, (item, counterpart) in enumerate(zip(wanted, found, strict=True)):
            yield from _lost(item, counterpart, f"{path}[{index}]")


class OperatorResource:
    """Reads and writes the resource. In check mode the service account may still be a plan."""

    def __init__(self, wish: OperatorWish, client: KubeClient, *, check_mode: bool) -> None:
        self._wish = wish
        self._writer = _Writer(wish.resource, client)
        self._check_mode = check_mode

    def read(self) -> OperatorCurrent:
        wish, client = self._wish, self._writer.client
        resource = self._writer.found()
        if resource is None:
            raise errors.NotFound(
                f"There is no {wish.resource} in the cluster.",
                fix="Correct 'workload_kind', 'workload_name', 'namespace' or 'context'.",
            )
        template = pod_template(resource)
        account_exists = None
        if not self._check_mode and service_account_of(template["spec"]) != wish.account.name:
            account_exists = client.get(wish.account) is not None
        loaded = loaded_variables(client, template["spec"]["containers"][0], wish.resource.namespace)
        current = OperatorCurrent(resource, None, loaded)
        if not plan_operator(current, wish).changes:
            return current  # a converged cluster costs no request for the definition, which is large
        return dataclasses.replace(current, account_exists=account_exists, known=self._known_fields())

    def _known_fields(self) -> KnownFields | None:
        """What the operator's definition knows; None without the right to read it, or where it is too large."""
        kind = self._wish.resource.kind
        try:
            found = self._writer.client.get(CUSTOM_RESOURCE_DEFINITION.at(f"{kind.plural}.{kind.group}"))
        except errors.Forbidden:
            return None
        except errors.CloudError as error:
            if error.status or isinstance(error, (errors.Conflict, errors.Unreachable)):
                raise
            return None  # a run command's output was cut off
        return None if found is None else KnownFields.of_definition(found, kind.api_version)

    def plan(self, current: OperatorCurrent) -> Plan[PatchResource, OperatorCurrent]:
        return plan_operator(current, self._wish)

    def rehearse(self, plan: Plan[PatchResource, OperatorCurrent]) -> Plan[PatchResource, OperatorCurrent]:
        """Raises what the API server, admission included, would refuse."""
        state, warnings = plan.predicted, plan.warnings
        for change in plan.changes:
            found, heard = self._writer.rehearsed(change.operation, state.resource)
            state = dataclasses.replace(state, resource=found)
            warnings += heard
        return dataclasses.replace(plan, predicted=state, warnings=warnings)

    def apply(self, change: Change[PatchResource], current: OperatorCurrent) -> OperatorCurrent:
        return dataclasses.replace(current, resource=self._writer.written(change.operation))


# Removal --------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class OperatorRemovalWish:
    """From where remote write is taken. ``url`` None means every entry that the collection added."""

    resource: ObjectReference
    url: str | None = None
    rollout: RolloutWish = DEFAULT_ROLLOUT


def plan_operator_removal(resource: Json | None, wish: OperatorRemovalWish) -> Plan[PatchResource, Json | None]:
    """Decide; pure. Raises Refused before anything is written. Warnings say what is kept, and why."""
    if resource is None:
        return Plan((), None)
    change = remove_from_resource(resource, record_of(resource), wish.url, str(wish.resource))
    if not change.summaries:
        return Plan((), resource, change.warnings)
    refuse_controlled(resource, wish.resource)
    planned = _planned(wish.resource, resource, change)
    warnings = [*change.warnings, *keeper_warnings([planned], {wish.resource: resource})]
    if resource["spec"].get("paused"):
        warnings.append(f"{wish.resource} is paused: the operator makes something of the change when it is resumed.")
    return Plan((planned,), predicted(resource, planned.operation), tuple(warnings))


class OperatorRemoval:
    """Reads and writes the resource; one that is not there, or whose kind is not, has nothing to remove."""

    def __init__(self, wish: OperatorRemovalWish, client: KubeClient) -> None:
        self._wish = wish
        self._writer = _Writer(wish.resource, client)

    def read(self) -> Json | None:
        with contextlib.suppress(errors.NotFound):
            return self._writer.found()
        return None

    def plan(self, current: Json | None) -> Plan[PatchResource, Json | None]:
        return plan_operator_removal(current, self._wish)

    def rehearse(self, plan: Plan[PatchResource, Json | None]) -> Plan[PatchResource, Json | None]:
        """Raises what the API server, admission included, would refuse."""
        state, warnings = plan.predicted, plan.warnings
        for change in plan.changes:
            state, heard = self._writer.rehearsed(change.operation, state or {})
            warnings += heard
        return dataclasses.replace(plan, predicted=state, warnings=warnings)

    def apply(self, change: Change[PatchResource], current: Json | None) -> Json | None:  # noqa: ARG002  # the protocol
        return self._writer.written(change.operation)


# The module -----------------------------------------------------------------------------------------------------------


def ensure(params: Params, context: Context) -> Result:
    """Ensure entries and web identity in the operator's resource, and that Prometheus follows."""
    wish = OperatorWish.from_params(params, check_mode=context.check_mode)
    client = KubeClient(KubeAuth.from_params(params))
    located = locate_token(client, wish.resource, wish.pod, wish.token_file, check_mode=context.check_mode)
    wish = dataclasses.replace(wish, pod=located.pod)
    following: Following[OperatorCurrent] = Following(
        wish.rollout,
        operator_rollout,
        lambda state: {wish.resource: state.resource},
        lambda state, _written: _subject(state.resource, wish),
        lambda state: _facts(state.resource, wish),
    )
    resource = OperatorResource(wish, client, check_mode=context.check_mode)
    outcome, status = converge(client, context, resource, following)
    outcome = dataclasses.replace(outcome, warnings=(*located.warnings, *outcome.warnings))
    facts = {**_facts(outcome.state.resource, wish), "rollout_status": status.report()}
    return Result.of(outcome, {**facts, "rollout": operator_rollout(outcome.changes).value})


def _subject(resource: Json, wish: OperatorWish) -> Subject:
    """What is followed: the workloads that the operator makes, until they have what is asked for."""
    main, running = wish.remote_writes.main, wish.remote_writes.version or version_of(resource)
    return Subject(
        generated_workloads(wish.resource, resource),
        PROMETHEUS,
        Way.RELOADER,
        ExpectedEntries(tuple(entry.asked_for(running) for entry in wish.remote_writes.entries)),
        chain_of(
            namespace=str(wish.resource.namespace),
            account=wish.pod.service_account,
            role_arn=main.role_arn,
            audience=wish.pod.token.audience,
            region=main.region,
            workspace=main.url,
        ),
        parent=wish.resource,
        environment=wish.pod.token.environment(),
    )


def _facts(resource: Json, wish: OperatorWish) -> Json:
    running = wish.remote_writes.version or version_of(resource)
    entries = [operator_entry(entry.entry(running)) for entry in wish.remote_writes.entries]
    return {
        **_places(wish.resource),
        "container": PROMETHEUS,
        "remote_write": entries[0],
        "additional_remote_writes": entries[1:],
        "prometheus_version": None if running is None else str(running),
        "kept": [],
    }


def remove(params: Params, context: Context) -> Result:
    """Take out of the operator's resource what the collection added."""
    wish = OperatorRemovalWish(
        resource_of(params), params.optional_text("remote_write_url"), RolloutWish.from_params(params)
    )
    client = KubeClient(KubeAuth.from_params(params))
    facts: Json = {
        **_places(wish.resource),
        "container": None,
        "remote_write": None,
        "additional_remote_writes": [],
        "prometheus_version": None,
    }
    following: Following[Json | None] = Following(
        wish.rollout,
        operator_rollout,
        lambda state: {wish.resource: state},
        lambda state, written: _removal_subject(state, wish, written),
        lambda _state: {**facts, "kept": []},
        resumes=False,
    )
    outcome, status = converge(client, context, OperatorRemoval(wish, client), following)
    facts |= {"kept": kept_among(outcome.warnings), "rollout_status": status.report()}
    return Result.of(outcome, {**facts, "rollout": operator_rollout(outcome.changes).value})


def _removal_subject(state: Json | None, wish: OperatorRemovalWish, written: t.Sequence[Written]) -> Subject | None:
    """What is followed after a removal; None when the resource is gone."""
    if state is None:
        return None
    left = {str(entry.get("url", "")) for entry in state["spec"].get("remoteWrite") or ()}
    had = {str(entry["url"]) for one in written for entry in one.before["spec"].get("remoteWrite") or ()}
    account = service_account_of(pod_template(state)["spec"])
    return Subject(
        generated_workloads(wish.resource, state),
        PROMETHEUS,
        Way.RELOADER,
        ExpectedEntries(gone=tuple(sorted(had - left))),
        chain_of(namespace=str(wish.resource.namespace), account=account),
        parent=wish.resource,
    )


def _places(resource: ObjectReference) -> Json:
    """The objects as the result names them: there is one, which holds all."""
    return {"configmap": None, "config_secret": None, "workload": str(resource)}
