# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML as text: where its nodes stand, and edits of single places that leave every other character alone.

Node marks are those of PyYAML's pure-Python parser, which count the characters of the text as it is: byte order mark,
carriage returns and comments included. Nothing is ever emitted again.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors

try:
    import yaml
except ImportError as error:  # the sanity tests import modules without any library
    IMPORT_ERROR: ImportError | None = error
else:
    IMPORT_ERROR = None

    class _MarkingLoader(yaml.SafeLoader):
        """PyYAML's pure-Python loader, but with tabs allowed where libyaml, and so Prometheus' parser, allows them."""

        def scan_to_next_token(self) -> None:
            super().scan_to_next_token()
            while self.peek() == "\t" and (self.flow_level or not self.allow_simple_key):
                self.forward()
                super().scan_to_next_token()

        def scan_plain_spaces(self, indent: t.Any, start_mark: t.Any) -> list[t.Any] | None:
            length = 0
            while self.peek(length) in (" ", "\t"):
                length += 1
            blanks = self.prefix(length)
            if "\t" in blanks:
                self.forward(length)
                if self.peek() not in "\r\n\x85\u2028\u2029":
                    return [blanks]
            return super().scan_plain_spaces(indent, start_mark)


_DURATION = re.compile(r"(?:\d+(?:ms|[smhdwy]))+")
#: What JSON leaves as it is in a string, but YAML takes for a line break or does not allow.
_NOT_IN_QUOTES = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_PLAIN_WORD = re.compile(r"[A-Za-z]([A-Za-z0-9_./@+=:,-]*[A-Za-z0-9_/])?")
_RESERVED_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_PLACEHOLDER = re.compile(r"<[a-z ]+>")
_NODE_PROPERTIES = re.compile(r"(?:[&!][^\s,\[\]{}]*[ \t\r\n]+)+")
_TRUE_WORDS = frozenset({"y", "yes", "on", "true"})
_NULL_TAG = "tag:yaml.org,2002:null"
_BOOL_TAG = "tag:yaml.org,2002:bool"
_STRING_TAG = "tag:yaml.org,2002:str"
_MERGE_TAG = "tag:yaml.org,2002:merge"


class YamlProblem(Exception):
    """A text that can't be understood. ``line`` and ``column`` count from 1; 0 when the place is unknown."""

    def __init__(self, problem: str, line: int = 0, column: int = 0) -> None:
        super().__init__(problem)
        self.problem = problem
        self.line = line
        self.column = column


def load(text: str) -> t.Any:
    """The text's data. Raises YamlProblem without a place, and MissingLibrary without PyYAML."""
    if IMPORT_ERROR is not None:
        raise errors.MissingLibrary("PyYAML", IMPORT_ERROR)
    loader: t.Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.load(text, Loader=loader)  # noqa: S506  # a safe loader, the quick one where there is one
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise YamlProblem(f"it can't be read ({type(error).__name__})") from None


def compose(text: str, *, marks: bool) -> yaml.Node | None:
    """The text's only document as nodes; None when it is empty.

    With ``marks`` the nodes' positions are exact; without, libyaml is used where it is installed: ten times as fast.
    Raises YamlProblem, and MissingLibrary without PyYAML.
    """
    if IMPORT_ERROR is not None:
        raise errors.MissingLibrary("PyYAML", IMPORT_ERROR)
    loader: t.Any = _MarkingLoader if marks else getattr(yaml, "CSafeLoader", _MarkingLoader)
    try:
        node: yaml.Node | None = yaml.compose(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        # Only the parser's own words: its full message may quote the text, and with it secrets.
        problem = error.problem or "it can't be parsed"
        if problem == "but found another document":
            problem = "it holds more than one YAML document"
        begun = error.context_mark
        if begun is not None and mark is not None and begun.line < mark.line and "flow" in (error.context or ""):
            problem += f" after the bracket of line {begun.line + 1}"  # the mistake is there, the parser noticed later
        raise YamlProblem(problem, mark.line + 1 if mark else 0, mark.column + 1 if mark else 0) from None
    except yaml.reader.ReaderError as error:
        raise YamlProblem("it holds a character that YAML does not allow", *position(text, error.position)) from None
    except (yaml.YAMLError, UnicodeError, RecursionError) as error:
        raise YamlProblem(f"it can't be parsed ({type(error).__name__})") from None
    return node


def position(text: str, index: int) -> tuple[int, int]:
    """Line and column of a character, counted from 1."""
    start = line_start(text, index)
    return len(re.findall(r"\r\n|\n|\r", text[:start])) + 1, index - start + 1


# Looking at nodes ---------------------------------------------------------------------------------------------------


def is_scalar(node: yaml.Node) -> t.TypeGuard[yaml.ScalarNode]:
    return isinstance(node, yaml.ScalarNode)


def is_mapping(node: yaml.Node) -> t.TypeGuard[yaml.MappingNode]:
    return isinstance(node, yaml.MappingNode)


def is_sequence(node: yaml.Node) -> t.TypeGuard[yaml.SequenceNode]:
    return isinstance(node, yaml.SequenceNode)


def is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == _NULL_TAG


@dataclasses.dataclass(frozen=True)
class Pair:
    """A key of a mapping and its value. ``own`` is false when a merge (``<<``) brought it in."""

    key: yaml.Node
    value: yaml.Node
    own: bool = True

    @property
    def value_is_alias(self) -> bool:
        """An alias is the anchor's node, which stands before it."""
        return bool(self.value.start_mark.index < self.key.end_mark.index)

    @property
    def value_end(self) -> int:
        """Where the value ends in the text; an alias ends somewhere on its key's line."""
        return int(self.key.end_mark.index if self.value_is_alias else self.value.end_mark.index)


def pairs(mapping: yaml.MappingNode, name: str) -> tuple[Pair, ...]:
    """The mapping's own pairs with this key."""
    return tuple(
        Pair(key, value) for key, value in mapping.value if isinstance(key, yaml.ScalarNode) and key.value == name
    )


def find(mapping: yaml.MappingNode, name: str) -> Pair | None:
    """The pair with this key, the mapping's own or one that a merge brings in. Raises YamlProblem for two."""
    own = pairs(mapping, name)
    if len(own) > 1:
        mark = own[1].key.start_mark
        raise YamlProblem(f"the key '{name}' is there twice", mark.line + 1, mark.column + 1)
    return own[0] if own else _find_merged(mapping, name)


def _find_merged(mapping: yaml.MappingNode, name: str) -> Pair | None:
    for key, value in mapping.value:
        if key.tag != _MERGE_TAG:
            continue
        for source in value.value if isinstance(value, yaml.SequenceNode) else [value]:
            pair = find(source, name) if isinstance(source, yaml.MappingNode) else None
            if pair is not None:
                return dataclasses.replace(pair, own=False)
    return None


def setting(mapping: yaml.MappingNode, name: str) -> str:
    """A setting's text; empty when it is not there, null or no text."""
    pair = find(mapping, name)
    return str(pair.value.value) if pair is not None and is_scalar(pair.value) and not is_null(pair.value) else ""


def data_of(node: yaml.Node) -> t.Any:
    """A node as plain data: merges resolved, aliases as the same object, scalars as texts but for null.

    Keys that are no scalars are left out. Raises YamlProblem for what is nested too deeply.
    """
    try:
        return _data(node, {})
    except RecursionError:
        raise YamlProblem("it is nested too deeply") from None


def _data(node: yaml.Node, known: dict[int, t.Any]) -> t.Any:
    if id(node) in known:
        return known[id(node)]
    if is_sequence(node):
        items: list[t.Any] = known.setdefault(id(node), [])  # known before its items: an alias may stand in its anchor
        items += [_data(item, known) for item in node.value]
        return items
    if not is_mapping(node):
        return None if is_null(node) else str(node.value)
    data: dict[str, t.Any] = known.setdefault(id(node), {})
    merged = [value for key, value in node.value if key.tag == _MERGE_TAG]
    sources = [source for value in merged for source in (value.value if is_sequence(value) else [value])]
    for source in reversed(sources):  # as for ``find``, the first one decides
        data.update(_data(source, known) if is_mapping(source) else {})
    own = [(key, value) for key, value in node.value if is_scalar(key) and key.tag != _MERGE_TAG]
    data.update({str(key.value): _data(value, known) for key, value in own})
    return data


def refuse_odd_keys(mapping: yaml.MappingNode) -> None:
    """Raises YamlProblem for a key that is no text, as ``{{ template }}`` is one to YAML."""
    for key, _value in mapping.value:
        if not is_scalar(key):
            mark = key.start_mark
            raise YamlProblem("a key is not a text, as in a template", mark.line + 1, mark.column + 1)


def says(node: yaml.Node | None, value: object) -> bool:
    """Whether a node says what plain data say; numbers and texts are compared as they are written."""
    if node is None or is_null(node):
        return value is None
    if isinstance(value, dict):
        if not is_mapping(node) or {str(key.value) for key, _value in node.value} != set(value):
            return False
        found = {name: find(node, name) for name in value}
        return all(pair is not None and says(pair.value, value[name]) for name, pair in found.items())
    if isinstance(value, list):
        return (
            is_sequence(node)
            and len(node.value) == len(value)
            and all(says(item, wanted) for item, wanted in zip(node.value, value, strict=True))
        )
    if not is_scalar(node) or isinstance(value, bool):
        return is_scalar(node) and node.tag == _BOOL_TAG and (node.value.lower() in _TRUE_WORDS) is value
    return (isinstance(value, str) or node.tag != _STRING_TAG) and str(node.value) == str(value)


def shared_nodes(root: yaml.Node) -> frozenset[int]:
    """The ids of all nodes that stand in more than one place, by an anchor and its aliases."""
    seen: set[int] = set()
    shared: set[int] = set()
    waiting: list[yaml.Node] = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            shared.add(id(node))
            continue
        seen.add(id(node))
        waiting.extend(_children(node))
    return frozenset(shared)


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        return list(node.value)
    if isinstance(node, yaml.MappingNode):
        return [child for pair in node.value for child in pair]
    return []


class Fingerprints:
    """Numbers for nodes: equal content, equal number. Linear in the size, however often aliases repeat a node."""

    def __init__(self) -> None:
        self._numbers: dict[t.Hashable, int] = {}

    def of(self, node: yaml.Node) -> int:
        return self._number(node, {})

    def combine(self, *parts: t.Hashable) -> int:
        """A number for a tuple of numbers or strings."""
        return self._numbers.setdefault(parts, len(self._numbers))

    def _number(self, node: yaml.Node, known: dict[int, int]) -> int:
        if id(node) in known:
            return known[id(node)]
        known[id(node)] = -1  # an alias inside its own anchor
        if isinstance(node, yaml.ScalarNode):
            number = self.combine(node.tag, node.value)
        else:
            number = self.combine(node.tag, *(self._number(child, known) for child in _children(node)))
        known[id(node)] = number
        return number


# Lines --------------------------------------------------------------------------------------------------------------


def line_start(text: str, index: int) -> int:
    return max(text.rfind("\n", 0, index), text.rfind("\r", 0, index)) + 1


def line_end(text: str, index: int) -> int:
    """Where the line's content ends: before its line break."""
    match = re.compile(r"[\r\n]").search(text, index)
    return match.start() if match else len(text)


def next_line(text: str, index: int) -> int:
    """Where the next line begins."""
    end = line_end(text, index)
    return end + (2 if text.startswith("\r\n", end) else 1 if end < len(text) else 0)


def line_break(text: str, index: int) -> str:
    """The line break that is used around this place."""
    near = text[line_end(text, index) : next_line(text, index)]
    before = re.search(r"(\r\n|\n|\r)\Z", text[: line_start(text, index)])
    return near or (before[1] if before else "\n")


# Edits --------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Edit:
    """The characters from ``start`` to before ``end`` are replaced by ``text``."""

    start: int
    end: int
    text: str = ""


def apply_edits(text: str, edits: t.Iterable[Edit]) -> str:
    """The text after all edits. Insertions at one place keep their order; deletions may overlap."""
    parts: list[str] = []
    done = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):  # insertions before what they stand at
        if edit.start < done and edit.text:
            raise ValueError("Two edits touch the same characters.")
        parts += [text[done : edit.start], edit.text]
        done = max(done, edit.end)
    return "".join((*parts, text[done:]))


def insert_lines_at(text: str, index: int, lines: t.Sequence[str]) -> Edit:
    """New lines at the beginning of a line or at the text's end, with the line breaks that are used there.

    A last line without line break gets one, and the new last line has none then.
    """
    newline = line_break(text, index)
    if line_start(text, index) == index:
        return Edit(index, index, "".join(line + newline for line in lines))
    return Edit(index, index, "".join(newline + line for line in lines))


def insert_lines_after(text: str, index: int, lines: t.Sequence[str]) -> Edit:
    """New lines below the line of ``index``."""
    return insert_lines_at(text, next_line(text, index), lines)


def content_start(text: str, node: yaml.Node) -> int:
    """Where a node's content begins, behind its anchor and tag."""
    start, end = int(node.start_mark.index), int(node.end_mark.index)
    match = _NODE_PROPERTIES.match(text, start)
    return min(match.end(), end) if match else start


def plain(value: str) -> str:
    """A string as a block style scalar: unquoted when no parser could misread it."""
    word = _PLAIN_WORD.fullmatch(value) and value.lower() not in _RESERVED_WORDS
    return value if word or _PLACEHOLDER.fullmatch(value) or _DURATION.fullmatch(value) else quoted(value)


def quoted(value: str) -> str:
    """A string as JSON writes it, which is YAML in every style."""
    return flow(value)


def flow(value: object) -> str:
    """Plain data as JSON writes them, which is YAML in flow style."""
    if isinstance(value, t.Mapping):
        return f"{{{', '.join(f'{quoted(str(name))}: {flow(entry)}' for name, entry in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(flow, value))}]"
    return _number(value) if isinstance(value, float) else _written(value)


def _written(value: object) -> str:
    written = json.dumps(value, ensure_ascii=False)
    return _NOT_IN_QUOTES.sub(lambda found: f"\\u{ord(found[0]):04x}", written)


def _number(value: float) -> str:
    """A number that YAML 1.1 takes for one as well: there an exponent asks for a point before it."""
    if not math.isfinite(value):
        return ".nan" if math.isnan(value) else f"{'-' if value < 0 else ''}.inf"
    mantissa, exponent, power = repr(value).partition("e")
    return f"{mantissa}{'' if '.' in mantissa else '.0'}{exponent}{power}"


# New lines in block style ---------------------------------------------------------------------------------------------


def scalar(value: object) -> str:
    """Plain data on one line of a block: strings unquoted where no parser could misread them."""
    return plain(value) if isinstance(value, str) else flow(value)


def mapping_lines(mapping: t.Mapping[str, t.Any], column: int, *, step: int = 2) -> list[str]:
    """A mapping's settings as lines whose keys stand in ``column``; what is inside them stands ``step`` further."""
    lines: list[str] = []
    for name, value in mapping.items():
        head = " " * column + f"{plain(name)}:"
        if isinstance(value, dict) and value:
            lines += [head, *mapping_lines(value, column + step, step=step)]
        elif isinstance(value, list) and value and all(isinstance(item, dict) and item for item in value):
            lines.append(head)
            lines += [line for item in value for line in item_lines(item, column + step, step)]
        else:
            lines.append(f"{head} {scalar(value)}")
    return lines


def item_lines(item: t.Mapping[str, t.Any], column: int, offset: int) -> list[str]:
    """A list's item as lines; its dash stands in ``column``, its settings ``offset`` columns further."""
    lines = mapping_lines(item, column + offset)
    return [" " * column + "-" + " " * (offset - 1) + lines[0][column + offset :], *lines[1:]]


def replace_scalar(text: str, node: yaml.Node, value: str | float, *, flow: bool) -> Edit:
    """A scalar's new content, in its old quotes where they can hold it; anchor, tag and comment stay.

    ``flow`` says that it stands in a collection in flow style.
    """
    style = node.style if is_scalar(node) else None
    start, end = content_start(text, node), int(node.end_mark.index)
    old = text[start:end]
    content = old.rstrip()
    if not isinstance(value, str):
        new = scalar(value)
    elif style == "'" and value.isprintable() and "'" not in value:
        new = f"'{value}'"
    elif style in ("'", '"') or flow:
        new = quoted(value)
    else:
        new = plain(value)
    return Edit(start, start + len(content), new if content or start == 0 or text[start - 1].isspace() else f" {new}")


def deepest_end(text: str, node: yaml.Node) -> int:
    """Where the last character of a block collection's content stands, unlike its end mark, which is the next token's.

    Comments behind it do not count; a block scalar's own line breaks do.
    """
    last: yaml.Node = node
    while isinstance(last, yaml.CollectionNode) and not last.flow_style and last.value:
        if isinstance(last, yaml.MappingNode):
            pair = Pair(*last.value[-1])
            child, is_alias = pair.value, pair.value_is_alias
        else:
            child = last.value[-1]
            is_alias = child.start_mark.index < last.start_mark.index or (
                len(last.value) > 1 and child.start_mark.index < last.value[-2].start_mark.index
            )
        if is_alias:
            return _last_content(text, int(node.end_mark.index))
        last = child
    return int(last.end_mark.index)


#: Columns a level where a text itself shows none.
STEP: t.Final = 2


def first_dash(text: str, sequence: yaml.SequenceNode) -> int:
    """Where the first item's dash of a block sequence is, also when an anchor or tag stands before it."""
    start = int(sequence.start_mark.index)
    if text[start] == "-":
        return start
    match = re.compile(r"(?<=[\r\n])[ \t]*-(?=[ \t\r\n])").search(text, start)
    return match.end() - 1 if match else start


def item_offset(text: str, sequence: yaml.SequenceNode, dash: int) -> int:
    """How many columns the settings of a block sequence's items stand behind their dash."""
    first = sequence.value[0]
    start = int(first.start_mark.index)
    on_this_line = is_mapping(first) and not first.flow_style and dash < start < line_end(text, dash)
    return start - dash if on_this_line else STEP


def behind_line(text: str, end: int) -> int:
    """The beginning of the line behind some content."""
    return end if end > 0 and text[end - 1] in "\r\n" else next_line(text, end)


def behind_comments(text: str, end: int, column: int) -> int:
    """The beginning of the line behind some content and the comments behind it from this column on."""
    cursor = position = behind_line(text, end)
    while position < len(text):
        line = text[position : line_end(text, position)]
        is_comment = line.lstrip().startswith("#")
        if line.strip() and not (is_comment and len(line) - len(line.lstrip()) >= column):
            break
        position = next_line(text, position)
        if is_comment:
            cursor = position
    return cursor


def _last_content(text: str, end: int) -> int:
    """The end of the last line before ``end`` that holds more than a comment."""
    lines = re.finditer(r"[^\r\n]+", text[:end])
    contents = (line for line in lines if line[0].strip() and not line[0].lstrip().startswith("#"))
    return max((line.start() + len(line[0].rstrip()) for line in contents), default=0)
