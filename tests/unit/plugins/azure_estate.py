# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the Azure clients and resources share: a running sandbox as a client sees it."""

from __future__ import annotations

import dataclasses
import time
import typing as t

from azure.core.credentials import AccessToken

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.azure import AzureSession
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import AzureAuth, Params, Transport
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Context
from sandbox.world import (
    AZURE_SUBSCRIPTION,
    AZURE_TENANT,
    CONTROLLER_CLIENT_ID,
    CONTROLLER_CLIENT_SECRET,
    Json,
    LoggedRequest,
)

if t.TYPE_CHECKING:
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import ArgumentSpec
    from sandbox.server import Sandbox

RESOURCE_GROUP = "rg-fleet"


@dataclasses.dataclass(frozen=True)
class AzureEstate:
    """The sandbox with the credentials of its controller."""

    sandbox: Sandbox

    @property
    def transport(self) -> Transport:
        return Transport(self.sandbox.proxy_url, str(self.sandbox.ca_file))

    def auth(self, **changes: t.Any) -> AzureAuth:
        auth = AzureAuth(
            self.transport, tenant=AZURE_TENANT, client_id=CONTROLLER_CLIENT_ID, secret=CONTROLLER_CLIENT_SECRET
        )
        return dataclasses.replace(auth, **changes)

    def session(self, environ: dict[str, str] | None = None, **changes: t.Any) -> AzureSession:
        return AzureSession(self.auth(**changes), environ=environ or {})

    def params(self, spec: ArgumentSpec, **values: t.Any) -> Params:
        """A module's parameters as AnsibleModule would hand them on: defaults filled in, the controller's login."""
        given = {
            "https_proxy": self.transport.https_proxy,
            "ca_bundle": self.transport.ca_bundle,
            "tenant": AZURE_TENANT,
            "client_id": CONTROLLER_CLIENT_ID,
            "secret": CONTROLLER_CLIENT_SECRET,
            **values,
        }
        unknown = given.keys() - spec.options.keys()
        assert not unknown, unknown
        return Params({name: given.get(name, option.get("default")) for name, option in spec.options.items()})

    def cluster_params(self, spec: ArgumentSpec, name: str, **values: t.Any) -> Params:
        place = {"subscription_id": AZURE_SUBSCRIPTION, "resource_group": RESOURCE_GROUP, "name": name}
        return self.params(spec, **{**place, "poll_interval": 0.05, **values})

    def requests(self, *services: str, since: int = 0) -> list[LoggedRequest]:
        """The requests that these services saw, or all services."""
        return [one for one in self.sandbox.world.log.since(since) if not services or one.service in services]

    def writes(self) -> list[LoggedRequest]:
        return [one for one in self.requests() if one.write]

    def last_request(self) -> int:
        return max((one.number for one in self.requests()), default=0)

    def cluster_body(self, name: str) -> Json:
        return self.sandbox.cluster(name).body


class FixedCredential:
    """A login that hands out one access token, whatever it is asked for."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get_token(self, *_scopes: str, **_options: t.Any) -> AccessToken:
        return AccessToken(self._token, 4102444800)


class FastClock:
    """Time that a sleep moves on at once, so that bounded waiting needs no real time. A moment really passes."""

    def __init__(self) -> None:
        self.slept = 0.0

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        time.sleep(min(seconds, 0.02))

    def monotonic(self) -> float:
        return time.monotonic() + self.slept


def context(*, check_mode: bool = False, clock: FastClock | None = None) -> Context:
    clock = clock or FastClock()
    return Context(check_mode=check_mode, sleep=clock.sleep, monotonic=clock.monotonic)
