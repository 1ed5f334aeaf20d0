# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who calls: credentials that AWS knows, the identities behind them, and what these may do."""

from __future__ import annotations

import base64
import dataclasses
import secrets
import string
import typing as t

from sandbox.aws.errors import AwsError, access_denied
from sandbox.aws.policy import Decision, Principal, Question, Trust, evaluate, evaluate_trust
from sandbox.world import AWS_ACCOUNT

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.aws.effective import IamView
    from sandbox.world import Json

_ID_CHARACTERS = string.ascii_uppercase + "234567"


@dataclasses.dataclass(frozen=True)
class Identity:
    """A user or a role's session. ``principal_arn`` is the user's or the role's own ARN.

    Of a role of another ``account``, whose IAM is not part of the sandbox, ``policies`` are all that it has.
    """

    arn: str
    user_id: str
    principal_arn: str
    role_id: str = ""  # of a session
    session_policies: tuple[Json, ...] | None = None  # None: the session is not limited further
    federated_by: str = ""  # the provider's ARN, of a web identity session
    account: str = AWS_ACCOUNT
    policies: tuple[Json, ...] = ()

    @property
    def foreign(self) -> bool:
        return self.account != AWS_ACCOUNT

    @property
    def principal(self) -> Principal:
        return Principal(account=self.account, arns=frozenset({self.arn, self.principal_arn}))

    def context(self) -> dict[str, tuple[str, ...]]:
        """The condition keys that tell of the caller."""
        values = {
            "aws:principalarn": self.principal_arn,
            "aws:principalaccount": self.account,
            "aws:principaltype": "AssumedRole" if self.role_id else "User",
            "aws:userid": self.user_id,
            "aws:federatedprovider": self.federated_by,
            "aws:securetransport": "true",
        }
        return {key: (value,) for key, value in values.items() if value}


@dataclasses.dataclass(frozen=True)
class Credential:
    """An access key. ``token`` and ``expires`` (seconds since the epoch) belong to sessions only."""

    access_key: str
    secret_key: str
    identity: Identity
    token: str | None = None
    expires: float | None = None


class Credentials:
    """All access keys of the account; the caller holds the lock."""

    def __init__(self, permanent: Credential) -> None:
        self._by_access_key = {permanent.access_key: permanent}

    def find(self, access_key: str) -> Credential | None:
        return self._by_access_key.get(access_key)

    def issue(self, identity: Identity, expires: float) -> Credential:
        """New temporary credentials, as unguessable as real ones."""
        credential = Credential(
            access_key="ASIA" + "".join(secrets.choice(_ID_CHARACTERS) for _unused in range(16)),
            secret_key=base64.b64encode(secrets.token_bytes(30)).decode(),
            identity=identity,
            token=base64.b64encode(secrets.token_bytes(240)).decode(),
            expires=expires,
        )
        self._by_access_key[credential.access_key] = credential
        return credential


@dataclasses.dataclass(frozen=True)
class Permissions:
    """What identities may do: the controller's policies, and the roles' as they are effective."""

    controller_policies: tuple[Json, ...]
    iam: IamView

    def decide(
        self, identity: Identity, action: str, resource: str, context: Mapping[str, tuple[str, ...]] | None = None
    ) -> Decision:
        """The answer of the identity's own policies within its boundary and its session's policies."""
        question = Question(action=action, resource=resource, context=identity.context() | dict(context or {}))
        answers = [evaluate(documents, question) for documents in self._layers(identity)]
        if Decision.DENY in answers:
            return Decision.DENY
        return Decision.ALLOW if set(answers) == {Decision.ALLOW} else Decision.IMPLICIT_DENY

    def require(
        self,
        identity: Identity,
        action: str,
        resource: str,
        context: Mapping[str, tuple[str, ...]] | None = None,
        resource_policy: Json | None = None,
    ) -> None:
        """Raise ``AccessDenied`` in AWS's words unless the identity may do this.

        Within the account either side may allow it; over its border both must
        (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html).
        """
        own = self.decide(identity, action, resource, context)
        shared = _shared(identity, action, resource, context, resource_policy)
        if Decision.DENY in (own, shared.decision):
            kind = "identity" if own is Decision.DENY else "resource"
            raise _denied(identity, action, resource, f"with an explicit deny in {_article(kind)} {kind}-based policy")
        if identity.foreign and shared.decision is not Decision.ALLOW:
            raise _denied(identity, action, resource, f"because no resource-based policy allows the {action} action")
        if own is not Decision.ALLOW and (identity.foreign or not shared.direct):
            raise _denied(identity, action, resource, f"because no identity-based policy allows the {action} action")

    def _layers(self, identity: Identity) -> list[tuple[Json, ...]]:
        """Sets of policies that must all allow."""
        if identity.foreign:
            return [identity.policies]
        if not identity.role_id:
            return [self.controller_policies]
        role = self.iam.role_by_id(identity.role_id)
        layers = [role.policies if role else ()]
        if role and role.boundary is not None:
            layers.append((role.boundary,))
        if identity.session_policies is not None:
            layers.append(identity.session_policies)
        return layers


def _shared(
    identity: Identity,
    action: str,
    resource: str,
    context: Mapping[str, tuple[str, ...]] | None,
    resource_policy: Json | None,
) -> Trust:
    """What the resource's own policy says to the identity."""
    if resource_policy is None:
        return Trust(Decision.IMPLICIT_DENY)
    context = identity.context() | dict(context or {})
    return evaluate_trust(
        resource_policy, Question(action=action, resource=resource, principal=identity.principal, context=context)
    )


def _denied(identity: Identity, action: str, resource: str, reason: str) -> AwsError:
    return access_denied(
        f"User: {identity.arn} is not authorized to perform: {action} on resource: {resource} {reason}"
    )


def _article(kind: str) -> str:
    return "an" if kind == "identity" else "a"
