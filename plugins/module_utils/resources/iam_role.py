# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The IAM role that service accounts of a cluster assume, its trust policy and its permission to write to AMP.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-idp_oidc.html
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import aws_tags, errors, policy, trust_merge
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.clients.aws import AwsSession
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.clients.iam_roles import (
    DEFAULT_SESSION_DURATION,
    IamRoles,
    Role,
    UnknownPrincipal,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.federation import (
    AWS_AUDIENCE,
    MAX_TRUST_POLICY_LENGTH,
    AwsAccount,
    Issuer,
    RoleArn,
    ServiceAccount,
    WebIdentityTrust,
    parse_audience,
    parse_workspace_arn,
    permission_policy,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.inputs import require_known
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.options import (
    AWS,
    TRANSPORT,
    ArgumentSpec,
    AwsAuth,
    Params,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.ownership import MARK
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.plan import Action, Change, Document, Plan
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.runner import Context, ModuleDefinition, Result
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.waiting import Patience

#: How long a provider that was just created may be unknown to trust policies.
PRINCIPAL_SECONDS = 30.0
SESSION_DURATIONS = range(3600, 43201)  # seconds
_ROLE = "IAM role"
_TRUST = "IAM trust policy"
_INLINE = "IAM inline policy"

_ROLE_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]{1,64}")
_POLICY_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]{1,128}")
_PATH = re.compile(r"/|/[\x21-\x7e]{1,510}/")
_DESCRIPTION = re.compile(r"[\t\n\r\x20-\x7e\xa1-\xff]{1,1000}")
_POLICY_ARN = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}|aws):policy/[\x21-\x7e]+")

ARGUMENT_SPEC = ArgumentSpec(
    {
        "name": {"type": "str", "required": True},
        "path": {"type": "str", "default": "/"},
        "issuer": {"type": "str", "required": True},
        "audience": {"type": "str", "default": AWS_AUDIENCE},
        "service_accounts": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": {"namespace": {"type": "str", "required": True}, "name": {"type": "str", "required": True}},
        },
        "workspace_arns": {"type": "list", "elements": "str", "required": True},
        "allow_query": {"type": "bool", "default": False},
        "policy_name": {"type": "str", "default": "AMP-RemoteWrite"},
        "description": {"type": "str"},
        "permissions_boundary": {"type": "str"},
        "max_session_duration": {"type": "int"},
        "tags": {"type": "dict", "default": {}},
        "purge_tags": {"type": "bool", "default": False},
        "trust_policy_max_length": {"type": "int", "default": MAX_TRUST_POLICY_LENGTH},
    }
).merge(AWS, TRANSPORT)


@dataclasses.dataclass(frozen=True)
class Wish:
    """What the role shall be; description, boundary and session duration (seconds) stay as they are where None."""

    name: str
    issuer: Issuer
    service_accounts: tuple[ServiceAccount, ...]
    workspace_arns: tuple[str, ...]
    path: str = "/"
    audience: str = AWS_AUDIENCE
    allow_query: bool = False
    policy_name: str = "AMP-RemoteWrite"
    description: str | None = None
    permissions_boundary: str | None = None
    max_session_duration: int | None = None
    tags: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    purge_tags: bool = False
    trust_policy_max_length: int = MAX_TRUST_POLICY_LENGTH

    @classmethod
    def from_params(cls, params: Params, *, check_mode: bool) -> Wish:
        """Raises InvalidInput and FederationError for what no role can be."""
        issuer = require_known(params.text("issuer"), option="issuer", step="aks_oidc_issuer", check_mode=check_mode)
        wish = cls(
            name=params.text("name"),
            issuer=Issuer.parse(issuer),
            service_accounts=tuple(
                ServiceAccount.parse(item.text("namespace"), item.text("name"))
                for item in params.items("service_accounts")
            ),
            workspace_arns=tuple(
                parse_workspace_arn(
                    require_known(arn, option="workspace_arns", step="iam_web_identity", check_mode=check_mode)
                )
                for arn in params.texts("workspace_arns")
            ),
            path=params.text("path"),
            audience=parse_audience(params.text("audience")),
            allow_query=params.flag("allow_query"),
            policy_name=params.text("policy_name"),
            description=params.optional_text("description"),
            permissions_boundary=params.optional_text("permissions_boundary"),
            max_session_duration=params.optional_integer("max_session_duration"),
            tags=aws_tags.parse_tags(params.text_map("tags")),
            purge_tags=params.flag("purge_tags"),
            trust_policy_max_length=params.integer("trust_policy_max_length"),
        )
        wish.check()
        return wish

    def check(self) -> None:
        """IAM's rules for names and values (https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html);
        raises InvalidInput."""
        _require(_ROLE_NAME, "name", self.name, "1 to 64 letters, digits and _+=,.@-")
        _require(_POLICY_NAME, "policy_name", self.policy_name, "1 to 128 letters, digits and _+=,.@-")
        _require(_PATH, "path", self.path, "a text that begins and ends with a slash, of at most 512 characters")
        _require(_DESCRIPTION, "description", self.description, "at most 1000 characters of Latin-1")
        _require(_POLICY_ARN, "permissions_boundary", self.permissions_boundary, "the ARN of a managed policy")
        if self.max_session_duration is not None and self.max_session_duration not in SESSION_DURATIONS:
            raise errors.InvalidInput(
                f"max_session_duration is {self.max_session_duration}.",
                fix=f"IAM takes {SESSION_DURATIONS.start} to {SESSION_DURATIONS.stop - 1} seconds.",
            )
        if not self.service_accounts:
            raise errors.InvalidInput(
                "service_accounts is empty.", fix="Name at least one: the role would trust nobody."
            )
        if not self.workspace_arns:
            raise errors.InvalidInput("workspace_arns is empty.", fix="Name at least one AMP workspace.")

    def trust(self, account: AwsAccount) -> WebIdentityTrust:
        return WebIdentityTrust(self.issuer, self.audience, self.service_accounts, account)

    @property
    def permission(self) -> dict[str, t.Any]:
        return permission_policy(self.workspace_arns, allow_query=self.allow_query)


def _require(pattern: re.Pattern[str], option: str, value: str | None, rule: str) -> None:
    if value is not None and not pattern.fullmatch(value):
        raise errors.InvalidInput(f"The option '{option}' is '{value}', which IAM does not take.", fix=f"Use {rule}.")


@dataclasses.dataclass(frozen=True)
class Current:
    """The role, None while there is none, and the inline policies that the decision needs, by name: the wished name's
    alone where that exists, all others where it does not."""

    account: AwsAccount
    role: Role | None
    inline: t.Mapping[str, t.Mapping[str, t.Any]] = dataclasses.field(default_factory=dict)

    @property
    def existing(self) -> Role:
        if self.role is None:
            raise AssertionError("there is no role yet")
        return self.role


@dataclasses.dataclass(frozen=True)
class Create:
    """``role`` carries the predicted ARN."""

    role: Role


@dataclasses.dataclass(frozen=True)
class SetTrust:
    document: t.Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True)
class SetSettings:
    description: str | None
    max_session_duration: int


@dataclasses.dataclass(frozen=True)
class SetBoundary:
    policy_arn: str


@dataclasses.dataclass(frozen=True)
class SetInlinePolicy:
    name: str
    document: t.Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True)
class SetTags:
    tags: t.Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class RemoveTags:
    keys: tuple[str, ...]


RoleUpdate: t.TypeAlias = "SetTrust | SetSettings | SetBoundary | SetTags | RemoveTags"
Operation: t.TypeAlias = "Create | SetInlinePolicy | RoleUpdate"


def advance(current: Current, operation: Operation) -> Current:
    """What is there after an operation; prediction and real run share it."""
    match operation:
        case Create(role):
            return dataclasses.replace(current, role=role)
        case SetInlinePolicy(name, document):
            return dataclasses.replace(current, inline={**current.inline, name: document})
        case _:
            return dataclasses.replace(current, role=_updated(current.existing, operation))


def _updated(role: Role, operation: RoleUpdate) -> Role:
    match operation:
        case SetTrust(document):
            return dataclasses.replace(role, trust_policy=document)
        case SetSettings(description, duration):
            return dataclasses.replace(role, description=description, max_session_duration=duration)
        case SetBoundary(policy_arn):
            return dataclasses.replace(role, permissions_boundary=policy_arn)
        case SetTags(tags):
            return dataclasses.replace(role, tags=aws_tags.with_added(role.tags, tags))
        case RemoveTags(keys):
            return dataclasses.replace(role, tags=aws_tags.without(role.tags, keys))


def plan(current: Current, wish: Wish) -> Plan[Operation, Current]:
    """The writes in their order.

    Raises Refused when the role has another path, InvalidInput when the trust policy would be too long for IAM.
    """
    role = current.role
    warnings: tuple[str, ...] = ()
    steps: list[tuple[Operation, str]] = []
    if role is None:
        steps.append(_creation(current.account, wish))
    else:
        _require_path(role, wish)
        merged = trust_merge.merge(role.trust_policy, wish.trust(current.account))
        warnings = merged.warnings
        steps += [*_trust_steps(merged, wish), *_setting_steps(role, wish)]
    steps += _permission_steps(current, wish)
    changes: list[Change[Operation]] = []
    state = current
    for operation, summary in steps:
        after = advance(state, operation)
        changes.append(_change(wish, operation, summary, state, after))
        state = after
    return Plan(tuple(changes), state, warnings)


def _creation(account: AwsAccount, wish: Wish) -> tuple[Operation, str]:
    document = trust_merge.new_document(wish.trust(account))
    _require_length(document, wish)
    role = Role(
        arn=account.role_arn(wish.name, wish.path),
        name=wish.name,
        path=wish.path,
        trust_policy=document,
        max_session_duration=wish.max_session_duration or DEFAULT_SESSION_DURATION,
        description=wish.description,
        permissions_boundary=wish.permissions_boundary,
        tags={**wish.tags, **MARK},
    )
    return Create(role), f"Create the role and let {_subjects(wish)} assume it with tokens of {wish.issuer.url}."


def _subjects(wish: Wish) -> str:
    return ", ".join(sorted({account.subject for account in wish.service_accounts}))


def _trust_steps(merged: trust_merge.Merge, wish: Wish) -> t.Iterator[tuple[Operation, str]]:
    if not merged.changed:
        return
    _require_length(merged.document, wish)
    if merged.added:
        summary = f"Let {_subjects(wish)} assume the role with tokens of {wish.issuer.url}."
    else:
        summary = f"Correct the statement for {wish.issuer.url}: {'; '.join(merged.reasons)}."
    yield SetTrust(merged.document), summary


def _setting_steps(role: Role, wish: Wish) -> t.Iterator[tuple[Operation, str]]:
    description = role.description if wish.description is None else wish.description
    duration = role.max_session_duration if wish.max_session_duration is None else wish.max_session_duration
    if (description, duration) != (role.description, role.max_session_duration):
        yield SetSettings(description, duration), "Set the description and the longest session."
    boundary = wish.permissions_boundary
    if boundary is not None and boundary != role.permissions_boundary:
        yield SetBoundary(boundary), f"Set the permissions boundary {boundary}."
    added = aws_tags.to_add(role.tags, wish.tags)
    if added:
        yield SetTags(added), f"Set the tags {', '.join(sorted(added))}."
    removed = aws_tags.to_remove(role.tags, wish.tags) if wish.purge_tags else ()
    if removed:
        yield RemoveTags(removed), f"Remove the tags {', '.join(removed)}."


def granting_policy(current: Current, wish: Wish) -> str | None:
    """The name of the inline policy that is ours: the wished name's, else one that grants exactly the same."""
    if wish.policy_name in current.inline:
        return wish.policy_name
    return next((name for name, found in current.inline.items() if policy.equivalent(found, wish.permission)), None)


def _permission_steps(current: Current, wish: Wish) -> t.Iterator[tuple[Operation, str]]:
    name = granting_policy(current, wish)
    if name is not None and policy.equivalent(current.inline[name], wish.permission):
        return
    rights = "remote write and queries" if wish.allow_query else "remote write"
    summary = f"Allow {rights} on {', '.join(sorted(set(wish.workspace_arns)))}, and nothing else."
    yield SetInlinePolicy(wish.policy_name, wish.permission), summary


def _require_path(role: Role, wish: Wish) -> None:
    if role.path != wish.path:
        raise errors.Refused(
            f"The IAM role {role.name} has the path {role.path}, not {wish.path}, and a role's path can't be changed.",
            fix=f"Set path to {role.path}, or choose another name.",
        )


def _require_length(document: t.Mapping[str, t.Any], wish: Wish) -> None:
    length = policy.size(document)
    if length > wish.trust_policy_max_length:
        raise errors.InvalidInput(
            f"The trust policy of the IAM role {wish.name} would have {length} characters, and IAM takes "
            f"{wish.trust_policy_max_length}.",
            fix="Use one role per cluster; or have the quota 'Role trust policy length' raised and set "
            "trust_policy_max_length.",
        )


def _change(wish: Wish, operation: Operation, summary: str, before: Current, after: Current) -> Change[Operation]:
    """One write as people see it: the trust policy and the inline policy are objects of their own."""
    action, kind, name = Action.UPDATE, _ROLE, wish.name
    documents: tuple[Document | None, Document | None]
    match operation:
        case Create():
            action, documents = Action.CREATE, (None, _document(after.existing))
        case SetTrust(document):
            kind, documents = _TRUST, (before.existing.trust_policy, document)
        case SetInlinePolicy(policy_name, document):
            kind, name, documents = _INLINE, f"{wish.name}/{policy_name}", (before.inline.get(policy_name), document)
            action = Action.UPDATE if policy_name in before.inline else Action.CREATE
        case _:
            documents = (_settings(before.existing), _settings(after.existing))
    return Change(action, kind, name, summary, documents[0], documents[1], operation)


def _settings(role: Role) -> dict[str, object]:
    return {
        "arn": role.arn,
        "path": role.path,
        "description": role.description,
        "max_session_duration": role.max_session_duration,
        "permissions_boundary": role.permissions_boundary,
        "tags": dict(role.tags),
    }


def _document(role: Role) -> dict[str, object]:
    return {**_settings(role), "trust_policy": role.trust_policy}


class RoleResource:
    """Reads and writes the role."""

    def __init__(self, wish: Wish, session: AwsSession, patience: Patience) -> None:
        self._wish = wish
        self._session = session
        self._patience = patience
        self._roles = IamRoles(session)

    def read(self) -> Current:
        """The account is that of the role's ARN where there is a role, which saves a call."""
        role = self._roles.get(self._wish.name)
        if role is None:
            return Current(self._session.caller_account(), None)
        arn = RoleArn.parse(role.arn)
        return Current(AwsAccount(arn.partition, arn.account_id), role, self._inline_policies())

    def _inline_policies(self) -> dict[str, t.Mapping[str, t.Any]]:
        wish = self._wish
        found = self._roles.inline_policy(wish.name, wish.policy_name)
        if found is not None:
            return {wish.policy_name: found}
        others = {
            name: self._roles.inline_policy(wish.name, name) for name in self._roles.inline_policy_names(wish.name)
        }
        return {name: document for name, document in others.items() if document is not None}

    def plan(self, current: Current) -> Plan[Operation, Current]:
        return plan(current, self._wish)

    def apply(self, change: Change[Operation], current: Current) -> Current:
        operation, roles, name = change.operation, self._roles, self._wish.name
        after = advance(current, operation)
        match operation:
            case Create(role):
                arn = self._patience.retry(lambda: roles.create(role), UnknownPrincipal)
                return dataclasses.replace(after, role=dataclasses.replace(role, arn=arn))
            case SetTrust(document):
                self._patience.retry(lambda: roles.set_trust_policy(name, document), UnknownPrincipal)
            case SetSettings(description, duration):
                roles.set_settings(name, description, duration)
            case SetBoundary(policy_arn):
                roles.set_permissions_boundary(name, policy_arn)
            case SetInlinePolicy(policy_name, document):
                roles.set_inline_policy(name, policy_name, document)
            case SetTags(tags):
                roles.tag(name, tags)
            case RemoveTags(keys):
                roles.untag(name, keys)
        return after


def facts(current: Current, wish: Wish) -> dict[str, object]:
    """The role as the module returns it."""
    role = current.existing
    name = granting_policy(current, wish)
    return {
        "arn": role.arn,
        "name": role.name,
        "trust_policy": dict(role.trust_policy),
        "permission_policy": dict(current.inline[name]) if name else {},
        "policy_name": name,
        "account_id": current.account.account_id,
        "partition": current.account.partition,
    }


def run(params: Params, context: Context) -> Result:
    """Converge the role."""
    wish = Wish.from_params(params, check_mode=context.check_mode)
    patience = Patience(PRINCIPAL_SECONDS, sleep=context.sleep, monotonic=context.monotonic)
    outcome = context.converge(RoleResource(wish, AwsSession(AwsAuth.from_params(params)), patience))
    return Result.of(outcome, facts(outcome.state, wish))


DEFINITION = ModuleDefinition(ARGUMENT_SPEC, run)
