# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The IAM role that service accounts of a cluster assume, its trust policy and its permission to write to AMP.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-idp_oidc.html

IAM has no precondition: of two writers of one trust policy the later one wins, whatever it had read. Roles that several
clusters share are safe all the same, because the trust policy is read right before it is written and again a little
after. A writer that is overtaken sees one of the two and plans anew. What remains is a writer that halts for longer
than ``SETTLE_SECONDS`` between its own reading and writing; the next run repairs what such a one undid.
"""

from __future__ import annotations

import dataclasses
import typing as t
import zlib

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.aws import AwsSession
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.iam import IamProviders, is_missing
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.iam_policies import IamPolicies, ManagedPolicy
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.iam_roles import (
    IamRoles,
    Role,
    UnknownPrincipal,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import AwsAccount, Issuer, RoleArn
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._iam import trust_merge
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._iam.policy import equivalent, statements
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import AwsAuth, Params, State
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._ownership import is_marked
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import Change, Plan
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import iam_role_absent, iam_role_plan
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.iam_role_operations import (
    Attach,
    Create,
    CreateManagedPolicy,
    Current,
    Delete,
    DeleteInlinePolicy,
    DeleteManagedPolicy,
    DeletePolicyVersion,
    Detach,
    LeaveInstanceProfile,
    Operation,
    RemoveTags,
    SetBoundary,
    SetInlinePolicy,
    SetManagedPolicy,
    SetSettings,
    SetTags,
    SetTrust,
    advance,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.iam_role_plan import (
    findings,
    granting_policy,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.iam_role_wish import (
    ARGUMENT_SPEC,
    PolicyType,
    Wish,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Context, ModuleDefinition, Result
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._waiting import Patience

#: How long a provider that was just created may be unknown to trust policies.
PRINCIPAL_SECONDS: t.Final = 30.0
#: How long after a write another writer's, based on what it had read before, may still come.
SETTLE_SECONDS: t.Final = 2.0


PolicyContent: t.TypeAlias = (
    "SetInlinePolicy | CreateManagedPolicy | SetManagedPolicy | DeletePolicyVersion | DeleteManagedPolicy"
)
Arrangement: t.TypeAlias = "Attach | Detach | LeaveInstanceProfile | DeleteInlinePolicy | Delete"


class RoleResource:
    """Reads and writes the role."""

    def __init__(self, wish: Wish, session: AwsSession, patience: Patience) -> None:
        self._wish = wish
        self._session = session
        self._patience = patience
        self._roles = IamRoles(session)
        self._policies = IamPolicies(session)
        self._was_attached = False

    def read(self) -> Current:
        """The role with what is in it. One that another writer removes meanwhile is read again, as gone."""
        try:
            return self._read()
        except errors.CloudError as error:
            if not is_missing(error):
                raise
        return self._read()

    def _read(self) -> Current:
        """The account is that of the role's ARN where there is a role, which saves a call."""
        wish = self._wish
        role = self._roles.get(wish.name)
        if role is None:
            account = self._session.caller_account()
            return self._with_new_policies(Current(account, None, managed=self._managed_policy(account)))
        arn = RoleArn.parse(role.arn)
        account = AwsAccount(arn.partition, arn.account_id)
        current = Current(account, role, managed=self._managed_policy(account), gone=self._gone(role, account))
        if wish.state is State.ABSENT:
            return self._with_everything(current)
        if wish.policy_type is PolicyType.MANAGED or wish.managed_policy_arns:
            current = dataclasses.replace(current, attached=self._roles.attached_policy_arns(wish.name))
        return self._with_new_policies(dataclasses.replace(current, inline=self._inline_policies()))

    def _with_everything(self, current: Current) -> Current:
        """The same with all that is in the role; a managed policy of the wished name is looked into whatever
        ``policy_type`` is, for it may be what an earlier run attached."""
        name, managed = self._wish.name, current.managed
        attached = self._roles.attached_policy_arns(name)
        if managed is None and self._wish.policy_arn(current.account) in attached:
            self._was_attached = True
            managed = self._managed_policy(current.account)
        return dataclasses.replace(
            current,
            inline=self._all_inline_policies(),
            managed=managed,
            attached=attached,
            instance_profiles=self._roles.instance_profile_names(name),
        )

    def _inline_policies(self) -> dict[str, t.Mapping[str, t.Any]]:
        """The policy of the wished name; where there is none, all others, one of which may grant the same."""
        wish = self._wish
        found = self._roles.inline_policy(wish.name, wish.policy_name)
        if found is not None:
            return {wish.policy_name: found}
        return {} if wish.policy_type is PolicyType.MANAGED else self._all_inline_policies()

    def _all_inline_policies(self) -> dict[str, t.Mapping[str, t.Any]]:
        name = self._wish.name
        found = {other: self._roles.inline_policy(name, other) for other in self._roles.inline_policy_names(name)}
        return {other: document for other, document in found.items() if document is not None}

    def _managed_policy(self, account: AwsAccount) -> ManagedPolicy | None:
        """The managed policy of the wished name, where there is one to look for: also one that this run has found
        attached, once the role is gone."""
        if self._wish.policy_type is PolicyType.INLINE and not self._was_attached:
            return None
        found = self._policies.get(self._wish.policy_arn(account))
        return found if found is None or not self._needs_versions(found) else self._policies.with_versions(found)

    def _needs_versions(self, found: ManagedPolicy) -> bool:
        """Whether a version may have to come, or all of them to go; else the list is not worth a call."""
        if self._wish.state is State.ABSENT:
            return is_marked(dict(found.tags))
        return not equivalent(found.document, self._wish.permission)

    def _gone(self, role: Role, account: AwsAccount) -> frozenset[Issuer]:
        """The issuers whose statements shall be pruned because IAM has no provider for them."""
        if not self._wish.prune_stale_issuers:
            return frozenset()
        found = {trust_merge.written_for(statement, account) for statement in statements(role.trust_policy)}
        providers = IamProviders(self._session)
        return frozenset(
            issuer
            for issuer in found
            if issuer is not None
            and issuer != self._wish.issuer
            and providers.get(account.provider_arn(issuer)) is None
        )

    def _with_new_policies(self, current: Current) -> Current:
        """The same, once it is sure that every managed policy that must be attached exists: later it would be late."""
        if self._wish.state is State.ABSENT:
            return current
        for arn in self._wish.managed_policy_arns:
            if arn not in current.attached and not self._policies.exists(arn):
                raise errors.NotFound(
                    f"The managed policy {arn} does not exist.", fix="Correct managed_policy_arns, or create it."
                )
        return current

    def plan(self, current: Current) -> Plan[Operation, Current]:
        if self._wish.state is State.ABSENT:
            return iam_role_absent.plan(current, self._wish)
        return iam_role_plan.plan(current, self._wish)

    def apply(self, change: Change[Operation], current: Current) -> Current:
        operation, roles, name = change.operation, self._roles, self._wish.name
        after = advance(current, operation)
        match operation:
            case Create(role):
                arn = self._patience.retry(lambda: roles.create(role), UnknownPrincipal)
                return dataclasses.replace(after, role=dataclasses.replace(role, arn=arn))
            case SetTrust(document):
                return dataclasses.replace(after, role=self._set_trust(document, current))
            case SetSettings(description, duration):
                roles.set_settings(name, description, duration)
            case SetBoundary(policy_arn):
                roles.set_permissions_boundary(name, policy_arn)
            case SetTags(tags):
                roles.tag(name, tags)
            case RemoveTags(keys):
                roles.untag(name, keys)
            case Attach() | Detach() | LeaveInstanceProfile() | DeleteInlinePolicy() | Delete():
                self._rearrange(operation, current)
            case _:
                self._write_policy(operation, current)
        return after

    def _rearrange(self, operation: Arrangement, current: Current) -> None:
        """Attach to the role, or take out of it what others may have come to need since it was read."""
        roles, name = self._roles, self._wish.name
        if not isinstance(operation, Attach):
            self._require_unchanged(current)
        match operation:
            case Attach(policy_arn):
                # A policy that was just created may be unknown for some time, which IAM reports as if it were gone.
                self._patience.retry(lambda: roles.attach(name, policy_arn), errors.Conflict)
            case Detach(policy_arn):
                roles.detach(name, policy_arn)
            case LeaveInstanceProfile(profile):
                roles.remove_from_instance_profile(name, profile)
            case DeleteInlinePolicy(policy_name):
                roles.delete_inline_policy(name, policy_name)
            case Delete():
                roles.delete(name)

    def _write_policy(self, operation: PolicyContent, current: Current) -> None:
        roles, policies, name = self._roles, self._policies, self._wish.name
        match operation:
            case SetInlinePolicy(policy_name, document):
                roles.set_inline_policy(name, policy_name, document)
            case CreateManagedPolicy(created):
                policies.create(created.arn, created.name, created.document, created.tags)
            case SetManagedPolicy(document):
                policies.add_version(current.existing_policy.arn, document)
            case DeletePolicyVersion(version):
                policies.delete_version(current.existing_policy.arn, version)
            case DeleteManagedPolicy():
                policies.delete(current.existing_policy.arn)

    def _set_trust(self, document: t.Mapping[str, t.Any], current: Current) -> Role:
        """Write the trust policy unless another writer was faster, and see that no other overwrote it. Returns the
        role as it is then. Raises Conflict, and CloudError when IAM goes on to show the earlier document."""

        def write() -> None:
            self._require_unchanged(current)
            self._roles.set_trust_policy(self._wish.name, document)

        self._patience.retry(write, UnknownPrincipal)
        self._patience.sleep(SETTLE_SECONDS)
        try:
            role = self._patience.until(lambda: self._changed_since(current))
            if role is None:
                raise errors.CloudError(
                    service="AWS IAM",
                    action=f"writing the trust policy of IAM role {self._wish.name}",
                    detail=f"it was accepted, but {PRINCIPAL_SECONDS:.0f} seconds later the earlier one is shown",
                    fix="Run again; another writer may have put the earlier one back.",
                )
            if self._lacks(role, current):
                raise self._overtaken()
        except errors.AksAmpError as error:
            error.accepted = True  # the document was written
            raise
        return dataclasses.replace(current.existing, trust_policy=role.trust_policy)

    def _changed_since(self, current: Current) -> Role | None:
        """The role when it shows another trust policy than before; IAM may show a change only some time later."""
        role = self._roles.get(self._wish.name)
        return None if role is None or role.trust_policy == current.existing.trust_policy else role

    def _lacks(self, role: Role, current: Current) -> bool:
        """Whether a trust policy is not, or no longer, what was wished for."""
        if self._wish.state is State.ABSENT:
            return iam_role_absent.still_trusted(role, current, self._wish)
        return iam_role_plan.trust_document(role, current, self._wish).changed

    def _require_unchanged(self, current: Current) -> None:
        """The precondition that IAM lacks: nobody changed the trust policy since it was read. Raises Conflict."""
        role = self._roles.get(self._wish.name)
        if role is None or role.trust_policy != current.existing.trust_policy:
            raise self._overtaken()

    def _overtaken(self) -> errors.Conflict:
        error = errors.Conflict(
            service="AWS IAM",
            action=f"writing the trust policy of IAM role {self._wish.name}",
            detail="another writer changed it at the same time",
            fix="Run again; use one role per cluster where many clusters are federated at once.",
        )
        # Writers that met once should not meet again: each issuer waits for a time of its own, 1 to 5 seconds.
        error.retry_after = 1 + zlib.crc32(self._wish.issuer.url.encode()) % 4000 / 1000
        return error


def facts(current: Current, wish: Wish) -> dict[str, object]:
    """The role as the module returns it."""
    role = current.role
    common: dict[str, object] = {
        "exists": role is not None,
        "name": wish.name,
        "arn": role.arn if role else current.account.role_arn(wish.name, wish.path),
        "account_id": current.account.account_id,
        "partition": current.account.partition,
        "findings": [found.report() for found in findings(current, wish)],
    }
    if role is None:
        return common
    managed = current.managed if wish.policy_type is PolicyType.MANAGED else None
    name = wish.policy_name if managed else granting_policy(current, wish)
    document = managed.document if managed else current.inline.get(name or "", {})
    return {
        **common,
        "trust_policy": dict(role.trust_policy),
        "permission_policy": dict(document),
        "policy_name": name,
        "policy_arn": managed.arn if managed else None,
    }


def run(params: Params, context: Context) -> Result:
    """Converge the role."""
    wish = Wish.from_params(params, check_mode=context.check_mode)
    patience = Patience(PRINCIPAL_SECONDS, sleep=context.sleep, monotonic=context.monotonic)
    outcome = context.converge(RoleResource(wish, AwsSession(AwsAuth.from_params(params)), patience))
    return Result.of(outcome, facts(outcome.state, wish))


DEFINITION = ModuleDefinition(ARGUMENT_SPEC, run)
