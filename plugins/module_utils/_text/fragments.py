# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a YAML document shall hold, with what is done where it holds something else.

The same fragment renders a new document, is merged into an existing one and is removed from it.
"""

from __future__ import annotations

import dataclasses
import enum
import typing as t


class Other(enum.Enum):
    """What happens where another value is found."""

    REFUSE = "refuse"  # somebody meant it: an error shows both
    REPLACE = "replace"  # it follows from what is asked for, or only repeats a known mistake
    KEEP = "keep"  # ours is a default only
    IDENTITY = "identity"  # it makes the document what it is: none is as wrong as another, and it never goes alone
    NEW = "new"  # ours is a default of what we add; where somebody's mapping lacks it, it is not added either


@dataclasses.dataclass(frozen=True)
class Leaf:
    """A value as a whole: a scalar, or data that is not merged but compared and replaced. ``repaired`` are other values
    that are replaced in any case, because they are known mistakes."""

    value: object
    other: Other = Other.REFUSE
    repaired: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True)
class Gone:
    """A key that must not be set. ``values`` are those that are removed, because of ``why``; others are a conflict."""

    values: frozenset[str] = frozenset()
    why: str = ""


@dataclasses.dataclass(frozen=True)
class Block:
    """A mapping. With ``closed``, a key that is not named is a conflict."""

    children: t.Mapping[str, Node]
    gone: t.Mapping[str, Gone] = dataclasses.field(default_factory=dict)
    closed: bool = False


def _verbatim(identity: str) -> str:
    return identity


class Several(t.Protocol):
    """What is done about several rows that are recognised as the same. ``rows`` are plain data, ``place`` is the text.

    Both methods raise Refused, with a sentence about the list.
    """

    def parts(self, item: Block, rows: t.Sequence[t.Any], place: str) -> t.Sequence[Block]:
        """What of the item each of the rows shall hold."""

    def check(self, rows: t.Sequence[t.Any], place: str) -> None:
        """Look at the whole list as it shall be."""


@dataclasses.dataclass(frozen=True)
class Rows:
    """A list of mappings, each recognised by its setting ``key``, which ``normal`` makes comparable.

    ``strays`` are rows that must not be there. With ``shared``, a row may hold settings of others too, so that it is
    taken apart when it is removed. Without ``several``, all rows of one identity are made to hold the same.
    """

    key: str
    items: tuple[Block, ...]
    normal: t.Callable[[str], str] = _verbatim
    strays: tuple[str, ...] = ()
    shared: bool = False
    several: Several | None = None

    def identity(self, item: Block) -> str:
        leaf = item.children[self.key]
        if not isinstance(leaf, Leaf):
            raise TypeError(f"A row's {self.key} is no leaf.")
        return self.normal(str(leaf.value))


@dataclasses.dataclass(frozen=True)
class Members:
    """A list of strings that must contain these. ``companions`` stand before them in a new list only."""

    values: tuple[str, ...]
    companions: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Single:
    """A list of exactly one mapping."""

    item: Block


Node: t.TypeAlias = Leaf | Block | Rows | Members | Single


def asked_for(node: Node) -> Node | None:
    """A fragment without what is for new mappings only; None when nothing is left."""
    if isinstance(node, Leaf):
        return None if node.other is Other.NEW else node
    if isinstance(node, Block):
        rest = {name: asked_for(child) for name, child in node.children.items()}
        found = {name: child for name, child in rest.items() if child is not None}
        return dataclasses.replace(node, children=found) if found else None
    return node if has_content(node) else None


def goes_alone(node: Node) -> bool:
    """False for what is removed together with the mapping around it only: what identifies it, and defaults of ours."""
    if isinstance(node, Leaf):
        return node.other not in (Other.IDENTITY, Other.NEW)
    return not isinstance(node, Block) or any(goes_alone(child) for child in node.children.values())


def has_content(node: Node) -> bool:
    """False for what only says what must not be there."""
    if isinstance(node, Block):
        return any(has_content(child) for child in node.children.values())
    return not isinstance(node, Rows) or bool(node.items)


def plain_data(node: Node) -> t.Any:
    """A fragment as plain data, for a new document."""
    if isinstance(node, Leaf):
        return node.value
    if isinstance(node, Block):
        return {name: plain_data(child) for name, child in node.children.items() if has_content(child)}
    if isinstance(node, Rows):
        return [plain_data(item) for item in node.items]
    if isinstance(node, Single):
        return [plain_data(node.item)]
    return [*node.companions, *node.values]


def below(path: t.Sequence[str], node: Block) -> Block:
    """The fragment under a path of keys."""
    for name in reversed(path):
        node = Block({name: node})
    return node
