# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an IAM role shall be: the options of iam_web_identity_role, checked. Pure."""

from __future__ import annotations

import dataclasses
import enum
import re
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import (
    AWS_AUDIENCE,
    MAX_TRUST_POLICY_LENGTH,
    RAISED_TRUST_POLICY_LENGTH,
    AwsAccount,
    Issuer,
    RoleArn,
    ServiceAccount,
    WebIdentityTrust,
    parse_audience,
    parse_workspace_arn,
    permission_policy,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._iam import aws_tags
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._inputs import require_known
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import (
    AWS,
    STATE,
    TRANSPORT,
    ArgumentSpec,
    Params,
    State,
)

SESSION_DURATIONS = range(3600, 43201)  # seconds

#: The value of ``permissions_boundary`` that takes the boundary away; an empty one stands for "not given".
NO_BOUNDARY: t.Final = "none"

_ROLE_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]{1,64}")
_POLICY_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]{1,128}")
_PATH = re.compile(r"/|/[\x21-\x7e]{1,510}/")
_DESCRIPTION = re.compile(r"[\t\n\r\x20-\x7e\xa1-\xff]{1,1000}")
_POLICY_ARN = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}|aws):policy/[\x21-\x7e]+")


class PolicyType(enum.Enum):
    """Where the permission is kept; the values are those of the option ``policy_type``."""

    INLINE = "inline"
    MANAGED = "managed"


class IfShared(enum.Enum):
    """What to do when the role can't go because of others; the values are those of the option ``if_shared``."""

    FAIL = "fail"
    KEEP = "keep"


ARGUMENT_SPEC = ArgumentSpec(
    {
        "name": {"type": "str", "required": True},
        "path": {"type": "str", "default": "/"},
        "issuer": {"type": "str", "required": True},
        "audience": {"type": "str", "default": AWS_AUDIENCE},
        "service_accounts": {
            "type": "list",
            "elements": "dict",
            "options": {"namespace": {"type": "str", "required": True}, "name": {"type": "str", "required": True}},
        },
        "workspace_arns": {"type": "list", "elements": "str"},
        "allow_query": {"type": "bool", "default": False},
        "assumable_role_arns": {"type": "list", "elements": "str", "default": []},
        "policy_type": {
            "type": "str",
            "default": PolicyType.INLINE.value,
            "choices": [PolicyType.INLINE.value, PolicyType.MANAGED.value],
        },
        "policy_name": {"type": "str", "default": "AMP-RemoteWrite"},
        "managed_policy_arns": {"type": "list", "elements": "str", "default": []},
        "description": {"type": "str"},
        "permissions_boundary": {"type": "str"},
        "max_session_duration": {"type": "int"},
        "tags": {"type": "dict", "default": {}},
        "purge_tags": {"type": "bool", "default": False},
        "trust_policy_max_length": {"type": "int", "default": MAX_TRUST_POLICY_LENGTH},
        "prune_issuers": {"type": "list", "elements": "str", "default": []},
        "prune_stale_issuers": {"type": "bool", "default": False},
        "if_shared": {
            "type": "str",
            "default": IfShared.FAIL.value,
            "choices": [IfShared.FAIL.value, IfShared.KEEP.value],
        },
        "force": {"type": "bool", "default": False},
    },
    required_if=(("state", "present", ("service_accounts", "workspace_arns")),),
).merge(STATE, AWS, TRANSPORT)


@dataclasses.dataclass(frozen=True)
class Wish:
    """What the role shall be; description, boundary and session duration (seconds) stay as they are where None."""

    name: str
    issuer: Issuer
    service_accounts: tuple[ServiceAccount, ...] = ()
    workspace_arns: tuple[str, ...] = ()
    path: str = "/"
    audience: str = AWS_AUDIENCE
    allow_query: bool = False
    assumable_role_arns: tuple[str, ...] = ()
    policy_type: PolicyType = PolicyType.INLINE
    policy_name: str = "AMP-RemoteWrite"
    managed_policy_arns: tuple[str, ...] = ()
    description: str | None = None
    permissions_boundary: str | None = None
    max_session_duration: int | None = None
    tags: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    purge_tags: bool = False
    trust_policy_max_length: int = MAX_TRUST_POLICY_LENGTH
    prune_issuers: tuple[Issuer, ...] = ()
    prune_stale_issuers: bool = False
    if_shared: IfShared = IfShared.FAIL
    force: bool = False
    state: State = State.PRESENT

    @classmethod
    def from_params(cls, params: Params, *, check_mode: bool) -> Wish:
        """Raises InvalidInput and FederationError for what no role can be."""
        state = State.from_params(params)
        # What was never there is absent: an issuer that nobody knows yet is trusted by no role.
        lenient = check_mode or state is State.ABSENT
        issuer = require_known(params.text("issuer"), option="issuer", step="aks_oidc_issuer", check_mode=lenient)
        wish = cls(
            name=params.text("name"),
            issuer=Issuer.parse(issuer),
            service_accounts=tuple(
                ServiceAccount.parse(item.text("namespace"), item.text("name"))
                for item in params.items("service_accounts")
            ),
            workspace_arns=tuple(
                parse_workspace_arn(
                    require_known(arn, option="workspace_arns", step="iam_web_identity", check_mode=lenient)
                )
                for arn in params.texts("workspace_arns")
            ),
            path=params.text("path"),
            audience=parse_audience(params.text("audience")),
            allow_query=params.flag("allow_query"),
            assumable_role_arns=tuple(str(RoleArn.parse(arn)) for arn in params.texts("assumable_role_arns")),
            policy_type=PolicyType(params.text("policy_type")),
            policy_name=params.text("policy_name"),
            managed_policy_arns=params.texts("managed_policy_arns"),
            description=params.optional_text("description"),
            permissions_boundary=params.optional_text("permissions_boundary"),
            max_session_duration=params.optional_integer("max_session_duration"),
            # They go to the managed policy as well, which takes whatever a role takes.
            tags=aws_tags.parse_tags(params.text_map("tags"), aws_tags.KeyCase.IGNORED),
            purge_tags=params.flag("purge_tags"),
            trust_policy_max_length=params.integer("trust_policy_max_length"),
            prune_issuers=tuple(map(Issuer.parse, params.texts("prune_issuers"))),
            prune_stale_issuers=params.flag("prune_stale_issuers"),
            if_shared=IfShared(params.text("if_shared")),
            force=params.flag("force"),
            state=state,
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
        if self.permissions_boundary != NO_BOUNDARY:
            rule = f"the ARN of a managed policy, or '{NO_BOUNDARY}' to remove the boundary"
            _require(_POLICY_ARN, "permissions_boundary", self.permissions_boundary, rule)
        for arn in self.managed_policy_arns:
            _require(_POLICY_ARN, "managed_policy_arns", arn, "ARNs of managed policies")
        _require_range("max_session_duration", self.max_session_duration, SESSION_DURATIONS, "seconds")
        lengths = range(MAX_TRUST_POLICY_LENGTH, RAISED_TRUST_POLICY_LENGTH + 1)
        _require_range("trust_policy_max_length", self.trust_policy_max_length, lengths, "characters at most")
        if self.issuer in self.prune_issuers:
            raise errors.InvalidInput(
                f"prune_issuers names the issuer itself, {self.issuer.url}.",
                fix="Leave it out, or use state: absent to end its trust.",
            )
        if self.state is State.PRESENT:
            self._check_present()

    def _check_present(self) -> None:
        if not self.service_accounts:
            raise errors.InvalidInput(
                "service_accounts is empty.", fix="Name at least one: the role would trust nobody."
            )
        if not self.workspace_arns:
            raise errors.InvalidInput("workspace_arns is empty.", fix="Name at least one AMP workspace.")

    def trust(self, account: AwsAccount) -> WebIdentityTrust:
        return WebIdentityTrust(self.issuer, self.audience, self.service_accounts, account)

    @property
    def boundary(self) -> str | None:
        """The wished boundary's ARN, None where there shall be none or where it is not managed."""
        return None if self.permissions_boundary == NO_BOUNDARY else self.permissions_boundary

    @property
    def permission(self) -> dict[str, t.Any]:
        return permission_policy(
            self.workspace_arns, allow_query=self.allow_query, assumable_role_arns=self.assumable_role_arns
        )

    def policy_arn(self, account: AwsAccount) -> str:
        """The ARN of the managed policy of the wished name."""
        return f"arn:{account.partition}:iam::{account.account_id}:policy/{self.policy_name}"


def _require(pattern: re.Pattern[str], option: str, value: str | None, rule: str) -> None:
    if value is not None and not pattern.fullmatch(value):
        raise errors.InvalidInput(f"The option '{option}' is '{value}', which IAM does not take.", fix=f"Use {rule}.")


def _require_range(option: str, value: int | None, allowed: range, unit: str) -> None:
    if value is not None and value not in allowed:
        raise errors.InvalidInput(
            f"{option} is {value}.", fix=f"IAM takes {allowed.start} to {allowed.stop - 1} {unit}."
        )
