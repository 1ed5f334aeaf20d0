# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How prometheus-operator's ``Prometheus`` and ``PrometheusAgent`` say what Prometheus and a pod template say; pure.

The operator spells Prometheus' settings in camelCase, a few of them otherwise. It merges ``spec.containers`` by name
into the containers that it makes, and adds ``spec.volumes`` and ``spec.volumeMounts`` to the pod and its Prometheus.
https://prometheus-operator.dev/docs/api-reference/api/
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import (
    DAEMON_SET,
    PROMETHEUS_AGENT,
    STATEFUL_SET,
    ObjectReference,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.pod_template import PROMETHEUS, patched
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus_versions import (
    NotAVersion,
    PrometheusVersion,
)

Json = dict[str, t.Any]

#: Settings that the operator spells otherwise than in plain camelCase.
_SPELLED: t.Final = {
    "external_id": "externalID",
    "use_fips_sts_endpoint": "useFIPSSTSEndpoint",
    "retry_on_http_429": "retryOnRateLimit",
}
#: Settings of a relabeling rule that Prometheus takes in any scalar form, and the operator as texts only.
_TEXTS: t.Final = frozenset({"separator", "target_label", "regex", "replacement", "action"})
#: The operator generates ``external_id`` for these versions of Prometheus, which is later than they know it.
EXTERNAL_ID_UNDER_OPERATOR: t.Final = PrometheusVersion(3, 11)


# Entries of remoteWrite -----------------------------------------------------------------------------------------------


def operator_entry(entry: t.Mapping[str, t.Any]) -> Json:
    """An entry of ``remoteWrite`` from one of Prometheus' ``remote_write``."""
    return {field_name(name): _value(name, value) for name, value in entry.items()}


def field_name(setting: str) -> str:
    """The operator's field for a setting of Prometheus."""
    if setting in _SPELLED:
        return _SPELLED[setting]
    return re.sub("_([a-z0-9])", lambda match: match[1].upper(), setting)


def _value(name: str, value: object) -> object:
    if isinstance(value, t.Mapping):
        return operator_entry(value)
    if name == "write_relabel_configs" and isinstance(value, list):
        return [{field_name(key): _rule_value(key, item) for key, item in rule.items()} for rule in value]
    return value


def _rule_value(name: str, value: object) -> object:
    if name not in _TEXTS:
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)


# The resource ---------------------------------------------------------------------------------------------------------


def generated_workloads(reference: ObjectReference, resource: t.Mapping[str, t.Any]) -> tuple[ObjectReference, ...]:
    """The workloads that the operator makes: a StatefulSet for each shard, or an agent's DaemonSet."""
    agent = reference.kind == PROMETHEUS_AGENT
    base = f"{'prom-agent' if agent else 'prometheus'}-{reference.name}"
    spec = resource["spec"]
    if is_daemon_set(resource):
        return (DAEMON_SET.at(base, reference.namespace),)
    names = [base, *(f"{base}-shard-{number}" for number in range(1, int(spec.get("shards") or 1)))]
    return tuple(STATEFUL_SET.at(name, reference.namespace) for name in names)


def is_daemon_set(resource: t.Mapping[str, t.Any]) -> bool:
    """Whether an agent runs on every node (``spec.mode``)."""
    return bool(resource["spec"].get("mode") == "DaemonSet")


def version_of(resource: t.Mapping[str, t.Any]) -> PrometheusVersion | None:
    """The Prometheus that a resource asks for; None when it leaves it to the operator or does not tell.

    Where ``spec.version``, by which the operator writes the configuration, and the image differ, the older one limits
    what may be asked for.
    """
    spec = resource["spec"]
    found = [PrometheusVersion.of_image(str(spec.get("image") or ""))]
    for field in ("version", "tag"):
        try:
            found.append(PrometheusVersion.parse(str(spec[field])) if spec.get(field) else None)
        except NotAVersion:
            return None
    known = [version for version in found if version is not None]
    return min(known) if known else None


# The pod --------------------------------------------------------------------------------------------------------------


def pod_template(resource: t.Mapping[str, t.Any]) -> Json:
    """What of the pod template the resource says, as a pod template: the rest of it is the operator's own."""
    spec = resource["spec"]
    containers: list[Json] = list(spec.get("containers") or ())
    own = _prometheus_in(containers) or {"name": PROMETHEUS}
    mounts = [*(spec.get("volumeMounts") or ()), *(own.get("volumeMounts") or ())]
    prometheus = {**own, **({"volumeMounts": mounts} if mounts else {})}
    others = [container for container in containers if container is not own]
    pod: Json = {"containers": [prometheus, *others]}
    for field in ("initContainers", "volumes", "serviceAccountName"):
        if spec.get(field):
            pod[field] = spec[field]
    return {"metadata": dict(spec.get("podMetadata") or {}), "spec": pod}


def _prometheus_in(containers: t.Iterable[Json]) -> Json | None:
    return next((container for container in containers if container["name"] == PROMETHEUS), None)


@dataclasses.dataclass(frozen=True)
class SpecPatch:
    """A JSON merge patch of the resource's ``spec``. ``made`` are fields that come about by it, and ``containers/
    prometheus`` when that entry does: what is made goes again when it is empty."""

    patch: Json
    made: tuple[str, ...] = ()


#: The name under which the entry of the container is made.
OWN_CONTAINER: t.Final = f"containers/{PROMETHEUS}"
_LABELS: t.Final = "podMetadata/labels"


def spec_patch(resource: t.Mapping[str, t.Any], change: t.Mapping[str, t.Any], made: frozenset[str]) -> SpecPatch:
    """The patch of the resource that a patch of its pod template amounts to. ``made`` are fields that the collection
    made earlier."""
    return _PodPatch(resource["spec"], change, made).result()


class _PodPatch:
    """Finds for each part of a pod template its place in the resource."""

    def __init__(self, spec: t.Mapping[str, t.Any], change: t.Mapping[str, t.Any], made: frozenset[str]) -> None:
        self._spec = spec
        self._pod: t.Mapping[str, t.Any] = change.get("spec") or {}
        self._labels: t.Mapping[str, t.Any] | None = (change.get("metadata") or {}).get("labels")
        self._made = made
        self._patch: Json = {}
        self._new: list[str] = []

    def result(self) -> SpecPatch:
        if "serviceAccountName" in self._pod:
            self._patch["serviceAccountName"] = self._pod["serviceAccountName"]
        if "volumes" in self._pod:
            self._set("volumes", self._pod["volumes"] or [])
        if "containers" in self._pod:
            self._set_container()
        if self._labels is not None:
            self._set_labels(self._labels)
        return SpecPatch(self._patch, tuple(self._new))

    def _set(self, field: str, items: list[Json]) -> None:
        """A list that was there stays, even when it is empty: of a custom object the API server keeps such lists."""
        if items and field not in self._spec:
            self._new.append(field)
        self._patch[field] = None if not items and field in self._made else items

    def _set_container(self) -> None:
        containers: list[Json] = list(self._spec.get("containers") or ())
        own = _prometheus_in(containers)
        changed = _prometheus_in(self._pod["containers"]) or {}
        own_mounts: list[Json] = list((own or {}).get("volumeMounts") or ())
        mounts: list[Json] = list(changed.get("volumeMounts") or ())
        present: list[Json] = list(self._spec.get("volumeMounts") or ())
        outer: list[Json] = []
        for mount in mounts:  # one that stands in both lists is in the pod twice, and stays in both
            if mount not in outer and (mount in present or mount not in own_mounts):
                outer.append(mount)
        if outer != present:
            self._set("volumeMounts", outer)
        entry = {key: value for key, value in changed.items() if key != "volumeMounts"}
        inner = [mount for mount in own_mounts if mount in mounts]
        entry |= {"volumeMounts": inner} if inner else {}
        if entry != (own or {"name": PROMETHEUS}):
            self._replace(containers, own, entry)

    def _replace(self, containers: list[Json], own: Json | None, entry: Json) -> None:
        if own is None:
            self._new.append(OWN_CONTAINER)
            self._set("containers", [*containers, entry])
            return
        gone = entry == {"name": PROMETHEUS} and OWN_CONTAINER in self._made
        kept = [entry if item is own else item for item in containers if not (gone and item is own)]
        self._set("containers", kept)

    def _set_labels(self, labels: t.Mapping[str, t.Any]) -> None:
        metadata: Json = dict(self._spec.get("podMetadata") or {})
        if "podMetadata" not in self._spec:
            self._new.append("podMetadata")
        elif "labels" not in metadata:
            self._new.append(_LABELS)
        after = patched(metadata, {"labels": labels})
        if after["labels"]:
            self._patch["podMetadata"] = {"labels": dict(labels)}
        elif "podMetadata" in self._made and set(after) == {"labels"}:
            self._patch["podMetadata"] = None
        else:
            made = not self._made.isdisjoint(("podMetadata", _LABELS))
            self._patch["podMetadata"] = {"labels": None if made else dict(labels)}
