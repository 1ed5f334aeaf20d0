# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain HTTPS for what no SDK covers: discovery documents, key sets, AMP's data plane."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t
import urllib.parse
import urllib.request

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.sharing import lent
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._errors import MissingLibrary, Unreachable

try:
    import certifi
    import urllib3
except ImportError as error:  # the sanity tests import modules without any SDK
    IMPORT_ERROR: ImportError | None = error
else:
    IMPORT_ERROR = None

if t.TYPE_CHECKING:
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import Transport

#: STS itself gives an issuer five seconds; a controller behind a proxy may need a little more.
TIMEOUT_SECONDS = 15.0


@dataclasses.dataclass(frozen=True)
class Response:
    """An HTTP answer: status, headers (names in lower case) and body."""

    status: int
    headers: t.Mapping[str, str]
    body: bytes

    def text(self) -> str:
        return self.body.decode("utf-8", errors="replace")


def proxy_for(url: str, transport: Transport) -> str | None:
    """The proxy for a URL: the given one, else what HTTPS_PROXY and NO_PROXY say."""
    if transport.https_proxy:
        return transport.https_proxy
    host = urllib.parse.urlsplit(url).hostname or ""
    if urllib.request.proxy_bypass(host):
        return None
    return urllib.request.getproxies().get("https")


def ca_file(transport: Transport) -> str:
    """The file with the trusted roots: the given one, else certifi's."""
    return transport.ca_bundle or certifi.where()


class HttpClient:
    """HTTPS requests through the transport's proxy, TLS verified against its roots; no redirects, bounded retries."""

    def __init__(self, transport: Transport) -> None:
        if IMPORT_ERROR is not None:
            raise MissingLibrary("urllib3", IMPORT_ERROR)
        self._transport = transport

    def request(
        self,
        method: str,
        url: str,
        *,
        service: str,
        action: str,
        headers: t.Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Response:
        """Send one request. Raises Unreachable when no HTTP answer comes; every status is an answer."""
        try:
            with self._pools(method, url) as pool:
                answer = pool.request(method, url, headers=dict(headers or {}), body=body)
        except urllib3.exceptions.HTTPError as error:
            raise Unreachable(
                service=service,
                action=action,
                detail=f"{url} did not answer ({error})",
                fix="Check that this machine reaches it (https_proxy) and trusts its certificate (ca_bundle).",
            ) from error
        return Response(answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.data)

    def _pools(self, method: str, url: str) -> contextlib.AbstractContextManager[urllib3.PoolManager]:
        """For a read that of earlier reads. The other side may just close a kept connection, and then nothing but a
        read may be sent again."""
        proxy = proxy_for(url, self._transport)
        if method == "GET":
            return lent("http", (self._transport, proxy), lambda: _pool(self._transport, proxy), _clear)
        return _pool(self._transport, proxy)


def _pool(transport: Transport, proxy: str | None) -> urllib3.PoolManager:
    options: dict[str, t.Any] = {
        "cert_reqs": "CERT_REQUIRED",
        "ca_certs": ca_file(transport),
        "timeout": urllib3.Timeout(total=TIMEOUT_SECONDS),
        "retries": urllib3.Retry(total=2, backoff_factor=0.3, redirect=0, raise_on_redirect=False),
    }
    return urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)


def _clear(pool: urllib3.PoolManager) -> None:
    pool.clear()
