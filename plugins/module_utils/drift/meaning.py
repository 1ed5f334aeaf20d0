# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a planned change says about the present: drift named by its meaning and weighed.

A module's result lists its changes (``action``, ``kind``, ``name``, ``summary``) and, in the same order, their diffs.
A change may mean several things; the one that no rule knows is reported by the module's own sentence.
"""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils.drift.model import Drift, Severity
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.entry_sentences import Mistake, mistakes_in

Json = dict[str, t.Any]

_HIGH, _MEDIUM, _LOW = Severity.HIGH, Severity.MEDIUM, Severity.LOW
#: Longer ones are cut, so that one odd object can't swell the report of a fleet.
_LONGEST_TEXT = 20_000
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_WILDCARD = re.compile(r"[*?]")


@dataclasses.dataclass(frozen=True)
class Meaning:
    kind: str
    severity: Severity
    text: str


@dataclasses.dataclass(frozen=True)
class _Difference:
    """One planned change with both sides of its diff; a side that does not exist is empty."""

    action: str
    kind: str
    name: str
    summary: str
    before: t.Any
    after: t.Any

    def side(self, which: str) -> Json:
        value = self.before if which == "before" else self.after
        return value if isinstance(value, dict) else {}

    def differs(self, field: str) -> bool:
        return bool(self.side("before").get(field) != self.side("after").get(field))


def clean(text: object) -> str:
    """Text of others, fit for terminals and pages: no control characters but line ends and tabs."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", str(text).replace("\r\n", "\n"))


def drifts_of(result: t.Mapping[str, t.Any]) -> tuple[Drift, ...]:
    """What a module's result in check mode says of the present."""
    changes, diffs = result.get("changes") or (), result.get("diff") or ()
    drifts: list[Drift] = []
    for number, change in enumerate(changes):
        diff = diffs[number] if isinstance(diffs, list) and number < len(diffs) else {}
        difference = _Difference(
            action=str(change.get("action", "update")),
            kind=clean(change.get("kind", "")),
            name=clean(change.get("name", "")),
            summary=clean(change.get("summary", "")),
            before=diff.get("before") or "",
            after=diff.get("after") or "",
        )
        before, after = _shown(difference.before), _shown(difference.after)
        drifts += [
            Drift(
                kind=meaning.kind,
                severity=meaning.severity,
                meaning=clean(meaning.text),
                repair=difference.summary,
                action=difference.action,
                object_kind=difference.kind,
                object_name=difference.name,
                before=before,
                after=after,
            )
            for meaning in meanings(difference)
        ]
    return tuple(drifts)


def _shown(value: object) -> str:
    if value == "":
        return ""
    text = value if isinstance(value, str) else json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
    text = clean(text)
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}\n... ({len(text)} characters)"


def meanings(difference: _Difference) -> tuple[Meaning, ...]:
    """What the difference means, the gravest first; never empty."""
    found = sorted(_RULES.get(difference.kind, _other)(difference), key=lambda meaning: meaning.severity.rank)
    return tuple(found) or (_unnamed(difference),)


def _unnamed(difference: _Difference) -> Meaning:
    slug = re.sub(r"[^a-z0-9]+", "_", difference.kind.lower()).strip("_") or "object"
    ending = {"create": "missing", "delete": "surplus"}.get(difference.action, "changed")
    return Meaning(f"{slug}_{ending}", _MEDIUM, difference.summary)


def _other(_difference: _Difference) -> list[Meaning]:
    return []


# Azure ----------------------------------------------------------------------------------------------------------------


def _cluster(change: _Difference) -> list[Meaning]:
    found = []
    if change.differs("oidc_issuer_enabled"):
        text = "The cluster has no OIDC issuer, so AWS can verify none of its tokens."
        found.append(Meaning("issuer_disabled", _HIGH, text))
    if change.differs("workload_identity_enabled"):
        on = change.side("after").get("workload_identity_enabled")
        text = f"Workload identity is {'off' if on else 'on'} on the cluster, and should be {'on' if on else 'off'}."
        found.append(Meaning("workload_identity_disabled" if on else "workload_identity_enabled", _MEDIUM, text))
    return found


def _application(change: _Difference) -> list[Meaning]:
    if change.action == "create":
        return [Meaning("application_missing", _MEDIUM, f"The Entra application {change.name} does not exist.")]
    return []


def _principal(change: _Difference) -> list[Meaning]:
    if change.action == "create":
        text = f"The Entra application {change.name} has no service principal, so Entra issues it no token."
        return [Meaning("service_principal_missing", _MEDIUM, text)]
    return []


def _credential(change: _Difference) -> list[Meaning]:
    if change.action == "create":
        text = (
            f"The federated identity credential {change.name} does not exist, so Entra trusts no token of the cluster."
        )
        return [Meaning("federated_credential_missing", _MEDIUM, text)]
    if change.action == "delete":
        text = f"The federated identity credential {change.name} trusts an issuer or subject that is gone."
        return [Meaning("federated_credential_stale", _MEDIUM, text)]
    names = {"issuer": "another issuer", "subject": "another service account", "audiences": "another audience"}
    return [
        Meaning(
            f"federated_credential_{field.rstrip('s')}_changed",
            _MEDIUM,
            f"The federated identity credential {change.name} trusts {what} than that of the cluster.",
        )
        for field, what in names.items()
        if change.differs(field)
    ]


# AWS ------------------------------------------------------------------------------------------------------------------


def _provider(change: _Difference) -> list[Meaning]:
    if change.action == "create":
        text = "IAM has no OIDC provider for the cluster's issuer, so STS accepts none of its tokens."
        return [Meaning("provider_missing", _HIGH, text)]
    if change.action == "delete":
        return [Meaning("provider_surplus", _MEDIUM, change.summary)]
    found = []
    before, after = (set(change.side(which).get("client_ids") or ()) for which in ("before", "after"))
    if after - before:
        names = ", ".join(sorted(map(str, after - before)))
        text = f"The IAM OIDC provider lost the client ID {names}, so STS refuses tokens for that audience."
        found.append(Meaning("client_id_missing", _HIGH, text))
    if before - after:
        names = ", ".join(sorted(map(str, before - after)))
        text = f"The IAM OIDC provider also accepts tokens for the audience {names}."
        found.append(Meaning("client_id_surplus", _MEDIUM, text))
    if change.differs("thumbprints"):
        text = "The IAM OIDC provider's thumbprints are not those of the issuer's certificates."
        found.append(Meaning("thumbprint_changed", _MEDIUM, text))
    return [*found, *_tags(change, "The IAM OIDC provider")]


def _role(change: _Difference) -> list[Meaning]:
    if change.action == "create":
        return [Meaning("role_missing", _HIGH, f"The IAM role {change.name} does not exist.")]
    if change.action == "delete":
        return []
    found = []
    if change.differs("permissions_boundary"):
        text = f"The permissions boundary of the IAM role {change.name} was changed."
        found.append(Meaning("permissions_boundary_changed", _MEDIUM, text))
    if change.differs("max_session_duration"):
        text = f"The longest session of the IAM role {change.name} was changed."
        found.append(Meaning("session_duration_changed", _LOW, text))
    if change.differs("description"):
        text = f"The description of the IAM role {change.name} was changed."
        found.append(Meaning("role_description_changed", _LOW, text))
    return [*found, *_tags(change, f"The IAM role {change.name}")]


def _tags(change: _Difference, whose: str) -> list[Meaning]:
    return [Meaning("tags_changed", _LOW, f"{whose} has other tags.")] if change.differs("tags") else []


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


def _trust(change: _Difference) -> list[Meaning]:
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
        found.append(Meaning("trust_foreign_issuer", _HIGH, text))
    return list({meaning.kind: meaning for meaning in found}.values()) or [
        Meaning("trust_policy_changed", _MEDIUM, "The trust policy was changed.")
    ]


def _statement(wanted: Json, present: list[Json]) -> list[Meaning]:
    """What is wrong with the statements that are there for the wanted one's provider."""
    if not present:
        text = "The trust policy has no statement for the cluster's issuer, so none of its tokens gets the role."
        return [Meaning("trust_statement_missing", _HIGH, text)]
    found = []
    if not all(_claim(one, "aud") for one in present):
        text = "The trust policy lost its audience condition: a token for any audience gets the role."
        found.append(Meaning("trust_lost_audience", _HIGH, text))
    elif any(_claim(one, "aud") != _claim(wanted, "aud") for one in present):
        text = "The trust policy demands another audience than that of the cluster's tokens."
        found.append(Meaning("trust_audience_changed", _HIGH, text))
    if not all(_claim(one, "sub") for one in present):
        text = "The trust policy lost its subject condition: every service account of the cluster gets the role."
        return [*found, Meaning("trust_lost_subject", _HIGH, text)]
    subjects = frozenset[str]().union(*(values for one in present for values in _claim(one, "sub").values()))
    trusted = frozenset[str]().union(*_claim(wanted, "sub").values())
    operators = frozenset(operator for one in present for operator in _claim(one, "sub"))
    if any(_WILDCARD.search(subject) for subject in subjects) and "stringlike" in operators:
        text = "The trust policy trusts service accounts by a wildcard."
        found.append(Meaning("trust_wildcard", _HIGH, text))
    elif subjects - trusted:
        names = ", ".join(sorted(subjects - trusted))
        found.append(Meaning("trust_foreign_subject", _HIGH, f"The trust policy also trusts {names}."))
    if trusted - subjects:
        names = ", ".join(sorted(trusted - subjects))
        found.append(Meaning("trust_subject_missing", _HIGH, f"The trust policy no longer trusts {names}."))
    return found


def _grants(policy: Json) -> frozenset[tuple[str, str]]:
    return frozenset(
        (str(action).lower(), str(resource))
        for statement in _statements(policy)
        for action in _list(statement.get("Action"))
        for resource in _list(statement.get("Resource"))
    )


def _permission(change: _Difference) -> list[Meaning]:
    if change.action == "create":
        text = f"The policy {change.name} does not exist, so the role may not write to the workspace."
        return [Meaning("permission_missing", _HIGH, text)]
    if change.action == "delete":
        return [Meaning("permission_surplus", _MEDIUM, f"The policy {change.name} should not be there.")]
    before, after = _grants(change.side("before")), _grants(change.side("after"))
    found = []
    if after - before:
        names = ", ".join(sorted({action for action, _resource in after - before}))
        text = f"The policy {change.name} does not grant {names} on every resource that it should."
        found.append(Meaning("permission_lost", _HIGH, text))
    if before - after:
        names = ", ".join(sorted({action for action, _resource in before - after}))
        text = f"The policy {change.name} grants more than it should: {names}."
        found.append(Meaning("permission_too_wide", _HIGH, text))
    return [*found, *_tags(change, f"The policy {change.name}")]


def _resource_policy(change: _Difference) -> list[Meaning]:
    if change.action == "create":
        text = "The workspace has no resource policy that lets the role write."
        return [Meaning("resource_policy_missing", _HIGH, text)]
    return [Meaning("resource_policy_changed", _HIGH, "The workspace's resource policy was changed.")]


# Kubernetes -----------------------------------------------------------------------------------------------------------


def _namespace(change: _Difference) -> list[Meaning]:
    if change.action == "create":
        return [Meaning("namespace_missing", _HIGH, f"The namespace {change.name} does not exist.")]
    return []


def _service_account(change: _Difference) -> list[Meaning]:
    if change.action == "create":
        return [Meaning("service_account_missing", _HIGH, f"The service account {change.name} does not exist.")]
    found = []
    if change.differs("annotations"):
        text = f"The service account {change.name} has other annotations than it should."
        found.append(Meaning("service_account_annotation_changed", _MEDIUM, text))
    if change.differs("labels"):
        text = f"The service account {change.name} has other labels than it should."
        found.append(Meaning("service_account_label_changed", _LOW, text))
    return found


_ENTRY: t.Final = {
    Mistake.MISSING: ("remote_write_missing", "Prometheus has no remote_write entry for the workspace"),
    Mistake.URL: ("remote_write_url", "The URL of Prometheus' remote_write entry is misspelled"),
    Mistake.UNSIGNED: ("remote_write_unsigned", "Prometheus sends to the workspace without signing"),
    Mistake.REGION: ("remote_write_region", "Prometheus signs for another region than the workspace's"),
    Mistake.CHAINED_ROLE: ("remote_write_chained_role", "Prometheus does not assume the chained role"),
    Mistake.OWN_ROLE: ("remote_write_self_role", "Prometheus assumes the federated role a second time, which fails"),
}


def _configuration(change: _Difference) -> list[Meaning]:
    named = (_ENTRY[mistake] for mistake in mistakes_in(change.summary))
    return [Meaning(kind, _HIGH, f"{text} ({change.kind} {change.name}).") for kind, text in named]


def _workload(change: _Difference) -> list[Meaning]:
    before, after = json.dumps(change.side("before")), json.dumps(change.side("after"))
    place = f"{change.kind} {change.name}"
    found = []
    if change.differs("serviceAccountName"):
        text = f"The pods of {place} run as another service account."
        found.append(Meaning("pod_service_account_changed", _HIGH, text))
    if "serviceAccountToken" in after and "serviceAccountToken" not in before:
        text = f"The pods of {place} have no token for AWS."
        found.append(Meaning("pod_token_missing", _HIGH, text))
    elif "serviceAccountToken" in after:
        text = f"The token for AWS in the pods of {place} is another than it should be."
        found.append(Meaning("pod_token_changed", _HIGH, text))
    if "AWS_ROLE_ARN" in after or "AWS_WEB_IDENTITY_TOKEN_FILE" in after:
        text = f"The pods of {place} are not told the role or where their token is."
        found.append(Meaning("pod_environment_changed", _HIGH, text))
    if change.differs("labels"):
        text = f"The pods of {place} lack the label for the Azure webhook."
        found.append(Meaning("pod_label_changed", _MEDIUM, text))
    return found


_Rule: t.TypeAlias = "t.Callable[[_Difference], list[Meaning]]"

_RULES: t.Final[t.Mapping[str, _Rule]] = {
    "AKS cluster": _cluster,
    "Entra application": _application,
    "Entra service principal": _principal,
    "federated identity credential": _credential,
    "IAM OIDC provider": _provider,
    "IAM role": _role,
    "IAM trust policy": _trust,
    "IAM inline policy": _permission,
    "IAM managed policy": _permission,
    "AMP resource policy": _resource_policy,
    "Namespace": _namespace,
    "ServiceAccount": _service_account,
    "ConfigMap": _configuration,
    "Secret": _configuration,
    "Deployment": _workload,
    "StatefulSet": _workload,
    "DaemonSet": _workload,
    "Prometheus": lambda change: [*_configuration(change), *_workload(change)],
    "PrometheusAgent": lambda change: [*_configuration(change), *_workload(change)],
}
