# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One trust statement put into or taken out of a role's trust policy, everything else of it left alone. Pure.

A role trusts by the issuer's provider exactly the service accounts that were named. So all that is allowed to that
provider is ours and becomes one statement; so is what was meant for the provider but misspells it, because it never
matches. Statements for other principals keep their place and their words.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import (
    AwsAccount,
    FederationError,
    Issuer,
    ServiceAccount,
    WebIdentityTrust,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._iam import policy

VERSION: t.Final = "2012-10-17"

_ACTION: t.Final = "sts:assumerolewithwebidentity"
_AUDIENCE: t.Final = "aud"
_SUBJECT: t.Final = "sub"

Statement = t.Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Merge:
    """The trust policy as it shall be. ``reasons`` say what was wrong, none when the document is as it was;
    ``added`` is true when there was no statement of ours before, ``pruned`` when statements of other issuers went."""

    document: t.Mapping[str, t.Any]
    added: bool = False
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    pruned: bool = False

    @property
    def changed(self) -> bool:
        return self.added or bool(self.reasons) or self.pruned


def new_document(trust: WebIdentityTrust) -> dict[str, t.Any]:
    """The trust policy of a role that trusts nobody else."""
    return {"Version": VERSION, "Statement": [trust.statement()]}


def merge(document: t.Mapping[str, t.Any], trust: WebIdentityTrust) -> Merge:
    """The document with the trust's statement in it."""
    wanted = trust.statement()
    parts = [_split(statement, trust) for statement in policy.statements(document)]
    ours = [part.ours for part in parts if part.ours is not None]
    warnings = deny_warnings(document, trust)
    if not ours:
        statements = [*(part.foreign for part in parts), wanted]
        return Merge({**document, "Statement": statements}, added=True, warnings=warnings)
    if policy.equivalent_statements(ours, [wanted]):
        return Merge(document, warnings=warnings)
    statements = []
    placed = False
    for part in parts:
        if part.foreign is not None:
            statements.append(part.foreign)
        if part.ours is not None and not placed:
            statements.append(_labelled(wanted, part))
            placed = True
    return Merge({**document, "Statement": statements}, reasons=_reasons(ours, trust), warnings=warnings)


def remove(document: t.Mapping[str, t.Any], trust: WebIdentityTrust) -> t.Mapping[str, t.Any]:
    """The document without what is allowed to the trust's provider; the same object when there is nothing of it. Its
    service accounts play no part, and the document may be left without statements, which IAM does not take."""
    parts = [_split(statement, trust) for statement in policy.statements(document)]
    if all(part.ours is None for part in parts):
        return document
    return {**document, "Statement": [part.foreign for part in parts if part.foreign is not None]}


def remove_written(
    document: t.Mapping[str, t.Any], account: AwsAccount, issuers: t.Collection[Issuer]
) -> t.Mapping[str, t.Any]:
    """The document without the statements for these issuers that have the form in which this collection writes them;
    the same object when there are none."""
    statements = policy.statements(document)
    kept = [statement for statement in statements if written_for(statement, account) not in issuers]
    return document if len(kept) == len(statements) else {**document, "Statement": kept}


def written_for(statement: Statement, account: AwsAccount) -> Issuer | None:
    """The issuer for whose provider a statement was written, when it says neither more nor less than this collection
    writes: exact audience, exact service accounts, nothing else."""
    federated = sorted(
        value for kind, value in policy.principals(statement.get("Principal", {})) if kind == "Federated"
    )
    prefix = account.provider_arn(Issuer(""))
    if len(federated) != 1 or not federated[0].startswith(prefix):
        return None
    issuer = Issuer(f"https://{federated[0].removeprefix(prefix)}")
    claims: dict[str, tuple[str, ...]] = {
        key.lower(): listed for _operator, key, listed in policy.conditions(statement)
    }
    audiences = claims.get(issuer.audience_key.lower(), ())
    try:
        accounts = tuple(map(_service_account, claims.get(issuer.subject_key.lower(), ())))
    except FederationError:
        return None
    if len(set(audiences)) != 1 or not accounts:
        return None
    written = WebIdentityTrust(issuer, audiences[0], accounts, account).statement()
    return issuer if policy.equivalent_statements([statement], [written]) else None


def _service_account(subject: str) -> ServiceAccount:
    namespace, _colon, name = subject.removeprefix("system:serviceaccount:").partition(":")
    return ServiceAccount.parse(namespace, name)


def allows_exchange(statement: Statement) -> bool:
    """Whether a statement lets anybody in by AssumeRoleWithWebIdentity."""
    return statement.get("Effect") == "Allow" and _is_exchange(statement)


@dataclasses.dataclass(frozen=True)
class _Part:
    """A statement divided by its principals: what is allowed to the provider, and what is none of ours."""

    foreign: Statement | None
    ours: Statement | None = None


def _split(statement: Statement, trust: WebIdentityTrust) -> _Part:
    principal = statement.get("Principal")
    if statement.get("Effect") != "Allow" or not isinstance(principal, t.Mapping) or not _is_exchange(statement):
        return _Part(statement)
    federated = policy.values(principal.get("Federated", ()))
    mine = [arn for arn in federated if _is_meant(arn, statement, trust)]
    if not mine:
        return _Part(statement)
    others = [arn for arn in federated if arn not in mine]
    rest = {kind: listed for kind, listed in principal.items() if kind != "Federated"}
    if others:
        rest["Federated"] = others
    return _Part(
        foreign={**statement, "Principal": rest} if rest else None,
        ours={**statement, "Principal": {"Federated": mine}},
    )


def _labelled(wanted: dict[str, t.Any], part: _Part) -> dict[str, t.Any]:
    """The wanted statement under the old one's label, unless that stays with others' half of it: a Sid is unique."""
    sid = (part.ours or {}).get("Sid")
    return {"Sid": sid, **wanted} if sid and part.foreign is None else wanted


def _is_exchange(statement: Statement) -> bool:
    """Whether the statement's actions take in AssumeRoleWithWebIdentity."""
    return any(_fits(action.lower(), _ACTION) for action in policy.values(statement.get("Action", ())))


def _fits(pattern: str, text: str) -> bool:
    expression = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)
    return re.fullmatch(expression, text) is not None


def _is_meant(arn: str, statement: Statement, trust: WebIdentityTrust) -> bool:
    """Whether a Federated principal is the provider, or was meant to be: another slash or case, with the scheme, the
    host without the path, the path without the host."""
    prefix = trust.provider_arn.removesuffix(trust.issuer.host_and_path)
    if arn == trust.provider_arn:
        return True
    if not trust.issuer.known or not arn.startswith(prefix):
        return False
    name = _bare(arn.removeprefix(prefix))
    if name == _bare(trust.issuer.host):  # other issuers may live on the host: the conditions tell whose this is
        return all(_means(key, trust.issuer) for key in _issuer_keys(statement))
    return name in _spellings(trust.issuer)


def _issuer_keys(statement: Statement) -> t.Iterator[str]:
    """The condition keys about a token's audience or subject."""
    for _operator, key, _values in policy.conditions(statement):
        if key.lower().rpartition(":")[2] in (_AUDIENCE, _SUBJECT):
            yield key


def _means(key: str, issuer: Issuer) -> bool:
    """Whether a condition key names the issuer, however it is spelled."""
    return _bare(key.rpartition(":")[0]) in _spellings(issuer)


def _claim(key: str, issuer: Issuer) -> str | None:
    """``aud`` or ``sub`` when a condition key is about the issuer's tokens, however it is spelled."""
    claim = key.lower().rpartition(":")[2]
    return claim if claim in (_AUDIENCE, _SUBJECT) and _means(key, issuer) else None


def _spellings(issuer: Issuer) -> frozenset[str]:
    """The issuer's host and path as they are found in documents, all in bare form."""
    host_and_path, host = _bare(issuer.host_and_path), _bare(issuer.host)
    return frozenset({host_and_path, host, host_and_path.removeprefix(host).strip("/") or host})


def _bare(name: str) -> str:
    """Host and path in lower case, without scheme and without needless slashes."""
    name = name.lower()
    while name.startswith("https://"):
        name = name.removeprefix("https://")
    return re.sub("/+", "/", name).strip("/")


def _reasons(ours: t.Sequence[Statement], trust: WebIdentityTrust) -> tuple[str, ...]:
    """What is wrong with the statements, for people."""
    reasons = [reason for statement in ours for reason in _faults(statement, trust)]
    found = {
        value
        for statement in ours
        for _operator, key, listed in policy.conditions(statement)
        if _claim(key, trust.issuer) == _SUBJECT
        for value in listed
    }
    wanted = {account.subject for account in trust.service_accounts}
    reasons += [f"{subject} is no longer trusted" for subject in sorted(found - wanted)]
    reasons += [f"{subject} is trusted from now on" for subject in sorted(wanted - found)]
    return tuple(dict.fromkeys(reasons)) or ("it is rewritten as one exact statement",)


def _faults(statement: Statement, trust: WebIdentityTrust) -> t.Iterator[str]:
    for arn in policy.values(statement["Principal"]["Federated"]):
        if arn != trust.provider_arn:
            yield f"the provider {arn} is not the issuer's, {trust.provider_arn}"
    for action in policy.values(statement["Action"]):
        if action.lower() != _ACTION:
            yield f"{action} is not needed"
    yield from _condition_faults(statement, trust)


def _condition_faults(statement: Statement, trust: WebIdentityTrust) -> t.Iterator[str]:
    right = {_AUDIENCE: trust.issuer.audience_key, _SUBJECT: trust.issuer.subject_key}
    claims = set()
    for operator, key, listed in policy.conditions(statement):
        claim = _claim(key, trust.issuer)
        if claim is None:
            yield f"the condition {operator} on {key} is not one on audience or subject"
            continue
        claims.add(claim)
        if key.lower() != right[claim].lower():
            yield f"the condition key {key} never matches, {right[claim]} does"
        if operator.lower() != "stringequals":
            yield f"{operator} on {key} is not an exact comparison"
        if claim == _AUDIENCE and listed != (trust.audience,):
            yield f"the audience is {' or '.join(listed)}, not {trust.audience}"
    if _AUDIENCE not in claims:
        yield f"there is no condition on the audience, {right[_AUDIENCE]}"
    if _SUBJECT not in claims:
        yield f"there is no condition on the subject, {right[_SUBJECT]}, so every service account is trusted"


def deny_warnings(document: t.Mapping[str, t.Any], trust: WebIdentityTrust) -> tuple[str, ...]:
    """What stands against the trust and stays."""
    denied = any(
        statement.get("Effect") == "Deny" and ("Federated", trust.provider_arn) in policy.principals(principal)
        for statement in policy.statements(document)
        if (principal := statement.get("Principal")) is not None
    )
    if not denied:
        return ()
    return (f"A Deny statement for {trust.provider_arn} stays in the trust policy; it wins over every Allow.",)
