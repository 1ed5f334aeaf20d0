# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection added to a Prometheus configuration, ``remote_write`` entries and external labels, removed again.

What is added is recorded as the stretch of text that it replaced. Where that stretch is still as it was, putting the
old one back gives the old text, character by character; otherwise the addition's own lines are removed.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import is_same_url
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_record import kept
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.prometheus_config import (
    entries_of,
    not_usable,
    top_mapping,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.prometheus_judge import (
    label_nodes,
    other_credentials,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.prometheus_outline import Meant, outline
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.prometheus_record import (
    Addition,
    Additions,
    followed_by_others,
    label_name,
    occurrences,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.prometheus_splice import Splice, Splicer
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.yaml_secrets import Hidden, redact_url
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.yaml_text import (
    Edit,
    Fingerprints,
    YamlProblem,
    apply_edits,
    compose,
    find,
    is_mapping,
    says,
    setting,
)

if t.TYPE_CHECKING:
    import yaml

_WORKSPACE_URL = re.compile(r"https://(?:[\w-]+\.)?aps-workspaces(?:-fips)?\.[a-z0-9-]+\.")
#: A recorded stretch that stands in more places than these is no help in finding the right one.
_MOST_PLACES = 40


@dataclasses.dataclass(frozen=True)
class Removed:
    """A configuration without the additions. ``gone`` are the keys that need no record any more, ``additions`` is what
    the record holds afterwards.

    The shown texts are the old and the new one with their secrets blotted out.
    """

    text: str
    additions: Additions
    gone: tuple[str, ...] = ()
    summaries: tuple[str, ...] = ()
    shown_before: str = ""
    shown_after: str = ""
    warnings: tuple[str, ...] = ()


def remove_remote_write(text: str, additions: Additions, *, place: str, recorded: Additions | None = None) -> Removed:
    """The configuration without what was added, as recorded. ``place`` names the text for messages.

    ``recorded`` is the whole record, when not all of it is to be removed.

    An entry whose credentials are others' by now is kept, with a warning, and so is a label with another value. Raises
    Refused when the text is not one YAML mapping, and when something can't be removed without touching other settings.
    """
    remover = _Remover(text, dict(additions if recorded is None else recorded), place)
    if not additions:
        return Removed(text, remover.additions)
    try:
        remover.remove(additions)
    except YamlProblem as problem:
        raise not_usable(place, problem) from None
    return Removed(
        remover.text,
        remover.additions,
        tuple(remover.gone),
        tuple(remover.summaries),
        remover.shown_before,
        remover.shown_after,
        warnings=tuple(remover.warnings),
    )


def entries_of_others(text: str, recorded: t.Collection[str]) -> tuple[str, ...]:
    """The URLs of entries for AMP workspaces that are not recorded; none where the text can't be understood."""
    try:
        root = top_mapping(compose(text, marks=False))
        urls = [setting(entry, "url") for entry in entries_of(root) if is_mapping(entry)]
    except YamlProblem:
        return ()
    return tuple(
        redact_url(url)
        for url in urls
        if _WORKSPACE_URL.match(url) and not any(is_same_url(url, known) for known in recorded)
    )


class _Remover:
    """Takes additions out of one text, one after the other."""

    def __init__(self, text: str, recorded: dict[str, Addition], place: str) -> None:
        self.text = text
        self.additions = recorded
        self.gone: list[str] = []
        self.summaries: list[str] = []
        self.warnings: list[str] = []
        self.shown_before = ""
        self._hidden: Hidden | None = None
        self._place = place

    def remove(self, additions: Additions) -> None:
        # The last one first: it may stand in the stretch of an earlier one, as an entry in the list of another does.
        latest = reversed(list(additions.items()))
        left = [item.key for key, addition in latest if (item := self._item(key, addition)) is not None]
        while left:
            items = [_item_of(key, self.additions[key]) for key in left]
            by_stretch = ((item, edits) for item in items if (edits := self._by_stretch(item)) is not None)
            item, edits = next(by_stretch, None) or (items[0], self._by_lines(items[0]))
            left.remove(item.key)
            self._forget(item.key)
            self.additions = followed_by_others(self.additions, self.text, edits)
            self._show(edits)
            self.text = apply_edits(self.text, edits)
            self.summaries.append(f"remove {item.what}")

    def _show(self, edits: t.Sequence[Edit]) -> None:
        if self._hidden is None:
            self._hidden = Hidden(self.text, top_mapping(compose(self.text, marks=True)))
            self.shown_before = self._hidden.shown(self.text)
        self._hidden.follow(self.text, edits)

    @property
    def shown_after(self) -> str:
        return self._hidden.shown(self.text) if self._hidden is not None else ""

    def _forget(self, key: str) -> None:
        self.gone.append(key)
        del self.additions[key]

    def _item(self, key: str, addition: Addition) -> _Item | None:
        """What is to be removed; None for what is gone already or must be kept."""
        item = _item_of(key, addition)
        root = top_mapping(compose(self.text, marks=False))
        reason = item.reason_to_keep(root)
        if reason:
            self.warnings.append(kept(f"{item.what[0].upper()}{item.what[1:]} in {self._place}", reason))
            return None
        if item.is_gone(root):
            self._forget(key)
            return None
        return item

    def _by_stretch(self, item: _Item) -> tuple[Edit, ...] | None:
        addition = item.addition
        for start in itertools.islice(occurrences(self.text, addition.now), _MOST_PLACES):
            edits = (Edit(start, start + len(addition.now), addition.was),)
            if self._is_exactly_the_removal(edits, item):
                return edits
        return None

    def _by_lines(self, item: _Item) -> tuple[Edit, ...]:
        root = top_mapping(compose(self.text, marks=True))
        for splice in item.splices(Splicer(self.text, root), root):
            if self._is_exactly_the_removal(splice.edits, item):
                return splice.edits
        raise errors.Refused(
            f"{self._place} is written in a way in which {item.what} can't be removed without touching other settings.",
            fix="Remove it by hand, then rerun.",
        )

    def _is_exactly_the_removal(self, edits: t.Sequence[Edit], item: _Item) -> bool:
        """Parse the texts before and after: nothing else may differ."""
        try:
            after = top_mapping(compose(apply_edits(self.text, edits), marks=False))
            before = top_mapping(compose(self.text, marks=False))
        except YamlProblem:
            return False
        numbers = Fingerprints()
        old = outline(before, numbers, item.meant, left_out=item.index(before))
        return item.is_removed(after) and old == outline(after, numbers, item.meant)


@dataclasses.dataclass(frozen=True)
class _Entry:
    """An entry that is to be removed."""

    key: str
    addition: Addition
    meant: Meant = dataclasses.field(default_factory=Meant)

    @property
    def what(self) -> str:
        return f"the remote_write entry for {redact_url(self.key)}"

    def _entries(self, root: yaml.MappingNode) -> list[tuple[int, yaml.MappingNode]]:
        return [
            (index, entry)
            for index, entry in enumerate(entries_of(root))
            if is_mapping(entry) and is_same_url(setting(entry, "url"), self.key)
        ]

    def _ours(self, root: yaml.MappingNode) -> list[int]:
        return [index for index, entry in self._entries(root) if not _is_of_others(entry, self.addition)]

    def is_gone(self, root: yaml.MappingNode) -> bool:
        return not self._entries(root)

    def is_removed(self, root: yaml.MappingNode) -> bool:
        return not self._ours(root)

    def reason_to_keep(self, root: yaml.MappingNode) -> str:
        ours = self._ours(root)
        if self._entries(root) and not ours:
            return "it has other credentials by now"
        if len(ours) > 1:
            return f"there are {len(ours)} of them, and which one the collection added can't be told"
        return ""

    def index(self, root: yaml.MappingNode) -> int | None:
        return next(iter(self._ours(root)), None)

    def splices(self, splicer: Splicer, root: yaml.MappingNode) -> list[Splice]:
        index = self.index(root)
        return [] if index is None else splicer.removals(index, with_list=self.addition.list_added)


@dataclasses.dataclass(frozen=True)
class _Label:
    """An external label that is to be removed."""

    key: str
    addition: Addition
    name: str

    @property
    def meant(self) -> Meant:
        return Meant(label=self.name)

    @property
    def what(self) -> str:
        return f"the external label {self.name}"

    def _node(self, root: yaml.MappingNode) -> yaml.Node | None:
        labels = label_nodes(root)
        pair = find(labels, self.name) if labels is not None else None
        return pair.value if pair is not None else None

    def is_gone(self, root: yaml.MappingNode) -> bool:
        return self._node(root) is None

    def is_removed(self, root: yaml.MappingNode) -> bool:
        node = self._node(root)
        return node is None or says(node, None)

    def reason_to_keep(self, root: yaml.MappingNode) -> str:
        node = self._node(root)
        if node is None or says(node, self.addition.settings.get(self.name)):
            return ""
        return "it has another value by now"

    def index(self, root: yaml.MappingNode) -> int | None:
        """None: a label is no entry."""
        del root
        return None

    def splices(self, splicer: Splicer, root: yaml.MappingNode) -> list[Splice]:
        del root
        return splicer.label_removals(self.name, with_mapping=self.addition.list_added)


_Item: t.TypeAlias = "_Entry | _Label"


def _item_of(key: str, addition: Addition) -> _Item:
    name = label_name(key)
    return _Entry(key, addition) if name is None else _Label(key, addition, name)


def _is_of_others(entry: yaml.MappingNode, addition: Addition) -> bool:
    if other_credentials(entry):
        return True
    sigv4 = find(entry, "sigv4")
    role = setting(sigv4.value, "role_arn") if sigv4 is not None and is_mapping(sigv4.value) else ""
    ours = (addition.settings.get("sigv4") or {}).get("role_arn")
    return bool(role) and role != ours and role not in addition.now
