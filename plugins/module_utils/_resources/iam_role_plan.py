# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to change of an IAM role, its trust policy and its permission. Pure.

Operations on a role that goes away are planned in iam_role_absent.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _last_change as last_change
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.iam_policies import (
    MAX_VERSIONS,
    ManagedPolicy,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.iam_roles import (
    DEFAULT_SESSION_DURATION,
    Role,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import (
    WRITE_ACTIONS,
    AwsAccount,
    Issuer,
    is_permission_policy,
    workspace_account,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._iam import (
    aws_tags,
    policy,
    policy_findings,
    trust_merge,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._iam.iam_decision import fits
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._ownership import MARK, is_marked
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import Action, Change, Document, Plan
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import refused_changes
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
    Step,
    advance,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.iam_role_wish import PolicyType, Wish
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._severity import Severity

ROLE: t.Final = "IAM role"
TRUST: t.Final = "IAM trust policy"
INLINE: t.Final = "IAM inline policy"
MANAGED: t.Final = "IAM managed policy"
VERSION: t.Final = "IAM managed policy version"

#: IAM's limits in characters without white space, which are no quotas: nobody can raise them.
MAX_POLICY_LENGTH: t.Final = {PolicyType.INLINE: 10240, PolicyType.MANAGED: 6144}


def plan(current: Current, wish: Wish) -> Plan[Operation, Current]:
    """The writes in their order.

    Raises Refused when the role has another path, its policy is somebody else's or other clusters would lose their
    workspaces; InvalidInput when a policy would be too long for IAM or the role should assume itself.
    """
    return refused_changes.planned(
        lambda force: _plan(current, dataclasses.replace(wish, force=force)), force=wish.force
    )


def _plan(current: Current, wish: Wish) -> Plan[Operation, Current]:
    _require_other_roles(current.account, wish)
    role = current.role
    warnings: tuple[str, ...] = ()
    steps: list[Step] = []
    if role is None:
        steps.append(_creation(current.account, wish))
    else:
        require_path(role, wish)
        warnings = trust_merge.deny_warnings(role.trust_policy, wish.trust(current.account))
        steps += [*_trust_steps(role, current, wish), *_setting_steps(role, wish)]
    steps += _permission_steps(current, wish)
    steps += [
        (Attach(arn), f"Attach the managed policy {arn}.")
        for arn in dict.fromkeys(wish.managed_policy_arns)
        if arn not in current.attached
    ]
    return made_of(steps, current, wish, warnings)


def made_of(
    steps: t.Iterable[Step], current: Current, wish: Wish, warnings: tuple[str, ...]
) -> Plan[Operation, Current]:
    """The plan of these steps, with findings of high severity among its warnings."""
    changes: list[Change[Operation]] = []
    state = current
    for operation, summary in steps:
        after = advance(state, operation)
        changes.append(_change(wish, operation, summary, state, after))
        state = after
    grave = (found for found in findings(state, wish) if found.severity is Severity.HIGH)
    warnings += tuple(f"IAM role {wish.name}, {found.statement}: {found.text}" for found in grave)
    return Plan(tuple(changes), state, warnings)


def findings(current: Current, wish: Wish) -> tuple[policy_findings.Finding, ...]:
    """What a careful reader would question in the role as it is."""
    if current.role is None:
        return ()
    documents = dict(current.inline)
    if current.managed is not None and current.managed.arn in current.attached:
        documents[current.managed.name] = current.managed.document
    return (
        *policy_findings.of_trust_policy(current.role.trust_policy),
        *(found for name in documents for found in policy_findings.of_permission_policy(name, documents[name])),
        *policy_findings.of_attached_policies(current.attached),
        *policy_findings.of_workspaces(wish.workspace_arns, current.account),
    )


def trust_document(role: Role, current: Current, wish: Wish) -> trust_merge.Merge:
    """The trust policy as it shall be: pruned first, so that the room of vanished clusters counts."""
    pruned = pruned_document(role.trust_policy, current, wish)
    merged = trust_merge.merge(pruned, wish.trust(current.account))
    return dataclasses.replace(merged, pruned=pruned is not role.trust_policy)


def pruned_document(document: t.Mapping[str, t.Any], current: Current, wish: Wish) -> t.Mapping[str, t.Any]:
    """The document without the statements of issuers that shall be pruned; the same object when there are none."""
    for issuer in wish.prune_issuers:
        document = trust_merge.remove(document, dataclasses.replace(wish.trust(current.account), issuer=issuer))
    gone = current.gone - {wish.issuer} if wish.prune_stale_issuers else frozenset()
    return trust_merge.remove_written(document, current.account, gone)


def _creation(account: AwsAccount, wish: Wish) -> Step:
    document = trust_merge.new_document(wish.trust(account))
    _require_length(document, wish)
    role = Role(
        arn=account.role_arn(wish.name, wish.path),
        name=wish.name,
        path=wish.path,
        trust_policy=document,
        max_session_duration=wish.max_session_duration or DEFAULT_SESSION_DURATION,
        description=wish.description,
        permissions_boundary=wish.boundary,
        tags={**wish.tags, **MARK},
    )
    return Create(role), f"Create the role and let {_subjects(wish)} assume it with tokens of {wish.issuer.url}."


def _subjects(wish: Wish) -> str:
    return ", ".join(sorted({account.subject for account in wish.service_accounts}))


def _trust_steps(role: Role, current: Current, wish: Wish) -> t.Iterator[Step]:
    merged = trust_document(role, current, wish)
    if not merged.changed:
        return
    _require_length(merged.document, wish)
    summaries = []
    if merged.added:
        summaries.append(f"Let {_subjects(wish)} assume the role with tokens of {wish.issuer.url}.")
    elif merged.reasons:
        summaries.append(f"Correct the statement for {wish.issuer.url}: {'; '.join(merged.reasons)}.")
    if merged.pruned:
        summaries.append(prune_summary(current, wish))
    yield SetTrust(merged.document), " ".join(summaries)


def prune_summary(current: Current, wish: Wish) -> str:
    """Whose statements are removed on request."""
    gone = current.gone if wish.prune_stale_issuers else frozenset()
    return f"End the trust in {', '.join(sorted(issuer.url for issuer in {*wish.prune_issuers, *gone}))}."


def _setting_steps(role: Role, wish: Wish) -> t.Iterator[Step]:
    description = role.description if wish.description is None else wish.description
    duration = role.max_session_duration if wish.max_session_duration is None else wish.max_session_duration
    if (description, duration) != (role.description, role.max_session_duration):
        yield SetSettings(description, duration), "Set the description and the longest session."
    if wish.permissions_boundary is not None and wish.boundary != role.permissions_boundary:
        summary = f"Set the permissions boundary {wish.boundary}."
        if wish.boundary is None:
            summary = f"Remove the permissions boundary {role.permissions_boundary}."
        yield SetBoundary(wish.boundary), summary
    added = aws_tags.to_add(role.tags, wish.tags)
    if added:
        yield SetTags(added), f"Set the tags {', '.join(sorted(added))}."
    removed = aws_tags.to_remove(role.tags, wish.tags, aws_tags.KeyCase.IGNORED) if wish.purge_tags else ()
    if removed:
        yield RemoveTags(removed), f"Remove the tags {', '.join(removed)}."


def granting_policy(current: Current, wish: Wish) -> str | None:
    """The name of the inline policy that is ours: the wished name's, else one that grants exactly the same."""
    if wish.policy_name in current.inline:
        return wish.policy_name
    return next((name for name, found in current.inline.items() if policy.equivalent(found, wish.permission)), None)


def _permission_steps(current: Current, wish: Wish) -> t.Iterator[Step]:
    _require_policy_length(wish)
    rights = "remote write and queries" if wish.allow_query else "remote write"
    chaining = f" and chaining to {', '.join(sorted(set(wish.assumable_role_arns)))}" * bool(wish.assumable_role_arns)
    workspaces = ", ".join(sorted(set(wish.workspace_arns)))
    summary = f"Allow {rights} on {workspaces}{chaining}, and nothing else."
    if wish.policy_type is PolicyType.MANAGED:
        yield from _managed_policy_steps(current, wish, summary)
        return
    name = granting_policy(current, wish)
    if name is None or not policy.equivalent(current.inline[name], wish.permission):
        _require_own_inline_policy(current, wish)
        _require_nothing_lost(current.inline.get(wish.policy_name), current, wish)
        yield SetInlinePolicy(wish.policy_name, wish.permission), summary


def _managed_policy_steps(current: Current, wish: Wish, summary: str) -> t.Iterator[Step]:
    """The managed policy first, attached next, an inline one of ours last: the right is never missing in between."""
    arn = wish.policy_arn(current.account)
    found = current.managed
    if found is None:
        tags = {**wish.tags, **MARK}
        yield CreateManagedPolicy(ManagedPolicy(arn, wish.policy_name, wish.permission, tags=tags)), summary
    elif not policy.equivalent(found.document, wish.permission):
        _require_own_policy(found, current, wish)
        _require_nothing_lost(found.document if arn in current.attached else None, current, wish)
        if len(found.other_versions) + 1 >= MAX_VERSIONS:
            oldest = found.other_versions[0]
            reason = f"IAM keeps {MAX_VERSIONS} versions, and a new one comes"
            yield DeletePolicyVersion(oldest), f"Delete version {oldest} of {arn}: {reason}."
        yield SetManagedPolicy(wish.permission), summary
    if arn not in current.attached:
        yield Attach(arn), f"Attach the managed policy {arn}."
    inline = current.inline.get(wish.policy_name)
    if inline is not None and is_permission_policy(inline):
        _require_nothing_lost(inline, current, wish)
        yield DeleteInlinePolicy(wish.policy_name), f"Remove the inline policy that {arn} replaces."


def _require_own_policy(found: ManagedPolicy, current: Current, wish: Wish) -> None:
    if wish.force:
        return
    if not is_marked(dict(found.tags)):
        raise errors.Refused(
            f"The managed policy {found.arn} grants something else and was not created by this collection.",
            fix="Choose another policy_name, or set force to write a new version of it.",
        )
    others = found.uses - (found.arn in current.attached)
    if others > 0:
        raise errors.Refused(
            f"The managed policy {found.arn} grants something else and is used by {others} more besides this role.",
            fix="Choose another policy_name, or set force to change it for all of them.",
        )


def _require_own_inline_policy(current: Current, wish: Wish) -> None:
    """Rights on AMP are narrowed in whosever role they are; what else others wrote into a policy is theirs."""
    role, found = current.role, current.inline.get(wish.policy_name)
    if wish.force or role is None or found is None or is_marked(dict(role.tags)):
        return
    foreign = [_in_words(statement) for statement in policy.statements(found) if not _is_amp_grant(statement)]
    if foreign:
        raise errors.Refused(
            f"The inline policy {wish.policy_name} of the IAM role {role.name}, which this collection did not create, "
            f"holds something else that would be lost: {'; '.join(dict.fromkeys(foreign))}.",
            fix="Choose another policy_name, or set force to replace it.",
        )


def _is_amp_grant(statement: policy.Statement) -> bool:
    """Whether a statement allows nothing but what this collection narrows: rights on AMP, of whatever width, and
    chaining. A condition is no part of that."""
    if statement.get("Effect") != "Allow" or statement.get("Condition") or not {"Action", "Resource"} <= set(statement):
        return False
    actions = (action.lower() for action in policy.values(statement["Action"]))
    return all(action.startswith("aps:") or action == "sts:assumerole" for action in actions)


def _in_words(statement: policy.Statement) -> str:
    element = "Action" if "Action" in statement else "NotAction"
    actions = ", ".join(policy.values(statement.get(element, ())))
    condition = " under a condition" if statement.get("Condition") else ""
    return f"{statement.get('Effect')} {'all but ' if element == 'NotAction' else ''}{actions}{condition}"


def _require_nothing_lost(found: policy.Document | None, current: Current, wish: Wish) -> None:
    """Two clusters with one role would take each other's workspace away for ever: raises Refused instead."""
    if wish.force or found is None or any(workspace_account(arn) is None for arn in wish.workspace_arns):
        return
    lost = sorted(_written_workspaces(found).difference(wish.workspace_arns))
    others = sorted(_other_issuers(current, wish))
    if lost and others:
        raise errors.Refused(
            f"The role {wish.name} would lose the right to write to {', '.join(lost)}, and its trust policy also lets "
            f"in tokens of {', '.join(others)}, which may need it.",
            fix="Give the cluster a role of its own, or name these workspaces in workspace_arns too. If such an issuer "
            "is gone, end its trust with prune_issuers, or with prune_stale_issuers where its IAM provider is gone as "
            "well. Or set the module's force to take the right away.",
        )


def _written_workspaces(document: policy.Document) -> frozenset[str]:
    """The single workspaces that a policy lets its role write to; a pattern names none."""
    return frozenset(
        arn
        for statement in policy.statements(document)
        if statement.get("Effect") == "Allow"
        and any(fits(given.lower(), action.lower()) for given in _actions(statement) for action in WRITE_ACTIONS)
        for arn in policy.values(statement.get("Resource", ()))
        if workspace_account(arn) is not None
    )


def _actions(statement: policy.Statement) -> tuple[str, ...]:
    return policy.values(statement.get("Action", ()))


def _other_issuers(current: Current, wish: Wish) -> frozenset[str]:
    """The issuers besides the wish's whose tokens the trust policy will let in."""
    if current.role is None:
        return frozenset()
    document = trust_document(current.role, current, wish).document
    providers = (
        arn
        for statement in policy.statements(document)
        if trust_merge.allows_exchange(statement)
        for kind, arn in policy.principals(statement.get("Principal", {}))
        if kind == "Federated" and arn != current.account.provider_arn(wish.issuer)
    )
    # AWS takes tokens of a provider in the role's own account only.
    own_account = current.account.provider_arn(Issuer(""))
    return frozenset(f"https://{arn.removeprefix(own_account)}" for arn in providers if arn.startswith(own_account))


def require_path(role: Role, wish: Wish) -> None:
    """A role of another path is another role, and a path can't be changed: raises Refused."""
    if role.path != wish.path:
        raise errors.Refused(
            f"The IAM role {role.name} has the path {role.path}, not {wish.path}, and a role's path can't be changed.",
            fix=f"Set path to {role.path}, or choose another name.",
        )


def _require_other_roles(account: AwsAccount, wish: Wish) -> None:
    own = account.role_arn(wish.name, wish.path)
    if own in wish.assumable_role_arns:
        raise errors.InvalidInput(
            f"assumable_role_arns names the role itself, {own}: the pod already holds its session.",
            fix="Leave it out: chaining is for a different role only.",
        )


def _require_length(document: t.Mapping[str, t.Any], wish: Wish) -> None:
    length = policy.size(document)
    if length > wish.trust_policy_max_length:
        raise errors.InvalidInput(
            f"The trust policy of the IAM role {wish.name} would have {length} characters, and IAM takes "
            f"{wish.trust_policy_max_length}.",
            fix="Use one role per cluster, or remove statements of clusters that are gone (prune_stale_issuers); or "
            "have the quota 'Role trust policy length' raised and set trust_policy_max_length.",
        )


def _require_policy_length(wish: Wish) -> None:
    length, limit = policy.size(wish.permission), MAX_POLICY_LENGTH[wish.policy_type]
    if length > limit:
        raise errors.InvalidInput(
            f"The {wish.policy_type.value} policy {wish.policy_name} would have {length} characters, and IAM takes "
            f"{limit}.",
            fix="Name fewer workspaces, or spread them over several roles.",
        )


def _change(wish: Wish, operation: Operation, summary: str, before: Current, after: Current) -> Change[Operation]:
    """One write as people see it: trust policy, inline and managed policy are objects of their own."""
    action, kind, name, part = Action.UPDATE, ROLE, wish.name, ""
    documents: tuple[Document | None, Document | None]
    match operation:
        case Create():
            action, documents = Action.CREATE, (None, _document(after.existing))
        case Delete():
            action, documents = Action.DELETE, (_document(before.existing), None)
        case SetTrust(document):
            kind, documents = TRUST, (before.existing.trust_policy, document)
        case SetInlinePolicy(policy_name, document):
            kind, name, documents = INLINE, f"{wish.name}/{policy_name}", (before.inline.get(policy_name), document)
            action = Action.UPDATE if policy_name in before.inline else Action.CREATE
        case DeleteInlinePolicy(policy_name):
            kind, name, documents = INLINE, f"{wish.name}/{policy_name}", (before.inline[policy_name], None)
            action = Action.DELETE
        case CreateManagedPolicy(created):
            action, kind, name, documents = Action.CREATE, MANAGED, created.arn, (None, created.document)
        case SetManagedPolicy(document):
            found = before.existing_policy
            kind, name, documents = MANAGED, found.arn, (found.document, document)
        case DeletePolicyVersion() | DeleteManagedPolicy():
            kind, name, content = _gone(operation, before.existing_policy)
            action, documents = Action.DELETE, (content, None)
        case Attach(part) | Detach(part) | LeaveInstanceProfile(part):
            documents = (_attachments(before), _attachments(after))
        case _:
            documents = (_settings(before.existing), _settings(after.existing))
    keeper = last_change.of_tags(_tags(before, operation)) if action is Action.UPDATE else None
    return Change(action, kind, name, summary, documents[0], documents[1], operation, keeper, part)


def _gone(operation: DeletePolicyVersion | DeleteManagedPolicy, found: ManagedPolicy) -> tuple[str, str, Document]:
    """Kind, name and content of what is deleted; nobody reads what an old version granted."""
    if isinstance(operation, DeletePolicyVersion):
        return VERSION, f"{found.arn} {operation.version}", {"version_id": operation.version}
    return MANAGED, found.arn, found.document


def _tags(before: Current, operation: Operation) -> t.Mapping[str, str]:
    """Those of the object that the operation changes; inline policies and attachments are parts of the role."""
    owner = before.managed if isinstance(operation, SetManagedPolicy) else before.role
    return {} if owner is None else owner.tags


def _attachments(current: Current) -> dict[str, object]:
    return {
        "managed_policies": list(current.attached),
        **({"instance_profiles": list(current.instance_profiles)} if current.instance_profiles else {}),
    }


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
