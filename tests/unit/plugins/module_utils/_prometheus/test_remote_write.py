# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hand-made remote write body is read back by two independent decoders: google.protobuf and cramjam's Snappy."""

from __future__ import annotations

import math
import typing as t

import cramjam
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus import remote_write

FIELD = descriptor_pb2.FieldDescriptorProto


def _write_request_class() -> t.Any:
    """prometheus.WriteRequest as in prompb/remote.proto and prompb/types.proto, without the parts that are not sent."""
    file = descriptor_pb2.FileDescriptorProto(name="remote.proto", package="prometheus", syntax="proto3")
    for message, fields in {
        "Label": [("name", 1, FIELD.TYPE_STRING, ""), ("value", 2, FIELD.TYPE_STRING, "")],
        "Sample": [("value", 1, FIELD.TYPE_DOUBLE, ""), ("timestamp", 2, FIELD.TYPE_INT64, "")],
        "TimeSeries": [("labels", 1, FIELD.TYPE_MESSAGE, "Label"), ("samples", 2, FIELD.TYPE_MESSAGE, "Sample")],
        "WriteRequest": [("timeseries", 1, FIELD.TYPE_MESSAGE, "TimeSeries")],
    }.items():
        described = file.message_type.add(name=message)
        for name, number, kind, type_name in fields:
            described.field.add(
                name=name,
                number=number,
                type=kind,
                type_name=f".prometheus.{type_name}" if type_name else None,
                label=FIELD.LABEL_REPEATED if type_name else FIELD.LABEL_OPTIONAL,
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("prometheus.WriteRequest"))


WRITE_REQUEST = _write_request_class()

# A text that UTF-8 can carry: protobuf strings have no lone surrogates.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
SAMPLES = st.builds(
    remote_write.Sample,
    name=TEXT,
    labels=st.dictionaries(TEXT.filter(lambda name: name != "__name__"), TEXT, max_size=8).map(
        lambda labels: tuple(labels.items())
    ),
    value=st.floats(),
    timestamp=st.integers(min_value=-(2**63), max_value=2**63 - 1),
)


@given(SAMPLES)
def test_body_is_what_a_receiver_decodes(sample: remote_write.Sample) -> None:
    decoded = WRITE_REQUEST.FromString(bytes(cramjam.snappy.decompress_raw(remote_write.body(sample))))

    (series,) = decoded.timeseries
    names = [label.name for label in series.labels]
    assert names == sorted(names)
    assert {label.name: label.value for label in series.labels} == {"__name__": sample.name, **dict(sample.labels)}
    (received,) = series.samples
    assert received.timestamp == sample.timestamp
    assert received.value == sample.value or (math.isnan(received.value) and math.isnan(sample.value))


@given(st.binary(max_size=200_000))
@example(b"")
@example(b"a" * 60)
@example(b"a" * 61)
@example(b"a" * 256)
@example(b"a" * 257)
@example(b"a" * 65_536)
@example(b"a" * 65_537)
def test_snappy_block_is_decompressed_to_the_same_data(data: bytes) -> None:
    assert bytes(cramjam.snappy.decompress_raw(remote_write.snappy(data))) == data


def test_a_sample_reports_itself_without_its_wire_form() -> None:
    sample = remote_write.Sample("up", (("job", "a"),), 1.0, 1_790_000_000_000)

    assert sample.report() == {"name": "up", "labels": {"job": "a"}, "value": 1.0, "timestamp": 1_790_000_000_000}


def test_the_known_bytes_of_a_small_request() -> None:
    """Worked out by hand from the protobuf encoding rules: one label, value 1.0, timestamp 300."""
    sample = remote_write.Sample("up", (), 1.0, 300)

    label = b"\x0a\x08__name__" + b"\x12\x02up"
    measured = b"\x09\x00\x00\x00\x00\x00\x00\xf0\x3f" + b"\x10\xac\x02"
    series = b"\x0a" + bytes([len(label)]) + label + b"\x12" + bytes([len(measured)]) + measured
    assert remote_write.write_request(sample) == b"\x0a" + bytes([len(series)]) + series


@pytest.mark.parametrize("header", ["Content-Encoding", "Content-Type", "X-Prometheus-Remote-Write-Version"])
def test_the_headers_of_version_one_are_there(header: str) -> None:
    assert remote_write.HEADERS[header]
