# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As much of PromQL as a check needs: the instant value of a vector selector, and when its sample was taken.

https://prometheus.io/docs/prometheus/latest/querying/basics/#instant-vector-selectors,
https://prometheus.io/docs/prometheus/latest/querying/functions/#timestamp
"""

from __future__ import annotations

import ast
import dataclasses
import math
import re
import typing as t

from sandbox.aws.remote_write import is_stale

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sandbox.world import Sample

LOOKBACK_MS = 5 * 60 * 1000
_SELECTOR = re.compile(r"\s*(?P<metric>[a-zA-Z_:][a-zA-Z0-9_:]*)?\s*(?:\{(?P<matchers>.*)\})?\s*", re.DOTALL)
_TIMESTAMP = re.compile(r"\s*timestamp\s*\((?P<selector>.*)\)\s*", re.DOTALL)
_MATCHER = re.compile(
    r"""\s*(?P<name>[a-zA-Z_][a-zA-Z0-9_]*)\s*(?P<operator>=~|!~|!=|=)\s*"""
    r"""(?P<value>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)\s*(?:,|$)""",
    re.DOTALL,
)


class QueryError(Exception):
    """The query cannot be understood; the message is the answer's."""


@dataclasses.dataclass(frozen=True)
class Matcher:
    """One label's condition. An absent label has the empty value."""

    name: str
    operator: str  # =, !=, =~ or !~
    value: str

    def accepts(self, labels: Mapping[str, str]) -> bool:
        actual = labels.get(self.name, "")
        if self.operator in ("=", "!="):
            return (actual == self.value) == (self.operator == "=")
        return bool(re.fullmatch(self.value, actual)) == (self.operator == "=~")


@dataclasses.dataclass(frozen=True)
class InstantQuery:
    """A selector, or the function ``timestamp`` of one."""

    matchers: tuple[Matcher, ...]
    timestamp: bool

    def labels_of(self, sample: Sample) -> dict[str, str]:
        """The labels of a result: functions drop the metric's name."""
        return {name: value for name, value in sample.labels if not (self.timestamp and name == "__name__")}

    def value_of(self, sample: Sample) -> float:
        return sample.timestamp_ms / 1000 if self.timestamp else sample.value


def parse_instant(query: str) -> InstantQuery:
    """An instant query. Raises :class:`QueryError`."""
    found = _TIMESTAMP.fullmatch(query)
    return InstantQuery(parse(found["selector"] if found else query), timestamp=found is not None)


def parse(query: str) -> tuple[Matcher, ...]:
    """The matchers of a selector such as ``up{job="x"}``. Raises :class:`QueryError`."""
    found = _SELECTOR.fullmatch(query)
    if found is None or (found["metric"] is None and found["matchers"] is None):
        raise QueryError("parse error: only vector selectors and timestamp() of one are understood")
    matchers = [Matcher("__name__", "=", found["metric"])] if found["metric"] else []
    matchers += _matchers(found["matchers"] or "")
    if all(matcher.accepts({}) for matcher in matchers):
        raise QueryError("parse error: vector selector must contain at least one non-empty matcher")
    return tuple(matchers)


def select(samples: Iterable[Sample], matchers: Iterable[Matcher]) -> list[Sample]:
    """The samples of all series that fulfil every matcher."""
    wanted = tuple(matchers)
    return [sample for sample in samples if all(matcher.accepts(dict(sample.labels)) for matcher in wanted)]


def instant(samples: Iterable[Sample], at_ms: int) -> list[Sample]:
    """Each series' newest sample at this time, unless it is older than five minutes or the series has ended."""
    newest: dict[tuple[tuple[str, str], ...], Sample] = {}
    for sample in samples:
        known = newest.get(sample.labels)
        in_time = at_ms - LOOKBACK_MS < sample.timestamp_ms <= at_ms
        if in_time and (known is None or sample.timestamp_ms >= known.timestamp_ms):
            newest[sample.labels] = sample
    return [sample for sample in newest.values() if not is_stale(sample.value)]


def shown(value: float) -> str:
    """A number as Prometheus writes it in JSON, where it is a string."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(int(value)) if value.is_integer() and abs(value) < 1e21 else repr(value)


def _matchers(text: str) -> list[Matcher]:
    matchers = []
    position = 0
    while text[position:].strip():
        found = _MATCHER.match(text, position)
        if found is None:
            raise QueryError(f"parse error: unexpected {text[position:].strip()!r} in label matching")
        matchers.append(Matcher(found["name"], found["operator"], _string(found["value"])))
        position = found.end()
    for matcher in matchers:
        _check_expression(matcher)
    return matchers


def _check_expression(matcher: Matcher) -> None:
    if matcher.operator in ("=~", "!~"):
        try:
            re.compile(matcher.value)
        except re.error as error:
            raise QueryError(f"parse error: error parsing regexp: {error}") from None


def _string(literal: str) -> str:
    """A string literal's value; the escapes of Go's strings are also Python's."""
    if literal.startswith("`"):
        return literal[1:-1]
    try:
        return str(ast.literal_eval(literal))
    except (SyntaxError, ValueError):
        raise QueryError(f"parse error: invalid string {literal}") from None
