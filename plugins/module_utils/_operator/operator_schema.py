# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which fields a cluster's prometheus-operator knows, by the CustomResourceDefinition that it came with; pure.

The API server drops a field that the definition does not name, without a word unless it is told to be strict.
https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#field-pruning
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.json_text import parse_json

Json = dict[str, t.Any]

#: What newer releases of the operator write on their definitions.
_RELEASE: t.Final = "operator.prometheus.io/version"
_LAST_APPLIED: t.Final = "kubectl.kubernetes.io/last-applied-configuration"
_OPEN: t.Final = "x-kubernetes-preserve-unknown-fields"

#: The first release of the operator with a field, by the operator's changelog; paths have no indexes.
FIRST_OPERATORS: t.Final[t.Mapping[str, str]] = {
    "spec.volumes": "0.32.0",
    "spec.volumeMounts": "0.38.0",
    "spec.remoteWrite.sigv4": "0.52.0",
    "spec.remoteWrite.queueConfig.retryOnRateLimit": "0.53.0",
    "spec.remoteWrite.sigv4.useFIPSSTSEndpoint": "0.86.0",
    "spec.remoteWrite.sigv4.externalID": "0.91.0",
}
_STRICT = re.compile(r"unknown field \"([^\"]+)\"")


@dataclasses.dataclass(frozen=True)
class KnownFields:
    """The fields of a resource. ``release`` is the operator's, empty where the definition does not tell."""

    schema: t.Mapping[str, t.Any]
    release: str = ""

    @classmethod
    def of_definition(cls, found: t.Mapping[str, t.Any], api_version: str) -> KnownFields | None:
        """From a definition, for an API version such as ``monitoring.coreos.com/v1``; None without a schema."""
        name = api_version.rpartition("/")[2]
        version: Json = next((item for item in found["spec"].get("versions") or () if item["name"] == name), {})
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        release = (found["metadata"].get("annotations") or {}).get(_RELEASE, "")
        return cls(schema, str(release)) if isinstance(schema, dict) else None

    def unknown(self, value: t.Mapping[str, t.Any]) -> tuple[str, ...]:
        """The paths in a resource's ``spec`` that the definition does not name, such as ``spec.volumes[0].x``."""
        return tuple(_unknown(_below(_below(self.schema, "properties"), "spec"), value, "spec"))


def _below(schema: t.Mapping[str, t.Any], name: str) -> t.Mapping[str, t.Any]:
    """A part of a schema; without fields where there is none, or where it is none."""
    part = schema.get(name)
    return part if isinstance(part, dict) else {}


def _unknown(schema: t.Mapping[str, t.Any], value: object, path: str) -> t.Iterator[str]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unknown(_below(schema, "items"), item, f"{path}[{index}]")
    others = schema.get("additionalProperties")
    if not isinstance(value, dict) or (not isinstance(schema.get("properties"), dict) and others is None):
        return
    properties = _below(schema, "properties")
    for name, item in value.items():
        below = properties.get(name, others)
        if isinstance(below, dict):
            yield from _unknown(below, item, f"{path}.{name}")
        elif not below and not schema.get(_OPEN):
            yield f"{path}.{name}"


def bare(path: str) -> str:
    """A path without indexes."""
    return re.sub(r"\[\d+\]", "", path)


def refuse_unknown(paths: t.Sequence[str], kind: str, release: str = "") -> None:
    """Raises Refused for fields that the operator's definition of a kind does not know."""
    if not paths:
        return
    fields = list(dict.fromkeys(bare(path) for path in paths))
    needed = [FIRST_OPERATORS[field] for field in fields if field in FIRST_OPERATORS]
    newest = max(needed, key=_numbers) if needed else ""
    installed = f" (it is of prometheus-operator {release})" if release else ""
    since = f"prometheus-operator {newest} or later" if newest else "a later release of prometheus-operator"
    raise errors.Refused(
        f"The cluster's definition of {kind} does not know {', '.join(fields)}{installed}, so the API server would "
        "drop that.",
        fix=f"Update the operator and its CustomResourceDefinitions to {since}, or do without that setting.",
    )


def _numbers(release: str) -> tuple[int, ...]:
    return tuple(int(number) for number in release.split("."))


def unknown_in_refusal(message: str) -> tuple[str, ...]:
    """The fields that the API server names when it is strict (k8s.io/apimachinery, runtime.StrictDecodingError)."""
    return tuple(dict.fromkeys(_STRICT.findall(message)))


def dropped_fields(resource: t.Mapping[str, t.Any], known: KnownFields) -> tuple[str, ...]:
    """Fields of ``spec`` that a manifest named when kubectl applied it, and that the definition does not know."""
    annotations = resource["metadata"].get("annotations") or {}
    try:
        applied = parse_json(str(annotations.get(_LAST_APPLIED) or "{}"))
    except ValueError:
        return ()
    spec = applied.get("spec") if isinstance(applied, dict) else None
    return known.unknown(spec) if isinstance(spec, dict) else ()
