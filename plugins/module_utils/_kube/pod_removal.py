# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The web identity taken out of a pod template again, by the record of what was put into it.

Only what is still as it was set is undone; what somebody changed since, or uses elsewhere in the pod, stays.
"""

from __future__ import annotations

import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_record import (
    SET,
    WAS,
    forgotten,
    kept,
    noted,
    section_of,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.pod_template import PodChange

Json = dict[str, t.Any]

_POD = "pod"
_LABELS = "labels"
_VOLUMES = "volumes"
_ENV = "env"
_MOUNTS = "volumeMounts"
_ACCOUNT = "serviceAccountName"
_CHANGED = "it was changed since"


def recorded_change(record: t.Mapping[str, t.Any], change: PodChange) -> Json:
    """The record with one more change of the pod template."""
    before, after = _sections(change.before), _sections(change.after)
    new = dict(record)
    for section, values in before.items():
        for name in values.keys() - after.get(section, {}).keys():
            new = forgotten(new, section, name)
    for section, values in after.items():
        for name, value in values.items():
            new = noted(new, section, name, was=before.get(section, {}).get(name), to=value)
    return new


def _sections(shown: t.Mapping[str, t.Any]) -> dict[str, Json]:
    """The parts of a change by the record's sections; those of a container carry its name."""
    sections = {_LABELS: dict(shown[_LABELS])} if _LABELS in shown else {}
    if _VOLUMES in shown:
        # The API server fills in a mode, which is none of ours.
        sections[_VOLUMES] = {name: projected["sources"] for name, projected in shown[_VOLUMES].items()}
    if _ACCOUNT in shown:
        sections[_POD] = {_ACCOUNT: shown[_ACCOUNT]}
    for container, parts in (shown.get("containers") or {}).items():
        sections |= {f"{name}/{container}": dict(values) for name, values in parts.items()}
    return sections


def undo_pod_changes(template: t.Mapping[str, t.Any], record: t.Mapping[str, t.Any], place: str) -> PodChange:
    """Decide. ``place`` names the workload for messages; warnings say what of the record is kept, and why."""
    undoing = _Undoing(template, record, place)
    undoing.service_account()
    for section in record:
        part, _unused, container = section.partition("/")
        if part == _ENV:
            undoing.variables(section, container)
        elif part == _MOUNTS:
            undoing.mounts(section, container)
    undoing.volumes()
    undoing.labels()
    return undoing.change()


class _Undoing:
    """Collects what is put back in one template."""

    def __init__(self, template: t.Mapping[str, t.Any], record: t.Mapping[str, t.Any], place: str) -> None:
        self._spec: t.Mapping[str, t.Any] = template["spec"]
        self._present_labels: dict[str, str] = dict((template.get("metadata") or {}).get("labels") or {})
        self._record = record
        self._place = place
        self._containers: dict[str, Json] = {item["name"]: dict(item) for item in self._spec["containers"]}
        self._spec_patch: Json = {}
        self._label_patch: Json = {}
        self._changed_containers: set[str] = set()
        self._before: Json = {}
        self._after: Json = {}
        self._summaries: list[str] = []
        self._kept: list[str] = []

    def service_account(self) -> None:
        entry = section_of(self._record, _POD).get(_ACCOUNT)
        if entry is None:
            return
        present = self._spec.get(_ACCOUNT)
        if present != entry[SET]:
            self._keep("The service account", f"it is {present or 'default'} by now")
            return
        # Its deprecated mirror alone would bring it back.
        self._spec_patch |= dict.fromkeys((_ACCOUNT, "serviceAccount"), entry[WAS])
        self._note((_ACCOUNT,), present, entry[WAS])
        self._summaries.append(f"run as the service account {entry[WAS] or 'default'} again")

    def variables(self, section: str, container: str) -> None:
        found = self._containers.get(container)
        if found is None:
            return
        variables: list[Json] = list(found.get(_ENV) or [])
        for name, entry in section_of(self._record, section).items():
            present = next((item for item in reversed(variables) if item["name"] == name), None)
            if present is None:
                continue
            if present.get("valueFrom") or present.get("value", "") != entry[SET]:
                self._keep(f"The variable {name} in the container {container}", _CHANGED)
                continue
            put_back = [] if entry[WAS] is None else [{"name": name, "value": entry[WAS]}]
            at = next(index for index, item in enumerate(variables) if item is present)
            variables[at : at + 1] = put_back
            self._note(("containers", container, _ENV, name), entry[SET], entry[WAS])
            verb = "remove" if entry[WAS] is None else f"set back to {entry[WAS] or 'empty'}"
            self._summaries.append(f"{verb} {name}")
            self._replace_list(container, _ENV, variables)

    def mounts(self, section: str, container: str) -> None:
        found = self._containers.get(container)
        if found is None:
            return
        mounts: list[Json] = list(found.get(_MOUNTS) or [])
        for path, entry in section_of(self._record, section).items():
            ours = [m for m in mounts if m["mountPath"].rstrip("/") == path and m["name"] == entry[SET]]
            if not ours:
                continue
            mounts = [mount for mount in mounts if mount not in ours]
            self._note(("containers", container, _MOUNTS, path), entry[SET], None)
            self._summaries.append(f"no longer mount {path}")
            self._replace_list(container, _MOUNTS, mounts)

    def volumes(self) -> None:
        volumes: list[Json] = list(self._spec.get(_VOLUMES) or [])
        for name, entry in section_of(self._record, _VOLUMES).items():
            present = next((volume for volume in volumes if volume["name"] == name), None)
            if present is None:
                continue
            projected = present.get("projected") or {}
            if projected.get("sources") != entry[SET]:
                self._keep(f"The volume {name}", _CHANGED)
                continue
            users = self._who_mounts(name)
            if users:
                self._keep(f"The volume {name}", f"it is mounted by {', '.join(users)}")
                continue
            restored = None if entry[WAS] is None else {**projected, "sources": entry[WAS]}
            put_back = [] if restored is None else [{**present, "projected": restored}]
            at = volumes.index(present)
            volumes = [*volumes[:at], *put_back, *volumes[at + 1 :]]
            self._spec_patch[_VOLUMES] = volumes or None
            self._note((_VOLUMES, name), projected, restored)
            self._summaries.append(f"{'remove' if restored is None else 'set back'} the volume {name}")

    def _who_mounts(self, volume: str) -> list[str]:
        """The containers that still mount a volume which goes. One that is only set back stays mounted."""
        if section_of(self._record, _VOLUMES)[volume][WAS] is not None:
            return []
        containers = (*self._containers.values(), *(self._spec.get("initContainers") or ()))
        return [
            str(container["name"])
            for container in containers
            if any(mount["name"] == volume for mount in container.get(_MOUNTS) or ())
        ]

    def labels(self) -> None:
        for name, entry in section_of(self._record, _LABELS).items():
            present = self._present_labels.get(name)
            if present is not None and present != entry[SET]:
                self._keep(f"The pods' label {name}", _CHANGED)
            elif present is not None:
                self._label_patch[name] = entry[WAS]
                self._note((_LABELS, name), present, entry[WAS])
                self._summaries.append(f"{'remove' if entry[WAS] is None else 'set back'} the pods' label {name}")

    def change(self) -> PodChange:
        patch: Json = {}
        if self._changed_containers:
            self._spec_patch["containers"] = [self._containers[item["name"]] for item in self._spec["containers"]]
        if self._spec_patch:
            patch["spec"] = self._spec_patch
        if self._label_patch:
            patch["metadata"] = {"labels": self._label_patch}
        names = ", ".join(sorted(self._changed_containers))
        return PodChange(names, patch, self._before, self._after, tuple(self._summaries), tuple(self._kept))

    def _replace_list(self, container: str, part: str, items: list[Json]) -> None:
        """A list that becomes empty goes: the API server keeps no empty ones."""
        found = self._containers[container]
        self._containers[container] = {key: value for key, value in found.items() if key != part or items}
        if items:
            self._containers[container][part] = items
        self._changed_containers.add(container)

    def _keep(self, what: str, why: str) -> None:
        self._kept.append(kept(f"{what} of {self._place}", why))

    def _note(self, path: tuple[str, ...], before: object, after: object) -> None:
        for tree, value in ((self._before, before), (self._after, after)):
            if value is None:
                continue
            place = tree
            for name in path[:-1]:
                place = place.setdefault(name, {})
            place[path[-1]] = value
