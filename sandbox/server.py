# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The running sandbox: listeners and proxy, which stay, and the services behind them, which a reset replaces."""

from __future__ import annotations

import threading
import typing as t

from sandbox import hosts
from sandbox.listener import Listener
from sandbox.proxy import Proxy
from sandbox.services import Services
from sandbox.tls import Authority
from sandbox.world import Settings, World

if t.TYPE_CHECKING:
    from pathlib import Path


class Sandbox:
    """All of the sandbox in this process. It listens from its creation on; :meth:`close` ends it.

    ``folder`` receives what clients need: ``ca.pem``.
    """

    def __init__(self, folder: Path, settings: Settings | None = None) -> None:
        self.folder = folder
        self.authority = Authority()
        self._lock = threading.RLock()
        self._settings = settings or Settings()
        self._services = Services.over(World(self._settings))
        self.issuer_certificate = self.authority.server(f"*.{hosts.ISSUER_DOMAIN}")
        self._issuers = Listener("issuers", self._services.issuers, self.issuer_certificate.context())
        self._clouds = Listener(
            "clouds", self._services.clouds, self.authority.server(*sorted(hosts.CLOUD_HOSTS)).context()
        )
        self._proxy = Proxy(self._route, self._refused)
        folder.mkdir(parents=True, exist_ok=True)
        self.ca_file.write_text(self.authority.root_pem, encoding="ascii")

    @property
    def world(self) -> World:
        """The world since the last reset."""
        return self._services.world

    @property
    def proxy_url(self) -> str:
        return self._proxy.url

    @property
    def ca_file(self) -> Path:
        """The root certificate that clients must trust."""
        return self.folder / "ca.pem"

    def close(self) -> None:
        """Free all ports. The folder is the caller's."""
        self._proxy.close()
        for listener in (self._issuers, self._clouds):
            listener.close()

    def _route(self, host: str) -> tuple[str, int] | None:
        if host in hosts.CLOUD_HOSTS:
            return self._clouds.address
        if hosts.is_issuer_host(host):
            return self._issuers.address
        return None

    def _refused(self, method: str, target: str) -> None:
        self.world.log.record(service="proxy", method=method, path=target, operation="Refused", status=403, write=False)
