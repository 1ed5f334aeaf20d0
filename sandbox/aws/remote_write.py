# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remote write 1.0 bodies: snappy block format around a protobuf ``WriteRequest``.

https://prometheus.io/docs/specs/prw/remote_write_spec/; the message is prometheus/prometheus' prompb/remote.proto,
of which only the fields that carry samples are declared: protobuf skips the others.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import re
import struct
import typing as t

import cramjam
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

if t.TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = "0.1.0"
_PACKAGE = "crosscloud.sandbox"
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_STALE = struct.pack("<Q", 0x7FF0000000000002)  # Prometheus' staleness marker, a NaN of its own
_Field = descriptor_pb2.FieldDescriptorProto

Labels = tuple[tuple[str, str], ...]


class BadRequestError(Exception):
    """The request cannot be accepted; the message is the answer's."""


@dataclasses.dataclass(frozen=True)
class Point:
    """One sample of one series. The time is in milliseconds since the epoch."""

    labels: Labels
    value: float
    timestamp_ms: int


def check_headers(headers: Mapping[str, str]) -> None:
    """Raise :class:`BadRequestError` unless these are the headers of remote write 1.0 (names in lower case)."""
    media_type, _unused, parameters = headers.get("content-type", "").partition(";")
    protocol = parameters.strip().removeprefix("proto=")
    if media_type.strip().lower() != "application/x-protobuf" or protocol not in ("", "prometheus.WriteRequest"):
        raise BadRequestError(f"unsupported Content-Type {headers.get('content-type', '')!r}")
    if headers.get("content-encoding", "").lower() != "snappy":
        raise BadRequestError(f"unsupported Content-Encoding {headers.get('content-encoding', '')!r}")
    version = headers.get("x-prometheus-remote-write-version", "")
    if not version.startswith("0.1."):
        raise BadRequestError(f"unsupported X-Prometheus-Remote-Write-Version {version!r}")


def decode(body: bytes) -> list[Point]:
    """The samples of a body, in its order. Raises :class:`BadRequestError`."""
    try:
        raw = bytes(cramjam.snappy.decompress_raw(body))
    except cramjam.DecompressionError:
        raise BadRequestError("snappy: corrupt input") from None
    request = _write_request()()
    try:
        request.ParseFromString(raw)
    except DecodeError:
        raise BadRequestError("proto: illegal wireType or unexpected EOF") from None
    return [
        Point(labels=labels, value=sample.value, timestamp_ms=sample.timestamp)
        for series in request.timeseries
        for labels in [_labels(series)]
        for sample in series.samples
    ]


def encode(points: t.Iterable[Point]) -> bytes:
    """A body with these samples, a series each."""
    request = _write_request()()
    for point in points:
        series = request.timeseries.add()
        for name, value in point.labels:
            series.labels.add(name=name, value=value)
        series.samples.add(value=point.value, timestamp=point.timestamp_ms)
    return bytes(cramjam.snappy.compress_raw(request.SerializeToString()))


def is_stale(value: float) -> bool:
    """Whether this is not a number but the end of its series."""
    return struct.pack("<d", value) == _STALE


def _labels(series: t.Any) -> Labels:
    """A series' labels: sorted, each once, none empty, one of them the metric's name."""
    labels = tuple((label.name, label.value) for label in series.labels)
    shown = "{" + ", ".join(f'{name}="{value}"' for name, value in labels) + "}"
    names = [name for name, _unused in labels]
    metric = dict(labels).get("__name__")
    if metric is None:
        raise BadRequestError(f"received a series without a metric name, series: '{shown}'")
    if not _METRIC_NAME.fullmatch(metric):
        raise BadRequestError(f"received a series with invalid metric name: '{metric}'")
    for name, value in labels:
        if not _LABEL_NAME.fullmatch(name) or not value:
            raise BadRequestError(f"received a series with an invalid label: '{name}' series: '{shown}'")
    if any(first >= second for first, second in itertools.pairwise(names)):
        raise BadRequestError(f"received a series whose labels are not sorted or not unique, series: '{shown}'")
    return labels


@functools.cache
def _write_request() -> t.Any:
    """The message's class, made from its description."""
    file = descriptor_pb2.FileDescriptorProto(name="remote_write.proto", package=_PACKAGE, syntax="proto3")
    _add_message(file, "Label", ("name", 1, _Field.TYPE_STRING, ""), ("value", 2, _Field.TYPE_STRING, ""))
    _add_message(file, "Sample", ("value", 1, _Field.TYPE_DOUBLE, ""), ("timestamp", 2, _Field.TYPE_INT64, ""))
    _add_message(
        file,
        "TimeSeries",
        ("labels", 1, _Field.TYPE_MESSAGE, "Label"),
        ("samples", 2, _Field.TYPE_MESSAGE, "Sample"),
    )
    _add_message(file, "WriteRequest", ("timeseries", 1, _Field.TYPE_MESSAGE, "TimeSeries"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.WriteRequest"))


def _add_message(
    file: descriptor_pb2.FileDescriptorProto, name: str, *fields: tuple[str, int, _Field.Type.ValueType, str]
) -> None:
    """Declare a message; a field with a message's name is a list of these."""
    message = file.message_type.add(name=name)
    for field_name, number, kind, of in fields:
        message.field.add(
            name=field_name,
            number=number,
            type=kind,
            label=_Field.LABEL_REPEATED if of else _Field.LABEL_OPTIONAL,
            type_name=f".{_PACKAGE}.{of}" if of else None,
        )
