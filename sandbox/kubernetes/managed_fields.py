# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``metadata.managedFields``: who last set which field.

Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management (format ``FieldsV1``). Only
the operation ``Update`` occurs, because this server refuses server-side apply. An entry's time is that of its manager's
last write that set something; who only takes something away leaves no trace, as a real API server shows.
"""

from __future__ import annotations

import dataclasses
import json
import typing as t

from sandbox.kubernetes.listkeys import ATOMIC_STRUCTS, list_keys
from sandbox.kubernetes.schema import FieldType, Free, ListOf, MapOf, Struct, fields_of
from sandbox.world import Json

Path = tuple[str, ...]

_UNTRACKED_ROOT = frozenset({"apiVersion", "kind", "status"})
_UNTRACKED_METADATA = frozenset(
    {
        "name",
        "namespace",
        "selfLink",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "managedFields",
    }
)
_MEMBER = "present"  # what a map or a list item is compared by: its members have paths of their own


@dataclasses.dataclass(frozen=True)
class Manager:
    """Who writes: the client's field manager and, for a write of the status, that subresource."""

    name: str
    subresource: str = ""


def track(model: str, old: Json, new: Json, manager: Manager, now: str) -> list[Json]:
    """The entries after ``manager`` changed ``old`` into ``new`` at ``now`` (RFC 3339)."""
    before, after = _leaves(model, old, manager.subresource), _leaves(model, new, manager.subresource)
    changed = {path for path, value in after.items() if before.get(path) != value}
    removed = before.keys() - after.keys()
    entries = _kept(old, new)
    mine = _entry_of(entries, manager)
    if mine is None and changed:
        mine = _new_entry(new, manager, now)
        entries.append(mine)
    for entry in entries:
        had = _paths(entry["fieldsV1"])
        has = (had | changed) - removed if entry is mine else had - removed - changed
        if has != had:
            entry["fieldsV1"] = _trie(has)
        if entry is mine and changed:
            entry["time"] = now
    kept = [entry for entry in entries if entry["fieldsV1"]]
    return sorted(kept, key=lambda entry: (entry["time"], entry["manager"], entry.get("subresource", "")))


def _kept(old: Json, new: Json) -> list[Json]:
    """Copies of the entries that the write begins with. A single empty entry in the new object resets them all."""
    if new["metadata"].get("managedFields") == [{}]:
        return []
    return [dict(entry) for entry in old.get("metadata", {}).get("managedFields", [])]


def _entry_of(entries: list[Json], manager: Manager) -> Json | None:
    return next(
        (e for e in entries if e["manager"] == manager.name and e.get("subresource", "") == manager.subresource), None
    )


def _new_entry(new: Json, manager: Manager, now: str) -> Json:
    entry: Json = {
        "manager": manager.name,
        "operation": "Update",
        "apiVersion": new["apiVersion"],
        "time": now,
        "fieldsType": "FieldsV1",
        "fieldsV1": {},
    }
    if manager.subresource:
        entry["subresource"] = manager.subresource
    return entry


def _leaves(model: str, value: Json, subresource: str) -> dict[Path, str]:
    """The paths that a write can own, with what they are compared by: the status's or those of all else."""
    leaves: dict[Path, str] = {}
    if subresource:
        tracked = {name: item for name, item in value.items() if name == subresource}
    else:
        tracked = {name: item for name, item in value.items() if name not in _UNTRACKED_ROOT}
    if "metadata" in tracked:
        metadata = tracked["metadata"]
        tracked["metadata"] = {name: item for name, item in metadata.items() if name not in _UNTRACKED_METADATA}
        if not tracked["metadata"]:
            del tracked["metadata"]
    _collect_struct(model, tracked, (), leaves)
    return leaves


def _collect_struct(model: str, value: Json, path: Path, leaves: dict[Path, str]) -> None:
    known = fields_of(model)
    for name, item in value.items():
        _collect(known.get(name, Free()), item, (*path, f"f:{name}"), leaves, owner=(model, name))


def _collect(kind: FieldType, value: t.Any, path: Path, leaves: dict[Path, str], owner: tuple[str, str]) -> None:
    match kind:
        case Struct(model) if value and model not in ATOMIC_STRUCTS:
            _collect_struct(model, value, path, leaves)
        case MapOf():
            leaves[path] = _MEMBER
            for name, item in value.items():
                leaves[*path, f"f:{name}"] = json.dumps(item, sort_keys=True)
        case ListOf(item_type) if list_keys(*owner) is not None:
            leaves[path] = _MEMBER
            for item in value:
                _collect_item(item_type, item, (*path, _item_name(owner, item)), leaves)
        case _:
            leaves[path] = json.dumps(value, sort_keys=True)


def _collect_item(kind: FieldType, item: t.Any, path: Path, leaves: dict[Path, str]) -> None:
    leaves[path] = _MEMBER
    if isinstance(kind, Struct) and isinstance(item, dict):
        _collect_struct(kind.model, item, path, leaves)


def _item_name(owner: tuple[str, str], item: t.Any) -> str:
    keys = list_keys(*owner)
    if keys is None or keys.is_set:
        return f"v:{json.dumps(item)}"
    named = {key: item[key] for key in sorted(keys.apply) if key in item}
    return f"k:{json.dumps(named, separators=(',', ':'))}"


def _paths(fields: Json, path: Path = ()) -> set[Path]:
    """The paths of a FieldsV1 tree."""
    if not fields:
        return {path} if path else set()
    found: set[Path] = set()
    for name, below in fields.items():
        found |= {path} if name == "." else _paths(below, (*path, name))
    return found


def _trie(paths: set[Path]) -> Json:
    """The FieldsV1 tree of these paths; ``.`` stands for a path that has others below it."""
    tree: Json = {}
    for path in sorted(paths):
        node = tree
        for name in path:
            node = node.setdefault(name, {})
    for path in paths:
        node = tree
        for name in path:
            node = node[name]
        if node:
            node["."] = {}
    return _sorted(tree)


def _sorted(tree: Json) -> Json:
    return {name: _sorted(tree[name]) for name in sorted(tree)}
