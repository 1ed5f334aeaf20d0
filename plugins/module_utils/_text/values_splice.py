# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Edits of a YAML text that add, replace or remove keys and list items; every other character stays.

Everything here turns nodes with exact marks into edits; what has to change is decided in ``values_merge``, which also
parses the result again and compares.
"""

from __future__ import annotations

import collections
import re
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.yaml_emit import (
    Style,
    block_lines,
    item_lines,
    pair_lines,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.yaml_text import (
    Edit,
    Pair,
    behind_comments,
    behind_line,
    content_start,
    deepest_end,
    first_dash,
    flow,
    insert_lines_after,
    insert_lines_at,
    is_mapping,
    is_scalar,
    is_sequence,
    item_offset,
    line_break,
    line_start,
    quoted,
    scalar,
)

if t.TYPE_CHECKING:
    import yaml

#: A string that needs no quotes inside of brackets.
_FLOW_WORD: t.Final = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")


def style_of(root: yaml.Node | None) -> Style:
    """The indentation that a document uses most; two columns where it shows none."""
    steps: collections.Counter[int] = collections.Counter()
    offsets: collections.Counter[int] = collections.Counter()
    waiting, seen = [root] if root is not None else [], set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if is_sequence(node):
            waiting.extend(node.value)
        if not is_mapping(node) or node.flow_style:
            continue
        for key, value in node.value:
            waiting.append(value)
            distance = int(value.start_mark.column) - int(key.start_mark.column)
            below = value.start_mark.line > key.start_mark.line
            if not below or not (is_mapping(value) or is_sequence(value)) or value.flow_style:
                continue
            if is_mapping(value) and distance > 0:
                steps[distance] += 1
            elif is_sequence(value) and distance >= 0:
                offsets[distance] += 1
    step = steps.most_common(1)[0][0] if steps else 2
    return Style(step, offsets.most_common(1)[0][0] if offsets else step if step == 2 else 0)


class ValuesSplicer:
    """Edits of one text."""

    def __init__(self, text: str, style: Style) -> None:
        self._text = text
        self._style = style

    # Something is added -------------------------------------------------------------------------------------------

    def fill_document(self, root: yaml.Node | None, data: t.Mapping[str, t.Any]) -> list[Edit]:
        """The content of a document without any: blank, only comments, ``---``, ``null`` or ``{}``."""
        text = self._text
        lines = block_lines(data, self._style)
        if root is None or root.start_mark.index == root.end_mark.index:
            return [insert_lines_at(text, len(text), lines)]
        start, end = int(root.start_mark.index), int(root.end_mark.index)
        return [Edit(start, end, line_break(text, start).join(lines))]

    def add_key(self, mapping: yaml.MappingNode, name: str, data: object) -> list[Edit]:
        """A new key at the end of a mapping that has some."""
        if mapping.flow_style:
            return [self._add_to_flow(mapping, f"{self._flow_name(mapping, name)}: {flow(data)}")]
        column = int(mapping.value[0][0].start_mark.column)
        lines = pair_lines(name, data, self._style, column)
        end = behind_comments(self._text, deepest_end(self._text, mapping), column)
        return [insert_lines_at(self._text, end, lines)]

    def fill(self, mapping: yaml.MappingNode, pair: Pair, data: object) -> list[Edit]:
        """The value of a key that has none: empty, null, ``{}`` or ``[]``."""
        text, value = self._text, pair.value
        start, end = int(value.start_mark.index), int(value.end_mark.index)
        if mapping.flow_style:
            glued = start == end and not text[start - 1].isspace()
            return [Edit(start, end, f" {flow(data)}" if glued else flow(data))]
        if not isinstance(data, t.Mapping | list | tuple) or not data:
            return [Edit(start, end, (" " if not text[start - 1].isspace() else "") + scalar(data))]
        column = int(pair.key.start_mark.column)
        lines = pair_lines("key", data, self._style, column)[1:]
        if start == end:  # nothing there: the mark is the next token's
            return [insert_lines_after(text, int(pair.key.end_mark.index), lines)]
        while text[start - 1] in " \t":
            start -= 1
        return [Edit(start, end), insert_lines_after(text, end, lines)]

    def add_items(self, sequence: yaml.SequenceNode, items: t.Sequence[object]) -> list[Edit]:
        """New items at the end of a list that has some."""
        text = self._text
        if sequence.flow_style:
            is_plain = is_scalar(sequence.value[0]) and sequence.value[0].style is None
            return [self._add_to_flow(sequence, ", ".join(_flow_item(item, plain=is_plain) for item in items))]
        dash = first_dash(self._text, sequence)
        column = dash - line_start(text, dash)
        lines = item_lines(items, self._style, column, item_offset(self._text, sequence, dash))
        end = behind_comments(self._text, deepest_end(text, sequence), max(column, 1))
        return [insert_lines_at(text, end, lines)]

    def _add_to_flow(self, node: yaml.MappingNode | yaml.SequenceNode, addition: str) -> Edit:
        """Behind the last child, on a line of its own where that one has one."""
        text = self._text
        inside = content_start(text, node) + 1
        if not node.value:
            return Edit(inside, inside, addition)
        last = node.value[-1]
        key, value = last if is_mapping(node) else (last, last)
        start, end = int(key.start_mark.index), int(value.end_mark.index)
        previous = node.value[-2] if len(node.value) > 1 else None
        before = inside if previous is None or is_mapping(node) else int(previous.start_mark.index)
        is_alias = Pair(key, value).value_is_alias if is_mapping(node) else start < before
        if is_alias:  # where it ends is not known
            return Edit(inside, inside, f"{addition}, ")
        indentation = text[line_start(text, start) : start]
        own_line = not indentation.strip() and line_start(text, start) > inside
        return Edit(end, end, f",{line_break(text, start)}{indentation}{addition}" if own_line else f", {addition}")

    def _flow_name(self, mapping: yaml.MappingNode, name: str) -> str:
        is_json = bool(mapping.value) and mapping.value[0][0].style == '"'
        return quoted(name) if is_json else scalar(name)

    # Something is replaced ----------------------------------------------------------------------------------------

    def replace(self, mapping: yaml.MappingNode, pair: Pair, data: object) -> list[Edit]:
        """Another value of a key, for a scalar in its old quotes."""
        text, value = self._text, pair.value
        if is_scalar(value) and isinstance(data, str | int | float):
            return [self._replace_scalar(value, data, inline=bool(mapping.flow_style))]
        start, end = content_start(text, value), self._end_of(value)
        is_collection = isinstance(data, t.Mapping | list | tuple) and bool(data)
        if mapping.flow_style or not is_collection:
            new = flow(data)
        elif is_mapping(value) or is_sequence(value):
            column = int(pair.key.start_mark.column)
            lines = pair_lines("key", data, self._style, column)[1:]
            if value.flow_style:
                while text[start - 1] in " \t":
                    start -= 1
                new = "".join(line_break(text, start) + line for line in lines)
            else:
                start = line_start(text, start)
                new = line_break(text, start).join(lines)
        else:
            new = flow(data)
        if end > 0 and text[end - 1] in "\r\n" and end > start:
            new += line_break(text, end - 1)
        return [Edit(start, end, new)]

    def _replace_scalar(self, node: yaml.ScalarNode, data: str | float, *, inline: bool) -> Edit:
        start = content_start(self._text, node)
        old = self._text[start : node.end_mark.index].rstrip()
        if not isinstance(data, str):
            new = flow(data)
        elif node.style == "'" and data.isprintable() and "'" not in data:
            new = f"'{data}'"
        else:
            new = quoted(data) if inline or node.style in ("'", '"') else scalar(data)
        return Edit(start, start + len(old), new)

    def _end_of(self, node: yaml.Node) -> int:
        if (is_mapping(node) or is_sequence(node)) and not node.flow_style:
            return deepest_end(self._text, node)
        return int(node.end_mark.index)

    # Something is removed -----------------------------------------------------------------------------------------

    def remove_key(self, mapping: yaml.MappingNode, pair: Pair) -> list[Edit]:
        """One key, while others stay."""
        index = next(number for number, (key, _value) in enumerate(mapping.value) if key is pair.key)
        return self.remove_children(mapping, [index])

    def remove_children(self, node: yaml.MappingNode | yaml.SequenceNode, indexes: t.Sequence[int]) -> list[Edit]:
        """Keys or list items with their lines; comments behind an item stay."""
        if node.flow_style:
            return self._remove_from_flow(node, indexes)
        if is_mapping(node):
            return [self._lines_of(node, Pair(*node.value[index])) for index in indexes]
        return [self._item_lines(node.value[index]) for index in indexes]

    def _lines_of(self, mapping: yaml.MappingNode, pair: Pair) -> Edit:
        """A key that stands behind a list's dash gives its place to the next one."""
        text = self._text
        start, end = int(pair.key.start_mark.index), self._end_of_pair(pair)
        first = line_start(text, start)
        if not text[first:start].strip():
            return Edit(first, behind_line(self._text, end))
        later = [int(key.start_mark.index) for key, _value in mapping.value if key.start_mark.index > start]
        return Edit(start, min(later)) if later else Edit(start, end, "{}")

    def _end_of_pair(self, pair: Pair) -> int:
        return pair.value_end if pair.value_is_alias else self._end_of(pair.value)

    def _item_lines(self, item: yaml.Node) -> Edit:
        dash = self._text.rfind("-", 0, int(item.start_mark.index))
        return Edit(line_start(self._text, dash), behind_line(self._text, self._end_of(item)))

    def _remove_from_flow(self, node: yaml.MappingNode | yaml.SequenceNode, indexes: t.Sequence[int]) -> list[Edit]:
        """Each with the comma behind it, or the one before it where none of the rest follows."""
        spans = [
            (int(child[0].start_mark.index), Pair(*child).value_end)
            if isinstance(child, tuple)
            else (int(child.start_mark.index), int(child.end_mark.index))
            for child in node.value
        ]
        staying = [number for number in range(len(spans)) if number not in indexes]
        if not staying:
            return [Edit(content_start(self._text, node) + 1, int(node.end_mark.index) - 1)]
        edits = [Edit(spans[number][0], spans[number + 1][0]) for number in indexes if number < staying[-1]]
        if staying[-1] < len(spans) - 1:
            edits.append(Edit(spans[staying[-1]][1], spans[-1][1]))
        return edits


def _flow_item(item: object, *, plain: bool) -> str:
    return item if plain and isinstance(item, str) and _FLOW_WORD.fullmatch(item) else flow(item)
