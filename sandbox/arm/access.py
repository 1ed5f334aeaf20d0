# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may call ARM: the bearer token is checked, and only the controller has a role on the subscription.

Without ``world.rights.azure`` its role allows everything but the actions among ``world.missing_rights``. A write of a
cluster needs rights on the resources that the cluster names, too.
"""

from __future__ import annotations

import typing as t

import flask

from sandbox import entra_tokens
from sandbox.arm.errors import ArmError, gateway
from sandbox.entra_tokens import Fault
from sandbox.hosts import LOGIN_HOST
from sandbox.world import AZURE_TENANT

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.arm.linked import Link
    from sandbox.entra_tokens import Principal
    from sandbox.world import World


def require_role(world: World, authorization: str | None, action: str, scope: str) -> None:
    """Raise ArmError 401 unless the header holds a token for ARM, 403 unless it is the controller's and its role
    covers the scope."""
    principal = authenticated(world, authorization)
    if action.endswith("/action"):
        scope = scope.rpartition("/")[0]  # the path names the action after the resource
    if not principal.is_controller or not _is_allowed(world, action, scope):
        raise gateway(
            403,
            "AuthorizationFailed",
            f"The client '{principal.app_id}' with object id '{principal.object_id}' does not have authorization to "
            f"perform action '{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, "
            "please refresh your credentials.",
        )


def require_linked(world: World, authorization: str | None, action: str, scope: str, links: Iterable[Link]) -> None:
    """Raise ArmError 403 where the caller, who may do the action, lacks rights on what the request's body names."""
    principal = authenticated(world, authorization)
    lacking = [link for link in links if not _is_allowed(world, link.action, link.scope)]
    if lacking:
        actions, scopes = (",".join(part) for part in zip(*((one.action, one.scope) for one in lacking), strict=True))
        raise gateway(
            403,
            "LinkedAuthorizationFailed",
            f"The client '{principal.app_id}' with object id '{principal.object_id}' has permission to perform action "
            f"'{action}' on scope '{scope}'; however, it does not have permission to perform action(s) '{actions}' on "
            f"the linked scope(s) '{scopes}' (respectively) or the linked scope(s) are invalid.",
        )


def authenticated(world: World, authorization: str | None) -> Principal:
    """Whose token for ARM the header holds. Raises ArmError 401 when it holds none."""
    try:
        return entra_tokens.verify(world, authorization, entra_tokens.arm_audiences(flask.request.host))
    except entra_tokens.TokenRefusedError as refusal:
        raise _unauthorized(refusal) from refusal


def sees(world: World, subscription: str) -> bool:
    """Whether the controller has a role at the subscription or at something in it."""
    roles = world.rights.azure
    return roles is None or any(role.touches(subscription) for role in roles)


def _is_allowed(world: World, action: str, scope: str) -> bool:
    roles = world.rights.azure
    if action in world.missing_rights or not _is_covered(world, scope):
        return False
    if roles is not None and not any(role.allows(action, scope) for role in roles):
        return False
    world.granted.add(action)
    return True


def _is_covered(world: World, scope: str) -> bool:
    with world.lock:
        closed = {one.id.lower() for one in world.subscriptions if not one.readable}
    return closed.isdisjoint(scope.lower().split("/"))


def _unauthorized(refusal: entra_tokens.TokenRefusedError) -> ArmError:
    code, message = _explanation(refusal)
    challenge = (
        f'Bearer authorization_uri="https://{LOGIN_HOST}/{AZURE_TENANT}", error="invalid_token", '
        f'error_description="{message}"'
    )
    return gateway(401, code, message, {"WWW-Authenticate": challenge})


def _explanation(refusal: entra_tokens.TokenRefusedError) -> tuple[str, str]:
    match refusal.fault:
        case Fault.MISSING:
            return "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing."
        case Fault.MALFORMED:
            return "InvalidAuthenticationToken", "The access token is invalid."
        case Fault.WRONG_AUDIENCE:
            allowed = ",".join(f"'{audience}'" for audience in entra_tokens.arm_audiences(flask.request.host))
            message = (
                f"The access token has been obtained for wrong audience or resource '{refusal.audience}'. "
                f"It should exactly match with one of the allowed audiences {allowed}."
            )
            return "InvalidAuthenticationTokenAudience", message
        case Fault.EXPIRED:
            return (
                "ExpiredAuthenticationToken",
                f"The access token expiry UTC time '{refusal.expiry}' is earlier than current UTC time.",
            )
