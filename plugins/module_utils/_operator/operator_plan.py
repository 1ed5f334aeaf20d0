# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a ``Prometheus`` or ``PrometheusAgent`` resource lacks to write to AMP, and how that is undone; pure.

Entries, external labels and the pod's parts are decided apart from each other and become one patch of one object.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import FederationError
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_record import (
    SET,
    WAS,
    kept,
    section_of,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.pod_removal import (
    recorded_change,
    undo_pod_changes,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.pod_template import (
    PodChange,
    PodWish,
    merge_pod_template,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._operator.operator_entries import (
    EXTERNAL_LABELS,
    REMOTE_WRITE,
    Asked,
    PartChange,
    merge_entries,
    merge_labels,
    remove_entries,
    remove_labels,
    reserved_labels,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._operator.operator_resource import (
    EXTERNAL_ID_UNDER_OPERATOR,
    pod_template,
    spec_patch,
    version_of,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._operator.operator_schema import KnownFields, bare

if t.TYPE_CHECKING:
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.pod_environment import LoadedVariables
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.remote_write_options import (
        RemoteWrites,
    )
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus_versions import PrometheusVersion

Json = dict[str, t.Any]

#: The record's section with the fields that came about by the collection.
_FIELDS: t.Final = "fields"
_QUEUE_PATH: t.Final = "spec.remoteWrite.queueConfig."


@dataclasses.dataclass(frozen=True)
class ResourceChange:
    """A change of one resource. Without summaries there is nothing to do.

    ``spec`` is a JSON merge patch of its ``spec``, which carries lists whole; ``record`` is the whole record then.
    ``entries`` and ``pods`` say what of it Prometheus loads anew, and whether its pods are replaced.
    """

    spec: Json
    record: Json
    before: Json
    after: Json
    summaries: tuple[str, ...]
    warnings: tuple[str, ...]
    entries: bool
    pods: bool


def merge_resource(
    resource: t.Mapping[str, t.Any],
    record: t.Mapping[str, t.Any],
    writes: RemoteWrites,
    pod: PodWish,
    place: str,
    *,
    loaded: t.Sequence[LoadedVariables] = (),
    known: KnownFields | None = None,
) -> ResourceChange:
    """Decide. ``known`` is what the operator's definition knows, None where that could not be read.

    Raises Refused for what somebody else meant, FederationError for what this Prometheus can't do.
    """
    spec = resource["spec"]
    version = writes.version or version_of(resource)
    _refuse_external_id(writes, version)
    pods = merge_pod_template(pod_template(resource), pod, place, record, loaded)
    asked = [Asked.of(write, version) for write in writes.entries]
    if known is not None:
        unknown = {bare(path).removeprefix(_QUEUE_PATH) for item in asked for path in _unknown_queue(item, known)}
        asked = [Asked.of(write, version, unknown) for write in writes.entries]
    entries = merge_entries(spec.get(REMOTE_WRITE) or (), asked, dict(record), place)
    labels = merge_labels(
        spec.get(EXTERNAL_LABELS) or {}, writes.external_labels, entries.record, reserved_labels(spec), place
    )
    change = _combined(resource, entries, labels, pods, recorded_change(labels.record, pods))
    return dataclasses.replace(change, warnings=(*writes.version_warnings(version), *change.warnings))


def _unknown_queue(asked: Asked, known: KnownFields) -> tuple[str, ...]:
    return known.unknown({REMOTE_WRITE: [{"queueConfig": asked.full.get("queueConfig", {})}]})


def _refuse_external_id(writes: RemoteWrites, version: PrometheusVersion | None) -> None:
    """Prometheus knows it a release earlier than the operator generates it for, which leaves it out silently."""
    asked = any(write.external_id is not None for write in writes.entries)
    if asked and version is not None and version < EXTERNAL_ID_UNDER_OPERATOR:
        raise FederationError(
            f"prometheus-operator leaves external_id out for Prometheus {version}, because it expects "
            f"{EXTERNAL_ID_UNDER_OPERATOR} for it: update Prometheus first, or leave external_id out."
        )


def _combined(
    resource: t.Mapping[str, t.Any], entries: PartChange, labels: PartChange, pods: PodChange, record: Json
) -> ResourceChange:
    """One change of three. Fields that come about are recorded, so that they can go again."""
    spec = resource["spec"]
    made = frozenset(section_of(record, _FIELDS))
    pod_patch = spec_patch(resource, pods.patch, made)
    patch: Json = dict(pod_patch.patch)
    new = list(pod_patch.made)
    before: Json = dict(pods.before)
    after: Json = dict(pods.after)
    for field, part in ((REMOTE_WRITE, entries), (EXTERNAL_LABELS, labels)):
        if not part.summaries:
            continue
        if part.value or field not in made:
            # A merge patch keeps what it does not name of a mapping, so that what goes is named.
            gone = dict.fromkeys(set(spec.get(field) or {}) - set(part.value)) if field == EXTERNAL_LABELS else {}
            patch[field] = {**part.value, **gone} if field == EXTERNAL_LABELS else part.value
        else:
            patch[field] = None
        if field not in spec:
            new.append(field)
        before |= {field: part.before} if part.before else {}
        after |= {field: part.after} if part.after else {}
    fields = {**section_of(record, _FIELDS), **{name: {WAS: None, SET: True} for name in new}}
    return ResourceChange(
        spec=patch,
        record={**record, _FIELDS: fields},
        before=before,
        after=after,
        summaries=(*entries.summaries, *labels.summaries, *pods.summaries),
        warnings=(*entries.warnings, *labels.warnings, *pods.warnings),
        entries=bool(entries.summaries or labels.summaries),
        pods=bool(pods.patch),
    )


def remove_from_resource(
    resource: t.Mapping[str, t.Any], record: t.Mapping[str, t.Any], url: str | None, place: str
) -> ResourceChange:
    """Decide what of the record is taken back: the entry for ``url``, or all. Warnings say what is kept, and why.

    External labels and the pod's web identity go with the last entry that the collection added.
    """
    spec = resource["spec"]
    removed = remove_entries(spec.get(REMOTE_WRITE) or (), dict(record), url, place)
    entries = removed.change
    present_labels: t.Mapping[str, str] = spec.get(EXTERNAL_LABELS) or {}
    nothing = PodChange("", {}, {}, {}, ())
    if removed.left:
        labels = PartChange(present_labels, entries.record)
        warnings: tuple[str, ...] = ()
        if _of_the_pod(record):
            why = f"it is used by the entry for {removed.left[0]}"
            warnings = (kept(f"The web identity of {place}", why),)
        change = _combined(resource, entries, labels, nothing, labels.record)
        return dataclasses.replace(change, warnings=(*change.warnings, *warnings))
    labels = remove_labels(present_labels, entries.record, place)
    pods = undo_pod_changes(pod_template(resource), _of_the_pod(record), place) if _of_the_pod(record) else nothing
    if _of_the_pod(record) and not pods.summaries:
        pods = dataclasses.replace(pods, summaries=("forget the web identity, which is gone already",))
    change = _combined(resource, entries, labels, pods, labels.record)
    # What is kept of the entries is still ours to remove; all else is forgotten.
    rest = {REMOTE_WRITE: section_of(entries.record, REMOTE_WRITE)}
    return dataclasses.replace(change, record=rest)


def _of_the_pod(record: t.Mapping[str, t.Any]) -> Json:
    """The sections about the pod."""
    others = (REMOTE_WRITE, EXTERNAL_LABELS, _FIELDS)
    return {name: section for name, section in record.items() if name not in others and section_of(record, name)}
