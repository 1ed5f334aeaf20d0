# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prometheus' remote write to an AMP workspace: the entry in its configuration, and the web identity of its pods.

Both objects exist before and belong to somebody else, so they are never marked, and everything else in them is kept.
What is changed is recorded on them, so that ``absent`` can put back what was there.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _last_change as last_change
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients import kube_config
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube import KubeClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.promtool import (
    Configuration,
    check_configuration,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import is_known
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import (
    OPERATOR_KINDS,
    ObjectReference,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_record import kept_among, record_annotation
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.pod_environment import LoadedVariables
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.pod_removal import recorded_change
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.pod_template import (
    PodChange,
    SourceMount,
    choose_container,
    how_mounted,
    image_of,
    merge_pod_template,
    service_account_of,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import KubeAuth, Params, State
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import Action, Change, Plan
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.prometheus_config import (
    Merged,
    merge_remote_writes,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.prometheus_record import (
    additions_in,
    with_additions,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus_versions import PrometheusVersion
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import prometheus_operator
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.azure_webhook import locate_token
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.kube_patches import (
    rehearse,
    require_living_namespace,
    write,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.prometheus_objects import (
    Operation,
    PatchTemplate,
    Rollout,
    SetText,
    keeper_warnings,
    loaded_variables,
    predicted,
    record_of,
    refuse_controlled,
    refuse_paused,
    refuse_unwritable,
    rollout,
    rollout_warnings,
    sentence,
    version,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.prometheus_restart import (
    Running,
    with_restart,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.prometheus_rollout import (
    Following,
    converge,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.prometheus_source import TextSource
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.remote_write_removal import (
    Remaining,
    RemovalResource,
    RemovalWish,
    removal_subject,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.remote_write_wish import (
    ARGUMENT_SPEC,
    Wish,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_subject import (
    ExpectedText,
    RolloutMode,
    Subject,
    chain_of,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_way import Way, reload_mark
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Context, ModuleDefinition, Result

if t.TYPE_CHECKING:
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_undo import Written

Json = dict[str, t.Any]

#: The scrape configuration's section with which Prometheus asks the API server for targets.
_DISCOVERY: t.Final = "kubernetes_sd_configs"


@dataclasses.dataclass(frozen=True)
class Current:
    """The ConfigMap or Secret, which holds the key, and the workload, as they were read.

    ``account_exists`` is None where it does not matter, because the pods run as the service account already.
    ``loaded`` are the variables that the container of Prometheus takes from other objects as a whole.
    """

    config: Json
    workload: Json
    account_exists: bool | None
    loaded: tuple[LoadedVariables, ...] = ()

    @property
    def template(self) -> Json:
        return t.cast("Json", self.workload["spec"]["template"])


def plan_remote_write(current: Current, wish: Wish) -> Plan[Operation, Current]:
    """Decide; pure. Raises Refused, NotFound or Ambiguous before anything is written.

    The configuration comes first: the pods that the workload's new template starts then find it, and Prometheus,
    which resolves its credentials when it loads its configuration, has both at once. The old pods go on with the
    configuration that they have loaded, even if a reloader offers them the new one.
    """
    source = wish.source
    pod = merge_pod_template(
        current.template, wish.pod, str(wish.workload), record_of(current.workload), current.loaded
    )
    running = _version(current, wish, pod.container)
    merged = merge_remote_writes(
        source.text_of(current.config),
        wish.remote_writes.entries,
        place=source.place,
        external_labels=wish.remote_writes.external_labels,
        version=running,
        recorded=additions_in(record_of(current.config), source.key),
    )
    running_with = _running(current, wish, pod.container)
    changes = (*_configuration_change(current, wish, merged), *_template_change(current, wish, pod))
    if wish.rollout.mode is RolloutMode.AUTO:
        changes = with_restart(changes, running_with)
    warnings = (
        *wish.remote_writes.version_warnings(running),
        *merged.warnings,
        *pod.warnings,
        *keeper_warnings(changes, {source.reference: current.config, wish.workload: current.workload}),
        *_warnings(wish, running_with, rollout(changes)),
        *_discovery_warnings(current, wish),
    )
    return Plan(changes, _after(current, changes), warnings)


def _configuration_change(current: Current, wish: Wish, merged: Merged) -> tuple[Change[Operation], ...]:
    if not merged.summaries:
        return ()
    source = wish.source
    refuse_unwritable(current.config, source)
    change: Change[Operation] = Change(
        action=Action.UPDATE,
        kind=source.reference.kind.name,
        name=source.reference.full_name,
        summary=sentence(f"In {source.place}", merged.summaries),
        before=merged.shown_before,
        after=merged.shown_after,
        operation=_text_change(current.config, wish, merged),
        last_changed_by=last_change.of_object(current.config, *source.fields),
    )
    return (change,)


def _template_change(current: Current, wish: Wish, pod: PodChange) -> tuple[Change[Operation], ...]:
    if not pod.summaries:
        return ()
    refuse_controlled(current.workload, wish.workload)
    refuse_paused(current.workload, wish.workload)
    if current.account_exists is False:
        raise errors.NotFound(
            f"There is no {wish.account} in the cluster, so the pods of {wish.workload} could not start.",
            fix="Run the step service_account first (--tags service_account).",
        )
    record = record_annotation(recorded_change(record_of(current.workload), pod))
    change: Change[Operation] = Change(
        action=Action.UPDATE,
        kind=wish.workload.kind.name,
        name=wish.workload.full_name,
        summary=sentence(f"In the pod template of {wish.workload}", pod.summaries),
        before=pod.before,
        after=pod.after,
        operation=PatchTemplate(pod.patch, record, version(current.workload)),
        # What is missing in a template has no trace of who took it away, so only the whole is told of.
        last_changed_by=last_change.of_object(current.workload),
    )
    return (change,)


def _after(current: Current, changes: t.Iterable[Change[Operation]]) -> Current:
    """Both objects as the changes leave them; each is changed once at most."""
    after = current
    for operation in (change.operation for change in changes):
        if isinstance(operation, SetText):
            after = dataclasses.replace(after, config=predicted(current.config, operation))
        else:
            after = dataclasses.replace(after, workload=predicted(current.workload, operation))
    return after


def _running(current: Current, wish: Wish, container: str) -> Running:
    return Running(wish.source, current.config, wish.workload, current.workload, container)


def _version(current: Current, wish: Wish, container: str) -> PrometheusVersion | None:
    """The version that was given, else the one of the container's image; None when neither tells."""
    return wish.remote_writes.version or PrometheusVersion.of_image(image_of(current.template, container))


def _text_change(config: Json, wish: Wish, merged: Merged) -> SetText:
    """The new text, and the record of what was added; an entry that was there before is repaired only."""
    source = wish.source
    record = record_of(config)
    annotations: dict[str, str | None] = {}
    if merged.additions != additions_in(record, source.key):
        annotations = record_annotation(with_additions(record, source.key, merged.additions))
    return SetText(source.patch(config, merged.text), annotations, version(config))


def _warnings(wish: Wish, running: Running, consequence: Rollout) -> list[str]:
    mount = how_mounted(running.template, wish.source.reference, running.container)
    seen_to = wish.rollout.follows and running.way in (Way.RELOADER, Way.LIFECYCLE)
    warnings: list[str] = []
    if mount is SourceMount.NONE:
        warnings.append(
            f"{wish.workload} does not mount {wish.source.reference}: is it the configuration of this Prometheus?"
        )
    return [*warnings, *rollout_warnings(wish.workload, running.workload, consequence, mount, seen_to=seen_to)]


def _discovery_warnings(current: Current, wish: Wish) -> list[str]:
    """What Prometheus may lose with its service account: rights are bound to accounts, and a lost target is silent."""
    present, wanted = service_account_of(current.template["spec"]), wish.pod.service_account
    if present == wanted or _DISCOVERY not in wish.source.text_of(current.config):
        return []
    by = f"{wish.workload} finds targets by the rights of its service account ({_DISCOVERY})"
    return [f"{by}: see that {wanted} has those of {present} (RBAC)."]


class RemoteWriteResource:
    """Reads and writes the configuration's object and the workload. In check mode the service account may still be a
    plan."""

    def __init__(self, wish: Wish, client: KubeClient, *, check_mode: bool) -> None:
        self._wish = wish
        self._client = client
        self._check_mode = check_mode
        self._namespace_lives = False

    def read(self) -> Current:
        wish = self._wish
        config = self._existing(wish.source.reference, f"'{wish.source.option}'")
        workload = self._existing(wish.workload, "'workload_kind', 'workload_name'")
        account_exists = None
        if not self._check_mode and service_account_of(workload["spec"]["template"]["spec"]) != wish.account.name:
            account_exists = self._client.get(wish.account) is not None
        spec = workload["spec"]["template"]["spec"]
        name = choose_container(spec, wish.pod.container, str(wish.workload))
        container = next(item for item in spec["containers"] if item["name"] == name)
        loaded = loaded_variables(self._client, container, wish.workload.namespace)
        return Current(config, workload, account_exists, loaded)

    def _existing(self, reference: ObjectReference, options: str) -> Json:
        found = self._client.get(reference)
        if found is None:
            raise errors.NotFound(
                f"There is no {reference} in the cluster.", fix=f"Correct {options}, 'namespace' or 'context'."
            )
        return found

    def plan(self, current: Current) -> Plan[Operation, Current]:
        return plan_remote_write(current, self._wish)

    def judge(self, current: Current, plan: Plan[Operation, Current]) -> tuple[str, ...]:
        """What promtool says about the configuration as it would be."""
        wish = self._wish
        before, text = wish.source.text_of(current.config), wish.source.text_of(plan.predicted.config)
        if text == before or not is_known(text):
            return ()
        running = _version(current, wish, choose_container(current.template["spec"], wish.pod.container, ""))
        entries = tuple(entry.entry(running) for entry in wish.remote_writes.entries)
        return check_configuration(Configuration(text, before, entries, wish.source.place), wish.promtool)

    def rehearse(self, plan: Plan[Operation, Current]) -> Plan[Operation, Current]:
        """Raises what the API server, admission included, would refuse."""
        self._require_namespace()
        state, warnings = plan.predicted, plan.warnings
        for operation in (change.operation for change in plan.changes):
            if isinstance(operation, SetText):
                heard = rehearse(self._client, self._wish.source.reference, operation, state.config)
                state = dataclasses.replace(state, config=heard.found)
            else:
                heard = rehearse(self._client, self._wish.workload, operation, state.workload)
                state = dataclasses.replace(state, workload=heard.found)
            warnings += heard.warnings
        return dataclasses.replace(plan, predicted=state, warnings=warnings)

    def _require_namespace(self) -> None:
        """Asked for before the first write only, so that a converged cluster costs no request for it."""
        if not self._namespace_lives:
            require_living_namespace(self._client, self._wish.workload.namespace)
            self._namespace_lives = True

    def apply(self, change: Change[Operation], current: Current) -> Current:
        self._require_namespace()
        operation = change.operation
        if isinstance(operation, SetText):
            return dataclasses.replace(current, config=write(self._client, self._wish.source.reference, operation))
        return dataclasses.replace(current, workload=write(self._client, self._wish.workload, operation))


def run(params: Params, context: Context) -> Result:
    """Ensure entry and web identity, or their absence; see the module's documentation for the result."""
    absent = State.from_params(params) is State.ABSENT
    if params.text("workload_kind") in OPERATOR_KINDS:
        return prometheus_operator.remove(params, context) if absent else prometheus_operator.ensure(params, context)
    return _remove(params, context) if absent else _ensure(params, context)


def _ensure(params: Params, context: Context) -> Result:
    wish = Wish.from_params(params, check_mode=context.check_mode)
    client = KubeClient(KubeAuth.from_params(params))
    located = locate_token(client, wish.workload, wish.pod, wish.token_file, check_mode=context.check_mode)
    wish = dataclasses.replace(wish, pod=located.pod)
    resource = RemoteWriteResource(wish, client, check_mode=context.check_mode)
    following: Following[Current] = Following(
        wish.rollout,
        rollout,
        lambda state: {wish.source.reference: state.config, wish.workload: state.workload},
        lambda state, written: _subject(state, wish, written),
        lambda state: _facts(state, wish),
    )
    outcome, status = converge(client, context, resource, following)
    outcome = dataclasses.replace(outcome, warnings=(*located.warnings, *outcome.warnings))
    facts = {**_facts(outcome.state, wish), "rollout_status": status.report()}
    return Result.of(outcome, {**facts, "rollout": rollout(outcome.changes).value})


def _subject(state: Current, wish: Wish, written: t.Sequence[Written]) -> Subject:
    """What is followed after the run wrote these objects."""
    source, main = wish.source, wish.entry
    config = next((one for one in written if one.reference == source.reference), None)
    container = choose_container(state.template["spec"], wish.pod.container, str(wish.workload))
    now = state.config if config is None else config.after
    expected = ExpectedText(source.text_of(now), None if config is None else source.text_of(config.before))
    chain = chain_of(
        namespace=str(wish.workload.namespace),
        account=wish.pod.service_account,
        role_arn=main.role_arn,
        audience=wish.pod.token.audience,
        region=main.region,
        workspace=main.url,
    )
    way = _running(state, wish, container).way
    return Subject(
        (wish.workload,), container, way, expected, chain, marked=source.reference, due=reload_mark(now) is not None
    )


def _facts(state: Current, wish: Wish) -> Json:
    container = choose_container(state.template["spec"], wish.pod.container, str(wish.workload))
    running = _version(state, wish, container)
    return {
        **_places(wish.source, wish.workload),
        "container": container,
        "remote_write": wish.entry.entry(running),
        "additional_remote_writes": [entry.entry(running) for entry in wish.remote_writes.entries[1:]],
        "prometheus_version": str(running) if running is not None else None,
        "kept": [],
    }


def _remove(params: Params, context: Context) -> Result:
    wish = RemovalWish.from_params(params)
    client = KubeClient(KubeAuth.from_params(params))
    facts: Json = {
        **_places(wish.source, wish.workload),
        "container": None,
        "remote_write": None,
        "additional_remote_writes": [],
        "prometheus_version": None,
    }
    following: Following[Remaining] = Following(
        wish.rollout,
        rollout,
        lambda state: {wish.source.reference: state.config, wish.workload: state.workload},
        lambda state, written: removal_subject(state, wish, written),
        lambda _: {**facts, "kept": []},
        resumes=False,
    )
    outcome, status = converge(client, context, RemovalResource(wish, client), following)
    facts |= {"kept": kept_among(outcome.warnings), "rollout_status": status.report()}
    return Result.of(outcome, {**facts, "rollout": rollout(outcome.changes).value})


def _places(source: TextSource, workload: ObjectReference) -> Json:
    """The objects as the result names them; of ConfigMap and Secret the other one is none."""
    return {
        "configmap": source.reference.full_name if source.option == "configmap" else None,
        "config_secret": source.reference.full_name if source.option == "config_secret" else None,
        "workload": str(workload),
    }


DEFINITION = ModuleDefinition(ARGUMENT_SPEC, run, kube_config.remove_files)
