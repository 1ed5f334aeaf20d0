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

from ansible_collections.crosscloud.aks_amp.plugins.module_utils.yaml_emit import (
    Style,
    block_lines,
    item_lines,
    pair_lines,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.yaml_text import (
    Edit,
    Pair,
    content_start,
    deepest_end,
    flow,
    insert_lines_after,
    insert_lines_at,
    is_mapping,
    is_scalar,
    is_sequence,
    line_break,
    line_end,
    line_start,
    next_line,
    quoted,
    scalar,
)

if t.TYPE_CHECKING:
    import yaml


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
        end = self._behind_comments(deepest_end(self._text, mapping), column)
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
            return [self._add_to_flow(sequence, ", ".join(flow(item) for item in items))]
        dash = self._first_dash(sequence)
        column = dash - line_start(text, dash)
        lines = item_lines(items, self._style, column, self._offset(sequence, dash))
        end = self._behind_comments(deepest_end(text, sequence), max(column, 1))
        return [insert_lines_at(text, end, lines)]

    def _add_to_flow(self, node: yaml.MappingNode | yaml.SequenceNode, addition: str) -> Edit:
        """At the end where that is on the first line, else at the beginning: a comment may stand before the end."""
        text = self._text
        inside = content_start(text, node) + 1
        last = int(node.end_mark.index) - 1
        content = text[inside:last].rstrip()
        if "\n" in content or "\r" in content or content.endswith(","):
            return Edit(inside, inside, f"{addition}, ")
        end = inside + len(content)
        return Edit(end, end, f", {addition}" if content.strip() else addition)

    def _flow_name(self, mapping: yaml.MappingNode, name: str) -> str:
        is_json = bool(mapping.value) and mapping.value[0][0].style == '"'
        return quoted(name) if is_json else scalar(name)

    def _first_dash(self, sequence: yaml.SequenceNode) -> int:
        start = int(sequence.start_mark.index)
        if self._text[start] == "-":
            return start
        match = re.compile(r"(?<=[\r\n])[ \t]*-(?=[ \t\r\n])").search(self._text, start)  # behind an anchor or tag
        return match.end() - 1 if match else start

    def _offset(self, sequence: yaml.SequenceNode, dash: int) -> int:
        """How far an item's settings stand from its dash."""
        first = sequence.value[0]
        start = int(first.start_mark.index)
        on_this_line = is_mapping(first) and not first.flow_style and dash < start < line_end(self._text, dash)
        return start - dash if on_this_line else 2

    def _behind_comments(self, end: int, column: int) -> int:
        """The beginning of the line behind some content and the comments that belong to it by their indentation."""
        text = self._text
        cursor = position = self._behind_line(end)
        while position < len(text):
            line = text[position : line_end(text, position)]
            is_comment = line.lstrip().startswith("#")
            if line.strip() and not (is_comment and len(line) - len(line.lstrip()) >= column):
                break
            position = next_line(text, position)
            if is_comment:
                cursor = position
        return cursor

    def _behind_line(self, end: int) -> int:
        return end if end > 0 and self._text[end - 1] in "\r\n" else next_line(self._text, end)

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
        """A key with its lines; one that stands behind a list's dash gives its place to the next key."""
        text = self._text
        start, end = int(pair.key.start_mark.index), self._end_of_pair(pair)
        if mapping.flow_style:
            return [self._remove_from_flow(start, end)]
        first = line_start(text, start)
        if text[first:start].strip():  # behind a dash
            later = [int(key.start_mark.index) for key, _value in mapping.value if key.start_mark.index > start]
            return [Edit(start, min(later))] if later else [Edit(start, end, "{}")]
        return [Edit(first, self._behind_line(end))]

    def _end_of_pair(self, pair: Pair) -> int:
        return pair.value_end if pair.value_is_alias else self._end_of(pair.value)

    def remove_item(self, sequence: yaml.SequenceNode, index: int) -> list[Edit]:
        """A list item with its lines; comments behind it stay."""
        text = self._text
        item = sequence.value[index]
        if sequence.flow_style:
            return [self._remove_from_flow(int(item.start_mark.index), int(item.end_mark.index))]
        dash = text.rfind("-", 0, int(item.start_mark.index))
        return [Edit(line_start(text, dash), self._behind_line(self._end_of(item)))]

    def _remove_from_flow(self, start: int, end: int) -> Edit:
        """With one of the commas around it, and with its line where it stands alone."""
        text = self._text
        behind = re.compile(r"\s*,[ \t]*").match(text, end)
        if behind:
            first = line_start(text, start)
            alone = not text[first:start].strip() and not text[behind.end() : line_end(text, behind.end())].strip()
            return Edit(first, next_line(text, behind.end())) if alone else Edit(start, behind.end())
        before = re.search(r",\s*\Z", text[:start])
        return Edit(before.start() if before else start, end)
