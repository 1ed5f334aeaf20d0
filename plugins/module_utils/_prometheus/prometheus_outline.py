# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether two Prometheus configurations differ in nothing but what was meant to change; pure."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.prometheus_splice import (
    EXTERNAL_LABELS,
    GLOBAL,
    REMOTE_WRITE,
    Path,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.yaml_text import (
    Fingerprints,
    is_mapping,
    is_null,
    is_scalar,
    is_sequence,
)

if t.TYPE_CHECKING:
    import yaml


@dataclasses.dataclass(frozen=True)
class Meant:
    """What may differ: settings of entries by their place in the list, an external label, and an entry as a whole."""

    settings: t.Mapping[int, frozenset[Path]] = dataclasses.field(default_factory=dict)
    label: str | None = None


def outline(root: yaml.MappingNode, numbers: Fingerprints, meant: Meant, *, left_out: int | None = None) -> list[int]:
    """Everything in the configuration but what may differ, and but the entry at the place ``left_out``.

    Numbers of one ``numbers`` are equal for equal content.
    """
    parts: list[int] = []
    for key, value in root.value:
        name = key.value if is_scalar(key) else None
        if name == REMOTE_WRITE and is_sequence(value):
            items = [
                _entry(item, numbers, meant.settings[index])
                if index in meant.settings and is_mapping(item)
                else numbers.of(item)
                for index, item in enumerate(value.value)
                if index != left_out
            ]
            parts += [numbers.combine(REMOTE_WRITE, *items)] if items else []
        elif name == REMOTE_WRITE and is_null(value):
            continue
        elif name == GLOBAL and meant.label is not None:
            parts += _global(value, numbers, meant.label)
        else:
            parts.append(numbers.combine(numbers.of(key), numbers.of(value)))
    return parts


def _global(node: yaml.Node, numbers: Fingerprints, label: str) -> list[int]:
    parts: list[int] = []
    for name, key, value in _pairs(node):
        if name == EXTERNAL_LABELS:
            parts += [
                numbers.combine(EXTERNAL_LABELS, numbers.of(inner_key), numbers.of(inner))
                for inner_name, inner_key, inner in _pairs(value)
                if inner_name != label
            ]
        else:
            parts.append(numbers.combine(GLOBAL, numbers.of(key), numbers.of(value)))
    return parts


def _entry(entry: yaml.MappingNode, numbers: Fingerprints, paths: frozenset[Path]) -> int:
    sections = {path[0] for path in paths if len(path) == 2}
    kept: list[int] = []
    for name, key, value in _pairs(entry):
        if name in sections:
            kept += [
                numbers.combine(str(name), numbers.of(inner_key), numbers.of(inner))
                for inner_name, inner_key, inner in _pairs(value)
                if (name, inner_name) not in paths
            ]
        elif (name,) not in paths:
            kept.append(numbers.combine(numbers.of(key), numbers.of(value)))
    return numbers.combine("entry", *kept)


def _pairs(node: yaml.Node) -> list[tuple[str | None, yaml.Node, yaml.Node]]:
    if not is_mapping(node):
        return []
    return [(str(key.value) if is_scalar(key) else None, key, value) for key, value in node.value]
