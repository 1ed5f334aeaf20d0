# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Patterns in policies: ``*``, ``?`` and policy variables, and their match with ARNs."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Callable

Substitute = Callable[[str], str | None]  # a variable's name -> its only value, or None

_TOKEN = re.compile(r"\$\{(?P<variable>[^}]*)\}|(?P<wildcard>[*?])|(?P<text>[^$*?]+|\$)")
_WILDCARDS = {"*": ".*", "?": "."}
_LITERALS = frozenset({"*", "?", "$"})  # ${*} stands for the character itself
_ARN_PARTS = 6


def as_list(value: t.Any) -> list[t.Any]:
    """A policy element's values: IAM takes one value for a list of one."""
    return value if isinstance(value, list) else [value]


def matches(pattern: str, value: str, substitute: Substitute | None) -> bool:
    """Whether the whole value matches the pattern. A variable without a value matches nothing.

    Without ``substitute``, as in policies of version 2008-10-17, ``${`` has no meaning of its own.
    """
    expression = _expression(pattern, substitute)
    return expression is not None and re.fullmatch(expression, value, re.DOTALL) is not None


def arn_matches(pattern: str, arn: str, substitute: Substitute | None) -> bool:
    """Whether an ARN matches: ``*`` alone matches all, else the six parts are compared one by one.

    IAM completes a pattern that ends early by wildcards.
    """
    parts = arn.split(":", _ARN_PARTS - 1)
    if not pattern.startswith("arn:") or len(parts) != _ARN_PARTS:
        return matches(pattern, arn, substitute)
    patterns = pattern.split(":", _ARN_PARTS - 1)
    patterns += ["*"] * (_ARN_PARTS - len(patterns))
    return all(matches(wanted, part, substitute) for wanted, part in zip(patterns, parts, strict=True))


def substituted(text: str, substitute: Substitute | None) -> str | None:
    """The text with its variables replaced; None when one has no value."""
    if substitute is None:
        return text
    replaced = []
    for token in _TOKEN.finditer(text):
        value = token[0] if token["variable"] is None else _value(token["variable"], substitute)
        if value is None:
            return None
        replaced.append(value)
    return "".join(replaced)


def _expression(pattern: str, substitute: Substitute | None) -> str | None:
    parts = []
    for token in _TOKEN.finditer(pattern):
        if token["wildcard"]:
            parts.append(_WILDCARDS[token["wildcard"]])
        elif token["variable"] is None:
            parts.append(re.escape(token["text"]))
        elif substitute is None:
            parts.append(re.escape("${") + (_expression(token["variable"], None) or "") + re.escape("}"))
        else:
            value = _value(token["variable"], substitute)
            if value is None:
                return None
            parts.append(re.escape(value))
    return "".join(parts)


def _value(variable: str, substitute: Substitute) -> str | None:
    return variable if variable in _LITERALS else substitute(variable)
