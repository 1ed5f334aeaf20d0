# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is followed after a change, how long, and what became of it."""

from __future__ import annotations

import dataclasses
import enum
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import (
    AwsAccount,
    FederationError,
    Issuer,
    RoleArn,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import ArgumentSpec
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._refusals.explain import Chain
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_loaded import (
    Likeness,
    likeness,
    likeness_of_entries,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_way import Way

if t.TYPE_CHECKING:
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import ObjectReference
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import Params

#: The options, for a module's argument specification.
ROLLOUT_OPTIONS: t.Final = ArgumentSpec(
    {
        "wait": {"type": "bool", "default": True},
        "wait_timeout": {"type": "float", "default": 10.0},
        "rollout": {"type": "str", "default": "auto", "choices": ["auto", "none"]},
        "rollback": {"type": "bool", "default": False},
    }
)


class RolloutMode(enum.Enum):
    """Whether running pods are touched; the values are those of the option ``rollout``."""

    AUTO = "auto"
    NONE = "none"


@dataclasses.dataclass(frozen=True)
class RolloutWish:
    """What shall be done about the running Prometheus. ``limit`` is seconds."""

    mode: RolloutMode = RolloutMode.AUTO
    wait: bool = True
    limit: float = 600.0
    rollback: bool = False

    @classmethod
    def from_params(cls, params: Params) -> RolloutWish:
        """Raises InvalidInput for a time that is none, and for a rollback of what is not waited for."""
        minutes = params.number("wait_timeout")
        if not 0 < minutes < float("inf"):
            raise errors.InvalidInput(f"wait_timeout is {minutes:g}.", fix="Give the minutes to wait, more than 0.")
        wish = cls(RolloutMode(params.text("rollout")), params.flag("wait"), minutes * 60, params.flag("rollback"))
        if wish.rollback and not wish.follows:
            option = "wait is false" if not wish.wait else "rollout is none"
            raise errors.InvalidInput(
                f"rollback is true, but {option}, so a failing rollout would not be seen.",
                fix="Leave rollback out, or let the run wait for the rollout.",
            )
        return wish

    @property
    def follows(self) -> bool:
        return self.wait and self.mode is RolloutMode.AUTO


DEFAULT_ROLLOUT: t.Final = RolloutWish()


class StatusState(enum.Enum):
    """How far the rollout is at the end of a run."""

    COMPLETE = "complete"
    WAITING = "waiting"  # somebody else has to act, or it goes on unwatched
    SKIPPED = "skipped"  # nobody looked


@dataclasses.dataclass(frozen=True)
class RolloutStatus:
    """What became of the rollout; ``done`` is a sentence. ``warnings`` are for the user."""

    state: StatusState
    done: str
    ready: int = 0
    wanted: int = 0
    warnings: tuple[str, ...] = ()

    def report(self) -> dict[str, t.Any]:
        """As a module returns it."""
        return {"state": self.state.value, "ready": self.ready, "wanted": self.wanted, "done": self.done}


class Expected(t.Protocol):
    """What the running Prometheus shall have loaded."""

    def likeness(self, loaded: str) -> Likeness:
        """How much a loaded configuration is like it."""

    def is_told_from_former(self, loaded: str) -> bool:
        """Whether the loaded configuration can't be the one from before the run as well."""


@dataclasses.dataclass(frozen=True)
class ExpectedText:
    """The whole configuration. ``former`` is the text before the run, None when the run left it as it was."""

    text: str
    former: str | None = None

    def likeness(self, loaded: str) -> Likeness:
        return likeness(self.text, loaded)

    def is_told_from_former(self, loaded: str) -> bool:
        return self.former is None or likeness(self.former, loaded) is not Likeness.SAME


@dataclasses.dataclass(frozen=True)
class ExpectedEntries:
    """Some entries of remote_write, and the URLs of some that shall be gone. An operator writes the rest."""

    entries: tuple[t.Mapping[str, t.Any], ...] = ()
    gone: tuple[str, ...] = ()

    def likeness(self, loaded: str) -> Likeness:
        return likeness_of_entries(self.entries, self.gone, loaded)

    def is_told_from_former(self, loaded: str) -> bool:
        # Only operators write such configurations, and their reloader is not asked but followed.
        return self.likeness(loaded) is Likeness.SAME


@dataclasses.dataclass(frozen=True)
class Subject:
    """What is followed.

    ``workloads`` run Prometheus in ``container``. ``parent`` is the resource from which an operator makes them.
    ``way`` None means that the configuration is not that of these pods, so nothing is compared. ``environment`` is
    what the container's environment shall say, by which a workload is recognised that the operator has brought up to
    date. ``marked`` is the object that is marked while Prometheus has not loaded the configuration; ``due`` tells that
    it was marked already.
    """

    workloads: tuple[ObjectReference, ...]
    container: str
    way: Way | None
    expected: Expected
    chain: Chain
    parent: ObjectReference | None = None
    environment: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    marked: ObjectReference | None = None
    due: bool = False

    @property
    def name(self) -> str:
        return str(self.parent or self.workloads[0])


#: Stands in explanations for what a run does not know.
UNKNOWN_PROVIDER: t.Final = "<the provider of the cluster's issuer>"
UNKNOWN_ISSUER: t.Final = "<the cluster's issuer>"
UNKNOWN_ROLE: t.Final = "<the role in AWS_ROLE_ARN>"
UNKNOWN_REGION: t.Final = "<the workspace's region>"
UNKNOWN_WORKSPACE: t.Final = "<the workspace>"


def chain_of(
    *,
    namespace: str,
    account: str,
    role_arn: str | None = None,
    audience: str | None = None,
    region: str | None = None,
    workspace: str | None = None,
) -> Chain:
    """What a run knows of the trust chain, for explanations; the rest is described."""
    return Chain(
        issuer=UNKNOWN_ISSUER,
        audience=audience or "<the token's audience>",
        subject=f"system:serviceaccount:{namespace}:{account}",
        provider_arn=UNKNOWN_PROVIDER,
        role_arn=role_arn or UNKNOWN_ROLE,
        workspace_arn=workspace or UNKNOWN_WORKSPACE,
        region=region or UNKNOWN_REGION,
    )


def with_issuer(chain: Chain, issuer: str) -> Chain:
    """The chain with the cluster's issuer, and with the provider that the role's account has to have for it."""
    known = dataclasses.replace(chain, issuer=issuer)
    try:
        role = RoleArn.parse(chain.role_arn)
        provider = AwsAccount(role.partition, role.account_id).provider_arn(Issuer.parse(issuer))
    except FederationError:
        return known
    return dataclasses.replace(known, provider_arn=provider)
