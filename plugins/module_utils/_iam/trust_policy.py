# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a role's trust policy lets one service account in, decided by meaning, and what is wrong where it does not.

This is an examination for people, not a full policy engine: what it can't decide (conditions on the request, such as
the caller's address) it names, and the token exchange decides. Operators and their treatment of absent keys:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html.
"""

from __future__ import annotations

import dataclasses
import enum
import re
import typing as t
from collections.abc import Callable, Iterable, Mapping

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import ServiceAccount, WebIdentityTrust
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._iam import policy

_ACTION: t.Final = "sts:AssumeRoleWithWebIdentity"
_ANY: t.Final = "foranyvalue:"
_ALL: t.Final = "forallvalues:"
_IF_EXISTS: t.Final = "ifexists"

# What a token of nobody in particular carries: a statement that accepts it does not pin the claim.
_OTHER_AUDIENCE: t.Final = "any-other-audience"
_OTHER_NAMESPACE: t.Final = "any-other-namespace"


class Kind(enum.Enum):
    """What can be wrong with a trust policy, by its name for programs."""

    DENIED = "denied"
    PROVIDER_NOT_TRUSTED = "provider_not_trusted"
    PROVIDER_MISSPELLED = "provider_misspelled"
    AUDIENCE_OPEN = "audience_open"
    AUDIENCE_MISMATCH = "audience_mismatch"
    SUBJECT_OPEN = "subject_open"
    SUBJECT_MISMATCH = "subject_mismatch"
    CONDITION_KEY_MISSPELLED = "condition_key_misspelled"
    CONDITION_NOT_MET = "condition_not_met"


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that is wrong: a sentence, what should be there and what is."""

    kind: Kind
    summary: str
    expected: str
    found: str


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The examination's result. ``undecided`` names conditions that only a real request can decide; the service
    account is let in, and nobody beside it, when both are empty."""

    findings: tuple[Finding, ...] = ()
    undecided: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class _Subjects:
    """The values that the examination compares with."""

    trust: WebIdentityTrust
    account: ServiceAccount

    @property
    def claims(self) -> Mapping[str, str]:
        """The condition keys of the service account's token, in lower case: IAM compares key names without case."""
        return self.claims_of(self.trust.audience, self.account)

    def claims_of(self, audience: str, account: ServiceAccount) -> Mapping[str, str]:
        issuer = self.trust.issuer
        return {issuer.audience_key.lower(): audience, issuer.subject_key.lower(): account.subject}


@dataclasses.dataclass(frozen=True)
class _Condition:
    """One operator on one key; it holds when one of its values fits (for negated operators: when none does)."""

    operator: str
    key: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.operator} {self.key} {' or '.join(self.values)}"

    def holds(self, claims: Mapping[str, str]) -> bool | None:
        """None when the token's claims do not decide it."""
        name = self.operator.lower()
        base = name.removeprefix(_ALL).removeprefix(_ANY).removesuffix(_IF_EXISTS)
        actual = claims.get(self.key.lower())
        if actual is None and self._is_of_the_request():
            return None
        if base == "null":
            return str(actual is None).lower() in (value.lower() for value in self.values)
        comparison = _COMPARISONS.get(base.removeprefix("stringnot").removeprefix("string"))
        if comparison is None or any("${" in value for value in self.values):
            return None
        negated = base.startswith("stringnot")
        if actual is None:
            return name.endswith(_IF_EXISTS) or name.startswith(_ALL) or (negated and not name.startswith(_ANY))
        return negated != any(comparison(actual, value) for value in self.values)

    def _is_of_the_request(self) -> bool:
        """Keys of AWS' own namespaces (``aws:SourceIp``, ``sts:RoleSessionName``) have no host name before them."""
        return "." not in self.key.partition(":")[0] and not self.key.lower().startswith("https://")


def _equals(actual: str, wanted: str) -> bool:
    return actual == wanted


def _equals_ignoring_case(actual: str, wanted: str) -> bool:
    return actual.lower() == wanted.lower()


def _like(actual: str, pattern: str) -> bool:
    """``*`` stands for any text, ``?`` for one character."""
    expression = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)
    return re.fullmatch(expression, actual, re.DOTALL) is not None


_COMPARISONS: t.Final[Mapping[str, Callable[[str, str], bool]]] = {
    "equals": _equals,
    "equalsignorecase": _equals_ignoring_case,
    "like": _like,
}


@dataclasses.dataclass(frozen=True)
class _Statement:
    """A statement about AssumeRoleWithWebIdentity."""

    effect: str
    federated: tuple[str, ...]
    conditions: tuple[_Condition, ...]

    def holds(self, claims: Mapping[str, str]) -> bool | None:
        results = [condition.holds(claims) for condition in self.conditions]
        if False in results:
            return False
        return None if None in results else True

    def failing(self, claims: Mapping[str, str]) -> tuple[_Condition, ...]:
        return tuple(condition for condition in self.conditions if condition.holds(claims) is False)

    def undecided(self, claims: Mapping[str, str]) -> tuple[str, ...]:
        return tuple(str(condition) for condition in self.conditions if condition.holds(claims) is None)

    def without(self, conditions: Iterable[_Condition]) -> _Statement:
        gone = set(conditions)
        kept = tuple(condition for condition in self.conditions if condition not in gone)
        return dataclasses.replace(self, conditions=kept)


def examine(document: Mapping[str, t.Any], trust: WebIdentityTrust, account: ServiceAccount) -> Verdict:
    """Examine a trust policy, as IAM returns it, for one service account of the trust.

    A wildcard for the account's name inside its namespace is accepted; one for the namespace or the audience is a
    finding, because other tokens of the same issuer would be let in too.
    """
    subjects = _Subjects(trust, account)
    statements = _statements(document)
    mine = [statement for statement in statements if trust.provider_arn in statement.federated]
    allowing = [statement for statement in mine if statement.effect == "allow"]
    if not allowing:
        return Verdict(findings=(_no_statement(statements, trust),))
    denied = _denied(mine, subjects)
    if denied is not None:
        return denied
    answers = [statement.holds(subjects.claims) for statement in allowing]
    if True in answers:
        return Verdict(findings=_looseness(allowing, subjects))
    if None in answers:
        return Verdict(undecided=allowing[answers.index(None)].undecided(subjects.claims))
    nearest = min(allowing, key=lambda statement: len(statement.failing(subjects.claims)))
    return Verdict(findings=_failures(nearest, subjects))


def _denied(statements: Iterable[_Statement], subjects: _Subjects) -> Verdict | None:
    """The verdict of the policy's Deny statements, which win over every Allow; None when they leave it open."""
    for statement in statements:
        if statement.effect != "deny" or statement.holds(subjects.claims) is False:
            continue
        conditions = "; ".join(map(str, statement.conditions)) or "no condition"
        if statement.holds(subjects.claims) is None:
            return Verdict(undecided=tuple(f"Deny with {text}" for text in statement.undecided(subjects.claims)))
        return Verdict(
            findings=(
                Finding(
                    Kind.DENIED, "A Deny statement refuses this service account.", "no such Deny", f"Deny, {conditions}"
                ),
            )
        )
    return None


def _no_statement(statements: Iterable[_Statement], trust: WebIdentityTrust) -> Finding:
    """No Allow names the provider: say which providers are named instead, and whether one was probably meant."""
    others = sorted({name for statement in statements if statement.effect == "allow" for name in statement.federated})
    summary = "No statement allows sts:AssumeRoleWithWebIdentity to the issuer's IAM OIDC provider."
    kind = Kind.PROVIDER_NOT_TRUSTED
    for name in others:
        if trust.issuer.differs_by_slash_or_case(name.partition(":oidc-provider/")[2]):
            summary += f" {name} differs from it by a slash or by case, and never matches."
            kind = Kind.PROVIDER_MISSPELLED
    return Finding(kind, summary, trust.provider_arn, ", ".join(others) or "no federated principal")


def _looseness(statements: Iterable[_Statement], subjects: _Subjects) -> tuple[Finding, ...]:
    """What the statements let in beside the service account's token for the audience."""
    trust, account = subjects.trust, subjects.account
    stranger = ServiceAccount(_OTHER_NAMESPACE, account.name)
    findings = []
    if any(s.holds(subjects.claims_of(_OTHER_AUDIENCE, account)) for s in statements):
        findings.append(_open_audience(trust))
    if any(s.holds(subjects.claims_of(trust.audience, stranger)) for s in statements):
        findings.append(_open_subject(trust, account))
    return tuple(findings)


def _failures(statement: _Statement, subjects: _Subjects) -> tuple[Finding, ...]:
    """The failing conditions of a statement, and what it would leave open once they were mended."""
    failing = statement.failing(subjects.claims)
    findings = [_failure(condition, subjects) for condition in failing]
    mended = statement.without(failing)
    issuer = subjects.trust.issuer
    loose = mended.holds(subjects.claims_of(_OTHER_AUDIENCE, subjects.account))
    if loose and not any(_is_about(condition, issuer.audience_key) for condition in failing):
        findings.append(_open_audience(subjects.trust))
    stranger = ServiceAccount(_OTHER_NAMESPACE, subjects.account.name)
    loose = mended.holds(subjects.claims_of(subjects.trust.audience, stranger))
    if loose and not any(_is_about(condition, issuer.subject_key) for condition in failing):
        findings.append(_open_subject(subjects.trust, subjects.account))
    return tuple(findings)


def _open_audience(trust: WebIdentityTrust) -> Finding:
    return Finding(
        Kind.AUDIENCE_OPEN,
        "The trust policy does not pin the audience: a token for any audience in the provider's client IDs would be "
        "accepted.",
        f"StringEquals {trust.issuer.audience_key} {trust.audience}",
        "no condition that excludes other audiences",
    )


def _open_subject(trust: WebIdentityTrust, account: ServiceAccount) -> Finding:
    return Finding(
        Kind.SUBJECT_OPEN,
        "The trust policy does not pin the subject: service accounts of other namespaces of the cluster would be "
        "accepted.",
        f"StringEquals {trust.issuer.subject_key} {account.subject}",
        "no condition that excludes other namespaces",
    )


def _is_about(condition: _Condition, key: str) -> bool:
    """Whether the condition was meant for a key of the issuer: same claim, same host and path but for slashes."""
    return _bare(condition.key) == _bare(key)


def _bare(key: str) -> tuple[str, str]:
    """A key's host and path without scheme and trailing slashes, and its claim; case does not matter."""
    host_and_path, _unused, claim = key.lower().rpartition(":")
    return host_and_path.removeprefix("https://").rstrip("/"), claim


def _failure(condition: _Condition, subjects: _Subjects) -> Finding:
    """Why one condition does not hold."""
    issuer = subjects.trust.issuer
    for key in (issuer.audience_key, issuer.subject_key):
        wanted = subjects.claims[key.lower()]
        expected = f"StringEquals {key} {wanted}"
        if condition.key.lower() == key.lower():
            values = ", ".join(condition.values)
            return Finding(
                Kind.AUDIENCE_MISMATCH if key == issuer.audience_key else Kind.SUBJECT_MISMATCH,
                f"The trust policy's {condition.operator} on {key} is '{values}', but the token has '{wanted}'.",
                expected,
                str(condition),
            )
        if _is_about(condition, key):
            return Finding(
                Kind.CONDITION_KEY_MISSPELLED,
                f"The trust policy's condition key {condition.key} {_misspelling(condition.key)}, so no token ever "
                f"matches it; the issuer's own key is {key}.",
                expected,
                str(condition),
            )
    return Finding(
        Kind.CONDITION_NOT_MET,
        f"The trust policy's {condition.operator} on {condition.key} asks for what a service account's token does not "
        "carry.",
        f"no condition on {condition.key}",
        str(condition),
    )


def _misspelling(key: str) -> str:
    """What is wrong with a key that is the issuer's but for the scheme or its slashes."""
    host_and_path = key.rpartition(":")[0]
    if host_and_path.lower().startswith("https://"):
        return "carries the scheme"
    if host_and_path.endswith("//"):
        return "has a doubled slash before the claim"
    if host_and_path.endswith("/"):
        return "has a slash before the claim that the issuer does not end in"
    return "lacks the slash that the issuer ends in"


def _statements(document: Mapping[str, t.Any]) -> tuple[_Statement, ...]:
    """The statements that concern AssumeRoleWithWebIdentity."""
    return tuple(
        _Statement(
            effect=str(statement.get("Effect", "")).lower(),
            federated=_federated(statement.get("Principal", {})),
            conditions=tuple(_conditions(statement.get("Condition") or {})),
        )
        for statement in policy.statements(document)
        if _concerns_exchange(statement)
    )


def _federated(principal: object) -> tuple[str, ...]:
    return tuple(sorted(name for kind, name in policy.principals(principal) if kind == "Federated"))


def _concerns_exchange(statement: Mapping[str, t.Any]) -> bool:
    element = "Action" if "Action" in statement else "NotAction"
    named = any(_like(_ACTION.lower(), action.lower()) for action in policy.values(statement.get(element, ())))
    return named == (element == "Action")


def _conditions(element: Mapping[str, t.Any]) -> t.Iterator[_Condition]:
    for operator, block in element.items():
        for key, listed in block.items():
            yield _Condition(operator, key, policy.values(listed))
