# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of any size as a drift report shows it: what modules answer in check mode, told by the report's rules."""

from __future__ import annotations

import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift import history
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift.collect import Failure, Host, report_of
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift.model import STEPS, Report
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.entry_sentences import own_role

Json = dict[str, t.Any]

YESTERDAY: t.Final = "2026-05-03T03:00:12Z"
TODAY: t.Final = "2026-05-04T03:00:09Z"
#: What somebody who may name an object could put into a name, a label or a configuration.
HOSTILE: t.Final = "\"'><img src=x onerror=alert(1)><script>alert(2)</script><svg onload=alert(3)>"

_TEAMS = ("billing", "checkout", "identity", "ledger", "logistics", "media", "orders", "payments", "search", "shop")
_STAGES = ("prod", "stage", "test", "dev")
_REGIONS = ("northeurope", "westeurope", "eastus", "uksouth", "japaneast")
_ISSUER = (
    "northeurope.oic.prod-aks.azure.com/72f988bf-86f1-41af-91ab-2d7cd011db47/5e8a2b90-1c7d-4d3e-a1c2-7f9b0d4e6a03/"
)
_SUBJECT = "system:serviceaccount:monitoring:prometheus-sa"
_URL = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-6f3f/api/v1/remote_write"
_LINKS = {
    "discovery": "The issuer publishes its discovery document and one RS256 key.",
    "token": "The cluster issues the service account a token with exactly these claims.",
    "provider": "IAM has a provider for exactly this issuer, and the token's audience is one of its client IDs.",
    "trust_policy": "The trust policy lets exactly this provider, audience and subject in.",
    "token_exchange": "STS gives a session of the role for the service account's token.",
    "remote_write": "Not sent in check mode.",
    "read_back": "Not tried because no sample was sent.",
}
_UNTRIED = ("remote_write", "read_back")


def sample(clusters: int, *, hostile: bool = False) -> Report:
    """A report of that many clusters against one of the day before; most are in sync. ``hostile`` puts HOSTILE into the
    name of the first and into all that is said of it."""
    today = [_host(number) for number in range(clusters)]
    yesterday = [_host(number, day_before=True) for number in range(clusters)]
    if hostile:
        today[0] = _hostile()
    return history.compare(report_of(today, now=TODAY), history.first(report_of(yesterday, now=YESTERDAY)))


def _name(number: int) -> str:
    team, rest = _TEAMS[number % len(_TEAMS)], number // len(_TEAMS)
    stage, rest = _STAGES[rest % len(_STAGES)], rest // len(_STAGES)
    region, rest = _REGIONS[rest % len(_REGIONS)], rest // len(_REGIONS)
    return f"{team}-{stage}-{region}" + (f"-{rest + 1}" if rest else "")


def _host(number: int, *, day_before: bool = False) -> Host:
    """One in nine has something to tell; what it is goes round."""
    variables = _in_sync()
    failure = None
    case = number // 9 % 6 if number % 9 == 4 else None
    if case == 0:
        variables["iam_web_identity_role_result"] = _changed(_LOST_AUDIENCE)
        _break(variables, "trust_policy", "The trust policy demands no audience.", "sts.amazonaws.com", "no condition")
    elif case == 1:
        variables["service_account_result"] = _changed(_LOST_ANNOTATION)
    elif case == 2:
        variables["prometheus_remote_write_result"] = _changed(_SELF_ROLE, *([] if day_before else [_NO_TOKEN]))
    elif case == 3:
        message = "403 Forbidden from Azure when reading the cluster: the identity lacks Reader on its resource group."
        variables = {"aks_oidc_issuer_result": {"failed": True, "msg": message}}
        failure = Failure("Enable the OIDC issuer and workload identity", message)
    elif case == 4 and not day_before:
        variables["iam_web_identity_provider_result"] = _changed(_CLIENT_ID)
        _break(
            variables,
            "provider",
            "The token's audience is none of the provider's client IDs.",
            "sts.amazonaws.com",
            "api://AzureADTokenExchange",
        )
    elif case == 5 and day_before:
        variables["entra_federation_result"] = _changed(_CREDENTIAL)
    return Host(_name(number), variables, frozenset(STEPS), failure)


def _hostile() -> Host:
    change = {"action": "update", "kind": HOSTILE, "name": HOSTILE, "summary": HOSTILE}
    result = {"changes": [change], "diff": [{"before": HOSTILE, "after": f"{HOSTILE}\n{{{{ 7 * 7 }}}}"}]}
    variables = {**_in_sync(), "iam_web_identity_role_result": result}
    _break(variables, "trust_policy", HOSTILE, HOSTILE, HOSTILE)
    return Host(f"hostile {HOSTILE}", variables, frozenset(STEPS))


def _in_sync() -> Json:
    nothing: Json = {"changed": False, "changes": [], "diff": []}
    links = [
        {
            "link": name,
            "status": "unknown" if name in _UNTRIED else "ok",
            "tried": name not in _UNTRIED,
            "summary": summary,
            "expected": "",
            "found": "",
            "fix": "",
        }
        for name, summary in _LINKS.items()
    ]
    return {
        **dict.fromkeys(
            (
                "aks_oidc_issuer_result",
                "iam_web_identity_workspace_result",
                "iam_web_identity_provider_result",
                "iam_web_identity_role_result",
                "entra_federation_result",
                "service_account_result",
                "prometheus_remote_write_result",
            ),
            nothing,
        ),
        "federation_check_result": {**nothing, "links": links},
    }


def _break(variables: Json, name: str, summary: str, expected: str, found: str) -> None:
    """Let a link of the chain be broken, and those behind it that it carries unknown."""
    behind = False
    for link in variables["federation_check_result"]["links"]:
        if link["link"] == name:
            fix = "Run the step iam_web_identity (--tags iam_web_identity)."
            link.update(status="broken", summary=summary, expected=expected, found=found, fix=fix)
            behind = True
        elif behind:
            link.update(status="unknown", tried=False, summary=f"Not tried because of {name.replace('_', ' ')}.")


def _changed(*pairs: tuple[Json, Json]) -> Json:
    """A module's result with changes and their diffs."""
    return {"changed": True, "changes": [change for change, _diff in pairs], "diff": [diff for _change, diff in pairs]}


def _trust(**conditions: str) -> Json:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "AksPrometheus",
                "Effect": "Allow",
                "Principal": {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{_ISSUER}"},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {"StringEquals": {f"{_ISSUER}:{claim}": value for claim, value in conditions.items()}},
            }
        ],
    }


_LOST_AUDIENCE = (
    {
        "action": "update",
        "kind": "IAM trust policy",
        "name": "AKS-Prometheus-AMP-Role",
        "summary": f"Correct the statement for https://{_ISSUER}: the condition on :aud is missing.",
        "last_changed_by": {"who": "CloudFormation stack fleet-iam", "when": "", "how": "tag"},
    },
    {"before": _trust(sub=_SUBJECT), "after": _trust(aud="sts.amazonaws.com", sub=_SUBJECT)},
)
_CLIENT_ID = (
    {
        "action": "update",
        "kind": "IAM OIDC provider",
        "name": f"https://{_ISSUER}",
        "summary": "Add client ID sts.amazonaws.com.",
    },
    {
        "before": {"client_ids": ["api://AzureADTokenExchange"], "tags": {}},
        "after": {"client_ids": ["api://AzureADTokenExchange", "sts.amazonaws.com"], "tags": {}},
    },
)
_CREDENTIAL = (
    {
        "action": "update",
        "kind": "federated identity credential",
        "name": "aks-prometheus-federation",
        "summary": f"Set the subject to {_SUBJECT}.",
    },
    {"before": {"subject": "system:serviceaccount:monitoring:default"}, "after": {"subject": _SUBJECT}},
)
_LOST_ANNOTATION = (
    {
        "action": "update",
        "kind": "ServiceAccount",
        "name": "monitoring/prometheus-sa",
        "summary": "Set on the service account monitoring/prometheus-sa the annotation "
        "azure.workload.identity/client-id to 0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0.",
        "last_changed_by": {"who": "argocd-controller", "when": "2026-05-02T16:41:07Z", "how": "object"},
    },
    {
        "before": {"annotations": {}, "labels": {"azure.workload.identity/use": "true"}},
        "after": {
            "annotations": {"azure.workload.identity/client-id": "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"},
            "labels": {"azure.workload.identity/use": "true"},
        },
    },
)
_ENTRY = f"""\
remote_write:
  - url: {_URL}
    sigv4:
      region: eu-west-1
"""
_SELF_ROLE = (
    {
        "action": "update",
        "kind": "ConfigMap",
        "name": "monitoring/prometheus-config",
        "summary": "In key prometheus.yml of ConfigMap monitoring/prometheus-config: "
        + own_role("sigv4.role_arn", "arn:aws:iam::123456789012:role/AKS-Prometheus-AMP-Role")
        + ".",
        "last_changed_by": {"who": "kubectl-edit", "when": "2026-05-01T09:12:44Z", "how": "field"},
    },
    {"before": f"{_ENTRY}      role_arn: arn:aws:iam::123456789012:role/AKS-Prometheus-AMP-Role\n", "after": _ENTRY},
)
_NO_TOKEN = (
    {
        "action": "update",
        "kind": "Deployment",
        "name": "monitoring/prometheus",
        "summary": "In the pod template of Deployment monitoring/prometheus: mount the token for AWS.",
        "last_changed_by": {"who": "helm", "when": "2026-05-03T18:20:31Z", "how": "object"},
    },
    {
        "before": {"volumes": [{"name": "config", "configMap": {"name": "prometheus-config"}}]},
        "after": {
            "volumes": [
                {"name": "config", "configMap": {"name": "prometheus-config"}},
                {
                    "name": "aws-iam-token",
                    "projected": {
                        "sources": [{"serviceAccountToken": {"audience": "sts.amazonaws.com", "path": "token"}}]
                    },
                },
            ]
        },
    },
)
