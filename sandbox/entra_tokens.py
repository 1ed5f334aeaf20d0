# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access tokens of the sandbox's tenant: made by the login service, checked by every service that takes them.

Claims as in version 1.0 access tokens
(https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference).
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import time
import typing as t
import uuid

import jwt

from sandbox.hosts import ARM_HOSTS, GRAPH_HOSTS, LOGIN_HOSTS, without_port
from sandbox.world import AZURE_TENANT, CONTROLLER_CLIENT_ID

if t.TYPE_CHECKING:
    from sandbox.world import Json, World

ISSUER = f"https://sts.windows.net/{AZURE_TENANT}/"
CONTROLLER_OBJECT_ID = "0d6c1f0a-6a3e-4a51-8f0a-9b0f6d7b7c52"

ARM_AUDIENCES = (
    "https://management.core.windows.net/",
    "https://management.core.windows.net",
    "https://management.azure.com/",
    "https://management.azure.com",
)
GRAPH_AUDIENCES = (
    "https://graph.microsoft.com",
    "https://graph.microsoft.com/",
    "00000003-0000-0000-c000-000000000000",
)
#: The audiences of the national clouds, in the order of the hosts' lists.
_ARM_AUDIENCES = (
    ARM_AUDIENCES,
    ("https://management.core.usgovcloudapi.net/", "https://management.core.usgovcloudapi.net"),
    ("https://management.core.chinacloudapi.cn/", "https://management.chinacloudapi.cn"),
)
_GRAPH_AUDIENCES = (GRAPH_AUDIENCES, ("https://graph.microsoft.us",), ("https://microsoftgraph.chinacloudapi.cn",))
AKS_AUDIENCES = ("6dae42f8-4368-4678-94ff-3960e28e3630",)  # the AKS server application, the same in every tenant


def arm_audiences(host: str) -> tuple[str, ...]:
    """The audiences that ARM accepts under a host's name."""
    return _ARM_AUDIENCES[_cloud(host, ARM_HOSTS)]


def graph_audiences(host: str) -> tuple[str, ...]:
    """The audiences that Graph accepts under a host's name."""
    return _GRAPH_AUDIENCES[_cloud(host, GRAPH_HOSTS)]


def known_audiences(host: str) -> tuple[str, ...]:
    """The audiences for which the login service of this name issues tokens: those of its cloud."""
    cloud = _cloud(host, LOGIN_HOSTS)
    return (*_ARM_AUDIENCES[cloud], *_GRAPH_AUDIENCES[cloud], *AKS_AUDIENCES)


def _cloud(host: str, names: tuple[str, ...]) -> int:
    name = without_port(host)
    return names.index(name) if name in names else 0


@dataclasses.dataclass(frozen=True)
class Principal:
    """Whom a token speaks for: an application and its service principal."""

    app_id: str
    object_id: str

    @property
    def is_controller(self) -> bool:
        return self.app_id == CONTROLLER_CLIENT_ID


CONTROLLER = Principal(app_id=CONTROLLER_CLIENT_ID, object_id=CONTROLLER_OBJECT_ID)


class Fault(enum.Enum):
    """Why a token is refused."""

    MISSING = "missing"
    MALFORMED = "malformed"
    WRONG_AUDIENCE = "wrong audience"
    EXPIRED = "expired"


class TokenRefusedError(Exception):
    """A request's bearer token is not good for the service that it was sent to."""

    def __init__(self, fault: Fault, *, audience: str = "", expiry: dt.datetime | None = None) -> None:
        super().__init__(fault.value)
        self.fault = fault
        self.audience = audience  # the one that the token has
        self.expiry = expiry  # UTC


def issue(world: World, principal: Principal, audience: str, *, by_assertion: bool = False) -> str:
    """A signed access token for ``audience`` that is valid for ``settings.entra_token_seconds`` from now."""
    now = int(time.time())
    return world.entra_key.sign(
        {
            "aud": audience,
            "iss": ISSUER,
            "iat": now,
            "nbf": now,
            "exp": now + world.settings.entra_token_seconds,
            "appid": principal.app_id,
            "appidacr": "2" if by_assertion else "1",
            "idp": ISSUER,
            "idtyp": "app",
            "oid": principal.object_id,
            "sub": principal.object_id,
            "tid": AZURE_TENANT,
            "uti": uuid.uuid4().hex,
            "ver": "1.0",
        }
    )


def verify(world: World, authorization: str | None, audiences: tuple[str, ...]) -> Principal:
    """The principal of an ``Authorization`` header's token, if this service may accept it.

    Raises TokenRefusedError otherwise.
    """
    scheme, _unused, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise TokenRefusedError(Fault.MISSING)
    claims = _claims(world, token.strip())
    if claims["aud"] not in audiences:
        raise TokenRefusedError(Fault.WRONG_AUDIENCE, audience=str(claims["aud"]))
    expiry = dt.datetime.fromtimestamp(claims["exp"], dt.UTC)
    if expiry <= dt.datetime.now(dt.UTC):
        raise TokenRefusedError(Fault.EXPIRED, expiry=expiry)
    return Principal(app_id=claims["appid"], object_id=claims["oid"])


def _claims(world: World, token: str) -> Json:
    try:
        return jwt.decode(
            token,
            jwt.PyJWK(world.entra_key.jwk()),
            algorithms=["RS256"],
            issuer=ISSUER,
            # Audience and expiry are judged above: each has an answer of its own.
            options={"verify_aud": False, "verify_exp": False, "require": ["aud", "exp", "appid", "oid"]},
        )
    except jwt.InvalidTokenError as error:
        raise TokenRefusedError(Fault.MALFORMED) from error
