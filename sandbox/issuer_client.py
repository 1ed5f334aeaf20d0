# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the sandbox's STS and IAM reach issuers: like all clients, by their host names, over TLS, through the proxy."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import typing as t
import urllib.parse

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.tls import Authority
    from sandbox.world import Json

#: By it the request log tells these requests from those of clients.
USER_AGENT: t.Final = "aks-amp-sandbox"

_SECONDS = 5.0  # what STS gives an issuer
_HTTPS_PORT = 443


class IssuerClient:
    """Reads issuers' documents and certificates. It trusts the sandbox's root only, and no setting of the machine."""

    def __init__(self, authority: Authority, proxy_url: str) -> None:
        self._authority = authority
        self._proxy = urllib.parse.urlsplit(proxy_url)
        self._context = ssl.create_default_context(cadata=authority.root_pem)

    def fetch(self, url: str) -> Json:
        """The JSON object at a URL.

        Raises OSError when the host can't be reached, its certificate is not valid or it answers anything but 200,
        ValueError when the answer is no JSON object.
        """
        parts = urllib.parse.urlsplit(url)
        with self._connection(url) as connection:
            try:
                headers = {"Accept": "application/json", "User-Agent": USER_AGENT}
                connection.request("GET", parts.path or "/", headers=headers)
                response = connection.getresponse()
                content = response.read()
            except http.client.HTTPException as error:
                raise OSError(f"GET {url} got no answer that is HTTP: {error!r}") from error
        if response.status != http.HTTPStatus.OK:
            raise OSError(f"GET {url} was answered with {response.status}")
        document = json.loads(content)
        if not isinstance(document, dict):
            raise ValueError(f"GET {url} gave no JSON object")  # noqa: TRY004 - callers await ValueError for content
        return document

    def top_thumbprint(self, url: str) -> str:
        """The SHA-1 fingerprint, 40 lower-case hex digits, of the last certificate that a URL's host sends.

        Raises OSError when the host can't be reached or its certificate is not valid.
        """
        with self._connection(url) as connection:
            connection.connect()
        # All listeners send leaf and intermediate, and a valid certificate can only be one of theirs.
        return self._authority.intermediate_thumbprint

    @contextlib.contextmanager
    def _connection(self, url: str) -> Iterator[http.client.HTTPSConnection]:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme != "https" or parts.hostname is None:
            raise OSError(f"{url} is not the https URL of a host")
        connection = http.client.HTTPSConnection(
            str(self._proxy.hostname), self._proxy.port, timeout=_SECONDS, context=self._context
        )
        connection.set_tunnel(parts.hostname, parts.port or _HTTPS_PORT)
        with contextlib.closing(connection):
            yield connection
