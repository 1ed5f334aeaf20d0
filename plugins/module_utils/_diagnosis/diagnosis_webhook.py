# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The webhook of Microsoft Entra Workload ID as a link: whether it is there, runs, and has acted on the pods. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.azure_workload_identity import (
    TOKEN_FILE_VARIABLE,
    WEBHOOK_CONFIGURATION,
    Survey,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.diagnosis_chain import (
    ClusterChain,
    value_of,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.diagnosis_part import Part, finding
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.links import Finding, LinkName
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import WORKLOAD_IDENTITY_LABEL
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._severity import Severity

Json = t.Mapping[str, t.Any]

_NAME: t.Final = LinkName.WEBHOOK
_CLIENT_ID_VARIABLE: t.Final = "AZURE_CLIENT_ID"
#: AKS keeps admission webhooks from this namespace (its admissions enforcer).
_UNTOUCHED_NAMESPACE: t.Final = "kube-system"
_STEP: t.Final = (
    "Run the step aks_oidc_issuer with workload identity (federate.yml --tags aks_oidc_issuer, "
    "aks_amp_workload_identity: true)."
)


def webhook_part(survey: Survey, chain: ClusterChain) -> Part:
    """The webhook itself. Without it nothing flows where the token for AWS is the webhook's."""
    severity = Severity.HIGH if chain.needs_webhook else Severity.MEDIUM
    found: list[Finding] = []

    def note(ending: str, cause: str, expected: str, present: str, fix: str) -> None:
        found.append(finding(_NAME, ending, cause, severity=severity, expected=expected, found=present, fix=fix))

    if chain.account.namespace == _UNTOUCHED_NAMESPACE:
        note(
            "namespace_left_out",
            f"AKS keeps the Azure webhook from the namespace {_UNTOUCHED_NAMESPACE}, so its pods get no token of it.",
            "another namespace",
            _UNTOUCHED_NAMESPACE,
            "Run Prometheus in another namespace, or use aks_amp_token_source: projected.",
        )
    if survey.configured is False:
        note(
            "not_configured",
            f"There is no MutatingWebhookConfiguration {WEBHOOK_CONFIGURATION}, so no pod gets the Azure token and its "
            "AZURE_ variables.",
            WEBHOOK_CONFIGURATION,
            "none",
            _STEP,
        )
    elif survey.running == 0:
        note(
            "not_running",
            f"The Azure webhook ({survey.place}) has no ready pod; without it the API server refuses the pods that "
            f"carry the label {WORKLOAD_IDENTITY_LABEL}.",
            "a ready pod",
            "none",
            f"Look at the events and logs of {survey.place}; {_STEP[0].lower()}{_STEP[1:]}",
        )
    if not survey.selects:
        note(
            "selects_otherwise",
            f"The Azure webhook's configuration does not select pods by the label {WORKLOAD_IDENTITY_LABEL}, so it "
            "leaves them alone.",
            f"objectSelector {WORKLOAD_IDENTITY_LABEL}: true",
            "another objectSelector",
            f"Update the webhook to 1.0.0 or later. {_STEP}",
        )
    hidden = survey.configured is None or (survey.running is None and survey.unreadable)
    unseen = ("Whether the Azure webhook is configured and runs could not be read.",) if hidden else ()
    return Part(tuple(found), unseen, survey.unreadable if hidden else (), "The Azure webhook is configured and runs.")


def injection_part(
    chain: ClusterChain, survey: Survey, place: str, container: str, pods: t.Sequence[Json], restart: str
) -> Part:
    """Whether the webhook has acted on the labelled pods of a Prometheus. ``restart`` says how they are replaced."""
    found: dict[str, Finding] = {}
    severity = Severity.HIGH if chain.needs_webhook else Severity.MEDIUM
    for pod in pods:
        metadata = pod["metadata"]
        if (metadata.get("labels") or {}).get(WORKLOAD_IDENTITY_LABEL) != "true":
            continue
        name = str(metadata["name"])
        if not value_of(pod["spec"], container, TOKEN_FILE_VARIABLE):
            older = bool(survey.since) and str(metadata.get("creationTimestamp") or "") < survey.since
            why = "It is older than the webhook" if older else "It was made while the webhook did not act on it"
            one = finding(
                _NAME,
                "not_injected",
                f"The pod {name} of {place} has the label {WORKLOAD_IDENTITY_LABEL}, but neither {TOKEN_FILE_VARIABLE} "
                f"nor the token. {why}, which changes pods only when they are made.",
                severity=severity,
                expected=TOKEN_FILE_VARIABLE,
                found="not set",
                fix=restart,
            )
            found.setdefault(one.kind, one)
            continue
        client_id = value_of(pod["spec"], container, _CLIENT_ID_VARIABLE)
        if chain.client_id and client_id != chain.client_id:
            one = finding(
                _NAME,
                "other_client_id",
                f"The pod {name} of {place} has another {_CLIENT_ID_VARIABLE} than the Entra identity's: the webhook "
                "took what the service account's annotation said when the pod was made.",
                severity=Severity.MEDIUM,
                expected=chain.client_id,
                found=client_id or "not set",
                fix=f"Run the step service_account if the annotation is wrong, then: {restart}",
            )
            found.setdefault(one.kind, one)
    return Part(tuple(found.values()))
