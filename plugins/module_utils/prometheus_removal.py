# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``remote_write`` entries that the collection added to a Prometheus configuration, removed again.

What is added is recorded as the stretch of text that it replaced. Where that stretch is still as it was, putting the
old one back gives the old text, character by character; otherwise the entry's own lines are removed.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.kube_record import kept
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.prometheus_config import (
    Merged,
    entries_of,
    is_same_workspace,
    other_credentials,
    outline,
    setting,
    top_mapping,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.prometheus_splice import Splicer
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.yaml_secrets import redact_url, redactions
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.yaml_text import (
    Edit,
    Fingerprints,
    YamlProblem,
    apply_edits,
    compose,
    find,
    is_mapping,
)

if t.TYPE_CHECKING:
    import yaml

_WORKSPACE_URL = re.compile(r"https://(?:[\w-]+\.)?aps-workspaces(?:-fips)?\.[a-z0-9-]+\.")


@dataclasses.dataclass(frozen=True)
class Addition:
    """An entry that was added: the stretch of text that gave way, the one that took its place, and whether that one
    holds the list's key too."""

    was: str
    now: str
    list_added: bool

    @classmethod
    def of(cls, text: str, merged: Merged) -> Addition:
        """The addition that a merge made to ``text``."""
        start = min(edit.start for edit in merged.edits)
        end = max(edit.end for edit in merged.edits)
        was = text[start:end]
        return cls(was, apply_edits(was, _moved(merged.edits, start)), merged.list_added)

    def followed(self, text: str, edits: t.Sequence[Edit]) -> Addition:
        """The addition after a repair of its entry by ``edits`` of ``text``."""
        for start in _occurrences(text, self.now):
            end = start + len(self.now)
            if all(start <= edit.start and edit.end <= end for edit in edits):
                return dataclasses.replace(self, now=apply_edits(self.now, _moved(edits, start)))
        return self


def _moved(edits: t.Iterable[Edit], start: int) -> list[Edit]:
    return [Edit(edit.start - start, edit.end - start, edit.text) for edit in edits]


def _occurrences(text: str, part: str) -> t.Iterator[int]:
    start = text.find(part) if part else -1
    while start >= 0:
        yield start
        start = text.find(part, start + 1)


@dataclasses.dataclass(frozen=True)
class Removed:
    """A configuration without the entries. ``gone`` are the URLs that need no record any more.

    The shown texts are the old and the new one with their secrets blotted out.
    """

    text: str
    gone: tuple[str, ...] = ()
    summaries: tuple[str, ...] = ()
    shown_before: str = ""
    shown_after: str = ""
    warnings: tuple[str, ...] = ()


def remove_remote_write(text: str, additions: t.Mapping[str, Addition], *, place: str) -> Removed:
    """The configuration without the entries that were added, by their URLs. ``place`` names the text for messages.

    An entry whose credentials are others' by now is kept, with a warning. Raises Refused when the text is not one YAML
    mapping, and when an entry can't be removed without touching other settings.
    """
    if not additions:
        return Removed(text)
    after, gone, summaries, warnings = text, [], [], []
    try:
        for url, addition in additions.items():
            index, reason = _entry_to_remove(after, url, addition)
            if reason:
                warnings.append(kept(f"The remote_write entry for {redact_url(url)} in {place}", reason))
                continue
            gone.append(url)
            if index is not None:
                after = _without(after, index, url, addition, place)
                summaries.append(f"remove the remote_write entry for {redact_url(url)}")
        if not summaries:
            return Removed(text, tuple(gone), warnings=tuple(warnings))
        return Removed(after, tuple(gone), tuple(summaries), _shown(text), _shown(after), tuple(warnings))
    except YamlProblem as problem:
        where = f" (line {problem.line}, column {problem.column})" if problem.line else ""
        raise errors.Refused(
            f"{place} is not a usable Prometheus configuration: {problem.problem}{where}.",
            fix="Repair it first ('promtool check config' helps); nothing was changed.",
        ) from None


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
        if _WORKSPACE_URL.match(url) and not any(is_same_workspace(url, known) for known in recorded)
    )


def _entry_to_remove(text: str, url: str, addition: Addition) -> tuple[int | None, str]:
    """The entry's place in the list, None when it is gone already; and why it must be kept, empty when it may go."""
    root = top_mapping(compose(text, marks=False))
    entries = [
        (index, entry)
        for index, entry in enumerate(entries_of(root))
        if is_mapping(entry) and is_same_workspace(setting(entry, "url"), url)
    ]
    if not entries:
        return None, ""
    ours = [index for index, entry in entries if not _is_of_others(entry, addition)]
    if not ours:
        return None, "it has other credentials by now"
    if len(ours) > 1:
        return None, f"there are {len(ours)} of them, and which one the collection added can't be told"
    return ours[0], ""


def _is_of_others(entry: yaml.MappingNode, addition: Addition) -> bool:
    if other_credentials(entry):
        return True
    sigv4 = find(entry, "sigv4")
    role = setting(sigv4.value, "role_arn") if sigv4 is not None and is_mapping(sigv4.value) else ""
    return bool(role) and role not in addition.now


def _without(text: str, index: int, url: str, addition: Addition, place: str) -> str:
    """The text without one entry. Raises Refused when no way to remove it leaves everything else as it is."""
    for start in _occurrences(text, addition.now):
        candidate = text[:start] + addition.was + text[start + len(addition.now) :]
        if _is_exactly_the_removal(text, candidate, index):
            return candidate
    splicer = Splicer(text, top_mapping(compose(text, marks=True)))
    for splice in splicer.removals(index, with_list=addition.list_added):
        candidate = apply_edits(text, splice.edits)
        if _is_exactly_the_removal(text, candidate, index):
            return candidate
    raise errors.Refused(
        f"{place} is written in a way in which the remote_write entry for {redact_url(url)} can't be removed without "
        "touching other settings.",
        fix="Remove it by hand, then rerun.",
    )


def _is_exactly_the_removal(text: str, candidate: str, index: int) -> bool:
    """Parse both: nothing else may differ."""
    try:
        after = top_mapping(compose(candidate, marks=False))
        before = top_mapping(compose(text, marks=False))
    except YamlProblem:
        return False
    numbers = Fingerprints()
    old = outline(before, numbers, repaired=frozenset(), left_out=index)
    return old == outline(after, numbers, repaired=frozenset(), left_out=None)


def _shown(text: str) -> str:
    return apply_edits(text, redactions(text, top_mapping(compose(text, marks=True))))
