# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the services of one account share."""

from __future__ import annotations

import dataclasses
import typing as t

from sandbox.aws import sigv4
from sandbox.aws.identities import Permissions

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.aws.effective import EffectiveIam, IamView
    from sandbox.aws.iam_store import IamStore
    from sandbox.aws.identities import Credentials, Identity
    from sandbox.aws.issuers import Issuers
    from sandbox.aws.requests import AwsRequest
    from sandbox.world import Json, World


@dataclasses.dataclass(frozen=True)
class Stale:
    """What IAM showed before a write, and goes on to show for some time (in seconds since the epoch)."""

    store: IamStore
    until: float


@dataclasses.dataclass
class Account:
    """One AWS account's state. ``world.lock`` guards it; ``clock`` tells seconds since the epoch."""

    world: World
    clock: Callable[[], float]
    store: IamStore
    effective: EffectiveIam
    credentials: Credentials
    issuers: Issuers
    controller_policies: tuple[Json, ...]
    stale: Stale | None = None

    def caller(self, request: AwsRequest, scope: sigv4.Scope) -> Identity:
        """Who signed the request; :class:`sandbox.aws.errors.AwsError` when nobody did validly."""
        with self.world.lock:
            return sigv4.verify(request, scope, self.credentials, self.clock())

    def shown_store(self) -> IamStore:
        """What IAM itself shows now; its writes always meet the newest state. The caller holds the lock."""
        if self.stale is not None and self.stale.until <= self.clock():
            self.stale = None
        return self.store if self.stale is None else self.stale.store

    def iam(self) -> IamView:
        """What of IAM is effective now."""
        with self.world.lock:
            return self.effective.at(self.clock())

    def require(
        self,
        caller: Identity,
        action: str,
        resource: str,
        context: Mapping[str, tuple[str, ...]] | None = None,
        resource_policy: Json | None = None,
    ) -> None:
        """Raise ``AccessDenied`` unless the caller may do this."""
        self.permissions().require(caller, action, resource, context, resource_policy)
        with self.world.lock:
            self.world.granted.add(action)

    def permissions(self) -> Permissions:
        with self.world.lock:
            return Permissions(controller_policies=self.controller_policies, iam=self.iam())
