# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resource policies of workspaces, which moto lacks.

https://docs.aws.amazon.com/prometheus/latest/APIReference/API_PutResourcePolicy.html. A document is held against the
grammar of resource-based policies; that a principal of this account must exist is not documented for this service, but
so for most others, and a policy that names nobody lets nobody in.
"""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t
import uuid

from sandbox.aws.errors import AwsError
from sandbox.aws.patterns import as_list

if t.TYPE_CHECKING:
    from collections.abc import Collection

    from sandbox.world import Json

_NO_POLICY = "NO_POLICY"  # the precondition that there is none yet
_VERSIONS = ("2008-10-17", "2012-10-17")
_SID = re.compile(r"[0-9A-Za-z]*")
_ELEMENTS = frozenset({"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "Condition"})
_PRINCIPAL = re.compile(r"\*|\d{12}|arn:aws:(?:iam::(?P<account>\d{12}):(?:root|(?:user|role)/.+)|sts::\d{12}:.+)")


class PolicyError(AwsError):
    """A refusal that names the workspace whose policy it is about."""

    def __init__(self, code: str, message: str, status: int, workspace_id: str) -> None:
        super().__init__(code, message, status)
        self.workspace_id = workspace_id


@dataclasses.dataclass(frozen=True)
class _Policy:
    text: str
    revision_id: str
    token: str | None  # of the request that wrote it: repeated, it is answered alike


class WorkspacePolicies:
    """One region's policies by the workspace's id; the caller holds the lock."""

    def __init__(self) -> None:
        self._policies: dict[str, _Policy] = {}
        self._deleted: dict[str, str | None] = {}  # the tokens of deletions

    def document(self, workspace_id: str) -> Json | None:
        policy = self._policies.get(workspace_id)
        document: Json | None = None if policy is None else json.loads(policy.text)
        return document

    def describe(self, workspace_id: str) -> Json:
        policy = self._policies.get(workspace_id)
        if policy is None:
            raise _none(workspace_id)
        return {"policyDocument": policy.text, "policyStatus": "ACTIVE", "revisionId": policy.revision_id}

    def put(self, workspace_id: str, params: Json, arn: str, identities: Collection[str]) -> Json:
        """``identities`` are the ARNs of the account's users and roles. A new policy is in the making; it is active
        when it is asked for."""
        text, token = params["policyDocument"], params.get("clientToken")
        there = self._policies.get(workspace_id)
        if there and token and (there.token, there.text) == (token, text):
            return {"policyStatus": "UPDATING", "revisionId": there.revision_id}
        _check_revision(workspace_id, params.get("revisionId"), there)
        _check(text, arn, identities)
        made = _Policy(text, str(uuid.uuid4()), token)
        self._policies[workspace_id] = made
        return {"policyStatus": "UPDATING" if there else "CREATING", "revisionId": made.revision_id}

    def delete(self, workspace_id: str, params: Json) -> None:
        token = params.get("clientToken")
        there = self._policies.get(workspace_id)
        if there is None:
            if token and self._deleted.get(workspace_id) == token:
                return
            raise _none(workspace_id)
        _check_revision(workspace_id, params.get("revisionId"), there)
        self.forget(workspace_id)
        self._deleted[workspace_id] = token

    def forget(self, workspace_id: str) -> None:
        self._policies.pop(workspace_id, None)


def _none(workspace_id: str) -> PolicyError:
    return PolicyError("ResourceNotFoundException", "Resource policy not found", 404, workspace_id)


def _check_revision(workspace_id: str, asked: str | None, there: _Policy | None) -> None:
    """Without a revision the write is unconditional."""
    if asked is not None and asked != (there.revision_id if there else _NO_POLICY):
        raise PolicyError(
            "ConflictException", "The revision ID does not match the policy's current revision.", 409, workspace_id
        )


def _check(text: str, arn: str, identities: Collection[str]) -> None:
    try:
        document = json.loads(text)
    except ValueError:
        raise _malformed("The policy is not valid JSON.") from None
    if not isinstance(document, dict) or not set(document) <= {"Version", "Id", "Statement"}:
        raise _malformed("Syntax errors in policy.")
    statements = as_list(document.get("Statement", []))
    if document.get("Version", _VERSIONS[0]) not in _VERSIONS or not statements:
        raise _malformed("Syntax errors in policy.")
    sids = [statement.get("Sid") for statement in statements if isinstance(statement, dict)]
    named = [sid for sid in sids if sid]
    if len(set(named)) < len(named):
        raise _malformed("Statement IDs (SID) in a single policy must be unique.")
    for statement in statements:
        _check_statement(statement, arn, identities)


def _check_statement(statement: t.Any, arn: str, identities: Collection[str]) -> None:
    if not isinstance(statement, dict) or not set(statement) <= _ELEMENTS:
        raise _malformed("Syntax errors in policy.")
    if not _SID.fullmatch(statement.get("Sid", "")) or statement.get("Effect") not in ("Allow", "Deny"):
        raise _malformed("Syntax errors in policy.")
    if not as_list(statement.get("Action", statement.get("NotAction", []))):
        raise _malformed("Missing required field Action")
    if any(not re.fullmatch(r"\*|aps:.+", str(action)) for action in as_list(statement.get("Action", []))):
        raise _malformed("Policy has an action of another service.")
    if any(resource not in ("*", arn) for resource in as_list(statement.get("Resource", []))):
        raise _malformed("Policy has an invalid resource.")
    if "Resource" not in statement:
        raise _malformed("Missing required field Resource")
    principal = statement.get("Principal", statement.get("NotPrincipal"))
    if principal is None:
        raise _malformed("Missing required field Principal")
    if principal != "*":
        _check_principals(principal, arn.split(":")[4], identities)


def _check_principals(element: t.Any, account: str, identities: Collection[str]) -> None:
    if not isinstance(element, dict) or not element or not set(element) <= {"AWS", "Service"}:
        raise _malformed("Syntax errors in policy.")
    for value in as_list(element.get("AWS", [])):
        found = _PRINCIPAL.fullmatch(str(value))
        own = found is not None and found["account"] == account and not str(value).endswith(":root")
        if found is None or (own and value not in identities):
            raise _malformed(f'Invalid principal in policy: "AWS":"{value}"')


def _malformed(message: str) -> AwsError:
    return AwsError("ValidationError", message)
