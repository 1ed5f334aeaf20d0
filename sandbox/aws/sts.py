# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""STS's API (query protocol, version 2011-06-15) at sts.amazonaws.com and sts.<region>.amazonaws.com.

moto parses and serialises; the decisions are made here, because moto makes none.
https://docs.aws.amazon.com/STS/latest/APIReference/
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
import re
import typing as t

from moto.core.responses import ActionResult
from moto.sts.responses import TokenResponse

from sandbox.aws import documents, query, web_identity
from sandbox.aws.effective import policy_document
from sandbox.aws.errors import AwsError, access_denied
from sandbox.aws.identities import Identity
from sandbox.aws.policy import Decision, Principal, Question, evaluate_trust
from sandbox.aws.sigv4 import Scope
from sandbox.world import AWS_ACCOUNT, Exchange

if t.TYPE_CHECKING:
    import flask

    from sandbox.aws.effective import RoleView
    from sandbox.aws.identities import Credential
    from sandbox.aws.requests import AwsRequest
    from sandbox.aws.shared import Account
    from sandbox.world import Json, World

_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/.+")
_UNSIGNED = "AssumeRoleWithWebIdentity"
_SERVED = frozenset({"GetCallerIdentity", "AssumeRole", _UNSIGNED})
_DEFAULT_SECONDS = 3600
_CHAINED_SECONDS = 3600  # role chaining: never longer than an hour
_SESSION_POLICY_LIMIT = 2048


def create_app(world: World, account: Account, region: str) -> flask.Flask:
    """The application for one STS endpoint. The global one signs as us-east-1."""
    scope = Scope(service="sts", region=region)

    def handle(request: AwsRequest, operation: str) -> flask.Response:
        # Anyone may present an identity token: the operation has no signature.
        caller = None if operation == _UNSIGNED else account.caller(request, scope)
        front = _Front(account, caller)
        query.parse(front, request, "sts", operation)
        return query.act(front)

    return query.create_app(world, "sts", _SERVED, handle)


@dataclasses.dataclass(frozen=True)
class _Asked:
    """The parameters that both ways to assume a role share. ``seconds`` is None when the client leaves it open."""

    role_arn: str
    session_name: str
    seconds: int | None
    policies: tuple[Json, ...] | None
    packed_percent: int | None


class _Front(TokenResponse):
    """moto's view of one request, with this account's answers. ``caller`` is None when nobody signed."""

    def __init__(self, account: Account, caller: Identity | None) -> None:
        super().__init__()
        self._account = account
        self._caller = caller

    def get_caller_identity(self) -> ActionResult:
        caller = self._signed()
        return ActionResult({"UserId": caller.user_id, "Account": caller.account, "Arn": caller.arn})

    def assume_role(self) -> ActionResult:
        caller, asked = self._signed(), self._asked()
        role = self._account.iam().roles.get(asked.role_arn)
        context = _context(asked) | {"sts:externalid": _values(self._get_param("ExternalId"))}
        if role is None or not self._may_assume(caller, role, context):
            raise access_denied(
                f"User: {caller.arn} is not authorized to perform: sts:AssumeRole on resource: {asked.role_arn}"
            )
        limit = min(role.max_session_seconds, _CHAINED_SECONDS) if caller.role_id else role.max_session_seconds
        if caller.role_id and asked.seconds is not None and asked.seconds > _CHAINED_SECONDS:
            raise AwsError(
                "ValidationError",
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
            )
        return ActionResult(self._session(role, asked, limit))

    def assume_role_with_web_identity(self) -> ActionResult:
        asked = self._asked()
        account = self._account
        refusal = account.world.settings.sts_refusal_code
        if refusal:
            raise _refused_outside(refusal)
        iam = account.iam()
        token = web_identity.verify(self._get_param("WebIdentityToken"), iam, account.issuers, account.clock())
        role = iam.roles.get(asked.role_arn)
        question = Question(
            action="sts:AssumeRoleWithWebIdentity",
            principal=Principal(account=AWS_ACCOUNT, federated=token.provider.arn),
            context=_context(asked) | dict(token.context),
        )
        if role is None or evaluate_trust(role.trust, question).decision is not Decision.ALLOW:
            raise access_denied("Not authorized to perform sts:AssumeRoleWithWebIdentity")
        answer = self._session(role, asked, role.max_session_seconds, federated_by=token.provider.arn)
        self._note(asked, answer, token)
        return ActionResult(
            answer
            | {
                "SubjectFromWebIdentityToken": token.subject,
                "Audience": token.audience,
                "Provider": token.provider.arn,
            }
        )

    def _signed(self) -> Identity:
        if self._caller is None:
            raise RuntimeError("the caller of a signed operation is known")
        return self._caller

    def _asked(self) -> _Asked:
        role_arn = self._get_param("RoleArn")
        if not _ROLE_ARN.fullmatch(role_arn):
            raise AwsError("ValidationError", f"{role_arn} is invalid")
        policies = self._session_policies()
        packed = None if policies is None else max(1, 100 * sum(map(_size, policies)) // _SESSION_POLICY_LIMIT)
        return _Asked(
            role_arn=role_arn,
            session_name=self._get_param("RoleSessionName"),
            seconds=self._get_param("DurationSeconds"),
            policies=policies,
            packed_percent=packed,
        )

    def _session_policies(self) -> tuple[Json, ...] | None:
        """The policies that limit the session further; None when the request has none."""
        inline = self._get_param("Policy")
        arns = [entry["arn"] for entry in self._get_param("PolicyArns") or []]
        if inline is None and not arns:
            return None
        if inline is not None:
            documents.check_identity_policy(inline)
        with self._account.world.lock:
            policies = [policy_document(self._account.store.get_policy(arn)) for arn in arns]
        return (*policies, json.loads(inline)) if inline is not None else tuple(policies)

    def _may_assume(self, caller: Identity, role: RoleView, context: dict[str, tuple[str, ...]]) -> bool:
        """Within one account a trust policy that names the caller suffices; else the caller's policies decide too, as
        they do for a caller of another account."""
        question = Question(action="sts:AssumeRole", principal=caller.principal, context=caller.context() | context)
        trust = evaluate_trust(role.trust, question)
        own = self._account.permissions().decide(caller, "sts:AssumeRole", role.arn, context)
        if trust.decision is not Decision.ALLOW or own is Decision.DENY:
            return False
        if own is Decision.ALLOW:
            self._account.world.granted.add("sts:AssumeRole")
        return own is Decision.ALLOW or (trust.direct and not caller.foreign)

    def _note(self, asked: _Asked, answer: Json, token: web_identity.VerifiedToken) -> None:
        exchange = Exchange(
            role_arn=asked.role_arn,
            session_arn=answer["AssumedRoleUser"]["Arn"],
            subject=token.subject,
            audience=token.audience,
            token_sha256=hashlib.sha256(self._get_param("WebIdentityToken").encode()).hexdigest(),
            expires=answer["Credentials"]["Expiration"].timestamp(),
        )
        with self._account.world.lock:
            self._account.world.exchanges.append(exchange)

    def _session(self, role: RoleView, asked: _Asked, limit: int, federated_by: str = "") -> Json:
        """Open the session: STS's answer in both cases."""
        seconds = asked.seconds or min(_DEFAULT_SECONDS, limit)
        if seconds > limit:
            raise AwsError(
                "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
            )
        identity = Identity(
            arn=f"arn:aws:sts::{AWS_ACCOUNT}:assumed-role/{role.name}/{asked.session_name}",
            user_id=f"{role.role_id}:{asked.session_name}",
            principal_arn=role.arn,
            role_id=role.role_id,
            session_policies=asked.policies,
            federated_by=federated_by,
        )
        with self._account.world.lock:
            longest = self._account.world.settings.sts_longest_session_seconds
            until = self._account.clock() + (min(seconds, longest) if longest else seconds)
            credential = self._account.credentials.issue(identity, until)
        answer: Json = {
            "Credentials": _shown(credential),
            "AssumedRoleUser": {"AssumedRoleId": identity.user_id, "Arn": identity.arn},
        }
        return answer if asked.packed_percent is None else answer | {"PackedPolicySize": asked.packed_percent}


#: Refusals whose reasons the sandbox does not have, with the texts and statuses of the API's description
#: (https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html).
_OUTSIDE: t.Final = {
    "ExpiredTokenException": ("Token expired: current date/time 1 must be before the expiration date/time 0", 400),
    "IDPCommunicationError": ("The identity provider could not be reached to verify the incoming identity token.", 400),
    "IDPRejectedClaim": ("The identity provider reported that authentication failed.", 403),
    "RegionDisabledException": ("STS is not activated in this region for account:123456789012.", 403),
    "ValidationError": ("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.", 400),
}


def _refused_outside(code: str) -> AwsError:
    message, status = _OUTSIDE.get(code, ("The request was refused.", 400))
    return AwsError(code, message, status)


def _context(asked: _Asked) -> dict[str, tuple[str, ...]]:
    return {"sts:rolesessionname": (asked.session_name,)}


def _values(value: str | None) -> tuple[str, ...]:
    return () if value is None else (value,)


def _size(document: Json) -> int:
    return len(json.dumps(document, separators=(",", ":")))


def _shown(credential: Credential) -> Json:
    expires = dt.datetime.fromtimestamp(int(credential.expires or 0), dt.UTC)
    return {
        "AccessKeyId": credential.access_key,
        "SecretAccessKey": credential.secret_key,
        "SessionToken": credential.token,
        "Expiration": expires,
    }
