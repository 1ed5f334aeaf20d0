# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fields and types of the API's objects, and the decoding of a request's JSON by them.

The official Python client is generated from the API server's own OpenAPI description, so its model classes say which
fields there are. Decoding does what the server's Go types do: it drops unknown fields (and names them), refuses values
of the wrong type, and leaves out what ``omitempty`` leaves out.
"""

from __future__ import annotations

import base64
import binascii
import copy
import dataclasses
import datetime as dt
import functools
import re
import typing as t

from kubernetes.client import models

from sandbox.kubernetes.quantity import canonical_quantity
from sandbox.world import Json

_OUTER = re.compile(r"(list|dict)[\[(](.+)[\])]", re.IGNORECASE)

_QUANTITIES = frozenset(
    {
        ("V1ResourceRequirements", "limits"),
        ("V1ResourceRequirements", "requests"),
        ("V1VolumeResourceRequirements", "limits"),
        ("V1VolumeResourceRequirements", "requests"),
        ("V1EmptyDirVolumeSource", "sizeLimit"),
        ("V1ResourceFieldSelector", "divisor"),
        ("V1PodSpec", "overhead"),
    }
)
# Base64 in JSON. Older releases of the client describe these fields as plain strings.
_BYTES = frozenset(
    {
        ("V1Secret", "data"),
        ("V1ConfigMap", "binaryData"),
        ("AdmissionregistrationV1WebhookClientConfig", "caBundle"),
    }
)
_INT_OR_STRING = frozenset({"maxSurge", "maxUnavailable", "port", "targetPort"})
_INT64 = frozenset(
    {
        "activeDeadlineSeconds",
        "deletionGracePeriodSeconds",
        "expirationSeconds",
        "fsGroup",
        "generation",
        "gracePeriodSeconds",
        "observedGeneration",
        "runAsGroup",
        "runAsUser",
        "supplementalGroups",
        "terminationGracePeriodSeconds",
        "tolerationSeconds",
    }
)
_MICRO_TIMES = frozenset({"eventTime", "lastObservedTime"})
# Pointers in Go: an empty string is a value of its own there and stays.
_KEPT_EMPTY = frozenset(
    {
        ("V1HTTPHeader", "value"),
        ("V1HostPathVolumeSource", "type"),
        ("V1PersistentVolumeClaimSpec", "storageClassName"),
        ("V1StatefulSetSpec", "serviceName"),
        ("CustomObject", "spec"),
    }
)
# Plain values in Go with ``omitempty``: false and 0 are as good as absent. All others are pointers.
_DROPPED_FALSE = frozenset({"readOnly", "hostNetwork", "hostPID", "hostIPC", "stdin", "stdinOnce", "tty", "paused"})
_DROPPED_ZERO = frozenset(
    {
        ("V1Probe", "initialDelaySeconds"),
        ("V1Probe", "timeoutSeconds"),
        ("V1Probe", "periodSeconds"),
        ("V1Probe", "successThreshold"),
        ("V1Probe", "failureThreshold"),
        ("V1ContainerPort", "hostPort"),
        ("V1DeploymentSpec", "minReadySeconds"),
        ("V1StatefulSetSpec", "minReadySeconds"),
        ("V1DaemonSetSpec", "minReadySeconds"),
        ("V1ReplicaSetSpec", "minReadySeconds"),
    }
)


class DecodeError(Exception):
    """A value does not fit its field. The message is the one of Go's JSON decoder."""


@dataclasses.dataclass(frozen=True)
class Scalar:
    """``str``, ``int``, ``float``, ``bool``, ``bytes``, ``datetime``, ``quantity`` or ``int-or-string``."""

    name: str


@dataclasses.dataclass(frozen=True)
class Struct:
    """An object with named fields: the name of a model class."""

    model: str


@dataclasses.dataclass(frozen=True)
class Free:
    """Any JSON."""


@dataclasses.dataclass(frozen=True)
class ListOf:
    item: FieldType


@dataclasses.dataclass(frozen=True)
class MapOf:
    value: FieldType


FieldType = Scalar | Struct | Free | ListOf | MapOf

# What all custom objects have in common; a CustomResourceDefinition describes the rest (see ``custom.py``).
_CUSTOM_OBJECT: dict[str, FieldType] = {
    "apiVersion": Scalar("str"),
    "kind": Scalar("str"),
    "metadata": Struct("V1ObjectMeta"),
    "spec": MapOf(Free()),
    "status": Free(),
}


@functools.cache
def fields_of(model: str) -> dict[str, FieldType]:
    """The fields of a model by their JSON names."""
    if model == "CustomObject":
        return _CUSTOM_OBJECT
    described = getattr(models, model)
    names: dict[str, str] = described.attribute_map
    types: dict[str, str] = described.openapi_types
    return {names[python]: _field_type(model, names[python], spelled) for python, spelled in types.items()}


def _field_type(model: str, field: str, spelled: str) -> FieldType:
    special = {_QUANTITIES: "quantity", _BYTES: "bytes"}
    for fields, scalar in special.items():
        if (model, field) in fields:
            return MapOf(Scalar(scalar)) if spelled.lower().startswith("dict") else Scalar(scalar)
    if spelled == "object":
        return Scalar("int-or-string") if field in _INT_OR_STRING else Free()
    return _parse_type(spelled)


def _parse_type(spelled: str) -> FieldType:
    """The generator spells ``list[V1Container]`` or ``List[V1Container]``, ``dict(str, str)`` or ``Dict[str, str]``."""
    match = _OUTER.fullmatch(spelled)
    if match is None:
        if spelled == "object":
            return Free()
        return Struct(spelled) if hasattr(models, spelled) else Scalar(spelled)
    outer, inner = match.groups()
    if outer.lower() == "list":
        return ListOf(_parse_type(inner))
    return MapOf(_parse_type(inner.partition(", ")[2]))


@dataclasses.dataclass(frozen=True)
class Decoded:
    """A decoded object and the paths of the fields that the server does not know."""

    value: Json
    unknown: tuple[str, ...]


def decode(model: str, raw: Json) -> Decoded:
    """Read an object as the server does.

    :raises DecodeError: a value has the wrong type.
    """
    decoder = _Decoder()
    value = decoder.struct(Struct(model), raw, _Place("", "", ""))
    return Decoded(value, tuple(decoder.unknown))


@dataclasses.dataclass(frozen=True)
class _Place:
    """Where a value stands: with indexes for warnings, without for Go's errors, and its field's struct and name."""

    path: str
    bare: str
    model: str
    field: str = ""

    def child(self, model: str, name: str) -> _Place:
        return _Place(_joined(self.path, name), _joined(self.bare, name), model, name)

    def at(self, index: int) -> _Place:
        return dataclasses.replace(self, path=f"{self.path}[{index}]")


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


class _Decoder:
    def __init__(self) -> None:
        self.unknown: list[str] = []

    def struct(self, kind: Struct, raw: t.Any, place: _Place) -> Json:
        if not isinstance(raw, dict):
            raise _mismatch(raw, place, f"v1.{_go_name(kind.model)}")
        known = fields_of(kind.model)
        self.unknown += [_joined(place.path, name) for name in raw if name not in known]
        result: Json = {}
        for name, field in known.items():
            if name not in raw or raw[name] is None:
                continue
            value = self._value(field, raw[name], place.child(kind.model, name))
            if not _omitted(kind.model, name, value, field):
                result[name] = value
        return result

    def _value(self, kind: FieldType, raw: t.Any, place: _Place) -> t.Any:
        match kind:
            case Struct():
                return self.struct(kind, raw, place)
            case ListOf():
                return self._list(kind, raw, place)
            case MapOf():
                return self._map(kind, raw, place)
            case Scalar():
                return _scalar(kind.name, raw, place)
            case Free():
                return copy.deepcopy(raw)

    def _list(self, kind: ListOf, raw: t.Any, place: _Place) -> list[t.Any]:
        if not isinstance(raw, list):
            raise _mismatch(raw, place, f"[]{_go_type(kind.item)}")
        return [self._value(kind.item, _zero(kind.item, item), place.at(i)) for i, item in enumerate(raw)]

    def _map(self, kind: MapOf, raw: t.Any, place: _Place) -> Json:
        if not isinstance(raw, dict):
            raise _mismatch(raw, place, f"map[string]{_go_type(kind.value)}")
        return {name: self._value(kind.value, _zero(kind.value, item), place) for name, item in raw.items()}


def _zero(kind: FieldType, raw: t.Any) -> t.Any:
    """Go reads ``null`` in a list or a map as the type's zero value."""
    if raw is not None:
        return raw
    match kind:
        case Struct() | MapOf():
            return {}
        case ListOf():
            return []
        case Scalar("int" | "float"):
            return 0
        case Scalar("bool"):
            return False
        case Free():
            return None
        case _:
            return ""


def _omitted(model: str, name: str, value: t.Any, kind: FieldType) -> bool:
    """Whether Go's encoder leaves the field out."""
    if isinstance(kind, ListOf | MapOf):
        return not value and (model, name) not in _KEPT_EMPTY
    if value == "":
        return (model, name) not in _KEPT_EMPTY
    if value is False:
        return name in _DROPPED_FALSE
    return value == 0 and value is not False and (model, name) in _DROPPED_ZERO


def _scalar(name: str, raw: t.Any, place: _Place) -> t.Any:
    fits, read = _SCALARS[name]
    if not fits(raw):
        raise _mismatch(raw, place, _go_type(Scalar(name)))
    return read(raw, place)


def _as_is(raw: t.Any, place: _Place) -> t.Any:  # noqa: ARG001 - one of several readers with the same parameters
    return raw


def _is_text(raw: t.Any) -> bool:
    return isinstance(raw, str)


def _is_bool(raw: t.Any) -> bool:
    return isinstance(raw, bool)


def _is_number(raw: t.Any) -> bool:
    return isinstance(raw, int | float) and not isinstance(raw, bool)


def _is_text_or_number(raw: t.Any) -> bool:
    return _is_text(raw) or _is_number(raw)


def _is_int_or_text(raw: t.Any) -> bool:
    return _is_text(raw) or (_is_number(raw) and raw == int(raw))


def _integer(raw: float, place: _Place) -> int:
    bits = 64 if place.field in _INT64 else 32
    limit = 1 << (bits - 1)
    if raw != int(raw) or not -limit <= raw < limit:
        field = _go_field(place)
        raise DecodeError(f"json: cannot unmarshal number {raw} into Go struct field {field} of type int{bits}")
    return int(raw)


def _quantity(raw: str | float, place: _Place) -> str:  # noqa: ARG001 - one of several readers with the same parameters
    try:
        return canonical_quantity(str(raw))
    except ValueError as error:
        raise DecodeError(str(error)) from error


def _base64(raw: str, place: _Place) -> str:  # noqa: ARG001 - one of several readers with the same parameters
    """Go refuses what is not canonical base64 with the place of the first wrong byte."""
    try:
        base64.b64decode(raw, validate=True)
    except binascii.Error as error:
        wrong = re.search(r"[^A-Za-z0-9+/=]", raw)
        offset = wrong.start() if wrong else len(raw) // 4 * 4
        raise DecodeError(f"illegal base64 data at input byte {offset}") from error
    return raw


def _time(raw: str, place: _Place) -> str:
    """An RFC 3339 time, in whole seconds but for the micro times of events."""
    try:
        moment = dt.datetime.fromisoformat(raw)
    except ValueError as error:
        raise DecodeError(f'parsing time "{raw}" as "2006-01-02T15:04:05Z07:00": cannot parse') from error
    if moment.tzinfo is None:
        raise DecodeError(f'parsing time "{raw}" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "Z07:00"')
    form = "%Y-%m-%dT%H:%M:%S.%fZ" if place.field in _MICRO_TIMES else "%Y-%m-%dT%H:%M:%SZ"
    return moment.astimezone(dt.UTC).strftime(form)


_SCALARS: dict[str, tuple[t.Callable[[t.Any], bool], t.Callable[[t.Any, _Place], t.Any]]] = {
    "str": (_is_text, _as_is),
    "bool": (_is_bool, _as_is),
    "int": (_is_number, _integer),
    "float": (_is_number, _as_is),
    "int-or-string": (_is_int_or_text, _as_is),
    "quantity": (_is_text_or_number, _quantity),
    "bytes": (_is_text, _base64),
    "datetime": (_is_text, _time),
}


def _mismatch(raw: t.Any, place: _Place, wanted: str) -> DecodeError:
    given = {bool: "bool", int: "number", float: "number", str: "string", list: "array", dict: "object"}
    kind = given.get(type(raw), "value")
    if not place.field:
        return DecodeError(f"json: cannot unmarshal {kind} into Go value of type {wanted}")
    return DecodeError(f"json: cannot unmarshal {kind} into Go struct field {_go_field(place)} of type {wanted}")


def _go_field(place: _Place) -> str:
    return f"{_go_name(place.model)}.{place.bare}"


def _go_name(model: str) -> str:
    return re.sub(r"^(Core)?V1", "", model)


def _go_type(kind: FieldType) -> str:
    match kind:
        case Struct(model):
            return f"v1.{_go_name(model)}"
        case ListOf(item):
            return f"[]{_go_type(item)}"
        case MapOf(value):
            return f"map[string]{_go_type(value)}"
        case Scalar(name):
            names = {"str": "string", "int": "int32", "float": "float64", "bytes": "[]uint8", "datetime": "v1.Time"}
            return names.get(name, "string" if name != "bool" else "bool")
        case Free():
            return "runtime.RawExtension"
