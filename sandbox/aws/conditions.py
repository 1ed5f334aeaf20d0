# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ``Condition`` element of policies.

Operators: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html.
Keys and operators are compared without regard to case, values with it. An unknown operator never holds.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import operator
import typing as t
from collections.abc import Callable, Mapping

from sandbox.aws.patterns import Substitute, arn_matches, as_list, matches, substituted

Context = Mapping[str, tuple[str, ...]]  # condition keys in lower case -> the request's values

_ANY = "foranyvalue:"
_ALL = "forallvalues:"
_IF_EXISTS = "ifexists"


class _Operator(t.NamedTuple):
    """``holds(actual, expected, substitute)`` for one value each; ``negated`` asks that no expected value holds."""

    holds: Callable[[str, str, Substitute | None], bool]
    negated: bool = False


def conditions_hold(element: t.Any, context: Context, substitute: Substitute | None) -> bool:
    """Whether all conditions of a statement hold: all operators, in each all keys, of each at least one value."""
    if not isinstance(element, Mapping):
        return False
    return all(
        _holds(name.lower(), key.lower(), [_text(value) for value in as_list(expected)], context, substitute)
        for name, block in element.items()
        for key, expected in block.items()
    )


def _holds(name: str, key: str, expected: list[str], context: Context, substitute: Substitute | None) -> bool:
    every = name.startswith(_ALL)
    base = name.removeprefix(_ALL).removeprefix(_ANY)
    optional = base.endswith(_IF_EXISTS)
    base = base.removesuffix(_IF_EXISTS)
    actual = context.get(key, ())
    if base == "null":
        return any(value.lower() == str(not actual).lower() for value in expected)
    found = _OPERATORS.get(base)
    if found is None:
        return False
    if not actual:
        # A negated operator holds for a key that is absent, except with ForAnyValue, which needs a value.
        return optional or every or (found.negated and not name.startswith(_ANY))

    def satisfied(value: str) -> bool:
        return found.negated != any(found.holds(value, wanted, substitute) for wanted in expected)

    return all(map(satisfied, actual)) if every else any(map(satisfied, actual))


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _equals(actual: str, expected: str, substitute: Substitute | None) -> bool:
    return actual == substituted(expected, substitute)


def _equals_ignoring_case(actual: str, expected: str, substitute: Substitute | None) -> bool:
    wanted = substituted(expected, substitute)
    return wanted is not None and actual.lower() == wanted.lower()


def _like(actual: str, expected: str, substitute: Substitute | None) -> bool:
    return matches(expected, actual, substitute)


def _arn_like(actual: str, expected: str, substitute: Substitute | None) -> bool:
    return arn_matches(expected, actual, substitute)


def _bool(actual: str, expected: str, _unused: Substitute | None) -> bool:
    return actual.lower() == expected.lower()


def _in_network(actual: str, expected: str, _unused: Substitute | None) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(actual) in ipaddress.ip_network(expected, strict=False)
    return False


def _numbers(compare: Callable[[float, float], bool]) -> Callable[[str, str, Substitute | None], bool]:
    def holds(actual: str, expected: str, _unused: Substitute | None) -> bool:
        with contextlib.suppress(ValueError):
            return compare(float(actual), float(expected))
        return False

    return holds


def _dates(compare: Callable[[float, float], bool]) -> Callable[[str, str, Substitute | None], bool]:
    def holds(actual: str, expected: str, _unused: Substitute | None) -> bool:
        with contextlib.suppress(ValueError):
            return compare(_seconds(actual), _seconds(expected))
        return False

    return holds


def _seconds(date: str) -> float:
    """A date as seconds since the epoch; both of IAM's forms, ISO 8601 and the number itself."""
    with contextlib.suppress(ValueError):
        return float(date)
    parsed = dt.datetime.fromisoformat(date)
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=dt.UTC)).timestamp()


_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "equals": operator.eq,
    "lessthan": operator.lt,
    "lessthanequals": operator.le,
    "greaterthan": operator.gt,
    "greaterthanequals": operator.ge,
}
_OPERATORS: dict[str, _Operator] = {
    "stringequals": _Operator(_equals),
    "stringnotequals": _Operator(_equals, negated=True),
    "stringequalsignorecase": _Operator(_equals_ignoring_case),
    "stringnotequalsignorecase": _Operator(_equals_ignoring_case, negated=True),
    "stringlike": _Operator(_like),
    "stringnotlike": _Operator(_like, negated=True),
    "arnequals": _Operator(_arn_like),
    "arnlike": _Operator(_arn_like),
    "arnnotequals": _Operator(_arn_like, negated=True),
    "arnnotlike": _Operator(_arn_like, negated=True),
    "bool": _Operator(_bool),
    "ipaddress": _Operator(_in_network),
    "notipaddress": _Operator(_in_network, negated=True),
    "numericnotequals": _Operator(_numbers(operator.eq), negated=True),
    "datenotequals": _Operator(_dates(operator.eq), negated=True),
    **{f"numeric{name}": _Operator(_numbers(compare)) for name, compare in _COMPARISONS.items()},
    **{f"date{name}": _Operator(_dates(compare)) for name, compare in _COMPARISONS.items()},
}
