# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Client assertions that an application signs with the key of a certificate
(https://learn.microsoft.com/entra/identity-platform/certificate-credentials).
"""

from __future__ import annotations

import base64
import typing as t

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes

if t.TYPE_CHECKING:
    from collections.abc import Iterable

_THUMBPRINTS: dict[str, hashes.HashAlgorithm] = {
    "x5t": hashes.SHA1(),  # noqa: S303 - RFC 7515 names the header so, and the signature does not rest on it
    "x5t#S256": hashes.SHA256(),
}


class UnknownCertificateError(Exception):
    """No certificate of the application has the thumbprint, which is the error's text."""


def is_meant(assertion: str) -> bool:
    """Whether the assertion names a certificate by its thumbprint, as no Kubernetes token does."""
    try:
        return not _THUMBPRINTS.keys().isdisjoint(jwt.get_unverified_header(assertion))
    except jwt.InvalidTokenError:
        return False


def verify(assertion: str, client_id: str, audience: str, registered: Iterable[str]) -> None:
    """Accept an assertion of the application that one of its registered certificates (PEM) signed.

    Raises UnknownCertificateError, or jwt.InvalidTokenError for what is wrong with the assertion itself.
    """
    header = jwt.get_unverified_header(assertion)
    name = next(name for name in reversed(_THUMBPRINTS) if name in header)
    certificates = [x509.load_pem_x509_certificate(pem.encode("ascii")) for pem in registered]
    signer = next((one for one in certificates if _thumbprint(one, name) == header[name].rstrip("=")), None)
    if signer is None:
        raise UnknownCertificateError(header[name])
    claims = jwt.decode(
        assertion,
        signer.public_key(),  # type: ignore[arg-type]  # of a kind that the algorithms allow, or decoding fails
        algorithms=["RS256", "PS256"],
        audience=audience,
        issuer=client_id,
        options={"require": ["aud", "exp", "iss", "jti", "sub"]},
    )
    if claims["sub"] != client_id:
        raise jwt.InvalidTokenError("The subject is not the client")


def _thumbprint(certificate: x509.Certificate, name: str) -> str:
    return base64.urlsafe_b64encode(certificate.fingerprint(_THUMBPRINTS[name])).rstrip(b"=").decode("ascii")
