# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate chain that a host really sends, which is what IAM's thumbprints are about
(https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc_verify-thumbprint.html)."""

from __future__ import annotations

import base64
import contextlib
import functools
import http.client
import socket
import ssl
import sys
import typing as t
import urllib.parse

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.https import TIMEOUT_SECONDS, proxy_for
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._iam.thumbprints import (
    Certificate,
    SentChain,
    thumbprint,
)

try:
    import certifi
    from cryptography import x509
except ImportError as error:  # the sanity tests import modules without any library
    IMPORT_ERROR: ImportError | None = error
else:
    IMPORT_ERROR = None

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import Transport

HTTPS_PORT = 443


class ChainReader:
    """Reads sent chains and verifies them against the public roots (certifi) and explicit trust anchors.

    The transport's CA file takes no part: it may hold the root of an inspecting proxy, whose certificates IAM never
    sees.
    """

    def __init__(self, transport: Transport, trust_anchors: Sequence[str]) -> None:
        """``trust_anchors`` are PEM files. Raises InvalidInput for one that can't be read."""
        if IMPORT_ERROR is not None:
            raise errors.MissingLibrary("certifi or cryptography", IMPORT_ERROR)
        self._transport = transport
        self._context = _public_roots() if trust_anchors else _loaded_roots()
        for path in trust_anchors:
            try:
                self._context.load_verify_locations(path)
            except OSError as error:  # no such file, or not PEM (ssl.SSLError)
                raise errors.InvalidInput(
                    f"trust_anchors: {path} can't be read as PEM certificates ({_reason(error)}).",
                    fix="Name files with root certificates in PEM form.",
                ) from error

    def read(self, host: str, port: int = HTTPS_PORT) -> SentChain:
        """Connect, through the transport's proxy if there is one, and note the chain. Raises Unreachable.

        ``host`` may be an IPv6 address, without brackets.
        """
        try:
            sent = self._handshake(host, port, self._context)
            return SentChain(host, tuple(map(thumbprint, sent)), certificates=tuple(map(_described, sent)))
        except ssl.SSLCertVerificationError as error:
            distrust = error.verify_message or _reason(error)
            return SentChain(host, distrust=distrust, certificates=self._untrusted(host, port))
        except (OSError, http.client.HTTPException) as error:
            raise errors.Unreachable(
                service="TLS",
                action=f"reading the certificate chain of {host}",
                detail=_reason(error),
                fix="Check that this machine reaches it (https_proxy); thumbprints 'unmanaged' needs no connection.",
            ) from error

    def _handshake(self, host: str, port: int, context: ssl.SSLContext) -> list[bytes]:
        """The certificates that the host sends, DER, leaf first."""
        with self._connect(host, port) as plain, context.wrap_socket(plain, server_hostname=host) as connection:
            return _sent_certificates(connection)

    def _untrusted(self, host: str, port: int) -> tuple[Certificate, ...]:
        """What a host sends that is not trusted, to be shown only: a failed verification leaves nothing to look at."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        try:
            return tuple(map(_described, self._handshake(host, port, context)))
        except (OSError, http.client.HTTPException):
            return ()

    def _connect(self, host: str, port: int) -> socket.socket:
        proxy = proxy_for(f"https://{_authority(host, port)}/", self._transport)
        if proxy is None:
            return socket.create_connection((host, port), timeout=TIMEOUT_SECONDS)
        parts = urllib.parse.urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        if parts.scheme != "http" or parts.hostname is None:
            raise errors.InvalidInput(
                f"The certificate chain of {host} can't be read through a proxy of the kind '{parts.scheme}'.",
                fix="Use an http:// proxy, or set thumbprints to 'unmanaged' or to a list.",
            )
        return _tunnel(parts, _authority(host, port))


@functools.cache
def _loaded_roots() -> ssl.SSLContext:
    """Verifies by the public roots alone. Reading them takes longer than a handshake: before workers are forked it is
    done once for all of them. Nobody changes it."""
    return _public_roots()


def load_roots() -> None:
    """Read the public roots. Does nothing without the libraries."""
    if IMPORT_ERROR is None:
        _loaded_roots()


def _public_roots() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # an anchor may be an intermediate
    context.load_verify_locations(certifi.where())
    return context


def _tunnel(proxy: urllib.parse.SplitResult, authority: str) -> socket.socket:
    """A connection through an HTTP proxy. Before Python 3.13 ``http.client`` writes IPv6 addresses without brackets."""
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}", *_proxy_authorization(proxy), "", ""]
    with contextlib.ExitStack() as failing:
        address = (proxy.hostname or "", proxy.port or 80)
        connection = failing.enter_context(socket.create_connection(address, timeout=TIMEOUT_SECONDS))
        connection.sendall("\r\n".join(lines).encode("ascii"))
        answer = http.client.HTTPResponse(connection, method="CONNECT")
        answer.begin()
        answer.close()
        if answer.status == http.client.OK:
            failing.pop_all()
            return connection
    raise OSError(f"Tunnel connection failed: {answer.status} {answer.reason}")


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _described(der: bytes) -> Certificate:
    """Without names where the library is stricter than TLS was."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        return Certificate(
            thumbprint=thumbprint(der),
            subject=certificate.subject.rfc4514_string(),
            issuer=certificate.issuer.rfc4514_string(),
            not_after=certificate.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
        )
    except ValueError:  # names are read when they are asked for
        return Certificate(thumbprint(der), "", "", "")


class _Certificate(t.Protocol):
    """CPython's ``_ssl.Certificate``."""

    def public_bytes(self) -> str:
        """PEM."""


class _Handshake(t.Protocol):
    """The part of CPython's ``_ssl._SSLSocket`` that :func:`_sent_certificates` uses."""

    def get_unverified_chain(self) -> Sequence[_Certificate] | None:
        """The certificates as the server sent them."""


def _sent_certificates(connection: ssl.SSLSocket) -> list[bytes]:
    """The sent certificates, DER, leaf first.

    The one place that touches a private attribute: before Python 3.13 the ssl module gives the peer's leaf only, and
    the chain it holds is reachable on ``_sslobj`` alone (https://docs.python.org/3/library/ssl.html).
    """
    if sys.version_info >= (3, 13):
        return connection.get_unverified_chain()
    handshake: _Handshake = connection._sslobj  # type: ignore[attr-defined]  # private before 3.13, see above
    return [
        ssl.PEM_cert_to_DER_cert(certificate.public_bytes()) for certificate in handshake.get_unverified_chain() or ()
    ]


def _proxy_authorization(proxy: urllib.parse.SplitResult) -> tuple[str, ...]:
    if proxy.username is None:
        return ()
    user, password = urllib.parse.unquote(proxy.username), urllib.parse.unquote(proxy.password or "")
    return ("Proxy-Authorization: Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii"),)


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
