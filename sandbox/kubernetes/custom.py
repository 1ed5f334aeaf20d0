# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Custom objects: pruned, defaulted and checked by the structural schema of their CustomResourceDefinition.

Unlike the server's own kinds they keep empty values, and what the schema does not name is dropped. Rules in CEL
(``x-kubernetes-validations``) are not evaluated.
Source: ``k8s.io/apiextensions-apiserver/pkg/apiserver`` (``schema/pruning``, ``schema/defaulting``, ``validation``).
"""

from __future__ import annotations

import copy
import dataclasses
import re
import typing as t

from sandbox.kubernetes import kinds
from sandbox.kubernetes.errors import Cause, duplicate, invalid, required, unsupported
from sandbox.kubernetes.kinds import Resource
from sandbox.kubernetes.store import Store
from sandbox.world import Json

_OPEN = "x-kubernetes-preserve-unknown-fields"
_INT_OR_STRING = "x-kubernetes-int-or-string"
_KEYS = "x-kubernetes-list-map-keys"
_TOP_LEVEL = frozenset({"apiVersion", "kind", "metadata"})


def served(store: Store) -> tuple[Resource, ...]:
    """The resources that the cluster serves: its own, and the custom ones that are defined."""
    return tuple(resource for resource in kinds.RESOURCES if not resource.custom or definition_of(store, resource))


def definition_of(store: Store, resource: Resource) -> Json | None:
    """The version in the CustomResourceDefinition of a custom resource; None when it is not defined or not served."""
    found = store.find(kinds.CUSTOM_RESOURCE_DEFINITIONS, "", resource.qualified)
    versions = found["spec"]["versions"] if found is not None else []
    return next((v for v in versions if v["name"] == resource.version and v.get("served")), None)


def has_status(definition: Json) -> bool:
    """Whether the status is a subresource, so that ordinary writes leave it alone."""
    return "status" in (definition.get("subresources") or {})


def schema_of(definition: Json) -> Json:
    schema: Json = (definition.get("schema") or {}).get("openAPIV3Schema") or {_OPEN: True}
    return schema


@dataclasses.dataclass(frozen=True)
class Pruned:
    """An object without what its schema does not name, and the paths of that."""

    value: Json
    unknown: tuple[str, ...]


def prune(schema: Json, obj: Json) -> Pruned:
    """Drop unknown fields below ``spec`` and ``status``; metadata is the server's own type."""
    unknown: list[str] = []
    kept = {name: obj[name] for name in obj if name in _TOP_LEVEL}
    rest = {name: value for name, value in obj.items() if name not in _TOP_LEVEL}
    below = {**schema, "properties": {k: v for k, v in (schema.get("properties") or {}).items() if k not in _TOP_LEVEL}}
    return Pruned({**kept, **_prune(below, rest, "", unknown)}, tuple(unknown))


def _prune(schema: Json, value: t.Any, path: str, unknown: list[str]) -> t.Any:
    if isinstance(value, list):
        items = schema.get("items") or {_OPEN: True}
        return [_prune(items, item, f"{path}[{i}]", unknown) for i, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    properties: Json = schema.get("properties") or {}
    others = schema.get("additionalProperties")
    result: Json = {}
    for name, item in value.items():
        below = f"{path}.{name}" if path else name
        if name in properties:
            result[name] = _prune(properties[name], item, below, unknown)
        elif isinstance(others, dict):
            result[name] = _prune(others, item, below, unknown)
        elif others or schema.get(_OPEN):
            result[name] = copy.deepcopy(item)
        else:
            unknown.append(below)
    return result


def fill_defaults(schema: Json, value: t.Any) -> None:
    """Fill the schema's defaults in place. A null where the schema has a default is as good as absent."""
    if isinstance(value, list):
        for item in value:
            fill_defaults(schema.get("items") or {}, item)
    if not isinstance(value, dict):
        return
    for name, below in (schema.get("properties") or {}).items():
        if "default" in below and value.get(name) is None and not below.get("nullable"):
            value[name] = copy.deepcopy(below["default"])
        if name in value:
            fill_defaults(below, value[name])
    others = schema.get("additionalProperties")
    if isinstance(others, dict):
        for name in value.keys() - (schema.get("properties") or {}).keys():
            fill_defaults(others, value[name])


def check(schema: Json, obj: Json) -> list[Cause]:
    """The causes for which an object is refused."""
    causes: list[Cause] = []
    properties: Json = schema.get("properties") or {}
    causes += [required(name) for name in schema.get("required") or () if name not in obj]
    for name, value in obj.items():
        if name in properties and name not in _TOP_LEVEL:
            causes += _check(properties[name], value, name)
    return causes


def _check(schema: Json, value: t.Any, path: str) -> list[Cause]:
    if value is None:
        return [] if schema.get("nullable") else _type_cause(schema, "null", path)
    if not _fits(schema, value):
        return _type_cause(schema, _type_of(value), path)
    causes = _check_value(schema, value, path)
    if isinstance(value, list):
        for i, item in enumerate(value):
            causes += _check(schema.get("items") or {}, item, f"{path}[{i}]")
        causes += _check_keys(schema, value, path)
    if isinstance(value, dict):
        properties: Json = schema.get("properties") or {}
        causes += [required(f"{path}.{name}") for name in schema.get("required") or () if name not in value]
        others = schema.get("additionalProperties")
        for name, item in value.items():
            below = properties.get(name, others)
            if isinstance(below, dict):
                causes += _check(below, item, f"{path}.{name}")
    return causes


def _check_value(schema: Json, value: t.Any, path: str) -> list[Cause]:
    causes = []
    if "enum" in schema and value not in schema["enum"]:
        causes.append(unsupported(path, value, schema["enum"]))
    if isinstance(value, str):
        if "pattern" in schema and not re.search(schema["pattern"], value):
            causes.append(invalid(path, value, f"{path} in body should match '{schema['pattern']}'"))
        if len(value) < schema.get("minLength", 0):
            detail = f"{path} in body should be at least {schema['minLength']} chars long"
            causes.append(invalid(path, value, detail))
    elif isinstance(value, int | float) and "minimum" in schema and value < schema["minimum"]:
        detail = f"{path} in body should be greater than or equal to {schema['minimum']:g}"
        causes.append(invalid(path, value, detail))
    return causes


def _check_keys(schema: Json, items: list[t.Any], path: str) -> list[Cause]:
    """The items of a list that is a map have keys of their own."""
    names = schema.get(_KEYS)
    if not names:
        return []
    seen: list[Json] = []
    causes = []
    for i, item in enumerate(items):
        key = {name: item[name] for name in names if isinstance(item, dict) and name in item}
        if key in seen:
            causes.append(duplicate(f"{path}[{i}]", key))
        seen.append(key)
    return causes


def _fits(schema: Json, value: t.Any) -> bool:
    if schema.get(_INT_OR_STRING):
        return isinstance(value, int | str) and not isinstance(value, bool)
    wanted = schema.get("type")
    found = _type_of(value)
    return wanted in (None, found) or (wanted == "number" and found == "integer")


def _type_of(value: t.Any) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    if isinstance(value, float) and value == int(value):
        return "integer"
    return names.get(type(value), "null")


def _type_cause(schema: Json, found: str, path: str) -> list[Cause]:
    wanted = "integer or string" if schema.get(_INT_OR_STRING) else schema.get("type", "object")
    return [invalid(path, found, f'{path} in body must be of type {wanted}: "{found}"')]
