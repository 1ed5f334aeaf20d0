# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the data plane client makes of AMP's answers. Signature and body are checked by the sandbox elsewhere."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.amp_data import DataPlane
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.https import HttpClient, Response
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.sts import SessionCredentials
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import Transport

URL = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1"
SESSION = SessionCredentials("ASIAEXAMPLE", "the-secret-key", "the/session+token==")


class Answering(HttpClient):
    """The HTTP seam with one prepared answer; keeps what was sent."""

    def __init__(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        super().__init__(Transport())
        self._answer = Response(status, headers or {}, body)
        self.sent: list[tuple[str, str, dict[str, str], bytes | None]] = []

    def request(
        self,
        method: str,
        url: str,
        *,
        service: str,  # noqa: ARG002 - the seam's signature
        action: str,  # noqa: ARG002 - the seam's signature
        headers: t.Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Response:
        self.sent.append((method, url, dict(headers or {}), body))
        return self._answer


def test_a_write_is_signed_for_the_service_and_region_with_the_session() -> None:
    http = Answering(200, b"")
    DataPlane(http, SESSION, "eu-west-1").remote_write(f"{URL}/remote_write", b"body")

    ((method, url, headers, body),) = http.sent
    assert (method, url, body) == ("POST", f"{URL}/remote_write", b"body")
    assert "/eu-west-1/aps/aws4_request" in headers["Authorization"]
    assert headers["X-Amz-Security-Token"] == "the/session+token=="
    assert headers["Content-Encoding"] == "snappy"
    assert "the-secret-key" not in repr(headers)


def test_a_query_asks_when_the_newest_samples_were_taken() -> None:
    vector = {"status": "success", "data": {"result": [{"metric": {}, "value": [1790000000, "1789999999.5"]}]}}
    http = Answering(200, json.dumps(vector).encode())

    assert DataPlane(http, SESSION, "eu-west-1").sample_times(f"{URL}/query", 'm{a="b c"}') == (1789999999.5,)
    ((method, url, _unused, _unused),) = http.sent
    assert method == "GET"
    assert url == f"{URL}/query?query=timestamp%28m%7Ba%3D%22b%20c%22%7D%29"


def test_no_series_is_an_empty_answer() -> None:
    http = Answering(200, b'{"status": "success", "data": {"resultType": "vector", "result": []}}')

    assert DataPlane(http, SESSION, "eu-west-1").sample_times(f"{URL}/query", "m") == ()


@pytest.mark.parametrize(
    "body", [b"<html/>", b"[]", b"{}", b'{"data": {"result": [{"value": [1, "x"]}]}}', b'{"data": {"result": 1}}']
)
def test_an_answer_that_is_no_vector_is_an_error(body: bytes) -> None:
    with pytest.raises(errors.CloudError, match="not an instant vector"):
        DataPlane(Answering(200, body), SESSION, "eu-west-1").sample_times(f"{URL}/query", "m")


@pytest.mark.parametrize(
    ("status", "headers", "body", "code", "detail", "kind"),
    [
        (
            403,
            {"x-amzn-errortype": "AccessDeniedException:http://x", "x-amzn-requestid": "r-1"},
            b'{"Message": "User: a is not authorized"}',
            "AccessDeniedException",
            "User: a is not authorized",
            errors.Forbidden,
        ),
        (403, {}, b'{"message": "Missing Authentication Token"}', "", "Missing Authentication Token", errors.Forbidden),
        (
            400,
            {},
            b'{"status": "error", "errorType": "bad_data", "error": "parse error"}',
            "bad_data",
            "parse error",
            errors.CloudError,
        ),
        (400, {}, b"out of order\n  sample", "", "out of order sample", errors.CloudError),
        (400, {}, b'"text"', "", '"text"', errors.CloudError),
        (503, {}, b"", "", "", errors.CloudError),
        (302, {}, b"", "", "", errors.CloudError),
    ],
)
def test_a_refusal_keeps_the_service_s_own_words(
    status: int, headers: dict[str, str], body: bytes, code: str, detail: str, kind: type[errors.CloudError]
) -> None:
    with pytest.raises(errors.CloudError) as caught:
        DataPlane(Answering(status, body, headers), SESSION, "eu-west-1").remote_write(f"{URL}/remote_write", b"")

    assert caught.value.__class__ is kind
    assert (caught.value.status, caught.value.code, caught.value.detail) == (status, code, detail)
    assert caught.value.request_id == headers.get("x-amzn-requestid", "")


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(lambda text: json.dumps({"message": text}).encode(), id="JSON"),
        pytest.param(lambda text: text.encode(), id="text"),
        pytest.param(lambda text: b"x" * 980 + text.encode(), id="near the cut"),
    ],
)
def test_a_refused_signature_that_quotes_the_headers_does_not_pass_the_session_on(
    form: t.Callable[[str], bytes],
) -> None:
    body = form("The canonical string should have been 'x-amz-security-token:the/session+token== the-secret-key'")

    with pytest.raises(errors.Forbidden) as caught:
        DataPlane(Answering(403, body), SESSION, "eu-west-1").remote_write(f"{URL}/remote_write", b"")

    shown = caught.value.message + repr(vars(caught.value))
    assert "the/sess" not in shown
    assert "the-secret" not in shown


def test_an_endless_answer_is_cut() -> None:
    with pytest.raises(errors.CloudError) as caught:
        DataPlane(Answering(500, b"x" * 100_000), SESSION, "eu-west-1").remote_write(f"{URL}/remote_write", b"")

    assert len(caught.value.detail) == 1000
