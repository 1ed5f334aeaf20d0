# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts of others (clouds, clusters, whoever may set a tag) made fit for terminals, logs and pages; pure."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping

#: Control characters but tabs and line ends, what turns the direction of the text beside it, and halves of characters,
#: which no file takes. A lone carriage return would write over the line that it stands in.
_UNFIT: t.Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]|\r(?!\n)"
)


def plain(text: str) -> str:
    """The text with a replacement character in the place of each that is unfit."""
    return _UNFIT.sub("\N{REPLACEMENT CHARACTER}", text)


def all_plain(value: t.Any) -> t.Any:
    """A value of JSON's kinds with all of its texts made plain, keys included."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, Mapping):
        return {all_plain(key): all_plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [all_plain(entry) for entry in value]
    return value
