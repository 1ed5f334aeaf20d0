# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes of a YAML document compared with plain data, and named for people; pure."""

from __future__ import annotations

import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.fragments import Rows
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.yaml_text import (
    find,
    flow,
    is_mapping,
    is_scalar,
    is_sequence,
)

if t.TYPE_CHECKING:
    import yaml

#: Keys, and places in lists, from the top of a document.
Path: t.TypeAlias = "tuple[str | int, ...]"


def equals(node: yaml.Node, data: object) -> bool:
    """Whether a node says the same as plain data, in whatever style and order of keys."""
    if isinstance(data, t.Mapping):
        if not is_mapping(node) or {key.value for key, _value in node.value if is_scalar(key)} != set(data):
            return False
        pairs = [(find(node, str(name)), value) for name, value in data.items()]
        same = all(pair is not None and equals(pair.value, value) for pair, value in pairs)
        return same and len(node.value) == len(data)
    if isinstance(data, list | tuple):
        return (
            is_sequence(node)
            and len(node.value) == len(data)
            and all(equals(item, value) for item, value in zip(node.value, data, strict=True))
        )
    return is_scalar(node) and _scalar_equals(node, data)


def _scalar_equals(node: yaml.ScalarNode, data: object) -> bool:
    kind = node.tag.rpartition(":")[2]
    text = str(node.value)
    if isinstance(data, bool):
        return kind == "bool" and (text.lower() in ("true", "yes", "on")) is data
    if data is None:
        return kind == "null"
    if isinstance(data, str):
        return kind == "str" and text == data
    if isinstance(data, int | float):
        try:
            return kind in ("int", "float") and float(text.replace("_", "")) == data
        except ValueError:
            return False
    return False


def identities(sequence: yaml.SequenceNode, rows: Rows) -> dict[str, list[int]]:
    """Where the rows of each identity stand."""
    found: dict[str, list[int]] = {}
    for index, item in enumerate(sequence.value):
        pair = find(item, rows.key) if is_mapping(item) else None
        if pair is not None and is_scalar(pair.value):
            found.setdefault(rows.normal(str(pair.value.value)), []).append(index)
    return found


def says_more(row: yaml.MappingNode, key: str) -> bool:
    """Whether a row holds more than what identifies it, and nothing empty."""
    return any(
        not (is_scalar(name) and name.value == key) and not (is_scalar(value) and value.value == "")
        for name, value in row.value
    )


def find_text(mapping: yaml.MappingNode, name: str) -> str:
    """A setting's text without regard to merges; empty where there is none."""
    texts = [value.value for key, value in mapping.value if is_scalar(key) and key.value == name and is_scalar(value)]
    return str(texts[0]) if texts else ""


def dotted(path: Path) -> str:
    """A path as people write it: ``a.b[0].c``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def line_of(node: yaml.Node) -> int:
    """A node's line, counted from 1."""
    return int(node.start_mark.line) + 1


def as_found(node: yaml.Node) -> str:
    """A value in words."""
    if is_scalar(node):
        return flow(node.value) if node.tag.endswith(":str") else str(node.value)
    return "a mapping" if is_mapping(node) and not node.value else "other content"
