# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The statements of a workspace's resource policy that let roles, of other accounts too, write to it.

A workspace has one policy document for everybody. Each role has a statement of its own in it, recognised by a ``Sid``
that follows from the role's ARN, so that clusters don't meet in a statement; all other statements stay as they are. A
write names the revision that it replaces. https://docs.aws.amazon.com/prometheus/latest/APIReference/
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.amp import (
    ACTIVE,
    AmpResourcePolicies,
    AmpWorkspaces,
    ResourcePolicy,
    UnknownPrincipal,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.aws import AwsSession
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import (
    KNOWN_AFTER_APPLY,
    QUERY_ACTIONS,
    WRITE_ACTIONS,
    RoleArn,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._iam import policy
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import (
    AWS,
    STATE,
    TRANSPORT,
    ArgumentSpec,
    AwsAuth,
    Params,
    State,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import Action, Change, Plan
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import amp_workspace
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Context, ModuleDefinition, Result
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._waiting import Patience

_KIND = "AMP resource policy"
#: How long a role that is not known may be a new one.
_PRINCIPAL_SECONDS: t.Final = 15.0
_VERSION = "2012-10-17"
#: A Sid takes letters and digits only.
_SID_PREFIX = "AksAmp"
_SID_DIGITS = 24
_OWN_SID = re.compile(rf"{_SID_PREFIX}[0-9a-f]{{{_SID_DIGITS}}}")

ARGUMENT_SPEC = ArgumentSpec(
    {
        "workspace_id": {"type": "str"},
        "alias": {"type": "str"},
        "principals": {"type": "list", "elements": "str", "default": []},
        "allow_query": {"type": "bool", "default": False},
        "wait_timeout": {"type": "int", "default": 120},
    },
    required_one_of=(("workspace_id", "alias"),),
    mutually_exclusive=(("workspace_id", "alias"),),
).merge(STATE, AWS, TRANSPORT)


@dataclasses.dataclass(frozen=True)
class Wish:
    """Which roles shall be able to write, or for ``absent`` shall no longer be let in; none means all of ours."""

    principals: tuple[RoleArn, ...]
    state: State = State.PRESENT
    allow_query: bool = False

    @classmethod
    def from_params(cls, params: Params) -> Wish:
        """Raises InvalidInput, and FederationError for what is not the ARN of a role."""
        state = State.from_params(params)
        principals = tuple(dict.fromkeys(RoleArn.parse(arn) for arn in params.texts("principals")))
        if state is State.PRESENT and not principals:
            raise errors.InvalidInput("principals is empty.", fix="Give the ARNs of the roles that shall write.")
        if params.integer("wait_timeout") < 0:
            raise errors.InvalidInput("wait_timeout is negative.", fix="Give seconds, 0 or more.")
        return cls(principals, state, params.flag("allow_query"))

    @property
    def actions(self) -> tuple[str, ...]:
        return tuple(sorted((*WRITE_ACTIONS, *(QUERY_ACTIONS if self.allow_query else ()))))


@dataclasses.dataclass(frozen=True)
class Current:
    """The workspace and its policy, None while it has none. ``partition`` is the workspace's."""

    workspace_id: str
    workspace_arn: str
    partition: str
    stored: ResourcePolicy | None = None

    @property
    def statements(self) -> tuple[policy.Statement, ...]:
        return policy.statements(self.stored.document) if self.stored else ()


@dataclasses.dataclass(frozen=True)
class Put:
    document: policy.Document


@dataclasses.dataclass(frozen=True)
class Delete:
    pass


Operation: t.TypeAlias = "Put | Delete"


def sid(principal: RoleArn) -> str:
    """The label of a role's statement."""
    return _SID_PREFIX + hashlib.sha256(str(principal).encode()).hexdigest()[:_SID_DIGITS]


def statement(principal: RoleArn, workspace_arn: str, actions: t.Sequence[str]) -> dict[str, t.Any]:
    """What lets one role do these actions. A role of another account needs its own policy's permission beside it."""
    return {
        "Sid": sid(principal),
        "Effect": "Allow",
        "Principal": {"AWS": str(principal)},
        "Action": actions[0] if len(actions) == 1 else list(actions),
        "Resource": workspace_arn,
    }


def advance(current: Current, operation: Operation) -> Current:
    """What is there after an operation; prediction and real run share it."""
    if isinstance(operation, Delete):
        return dataclasses.replace(current, stored=None)
    return dataclasses.replace(current, stored=ResourcePolicy(operation.document, KNOWN_AFTER_APPLY))


def plan(current: Current, wish: Wish) -> Plan[Operation, Current]:
    """One write of the whole document, or none. Raises InvalidInput for a role of another partition."""
    for principal in wish.principals:
        if principal.partition != current.partition:
            raise errors.InvalidInput(
                f"The role {principal} is in the partition {principal.partition}, the workspace in "
                f"{current.partition}: no policy reaches from one to the other.",
                fix="Choose a workspace of the role's partition.",
            )
    if wish.state is State.ABSENT:
        return _removal(current, wish)
    statements = list(current.statements)
    changed: list[RoleArn] = []
    for principal in wish.principals:
        wanted = statement(principal, current.workspace_arn, wish.actions)
        if _put_into(statements, wanted):
            changed.append(principal)
    if not changed:
        return Plan((), current)
    verb = "write to and query" if wish.allow_query else "write to"
    return _plan(current, statements, f"Let {_listed(changed)} {verb} workspace {current.workspace_id}.")


def _put_into(statements: list[policy.Statement], wanted: policy.Statement) -> bool:
    """Set a role's statement; False where the same is granted already, by whatever statement."""
    for number, there in enumerate(statements):
        if there.get("Sid") == wanted["Sid"]:
            if policy.equivalent_statements([there], [wanted]):
                return False
            statements[number] = wanted
            return True
    if policy.equivalent_statements([*statements, wanted], statements):
        return False
    statements.append(wanted)
    return True


def _removal(current: Current, wish: Wish) -> Plan[Operation, Current]:
    unwanted = {sid(principal) for principal in wish.principals}

    def goes(there: policy.Statement) -> bool:
        label = str(there.get("Sid", ""))
        return label in unwanted if unwanted else bool(_OWN_SID.fullmatch(label))

    kept = [there for there in current.statements if not goes(there)]
    removed = [there for there in current.statements if goes(there)]
    warnings = tuple(_remaining(kept, wish, current))
    if not removed:
        return Plan((), current, warnings)
    roles = sorted({value for there in removed for _unused, value in policy.principals(there.get("Principal", {}))})
    summary = f"No longer let {', '.join(roles)} into workspace {current.workspace_id}."
    return _plan(current, kept, summary, warnings)


def _remaining(kept: t.Sequence[policy.Statement], wish: Wish, current: Current) -> t.Iterator[str]:
    """Grants of others to the roles that were named: they stay, and people must know."""
    for principal in wish.principals:
        if any(
            there.get("Effect") == "Allow" and ("AWS", str(principal)) in policy.principals(there.get("Principal", {}))
            for there in kept
        ):
            yield (
                f"The resource policy of workspace {current.workspace_id} has a statement that this collection did not "
                f"make and that still lets {principal} in. It stays."
            )


def _plan(
    current: Current, statements: t.Sequence[policy.Statement], summary: str, warnings: tuple[str, ...] = ()
) -> Plan[Operation, Current]:
    before = current.stored
    operation: Operation = Delete()
    action = Action.DELETE
    if statements:
        document = {"Version": _VERSION, **(before.document if before else {}), "Statement": list(statements)}
        operation, action = Put(document), Action.UPDATE if before else Action.CREATE
    after = advance(current, operation)
    change = Change(
        action=action,
        kind=_KIND,
        name=current.workspace_id,
        summary=summary,
        before=before.document if before else None,
        after=after.stored.document if after.stored else None,
        operation=operation,
    )
    return Plan((change,), after, warnings)


def _listed(principals: t.Sequence[RoleArn]) -> str:
    return ", ".join(map(str, principals))


class ResourcePolicyResource:
    """Reads and writes the policy of one workspace. ``patience`` is None in check mode, which does not wait."""

    def __init__(
        self,
        wish: Wish,
        workspace: t.Callable[[], Current],
        policies: AmpResourcePolicies,
        patience: Patience | None,
    ) -> None:
        self._wish = wish
        self._workspace = workspace
        self._policies = policies
        self._patience = patience

    def read(self) -> Current:
        current = self._workspace()
        return dataclasses.replace(current, stored=self._settled(current.workspace_id))

    def plan(self, current: Current) -> Plan[Operation, Current]:
        return plan(current, self._wish)

    def apply(self, change: Change[Operation], current: Current) -> Current:
        operation = change.operation
        if isinstance(operation, Put):
            self._put(operation.document, current)
        elif current.stored is not None:
            self._policies.delete(current.workspace_id, current.stored)
        try:
            self._settled(current.workspace_id)
        except errors.AksAmpError as error:
            error.accepted = True
            raise
        return advance(current, operation)

    def _put(self, document: policy.Document, current: Current) -> None:
        """Other services know a new role some seconds after IAM does."""

        def attempt() -> None:
            self._policies.put(current.workspace_id, document, current.stored)

        if self._patience is None:
            attempt()
            return
        limit = min(self._patience.limit, _PRINCIPAL_SECONDS)
        dataclasses.replace(self._patience, limit=limit).retry(attempt, UnknownPrincipal)

    def _settled(self, workspace_id: str) -> ResourcePolicy | None:
        """The policy when no change of it is under way. Raises NotReady when one is for too long."""
        status = ""

        def look() -> tuple[ResourcePolicy | None] | None:
            nonlocal status
            found = self._policies.get(workspace_id)
            status = found.status if found else ACTIVE
            return (found,) if status == ACTIVE or self._patience is None else None

        answer = look() if self._patience is None else self._patience.until(look)
        if answer is None:
            raise errors.NotReady(
                f"The resource policy of workspace {workspace_id} is still {status} after the wait_timeout.",
                fix="Run again later, or with a longer wait_timeout.",
            )
        return answer[0]


def facts(current: Current) -> dict[str, object]:
    """The policy as the module returns it."""
    return {
        "workspace_id": current.workspace_id,
        "workspace_arn": current.workspace_arn,
        "policy": dict(current.stored.document) if current.stored else {},
    }


def run(params: Params, context: Context) -> Result:
    """Converge the statements of the roles."""
    wish = Wish.from_params(params)
    session = AwsSession(AwsAuth.from_params(params))
    workspaces = AmpWorkspaces(session)

    def workspace() -> Current:
        found = amp_workspace.find(workspaces, params)
        return Current(found["workspace_id"], found["arn"], found["partition"])

    limit = params.integer("wait_timeout")
    patience = None if context.check_mode else Patience(limit, sleep=context.sleep, monotonic=context.monotonic)
    try:
        outcome = context.converge(ResourcePolicyResource(wish, workspace, AmpResourcePolicies(session), patience))
    except errors.NotFound as error:
        if wish.state is State.PRESENT:
            raise
        # Its policy went with it.
        return Result({"workspace_id": "", "workspace_arn": "", "policy": {}}, warnings=(error.message,))
    return Result.of(outcome, facts(outcome.state))


DEFINITION = ModuleDefinition(ARGUMENT_SPEC, run)
