# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remote write bodies and selectors, without a service around them."""

from __future__ import annotations

import contextlib
import math
import struct

import cramjam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.aws import promql
from sandbox.aws.remote_write import BadRequestError, Point, decode, encode, is_stale
from sandbox.world import Sample

NAMES = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,8}", fullmatch=True).filter(lambda name: name != "__name__")
VALUES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
LABELS = st.builds(
    lambda metric, labels: tuple(sorted({"__name__": metric, **labels}.items())),
    st.from_regex(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,8}", fullmatch=True),
    st.dictionaries(NAMES, VALUES, max_size=4),
)
POINTS = st.builds(Point, LABELS, st.floats(allow_nan=False), st.integers(-(2**63), 2**63 - 1))


@given(st.lists(POINTS, max_size=5))
def test_what_is_encoded_is_decoded(points: list[Point]) -> None:
    assert decode(encode(points)) == points


@given(st.binary(max_size=200))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    for candidate in (body, bytes(cramjam.snappy.compress_raw(body))):
        with contextlib.suppress(BadRequestError):
            assert isinstance(decode(candidate), list)


def test_a_body_made_by_hand() -> None:
    """WriteRequest{timeseries: [{labels: [{__name__ up}], samples: [{1.0, 1000}]}]}, field by field."""
    label = b"\x0a\x08__name__" + b"\x12\x02up"
    sample = b"\x09" + struct.pack("<d", 1.0) + b"\x10\xe8\x07"
    series = b"\x0a" + bytes([len(label)]) + label + b"\x12" + bytes([len(sample)]) + sample
    metadata = b"\x1a\x04\x08\x01\x12\x00"  # a field that the sandbox does not keep
    raw = b"\x0a" + bytes([len(series)]) + series + metadata
    assert decode(bytes(cramjam.snappy.compress_raw(raw))) == [Point((("__name__", "up"),), 1.0, 1000)]


def test_the_staleness_marker_is_one_nan_only() -> None:
    stale = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
    assert is_stale(stale)
    assert not is_stale(math.nan)
    assert not is_stale(0.0)
    (point,) = decode(encode([Point((("__name__", "up"),), stale, 1)]))
    assert is_stale(point.value)


@pytest.mark.parametrize(
    ("query", "accepted", "refused"),
    [
        ("up", {"__name__": "up"}, {"__name__": "down"}),
        ("  up  ", {"__name__": "up", "a": "b"}, {}),
        ("up{}", {"__name__": "up"}, {"__name__": "upp"}),
        ('{__name__="up"}', {"__name__": "up"}, {"__name__": "down"}),
        ('up{a="b"}', {"__name__": "up", "a": "b"}, {"__name__": "up"}),
        ("up{a='b',}", {"__name__": "up", "a": "b"}, {"__name__": "up", "a": "c"}),
        ('up{a!="b"}', {"__name__": "up"}, {"__name__": "up", "a": "b"}),
        ('up{a=~"b.*",c!~"d|e"}', {"__name__": "up", "a": "bx"}, {"__name__": "up", "a": "bx", "c": "d"}),
        ('up{a=~"b"}', {"__name__": "up", "a": "b"}, {"__name__": "up", "a": "xb"}),
        ('up{a="x, y=\\"z\\"}"}', {"__name__": "up", "a": 'x, y="z"}'}, {"__name__": "up"}),
        ("up{a=`\\n`}", {"__name__": "up", "a": "\\n"}, {"__name__": "up", "a": "\n"}),
        ('ns:up:rate5m{a="b"}', {"__name__": "ns:up:rate5m", "a": "b"}, {"__name__": "ns"}),
    ],
)
def test_selectors(query: str, accepted: dict[str, str], refused: dict[str, str]) -> None:
    matchers = promql.parse(query)
    assert all(matcher.accepts(accepted) for matcher in matchers)
    assert not all(matcher.accepts(refused) for matcher in matchers)


@pytest.mark.parametrize(
    "query",
    [
        "",
        " ",
        "{}",
        '{a=""}',
        '{a=~".*"}',
        "up[5m]",
        "sum(up)",
        "1",
        "up{a}",
        "up{a=b}",
        'up{a=~"("}',
        'up{a="b" c="d"}',
    ],
)
def test_what_is_no_selector(query: str) -> None:
    with pytest.raises(promql.QueryError, match="parse error"):
        promql.parse(query)


def sample(value: float, timestamp_ms: int, **labels: str) -> Sample:
    return Sample("ws", tuple(sorted(labels.items())), value, timestamp_ms, "role")


def test_a_series_that_ended_has_no_value() -> None:
    stale = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
    samples = [sample(1, 1000, a="x"), sample(stale, 2000, a="x"), sample(3, 1500, a="y")]
    assert [found.value for found in promql.instant(samples, 1999)] == [1, 3]
    assert [found.value for found in promql.instant(samples, 2000)] == [3]


def test_a_query_may_ask_when_a_sample_was_taken() -> None:
    query = promql.parse_instant(' timestamp( up{job="x"} ) ')
    taken = sample(7, 1500, __name__="up", job="x")
    assert promql.select([taken], query.matchers) == [taken]
    assert (query.value_of(taken), query.labels_of(taken)) == (1.5, {"job": "x"})
    plain = promql.parse_instant("up")
    assert (plain.value_of(taken), plain.labels_of(taken)) == (7, {"__name__": "up", "job": "x"})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (0.5, "0.5"),
        (-2.0, "-2"),
        (math.nan, "NaN"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (1e21, "1e+21"),
    ],
)
def test_numbers_are_written_as_prometheus_does(value: float, text: str) -> None:
    assert promql.shown(value) == text


@given(st.floats(allow_nan=False))
def test_a_number_that_is_written_is_the_number(value: float) -> None:
    assert float(promql.shown(value)) == value
