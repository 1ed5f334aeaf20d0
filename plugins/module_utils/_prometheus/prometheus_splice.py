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

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.yaml_text import (
    STEP,
    Edit,
    Pair,
    behind_comments,
    content_start,
    deepest_end,
    find,
    first_dash,
    flow,
    insert_lines_after,
    insert_lines_at,
    is_mapping,
    is_scalar,
    is_sequence,
    item_lines,
    item_offset,
    line_break,
    line_end,
    line_start,
    mapping_lines,
    next_line,
    pairs,
    plain,
    quoted,
    replace_scalar,
    shared_nodes,
)

if t.TYPE_CHECKING:
    import yaml

REMOTE_WRITE: t.Final = "remote_write"
GLOBAL: t.Final = "global"
EXTERNAL_LABELS: t.Final = "external_labels"

#: A setting of an entry: its name, or the names of its section and of the setting in there.
Path: t.TypeAlias = "tuple[str] | tuple[str, str]"


@dataclasses.dataclass(frozen=True)
class EntryRepair:
    """What has to change in one existing entry: settings that get a value, and settings that go."""

    index: int
    values: t.Mapping[Path, t.Any]
    removed: tuple[Path, ...] = ()

    @property
    def paths(self) -> frozenset[Path]:
        return frozenset((*self.values, *self.removed))

    @property
    def names(self) -> tuple[str, ...]:
        """The entry's own settings that are concerned, sections among them, in the order of the changes."""
        return tuple(dict.fromkeys(path[0] for path in (*self.values, *self.removed)))

    def inside(self, section: str) -> dict[str, t.Any]:
        """The new values in a section."""
        return {path[1]: value for path, value in self.values.items() if len(path) == 2 and path[0] == section}

    def removed_from(self, section: str) -> tuple[str, ...]:
        return tuple(path[1] for path in self.removed if len(path) == 2 and path[0] == section)

    def applied_to(self, entry: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """The entry as plain data, as it is afterwards."""
        after = dict(entry)
        for path in self.paths:
            inside = dict(after.get(path[0]) or {}) if len(path) == 2 else after
            if path in self.values:
                inside[path[-1]] = self.values[path]
            else:
                inside.pop(path[-1], None)
            if inside is not after:
                after[path[0]] = inside
        return after


@dataclasses.dataclass(frozen=True)
class Splice:
    """One way to make the changes. ``added_index`` is where an added entry stands in the list afterwards;
    ``with_container`` says whether the list, or the mapping of labels, is added with its first item."""

    edits: tuple[Edit, ...]
    added_index: int | None = None
    with_container: bool = False


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
            return [Splice((self._first_in_flow(f"{quoted(REMOTE_WRITE)}: [{flow(entry)}]"),), 0, True)]
        lines = [" " * self._column + f"{REMOTE_WRITE}:", *item_lines(entry, self._column + self._indentation, STEP)]
        return [Splice((edit,), 0, True) for edit in self._last_in_block(lines)]

    def _first_in_flow(self, pair: str) -> Edit:
        start = content_start(self._text, self._root) + 1
        space = "" if self._text[start : start + 1].isspace() else " "
        return Edit(start, start, pair + (f",{space}" if self._root.value else ""))

    def _last_in_block(self, lines: t.Sequence[str]) -> tuple[Edit, Edit]:
        """Behind the last setting of the file, or before it."""
        end = int(self._root.end_mark.index)
        start = line_start(self._text, end)
        behind = insert_lines_at(self._text, end if self._text[start:end].strip() else start, lines)
        last_key = self._root.value[-1][0]
        return behind, insert_lines_at(self._text, line_start(self._text, last_key.start_mark.index), lines)

    def _fill_list(self, pair: Pair, entry: t.Mapping[str, t.Any]) -> Splice:
        """``remote_write`` is there, but empty, null or ``[]``."""
        start, end = int(pair.value.start_mark.index), int(pair.value.end_mark.index)
        one_line = not re.search(r"[\r\n]", self._text[pair.key.end_mark.index : end])
        if one_line and not self._root.flow_style:
            while self._text[start - 1] in " \t":
                start -= 1
            lines = item_lines(entry, self._column + self._indentation, STEP)
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
        dash = first_dash(self._text, sequence)
        column = dash - line_start(self._text, dash)
        lines = item_lines(entry, column, item_offset(self._text, sequence, dash))
        belongs = column if column > self._column else column + 1
        end = behind_comments(self._text, deepest_end(self._text, sequence), belongs)
        return [
            Splice((insert_lines_at(self._text, end, lines),), len(sequence.value)),
            Splice((insert_lines_at(self._text, line_start(self._text, dash), lines),), 0),
        ]

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
        return STEP

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
        new: dict[str, t.Any] = {}
        for name in repair.names:
            pair = find(entry, name)
            inside = repair.inside(name)
            if pair is None:
                new[name] = inside or repair.values[(name,)]
                continue
            self._must_be_alone(pair)
            if (name,) in repair.values:
                edits.append(self._replace(entry, pair, name, repair.values[(name,)]))
            elif (name,) in repair.removed:
                edits.append(self._remove_setting(entry, pair))
            else:
                edits += self._change_section(entry, pair, inside, repair.removed_from(name))
        return [*edits, self._add_to_entry(entry, new)] if new else edits

    def _change_section(
        self, entry: yaml.MappingNode, pair: Pair, values: t.Mapping[str, t.Any], removed: tuple[str, ...]
    ) -> list[Edit]:
        section = pair.value
        if not is_mapping(section) or not section.value:
            return [self._fill_section(entry, pair, values)]
        if not values and {str(key.value) for key, _value in section.value} == set(removed):
            return [self._remove_setting(entry, pair)]
        return self._edit_section(pair, section, values, removed)

    def _replace(self, entry: yaml.MappingNode, pair: Pair, name: str, value: t.Any) -> Edit:
        if not isinstance(value, (dict, list)) and not (is_mapping(pair.value) or is_sequence(pair.value)):
            return replace_scalar(self._text, pair.value, value, flow=_flow(entry))
        start, end = int(pair.key.start_mark.index), self._end_of(pair)
        if entry.flow_style:
            return Edit(start, end, _flow_settings(entry, {name: value}))
        column = start - line_start(self._text, start)
        lines = mapping_lines({name: value}, column)
        return Edit(start, end, line_break(self._text, start).join(lines)[column:])

    def _remove_setting(self, entry: yaml.MappingNode, pair: Pair) -> Edit:
        if entry.flow_style:
            return _remove_flow(self._text, pair)
        start = int(pair.key.start_mark.index)
        if self._text[line_start(self._text, start) : start].strip() and len(entry.value) > 1:  # behind the dash
            return Edit(start, int(entry.value[1][0].start_mark.index))
        return Edit(line_start(self._text, start), self._behind_line(self._end_of(pair)))

    def _end_of(self, pair: Pair) -> int:
        """Where a pair's last character stands, line breaks of a block scalar not counted."""
        is_block = _is_block(pair.value) and not pair.value_is_alias
        end = deepest_end(self._text, pair.value) if is_block else pair.value_end
        return len(self._text[:end].rstrip("\r\n"))

    def _add_to_entry(self, entry: yaml.MappingNode, new: t.Mapping[str, t.Any]) -> Edit:
        url = find(entry, "url")
        own_url = url if url is not None and url.own else None
        if entry.flow_style:
            if own_url is None or own_url.value_is_alias:
                inside = content_start(self._text, entry) + 1
                return Edit(inside, inside, f"{_flow_settings(entry, new)}, ")
            return Edit(own_url.value_end, own_url.value_end, f", {_flow_settings(entry, new)}")
        lines = mapping_lines(new, int(entry.value[0][0].start_mark.column))
        end = (own_url or Pair(*entry.value[0])).value_end
        behind = end if self._text[end - 1] in "\r\n" else next_line(self._text, end)
        return insert_lines_at(self._text, behind, lines)

    def _fill_section(self, around: yaml.MappingNode, pair: Pair, values: t.Mapping[str, t.Any]) -> Edit:
        """A section is there, but null or empty. ``around`` is the mapping in which it stands."""
        value = pair.value
        if is_mapping(value):
            inside = content_start(self._text, value) + 1
            return Edit(inside, inside, _flow_settings(value, values))
        if value.value == "" and not around.flow_style:
            lines = mapping_lines(values, int(pair.key.start_mark.column) + STEP)
            return insert_lines_after(self._text, value.end_mark.index, lines)
        return _replace_empty(self._text, value, "{" + _flow_settings(value, values) + "}")

    def _edit_section(
        self, pair: Pair, section: yaml.MappingNode, values: t.Mapping[str, t.Any], removed: tuple[str, ...]
    ) -> list[Edit]:
        is_flow = _flow(section)
        missing: dict[str, t.Any] = {}
        edits: list[Edit] = []
        for name, value in values.items():
            own = pairs(section, name)
            if own:
                self._must_be_alone(own[0])
                edits.append(replace_scalar(self._text, own[0].value, value, flow=is_flow))
            else:
                missing[name] = value
        for name in removed:
            own = pairs(section, name)
            if not own:  # a merge brings it in
                raise SharedNode(section)
            self._must_be_alone(own[0])
            if is_flow and missing:
                first = next(iter(missing))
                replacement = {first: missing.pop(first)}
                edits.append(Edit(own[0].key.start_mark.index, own[0].value_end, _flow_settings(section, replacement)))
            else:
                edits.append(_remove_flow(self._text, own[0]) if is_flow else _remove_lines(self._text, own[0]))
        if missing:
            edits.append(self._add_settings(pair, section, missing))
        return edits

    def _add_settings(self, pair: Pair, section: yaml.MappingNode, values: t.Mapping[str, t.Any]) -> Edit:
        if section.flow_style:
            inside = content_start(self._text, section) + 1
            return Edit(inside, inside, f"{_flow_settings(section, values)}, ")
        lines = mapping_lines(values, int(section.value[0][0].start_mark.column))
        return insert_lines_after(self._text, pair.key.end_mark.index, lines)

    # An external label --------------------------------------------------------------------------------------------

    def label(self, name: str, value: str) -> list[Splice]:
        """Ways to give ``global.external_labels`` a label, new or not, the best first. Raises SharedNode."""
        section = find(self._root, GLOBAL)
        labels = {name: value}
        if section is None:
            if self._root.flow_style:
                pair = f"{quoted(GLOBAL)}: {flow({EXTERNAL_LABELS: labels})}"
                return [Splice((self._first_in_flow(pair),), with_container=True)]
            lines = mapping_lines({GLOBAL: {EXTERNAL_LABELS: labels}}, self._column)
            return [Splice((edit,), with_container=True) for edit in self._last_in_block(lines)]
        self._must_be_alone(section)
        if not is_mapping(section.value) or not section.value.value:
            edit = self._fill_section(self._root, section, {EXTERNAL_LABELS: labels})
            return [Splice((edit,), with_container=True)]
        pair_of_labels = find(section.value, EXTERNAL_LABELS)
        if pair_of_labels is None:
            edit = self._add_settings(section, section.value, {EXTERNAL_LABELS: labels})
            return [Splice((edit,), with_container=True)]
        self._must_be_alone(pair_of_labels)
        return [Splice(tuple(self._change_section(section.value, pair_of_labels, labels, ())))]

    def label_removals(self, name: str, *, with_mapping: bool) -> list[Splice]:
        """Ways to take a label away. Of its mapping, if it becomes empty, ``{}`` is left, or nothing
        ``with_mapping``."""
        section = find(self._root, GLOBAL)
        labels = find(section.value, EXTERNAL_LABELS) if section is not None and is_mapping(section.value) else None
        if section is None or labels is None or not is_mapping(labels.value) or not labels.own:
            return []
        around = t.cast("yaml.MappingNode", section.value)
        own = pairs(labels.value, name)
        if not own:
            return []
        if len(labels.value.value) > 1:
            return [Splice((self._remove_setting(labels.value, own[0]),))]
        if with_mapping:
            if len(around.value) == 1:
                return [Splice((self._remove_setting(self._root, section),))]
            return [Splice((self._remove_setting(around, labels),))]
        start, end = int(labels.key.end_mark.index), self._end_of(labels)
        colon = self._text.index(":", start) + 1
        return [Splice((Edit(colon, end, " {}"),))]

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


def _is_block(node: yaml.Node) -> bool:
    return (is_mapping(node) or is_sequence(node)) and not node.flow_style


def _is_inline(node: yaml.Node) -> bool:
    return bool(node.flow_style) if is_mapping(node) or is_sequence(node) else True


def _flow_settings(near: yaml.Node, values: t.Mapping[str, t.Any]) -> str:
    """Settings in flow style, their names quoted where those of the mapping around them are."""
    return ", ".join(f"{_flow_name(near, name)}: {flow(value)}" for name, value in values.items())


def _flow_name(near: yaml.Node, name: str) -> str:
    first = near.value[0][0] if is_mapping(near) and near.value else None
    is_json = first is not None and is_scalar(first) and first.style == '"'
    return quoted(name) if is_json else plain(name)


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
