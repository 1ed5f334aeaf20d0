# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was changed on Kubernetes objects of others, recorded on the object itself, so that it can be undone.

The record is an annotation with JSON: by section ("labels"), by name, the value that was there before the first change
(``was``, null for none) and the one that was set (``set``). A value that somebody changed since is no longer ours.
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.json_text import parse_json

Json = dict[str, t.Any]

#: The annotation's DNS prefix keeps it out of everybody else's way.
RECORD_ANNOTATION: t.Final = "aks-amp.crosscloud.io/previous"

WAS: t.Final = "was"
SET: t.Final = "set"


def read_record(found: t.Mapping[str, t.Any] | None) -> Json:
    """The record in an object's annotations; empty without one, or when somebody made it unreadable."""
    try:
        record = parse_json(str((found or {}).get(RECORD_ANNOTATION) or "{}"))
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def record_annotation(record: t.Mapping[str, t.Any]) -> dict[str, str | None]:
    """The annotation for a JSON merge patch: None, which removes it, once nothing is recorded any more."""
    kept = {name: section for name, section in record.items() if section}
    return {RECORD_ANNOTATION: json.dumps(kept, sort_keys=True, separators=(",", ":")) if kept else None}


def section_of(record: t.Mapping[str, t.Any], name: str) -> Json:
    """One section of a record, without entries that are no record."""
    section = record.get(name)
    entries = section.items() if isinstance(section, dict) else ()
    return {key: entry for key, entry in entries if isinstance(entry, dict) and WAS in entry and SET in entry}


def noted(record: t.Mapping[str, t.Any], section: str, name: str, *, was: object, to: object) -> Json:
    """The record with one more change. What was there before the first one counts, unless others changed it since."""
    entries = section_of(record, section)
    if name in entries and entries[name][SET] == was:
        was = entries[name][WAS]
    return {**record, section: {**entries, name: {WAS: was, SET: to}}}


def forgotten(record: t.Mapping[str, t.Any], section: str, name: str) -> Json:
    """The record without one change, which was taken back."""
    entries = {key: entry for key, entry in section_of(record, section).items() if key != name}
    return {**record, section: entries}


_KEPT: t.Final = " is kept: "


def kept(what: object, why: str) -> str:
    """The sentence that says that something stays, and why."""
    return f"{what}{_KEPT}{why.rstrip('.')}."


def kept_among(sentences: t.Iterable[str]) -> list[str]:
    """Those of several sentences that say that something stays."""
    return [sentence for sentence in sentences if _KEPT in sentence]
