# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OIDC issuer and workload identity of an existing AKS cluster.

https://learn.microsoft.com/azure/aks/use-oidc-issuer: an issuer can never be switched off again, and switching it on
restarts the API server and changes the issuer of service-account tokens.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible.module_utils.basic import env_fallback

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.clients.arm import (
    ArmClient,
    Cluster,
    ClusterRef,
    Flags,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.clients.azure import AzureSession
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.clients.http import HttpClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.clients.oidc_discovery import (
    Discovery,
    NotPublished,
    discover,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.federation import KNOWN_AFTER_APPLY, Issuer
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.options import (
    AZURE,
    TRANSPORT,
    ArgumentSpec,
    AzureAuth,
    Params,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.plan import Action, Change, Plan
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.runner import Context, ModuleDefinition, Result
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.waiting import Patience

#: How long the discovery document may take to appear after the issuer was enabled.
DISCOVERY_SECONDS = 180.0
_POWER_STOPPED = "Stopped"
_STATE_SUCCEEDED = "Succeeded"
#: An operation ended, but not well.
_STATES_BROKEN = frozenset({"Failed", "Canceled"})

ARGUMENT_SPEC = ArgumentSpec(
    {
        "subscription_id": {"type": "str", "required": True, "fallback": (env_fallback, ["AZURE_SUBSCRIPTION_ID"])},
        "resource_group": {"type": "str", "required": True},
        "name": {"type": "str", "required": True},
        "oidc_issuer": {"type": "bool"},
        "workload_identity": {"type": "bool"},
        "poll_interval": {"type": "float", "default": 10.0},
        "wait_timeout": {"type": "int", "default": 60},
    }
).merge(AZURE, TRANSPORT)


@dataclasses.dataclass(frozen=True)
class Wish:
    """What the cluster shall be; a flag that is None stays as it is. Both times are in seconds."""

    ref: ClusterRef
    oidc_issuer: bool | None
    workload_identity: bool | None
    poll_interval: float
    wait_timeout: float

    @classmethod
    def from_params(cls, params: Params) -> Wish:
        """Raises InvalidInput for what no cluster can be."""
        poll_interval, minutes = params.number("poll_interval"), params.integer("wait_timeout")
        if poll_interval <= 0 or minutes <= 0:
            raise errors.InvalidInput("poll_interval and wait_timeout must be greater than zero.")
        if params.optional_flag("oidc_issuer") is False:
            raise errors.InvalidInput(
                "oidc_issuer is false, but an OIDC issuer of AKS can never be switched off again.",
                fix="Leave the option out to leave the issuer as it is.",
            )
        return cls(
            ref=ClusterRef(params.text("subscription_id"), params.text("resource_group"), params.text("name")),
            oidc_issuer=params.optional_flag("oidc_issuer"),
            workload_identity=params.optional_flag("workload_identity"),
            poll_interval=poll_interval,
            wait_timeout=minutes * 60.0,
        )


@dataclasses.dataclass(frozen=True)
class Current:
    """The cluster as ARM shows it, and its issuer as tokens carry it; None while there is no issuer."""

    cluster: Cluster
    discovery: Discovery | None

    @property
    def issuer(self) -> str | None:
        return self.discovery.issuer.url if self.discovery else None


def plan(current: Current, wish: Wish) -> Plan[Flags, Current]:
    """The one change of a cluster that is needed, if any.

    Raises Refused when workload identity is asked for without an issuer, NotReady when the cluster needs a change but
    is in no state to be changed.
    """
    cluster = current.cluster
    flags = Flags(
        oidc_issuer=_changed(wish.oidc_issuer, cluster.issuer_enabled),
        workload_identity=_changed(wish.workload_identity, cluster.workload_identity_enabled),
    )
    predicted = _predict(current, flags)
    if predicted.cluster.workload_identity_enabled and not predicted.cluster.issuer_enabled:
        raise errors.Refused(
            f"Workload identity needs the OIDC issuer, which is off on {wish.ref} and not asked for.",
            fix="Set oidc_issuer to true, too.",
        )
    if flags == Flags():
        return Plan((), current)
    _require_changeable(cluster, wish.ref)
    change = Change(
        action=Action.UPDATE,
        kind="AKS cluster",
        name=wish.ref.name,
        summary=_summary(flags),
        before=_document(current),
        after=_document(predicted),
        operation=flags,
    )
    return Plan((change,), predicted)


def _changed(wanted: bool | None, is_on: bool) -> bool | None:
    return wanted if wanted is not None and wanted is not is_on else None


def _predict(current: Current, flags: Flags) -> Current:
    if flags == Flags():
        return current
    cluster = dataclasses.replace(
        current.cluster,
        issuer_enabled=current.cluster.issuer_enabled or bool(flags.oidc_issuer),
        workload_identity_enabled=(
            current.cluster.workload_identity_enabled if flags.workload_identity is None else flags.workload_identity
        ),
        etag=KNOWN_AFTER_APPLY,
        provisioning_state=_STATE_SUCCEEDED,
    )
    discovery = current.discovery
    if flags.oidc_issuer:
        discovery = Discovery(Issuer(KNOWN_AFTER_APPLY), KNOWN_AFTER_APPLY)
    return Current(cluster, discovery)


def _require_changeable(cluster: Cluster, ref: ClusterRef) -> None:
    if cluster.power_state == _POWER_STOPPED:
        raise errors.NotReady(f"{ref} is stopped and can't be changed.", fix="Start it ('az aks start') and run again.")
    state = cluster.provisioning_state
    if state in _STATES_BROKEN:
        raise errors.NotReady(
            f"{ref} is in the provisioning state {state}: its last operation did not succeed, and a change on top of "
            "that could hide or worsen it.",
            fix="Bring it back to Succeeded first (see its activity log; 'az aks update' without options reconciles).",
        )
    if state != _STATE_SUCCEEDED:
        raise errors.NotReady(
            f"{ref} is being changed by another operation (provisioning state {state or 'unknown'}).",
            fix="Run again when it is Succeeded.",
        )


def _summary(flags: Flags) -> str:
    parts = []
    if flags.oidc_issuer:
        parts.append("enable the OIDC issuer")
    if flags.workload_identity is not None:
        parts.append("enable workload identity" if flags.workload_identity else "disable workload identity")
    text = " and ".join(parts)
    text = text[0].upper() + text[1:]
    if not flags.oidc_issuer:
        return f"{text}."
    return (
        f"{text}; an issuer can't be switched off again, enabling it restarts the API server briefly and changes the "
        "issuer of service-account tokens."
    )


def _document(current: Current) -> dict[str, object]:
    return {
        "oidc_issuer_enabled": current.cluster.issuer_enabled,
        "issuer": current.issuer,
        "workload_identity_enabled": current.cluster.workload_identity_enabled,
    }


class AksOidcIssuer:
    """The cluster as a resource."""

    def __init__(self, wish: Wish, arm: ArmClient, http: HttpClient, context: Context) -> None:
        self._wish = wish
        self._arm = arm
        self._http = http
        self._patience = Patience(
            DISCOVERY_SECONDS,
            first=min(wish.poll_interval, 2.0),
            longest=10.0,
            sleep=context.sleep,
            monotonic=context.monotonic,
        )

    def read(self) -> Current:
        cluster = self._arm.get_cluster(self._wish.ref)
        return Current(cluster, self._discover(cluster) if cluster.issuer_enabled else None)

    def plan(self, current: Current) -> Plan[Flags, Current]:
        return plan(current, self._wish)

    def apply(self, change: Change[Flags], current: Current) -> Current:
        cluster = self._arm.set_flags(self._wish.ref, current.cluster, change.operation)
        if not cluster.issuer_enabled:
            return Current(cluster, None)
        if current.discovery is not None:
            return Current(cluster, current.discovery)
        try:
            return Current(
                cluster, self._patience.retry(lambda: self._discover(cluster), NotPublished, errors.Unreachable)
            )
        except errors.AksAmpError as error:
            error.accepted = True
            raise

    def _discover(self, cluster: Cluster) -> Discovery:
        if not cluster.issuer_url:
            raise errors.NotReady(
                f"{self._wish.ref} has an OIDC issuer but shows no URL of it.", fix="Run again in a minute."
            )
        return discover(self._http, cluster.issuer_url)


def facts(current: Current) -> dict[str, object]:
    """The module's return values."""
    cluster = current.cluster
    return {
        "id": cluster.id,
        "issuer": current.issuer,
        "jwks_uri": current.discovery.jwks_uri if current.discovery else None,
        "oidc_issuer_enabled": cluster.issuer_enabled,
        "workload_identity_enabled": cluster.workload_identity_enabled,
        "etag": cluster.etag,
        "location": cluster.location,
        "tenant_id": cluster.tenant_id or None,
        "provisioning_state": cluster.provisioning_state,
    }


def run(params: Params, context: Context) -> Result:
    wish = Wish.from_params(params)
    auth = AzureAuth.from_params(params)
    session = AzureSession(auth)
    with ArmClient(
        session,
        wish.ref.subscription_id,
        poll_interval=wish.poll_interval,
        wait_timeout=wish.wait_timeout,
    ) as arm:
        outcome = context.converge(AksOidcIssuer(wish, arm, HttpClient(auth.transport), context))
    return Result.of(outcome, facts(outcome.state))


DEFINITION: t.Final = ModuleDefinition(ARGUMENT_SPEC, run)
