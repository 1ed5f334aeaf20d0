# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verification of Signature Version 4.

Rules: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html. The signature is
computed anew by botocore's signer from what arrived, and compared.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import hmac
import re
import typing as t
from http.client import HTTPMessage
from urllib.parse import parse_qsl

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials

from sandbox.aws.errors import AwsError, missing_token

if t.TYPE_CHECKING:
    from sandbox.aws.identities import Credential, Credentials, Identity
    from sandbox.aws.requests import AwsRequest

_TIMESTAMP = "%Y%m%dT%H%M%SZ"
_MAX_SKEW = dt.timedelta(minutes=5)
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=(?P<key>[^/,\s]+)/(?P<date>\d{8})/(?P<region>[^/,\s]*)/(?P<service>[^/,\s]+)"
    r"/aws4_request, *SignedHeaders=(?P<headers>[^,\s]+), *Signature=(?P<signature>[0-9a-f]{64})"
)
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)


@dataclasses.dataclass(frozen=True)
class Scope:
    """Where a request may be signed for."""

    service: str  # the signing name: iam, sts, aps
    region: str


class _Recomputed(SigV4Auth):  # type: ignore[misc]  # botocore has no types
    """botocore's signer, over exactly the headers that the client has signed."""

    def headers_to_sign(self, request: AWSRequest) -> HTTPMessage:
        message = HTTPMessage()
        for name, value in request.headers.items():
            message[name] = value
        return message


def verify(request: AwsRequest, scope: Scope, credentials: Credentials, now: float) -> Identity:
    """The caller, when the request is validly signed for this service and region; else :class:`AwsError`."""
    authorization = request.headers.get("authorization")
    if authorization is None:
        raise missing_token()
    parts = _AUTHORIZATION.fullmatch(authorization.strip())
    if parts is None:
        raise AwsError("IncompleteSignature", "The Authorization header is not a complete AWS4-HMAC-SHA256 one.", 403)
    credential = _live_credential(request, credentials.find(parts["key"]), now)
    timestamp = _timestamp(request, parts["date"], now)
    _check_scope(parts, scope)
    _check_signature(request, parts, credential, timestamp)
    return credential.identity


def mismatch(canonical_request: str = "") -> AwsError:
    """The answer to a wrong signature. AWS shows what should have been signed."""
    shown = f"\n\nThe Canonical String for this request should have been\n'{canonical_request}'\n"
    return _refused(_MISMATCH + (shown if canonical_request else ""))


def _live_credential(request: AwsRequest, credential: Credential | None, now: float) -> Credential:
    token = request.headers.get("x-amz-security-token")
    if credential is None or credential.token != token:
        raise AwsError("InvalidClientTokenId", "The security token included in the request is invalid.", 403)
    if credential.expires is not None and now >= credential.expires:
        raise AwsError("ExpiredToken", "The security token included in the request is expired", 403)
    return credential


def _timestamp(request: AwsRequest, scope_date: str, now: float) -> str:
    """The time of signing, not more than five minutes away."""
    stamp = request.headers.get("x-amz-date", "")
    try:
        signed = dt.datetime.strptime(stamp, _TIMESTAMP).replace(tzinfo=dt.UTC)
    except ValueError:
        raise AwsError(
            "IncompleteSignature", "Authorization header requires existence of a 'X-Amz-Date'.", 403
        ) from None
    if not stamp.startswith(scope_date):
        raise _refused(
            f"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{scope_date}' != '{stamp[:8]}', from '{stamp}'."
        )
    here = dt.datetime.fromtimestamp(now, dt.UTC)
    if signed < here - _MAX_SKEW:
        limit = (here - _MAX_SKEW).strftime(_TIMESTAMP)
        raise _refused(f"Signature expired: {stamp} is now earlier than {limit} ({here.strftime(_TIMESTAMP)} - 5 min.)")
    if signed > here + _MAX_SKEW:
        limit = (here + _MAX_SKEW).strftime(_TIMESTAMP)
        raise _refused(
            f"Signature not yet current: {stamp} is still later than {limit} ({here.strftime(_TIMESTAMP)} + 5 min.)"
        )
    return stamp


def _check_scope(parts: re.Match[str], scope: Scope) -> None:
    if parts["region"] != scope.region:
        raise _refused("Credential should be scoped to a valid region. ")
    if parts["service"] != scope.service:
        raise _refused(f"Credential should be scoped to correct service: '{scope.service}'. ")


def _check_signature(request: AwsRequest, parts: re.Match[str], credential: Credential, timestamp: str) -> None:
    signer = _Recomputed(
        BotocoreCredentials(credential.access_key, credential.secret_key), parts["service"], parts["region"]
    )
    signed = {name: request.headers[name] for name in parts["headers"].split(";") if name in request.headers}
    recomputed = AWSRequest(
        method=request.method,
        url=f"https://{request.host}{request.path}",
        params=parse_qsl(request.query, keep_blank_values=True),
        data=request.body,
        headers=signed,
    )
    recomputed.context["timestamp"] = timestamp
    canonical = signer.canonical_request(recomputed)
    expected = signer.signature(signer.string_to_sign(recomputed, canonical), recomputed)
    body_hash = request.headers.get("x-amz-content-sha256")
    right = (
        hmac.compare_digest(expected, parts["signature"])
        and {"host", "x-amz-date"} <= set(signed)
        and body_hash in (None, hashlib.sha256(request.body).hexdigest())
    )
    if not right:
        raise mismatch(canonical)


def _refused(message: str) -> AwsError:
    return AwsError("SignatureDoesNotMatch", message, 403)
