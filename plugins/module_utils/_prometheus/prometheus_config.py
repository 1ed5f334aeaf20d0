# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Prometheus configuration lacks to write to AMP workspaces with the pod's web identity, and its repair.

The configuration's text is somebody else's: it is parsed for positions, spliced, parsed again and compared. A text
that needs nothing comes back as it is.
Settings: https://prometheus.io/docs/prometheus/latest/configuration/configuration/#remote_write
"""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import RemoteWrite, is_same_url
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus import entry_sentences, several_entries
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.prometheus_judge import (
    judge_entry,
    judge_label,
    label_nodes,
    refuse_other_entry,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.prometheus_outline import Meant, outline
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.prometheus_record import (
    Addition,
    Additions,
    followed_by_others,
    label_key,
    recorded_url,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.prometheus_splice import (
    REMOTE_WRITE,
    EntryRepair,
    SharedNode,
    Splice,
    Splicer,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus_versions import PrometheusVersion
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.yaml_secrets import Hidden
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.yaml_text import (
    Fingerprints,
    YamlProblem,
    apply_edits,
    compose,
    data_of,
    find,
    is_mapping,
    is_null,
    is_sequence,
    refuse_odd_keys,
    setting,
)

if t.TYPE_CHECKING:
    import yaml

#: Whether two remote write URLs lead to one workspace, however they are spelled.
is_same_workspace = is_same_url


@dataclasses.dataclass(frozen=True)
class Merged:
    """A configuration with the entries and labels. ``summaries`` say what was changed; without any it is the old one.

    The shown texts are the old and the new one with their secrets blotted out. ``additions`` are what the collection
    added, this time and before.
    """

    text: str
    additions: Additions
    summaries: tuple[str, ...] = ()
    shown_before: str = ""
    shown_after: str = ""
    warnings: tuple[str, ...] = ()


def merge_remote_writes(
    text: str,
    entries: t.Sequence[RemoteWrite],
    *,
    place: str,
    external_labels: t.Mapping[str, str] | None = None,
    version: PrometheusVersion | None = None,
    recorded: Additions | None = None,
) -> Merged:
    """The configuration with the entries and external labels in it, for this version of Prometheus.

    ``recorded`` is what the collection added before; ``place`` names the text for messages. Raises Refused when the
    text is not one YAML mapping, when an entry or label that is there contradicts the wish, and when a change would
    touch other settings too; FederationError for what the version does not know.
    """
    goals: list[_Goal] = [_LabelGoal(name, value, place) for name, value in (external_labels or {}).items()]
    goals += [_EntryGoal(wanted, version, place) for wanted in entries]
    merger = _Merger(text, goals, dict(recorded or {}), place)
    try:
        return merger.merge()
    except YamlProblem as problem:
        raise not_usable(place, problem) from None


def shortcomings(text: str, entries: t.Sequence[RemoteWrite], *, place: str) -> tuple[str, ...]:
    """What the configuration lacks of the entries, in the words of the changes that would mend it, whoever added them.

    Nothing is spliced, so a text that can't be changed is judged too. Raises Refused as ``merge_remote_writes`` does.
    """
    try:
        root = top_mapping(compose(text, marks=False))
        verdicts = [_EntryGoal(wanted, None, place).judge(root, {}) for wanted in entries]
    except YamlProblem as problem:
        raise not_usable(place, problem) from None
    return tuple(summary for verdict in verdicts for summary in verdict.summaries)


def not_usable(place: str, problem: YamlProblem) -> errors.Refused:
    """The error for a text that is not one YAML mapping of the right shape."""
    where = f" (line {problem.line}, column {problem.column})" if problem.line else ""
    return errors.Refused(
        f"{place} is not a usable Prometheus configuration: {problem.problem}{where}.",
        fix="Repair it first ('promtool check config' helps); nothing was changed.",
        kind="unusable",
    )


def top_mapping(root: yaml.Node | None) -> yaml.MappingNode:
    if root is None or is_null(root):
        raise YamlProblem("it is empty")
    if not is_mapping(root):
        raise YamlProblem("it is not a mapping", root.start_mark.line + 1, root.start_mark.column + 1)
    refuse_odd_keys(root)
    return root


def entries_of(root: yaml.MappingNode) -> list[yaml.Node]:
    pair = find(root, REMOTE_WRITE)
    if pair is None or is_null(pair.value):
        return []
    if not is_sequence(pair.value):
        mark = pair.value.start_mark
        raise YamlProblem("its remote_write is not a list", mark.line + 1, mark.column + 1)
    return list(pair.value.value)


class _Merger:
    """Reaches several goals in one text, one after the other."""

    def __init__(self, text: str, goals: t.Sequence[_Goal], additions: dict[str, Addition], place: str) -> None:
        self._text = text
        self._goals = goals
        self._additions = additions
        self._place = place

    def merge(self) -> Merged:
        root = top_mapping(compose(self._text, marks=False))
        verdicts = [goal.judge(root, self._additions) for goal in self._goals]
        warnings = tuple(dict.fromkeys(warning for verdict in verdicts for warning in verdict.warnings))
        if not any(verdict.summaries for verdict in verdicts):
            return Merged(self._text, self._additions, warnings=warnings)
        marked = top_mapping(compose(self._text, marks=True))
        hidden = Hidden(self._text, marked)
        before = hidden.shown(self._text)
        summaries: list[str] = []
        for goal, verdict in zip(self._goals, verdicts, strict=True):
            if verdict.summaries:
                marked = top_mapping(compose(self._text, marks=True)) if summaries else marked
                summaries += self._reach(goal, marked, hidden).summaries
        return Merged(self._text, self._additions, tuple(summaries), before, hidden.shown(self._text), warnings)

    def _reach(self, goal: _Goal, root: yaml.MappingNode, hidden: Hidden) -> _Verdict:
        """``root`` is the present text with exact marks."""
        verdict = goal.judge(root, self._additions)
        try:
            splices = verdict.change.splices(Splicer(self._text, root))
        except SharedNode as shared:
            raise errors.Refused(
                f"{self._place}: what stands in line {shared.line} is used by an anchor's aliases or a merge elsewhere "
                f"too, so {goal.what} can't be changed alone.",
                fix="Write the settings out there without the alias, then rerun.",
            ) from None
        for splice in splices:
            after = apply_edits(self._text, splice.edits)
            if self._is_exactly_the_change(root, after, goal, verdict.change, splice):
                self._record(verdict.change, splice)
                hidden.follow(self._text, splice.edits)
                self._text = after
                return verdict
        raise errors.Refused(
            f"{self._place} is written in a way in which {goal.what} can't be changed without touching other settings.",
            fix=f"Write this into it by hand: {goal.shown}.",
        )

    def _record(self, change: _Change, splice: Splice) -> None:
        before = dict(self._additions)
        change.record(self._additions, self._text, splice)
        others = {key: addition for key, addition in self._additions.items() if before.get(key) == addition}
        self._additions.update(followed_by_others(others, self._text, splice.edits))

    def _is_exactly_the_change(
        self, root: yaml.MappingNode, text: str, goal: _Goal, change: _Change, splice: Splice
    ) -> bool:
        """Parse the new text: nothing else may differ, and nothing may be left to do."""
        try:
            after = top_mapping(compose(text, marks=False))
            if goal.judge(after, self._additions).summaries:
                return False
        except (YamlProblem, errors.Refused):
            return False
        numbers = Fingerprints()
        old = outline(root, numbers, change.meant)
        return old == outline(after, numbers, change.meant, left_out=splice.added_index)


# What is wanted -------------------------------------------------------------------------------------------------------


class _Change(t.Protocol):
    """A change of the text, and what it does to the record."""

    @property
    def meant(self) -> Meant:
        """What it changes besides adding an entry."""

    def splices(self, splicer: Splicer) -> list[Splice]:
        """Ways to make it, the best first. Raises SharedNode."""

    def record(self, additions: dict[str, Addition], text: str, splice: Splice) -> None:
        """Enter it into the record. ``text`` is the one before."""


@dataclasses.dataclass(frozen=True)
class _Verdict:
    """What has to be done for a goal; without summaries nothing has to."""

    change: _Change
    summaries: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class _Goal(t.Protocol):
    """An entry or a label that the configuration shall have."""

    @property
    def what(self) -> str:
        """It in words."""

    @property
    def shown(self) -> str:
        """It as JSON, for somebody who has to write it by hand."""

    def judge(self, root: yaml.MappingNode, additions: Additions) -> _Verdict:
        """Compare with what is there."""


@dataclasses.dataclass(frozen=True)
class _LabelGoal:
    name: str
    value: str
    place: str

    @property
    def what(self) -> str:
        return f"the external label {self.name}"

    @property
    def shown(self) -> str:
        return json.dumps({"global": {"external_labels": {self.name: self.value}}}, ensure_ascii=False)

    def judge(self, root: yaml.MappingNode, additions: Additions) -> _Verdict:
        known = additions.get(label_key(self.name))
        mine = str(known.settings.get(self.name)) if known is not None else None
        summary = judge_label(root, self.name, self.value, mine=mine, place=self.place)
        labels = label_nodes(root)
        is_there = labels is not None and find(labels, self.name) is not None
        change = _SetLabel(self.name, self.value, known if is_there else None)
        return _Verdict(change, (summary,) if summary else ())


@dataclasses.dataclass(frozen=True)
class _SetLabel:
    """``known`` is the record of the label when it is there and ours already."""

    name: str
    value: str
    known: Addition | None

    @property
    def meant(self) -> Meant:
        return Meant(label=self.name)

    def splices(self, splicer: Splicer) -> list[Splice]:
        return splicer.label(self.name, self.value)

    def record(self, additions: dict[str, Addition], text: str, splice: Splice) -> None:
        settings = {self.name: self.value}
        if self.known is not None:
            addition = dataclasses.replace(self.known.followed(text, splice.edits), settings=settings)
        else:
            addition = Addition.of(text, splice.edits, settings, list_added=splice.with_container)
        additions[label_key(self.name)] = addition


@dataclasses.dataclass(frozen=True)
class _EntryGoal:
    wanted: RemoteWrite
    version: PrometheusVersion | None
    place: str

    @property
    def what(self) -> str:
        return f"the remote_write entry for {self.wanted.url}"

    @property
    def shown(self) -> str:
        return json.dumps(self.wanted.entry(self.version), ensure_ascii=False)

    def judge(self, root: yaml.MappingNode, additions: Additions) -> _Verdict:
        entry = self.wanted.entry(self.version)
        entries = [(index, node) for index, node in enumerate(entries_of(root)) if is_mapping(node)]
        found = [(index, node) for index, node in entries if is_same_url(setting(node, "url"), self.wanted.url)]
        known = recorded_url(additions, self.wanted.url)
        named = self._named(entries, found)
        if named is not None:
            known = recorded_url(additions, setting(named[1], "url"))
            if found or known is None:
                refuse_other_entry(named[1], self.wanted, self.place)
            found = [named]
        if not found:
            added = entry_sentences.missing(REMOTE_WRITE, self.wanted.url, entry["sigv4"].get("role_arn"))
            return _Verdict(_AddEntry(entry), (added,))
        return self._judge_found(root, found, additions, known)

    def _named(
        self, entries: list[tuple[int, yaml.MappingNode]], found: list[tuple[int, yaml.MappingNode]]
    ) -> tuple[int, yaml.MappingNode] | None:
        """Another entry that has the name that is wanted."""
        others = [item for item in entries if item not in found]
        if self.wanted.name is None:
            return None
        return next((item for item in others if setting(item[1], "name") == self.wanted.name), None)

    def _judge_found(
        self,
        root: yaml.MappingNode,
        found: list[tuple[int, yaml.MappingNode]],
        additions: Additions,
        known: str | None,
    ) -> _Verdict:
        wanted, rest = self.wanted, several_entries.for_each(self.wanted)
        mine = additions[known].settings if known is not None and len(found) == 1 else None
        present = [data_of(node) for _index, node in found]
        meant = several_entries.the_one_meant(present, wanted.asked_for(self.version), self.place)
        asked = [wanted if number == meant else rest for number in range(len(found))]
        findings = [
            judge_entry(node, index, one, version=self.version, mine=mine, place=self.place)
            for (index, node), one in zip(found, asked, strict=True)
        ]
        repairs = tuple(finding.repair for finding in findings if finding.summaries)
        if len(found) > 1:
            several_entries.refuse_alike(_as_repaired(root, repairs), wanted.url, wanted.name, self.place)
        change = _RepairEntries(repairs, wanted.url, known if mine is not None else None, findings[0].settings)
        return _Verdict(
            change,
            tuple(summary for finding in findings for summary in finding.summaries),
            tuple(warning for finding in findings for warning in finding.warnings),
        )


def _as_repaired(root: yaml.MappingNode, repairs: t.Sequence[EntryRepair]) -> list[t.Any]:
    """The entries as plain data, as they are afterwards."""
    entries = [data_of(node) for node in entries_of(root)]
    for repair in repairs:
        entries[repair.index] = repair.applied_to(entries[repair.index])
    return entries


@dataclasses.dataclass(frozen=True)
class _AddEntry:
    entry: t.Mapping[str, t.Any]
    meant: Meant = dataclasses.field(default_factory=Meant)

    def splices(self, splicer: Splicer) -> list[Splice]:
        return splicer.additions(self.entry)

    def record(self, additions: dict[str, Addition], text: str, splice: Splice) -> None:
        url = str(self.entry["url"])
        known = recorded_url(additions, url)
        if known is not None:  # somebody removed it since
            del additions[known]
        additions[url] = Addition.of(text, splice.edits, self.entry, list_added=splice.with_container)


@dataclasses.dataclass(frozen=True)
class _RepairEntries:
    """``known`` is the URL under which the entry is recorded, None for entries of others."""

    repairs: tuple[EntryRepair, ...]
    url: str
    known: str | None
    settings: t.Mapping[str, t.Any]

    @property
    def meant(self) -> Meant:
        return Meant({repair.index: repair.paths for repair in self.repairs})

    def splices(self, splicer: Splicer) -> list[Splice]:
        return [splicer.repairs(self.repairs)]

    def record(self, additions: dict[str, Addition], text: str, splice: Splice) -> None:
        if self.known is None:
            return
        addition = additions[self.known].followed(text, splice.edits)
        followed = (self.url, dataclasses.replace(addition, settings=self.settings))
        items = [followed if key == self.known else (key, found) for key, found in additions.items()]
        additions.clear()
        # A record under the new URL is of an entry that somebody removed.
        additions.update(item for item in items if item == followed or item[0] != self.url)
