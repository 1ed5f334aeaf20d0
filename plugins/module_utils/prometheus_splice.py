# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where in the text of a Prometheus configuration the ``remote_write`` entry is added or repaired.

Everything here turns nodes with exact marks into edits; what has to change is decided in ``prometheus_config``.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils.yaml_text import (
    Edit,
    Pair,
    content_start,
    deepest_end,
    find,
    flow,
    insert_lines_after,
    insert_lines_at,
    is_mapping,
    is_sequence,
    item_lines,
    line_end,
    line_start,
    mapping_lines,
    next_line,
    pairs,
    quoted,
    replace_scalar,
    shared_nodes,
)

if t.TYPE_CHECKING:
    import yaml

REMOTE_WRITE: t.Final = "remote_write"
_STEP: t.Final = 2  # columns per level where the file itself shows none


@dataclasses.dataclass(frozen=True)
class EntryRepair:
    """What has to change in one existing entry. ``values`` are settings of its ``sigv4`` section."""

    index: int
    url: str | None
    values: t.Mapping[str, str]
    removed: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Splice:
    """One way to make the changes. ``added_index`` is where an added entry stands in the list afterwards."""

    edits: tuple[Edit, ...]
    added_index: int | None = None


class SharedNode(Exception):
    """A place can't be changed alone: an anchor and its aliases, or a merge, use it elsewhere too."""

    def __init__(self, node: yaml.Node) -> None:
        super().__init__()
        self.line = node.start_mark.line + 1


class Splicer:
    """Edits of one text. ``root`` is its top-level mapping."""

    def __init__(self, text: str, root: yaml.MappingNode) -> None:
        self._text = text
        self._root = root
        self._shared = shared_nodes(root)
        self._list = find(root, REMOTE_WRITE)

    def repairs(self, repairs: t.Iterable[EntryRepair]) -> Splice:
        """The edits that repair existing entries. Raises SharedNode."""
        edits: list[Edit] = []
        if self._list is not None and is_sequence(self._list.value):
            self._must_be_alone(self._list)
            for repair in repairs:
                entry = self._list.value.value[repair.index]
                self._node_must_be_alone(entry)
                edits += self._repair(entry, repair)
        return Splice(tuple(edits))

    def additions(self, entry: t.Mapping[str, t.Any]) -> list[Splice]:
        """Ways to add an entry, the best first; others serve texts whose end can't be moved. Raises SharedNode."""
        if self._list is None:
            return self._add_list(entry)
        self._must_be_alone(self._list)
        value = self._list.value
        if not is_sequence(value) or not value.value:
            return [self._fill_list(self._list, entry)]
        return [self._extend_flow(value, entry)] if _flow(value) else self._extend_block(value, entry)

    # An entry is added --------------------------------------------------------------------------------------------

    def _add_list(self, entry: t.Mapping[str, t.Any]) -> list[Splice]:
        if self._root.flow_style:
            start = content_start(self._text, self._root) + 1
            comma = ", " if self._root.value else ""
            return [Splice((Edit(start, start, f"{quoted(REMOTE_WRITE)}: [{flow(entry)}]{comma}"),), 0)]
        lines = [" " * self._column + f"{REMOTE_WRITE}:", *item_lines(entry, self._column + self._indentation, _STEP)]
        end = int(self._root.end_mark.index)
        start = line_start(self._text, end)
        behind = insert_lines_at(self._text, end if self._text[start:end].strip() else start, lines)
        last_key = self._root.value[-1][0]
        before_last = insert_lines_at(self._text, line_start(self._text, last_key.start_mark.index), lines)
        return [Splice((behind,), 0), Splice((before_last,), 0)]

    def _fill_list(self, pair: Pair, entry: t.Mapping[str, t.Any]) -> Splice:
        """``remote_write`` is there, but empty, null or ``[]``."""
        start, end = int(pair.value.start_mark.index), int(pair.value.end_mark.index)
        one_line = not re.search(r"[\r\n]", self._text[pair.key.end_mark.index : end])
        if one_line and not self._root.flow_style:
            while self._text[start - 1] in " \t":
                start -= 1
            lines = item_lines(entry, self._column + self._indentation, _STEP)
            below = insert_lines_after(self._text, end, lines)
            return Splice((Edit(start, end), below) if self._text[start:end].strip() else (below,), 0)
        if is_sequence(pair.value):
            inside = content_start(self._text, pair.value) + 1
            return Splice((Edit(inside, inside, flow(entry)),), 0)
        return Splice((_replace_empty(self._text, pair.value, f"[{flow(entry)}]"),), 0)

    def _extend_flow(self, sequence: yaml.SequenceNode, entry: t.Mapping[str, t.Any]) -> Splice:
        last = sequence.value[-1]
        previous = sequence.value[-2] if len(sequence.value) > 1 else sequence
        if last.start_mark.index <= previous.start_mark.index:  # an alias: where it ends is not known
            inside = content_start(self._text, sequence) + 1
            return Splice((Edit(inside, inside, f"{flow(entry)}, "),), 0)
        end = int(last.end_mark.index)
        return Splice((Edit(end, end, f", {flow(entry)}"),), len(sequence.value))

    def _extend_block(self, sequence: yaml.SequenceNode, entry: t.Mapping[str, t.Any]) -> list[Splice]:
        dash = self._first_dash(sequence)
        column = dash - line_start(self._text, dash)
        lines = item_lines(entry, column, self._offset(sequence, dash))
        end = self._behind_comments(deepest_end(self._text, sequence), column)
        return [
            Splice((insert_lines_at(self._text, end, lines),), len(sequence.value)),
            Splice((insert_lines_at(self._text, line_start(self._text, dash), lines),), 0),
        ]

    def _first_dash(self, sequence: yaml.SequenceNode) -> int:
        start = int(sequence.start_mark.index)
        if self._text[start] == "-":
            return start
        match = re.compile(r"(?<=[\r\n])[ \t]*-(?=[ \t\r\n])").search(self._text, start)  # behind an anchor or tag
        return match.end() - 1 if match else start

    def _offset(self, sequence: yaml.SequenceNode, dash: int) -> int:
        """How far an entry's settings stand from its dash."""
        first = sequence.value[0]
        start = int(first.start_mark.index)
        on_this_line = is_mapping(first) and not first.flow_style and dash < start < line_end(self._text, dash)
        return start - dash if on_this_line else _STEP

    def _behind_comments(self, end: int, dash_column: int) -> int:
        """The beginning of the line behind an entry and the comments that belong to it by their indentation."""
        belongs = dash_column if dash_column > self._column else dash_column + 1
        text = self._text
        cursor = position = end if end > 0 and text[end - 1] in "\r\n" else next_line(text, end)
        while position < len(text):
            line = text[position : line_end(text, position)]
            is_comment = line.lstrip().startswith("#")
            if line.strip() and not (is_comment and len(line) - len(line.lstrip()) >= belongs):
                break
            position = next_line(text, position)
            if is_comment:
                cursor = position
        return cursor

    @property
    def _column(self) -> int:
        """The column of the top-level keys."""
        return int(self._root.value[0][0].start_mark.column)

    @property
    def _indentation(self) -> int:
        """How far the file's other top-level lists stand from their key."""
        for _unused, value in self._root.value:
            if is_sequence(value) and not value.flow_style and self._text[value.start_mark.index] == "-":
                return max(0, int(value.start_mark.column) - self._column)
        return _STEP

    # An entry is removed -----------------------------------------------------------------------------------------

    def removals(self, index: int, *, with_list: bool) -> list[Splice]:
        """Ways to remove an entry, the best first. Of its list, if it becomes empty, ``[]`` is left, or nothing at all
        ``with_list``."""
        if self._list is None or not is_sequence(self._list.value):
            return []
        sequence = self._list.value
        if len(sequence.value) == 1:
            return self._remove_list(self._list, sequence) if with_list else self._empty_list(self._list, sequence)
        if _flow(sequence):
            entry = sequence.value[index]
            pair = Pair(entry, entry)
            return [Splice((_remove_flow(self._text, pair),))]
        return [Splice((self._entry_lines(sequence, index),))]

    def _remove_list(self, pair: Pair, sequence: yaml.SequenceNode) -> list[Splice]:
        if self._root.flow_style:
            return [Splice((_remove_flow(self._text, pair),))]
        start = line_start(self._text, int(pair.key.start_mark.index))
        end = int(sequence.end_mark.index) if _flow(sequence) else deepest_end(self._text, sequence)
        return [Splice((Edit(start, self._behind_line(end)),))]

    def _empty_list(self, pair: Pair, sequence: yaml.SequenceNode) -> list[Splice]:
        if _flow(sequence):
            inside = content_start(self._text, sequence) + 1
            return [Splice((Edit(inside, int(sequence.end_mark.index) - 1),))]
        colon = self._text.index(":", int(pair.key.end_mark.index)) + 1
        return [Splice((Edit(colon, colon, " []"), self._entry_lines(sequence, 0)))]

    def _entry_lines(self, sequence: yaml.SequenceNode, index: int) -> Edit:
        """A block entry with its whole lines, from its dash on; comments behind it stay."""
        entry = sequence.value[index]
        dash = self._text.rfind("-", 0, int(entry.start_mark.index))
        end = int(entry.end_mark.index) if _is_inline(entry) else deepest_end(self._text, entry)
        return Edit(line_start(self._text, dash), self._behind_line(end))

    def _behind_line(self, end: int) -> int:
        return end if end > 0 and self._text[end - 1] in "\r\n" else next_line(self._text, end)

    # An entry is repaired -----------------------------------------------------------------------------------------

    def _repair(self, entry: yaml.MappingNode, repair: EntryRepair) -> list[Edit]:
        edits: list[Edit] = []
        url, sigv4 = find(entry, "url"), find(entry, "sigv4")
        if repair.url is not None and url is not None:
            self._must_be_alone(url)
            edits.append(replace_scalar(self._text, url.value, repair.url, flow=_flow(entry)))
        if not repair.values and not repair.removed:
            return edits
        if sigv4 is None:
            return [*edits, self._add_section(entry, url, repair.values)]
        self._must_be_alone(sigv4)
        if is_mapping(sigv4.value) and sigv4.value.value:
            return [*edits, *self._edit_section(sigv4, sigv4.value, repair)]
        return [*edits, self._fill_section(entry, sigv4, repair.values)]

    def _add_section(self, entry: yaml.MappingNode, url: Pair | None, values: t.Mapping[str, str]) -> Edit:
        own_url = url if url is not None and url.own else None
        if entry.flow_style:
            if own_url is None or own_url.value_is_alias:
                inside = content_start(self._text, entry) + 1
                return Edit(inside, inside, f"{_flow_pair(entry, 'sigv4', values)}, ")
            return Edit(own_url.value_end, own_url.value_end, f", {_flow_pair(entry, 'sigv4', values)}")
        column = int(entry.value[0][0].start_mark.column)
        lines = [" " * column + "sigv4:", *mapping_lines(values, column + _STEP)]
        end = (own_url or Pair(*entry.value[0])).value_end
        behind = end if self._text[end - 1] in "\r\n" else next_line(self._text, end)
        return insert_lines_at(self._text, behind, lines)

    def _fill_section(self, entry: yaml.MappingNode, sigv4: Pair, values: t.Mapping[str, str]) -> Edit:
        value = sigv4.value
        if is_mapping(value):
            inside = content_start(self._text, value) + 1
            return Edit(inside, inside, _flow_settings(value, values))
        if value.value == "" and not entry.flow_style:
            lines = mapping_lines(values, int(sigv4.key.start_mark.column) + _STEP)
            return insert_lines_after(self._text, value.end_mark.index, lines)
        return _replace_empty(self._text, value, "{" + _flow_settings(value, values) + "}")

    def _edit_section(self, sigv4: Pair, section: yaml.MappingNode, repair: EntryRepair) -> list[Edit]:
        flow = _flow(section)
        missing: dict[str, str] = {}
        edits: list[Edit] = []
        for name, value in repair.values.items():
            own = pairs(section, name)
            if own:
                self._must_be_alone(own[0])
                edits.append(replace_scalar(self._text, own[0].value, value, flow=flow))
            else:
                missing[name] = value
        for name in repair.removed:
            own = pairs(section, name)
            if not own:  # a merge brings it in
                raise SharedNode(section)
            self._must_be_alone(own[0])
            if flow and missing:
                replacement, value = missing.popitem()
                edits.append(
                    Edit(own[0].key.start_mark.index, own[0].value_end, _flow_settings(section, {replacement: value}))
                )
            else:
                edits.append(_remove_flow(self._text, own[0]) if flow else _remove_lines(self._text, own[0]))
        if missing:
            edits.append(self._add_settings(sigv4, section, missing))
        return edits

    def _add_settings(self, sigv4: Pair, section: yaml.MappingNode, values: t.Mapping[str, str]) -> Edit:
        if section.flow_style:
            inside = content_start(self._text, section) + 1
            return Edit(inside, inside, f"{_flow_settings(section, values)}, ")
        lines = mapping_lines(values, int(section.value[0][0].start_mark.column))
        return insert_lines_after(self._text, sigv4.key.end_mark.index, lines)

    def _must_be_alone(self, pair: Pair) -> None:
        if not pair.own:
            raise SharedNode(pair.value)
        self._node_must_be_alone(pair.value)

    def _node_must_be_alone(self, node: yaml.Node) -> None:
        if id(node) in self._shared:
            raise SharedNode(node)


# Text of new settings -------------------------------------------------------------------------------------------------


def _flow(node: yaml.CollectionNode) -> bool:
    return bool(node.flow_style)


def _is_inline(node: yaml.Node) -> bool:
    return bool(node.flow_style) if is_mapping(node) or is_sequence(node) else True


def _flow_settings(near: yaml.Node, values: t.Mapping[str, str]) -> str:
    """Settings in flow style, their names quoted where those of the mapping around them are."""
    return ", ".join(f"{_flow_name(near, name)}: {quoted(value)}" for name, value in values.items())


def _flow_pair(near: yaml.Node, name: str, values: t.Mapping[str, str]) -> str:
    return f"{_flow_name(near, name)}: {{{_flow_settings(near, values)}}}"


def _flow_name(near: yaml.Node, name: str) -> str:
    is_json = is_mapping(near) and bool(near.value) and near.value[0][0].style == '"'
    return quoted(name) if is_json else name


def _replace_empty(text: str, node: yaml.Node, content: str) -> Edit:
    """A null or nothing at all becomes ``content``."""
    start, end = content_start(text, node), int(node.end_mark.index)
    glued = start == end and not text[start - 1].isspace()
    return Edit(start, end, f" {content}" if glued else content)


def _remove_lines(text: str, pair: Pair) -> Edit:
    """A setting of a block mapping with its whole lines, a comment behind it included."""
    end = pair.value_end
    return Edit(line_start(text, pair.key.start_mark.index), end if text[end - 1] in "\r\n" else next_line(text, end))


def _remove_flow(text: str, pair: Pair) -> Edit:
    """A setting of a flow mapping with one of the commas around it, and with its line where it stands alone."""
    start, end = int(pair.key.start_mark.index), pair.value_end
    behind = re.compile(r"\s*,[ \t]*").match(text, end)
    if behind:
        first = line_start(text, start)
        alone = not text[first:start].strip() and not text[behind.end() : line_end(text, behind.end())].strip()
        return Edit(first, next_line(text, behind.end())) if alone else Edit(start, behind.end())
    before = re.search(r",\s*\Z", text[:start])
    return Edit(before.start() if before else start, end)
