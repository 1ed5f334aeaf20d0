# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What changed IAM policies mean: whom a trust policy lets in, and what a permission policy grants."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift.difference import Difference, Meaning
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._iam.iam_decision import fits
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._severity import Severity

Json = dict[str, t.Any]

_WILDCARD = re.compile(r"[*?]")


def tags(change: Difference, whose: str) -> list[Meaning]:
    return [Meaning("tags_changed", Severity.LOW, f"{whose} has other tags.")] if change.differs("tags") else []


def _list(value: object) -> list[t.Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _statements(policy: Json) -> list[Json]:
    return [statement for statement in _list(policy.get("Statement")) if isinstance(statement, dict)]


def _federated(statement: Json) -> frozenset[str]:
    principal = statement.get("Principal")
    return frozenset(map(str, _list(principal.get("Federated")))) if isinstance(principal, dict) else frozenset()


def _claim(statement: Json, claim: str) -> dict[str, frozenset[str]]:
    """The values that a statement demands of a claim, by the condition's operator in lower case."""
    demanded: dict[str, frozenset[str]] = {}
    conditions = statement.get("Condition")
    for operator, keys in (conditions if isinstance(conditions, dict) else {}).items():
        for key, values in (keys if isinstance(keys, dict) else {}).items():
            if str(key).lower().endswith(f":{claim}"):
                demanded[str(operator).lower()] = frozenset(map(str, _list(values)))
    return demanded


def trust(change: Difference) -> list[Meaning]:
    before, after = _statements(change.side("before")), _statements(change.side("after"))
    added = [statement for statement in after if statement not in before]
    removed = [statement for statement in before if statement not in after]
    found = []
    for wanted in added:
        providers = _federated(wanted)
        found += _statement(wanted, [one for one in removed if _federated(one) & providers])
    issuers = frozenset[str]().union(*map(_federated, after))
    if any(_federated(one) and not _federated(one) & issuers for one in removed):
        text = "The trust policy trusts the tokens of an issuer that it should not trust."
        found.append(Meaning("trust_foreign_issuer", Severity.HIGH, text))
    return list({meaning.kind: meaning for meaning in found}.values()) or [
        Meaning("trust_policy_changed", Severity.MEDIUM, "The trust policy was changed.")
    ]


def _statement(wanted: Json, present: list[Json]) -> list[Meaning]:
    """What is wrong with the statements that are there for the wanted one's provider."""
    if not present:
        text = "The trust policy has no statement for the cluster's issuer, so none of its tokens gets the role."
        return [Meaning("trust_statement_missing", Severity.HIGH, text)]
    found = []
    if not all(_claim(one, "aud") for one in present):
        text = "The trust policy lost its audience condition: a token for any audience gets the role."
        found.append(Meaning("trust_lost_audience", Severity.HIGH, text))
    elif any(_claim(one, "aud") != _claim(wanted, "aud") for one in present):
        text = "The trust policy demands another audience than that of the cluster's tokens."
        found.append(Meaning("trust_audience_changed", Severity.HIGH, text))
    if not all(_claim(one, "sub") for one in present):
        text = "The trust policy lost its subject condition: every service account of the cluster gets the role."
        return [*found, Meaning("trust_lost_subject", Severity.HIGH, text)]
    subjects = frozenset[str]().union(*(values for one in present for values in _claim(one, "sub").values()))
    trusted = frozenset[str]().union(*_claim(wanted, "sub").values())
    like = frozenset(
        pattern
        for one in present
        for operator, values in _claim(one, "sub").items()
        if "like" in operator
        for pattern in values
    )
    if any(_WILDCARD.search(pattern) for pattern in like):
        text = "The trust policy trusts service accounts by a wildcard."
        found.append(Meaning("trust_wildcard", Severity.HIGH, text))
    elif subjects - trusted:
        names = ", ".join(sorted(subjects - trusted))
        found.append(Meaning("trust_foreign_subject", Severity.HIGH, f"The trust policy also trusts {names}."))
    lost = {subject for subject in trusted - subjects if not any(fits(pattern, subject) for pattern in like)}
    if lost:
        names = ", ".join(sorted(lost))
        found.append(Meaning("trust_subject_missing", Severity.HIGH, f"The trust policy no longer trusts {names}."))
    return found


def _granted(grant: tuple[str, str], grants: t.Iterable[tuple[str, str]]) -> bool:
    action, resource = grant
    return any(fits(actions, action) and fits(resources, resource) for actions, resources in grants)


def _grants(policy: Json) -> frozenset[tuple[str, str]]:
    return frozenset(
        (str(action).lower(), str(resource))
        for statement in _statements(policy)
        if str(statement.get("Effect")).lower() == "allow"
        for action in _list(statement.get("Action"))
        for resource in _list(statement.get("Resource"))
    )


def permission(change: Difference) -> list[Meaning]:
    if change.action == "create":
        text = f"The policy {change.name} does not exist, so the role may not write to the workspace."
        return [Meaning("permission_missing", Severity.HIGH, text)]
    if change.action == "delete":
        return [Meaning("permission_surplus", Severity.MEDIUM, f"The policy {change.name} should not be there.")]
    before, after = _grants(change.side("before")), _grants(change.side("after"))
    found = []
    lost = {grant for grant in after if not _granted(grant, before)}
    if lost:
        names = ", ".join(sorted({action for action, _resource in lost}))
        text = f"The policy {change.name} does not grant {names} on every resource that it should."
        found.append(Meaning("permission_lost", Severity.HIGH, text))
    wide = {grant for grant in before if not _granted(grant, after)}
    if wide:
        names = ", ".join(sorted({action for action, _resource in wide}))
        text = f"The policy {change.name} grants more than it should: {names}."
        found.append(Meaning("permission_too_wide", Severity.HIGH, text))
    return [*found, *tags(change, f"The policy {change.name}")]


def resource_policy(change: Difference) -> list[Meaning]:
    if change.action == "create":
        text = "The workspace has no resource policy that lets the role write."
        return [Meaning("resource_policy_missing", Severity.HIGH, text)]
    return [Meaning("resource_policy_changed", Severity.HIGH, "The workspace's resource policy was changed.")]
