# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quantities such as ``500m`` or ``1Gi`` in their canonical form.

Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

from __future__ import annotations

import fractions
import math
import re

_QUANTITY = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))((?:[numkMGTPE]|[KMGTPE]i)?|[eE][+-]?[0-9]+)")
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_NANO = fractions.Fraction(1, 10**9)

PATTERN_TEXT = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"


def canonical_quantity(text: str) -> str:
    """The canonical spelling of a quantity: no fraction, the largest suffix that loses nothing.

    :raises ValueError: ``text`` is not a quantity; the message is the API server's.
    """
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(PATTERN_TEXT)
    number, suffix = match.groups()
    value = fractions.Fraction(number) * _factor(suffix)
    value = fractions.Fraction(math.ceil(value / _NANO)) * _NANO  # nothing finer than a nano is kept
    if suffix in _BINARY and abs(value) >= 1024:
        return _binary(value)
    if suffix[:1] in ("e", "E") and suffix != "E":
        return _decimal(value, exponent=True)
    return _decimal(value, exponent=False)


def quantity_value(text: str) -> fractions.Fraction:
    """The number that a valid quantity stands for."""
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(PATTERN_TEXT)
    return fractions.Fraction(match.group(1)) * _factor(match.group(2))


def _factor(suffix: str) -> fractions.Fraction:
    if suffix in _BINARY:
        return fractions.Fraction(1024 ** _BINARY[suffix])
    if suffix in _DECIMAL:
        return fractions.Fraction(10) ** _DECIMAL[suffix]
    return fractions.Fraction(10) ** int(suffix[1:])


def _binary(value: fractions.Fraction) -> str:
    whole = math.ceil(value)
    power = 0
    while power < 6 and whole % 1024 == 0:
        whole //= 1024
        power += 1
    suffix = next((name for name, p in _BINARY.items() if p == power), "")
    return f"{whole}{suffix}"


def _decimal(value: fractions.Fraction, *, exponent: bool) -> str:
    if value == 0:
        return "0"
    power = next(p for p in sorted(_DECIMAL.values(), reverse=True) if (value / fractions.Fraction(10) ** p) % 1 == 0)
    number = value / fractions.Fraction(10) ** power
    if exponent:
        return f"{number}e{power}" if power else f"{number}"
    suffix = next(name for name, p in _DECIMAL.items() if p == power)
    return f"{number}{suffix}"
