# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The three kinds of patch that the server applies: RFC 7386, RFC 6902 and Kubernetes' strategic merge patch."""

from __future__ import annotations

import copy
import typing as t

import jsonpatch
import jsonpointer

from sandbox.kubernetes import errors
from sandbox.kubernetes.listkeys import list_keys
from sandbox.kubernetes.schema import FieldType, Free, ListOf, MapOf, Struct, fields_of
from sandbox.world import Json

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
PATCH_TYPES = (JSON_PATCH, MERGE, STRATEGIC)

_MAX_OPERATIONS = 10000
_DIRECTIVE = "$patch"
_RETAIN = "$retainKeys"
_ORDER = "$setElementOrder/"
_DELETE_PLAIN = "$deleteFromPrimitiveList/"


def apply_patch(content_type: str, model: str, current: Json, patch: t.Any) -> Json:
    """The object after the patch; ``current`` stays as it is.

    :raises ApiError: the patch is malformed (400), too long (413) or cannot be carried out (422).
    """
    if content_type == JSON_PATCH:
        return apply_json_patch(current, patch)
    if not isinstance(patch, dict):
        raise errors.bad_request(
            "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}"
        )
    if content_type == MERGE:
        merged = apply_merge_patch(current, patch)
        return merged if isinstance(merged, dict) else {}
    return apply_strategic_patch(model, current, patch)


def apply_merge_patch(target: t.Any, patch: t.Any) -> t.Any:
    """RFC 7386, section 2: null removes, objects merge, everything else replaces."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = apply_merge_patch(result.get(name), value)
    return copy.deepcopy(result)


def apply_json_patch(target: Json, patch: t.Any) -> Json:
    """RFC 6902."""
    if not isinstance(patch, list) or not all(_is_operation(entry) for entry in patch):
        raise errors.bad_request(
            "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"
        )
    if len(patch) > _MAX_OPERATIONS:
        raise errors.entity_too_large(
            f"The allowed maximum operations in a JSON patch is {_MAX_OPERATIONS}, got {len(patch)}"
        )
    try:
        result = jsonpatch.apply_patch(target, patch)
    except jsonpatch.InvalidJsonPatch as error:
        raise errors.bad_request(f"error decoding patch: {error}") from error
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException) as error:
        raise errors.unprocessable() from error
    if not isinstance(result, dict):
        raise errors.unprocessable()
    return result


def _is_operation(entry: t.Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("op"), str) and isinstance(entry.get("path"), str)


def apply_strategic_patch(model: str, current: Json, patch: Json) -> Json:
    """A patch whose lists merge by the keys of their types, with ``$patch`` and its kin.

    Source: https://kubernetes.io/docs/reference/using-api/api-concepts/ and the design note "strategic merge patch"
    of kubernetes/community.
    """
    return _merge_struct(Struct(model), copy.deepcopy(current), copy.deepcopy(patch))


def _merge_struct(kind: FieldType, original: Json, patch: Json) -> Json:
    directive = patch.pop(_DIRECTIVE, "merge")
    if directive == "replace":
        return patch
    if directive == "delete":
        return {}
    if directive != "merge":
        raise errors.bad_request(f"Unknown patch type found: {directive}")
    _retain_keys(original, patch)
    orders = {name: patch.pop(name) for name in list(patch) if name.startswith(_ORDER)}
    for name in [name for name in patch if name.startswith(_DELETE_PLAIN)]:
        _delete_plain(original, name.removeprefix(_DELETE_PLAIN), patch.pop(name))
    for name, value in patch.items():
        if value is None:
            original.pop(name, None)
        else:
            original[name] = _merge_field(kind, name, original.get(name), value)
    for name, order in orders.items():
        _reorder(kind, original, name.removeprefix(_ORDER), order)
    return original


def _retain_keys(original: Json, patch: Json) -> None:
    if _RETAIN not in patch:
        return
    retained = patch.pop(_RETAIN)
    if not isinstance(retained, list):
        raise errors.bad_request("invalid patch format of retainKeys")
    if any(name not in retained for name, value in patch.items() if value is not None and not name.startswith("$")):
        raise errors.unprocessable()
    for name in [name for name in original if name not in retained]:
        del original[name]


def _delete_plain(original: Json, name: str, values: t.Any) -> None:
    if not isinstance(values, list):
        raise errors.bad_request("invalid patch format of primitive list")
    if isinstance(original.get(name), list):
        original[name] = [item for item in original[name] if item not in values]


def _merge_field(kind: FieldType, name: str, original: t.Any, patch: t.Any) -> t.Any:
    if isinstance(patch, dict):
        return _merge_struct(_type_of(kind, name), original if isinstance(original, dict) else {}, patch)
    if isinstance(patch, list):
        return _merge_list(kind, name, original if isinstance(original, list) else [], patch)
    return patch


def _type_of(kind: FieldType, name: str) -> FieldType:
    match kind:
        case Struct(model):
            return fields_of(model).get(name, Free())
        case MapOf(value):
            return value
        case _:
            return kind


def _merge_list(kind: FieldType, name: str, original: list[t.Any], patch: list[t.Any]) -> list[t.Any]:
    keys = list_keys(kind.model, name) if isinstance(kind, Struct) else None
    if keys is None:
        return patch
    if keys.is_set:
        return original + [item for item in patch if item not in original]
    field = _type_of(kind, name)
    item_type = field.item if isinstance(field, ListOf) else field
    if any(isinstance(item, dict) and item.get(_DIRECTIVE) == "replace" for item in patch):
        return [item for item in patch if _DIRECTIVE not in item]
    for item in patch:
        original = _merge_item(item_type, keys.patch, original, item)
    return original


def _merge_item(item_type: FieldType, key: str, original: list[t.Any], item: t.Any) -> list[t.Any]:
    if not isinstance(item, dict) or key not in item:
        raise errors.server_error(f"map: {item} does not contain declared merge key: {key}")
    same = [existing.get(key) == item[key] for existing in original]
    if item.get(_DIRECTIVE) == "delete":
        return [existing for existing, equal in zip(original, same, strict=True) if not equal]
    if not any(same):
        return [*original, _merge_struct(item_type, {}, item)]
    index = same.index(True)
    return [*original[:index], _merge_struct(item_type, original[index], item), *original[index + 1 :]]


def _reorder(kind: FieldType, merged: Json, name: str, order: t.Any) -> None:
    """Put the named items into the given order; items that only the server has keep their place among them."""
    keys = list_keys(kind.model, name) if isinstance(kind, Struct) else None
    items = merged.get(name)
    if not isinstance(order, list) or keys is None or not isinstance(items, list):
        return
    wanted = order if keys.is_set else [entry.get(keys.patch) for entry in order if isinstance(entry, dict)]
    names = items if keys.is_set else [item.get(keys.patch) for item in items]
    ranked = sorted((i for i, item in enumerate(names) if item in wanted), key=lambda i: wanted.index(names[i]))
    result: list[int] = []
    for index in (i for i, item in enumerate(names) if item not in wanted):
        while ranked and ranked[0] < index:
            result.append(ranked.pop(0))
        result.append(index)
    merged[name] = [items[i] for i in [*result, *ranked]]
