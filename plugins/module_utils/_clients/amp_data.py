# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Prometheus-compatible API of an AMP workspace, with requests signed by a role's session.

https://docs.aws.amazon.com/prometheus/latest/userguide/AMP-APIReference-Prometheus-Compatible-Apis.html. No SDK covers
it; requests are signed with Signature Version 4 for the service ``aps``, as Prometheus' own ``sigv4`` does.
"""

from __future__ import annotations

import typing as t
import urllib.parse

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus import remote_write
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.json_text import parse_json

try:
    import botocore.auth
    import botocore.awsrequest
    import botocore.credentials
except ImportError as error:  # the sanity tests import modules without any SDK
    IMPORT_ERROR: ImportError | None = error
else:
    IMPORT_ERROR = None

if t.TYPE_CHECKING:
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.https import HttpClient, Response
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.sts import SessionCredentials

SERVICE = "Amazon Managed Prometheus"
_SIGNING_NAME = "aps"
_LONGEST_DETAIL = 1000


class DataPlane:
    """One workspace's data plane in its region, for one session."""

    def __init__(self, http: HttpClient, credentials: SessionCredentials, region: str) -> None:
        if IMPORT_ERROR is not None:
            raise errors.MissingLibrary("boto3", IMPORT_ERROR)
        self._http = http
        self._secrets = (credentials.secret_key, credentials.session_token)
        self._signer = botocore.auth.SigV4Auth(
            botocore.credentials.Credentials(credentials.access_key, credentials.secret_key, credentials.session_token),
            _SIGNING_NAME,
            region,
        )

    def remote_write(self, url: str, body: bytes) -> None:
        """Send a remote write body. Raises CloudError with AMP's status and text, Unreachable without an answer."""
        action = f"writing a sample to {url}"
        answer = self._send("POST", url, action, headers=remote_write.HEADERS, body=body)
        if not 200 <= answer.status < 300:
            raise self._refusal(answer, action)

    def sample_times(self, url: str, selector: str) -> tuple[float, ...]:
        """When the newest sample of each series that the selector finds was taken, in seconds since 1970.

        Asks for ``timestamp(selector)``: the plain value of an instant query carries the time of the query.
        Raises CloudError with AMP's status and text, Unreachable without an answer.
        """
        action = f"querying {url}"
        query = urllib.parse.urlencode({"query": f"timestamp({selector})"}, quote_via=urllib.parse.quote)
        answer = self._send("GET", f"{url}?{query}", action, headers={"Accept": "application/json"})
        if answer.status != 200:
            raise self._refusal(answer, action)
        try:
            return tuple(float(series["value"][1]) for series in parse_json(answer.text())["data"]["result"])
        except (ValueError, LookupError, TypeError) as error:
            raise errors.CloudError(
                service=SERVICE, action=action, status=200, detail="the answer is not an instant vector"
            ) from error

    def label_names(self, url: str) -> tuple[str, ...]:
        """The names of all labels, as the guide's own test asks for them. Raises CloudError, Unreachable.

        https://docs.aws.amazon.com/prometheus/latest/userguide/AMP-APIReference-GetLabels.html
        """
        action = f"asking {url} for label names"
        answer = self._send("GET", url, action, headers={"Accept": "application/json"})
        if answer.status != 200:
            raise self._refusal(answer, action)
        try:
            return tuple(str(name) for name in parse_json(answer.text())["data"])
        except (ValueError, LookupError, TypeError) as error:
            raise errors.CloudError(
                service=SERVICE, action=action, status=200, detail="the answer is not a list of names"
            ) from error

    def _send(
        self, method: str, url: str, action: str, *, headers: t.Mapping[str, str], body: bytes | None = None
    ) -> Response:
        request = botocore.awsrequest.AWSRequest(method=method, url=url, headers=dict(headers), data=body)
        self._signer.add_auth(request)
        return self._http.request(
            method, url, service=SERVICE, action=action, headers=dict(request.headers.items()), body=body
        )

    def _refusal(self, answer: Response, action: str) -> errors.CloudError:
        """AMP's refusal as an error. A refused signature is answered with the headers that were signed, and so with
        the session's token, which is taken out."""
        code, detail = _reason(answer)
        for secret in self._secrets:
            detail = detail.replace(secret, "<secret>")
        kind = errors.Forbidden if answer.status == 403 else errors.CloudError
        return kind(
            service=SERVICE,
            action=action,
            code=code,
            status=answer.status,
            detail=detail[:_LONGEST_DETAIL],
            request_id=answer.headers.get("x-amzn-requestid", ""),
        )


def _reason(answer: Response) -> tuple[str, str]:
    """The service's own code and message, which come as JSON or as plain text, depending on the layer that refuses."""
    code = answer.headers.get("x-amzn-errortype", "").partition(":")[0]
    text = " ".join(answer.text().split())
    try:
        body = parse_json(text)
    except ValueError:
        return code, text
    if not isinstance(body, dict):
        return code, text
    message = body.get("message") or body.get("Message") or body.get("error") or ""
    return code or str(body.get("errorType", "")), str(message)
