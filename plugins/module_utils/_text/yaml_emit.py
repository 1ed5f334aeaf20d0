# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain data as YAML lines, in the style of the text that they go into.

Only what the collection itself adds is written by this; what others wrote is never emitted again.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.yaml_text import plain, scalar

#: The distance from a list's dash to its item's settings.
_DASH: t.Final = 2


@dataclasses.dataclass(frozen=True)
class Style:
    """How a text is indented: columns per level, and how far a list stands from its key."""

    step: int = 2
    list_offset: int = 2


def block_lines(data: t.Mapping[str, t.Any], style: Style, column: int = 0) -> list[str]:
    """A mapping in block style, its keys in ``column``."""
    lines: list[str] = []
    for name, value in data.items():
        lines += pair_lines(name, value, style, column)
    return lines


def pair_lines(name: str, value: object, style: Style, column: int = 0) -> list[str]:
    """A key and its value in block style, the key in ``column``."""
    key = " " * column + plain(name) + ":"
    if isinstance(value, t.Mapping) and value:
        return [key, *block_lines(value, style, column + style.step)]
    if isinstance(value, list | tuple) and value:
        return [key, *item_lines(value, style, column + style.list_offset)]
    return [f"{key} {scalar(value)}"]


def item_lines(items: t.Iterable[object], style: Style, column: int = 0, offset: int = _DASH) -> list[str]:
    """List items in block style, their dashes in ``column`` and their settings ``offset`` columns further."""
    lines: list[str] = []
    dash = " " * column + "-" + " " * (offset - 1)
    for item in items:
        if isinstance(item, t.Mapping) and item:
            inner = block_lines(item, style, column + offset)
        elif isinstance(item, list | tuple) and item:
            inner = item_lines(item, style, column + offset)
        else:
            lines.append(dash + scalar(item))
            continue
        lines += [dash + inner[0][column + offset :], *inner[1:]]
    return lines
