# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a careful reader would question in a role's policies: named, never changed. Pure.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-idp_oidc.html and
https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import AwsAccount, workspace_account
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._iam import policy, trust_merge
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._severity import Severity

_PROVIDER: t.Final = ":oidc-provider/"
_WILDCARDS: t.Final = frozenset("*?")
#: AWS' own policies that allow more than one workspace, by the end of their ARNs.
_WIDE_POLICIES: t.Final = {
    "/AmazonPrometheusRemoteWriteAccess": "remote write to every workspace of the account",
    "/AmazonPrometheusQueryAccess": "queries of every workspace of the account",
    "/AmazonPrometheusFullAccess": "every action on every workspace of the account",
    "/AdministratorAccess": "every action on everything",
}

Fault: t.TypeAlias = "tuple[Severity, str]"


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing to question. ``statement`` says where it stands; what lets in others than meant is grave, what allows
    more than is needed is wrong."""

    severity: Severity
    statement: str
    text: str

    def report(self) -> dict[str, str]:
        """The finding as a module returns it: ``severity``, ``statement``, ``text``."""
        return {"severity": self.severity.value, "statement": self.statement, "text": self.text}


def of_trust_policy(document: policy.Document) -> tuple[Finding, ...]:
    """Findings in a trust policy, whoever wrote its statements."""
    return tuple(_findings("trust policy", document, _trust_faults))


def of_permission_policy(name: str, document: policy.Document) -> tuple[Finding, ...]:
    """Findings in an identity policy of the role."""
    return tuple(_findings(f"policy {name}", document, _permission_faults))


def of_attached_policies(arns: t.Iterable[str]) -> tuple[Finding, ...]:
    """Findings about managed policies of AWS' own."""
    return tuple(
        Finding(Severity.MEDIUM, f"policy {arn}", f"It allows {what}.")
        for arn in arns
        for end, what in _WIDE_POLICIES.items()
        if ":iam::aws:policy" in arn and arn.endswith(end)
    )


def of_workspaces(workspace_arns: t.Iterable[str], account: AwsAccount) -> tuple[Finding, ...]:
    """What a permission alone can't do: the workspace of another account must let the role in as well."""
    return tuple(
        Finding(
            Severity.LOW,
            f"workspace {arn}",
            f"It belongs to account {owner}, so the role's permission alone does not let it in: allow the role there "
            "with amp_resource_policy, or chain to a role of that account (assumable_role_arns).",
        )
        for arn in sorted(set(workspace_arns))
        if (owner := workspace_account(arn)) is not None and owner != account.account_id
    )


def _findings(
    where: str, document: policy.Document, faults: t.Callable[[policy.Statement], t.Iterable[Fault]]
) -> t.Iterator[Finding]:
    for number, statement in enumerate(policy.statements(document), 1):
        if statement.get("Effect") != "Allow":
            continue
        sid = f" ({statement['Sid']})" if statement.get("Sid") else ""
        for severity, text in faults(statement):
            yield Finding(severity, f"{where}, statement {number}{sid}", text)


def _trust_faults(statement: policy.Statement) -> t.Iterator[Fault]:
    principals = policy.principals(statement.get("Principal", {}))
    if "NotPrincipal" in statement:
        yield Severity.HIGH, "NotPrincipal trusts everybody but those that it names."
    if any(value == "*" for _kind, value in principals):
        if statement.get("Condition"):
            yield (
                Severity.MEDIUM,
                "The principal * is everybody in every AWS account; only the conditions keep them out.",
            )
        else:
            yield Severity.HIGH, "The principal * is everybody in every AWS account, and there is no condition."
    yield from _wide_actions(statement)
    if not trust_merge.allows_exchange(statement):
        return
    for kind, arn in sorted(principals):
        if kind == "Federated" and _PROVIDER in arn:
            yield from _claim_faults(arn.partition(_PROVIDER)[2], statement)


def _claim_faults(host_and_path: str, statement: policy.Statement) -> t.Iterator[Fault]:
    """Faults of the conditions on the tokens of a provider."""
    compared = set()
    for operator, key, listed in policy.conditions(statement):
        claim = key.lower().rpartition(":")[2]
        if claim not in ("aud", "sub"):
            continue
        right = f"{host_and_path}:{claim}"
        if key.lower() != right.lower():
            yield Severity.MEDIUM, f"The condition key {key} never matches; the provider's own is {right}."
            continue
        if policy.base_operator(operator) == "null":
            continue
        compared.add(claim)
        yield from _comparison_faults(operator, key, listed)
    if "aud" not in compared:
        yield (
            Severity.MEDIUM,
            f"There is no condition on {host_and_path}:aud, so a token for any client ID of the provider is accepted.",
        )
    if "sub" not in compared:
        yield (
            Severity.HIGH,
            f"There is no condition on {host_and_path}:sub, so every service account of the issuer is trusted.",
        )


def _comparison_faults(operator: str, key: str, listed: t.Sequence[str]) -> t.Iterator[Fault]:
    base = policy.base_operator(operator)
    patterns = [value for value in listed if _WILDCARDS & set(value)]
    if "not" in base:
        yield Severity.HIGH, f"{operator} on {key} accepts every value but those that it names."
    if operator.lower().startswith("forallvalues:") or operator.lower().endswith("ifexists"):
        yield Severity.MEDIUM, f"{operator} on {key} also holds for a token that lacks the claim."
    if base == "stringlike":
        for value in patterns:
            yield _reach(key, value), f"{operator} on {key} accepts whatever fits {value}: name the values."
        if not patterns:
            yield Severity.LOW, f"{operator} on {key} holds no wildcard: StringEquals says the same and stays exact."
    elif base == "stringequals":
        for value in patterns:
            yield Severity.MEDIUM, f"{operator} on {key} compares exactly, so the wildcard in {value} never matches."


def _reach(key: str, pattern: str) -> Severity:
    """A pattern for a name inside one namespace lets in less than any other."""
    parts = pattern.split(":", 3)
    inside = key.lower().endswith(":sub") and len(parts) == 4 and not _WILDCARDS & set("".join(parts[:3]))
    return Severity.MEDIUM if inside else Severity.HIGH


def _permission_faults(statement: policy.Statement) -> t.Iterator[Fault]:
    yield from _wide_actions(statement)
    if "NotResource" in statement:
        yield Severity.HIGH, "NotResource allows everything but what it names."
    for resource in policy.values(statement.get("Resource", ())):
        if resource == "*" or resource.partition(":workspace/")[2].startswith("*"):
            yield Severity.MEDIUM, f"The resource {resource} takes in every workspace: name them."


def _wide_actions(statement: policy.Statement) -> t.Iterator[Fault]:
    if "NotAction" in statement:
        yield Severity.HIGH, "NotAction allows every action but those that it names."
    for action in policy.values(statement.get("Action", ())):
        if action == "*" or action.endswith(":*"):
            yield Severity.HIGH, f"The action {action} takes in far more than is needed: name the actions."
        elif _WILDCARDS & set(action):
            yield Severity.MEDIUM, f"The action {action} takes in more than is needed: name the actions."
