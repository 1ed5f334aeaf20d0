# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prometheus' remote write taken away again: the entries that the collection added, and the web identity of the pods.

Both objects carry a record of what was changed; what is not recorded belongs to others and stays.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube import KubeClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import (
    WORKLOAD_KINDS,
    ObjectReference,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_record import (
    kept,
    kept_among,
    record_annotation,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.pod_removal import undo_pod_changes
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.pod_template import (
    choose_container,
    how_mounted,
    service_account_of,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import Params
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import Action, Change, Plan
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.prometheus_config import is_same_workspace
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.prometheus_record import (
    additions_in,
    chosen_by,
    label_name,
    with_additions,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.prometheus_removal import (
    entries_of_others,
    remove_remote_write,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.kube_patches import rehearse, write
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.prometheus_objects import (
    Operation,
    PatchTemplate,
    SetText,
    has_record,
    keeper_warnings,
    predicted,
    record_of,
    refuse_controlled,
    refuse_unwritable,
    rollout,
    rollout_warnings,
    sentence,
    version,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.prometheus_restart import (
    Running,
    without_restart,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.prometheus_source import TextSource
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_subject import (
    DEFAULT_ROLLOUT,
    ExpectedText,
    RolloutMode,
    RolloutWish,
    Subject,
    chain_of,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_way import Way, reload_mark

if t.TYPE_CHECKING:
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_undo import Written

Json = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class RemovalWish:
    """From where remote write is taken. ``url`` None means every entry that the collection added."""

    source: TextSource
    workload: ObjectReference
    url: str | None = None
    container: str | None = None
    rollout: RolloutWish = DEFAULT_ROLLOUT

    @classmethod
    def from_params(cls, params: Params) -> RemovalWish:
        """Raises InvalidInput for what can't be."""
        kind = WORKLOAD_KINDS[params.text("workload_kind")]
        return cls(
            source=TextSource.from_params(params),
            workload=kind.at(params.text("workload_name"), params.text("namespace")),
            url=params.optional_text("remote_write_url"),
            container=params.optional_text("container"),
            rollout=RolloutWish.from_params(params),
        )


@dataclasses.dataclass(frozen=True)
class Remaining:
    """The configuration's object and the workload as they were read; None for one that is not there."""

    config: Json | None
    workload: Json | None


def plan_removal(current: Remaining, wish: RemovalWish) -> Plan[Operation, Remaining]:
    """Decide; pure. Raises Refused before anything is written. Warnings say what is kept, and why.

    The configuration comes first: without its entry Prometheus needs no credentials any more, whereas an entry without
    credentials keeps it from starting.
    """
    changes: list[Change[Operation]] = []
    warnings: list[str] = []
    config, in_use = _without_entries(current.config, wish, changes, warnings)
    workload = current.workload
    if in_use and workload is not None and has_record(workload):
        warnings.append(kept(f"The web identity of {wish.workload}", f"it is used by the entry for {in_use[0]}"))
    elif workload is not None:
        workload = _without_identity(workload, wish, changes, warnings)
    running = _running(current, wish)
    if running is not None and wish.rollout.mode is RolloutMode.AUTO:
        changes = list(without_restart(changes, running))
        for operation in (change.operation for change in changes):
            if isinstance(operation, SetText):
                config = predicted(running.config, operation)
            else:
                workload = predicted(running.workload, operation)
    found = {wish.source.reference: current.config, wish.workload: current.workload}
    warnings += keeper_warnings(changes, found)
    if workload is not None:
        mount = how_mounted(workload["spec"]["template"], wish.source.reference)
        way = running.way if running is not None else None
        seen_to = wish.rollout.follows and way in (Way.RELOADER, Way.LIFECYCLE)
        warnings += rollout_warnings(wish.workload, workload, rollout(changes), mount, seen_to=seen_to)
    return Plan(tuple(changes), Remaining(config, workload), tuple(warnings))


def _running(current: Remaining, wish: RemovalWish) -> Running | None:
    """The Prometheus from which remote write is taken; None where configuration or workload is gone."""
    if current.config is None or current.workload is None or not wish.source.is_in(current.config):
        return None
    container = _container(current.workload, wish)
    return Running(wish.source, current.config, wish.workload, current.workload, container)


def _container(workload: Json, wish: RemovalWish) -> str:
    """The container of Prometheus; the first one where it can't be told, for nothing is written into it by its name."""
    spec = workload["spec"]["template"]["spec"]
    try:
        return choose_container(spec, wish.container, str(wish.workload))
    except errors.AksAmpError:
        return str(spec["containers"][0]["name"])


def removal_subject(state: Remaining, wish: RemovalWish, written: t.Sequence[Written]) -> Subject | None:
    """What is followed after a removal wrote these objects; None when the workload is gone."""
    if state.workload is None:
        return None
    running = _running(state, wish)
    container = _container(state.workload, wish)
    account = service_account_of(state.workload["spec"]["template"]["spec"])
    chain = chain_of(namespace=str(wish.workload.namespace), account=account)
    if running is None:
        return Subject((wish.workload,), container, None, ExpectedText(""), chain)
    config = next((one for one in written if one.reference == wish.source.reference), None)
    now = running.config if config is None else config.after
    former = None if config is None else wish.source.text_of(config.before)
    expected = ExpectedText(wish.source.text_of(now), former)
    place, due = wish.source.reference, reload_mark(now) is not None
    return Subject((wish.workload,), container, running.way, expected, chain, marked=place, due=due)


def _without_entries(
    config: Json | None, wish: RemovalWish, changes: list[Change[Operation]], warnings: list[str]
) -> tuple[Json | None, tuple[str, ...]]:
    """The object afterwards, and the URLs of the entries that the collection added and that are left."""
    source = wish.source
    if config is None or not source.is_in(config):
        return config, ()
    text = source.text_of(config)
    record = record_of(config)
    additions = additions_in(record, source.key)
    chosen = chosen_by(additions, wish.url)
    others = [url for url in entries_of_others(text, additions) if wish.url is None or is_same_workspace(url, wish.url)]
    warnings += [
        kept(f"The remote_write entry for {url} in {source.place}", "the collection did not add it") for url in others
    ]
    removed = remove_remote_write(text, chosen, place=source.place, recorded=additions)
    warnings += removed.warnings
    kept_by_choice = tuple(key for key in removed.additions if key not in chosen and label_name(key) is None)
    if not removed.gone:
        return config, kept_by_choice
    refuse_unwritable(config, source)
    operation = SetText(
        source.patch(config, removed.text) if removed.text != text else {},
        record_annotation(with_additions(record, source.key, removed.additions)),
        version(config),
    )
    summaries = removed.summaries or ("forget the entry, which is gone already",)
    changes.append(
        Change(
            action=Action.UPDATE,
            kind=source.reference.kind.name,
            name=source.reference.full_name,
            summary=sentence(f"In {source.place}", summaries),
            before=removed.shown_before,
            after=removed.shown_after,
            operation=operation,
        )
    )
    return predicted(config, operation), kept_by_choice


def _without_identity(workload: Json, wish: RemovalWish, changes: list[Change[Operation]], warnings: list[str]) -> Json:
    if not has_record(workload):
        return workload
    if kept_among(warnings):
        warnings.append(f"{wish.workload} loses the web identity, with which Prometheus may sign for what is kept.")
    undone = undo_pod_changes(workload["spec"]["template"], record_of(workload), str(wish.workload))
    warnings += undone.warnings
    refuse_controlled(workload, wish.workload)
    operation = PatchTemplate(undone.patch, record_annotation({}), version(workload))
    summaries = undone.summaries or ("forget the web identity, which is gone already",)
    changes.append(
        Change(
            action=Action.UPDATE,
            kind=wish.workload.kind.name,
            name=wish.workload.full_name,
            summary=sentence(f"In the pod template of {wish.workload}", summaries),
            before=undone.before,
            after=undone.after,
            operation=operation,
        )
    )
    return predicted(workload, operation)


class RemovalResource:
    """Reads and writes the configuration's object and the workload."""

    def __init__(self, wish: RemovalWish, client: KubeClient) -> None:
        self._wish = wish
        self._client = client

    def read(self) -> Remaining:
        return Remaining(self._client.get(self._wish.source.reference), self._client.get(self._wish.workload))

    def plan(self, current: Remaining) -> Plan[Operation, Remaining]:
        return plan_removal(current, self._wish)

    def rehearse(self, plan: Plan[Operation, Remaining]) -> Plan[Operation, Remaining]:
        """Raises what the API server, admission included, would refuse."""
        state, warnings = plan.predicted, plan.warnings
        for operation in (change.operation for change in plan.changes):
            if isinstance(operation, SetText) and state.config is not None:
                heard = rehearse(self._client, self._wish.source.reference, operation, state.config)
                state = dataclasses.replace(state, config=heard.found)
            elif state.workload is not None:
                heard = rehearse(self._client, self._wish.workload, operation, state.workload)
                state = dataclasses.replace(state, workload=heard.found)
            warnings += heard.warnings
        return dataclasses.replace(plan, predicted=state, warnings=warnings)

    def apply(self, change: Change[Operation], current: Remaining) -> Remaining:
        operation = change.operation
        if isinstance(operation, SetText):
            return dataclasses.replace(current, config=write(self._client, self._wish.source.reference, operation))
        return dataclasses.replace(current, workload=write(self._client, self._wish.workload, operation))
