# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fragment merged into somebody's YAML text, or removed from it: Helm values, manifests, a collector's configuration.

The text is parsed for positions, spliced, parsed again and compared, so that nothing but the fragment's own places can
change. What contradicts the fragment is collected and refused in one error; nothing is ever emitted again.
"""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.fragments import (
    Block,
    Gone,
    Leaf,
    Members,
    Node,
    Other,
    Rows,
    Several,
    Single,
    asked_for,
    goes_alone,
    has_content,
    plain_data,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.values_compare import (
    Path,
    as_found,
    dotted,
    equals,
    find_text,
    identities,
    line_of,
    says_more,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.values_shown import shown
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.values_splice import ValuesSplicer, style_of
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.yaml_text import (
    Edit,
    Fingerprints,
    Pair,
    YamlProblem,
    apply_edits,
    compose,
    data_of,
    find,
    flow,
    is_mapping,
    is_null,
    is_scalar,
    is_sequence,
    shared_nodes,
)

if t.TYPE_CHECKING:
    import yaml


@dataclasses.dataclass(frozen=True)
class MergedText:
    """A text with the fragment in it, or without it. Without summaries it is the old one.

    ``kept`` are sentences on what stays although it was to be removed; ``empty`` is true when nothing but comments is
    left. The shown texts have their secrets blotted out.
    """

    text: str
    summaries: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    shown_before: str = ""
    shown_after: str = ""
    warnings: tuple[str, ...] = ()
    empty: bool = False


def merge_values(text: str, fragment: Block, *, place: str) -> MergedText:
    """The text with the fragment in it. ``place`` names the text for messages.

    Raises Refused when the text is not one YAML mapping, when it holds what contradicts the fragment, and when the
    change would touch anything else.
    """
    try:
        return _changed(text, _root(text), fragment, place, removing=False)
    except YamlProblem as problem:
        raise _unusable(problem, place) from None
    except _CantSplice as problem:
        raise errors.Refused(
            f"{place} is written in a way in which it can't be changed without touching other settings: "
            f"{problem.reason}.",
            fix=f"Write this into it by hand, then rerun: {flow(plain_data(fragment))}.",
        ) from None


def remove_values(text: str, fragment: Block, *, place: str) -> MergedText:
    """The text without what equals the fragment. What differs stays, with a sentence. Raises Refused as above."""
    try:
        return _changed(text, _root(text), fragment, place, removing=True)
    except YamlProblem as problem:
        raise _unusable(problem, place) from None
    except _CantSplice as problem:
        raise errors.Refused(
            f"{place} is written in a way in which nothing can be removed without touching other settings: "
            f"{problem.reason}.",
            fix="Remove it by hand.",
        ) from None


def _unusable(problem: YamlProblem, place: str) -> errors.Refused:
    where = f" (line {problem.line}, column {problem.column})" if problem.line else ""
    return errors.Refused(
        f"{place} is not one YAML document with a mapping: {problem.problem}{where}.",
        fix="Repair it first; nothing was changed.",
    )


class _CantSplice(Exception):
    """The change can't be made to the text."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _root(text: str) -> yaml.Node | None:
    root = compose(text, marks=True)
    if root is not None and not is_null(root) and not is_mapping(root):
        raise YamlProblem("it is not a mapping", root.start_mark.line + 1, root.start_mark.column + 1)
    return root


# What has to change ---------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class _Plan:
    """Edits, and the paths whose content they change: ``before`` in the old document, ``after`` in the new one.

    ``lists`` are those of the document, as plain data, that must be looked at when nothing is left to change in them.
    """

    edits: list[Edit] = dataclasses.field(default_factory=list)
    summaries: list[str] = dataclasses.field(default_factory=list)
    conflicts: list[str] = dataclasses.field(default_factory=list)
    kept: list[str] = dataclasses.field(default_factory=list)
    before: set[Path] = dataclasses.field(default_factory=set)
    after: set[Path] = dataclasses.field(default_factory=set)
    lists: list[tuple[Several, list[t.Any]]] = dataclasses.field(default_factory=list)
    empty: bool = False


def _plan(root: yaml.Node | None, fragment: Block, text: str, place: str) -> _Plan:
    planner = _Planner(root, text, place)
    if root is None or not is_mapping(root) or not root.value:
        planner.fill_document(root, fragment)
    else:
        planner.block(root, fragment, (), alone=True)
    return planner.plan


class _Planner:
    """Walks a fragment along a document and collects what is missing, what differs and what contradicts."""

    def __init__(self, root: yaml.Node | None, text: str, place: str) -> None:
        self.plan = _Plan()
        self._shared = shared_nodes(root) if root is not None else frozenset()
        self._splicer = ValuesSplicer(text, style_of(root))
        self._place = place

    def fill_document(self, root: yaml.Node | None, fragment: Block) -> None:
        data = plain_data(fragment)
        self.plan.edits += self._splicer.fill_document(root, data)
        self._note("add ", (), data, {(name,) for name in data})

    def block(self, mapping: yaml.MappingNode, block: Block, path: Path, *, alone: bool) -> None:
        for name, gone in block.gone.items():
            self._gone(mapping, name, gone, path, alone=alone)
        missing: dict[str, t.Any] = {}
        for name, child in block.children.items():
            pair = find(mapping, name)
            wanted = asked_for(child)
            if pair is None and isinstance(child, Leaf) and child.other is Other.IDENTITY:
                self.plan.conflicts.append(f"{dotted((*path, name))} is missing, wanted is {flow(child.value)}")
            elif pair is None and wanted is not None:
                missing[name] = plain_data(wanted)
            elif pair is not None:
                self._value(mapping, pair, child, (*path, name), alone=alone)
        if block.closed:
            self._refuse_others(mapping, block, path)
        if missing:
            self._require_alone(mapping, alone=alone)
            for name, data in missing.items():
                self.plan.edits += self._splicer.add_key(mapping, name, data)
                self._note("add ", (*path, name), data, {(*path, name)})

    def _refuse_others(self, mapping: yaml.MappingNode, block: Block, path: Path) -> None:
        known = block.children.keys() | block.gone.keys()
        for key, value in mapping.value:
            if is_scalar(key) and key.value not in known and not key.tag.endswith(":merge") and not is_null(value):
                self.plan.conflicts.append(f"{dotted((*path, key.value))} is set (line {line_of(key)})")

    def _value(self, mapping: yaml.MappingNode, pair: Pair, child: Node, path: Path, *, alone: bool) -> None:
        value = pair.value
        inside = alone and pair.own and id(value) not in self._shared
        is_list = isinstance(child, Rows | Members | Single)
        empty = is_null(value) or ((is_sequence(value) if is_list else is_mapping(value)) and not value.value)
        if isinstance(child, Leaf):
            self._leaf(mapping, pair, child, path, alone=inside)
        elif not has_content(child) and (empty or is_scalar(value)):
            return
        elif empty:
            self._require_alone(value, alone=inside)
            data = plain_data(child)
            self.plan.edits += self._splicer.fill(mapping, pair, data)
            self._note("add ", path, data, {path})
        elif isinstance(child, Block) and is_mapping(value):
            self.block(value, child, path, alone=inside)
        elif isinstance(child, Rows) and is_sequence(value):
            self._rows(value, child, path, alone=inside)
        elif isinstance(child, Members) and is_sequence(value):
            self._members(value, child, path, alone=inside)
        elif isinstance(child, Single) and is_sequence(value) and len(value.value) == 1 and is_mapping(value.value[0]):
            self.block(value.value[0], child.item, (*path, 0), alone=inside and id(value.value[0]) not in self._shared)
        elif isinstance(child, Single):
            self.plan.conflicts.append(f"{dotted(path)} has other content (line {line_of(pair.key)})")
        else:
            kind = "list" if is_list else "mapping"
            self.plan.conflicts.append(f"{dotted(path)} is no {kind} (line {line_of(pair.key)})")

    def _leaf(self, mapping: yaml.MappingNode, pair: Pair, leaf: Leaf, path: Path, *, alone: bool) -> None:
        if equals(pair.value, leaf.value):
            return
        unset = is_null(pair.value) or (is_scalar(pair.value) and pair.value.value == "")
        if leaf.other is Other.NEW or (leaf.other is Other.KEEP and not unset):
            return
        found = as_found(pair.value)
        mistaken = is_scalar(pair.value) and pair.value.value in leaf.repaired
        refused = leaf.other is Other.IDENTITY or (leaf.other is Other.REFUSE and not unset)
        if refused and not mistaken:
            self.plan.conflicts.append(
                f"{dotted(path)} is {found} (line {line_of(pair.key)}), wanted is {flow(leaf.value)}"
            )
            return
        self._require_alone(pair.value, alone=alone)
        if is_null(pair.value):
            self.plan.edits += self._splicer.fill(mapping, pair, leaf.value)
        else:
            self.plan.edits += self._splicer.replace(mapping, pair, leaf.value)
        was = "" if unset else f" (it was {found})"
        self._note("set ", path, leaf.value, {path}, was)

    def _gone(self, mapping: yaml.MappingNode, name: str, gone: Gone, path: Path, *, alone: bool) -> None:
        pair = find(mapping, name)
        if pair is None or pair.value.value in ("", [], ()) or is_null(pair.value):
            return
        value = pair.value.value if is_scalar(pair.value) else None
        if value not in gone.values:
            found = f" {flow(value)}" if gone.values and value is not None else ""
            self.plan.conflicts.append(f"{dotted((*path, name))}{found} is set (line {line_of(pair.key)})")
            return
        self._require_alone(pair.value, alone=alone and pair.own)
        self.plan.edits += self._splicer.remove_key(mapping, pair)
        self.plan.summaries.append(f"remove {dotted((*path, name))} {value}: {gone.why}")
        self.plan.before.add((*path, name))

    def _rows(self, sequence: yaml.SequenceNode, rows: Rows, path: Path, *, alone: bool) -> None:
        present = identities(sequence, rows)
        for name in rows.strays:
            for index in present.get(name, ()):
                row = sequence.value[index]
                if rows.key != "name" or says_more(row, rows.key):
                    named = find_text(row, rows.key)
                    self.plan.conflicts.append(f"{dotted(path)} sets {named} (line {line_of(row)})")
        missing: list[t.Any] = []
        for row in rows.items:
            indexes = present.get(rows.identity(row), [])
            if not indexes:
                missing.append(plain_data(row))
            parts = self._parts(row, rows, [sequence.value[index] for index in indexes])
            for index, part in zip(indexes, parts, strict=True):
                item = sequence.value[index]
                self.block(item, part, (*path, index), alone=alone and id(item) not in self._shared)
        self._append(sequence, missing, path, alone=alone)
        if rows.several is not None:
            self.plan.lists.append((rows.several, data_of(sequence)))

    def _parts(self, row: Block, rows: Rows, found: t.Sequence[yaml.Node]) -> t.Sequence[Block]:
        if rows.several is None or len(found) < 2:
            return [row] * len(found)
        return rows.several.parts(row, [data_of(item) for item in found], self._place)

    def _members(self, sequence: yaml.SequenceNode, members: Members, path: Path, *, alone: bool) -> None:
        present = {item.value for item in sequence.value if is_scalar(item)}
        self._append(sequence, [value for value in members.values if value not in present], path, alone=alone)

    def _append(self, sequence: yaml.SequenceNode, items: list[t.Any], path: Path, *, alone: bool) -> None:
        if not items:
            return
        self._require_alone(sequence, alone=alone)
        self.plan.edits += self._splicer.add_items(sequence, items)
        for number, item in enumerate(items):
            self._note("add to ", path, item, {(*path, len(sequence.value) + number)})

    def _require_alone(self, node: yaml.Node, *, alone: bool) -> None:
        if not alone or id(node) in self._shared:
            raise _CantSplice(
                f"what stands in line {line_of(node)} is used by an anchor's aliases or a merge elsewhere"
            )

    def _note(self, verb: str, path: Path, data: object, changed: t.Iterable[Path], was: str = "") -> None:
        what = f"{dotted(path)}: " if path else ""
        self.plan.summaries.append(f"{verb}{what}{flow(data)}{was}")
        self.plan.before.update(changed)
        self.plan.after.update(changed)


# What has to go -------------------------------------------------------------------------------------------------------


def _plan_removal(root: yaml.Node | None, fragment: Block, text: str) -> _Plan:
    remover = _Remover(root, text)
    if root is not None and is_mapping(root):
        remover.plan.empty = remover.block(root, fragment, (), alone=True)
        if remover.plan.empty:
            remover.remove_pairs(root, [Pair(key, value) for key, value in root.value], (), alone=True)
    else:
        remover.plan.empty = True
    return remover.plan


class _Remover:
    """Finds what equals the fragment. Each method is true when the node holds nothing else: then its parent goes on."""

    def __init__(self, root: yaml.Node | None, text: str) -> None:
        self.plan = _Plan()
        self._shared = shared_nodes(root) if root is not None else frozenset()
        self._splicer = ValuesSplicer(text, style_of(root))

    def block(self, mapping: yaml.MappingNode, block: Block, path: Path, *, alone: bool) -> bool:
        ours: list[tuple[Pair, Node]] = []
        for name, child in block.children.items():
            pair = find(mapping, name)
            if pair is not None and pair.own and self._value(pair.value, child, (*path, name), alone=alone):
                ours.append((pair, child))
        if len(ours) == len(mapping.value):
            return True
        # What makes a document what it is stays, and a default of ours goes with its mapping only.
        going = [pair for pair, child in ours if goes_alone(child)]
        self.remove_pairs(mapping, going, path, alone=alone)
        return False

    def remove_pairs(self, mapping: yaml.MappingNode, pairs: t.Sequence[Pair], path: Path, *, alone: bool) -> None:
        if not pairs:
            return
        self._require_alone(mapping, alone=alone)
        keys = [id(pair.key) for pair in pairs]
        for pair in pairs:
            self._require_alone(pair.value, alone=alone)
            self._note((*path, str(pair.key.value)))
        indexes = [number for number, (key, _value) in enumerate(mapping.value) if id(key) in keys]
        self.plan.edits += self._splicer.remove_children(mapping, indexes)

    def _value(self, value: yaml.Node, child: Node, path: Path, *, alone: bool) -> bool:
        alone = alone and id(value) not in self._shared
        if isinstance(child, Leaf):
            if equals(value, child.value):
                return True
            if child.other not in (Other.KEEP, Other.NEW) and not is_null(value):
                self.plan.kept.append(f"{dotted(path)} is kept, because it is {as_found(value)}.")
            return False
        if isinstance(child, Block) and is_mapping(value):
            return bool(value.value) and self.block(value, child, path, alone=alone)
        if isinstance(child, Rows) and is_sequence(value):
            return self._rows(value, child, path, alone=alone)
        if isinstance(child, Members) and is_sequence(value) and not equals(value, plain_data(child)):
            ours = [index for index, item in enumerate(value.value) if is_scalar(item) and item.value in child.values]
            return self._remove_items(value, ours, path, alone=alone)
        return isinstance(child, Members | Single) and equals(value, plain_data(child))

    def _rows(self, sequence: yaml.SequenceNode, rows: Rows, path: Path, *, alone: bool) -> bool:
        present = identities(sequence, rows)
        ours: list[int] = []
        for row in rows.items:
            for index in present.get(rows.identity(row), []):
                item = sequence.value[index]
                inside = alone and id(item) not in self._shared
                if rows.shared:
                    mine = self.block(item, row, (*path, index), alone=inside)
                else:
                    mine = equals(item, plain_data(row))
                    if not mine:
                        named = find_text(item, rows.key)
                        self.plan.kept.append(
                            f"{dotted(path)} keeps {named}, because it differs from what would be added."
                        )
                if mine:
                    ours.append(index)
        return self._remove_items(sequence, ours, path, alone=alone)

    def _remove_items(self, sequence: yaml.SequenceNode, ours: list[int], path: Path, *, alone: bool) -> bool:
        if not ours:
            return False
        if len(ours) == len(sequence.value):
            return True
        self._require_alone(sequence, alone=alone)
        for index in ours:
            self._require_alone(sequence.value[index], alone=alone)
            self._note((*path, index))
        self.plan.edits += self._splicer.remove_children(sequence, ours)
        return False

    def _require_alone(self, node: yaml.Node, *, alone: bool) -> None:
        if not alone or id(node) in self._shared:
            raise _CantSplice(
                f"what stands in line {line_of(node)} is used by an anchor's aliases or a merge elsewhere"
            )

    def _note(self, path: Path) -> None:
        self.plan.summaries.append(f"remove {dotted(path)}")
        self.plan.before.add(path)


# Whether the splice did that and nothing else -------------------------------------------------------------------------


def _changed(text: str, root: yaml.Node | None, fragment: Block, place: str, *, removing: bool) -> MergedText:
    decide = _plan_removal if removing else functools.partial(_plan, place=place)
    plan = decide(root, fragment, text)
    if plan.conflicts:
        raise errors.Refused(
            f"{place} contradicts what is wanted: {'; '.join(plan.conflicts)}.",
            fix="Remove or correct that by hand, then rerun; nothing was changed.",
        )
    if not plan.summaries:
        _check_lists(plan, place)
        return MergedText(text, kept=tuple(plan.kept), empty=plan.empty)
    try:
        changed = apply_edits(text, plan.edits)
        if removing and not text.endswith(("\n", "\r")):  # what stood at the end is gone, with the break before it
            changed = changed.removesuffix("\n").removesuffix("\r")
        after = _root(changed)
        again = decide(after, fragment, changed)
    except (YamlProblem, ValueError):
        raise _CantSplice("the changed text would not be YAML") from None
    if again.summaries or again.conflicts or not _same_besides(root, after, plan):
        raise _CantSplice("the changed text would say something else")
    _check_lists(again, place)
    return MergedText(
        text=changed,
        summaries=tuple(plan.summaries),
        kept=tuple(plan.kept),
        shown_before=shown(text, root),
        shown_after=shown(changed, after),
        empty=plan.empty,
    )


def _check_lists(plan: _Plan, place: str) -> None:
    """Raises Refused for a list that can't be as it is when nothing is left to do."""
    for several, rows in plan.lists:
        several.check(rows, place)


def _same_besides(before: yaml.Node | None, after: yaml.Node | None, plan: _Plan) -> bool:
    numbers = Fingerprints()
    ways = frozenset(path[:length] for path in plan.before | plan.after for length in range(len(path)))
    old = _outline(before, numbers, plan.before, ways, ())
    return old == _outline(after, numbers, plan.after, ways, ())


def _outline(
    node: yaml.Node | None, numbers: Fingerprints, changed: t.Collection[Path], ways: frozenset[Path], path: Path
) -> int | None:
    """A number for everything but what may change; None for nothing. ``ways`` lead to what may change."""
    if node is None or path in changed:
        return None
    if path not in ways:
        return numbers.of(node)
    if is_mapping(node):
        pairs = [
            (numbers.of(key), _outline(value, numbers, changed, ways, (*path, str(key.value))))
            for key, value in node.value
        ]
        rest = [numbers.combine(key, value) for key, value in pairs if value is not None]
    elif is_sequence(node):
        items = [_outline(item, numbers, changed, ways, (*path, index)) for index, item in enumerate(node.value)]
        rest = [item for item in items if item is not None]
    else:
        return None if is_null(node) else numbers.of(node)
    return numbers.combine(node.tag, *rest) if rest else None
