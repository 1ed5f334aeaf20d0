# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How AWS reaches the issuers of identity tokens: over TLS, as anybody would."""

from __future__ import annotations

import ssl
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.world import Json


class IssuerUnreachableError(Exception):
    """The issuer's documents could not be had. ``untrusted`` tells that its certificate was the reason."""

    def __init__(self, message: str, *, untrusted: bool = False) -> None:
        super().__init__(message)
        self.untrusted = untrusted


class Issuers:
    """Discovery documents, keys and certificates of issuers.

    ``fetch`` gets a URL's JSON over verified TLS; it raises ``OSError`` (``ssl`` errors and those of requests are
    some) or ``ValueError``. ``top_thumbprint`` gives the SHA-1 fingerprint of the last certificate that a URL's host
    sends; it raises ``OSError``. Without them nothing can be reached. ``authority_is_known`` is false where AWS does
    not know who certifies the issuers' hosts: then the thumbprints of their providers decide.
    """

    def __init__(self) -> None:
        self.authority_is_known = True
        self.fetch: Callable[[str], Json] = _nowhere
        self.top_thumbprint: Callable[[str], str] = _nowhere

    def keys(self, issuer: str) -> list[Json]:
        """The issuer's JSON Web Keys (RFC 7517), found by its discovery document."""
        try:
            keys = self.fetch(self._jwks_uri(issuer))["keys"]
        except (OSError, ValueError, KeyError) as error:
            raise IssuerUnreachableError(str(error), untrusted=_is_untrusted(error)) from error
        if not isinstance(keys, list):
            raise IssuerUnreachableError("the key set has no list of keys")
        return keys

    def thumbprint(self, issuer: str) -> str:
        """The fingerprint that IAM stores when it is given none: of the host that serves the keys."""
        try:
            return self.top_thumbprint(self._jwks_uri(issuer)).lower()
        except (OSError, ValueError, KeyError) as error:
            raise IssuerUnreachableError(str(error), untrusted=_is_untrusted(error)) from error

    def _jwks_uri(self, issuer: str) -> str:
        # OpenID Connect Discovery 1.0, section 4: a terminating slash is removed before the path is appended.
        document = self.fetch(f"{issuer.removesuffix('/')}/.well-known/openid-configuration")
        if document["issuer"] != issuer:
            raise ValueError(f"the discovery document is of another issuer, {document['issuer']}")
        jwks_uri = str(document["jwks_uri"])
        if not jwks_uri.startswith("https://"):
            raise ValueError(f"the keys are not served over TLS, but at {jwks_uri}")
        return jwks_uri


def _nowhere(url: str) -> t.NoReturn:
    raise ConnectionRefusedError(f"no way to {url}")


def _is_untrusted(error: BaseException) -> bool:
    """Whether a certificate that did not verify is behind the error, however libraries wrap it."""
    return any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error, set()))


def _causes(error: object, seen: set[int]) -> Iterator[BaseException]:
    if not isinstance(error, BaseException) or id(error) in seen:
        return
    seen.add(id(error))
    yield error
    for cause in (error.__cause__, error.__context__, getattr(error, "reason", None), *error.args):
        yield from _causes(cause, seen)
