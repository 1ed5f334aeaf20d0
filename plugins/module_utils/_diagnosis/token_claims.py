# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a service account's token says of itself (JSON Web Token, RFC 7519), without keeping the token.

The signature is not verified here: that is what the token exchange is for. Nothing in this file stores the token or
puts any part of it into an error.
"""

from __future__ import annotations

import base64
import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.json_text import parse_json


class TokenFormatError(ValueError):
    """The text is not a JSON Web Token with the claims of a service account. The message never quotes it."""


@dataclasses.dataclass(frozen=True)
class Claims:
    """The claims that a trust chain compares. ``expires`` is in seconds since 1970, ``key_id`` the header's ``kid``
    (empty when it has none), ``algorithm`` its ``alg``."""

    issuer: str
    audiences: tuple[str, ...]
    subject: str
    expires: int
    key_id: str
    algorithm: str

    def report(self) -> dict[str, object]:
        """The claims as a module returns them: ``iss``, ``aud`` (always a list), ``sub``, ``exp``."""
        return {"iss": self.issuer, "aud": list(self.audiences), "sub": self.subject, "exp": self.expires}


def read_claims(token: str) -> Claims:
    """Read a token's header and claims. ``aud`` may be one text or a list of texts (RFC 7519, section 4.1.3).

    Raises TokenFormatError.
    """
    parts = token.split(".")
    if len(parts) != 3:
        raise TokenFormatError("The token is not a JSON Web Token: it has not three parts.")
    header, payload = _segment(parts[0], "header"), _segment(parts[1], "payload")
    expires = payload.get("exp")
    if not isinstance(expires, int | float) or isinstance(expires, bool):
        raise TokenFormatError("The token's claim 'exp' is not a number.")
    try:
        return Claims(
            issuer=_text(payload, "iss"),
            audiences=_audiences(payload.get("aud")),
            subject=_text(payload, "sub"),
            expires=int(expires),
            key_id=str(header.get("kid", "")),
            algorithm=str(header.get("alg", "")),
        )
    except OverflowError:  # JSON of Python's takes Infinity
        raise TokenFormatError("The token's claim 'exp' is not a time.") from None


def _segment(text: str, name: str) -> dict[str, t.Any]:
    """One part of the token: base64url without padding (RFC 7515, section 2), a JSON object inside."""
    try:
        value = parse_json(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except ValueError:  # binascii's are of that kind
        # Not chained: the cause's message may quote the token.
        raise TokenFormatError(f"The token's {name} is not JSON in base64url.") from None
    if not isinstance(value, dict):
        raise TokenFormatError(f"The token's {name} is not a JSON object.")
    return value


def _text(payload: dict[str, t.Any], claim: str) -> str:
    value = payload.get(claim)
    if not isinstance(value, str) or not value:
        raise TokenFormatError(f"The token's claim '{claim}' is not a text.")
    return value


def _audiences(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise TokenFormatError("The token's claim 'aud' is neither a text nor a list of texts.")
