# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IAM's evaluation of policies, as far as the sandbox needs it: pure functions over policy documents.

Rules: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html and
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html.
An explicit deny wins; without an allow the answer is no. What cannot be understood grants nothing.
"""

from __future__ import annotations

import dataclasses
import enum
import re
import typing as t

from sandbox.aws.conditions import Context, conditions_hold
from sandbox.aws.patterns import Substitute, arn_matches, as_list, matches

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sandbox.world import Json

_CURRENT_VERSION = "2012-10-17"
_ACCOUNT = re.compile(r"(?:arn:[a-z-]+:iam::)?(\d{12})(?::root)?")


class Decision(enum.Enum):
    """What a set of policies says: ``IMPLICIT_DENY`` is silence."""

    ALLOW = "allow"
    DENY = "deny"
    IMPLICIT_DENY = "implicit deny"


@dataclasses.dataclass(frozen=True)
class Principal:
    """Who asks, as a trust policy's ``Principal`` element may name it."""

    account: str
    arns: frozenset[str] = frozenset()  # a user's, or a role's and its session's
    federated: str = ""  # the ARN of the identity provider whose token was verified


@dataclasses.dataclass(frozen=True)
class Question:
    """May this action be done? ``resource`` is unused where policies have no ``Resource``, as trust policies."""

    action: str
    resource: str = ""
    principal: Principal | None = None
    context: Context = dataclasses.field(default_factory=dict)


def evaluate(documents: Iterable[Json], question: Question) -> Decision:
    """The common answer of identity policies."""
    return _decide(documents, question, lambda _: True)


@dataclasses.dataclass(frozen=True)
class Trust:
    """A trust policy's answer.

    ``direct`` tells that a statement names the principal itself: within one account that is enough, while a
    statement that names the account leaves the decision to the principal's own policies.
    """

    decision: Decision
    direct: bool = False


def evaluate_trust(document: Json, question: Question) -> Trust:
    """What a role's trust policy, or another resource's policy, says to the question's principal."""
    principal = question.principal
    if principal is None:
        raise ValueError("a trust policy is asked about a principal")
    decision = _decide([document], question, lambda statement: _names(statement, principal, _names_or_account))
    direct = _decide([document], question, lambda statement: _names(statement, principal, _names_directly))
    return Trust(decision=decision, direct=decision is Decision.ALLOW and direct is Decision.ALLOW)


def _decide(documents: Iterable[Json], question: Question, applies: Callable[[Json], bool]) -> Decision:
    decision = Decision.IMPLICIT_DENY
    for document in documents:
        substitute = _substitution(document, question.context)
        for statement in as_list(document.get("Statement", [])):
            if not (applies(statement) and _covers(statement, question, substitute)):
                continue
            if statement.get("Effect") == "Deny":
                return Decision.DENY
            if statement.get("Effect") == "Allow":
                decision = Decision.ALLOW
    return decision


def _substitution(document: Json, context: Context) -> Substitute | None:
    """How ``${...}`` is replaced in this document: policies of the old version know no variables."""
    if document.get("Version") != _CURRENT_VERSION:
        return None

    def substitute(name: str) -> str | None:
        values = context.get(name.lower(), ())
        return values[0] if len(values) == 1 else None

    return substitute


def _covers(statement: Json, question: Question, substitute: Substitute | None) -> bool:
    return (
        _covers_action(statement, question.action)
        and _covers_resource(statement, question.resource, substitute)
        and conditions_hold(statement.get("Condition", {}), question.context, substitute)
    )


def _covers_action(statement: Json, action: str) -> bool:
    def among(patterns: object) -> bool:
        return any(matches(pattern.lower(), action.lower(), None) for pattern in as_list(patterns))

    if "NotAction" in statement:
        return not among(statement["NotAction"])
    return among(statement.get("Action", []))


def _covers_resource(statement: Json, resource: str, substitute: Substitute | None) -> bool:
    def among(patterns: object) -> bool:
        return any(arn_matches(pattern, resource, substitute) for pattern in as_list(patterns))

    if "NotResource" in statement:
        return not among(statement["NotResource"])
    if "Resource" in statement:
        return among(statement["Resource"])
    return True  # a trust policy: the role itself is the resource


def _names(
    statement: Json, principal: Principal, named: Callable[[Mapping[str, Sequence[str]], Principal], bool]
) -> bool:
    if "NotPrincipal" in statement:
        return not named(_principals(statement["NotPrincipal"]), principal)
    return named(_principals(statement.get("Principal", {})), principal)


def _principals(element: object) -> dict[str, list[str]]:
    if element == "*":
        return {"AWS": ["*"], "Federated": ["*"]}
    if not isinstance(element, dict):
        return {}
    return {kind: as_list(values) for kind, values in element.items()}


def _names_directly(principals: Mapping[str, Sequence[str]], principal: Principal) -> bool:
    if principal.federated:
        return bool({principal.federated, "*"} & set(principals.get("Federated", ())))
    return bool(principal.arns & set(principals.get("AWS", ())))


def _names_or_account(principals: Mapping[str, Sequence[str]], principal: Principal) -> bool:
    if _names_directly(principals, principal):
        return True
    if principal.federated:
        return False
    accounts = (_ACCOUNT.fullmatch(value) for value in principals.get("AWS", ()))
    return "*" in principals.get("AWS", ()) or any(found and found[1] == principal.account for found in accounts)
