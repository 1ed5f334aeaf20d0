# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection added to a Prometheus configuration, as it is recorded on the object that holds the text; pure.

An addition is an entry of ``remote_write``, known by its URL, or an external label. It is recorded as the stretch of
text that it replaced, so that taking it back gives the old text, and as the settings that were set, so that a later
run can tell its own settings from those that somebody wrote into the entry since.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import is_same_url
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_record import SET, WAS, section_of
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.yaml_text import (
    Edit,
    YamlProblem,
    apply_edits,
    compose,
    find,
    is_mapping,
    is_sequence,
    setting,
)

Json = dict[str, t.Any]

#: Before the name of an external label in the record; no URL begins like that.
_LABEL: t.Final = "external_labels."
_LIST_ADDED: t.Final = "list"
_ENTRY: t.Final = "entry"
#: Later additions may stand in the stretch of earlier ones, and JSON objects have no order.
_ORDER: t.Final = "order"


@dataclasses.dataclass(frozen=True)
class Addition:
    """Something that was added: the stretch of text that gave way and the one that took its place.

    ``list_added`` says whether that one holds the key of the list, or of the mapping of labels, too. ``settings`` are
    the entry's settings that were set; of a label, its value under its name. An older record does not have them.
    """

    was: str
    now: str
    list_added: bool
    settings: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(
        cls, text: str, edits: t.Sequence[Edit], settings: t.Mapping[str, t.Any], *, list_added: bool = False
    ) -> Addition:
        """The addition that these edits make to ``text``."""
        start = min(edit.start for edit in edits)
        end = max(edit.end for edit in edits)
        was = text[start:end]
        return cls(was, apply_edits(was, _moved(edits, start)), list_added, settings)

    def followed(self, text: str, edits: t.Sequence[Edit], *, inside: bool = False) -> Addition:
        """The addition after a change of it by ``edits`` of ``text``; those that do not touch it leave it as it is.

        What is written at its very ends belongs to it, unless ``inside`` says that the change is another addition's.
        """
        margin = 1 if inside else 0
        for start in occurrences(text, self.now):
            end = start + len(self.now)
            drawn = [_drawn_back(text, edit, end) for edit in _joined(edits)]
            if all(start + margin <= edit.start and edit.end <= end - margin for edit in drawn):
                return dataclasses.replace(self, now=apply_edits(self.now, _moved(drawn, start)))
        return self


def _joined(edits: t.Iterable[Edit]) -> list[Edit]:
    """The edits in their order, those that touch as one."""
    joined: list[Edit] = []
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        if joined and joined[-1].end == edit.start:
            last = joined.pop()
            joined.append(Edit(last.start, edit.end, last.text + edit.text))
        else:
            joined.append(edit)
    return joined


def _drawn_back(text: str, edit: Edit, end: int) -> Edit:
    """The same change by an edit that ends at ``end``, where there is one, else the edit as it is.

    Edits take whole lines with their line break, which may be the first character of what stands behind an addition;
    taking the line break before the lines instead leaves the same text.
    """
    over = edit.end - end
    if over <= 0 or edit.start >= end:
        return edit
    if edit.text.endswith(text[end : edit.end]):
        return dataclasses.replace(edit, end=end, text=edit.text[:-over])
    if not edit.text and text[edit.start - over : edit.start] == text[end : edit.end]:
        return dataclasses.replace(edit, start=edit.start - over, end=end)
    return edit


def _moved(edits: t.Iterable[Edit], start: int) -> list[Edit]:
    return [Edit(edit.start - start, edit.end - start, edit.text) for edit in edits]


def occurrences(text: str, part: str) -> t.Iterator[int]:
    """Where a part stands in a text."""
    start = text.find(part) if part else -1
    while start >= 0:
        yield start
        start = text.find(part, start + 1)


#: In the order in which they were made.
Additions: t.TypeAlias = t.Mapping[str, Addition]


def followed_by_others(additions: Additions, text: str, edits: t.Sequence[Edit]) -> dict[str, Addition]:
    """Additions after a change of another one, which may stand inside of them."""
    return {key: addition.followed(text, edits, inside=True) for key, addition in additions.items()}


def label_key(name: str) -> str:
    """The key under which an external label is recorded."""
    return _LABEL + name


def label_name(key: str) -> str | None:
    """The external label that is recorded under a key; None for an entry."""
    return key.removeprefix(_LABEL) if key.startswith(_LABEL) else None


def recorded_url(additions: Additions, url: str) -> str | None:
    """Under which URL an entry is recorded, however it is spelled; None when it is not."""
    return next((known for known in additions if label_name(known) is None and is_same_url(known, url)), None)


def chosen_by(additions: Additions, url: str | None) -> dict[str, Addition]:
    """What goes when the entry for ``url`` goes, or all: labels go with the last entry."""
    entries = {key for key in additions if label_name(key) is None}
    chosen = {key for key in entries if url is None or is_same_url(key, url)}
    return {key: addition for key, addition in additions.items() if key in chosen or (chosen == entries)}


def additions_in(record: t.Mapping[str, t.Any], key: str) -> dict[str, Addition]:
    """What is recorded of one configuration: entries by their URLs, labels by ``label_key``."""
    section = section_of(record, key)
    return {name: _addition(name, section[name]) for name in sorted(section, key=lambda name: _order(section[name]))}


def with_additions(record: t.Mapping[str, t.Any], key: str, additions: Additions) -> Json:
    """The record with these additions to one configuration."""
    section = {
        name: {
            WAS: addition.was,
            SET: addition.now,
            _LIST_ADDED: addition.list_added,
            _ORDER: order,
            **({_ENTRY: dict(addition.settings)} if addition.settings else {}),
        }
        for order, (name, addition) in enumerate(additions.items())
    }
    return {**record, key: section}


def _order(entry: t.Mapping[str, t.Any]) -> int:
    order = entry.get(_ORDER)
    return order if isinstance(order, int) else 0


def _addition(name: str, entry: t.Mapping[str, t.Any]) -> Addition:
    settings = entry.get(_ENTRY)
    now = str(entry[SET])
    return Addition(
        str(entry[WAS]),
        now,
        bool(entry.get(_LIST_ADDED)),
        settings if isinstance(settings, dict) else _settings_in(now, name),
    )


def _settings_in(now: str, url: str) -> Json:
    """What an older version set, which recorded the text alone: URL and signing, as the text says."""
    for text in (now, now.strip(", ")):
        try:
            root = compose(text, marks=False)
        except YamlProblem:
            continue
        found = find(root, "remote_write") if root is not None and is_mapping(root) else None
        items = found.value if found is not None else root
        for entry in items.value if items is not None and is_sequence(items) else [items]:
            if entry is not None and is_mapping(entry) and is_same_url(setting(entry, "url"), url):
                sigv4 = find(entry, "sigv4")
                signing = sigv4.value.value if sigv4 is not None and is_mapping(sigv4.value) else []
                return {"url": url, "sigv4": {str(key.value): str(value.value) for key, value in signing}}
    return {}
