# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Patches of Kubernetes objects: written under the precondition of what was read, or rehearsed by the API server."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube import Access
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import NAMESPACE, ObjectReference

if t.TYPE_CHECKING:
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube import KubeClient

Json = dict[str, t.Any]

#: Of a webhook with side effects (k8s.io/apiserver, pkg/admission/plugin/webhook/errors).
_NO_DRY_RUN = "does not support dry run"
_SHOWN_PATHS = 5
#: What the API server keeps itself with each write.
_BOOKKEEPING = frozenset({"resourceVersion", "generation", "managedFields"})
_BOOKKEEPING_ANNOTATIONS = frozenset({"deprecated.daemonset.template.generation"})


class Patch(t.Protocol):
    """A write of a part of an object. ``resource_version`` is that of the object that was read."""

    @property
    def resource_version(self) -> str:
        """The version that was read."""

    def body(self) -> Json:
        """The JSON merge patch, without the version."""


def write(client: KubeClient, reference: ObjectReference, operation: Patch, *, strict: bool = False) -> Json:
    """Execute under the precondition of the version that was read, and give the object as it is then.

    With ``strict`` a field that the API server does not know is refused instead of dropped.
    """
    return client.merge_patch(reference, operation.body(), resource_version=operation.resource_version, strict=strict)


@dataclasses.dataclass(frozen=True)
class Rehearsal:
    """The object as a write would leave it, and what is to be said about that."""

    found: Json
    warnings: tuple[str, ...] = ()


def rehearse(
    client: KubeClient, reference: ObjectReference, operation: Patch, expected: Json, *, strict: bool = False
) -> Rehearsal:
    """Let the API server do a write, admission included, without storing it; ``expected`` is the plan's prediction.

    Raises what the API server refuses, Conflict when another writer was faster. Somebody who may not write at all is
    warned only, since reading what would change is of use without that right.
    """
    try:
        found = client.merge_patch(
            reference, operation.body(), resource_version=operation.resource_version, dry_run=True, strict=strict
        )
    except errors.Forbidden as error:
        right = Access.to("patch", reference)
        if client.may(right):
            raise
        return Rehearsal(
            expected, (f"The change of {reference} could not be rehearsed and can't be made: {error.fix}",)
        )
    except errors.CloudError as error:
        if _NO_DRY_RUN not in error.detail:
            raise
        return Rehearsal(expected, (f"The change of {reference} could not be rehearsed: {error.detail}.",))
    return Rehearsal(found, _unexpected(reference, expected, found))


def _unexpected(reference: ObjectReference, expected: Json, found: Json) -> tuple[str, ...]:
    """What the API server would change beyond the plan; by place only, since a value may be a secret."""
    places = list(_differences(_content(expected), _content(found), ""))
    if not places:
        return ()
    more = f" and {len(places) - _SHOWN_PATHS} more" if len(places) > _SHOWN_PATHS else ""
    shown = f"{', '.join(places[:_SHOWN_PATHS])}{more}"
    return (f"The cluster's admission would change more of {reference} than is asked for: {shown}.",)


def _content(found: Json) -> Json:
    metadata = {name: value for name, value in found["metadata"].items() if name not in _BOOKKEEPING}
    annotations = metadata.pop("annotations", None) or {}
    metadata["annotations"] = {k: v for k, v in annotations.items() if k not in _BOOKKEEPING_ANNOTATIONS}
    return {**{name: value for name, value in found.items() if name != "status"}, "metadata": metadata}


def _differences(one: object, other: object, place: str) -> t.Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted({*one, *other}):
            yield from _differences(one.get(name), other.get(name), f"{place}.{name}" if place else str(name))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (item, counterpart) in enumerate(zip(one, other, strict=True)):
            yield from _differences(item, counterpart, f"{place}[{index}]")
    elif one != other:
        yield place


def require_living_namespace(client: KubeClient, namespace: str | None) -> None:
    """Raises Refused for a namespace that is being deleted: what is changed there goes, and no pod starts any more.

    An API server refuses only what is created there. Without the right to read namespaces nothing is known.
    """
    if namespace is None:
        return
    reference = NAMESPACE.at(namespace)
    try:
        found = client.get(reference)
    except errors.Forbidden:
        return
    if found is not None and (found["metadata"].get("deletionTimestamp") or _phase(found) == "Terminating"):
        raise errors.Refused(
            f"{reference} is being deleted, so nothing is changed in it.",
            fix="Rerun when it is gone and made again, or use another one.",
        )


def _phase(namespace: t.Mapping[str, t.Any]) -> str:
    return str((namespace.get("status") or {}).get("phase") or "")
