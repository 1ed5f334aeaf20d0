# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a planned change says about the present: drift named by its meaning and weighed.

A module's result lists its changes (``action``, ``kind``, ``name``, ``summary``) and, in the same order, their diffs.
A change may mean several things; the one that no rule knows is reported by the module's own sentence.
"""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift import policy_meaning
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift.difference import Difference, Meaning, clean
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift.model import Drift
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import LastChange, Told
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.entry_sentences import Mistake, mistakes_in
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._severity import Severity

Json = dict[str, t.Any]

_HIGH, _MEDIUM, _LOW = Severity.HIGH, Severity.MEDIUM, Severity.LOW
#: Longer ones are cut, so that one odd object can't swell the report of a fleet.
_LONGEST_TEXT = 20_000
#: What makes room for a repair and was never wrong itself.
_MEANINGLESS: t.Final = frozenset({"IAM managed policy version"})


def drifts_of(result: t.Mapping[str, t.Any]) -> tuple[Drift, ...]:
    """What a module's result in check mode says of the present."""
    changes, diffs = result.get("changes") or (), result.get("diff") or ()
    drifts: list[Drift] = []
    for number, change in enumerate(changes):
        if change.get("kind") in _MEANINGLESS:
            continue
        diff = diffs[number] if isinstance(diffs, list) and number < len(diffs) else {}
        difference = Difference(
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
                last_changed_by=_last_change(change.get("last_changed_by")),
            )
            for meaning in meanings(difference)
        ]
    return tuple(drifts)


def _last_change(told: object) -> LastChange | None:
    if not isinstance(told, dict) or not told.get("who"):
        return None
    try:
        how = Told(told.get("how"))
    except ValueError:
        return None
    return LastChange(clean(told["who"]), clean(told.get("when") or ""), how)


def _shown(value: object) -> str:
    if value == "":
        return ""
    text = value if isinstance(value, str) else json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
    text = clean(text)
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}\n... ({len(text)} characters)"


def meanings(difference: Difference) -> tuple[Meaning, ...]:
    """What the difference means, the gravest first; never empty."""
    found = sorted(_RULES.get(difference.kind, _other)(difference), key=lambda meaning: meaning.severity.rank)
    return tuple(found) or (_unnamed(difference),)


def _unnamed(difference: Difference) -> Meaning:
    slug = re.sub(r"[^a-z0-9]+", "_", difference.kind.lower()).strip("_") or "object"
    ending = {"create": "missing", "delete": "surplus"}.get(difference.action, "changed")
    return Meaning(f"{slug}_{ending}", _MEDIUM, difference.summary)


def _other(_difference: Difference) -> list[Meaning]:
    return []


# Azure ----------------------------------------------------------------------------------------------------------------


def _cluster(change: Difference) -> list[Meaning]:
    found = []
    if change.differs("oidc_issuer_enabled"):
        text = "The cluster has no OIDC issuer, so AWS can verify none of its tokens."
        found.append(Meaning("issuer_disabled", _HIGH, text))
    if change.differs("workload_identity_enabled"):
        on = change.side("after").get("workload_identity_enabled")
        text = f"Workload identity is {'off' if on else 'on'} on the cluster, and should be {'on' if on else 'off'}."
        found.append(Meaning("workload_identity_disabled" if on else "workload_identity_enabled", _MEDIUM, text))
    return found


def _application(change: Difference) -> list[Meaning]:
    if change.action == "create":
        return [Meaning("application_missing", _MEDIUM, f"The Entra application {change.name} does not exist.")]
    return []


def _principal(change: Difference) -> list[Meaning]:
    if change.action == "create":
        text = f"The Entra application {change.name} has no service principal, so Entra issues it no token."
        return [Meaning("service_principal_missing", _MEDIUM, text)]
    return []


def _credential(change: Difference) -> list[Meaning]:
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


def _provider(change: Difference) -> list[Meaning]:
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
    return [*found, *policy_meaning.tags(change, "The IAM OIDC provider")]


def _role(change: Difference) -> list[Meaning]:
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
    return [*found, *policy_meaning.tags(change, f"The IAM role {change.name}")]


# Kubernetes -----------------------------------------------------------------------------------------------------------


def _namespace(change: Difference) -> list[Meaning]:
    if change.action == "create":
        return [Meaning("namespace_missing", _HIGH, f"The namespace {change.name} does not exist.")]
    return []


def _service_account(change: Difference) -> list[Meaning]:
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


def _configuration(change: Difference) -> list[Meaning]:
    named = (_ENTRY[mistake] for mistake in mistakes_in(change.summary))
    return [Meaning(kind, _HIGH, f"{text} ({change.kind} {change.name}).") for kind, text in named]


def _workload(change: Difference) -> list[Meaning]:
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


_Rule: t.TypeAlias = "t.Callable[[Difference], list[Meaning]]"

_RULES: t.Final[t.Mapping[str, _Rule]] = {
    "AKS cluster": _cluster,
    "Entra application": _application,
    "Entra service principal": _principal,
    "federated identity credential": _credential,
    "IAM OIDC provider": _provider,
    "IAM role": _role,
    "IAM trust policy": policy_meaning.trust,
    "IAM inline policy": policy_meaning.permission,
    "IAM managed policy": policy_meaning.permission,
    "AMP resource policy": policy_meaning.resource_policy,
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
