# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an AKS cluster's issuer shall be, what it is, and the decision between the two. Pure.

https://learn.microsoft.com/azure/aks/use-oidc-issuer: an issuer can never be switched off again, switching it on
restarts the API server and changes the issuer of service-account tokens, and a rotated signing key stays valid for 24
hours.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.aks_ids import (
    ClusterRef,
    ClusterScope,
    parse_resource_id,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.arm import Cluster, Flags
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.oidc_discovery import Discovery
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.signing_keys import KeySet
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import KNOWN_AFTER_APPLY, Issuer
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import Params, State
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import Action, Change, Plan

_KIND = "AKS cluster"
_POWER_STOPPED = "Stopped"
_STATE_SUCCEEDED = "Succeeded"
#: An operation ended, but not well.
STATES_BROKEN = frozenset({"Failed", "Canceled"})

#: The issuer that is being enabled: nobody knows its URL yet.
PENDING: t.Final = Discovery(Issuer(KNOWN_AFTER_APPLY), KNOWN_AFTER_APPLY)


@dataclasses.dataclass(frozen=True)
class TagSearch:
    """A cluster that is found by its tags."""

    scope: ClusterScope
    tags: t.Mapping[str, str]

    @property
    def subscription_id(self) -> str:
        return self.scope.subscription_id


@dataclasses.dataclass(frozen=True)
class RotateKeys:
    """The rotation of a cluster's signing keys. ``drops_oldest``: a second one within 24 hours, which is asked for."""

    drops_oldest: bool = False


Operation: t.TypeAlias = Flags | RotateKeys


@dataclasses.dataclass(frozen=True)
class Wish:
    """What the cluster shall be; a flag that is None stays as it is. Both times are in seconds."""

    where: ClusterRef | TagSearch
    oidc_issuer: bool | None = None
    workload_identity: bool | None = None
    state: State = State.PRESENT
    rotate_signing_keys: bool = False
    force_rotation: bool = False
    report_signing_keys: bool = False
    wait: bool = True
    wait_for_own: bool = True
    operation_url: str | None = None  # of an operation that an earlier call has started
    poll_interval: float = 10.0
    wait_timeout: float = 3600.0

    @property
    def asks_for_something(self) -> bool:
        """Whether the cluster may have to be changed; else it is only read."""
        flags = (self.oidc_issuer, self.workload_identity)
        return self.state is State.PRESENT and (flags != (None, None) or self.rotate_signing_keys)

    @property
    def waits_for_own(self) -> bool:
        """Whether the module ends only with the operation that it starts."""
        return self.wait and self.wait_for_own

    @property
    def needs_keys(self) -> bool:
        return self.rotate_signing_keys or self.report_signing_keys

    @classmethod
    def from_params(cls, params: Params) -> Wish:
        """Raises InvalidInput for what no cluster can be."""
        poll_interval, minutes = params.number("poll_interval"), params.integer("wait_timeout")
        if poll_interval <= 0 or minutes <= 0:
            raise errors.InvalidInput("poll_interval and wait_timeout must be greater than zero.")
        wish = cls(
            where=_where(params),
            oidc_issuer=params.optional_flag("oidc_issuer"),
            workload_identity=params.optional_flag("workload_identity"),
            state=State.from_params(params),
            rotate_signing_keys=params.flag("rotate_signing_keys"),
            force_rotation=params.flag("force_rotation"),
            report_signing_keys=params.flag("report_signing_keys"),
            wait=params.flag("wait"),
            wait_for_own=params.flag("wait_for_own"),
            operation_url=params.optional_text("operation_url"),
            poll_interval=poll_interval,
            wait_timeout=minutes * 60.0,
        )
        if wish.operation_url is not None and not wish.wait:
            raise errors.InvalidInput("operation_url is given, but with wait=false.", fix="Give one of them.")
        if wish.force_rotation and not wish.rotate_signing_keys:
            raise errors.InvalidInput("force_rotation is given without rotate_signing_keys.", fix="Set both, or none.")
        if wish.state is State.ABSENT and dataclasses.replace(wish, state=State.PRESENT).asks_for_something:
            raise errors.InvalidInput(
                "With state absent, oidc_issuer, workload_identity and rotate_signing_keys can't be asked for.",
                fix="Leave them out, or set state to present.",
            )
        return wish


def _where(params: Params) -> ClusterRef | TagSearch:
    resource_id = params.optional_text("resource_id")
    if resource_id is not None:
        return parse_resource_id(resource_id, "resource_id")
    subscription_id = params.optional_text("subscription_id")
    if subscription_id is None:
        raise errors.InvalidInput(
            "The cluster's subscription is not given.",
            fix="Give subscription_id (AZURE_SUBSCRIPTION_ID), or name the cluster by resource_id.",
        )
    resource_group = params.optional_text("resource_group")
    if params.optional_text("name") is None and (tags := params.text_map("tags")):
        return TagSearch(ClusterScope(subscription_id, resource_group), tags)
    return ClusterRef(subscription_id, params.text("resource_group"), params.text("name"))


@dataclasses.dataclass(frozen=True)
class Current:
    """The cluster as ARM shows it, and its issuer as tokens carry it; None while there is no issuer.

    ``keys`` is None when nobody asked for them or there is no issuer to ask.
    """

    ref: ClusterRef
    cluster: Cluster
    discovery: Discovery | None
    keys: KeySet | None = None

    @property
    def issuer(self) -> str | None:
        return self.discovery.issuer.url if self.discovery else None


def plan(current: Current, wish: Wish) -> Plan[Operation, Current]:
    """The changes of a cluster that are needed, if any.

    Raises Refused for what AKS can't do or what would do harm, NotReady when the cluster needs a change but is in no
    state to be changed.
    """
    if wish.state is State.ABSENT:
        return Plan((), current, _what_stays(current))
    flags, predicted = _flags(current, wish)
    changes: list[Change[Operation]] = []
    if flags != Flags():
        changes.append(_flags_change(current, predicted, flags))
    if wish.rotate_signing_keys:
        rotation = _rotation(current, wish)
        if rotation is not None:
            changes.append(rotation)
            predicted = _rotated(predicted)
    if not changes:
        return Plan((), current, _misgivings(current))
    if len(changes) > 1 and not wish.wait:
        raise errors.Refused(
            f"{current.ref} needs two operations, of which the second can't begin before the first has ended, but wait "
            "is false.",
            fix="Set wait to true, or rotate the signing keys in a run of its own.",
        )
    warnings = _require_changeable(current, wish)
    return Plan(tuple(changes), _afterwards(predicted, wish), warnings)


def _flags(current: Current, wish: Wish) -> tuple[Flags, Current]:
    """The switches that must be turned, and the cluster with them turned."""
    cluster = current.cluster
    if wish.oidc_issuer is False and cluster.issuer_enabled:
        raise errors.Refused(
            f"oidc_issuer is false, but the OIDC issuer of {current.ref} is on and can never be switched off again: "
            "AKS has no way to do so.",
            fix="Leave the option out to leave the issuer as it is; workload identity can be disabled.",
        )
    flags = Flags(
        oidc_issuer=_changed(wish.oidc_issuer, cluster.issuer_enabled),
        workload_identity=_changed(wish.workload_identity, cluster.workload_identity_enabled),
    )
    predicted = _predict(current, flags)
    if predicted.cluster.workload_identity_enabled and not predicted.cluster.issuer_enabled:
        raise errors.Refused(
            f"Workload identity needs the OIDC issuer, which is off on {current.ref} and not asked for.",
            fix="Set oidc_issuer to true, too.",
        )
    return flags, predicted


def _changed(wanted: bool | None, is_on: bool) -> bool | None:
    return wanted if wanted is not None and wanted is not is_on else None


def _predict(current: Current, flags: Flags) -> Current:
    cluster = dataclasses.replace(
        current.cluster,
        issuer_enabled=current.cluster.issuer_enabled or bool(flags.oidc_issuer),
        workload_identity_enabled=(
            current.cluster.workload_identity_enabled if flags.workload_identity is None else flags.workload_identity
        ),
    )
    return dataclasses.replace(current, cluster=cluster, discovery=PENDING if flags.oidc_issuer else current.discovery)


def _rotated(current: Current) -> Current:
    """The cluster with one more key, whose ID only the service knows."""
    keys = current.keys or KeySet((), ())
    return dataclasses.replace(current, keys=KeySet(keys.at_start, (*keys.listed, KNOWN_AFTER_APPLY)))


def _afterwards(predicted: Current, wish: Wish) -> Current:
    """The prediction with what every operation changes."""
    cluster = dataclasses.replace(
        predicted.cluster,
        etag=KNOWN_AFTER_APPLY,
        provisioning_state=_STATE_SUCCEEDED if wish.wait else KNOWN_AFTER_APPLY,
        operation_url="" if wish.wait else KNOWN_AFTER_APPLY,
    )
    return dataclasses.replace(predicted, cluster=cluster)


def _flags_change(current: Current, predicted: Current, flags: Flags) -> Change[Operation]:
    return Change(
        action=Action.UPDATE,
        kind=_KIND,
        name=current.ref.name,
        summary=_summary(flags),
        before=_document(current),
        after=_document(predicted),
        operation=flags,
    )


def _rotation(current: Current, wish: Wish) -> Change[Operation] | None:
    """The rotation, unless a key has come since this run began. Raises Refused when it is impossible or unsafe."""
    keys = current.keys
    if keys is None:
        raise errors.Refused(
            f"The signing keys can't be rotated: the OIDC issuer of {current.ref} is off or not published yet.",
            fix="Enable it first (oidc_issuer: true), in a run of its own.",
        )
    if keys.new:
        return None
    several = len(keys.listed) > 1
    if several and not wish.force_rotation:
        raise errors.Refused(
            f"The issuer of {current.ref} lists {len(keys.listed)} signing keys ({', '.join(keys.listed)}), so the "
            "last rotation is probably less than 24 hours old, and another one would drop the older key: tokens that "
            "it signed would be refused.",
            fix="Wait until one key is listed, or set force_rotation to drop the older key on purpose.",
        )
    summary = "Rotate the signing keys of service-account tokens; "
    summary += (
        "more than one is listed, so the oldest is dropped and the tokens that it signed are refused from now on."
        if several
        else "the old key stays listed for 24 hours, so the tokens that it signed still hold."
    )
    return Change(
        action=Action.UPDATE,
        kind=_KIND,
        name=current.ref.name,
        summary=summary,
        before={"signing_keys": list(keys.listed)},
        after={"signing_keys": [*keys.listed, KNOWN_AFTER_APPLY]},
        operation=RotateKeys(drops_oldest=several),
    )


def _require_changeable(current: Current, wish: Wish) -> tuple[str, ...]:
    """Warnings of a cluster that can be changed, if need be after waiting. Raises NotReady when it can't be."""
    cluster, ref = current.cluster, current.ref
    if cluster.power_state == _POWER_STOPPED:
        raise errors.NotReady(f"{ref} is stopped and can't be changed.", fix="Start it ('az aks start') and run again.")
    state = cluster.provisioning_state
    if state in STATES_BROKEN:
        raise errors.NotReady(
            f"{ref} is in the provisioning state {state}: its last operation did not succeed, and a change on top of "
            "that could hide or worsen it.",
            fix="Bring it back to Succeeded first (see its activity log; 'az aks update' without options reconciles).",
        )
    if not cluster.is_busy:
        return ()
    busy = f"{ref} is being changed by another operation (provisioning state {state or 'unknown'})"
    if not wish.wait:
        raise errors.NotReady(f"{busy}, and wait is false.", fix="Run again when it is Succeeded, or set wait to true.")
    # Outside check mode the operation has been waited for before anything is decided.
    return (f"{busy}: a real run waits for its end and decides then.",)


def _misgivings(current: Current) -> tuple[str, ...]:
    """Warnings of a cluster that needs no change."""
    state = current.cluster.provisioning_state
    if state not in STATES_BROKEN:
        return ()
    failed = f"its last operation did not succeed (provisioning state {state})"
    return (f"{current.ref} needs no change, but {failed}: see its activity log.",)


def _what_stays(current: Current) -> tuple[str, ...]:
    """The warning of ``state: absent``, which removes nothing."""
    if not current.cluster.issuer_enabled:
        return ()
    warning = f"The OIDC issuer of {current.ref} stays on: AKS can't switch an issuer off again."
    if current.cluster.workload_identity_enabled:
        warning += " Workload identity stays on too; workload_identity: false with state present disables it."
    return (warning,)


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
        "issuer (iss) of service-account tokens."
    )


def _document(current: Current) -> dict[str, object]:
    return {
        "oidc_issuer_enabled": current.cluster.issuer_enabled,
        "issuer": current.issuer,
        "workload_identity_enabled": current.cluster.workload_identity_enabled,
    }
