# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replacing the pods of a Prometheus that loads its configuration only when it starts; pure.

The replacement is part of the plan: an annotation of the pod template names the change of the configuration that the
pods shall have. The configuration's object carries the same name, so that a run that ended between both writes is
continued by the next one, and a further run changes nothing.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import KNOWN_AFTER_APPLY
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.pod_template import (
    SourceMount,
    how_mounted,
    patched,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import Action, Change
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.prometheus_objects import (
    Operation,
    PatchTemplate,
    SetText,
    predicted,
    refuse_controlled,
    refuse_paused,
    sentence,
    version,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_way import (
    RESTART_ANNOTATION,
    Way,
    restart_digest,
    restart_mark,
    way_to_follow,
)

if t.TYPE_CHECKING:
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import ObjectReference
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.prometheus_source import TextSource

Json = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Running:
    """A configuration and the workload that runs Prometheus with it, as they were read."""

    source: TextSource
    config: Json
    reference: ObjectReference
    workload: Json
    container: str

    @property
    def template(self) -> Json:
        return t.cast("Json", self.workload["spec"]["template"])

    @property
    def way(self) -> Way | None:
        """What makes Prometheus load the configuration; None when the pods do not mount it."""
        if how_mounted(self.template, self.source.reference, self.container) is SourceMount.NONE:
            return None
        return way_to_follow(self.template, self.container, self.source.reference)


def with_restart(changes: t.Sequence[Change[Operation]], running: Running) -> tuple[Change[Operation], ...]:
    """The changes with the replacement of the pods, where it is needed. Raises Refused for what can't be replaced."""
    if running.way is not Way.RESTART:
        return tuple(changes)
    present, due = restart_mark(running.template), restart_mark(running.config)
    text = _text_change(changes)
    if text is None:
        wanted = present if due is None else due
    else:
        before = running.source.text_of(running.config)
        after = running.source.text_of(predicted(running.config, text.operation))
        wanted = KNOWN_AFTER_APPLY if KNOWN_AFTER_APPLY in after else restart_digest(running.template, before, after)
    return _marked(changes, running, wanted)


def without_restart(changes: t.Sequence[Change[Operation]], running: Running) -> tuple[Change[Operation], ...]:
    """The changes of a removal: the annotations go with the web identity, or have the pods replaced without it."""
    if any(isinstance(change.operation, PatchTemplate) and change.operation.patch for change in changes):
        return _marked(changes, running, None)
    if restart_mark(running.template) is None or _text_change(changes) is None:
        return tuple(changes)
    return with_restart(changes, running)


def _text_change(changes: t.Sequence[Change[Operation]]) -> Change[Operation] | None:
    return next(
        (change for change in changes if isinstance(change.operation, SetText) and change.operation.content), None
    )


def _marked(
    changes: t.Sequence[Change[Operation]], running: Running, wanted: str | None
) -> tuple[Change[Operation], ...]:
    """The changes with this annotation on both objects."""
    marked: list[Change[Operation]] = []
    template_mark = {RESTART_ANNOTATION: wanted}
    replaces = restart_mark(running.template) != wanted
    for change in changes:
        operation = change.operation
        if isinstance(operation, SetText) and restart_mark(running.config) != wanted:
            operation = dataclasses.replace(operation, annotations={**operation.annotations, **template_mark})
            change = dataclasses.replace(change, operation=operation)
        elif isinstance(operation, PatchTemplate) and replaces:
            change = _with_mark(change, operation, running, wanted)
            replaces = False
        marked.append(change)
    if replaces:
        marked.append(_replacement(running, wanted))
    return tuple(marked)


def _with_mark(
    change: Change[Operation], operation: PatchTemplate, running: Running, wanted: str | None
) -> Change[Operation]:
    patch = patched_patch(operation.patch, wanted)
    return dataclasses.replace(
        change,
        before=_shown(change.before, restart_mark(running.template)),
        after=_shown(change.after, wanted),
        operation=dataclasses.replace(operation, patch=patch),
    )


def patched_patch(patch: Json, wanted: str | None) -> Json:
    """A merge patch of a pod template that also sets the annotation; None removes it."""
    metadata = dict(patch.get("metadata") or {})
    annotations = {**(metadata.get("annotations") or {}), RESTART_ANNOTATION: wanted}
    return {**patch, "metadata": {**metadata, "annotations": annotations}}


def _shown(document: t.Any, mark: str | None) -> t.Any:
    """A change's document with the annotation in it."""
    return document if mark is None else patched(document or {}, {"annotations": {RESTART_ANNOTATION: mark}})


def _replacement(running: Running, wanted: str | None) -> Change[Operation]:
    """The change of the pod template that has nothing but the annotation."""
    refuse_controlled(running.workload, running.reference)
    refuse_paused(running.workload, running.reference)
    why = "replace the pods, because Prometheus loads the changed configuration only when it starts"
    return Change(
        action=Action.UPDATE,
        kind=running.reference.kind.name,
        name=running.reference.full_name,
        summary=sentence(f"In the pod template of {running.reference}", [why]),
        before=_shown({}, restart_mark(running.template)),
        after=_shown({}, wanted),
        operation=PatchTemplate(patched_patch({}, wanted), {}, version(running.workload)),
    )
