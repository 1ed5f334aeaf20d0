# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of an identity token that STS makes before it looks at the role.

Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html; the texts are STS's.
"""

from __future__ import annotations

import dataclasses
import typing as t

import jwt

from sandbox.aws.errors import AwsError
from sandbox.aws.issuers import IssuerUnreachableError

if t.TYPE_CHECKING:
    from sandbox.aws.conditions import Context
    from sandbox.aws.effective import IamView, ProviderView
    from sandbox.aws.issuers import Issuers
    from sandbox.world import Json

_ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "ES256", "ES384", "ES512"})
_REQUIRED_CLAIMS = ("sub", "aud", "exp", "iat")
_CLOCK_SKEW_SECONDS = 300


@dataclasses.dataclass(frozen=True)
class VerifiedToken:
    """A token whose signature, time and audience are right."""

    provider: ProviderView
    subject: str
    audience: str
    context: Context  # condition keys <issuer without scheme>:aud, :sub and so on


def verify(token: str, iam: IamView, issuers: Issuers, now: float) -> VerifiedToken:
    """Check a token in STS's order: form, issuer, signature, time, audience. Takes no lock: it asks the issuer."""
    header, claims = _opened(token)
    issuer = str(claims.get("iss", ""))
    provider = iam.providers.get(issuer)
    if provider is None:
        raise _invalid(f"No OpenIDConnect provider found in your account for {issuer}")
    for name in _REQUIRED_CLAIMS:
        if claims.get(name) in (None, "", []):
            raise _invalid(f"Missing a required claim: {name}")
    _check_signature(token, _key(issuers, provider, header), header["alg"])
    _check_time(claims, now)
    audience = _audience(claims, provider)
    return VerifiedToken(
        provider=provider,
        subject=str(claims["sub"]),
        audience=audience,
        context=_context(provider, claims, audience),
    )


def _opened(token: str) -> tuple[Json, Json]:
    """The token's header and claims, not yet verified."""
    try:
        header = jwt.get_unverified_header(token)
        claims: Json = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        raise _no_jwt() from None
    if header.get("alg") not in _ALGORITHMS:
        raise _no_jwt()
    return header, claims


def _key(issuers: Issuers, provider: ProviderView, header: Json) -> jwt.PyJWK:
    unavailable = _invalid(
        "Couldn't retrieve verification key from your identity provider, "
        "please reference AssumeRoleWithWebIdentity documentation for requirements"
    )
    try:
        if not issuers.authority_is_known and issuers.thumbprint(provider.url) not in provider.thumbprints:
            raise _mismatch()
        keys = issuers.keys(provider.url)
    except IssuerUnreachableError as error:
        if error.untrusted:
            raise _mismatch() from error
        raise unavailable from error
    key = next((key for key in keys if key.get("kid") == header.get("kid")), None)
    if key is None:
        raise unavailable
    try:
        return jwt.PyJWK(key, algorithm=header["alg"])
    except jwt.PyJWTError as error:
        raise unavailable from error


def _mismatch() -> AwsError:
    return _invalid("OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint")


def _check_signature(token: str, key: jwt.PyJWK, algorithm: str) -> None:
    unchecked = {f"verify_{claim}": False for claim in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")}
    try:
        jwt.decode(token, key=key.key, algorithms=[algorithm], options=unchecked)  # type: ignore[arg-type]  # a TypedDict
    except jwt.InvalidTokenError:
        raise _invalid(
            "The web identity token provided could not be validated. "
            "See the AssumeRoleWithWebIdentity documentation for requirements."
        ) from None


def _check_time(claims: Json, now: float) -> None:
    expires = _number(claims, "exp")
    if now >= expires:
        raise AwsError(
            "ExpiredTokenException",
            f"Token expired: current date/time {int(now)} must be before the expiration date/time {int(expires)}",
        )
    begins = max(_number(claims, "iat"), _number(claims, "nbf") if "nbf" in claims else 0.0)
    if begins > now + _CLOCK_SKEW_SECONDS:
        raise _invalid("Token not yet valid")


def _audience(claims: Json, provider: ProviderView) -> str:
    """The audience that STS compares: ``azp`` when the token has one, else ``aud``."""
    audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    candidates = [claims["azp"]] if claims.get("azp") else audiences
    accepted = [str(candidate) for candidate in candidates if candidate in provider.client_ids]
    if not accepted:
        raise _invalid("Incorrect token audience")
    return accepted[0]


def _context(provider: ProviderView, claims: Json, audience: str) -> Context:
    prefix = provider.condition_prefix.lower()
    context: dict[str, tuple[str, ...]] = {f"{prefix}:aud": (audience,), f"{prefix}:sub": (str(claims["sub"]),)}
    if claims.get("azp"):
        original = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        context[f"{prefix}:oaud"] = tuple(map(str, original))
    if isinstance(claims.get("amr"), list):
        context[f"{prefix}:amr"] = tuple(map(str, claims["amr"]))
    return context | {"aws:federatedprovider": (provider.arn,)}


def _number(claims: Json, name: str) -> float:
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _no_jwt()
    return float(value)


def _no_jwt() -> AwsError:
    return _invalid("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidIdentityToken", message)
