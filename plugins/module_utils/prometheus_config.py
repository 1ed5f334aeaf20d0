# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Prometheus configuration lacks to write to an AMP workspace with the pod's web identity, and its repair.

The configuration's text is somebody else's: it is parsed for positions, spliced, parsed again and compared. A text
that needs nothing comes back as it is.
Settings: https://prometheus.io/docs/prometheus/latest/configuration/configuration/#remote_write
"""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t
import urllib.parse

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.federation import RemoteWrite, is_known
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.prometheus_splice import (
    REMOTE_WRITE,
    EntryRepair,
    SharedNode,
    Splice,
    Splicer,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.yaml_secrets import REDACTED, redact_url, redactions
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.yaml_text import (
    Edit,
    Fingerprints,
    YamlProblem,
    apply_edits,
    compose,
    find,
    is_mapping,
    is_null,
    is_scalar,
    is_sequence,
    pairs,
)

if t.TYPE_CHECKING:
    import yaml

#: Credentials that Prometheus uses instead of signing; it accepts none of them beside ``sigv4``.
_OTHER_AUTHENTICATION = (
    "authorization",
    "azuread",
    "basic_auth",
    "bearer_token",
    "bearer_token_file",
    "google_iam",
    "oauth2",
)
#: Settings of ``sigv4`` that put other credentials before the pod's web identity.
_OTHER_CREDENTIALS = ("access_key", "secret_key", "profile")
#: Settings whose values may be shown to explain a refusal; everything else could be a secret.
_SHOWN = frozenset({"region", "role_arn", "profile", "username", "type", "client_id", "tenant_id", "cloud"})
_OURS = frozenset({"region", "role_arn", "external_id"})


@dataclasses.dataclass(frozen=True)
class Merged:
    """A configuration with the entry. ``summaries`` say what was changed; without any the text is the old one.

    The shown texts are the old and the new one with their secrets blotted out. ``edits`` are of the old text;
    ``added`` and ``list_added`` say whether they add the entry, and with it the list.
    """

    text: str
    summaries: tuple[str, ...] = ()
    shown_before: str = ""
    shown_after: str = ""
    warnings: tuple[str, ...] = ()
    edits: tuple[Edit, ...] = ()
    added: bool = False
    list_added: bool = False


def merge_remote_write(text: str, wanted: RemoteWrite, *, place: str) -> Merged:
    """The configuration with the entry in it. ``place`` names the text for messages.

    Raises Refused when the text is not one YAML mapping, when an entry for the workspace has other credentials, and
    when a repair would change other settings too.
    """
    try:
        return _merge(text, wanted, place)
    except YamlProblem as problem:
        where = f" (line {problem.line}, column {problem.column})" if problem.line else ""
        raise errors.Refused(
            f"{place} is not a usable Prometheus configuration: {problem.problem}{where}.",
            fix="Repair it first ('promtool check config' helps); nothing was changed.",
        ) from None
    except SharedNode as shared:
        raise errors.Refused(
            f"{place}: what stands in line {shared.line} is used by an anchor's aliases or a merge elsewhere too, so "
            f"the remote_write entry for {wanted.url} can't be changed alone.",
            fix="Write that entry's settings out without the alias, then rerun.",
        ) from None


def _merge(text: str, wanted: RemoteWrite, place: str) -> Merged:
    verdict = _judge(top_mapping(compose(text, marks=False)), wanted, place)
    if not verdict.summaries:
        return Merged(text, warnings=verdict.warnings)
    root = top_mapping(compose(text, marks=True))
    splicer = Splicer(text, root)
    splices = splicer.additions(wanted.entry()) if verdict.add else [splicer.repairs(verdict.repairs)]
    for splice in splices:
        merged = apply_edits(text, splice.edits)
        if _is_exactly_the_change(root, merged, verdict, splice, wanted, place):
            hidden = redactions(text, root)
            return Merged(
                text=merged,
                summaries=verdict.summaries,
                shown_before=apply_edits(text, hidden),
                shown_after=apply_edits(text, (*hidden, *splice.edits)),
                warnings=verdict.warnings,
                edits=splice.edits,
                added=verdict.add,
                list_added=find(root, REMOTE_WRITE) is None,
            )
    raise errors.Refused(
        f"{place} is written in a way in which the remote_write entry for {wanted.url} can't be changed without "
        "touching other settings.",
        fix=f"Write this entry into it by hand: {_shown(wanted.entry())}.",
    )


def top_mapping(root: yaml.Node | None) -> yaml.MappingNode:
    if root is None or is_null(root):
        raise YamlProblem("it is empty")
    if not is_mapping(root):
        raise YamlProblem("it is not a mapping", root.start_mark.line + 1, root.start_mark.column + 1)
    return root


# What is wrong --------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class _Verdict:
    add: bool
    repairs: tuple[EntryRepair, ...] = ()
    summaries: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def _judge(root: yaml.MappingNode, wanted: RemoteWrite, place: str) -> _Verdict:
    entries = [
        (index, entry)
        for index, entry in enumerate(entries_of(root))
        if is_mapping(entry) and is_same_workspace(setting(entry, "url"), wanted.url)
    ]
    if not entries:
        sigv4 = wanted.entry()["sigv4"]
        role = f" through the chained role {sigv4['role_arn']}" if "role_arn" in sigv4 else ""
        return _Verdict(add=True, summaries=(f"add a remote_write entry for {wanted.url}{role}",))
    judged = [_judge_entry(entry, index, wanted, place) for index, entry in entries]
    return _Verdict(
        add=False,
        repairs=tuple(finding.repair for finding in judged if finding.summaries),
        summaries=tuple(summary for finding in judged for summary in finding.summaries),
        warnings=tuple(warning for finding in judged for warning in finding.warnings),
    )


def entries_of(root: yaml.MappingNode) -> list[yaml.Node]:
    pair = find(root, REMOTE_WRITE)
    if pair is None or is_null(pair.value):
        return []
    if not is_sequence(pair.value):
        mark = pair.value.start_mark
        raise YamlProblem("its remote_write is not a list", mark.line + 1, mark.column + 1)
    return list(pair.value.value)


def setting(mapping: yaml.MappingNode, name: str) -> str:
    """A setting's text; empty when it is not there or null."""
    pair = find(mapping, name)
    return str(pair.value.value) if pair is not None and is_scalar(pair.value) and not is_null(pair.value) else ""


def is_same_workspace(url: str, wanted: str) -> bool:
    """Whether two remote write URLs lead to one workspace, however they are spelled."""
    return bool(url) and _normal_url(url) == _normal_url(wanted)


def _normal_url(url: str) -> tuple[str, str, str, str]:
    try:
        parts = urllib.parse.urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:  # not a URL at all
        return ("", url, "", "")
    port = None if port == 443 and parts.scheme == "https" else port
    path = re.sub("/{2,}", "/", parts.path).rstrip("/")
    return (parts.scheme.lower(), host if port is None else f"{host}:{port}", path, parts.query)


@dataclasses.dataclass(frozen=True)
class _Finding:
    repair: EntryRepair
    summaries: list[str]
    warnings: list[str]


def _judge_entry(entry: yaml.MappingNode, index: int, wanted: RemoteWrite, place: str) -> _Finding:
    _refuse_other_credentials(entry, wanted, place)
    summaries: list[str] = []
    url = wanted.url if setting(entry, "url") != wanted.url else None
    if url is not None:
        summaries.append(f"correct the entry's url to {url} (it was {redact_url(setting(entry, 'url'))})")
    sigv4 = find(entry, "sigv4")
    if sigv4 is None or not is_mapping(sigv4.value) or not sigv4.value.value:
        values: dict[str, str] = dict(wanted.entry()["sigv4"])
        summaries.append(f"sign requests for {wanted.url} with the pod's web identity (sigv4, region {wanted.region})")
        return _Finding(EntryRepair(index, url, values, ()), summaries, [])
    values = {}
    region = setting(sigv4.value, "region")
    if region != wanted.region:
        values["region"] = wanted.region
        was = f" (it was {region})" if region else ", without which Prometheus signs for no region"
        summaries.append(f"set sigv4.region to {wanted.region}{was}")
    removed, warnings = _judge_role(sigv4.value, wanted, values, summaries)
    return _Finding(EntryRepair(index, url, values, removed), summaries, warnings)


def _judge_role(
    sigv4: yaml.MappingNode, wanted: RemoteWrite, values: dict[str, str], summaries: list[str]
) -> tuple[tuple[str, ...], list[str]]:
    role, chained = setting(sigv4, "role_arn"), wanted.chained_role_arn or ""
    if role == chained:
        return (), []
    if chained:
        values["role_arn"] = chained
        summaries.append(f"assume the chained role {chained}" + (f" (it was {role})" if role else ""))
        return (), []
    if not is_known(wanted.role_arn):
        return (), [f"The entry's sigv4.role_arn {role} can't be judged before the federated role's ARN is known."]
    summaries.append(
        f"remove sigv4.role_arn {role}: the pod's web identity is that role already, and a role can't assume itself"
    )
    # Prometheus refuses an external_id without role_arn.
    return ("role_arn", "external_id") if find(sigv4, "external_id") else ("role_arn",), []


def _refuse_other_credentials(entry: yaml.MappingNode, wanted: RemoteWrite, place: str) -> None:
    found = other_credentials(entry)
    sigv4 = find(entry, "sigv4")
    if sigv4 is not None and is_mapping(sigv4.value) and _has_foreign_role(sigv4.value, wanted):
        found["sigv4"] = _redacted(sigv4.value, shown=False)
    if found:
        raise errors.Refused(
            f"{place} already has a remote_write entry for {wanted.url} (line {entry.start_mark.line + 1}) with other "
            f"credentials: {_shown(found)}; wanted is {_shown({'sigv4': wanted.entry()['sigv4']})}.",
            fix="Remove those credentials or the entry if the pod's web identity shall take over; a different role "
            "to chain to is asked for by chained_role_arn.",
        )


def other_credentials(entry: yaml.MappingNode) -> dict[str, object]:
    """An entry's settings that authenticate otherwise than by the pod's web identity, fit to be shown."""
    found: dict[str, object] = {}
    for name in _OTHER_AUTHENTICATION:
        pair = find(entry, name)
        if pair is not None and not is_null(pair.value):
            found[name] = _redacted(pair.value, shown=False)
    sigv4 = find(entry, "sigv4")
    if sigv4 is not None and is_mapping(sigv4.value):
        if any(setting(sigv4.value, name) for name in _OTHER_CREDENTIALS):
            found["sigv4"] = _redacted(sigv4.value, shown=False)
    elif sigv4 is not None and not is_null(sigv4.value):
        found["sigv4"] = REDACTED
    url = setting(entry, "url")
    if redact_url(url) != url:
        found["url"] = redact_url(url)
    return found


def _has_foreign_role(sigv4: yaml.MappingNode, wanted: RemoteWrite) -> bool:
    role = setting(sigv4, "role_arn")
    return bool(role) and is_known(wanted.role_arn) and role not in (wanted.role_arn, wanted.chained_role_arn)


def _redacted(node: yaml.Node, *, shown: bool) -> object:
    """A setting as plain data in which only harmless values are left."""
    if is_mapping(node):
        return {
            str(key.value): _redacted(value, shown=key.value in _SHOWN or str(key.value).endswith("_file"))
            for key, value in node.value
            if is_scalar(key)
        }
    if is_sequence(node):
        return [_redacted(item, shown=shown) for item in node.value]
    return str(node.value) if shown else REDACTED


def _shown(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


# Whether the splice did that and nothing else -------------------------------------------------------------------------


def _is_exactly_the_change(
    root: yaml.MappingNode, merged: str, verdict: _Verdict, splice: Splice, wanted: RemoteWrite, place: str
) -> bool:
    """Parse the new text: nothing else may differ, and nothing may be left to do."""
    try:
        after = top_mapping(compose(merged, marks=False))
        if _judge(after, wanted, place).summaries:
            return False
    except (YamlProblem, errors.Refused):
        return False
    numbers = Fingerprints()
    repaired = frozenset(repair.index for repair in verdict.repairs)
    old = outline(root, numbers, repaired=repaired, left_out=None)
    return old == outline(after, numbers, repaired=repaired, left_out=splice.added_index)


def outline(
    root: yaml.MappingNode, numbers: Fingerprints, *, repaired: frozenset[int], left_out: int | None
) -> list[int]:
    """Everything in the configuration but what may change: an added entry, and the settings that were repaired."""
    parts: list[int] = []
    for key, value in root.value:
        if not is_scalar(key) or key.value != REMOTE_WRITE:
            parts.append(numbers.combine(numbers.of(key), numbers.of(value)))
        elif is_sequence(value):
            items = [
                _entry_outline(item, numbers) if index in repaired and is_mapping(item) else numbers.of(item)
                for index, item in enumerate(value.value)
                if index != left_out
            ]
            parts += [numbers.combine(REMOTE_WRITE, *items)] if items else []
        elif not is_null(value):
            parts.append(numbers.of(value))
    return parts


def _entry_outline(entry: yaml.MappingNode, numbers: Fingerprints) -> int:
    kept = [
        numbers.combine(numbers.of(key), numbers.of(value))
        for key, value in entry.value
        if not is_scalar(key) or key.value not in ("url", "sigv4")
    ]
    for pair in pairs(entry, "sigv4"):
        if is_mapping(pair.value):
            kept += [
                numbers.combine("sigv4", numbers.of(key), numbers.of(value))
                for key, value in pair.value.value
                if not is_scalar(key) or key.value not in _OURS
            ]
    return numbers.combine("entry", *kept)
