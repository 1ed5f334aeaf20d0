# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The body of a Prometheus remote write request, version 1.0, without a library.

Format: https://prometheus.io/docs/specs/prw/remote_write_spec/ - a protobuf message ``prometheus.WriteRequest``
(https://github.com/prometheus/prometheus/blob/main/prompb/remote.proto) in Snappy's block format
(https://github.com/google/snappy/blob/main/format_description.txt). A block may consist of literals only, so a sample
of a few hundred bytes needs no compressor.
"""

from __future__ import annotations

import dataclasses
import struct
import typing as t

#: The headers that go with the body.
HEADERS: t.Final = {
    "Content-Encoding": "snappy",
    "Content-Type": "application/x-protobuf",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}

_VARINT, _FIXED64, _LENGTH_DELIMITED = 0, 1, 2
_LONGEST_LITERAL = 1 << 16  # a two-byte length reaches this far


@dataclasses.dataclass(frozen=True)
class Sample:
    """One sample of one series. ``labels`` come without the name; ``timestamp`` is in milliseconds since 1970."""

    name: str
    labels: tuple[tuple[str, str], ...]
    value: float
    timestamp: int

    def selector(self) -> str:
        """The PromQL selector of the sample's series
        (https://prometheus.io/docs/prometheus/latest/querying/basics/#string-literals)."""
        return f"{self.name}{{{','.join(f'{name}={_quoted(value)}' for name, value in self.labels)}}}"

    def report(self) -> dict[str, object]:
        """The sample as a module returns it: ``name``, ``labels``, ``value``, ``timestamp``."""
        return {"name": self.name, "labels": dict(self.labels), "value": self.value, "timestamp": self.timestamp}


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def body(sample: Sample) -> bytes:
    """The request's body with this one sample."""
    return snappy(write_request(sample))


def write_request(sample: Sample) -> bytes:
    """The sample as ``prometheus.WriteRequest``. Labels are sorted by name, as the specification demands."""
    labels = sorted((("__name__", sample.name), *sample.labels))
    series = b"".join(_message(1, _text(1, name) + _text(2, value)) for name, value in labels)
    series += _message(2, _double(1, sample.value) + _integer(2, sample.timestamp))
    return _message(1, series)


def snappy(data: bytes) -> bytes:
    """The data as a Snappy block of literals."""
    chunks = (data[start : start + _LONGEST_LITERAL] for start in range(0, len(data), _LONGEST_LITERAL))
    return _varint(len(data)) + b"".join(_literal_tag(len(chunk)) + chunk for chunk in chunks)


def _literal_tag(length: int) -> bytes:
    """The tag of a literal: its length minus one in the upper six bits, or 60 and 61 for one and two more bytes."""
    if length <= 60:
        return bytes([(length - 1) << 2])
    if length <= 1 << 8:
        return bytes([60 << 2, length - 1])
    return bytes([61 << 2]) + struct.pack("<H", length - 1)


def _varint(number: int) -> bytes:
    """Base 128, least significant group first (https://protobuf.dev/programming-guides/encoding/#varints)."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _key(field: int, wire_type: int) -> bytes:
    return _varint(field << 3 | wire_type)


def _message(field: int, content: bytes) -> bytes:
    return _key(field, _LENGTH_DELIMITED) + _varint(len(content)) + content


def _text(field: int, text: str) -> bytes:
    return _message(field, text.encode("utf-8"))


def _double(field: int, number: float) -> bytes:
    return _key(field, _FIXED64) + struct.pack("<d", number)


def _integer(field: int, number: int) -> bytes:
    """An int64: negative numbers as their two's complement of 64 bits."""
    return _key(field, _VARINT) + _varint(number & 0xFFFF_FFFF_FFFF_FFFF)
