# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What takes the writes of a run back from an object, and nothing else; pure.

An object is compared as it was before this run's write and as it was answered after it. Only where these differ is
anything put back, and only while it is still as this run wrote it.
"""

from __future__ import annotations

import dataclasses
import enum
import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import ObjectReference

Json = dict[str, t.Any]

#: What people write of an object; the rest is the server's and its controllers'.
_PARTS = ("data", "binaryData", "spec")
_METADATA_PARTS = ("annotations", "labels")
#: Annotations that controllers keep.
_OF_CONTROLLERS = ("deployment.kubernetes.io/", "deprecated.daemonset.template.generation")


class _Missing(enum.Enum):
    MISSING = "missing"


@dataclasses.dataclass(frozen=True)
class Written:
    """An object that a run has written: before its first write, and after its last."""

    reference: ObjectReference
    before: Json
    after: Json


def undo_patch(written: Written) -> Json:
    """The JSON merge patch that makes of the object after the run what it was before; empty without a difference."""
    return _difference(_own(written.after), _own(written.before))


def is_untouched(now: t.Mapping[str, t.Any], written: Written) -> bool:
    """Whether nobody has changed since what the run had changed. Other parts of the object may have changed."""
    if now["metadata"].get("uid") != written.after["metadata"].get("uid"):
        return False
    return _unchanged(_own(now), _own(written.after), _own(written.before))


def _own(found: t.Mapping[str, t.Any]) -> Json:
    metadata: Json = {}
    for part in _METADATA_PARTS:
        values = found["metadata"].get(part) or {}
        metadata[part] = {name: value for name, value in values.items() if not name.startswith(_OF_CONTROLLERS)}
    return {"metadata": metadata, **{part: found.get(part) or {} for part in _PARTS}}


def _difference(source: Json, target: Json) -> Json:
    patch: Json = {}
    for name in [*target, *(name for name in source if name not in target)]:
        old, new = source.get(name), target.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            inner = _difference(old, new)
            if inner:
                patch[name] = inner
        elif name not in target:
            patch[name] = None
        elif old != new or name not in source:
            patch[name] = new
    return patch


def _unchanged(now: t.Any, after: t.Any, before: t.Any) -> bool:
    if after == before:
        return True
    if isinstance(after, dict) and isinstance(before, dict):
        found = now if isinstance(now, dict) else {}
        names = {*after, *before}
        missing = _Missing.MISSING
        return all(
            _unchanged(found.get(name, missing), after.get(name, missing), before.get(name, missing)) for name in names
        )
    return bool(now == after)
