# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of a kubeconfig's text that one context needs; pure.

A kubeconfig of a fleet has megabytes, most of them certificates of other clusters, and parsing them is most of what
reading it costs. Where the text has the form in which kubectl and the azure-cli write it, its lines tell where each
entry stands, and only the entries of one context are parsed.
"""

from __future__ import annotations

import bisect
import dataclasses
import re
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text import yaml_text

Json = dict[str, t.Any]

SECTIONS: t.Final = ("contexts", "clusters", "users")
_KEY: t.Final = re.compile(r"([A-Za-z][A-Za-z-]*):(?: |$)")
#: What may continue on another line: brackets, and quotes, in which an escape could hide a name, too.
_PAIRS: t.Final = (("{", "}"), ("[", "]"))
_QUOTES: t.Final = ('"', "'")
#: How lines begin that are part of what stands above them, beside entries of lists.
_BELOW: t.Final = ("", " ", "#")


class _Unusual(Exception):
    """The text has another form."""


@dataclasses.dataclass(frozen=True)
class _Section:
    """A list at the top level: ``lines`` from ``start`` to ``end``, and where its entries begin."""

    lines: list[str]
    start: int
    end: int
    entries: list[int]

    def named(self, name: str) -> tuple[int, int, Json] | None:
        """The first entry of a name: its lines from and to, and what they say."""
        hits = (at for at in range(self.start, self.end) if name in self.lines[at] and "name:" in self.lines[at])
        for place in dict.fromkeys(bisect.bisect_right(self.entries, at) - 1 for at in hits):
            first = self.entries[place]
            last = self.entries[place + 1] if place + 1 < len(self.entries) else self.end
            (entry,) = yaml_text.load("\n".join(self.lines[first:last]))
            if isinstance(entry, dict) and entry.get("name") == name:
                return first, last, entry
        return None


def excerpt(text: str, context: str) -> str | None:
    """The text without the entries that the context does not name, in as far as they are not needed.

    None where the text has another form than the usual one, or lacks something: it has to be read as a whole then.
    Other entries are not looked at, so a fault in one of them does not show.
    """
    try:
        lines = _ordinary(text)
        sections, others = _top_level(lines)
        kept = list(others)
        found = _entry(sections["contexts"], context, kept)["context"]
        for section, key in (("clusters", "cluster"), ("users", "user")):
            if found.get(key) is not None:
                _entry(sections[section], found[key], kept)
    except (_Unusual, yaml_text.YamlProblem, ValueError, KeyError, TypeError, AttributeError):
        return None
    # In the order of the file: each entry stands below its section's first line, which is among the others.
    return "\n".join(line for first, last in sorted(kept) for line in lines[first:last])


def _ordinary(text: str) -> list[str]:
    """The lines, of which each ends what it begins."""
    if "\t" in text or "\r" in text:
        raise _Unusual
    lines = text.split("\n")
    for opening, closing in _PAIRS:
        if any(line.count(opening) != line.count(closing) for line in lines if opening in line or closing in line):
            raise _Unusual
    for quote in _QUOTES:
        if quote in text and any(line.count(quote) % 2 or "\\" in line for line in lines if quote in line):
            raise _Unusual
    return lines


def _top_level(lines: list[str]) -> tuple[dict[str, _Section], list[tuple[int, int]]]:
    """The three lists, and the ranges of all other lines."""
    starts = [at for at, line in enumerate(lines) if line[:1] not in _BELOW and not line.startswith("- ")]
    keys = [_key(lines[at]) for at in starts]
    if len(set(keys)) != len(keys) or not starts:
        raise _Unusual
    sections: dict[str, _Section] = {}
    others = [(0, starts[0])]
    for key, start, end in zip(keys, starts, [*starts[1:], len(lines)], strict=True):
        if key in SECTIONS:
            sections[key] = _section(lines, start, end)
            others.append((start, start + 1))
        else:
            others.append((start, end))
    return sections, others


def _key(line: str) -> str:
    match = _KEY.match(line)
    if match is None:
        raise _Unusual
    return match[1]


def _section(lines: list[str], start: int, end: int) -> _Section:
    if lines[start].rstrip() != f"{_key(lines[start])}:":
        raise _Unusual
    first = lines[start + 1] if start + 1 < end else ""
    indent = " " * (len(first) - len(first.lstrip(" ")))
    entries = [at for at in range(start + 1, end) if lines[at].startswith(f"{indent}- ")]
    deeper = f"{indent} "
    begins = set(entries)
    if not entries or any(
        at not in begins and lines[at].strip() and not lines[at].startswith(deeper) for at in range(start + 1, end)
    ):
        raise _Unusual
    return _Section(lines, start + 1, end, entries)


def _entry(section: _Section, name: object, kept: list[tuple[int, int]]) -> Json:
    """The entry of a name, whose lines are kept. One with a space could stand on two lines, so it is not looked for."""
    if not isinstance(name, str) or not name or any(character.isspace() for character in name):
        raise _Unusual
    found = section.named(name)
    if found is None:
        raise _Unusual
    first, last, entry = found
    kept.append((first, last))
    return entry
