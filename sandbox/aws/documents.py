# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What IAM accepts as a policy document. The syntax is checked by moto, the rest that IAM asks for here.

Sources of the texts are IAM's answers as quoted in public issue trackers, and moto's own, which quotes IAM.
"""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t

from moto.iam.policy_validation import IAMPolicyDocumentValidator, IAMTrustPolicyDocumentValidator

from sandbox.aws.errors import AwsError, limit_exceeded, malformed_policy
from sandbox.aws.patterns import as_list

if t.TYPE_CHECKING:
    from collections.abc import Collection

    from sandbox.world import Json

TRUST_POLICY_QUOTA = 2048  # characters without white space, per role
INLINE_POLICIES_QUOTA = 10240  # likewise, for all inline policies of a role
_VERSIONS = ("2008-10-17", "2012-10-17")
_PRINCIPAL_KINDS = frozenset({"AWS", "Federated", "Service", "CanonicalUser"})
_SID = re.compile(r"[0-9A-Za-z]*")
_ACCOUNT = re.compile(r"(arn:aws:iam::)?\d{12}(?(1):root)")
_DOMAIN = re.compile(r"(?:[a-z0-9-]+\.)+[a-z]{2,}", re.IGNORECASE)
_PROVIDER_ARN = re.compile(r"arn:aws:iam::(?P<account>\d{12}):(?:oidc-provider|saml-provider)/.+")
_SESSION_ARN = re.compile(r"arn:aws:sts::\d{12}:(?:assumed-role/[^/]+|federated-user)/[^/]+")


@dataclasses.dataclass(frozen=True)
class KnownPrincipals:
    """What exists in the account, by ARN: a trust policy may name nothing else of it."""

    account: str
    identities: Collection[str]  # users and roles
    providers: Collection[str]


def check_trust_policy(document: str, known: KnownPrincipals | None) -> None:
    """Raise what IAM answers when a role shall get this trust policy.

    IAM turns names of users and roles into their unique ids, so these must exist. That it also refuses an unknown
    identity provider is not documented; the sandbox does, because such a role can never be assumed.
    Without ``known`` that is left out: a provider may have been deleted after the role was made.
    """
    policy = _parsed(document, "This policy contains invalid Json")
    if _size(document) > TRUST_POLICY_QUOTA:
        raise limit_exceeded(f"Cannot exceed quota for ACLSizePerRole: {TRUST_POLICY_QUOTA}")
    if policy.setdefault("Version", _VERSIONS[0]) not in _VERSIONS:
        raise malformed_policy("Syntax errors in policy.")
    # moto knows the rules of the current version only, but trust policies may still have the old one.
    IAMTrustPolicyDocumentValidator(json.dumps(policy | {"Version": _VERSIONS[1]})).validate()
    for statement in as_list(policy["Statement"]):
        _check_sid(statement)
        if "Principal" not in statement and "NotPrincipal" not in statement:
            raise malformed_policy("Missing required field Principal")
        _check_principals(statement.get("Principal", statement.get("NotPrincipal")), known)


def check_identity_policy(document: str) -> None:
    """Raise what IAM answers when a policy of an identity shall have this document."""
    policy = _parsed(document, "Syntax errors in policy.")
    for statement in as_list(policy.get("Statement", [])):
        if isinstance(statement, dict) and {"Principal", "NotPrincipal"} & set(statement):
            raise malformed_policy("Policy document should not specify a principal.")
    IAMPolicyDocumentValidator(document).validate()
    for statement in as_list(policy["Statement"]):
        _check_sid(statement)


def check_managed_policy(document: str, quota: int) -> None:
    """Raise what IAM answers when a managed policy shall have this document."""
    check_identity_policy(document)
    if _size(document) > quota:
        raise limit_exceeded(f"Cannot exceed quota for PolicySize: {quota}")


def check_inline_size(role_name: str, documents: Collection[str]) -> None:
    """Raise when all inline policies of the role together are too large."""
    if sum(map(_size, documents)) > INLINE_POLICIES_QUOTA:
        raise limit_exceeded(f"Maximum policy size of {INLINE_POLICIES_QUOTA} bytes exceeded for role {role_name}")


def _parsed(document: str, complaint: str) -> Json:
    try:
        policy = json.loads(document)
    except ValueError:
        raise malformed_policy(complaint) from None
    if not isinstance(policy, dict):
        raise malformed_policy("Syntax errors in policy.")
    return policy


def _size(document: str) -> int:
    return sum(not character.isspace() for character in document)


def _check_sid(statement: Json) -> None:
    if not _SID.fullmatch(statement.get("Sid", "")):
        raise malformed_policy(
            "Statement IDs (SID) must be alpha-numeric. "
            "Check that your input satisfies the regular expression [0-9A-Za-z]*"
        )


def _check_principals(element: t.Any, known: KnownPrincipals | None) -> None:
    if element == "*":
        return
    if not isinstance(element, dict) or not element or not set(element) <= _PRINCIPAL_KINDS:
        raise malformed_policy("Syntax errors in policy.")
    for kind, values in element.items():
        for value in as_list(values):
            if not isinstance(value, str):
                raise malformed_policy("Syntax errors in policy.")
            _check_principal(kind, value, known)


def _check_principal(kind: str, value: str, known: KnownPrincipals | None) -> None:
    if kind == "Federated":
        _check_federated(value, known)
    elif kind == "AWS" and not _is_aws_principal(value, known):
        raise _invalid_principal(kind, value)
    elif kind == "Service" and not _DOMAIN.fullmatch(value):
        raise _invalid_principal("SERVICE", value)


def _check_federated(value: str, known: KnownPrincipals | None) -> None:
    arn = _PROVIDER_ARN.fullmatch(value)
    if arn is None and not _DOMAIN.fullmatch(value):
        raise malformed_policy("Federated principals must be valid domain names or SAML metadata ARNs")
    if arn and known and (arn["account"] != known.account or value not in known.providers):
        raise _invalid_principal("FEDERATED", value)


def _is_aws_principal(value: str, known: KnownPrincipals | None) -> bool:
    if value == "*" or _ACCOUNT.fullmatch(value) or _SESSION_ARN.fullmatch(value):
        return True
    return value.startswith("arn:aws:iam::") and (known is None or value in known.identities)


def _invalid_principal(kind: str, value: str) -> AwsError:
    return malformed_policy(f'Invalid principal in policy: "{kind}":"{value}"')
