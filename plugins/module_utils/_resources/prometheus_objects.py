# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prometheus' configuration object and workload: how both are written, and what a write of them means."""

from __future__ import annotations

import dataclasses
import enum
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.gitops import keeper_warning
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import (
    OPERATOR_KINDS,
    ObjectReference,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_record import RECORD_ANNOTATION, read_record
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.pod_environment import (
    LoadedVariables,
    bundles_of,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.pod_template import SourceMount, patched

if t.TYPE_CHECKING:
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube import KubeClient
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import Change
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.kube_patches import Patch
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.prometheus_source import TextSource

Json = dict[str, t.Any]
#: The record's annotation for a JSON merge patch; None removes it.
Annotations = t.Mapping[str, "str | None"]


@dataclasses.dataclass(frozen=True)
class SetText:
    """Replace the configuration's text, and the record with it. ``content`` is the object's part of the patch."""

    content: Json
    annotations: Annotations
    resource_version: str

    def body(self) -> Json:
        return {**_metadata(self.annotations), **self.content}


@dataclasses.dataclass(frozen=True)
class PatchTemplate:
    """Patch the pod template."""

    patch: Json
    annotations: Annotations
    resource_version: str

    def body(self) -> Json:
        template = {"spec": {"template": self.patch}} if self.patch else {}
        return {**_metadata(self.annotations), **template}


Operation: t.TypeAlias = "SetText | PatchTemplate"


def _metadata(annotations: Annotations) -> Json:
    return {"metadata": {"annotations": dict(annotations)}} if annotations else {}


def predicted(found: Json, operation: Patch) -> Json:
    """The object after that write."""
    after = patched(found, operation.body())
    metadata = dict(after["metadata"])
    if metadata.get("annotations") == {}:
        del metadata["annotations"]
    return {**after, "metadata": metadata}


def record_of(found: t.Mapping[str, t.Any]) -> Json:
    """What the collection recorded on an object."""
    return read_record(found["metadata"].get("annotations"))


def has_record(found: t.Mapping[str, t.Any]) -> bool:
    return RECORD_ANNOTATION in (found["metadata"].get("annotations") or {})


def version(found: t.Mapping[str, t.Any]) -> str:
    return str(found["metadata"]["resourceVersion"])


def sentence(place: str, parts: t.Sequence[str]) -> str:
    return f"{place}: {', '.join(parts)}."


def refuse_unwritable(found: t.Mapping[str, t.Any], source: TextSource) -> None:
    """Raises Refused for a ConfigMap or Secret whose text can't be changed."""
    if found.get("immutable"):
        raise errors.Refused(
            f"{source.reference} is immutable, so its {source.key} can't be changed.",
            fix=f"Let Prometheus use a {source.reference.kind.name} that is not, and name that one in "
            f"'{source.option}'.",
        )
    refuse_controlled(found, source.reference)


def refuse_paused(workload: t.Mapping[str, t.Any], reference: ObjectReference) -> None:
    """Raises Refused for a Deployment that is paused: its pods would never get what their template gets."""
    if workload["spec"].get("paused"):
        raise errors.Refused(
            f"{reference} is paused, so its pods would not get the web identity.",
            fix=f"Resume it ('kubectl rollout resume {reference.kind.name.lower()}/{reference.name} "
            f"--namespace {reference.namespace}'), then rerun.",
        )


def refuse_controlled(found: t.Mapping[str, t.Any], reference: ObjectReference) -> None:
    """What a controller generates it also resets, so a change there would not last; nor does one of what goes."""
    if found["metadata"].get("deletionTimestamp"):
        raise errors.Refused(f"{reference} is being deleted.", fix="Rerun when it has been made again.")
    owners = found["metadata"].get("ownerReferences") or ()
    controller = next((owner for owner in owners if owner.get("controller")), None)
    if controller is not None:
        raise errors.Refused(
            f"{reference} is generated from {controller['kind']} {controller['name']}, whose controller would undo a "
            "change of it.",
            fix=_instead(str(controller["kind"]), str(controller["name"])),
        )


def _instead(kind: str, name: str) -> str:
    if kind in OPERATOR_KINDS:
        return f"Change that {kind} instead: workload_kind: {kind}, workload_name: {name}, without a configuration."
    return f"Change that {kind} instead."


def loaded_variables(
    client: KubeClient, container: t.Mapping[str, t.Any], namespace: str | None
) -> tuple[LoadedVariables, ...]:
    """What a container takes from whole ConfigMaps and Secrets; what can't be read is told with the missing right."""
    loaded: list[LoadedVariables] = []
    for bundle in bundles_of(container, namespace):
        try:
            loaded.append(LoadedVariables(bundle, bundle.names_in(client.get(bundle.reference))))
        except errors.Forbidden as error:
            loaded.append(LoadedVariables(bundle, None, error.fix))
    return tuple(loaded)


def keeper_warnings(
    changes: t.Iterable[Change[t.Any]], found: t.Mapping[ObjectReference, t.Mapping[str, t.Any] | None]
) -> list[str]:
    """Which of the changed objects a tool keeps as they are declared elsewhere."""
    changed = {(change.kind, change.name) for change in changes}
    warnings = [
        keeper_warning(item, reference)
        for reference, item in found.items()
        if item is not None and (reference.kind.name, reference.full_name) in changed
    ]
    return [warning for warning in warnings if warning is not None]


class Rollout(enum.Enum):
    """What the changes mean for the running Prometheus."""

    RESTART = "restart"  # the workload replaces its pods by itself
    RELOAD = "reload"
    NONE = "none"


def rollout(changes: t.Iterable[Change[t.Any]]) -> Rollout:
    """What these changes mean for the running Prometheus."""
    operations = [change.operation for change in changes]
    if any(isinstance(operation, PatchTemplate) and operation.patch for operation in operations):
        return Rollout.RESTART
    if any(isinstance(operation, SetText) and operation.content for operation in operations):
        return Rollout.RELOAD
    return Rollout.NONE


def rollout_warnings(
    reference: ObjectReference,
    workload: t.Mapping[str, t.Any],
    consequence: Rollout,
    mount: SourceMount,
    *,
    seen_to: bool = False,
) -> list[str]:
    """What somebody has to do so that the running Prometheus follows; ``seen_to`` when the run has it reloaded."""
    warnings: list[str] = []
    if consequence is Rollout.RELOAD and not seen_to:
        advice = "unless a config reloader does it, reload Prometheus when its pods see the new file, in about a minute"
        if mount is SourceMount.SINGLE_FILE:
            advice = "restart its pods, because a file mounted by subPath does not follow its source"
        warnings.append(f"Only the configuration of {reference} changes, so its pods are not replaced: {advice}.")
    spec = workload["spec"]
    if consequence is Rollout.RESTART and spec.get("paused"):
        warnings.append(f"{reference} is paused: its pods are replaced when it is resumed.")
    partition = ((spec.get("updateStrategy") or {}).get("rollingUpdate") or {}).get("partition")
    if consequence is Rollout.RESTART and partition:
        warnings.append(
            f"{reference} has the update partition {partition}: its pods with lower numbers are not replaced."
        )
    if consequence is Rollout.RESTART and (spec.get("updateStrategy") or {}).get("type") == "OnDelete":
        warnings.append(f"{reference} has the update strategy OnDelete: delete its pods to have them replaced.")
    return warnings
