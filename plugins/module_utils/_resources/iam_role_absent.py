# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to remove of an IAM role: the issuer's trust, and the role when nothing of others is left in it. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.iam_roles import Role
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import is_permission_policy
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._iam import policy, trust_merge
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._iam.iam_decision import fits
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._ownership import is_marked
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import Plan
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import iam_role_plan
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.iam_role_operations import (
    Current,
    Delete,
    DeleteInlinePolicy,
    DeleteManagedPolicy,
    DeletePolicyVersion,
    Detach,
    LeaveInstanceProfile,
    Operation,
    SetTrust,
    Step,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.iam_role_plan import made_of
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.iam_role_wish import IfShared, Wish

#: The ways into a role, in lower case.
_WAYS_IN: t.Final = ("sts:assumerole", "sts:assumerolewithwebidentity", "sts:assumerolewithsaml")


def plan(current: Current, wish: Wish) -> Plan[Operation, Current]:
    """The removals in the order in which IAM takes them: policies, the role, its managed policy.

    Raises Refused when something of others stands against it and ``if_shared`` is ``fail``.
    """
    role = current.role
    if role is None:
        return made_of(_leftover_policy(current), current, wish, ())
    iam_role_plan.require_path(role, wish)
    document = _without_ours(role, current, wish)
    others = policy.statements(document)
    if others:
        return _end_of_trust(role, document, current, wish)
    obstacle = _obstacle(role, current, wish)
    if obstacle is None or wish.force:
        return made_of(_end_of_role(role, current, wish), current, wish, ())
    if wish.if_shared is IfShared.FAIL:
        raise errors.Refused(
            f"The IAM role {role.name} can't be deleted: {obstacle}, and IAM takes no role without a trust statement.",
            fix="Set if_shared to keep to leave it as it is, or force to delete it all the same.",
        )
    return made_of((), current, wish, (f"The IAM role {role.name} is kept as it is: {obstacle}.",))


def _without_ours(role: Role, current: Current, wish: Wish) -> t.Mapping[str, t.Any]:
    pruned = iam_role_plan.pruned_document(role.trust_policy, current, wish)
    return trust_merge.remove(pruned, wish.trust(current.account))


def still_trusted(role: Role, current: Current, wish: Wish) -> bool:
    """Whether there is something left to remove from the trust policy."""
    return _without_ours(role, current, wish) is not role.trust_policy


def _obstacle(role: Role, current: Current, wish: Wish) -> str | None:
    """Why the role must not go with its last statement."""
    if not is_marked(dict(role.tags)):
        return "it was not created by this collection"
    foreign = [
        *(f"the inline policy {name}" for name in sorted(current.inline) if name != wish.policy_name),
        *(f"the managed policy {arn}" for arn in current.attached if not _is_own_attachment(arn, current, wish)),
        *(f"the instance profile {name}" for name in current.instance_profiles),
    ]
    return f"others gave it {', '.join(foreign)}" if foreign else None


def _is_own_attachment(arn: str, current: Current, wish: Wish) -> bool:
    if current.managed is not None and arn == current.managed.arn:
        return is_marked(dict(current.managed.tags))
    return arn in wish.managed_policy_arns


def _end_of_trust(
    role: Role, document: t.Mapping[str, t.Any], current: Current, wish: Wish
) -> Plan[Operation, Current]:
    """The role stays for others; the permission too while others may assume it, whichever way."""
    steps: list[Step] = []
    if document is not role.trust_policy:
        summary = f"End the trust in tokens of {wish.issuer.url}."
        if iam_role_plan.pruned_document(role.trust_policy, current, wish) is not role.trust_policy:
            summary = f"{summary} {iam_role_plan.prune_summary(current, wish)}"
        steps.append((SetTrust(document), summary))
    marked = is_marked(dict(role.tags))
    warnings = [f"The IAM role {role.name} is kept: its trust policy has statements for others."] if marked else []
    removal = [*_inline_removal(current, wish, marked=marked), *_policy_removal(current)]
    if not any(map(_lets_in, policy.statements(document))):
        steps += removal
    elif removal and (marked or steps):
        warnings.append(f"The permission of the IAM role {role.name} is kept: others may assume the role and need it.")
    # Nothing was looked for while the issuer is not known, so nothing was found to be kept.
    return made_of(steps, current, wish, tuple(warnings) if wish.issuer.known else ())


def _lets_in(statement: policy.Statement) -> bool:
    """Whether a statement lets anybody assume the role; what an exception lets in is not worked out."""
    actions = policy.values(statement.get("Action", ()))
    return statement.get("Effect") == "Allow" and (
        "NotAction" in statement or any(fits(action.lower(), way) for action in actions for way in _WAYS_IN)
    )


def _inline_removal(current: Current, wish: Wish, *, marked: bool) -> t.Iterator[Step]:
    """The inline policy of ours, where the role stays."""
    inline = current.inline.get(wish.policy_name)
    if inline is not None and (marked or is_permission_policy(inline)):
        yield DeleteInlinePolicy(wish.policy_name), "Remove the permission."


def _end_of_role(role: Role, current: Current, wish: Wish) -> t.Iterator[Step]:
    for name in sorted(current.inline):
        yield DeleteInlinePolicy(name), "Remove the permission."
    for arn in current.attached:
        yield Detach(arn), f"Detach the managed policy {arn}."
    for name in current.instance_profiles:
        yield LeaveInstanceProfile(name), f"Take the role out of the instance profile {name}."
    yield Delete(), f"Delete the role: nobody but {wish.issuer.url} was trusted by {role.name}."
    yield from _leftover_policy(current)


def _policy_removal(current: Current) -> t.Iterator[Step]:
    """The managed policy of ours, detached and deleted, where the role stays."""
    managed = current.managed
    if managed is None or managed.arn not in current.attached or not is_marked(dict(managed.tags)):
        return
    yield Detach(managed.arn), f"Detach the managed policy {managed.arn}."
    yield from _leftover_policy(current)


def _leftover_policy(current: Current) -> t.Iterator[Step]:
    """The managed policy of ours, when no other identity uses it."""
    managed = current.managed
    if managed is None or not is_marked(dict(managed.tags)):
        return
    if managed.uses - (managed.arn in current.attached) <= 0:
        for version in managed.other_versions:
            yield DeletePolicyVersion(version), f"Delete version {version} of {managed.arn}, which is to go."
        yield DeleteManagedPolicy(), "Delete the managed policy, which nobody uses any more."
