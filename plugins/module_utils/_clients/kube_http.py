# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How requests reach a Kubernetes API server: what every way must offer, and the ordinary one, HTTP."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.json_text import parse_json

try:
    import urllib3
except ImportError as error:  # the sanity tests import modules without any SDK
    IMPORT_ERROR: ImportError | None = error
else:
    IMPORT_ERROR = None

Json = dict[str, t.Any]

SERVICE: t.Final = "Kubernetes"
CONNECT_TIMEOUT_SECONDS = 10
READ_TIMEOUT_SECONDS = 30
#: What a pod answers by itself is asked for once and not waited for long; whoever asks asks again.
POD_TIMEOUT_SECONDS = 10

JSON_TYPE: t.Final = "application/json"
MERGE_PATCH: t.Final = "application/merge-patch+json"
#: The query that makes a write a rehearsal.
DRY_RUN: t.Final = "dryRun=All"
#: The query of a write in which a field that the API server does not know is refused instead of dropped.
STRICT: t.Final = "fieldValidation=Strict"


@dataclasses.dataclass(frozen=True)
class Answer:
    """An API server's answer. ``body`` is empty when it was no JSON object."""

    status: int
    body: Json
    request_id: str = ""  # the Audit-Id header, by which the server's audit log names the request
    text: str = dataclasses.field(default="", repr=False)  # the answer as it is, where a pod gave it

    @property
    def reason(self) -> str:
        """The API's own error code, for example ``NotFound``; empty when the answer is none of the API's."""
        return str(self.body.get("reason") or "") if self.body.get("kind") == "Status" else ""

    @property
    def message(self) -> str:
        return str(self.body.get("message") or "") if self.body.get("kind") == "Status" else ""

    @property
    def causes(self) -> tuple[str, ...]:
        details = self.body.get("details") if self.body.get("kind") == "Status" else None
        causes = details.get("causes") if isinstance(details, dict) else None
        if not isinstance(causes, list):
            return ()
        return tuple(str(cause.get("reason", "")) for cause in causes if isinstance(cause, dict))


@dataclasses.dataclass(frozen=True)
class Advice:
    """What to do, in sentences, about what depends on how the API server is reached."""

    unreachable: str
    unauthorized: str  # HTTP 401
    forbidden: str = ""  # what else than RBAC may grant a right
    no_api: str = "Check that host (or the kubeconfig's server) and proxy lead to a Kubernetes API."


class Transport(t.Protocol):
    """A way to one API server."""

    @property
    def server(self) -> str:
        """The API server as a person knows it: its URL, or the cluster's name."""

    @property
    def advice(self) -> Advice:
        """How to mend this way."""

    def send(
        self, method: str, path: str, action: str, body: Json | None = None, content_type: str = JSON_TYPE
    ) -> Answer:
        """The answer to one request, whatever its status.

        ``action`` is a verb phrase for errors. Raises an AksAmpError when there is no answer of the API server's.
        """

    def ask_pod(self, method: str, path: str, action: str) -> Answer:
        """What a pod answers through the API server, or its log: ``text`` of the answer, whatever its status.

        It is asked once. Raises an AksAmpError when there is no answer.
        """


class HttpTransport:
    """Requests to an API server's URL. ``authorization`` gives the headers that authenticate each of them."""

    def __init__(
        self, server: str, pool: t.Any, authorization: t.Callable[[], t.Mapping[str, str]], advice: Advice
    ) -> None:
        """``pool`` is urllib3's pool or proxy manager, with TLS set up."""
        self._server = server
        self._pool = pool
        self._authorization = authorization
        self._advice = advice

    @property
    def server(self) -> str:
        return self._server

    @property
    def advice(self) -> Advice:
        return self._advice

    def send(
        self, method: str, path: str, action: str, body: Json | None = None, content_type: str = JSON_TYPE
    ) -> Answer:
        """Raises Unreachable when no HTTP answer comes."""
        headers = {"Accept": JSON_TYPE}
        if body is not None:
            headers["Content-Type"] = content_type
        data = None if body is None else json.dumps(body).encode()
        response = self._request(method, path, action, headers, data, READ_TIMEOUT_SECONDS, _retries(method))
        return Answer(response.status, _json_object(response.data), response.headers.get("Audit-Id", ""))

    def ask_pod(self, method: str, path: str, action: str) -> Answer:
        """Raises Unreachable when no HTTP answer comes."""
        headers = {"Accept": f"{JSON_TYPE}, */*"}
        response = self._request(method, path, action, headers, None, POD_TIMEOUT_SECONDS, False)
        return Answer(
            response.status,
            _json_object(response.data),
            response.headers.get("Audit-Id", ""),
            response.data.decode("utf-8", "replace"),
        )

    def _request(
        self,
        method: str,
        path: str,
        action: str,
        headers: t.Mapping[str, str],
        data: bytes | None,
        seconds: float,
        retries: urllib3.Retry | bool,
    ) -> urllib3.BaseHTTPResponse:
        try:
            response = self._pool.request(
                method,
                f"{self._server}{path}",
                headers={"User-Agent": "crosscloud.aks_amp", **self._authorization(), **headers},
                body=data,
                timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_SECONDS, read=seconds),
                retries=retries,
            )
            return t.cast("urllib3.BaseHTTPResponse", response)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise errors.Unreachable(
                service=SERVICE,
                action=action,
                detail=f"{self._server} did not answer ({getattr(error, 'reason', None) or error})",
                fix=self._advice.unreachable,
            ) from error


def _retries(method: str) -> urllib3.Retry:
    """What is safe to repeat: a connection that did not come about, a read, and what the server turned away unseen
    and asks to have repeated (429 and 503 with Retry-After, as kubectl does)."""
    return urllib3.Retry(
        total=5,
        connect=2,
        read=2 if method == "GET" else 0,
        redirect=0,
        status=4,
        other=0,
        allowed_methods=None,
        backoff_factor=0.3,
        raise_on_redirect=False,
        raise_on_status=False,
    )


def _json_object(data: bytes) -> Json:
    try:
        value = parse_json(data)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
