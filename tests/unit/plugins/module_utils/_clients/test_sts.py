# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The token exchange client: boto3's own requests against a loopback server that answers what a test tells it to."""

from __future__ import annotations

import http.server
import threading
import traceback
import typing as t
import urllib.parse

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.sts import SessionCredentials, TokenExchange
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import AwsAuth, Transport

if t.TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"
ROLE = "arn:aws:iam::123456789012:role/r"
GRANTED = """<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIAEXAMPLE</AccessKeyId>
<SecretAccessKey>the-secret-key</SecretAccessKey><SessionToken>the-session-token</SessionToken>
<Expiration>2030-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>"""

CHAINED = GRANTED.replace("AssumeRoleWithWebIdentity", "AssumeRole").replace("ASIAEXAMPLE", "ASIACHAINED")


def refusal(code: str, message: str) -> str:
    return (
        '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
        f"<Code>{code}</Code><Message>{message}</Message></Error><RequestId>r-1</RequestId></ErrorResponse>"
    )


class Sts:
    """A loopback STS. ``requests`` are the forms that it was sent, with the authorization header's text."""

    def __init__(self) -> None:
        self.status, self.body = 200, GRANTED
        self.requests: list[dict[str, str]] = []
        sts = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = self.rfile.read(int(self.headers["Content-Length"])).decode()
                sts.requests.append(
                    dict(urllib.parse.parse_qsl(form)) | {"authorization": self.headers.get("Authorization", "")}
                )
                self.send_response(sts.status)
                self.send_header("Content-Type", "text/xml")
                self.send_header("Content-Length", str(len(sts.body)))
                self.end_headers()
                self.wfile.write(sts.body.encode())

            def log_message(self, *_: object) -> None:
                """Keep the test's output clean."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exchange must work on a machine without AWS credentials."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def sts() -> Iterator[Sts]:
    server = Sts()
    yield server
    server.close()


def exchange(sts: Sts) -> SessionCredentials:
    auth = AwsAuth(Transport(), endpoint_url=sts.url)
    return TokenExchange(auth, "eu-west-1").exchange(ROLE, TOKEN, "a-session")


def test_the_request_is_unsigned_and_short_lived(sts: Sts) -> None:
    session = exchange(sts)

    (request,) = sts.requests
    assert request["authorization"] == ""
    assert request["Action"] == "AssumeRoleWithWebIdentity"
    assert request["RoleArn"] == ROLE
    assert request["RoleSessionName"] == "a-session"
    assert request["WebIdentityToken"] == TOKEN
    assert request["DurationSeconds"] == "900"
    assert (session.access_key, session.secret_key, session.session_token) == (
        "ASIAEXAMPLE",
        "the-secret-key",
        "the-session-token",
    )


def test_a_session_does_not_show_its_keys(sts: Sts) -> None:
    shown = repr(exchange(sts))

    for secret in ("ASIAEXAMPLE", "the-secret-key", "the-session-token"):
        assert secret not in shown


def test_a_refusal_has_the_service_s_own_code_text_and_request_id(sts: Sts) -> None:
    sts.status, sts.body = 400, refusal("InvalidIdentityToken", "Incorrect token audience")

    with pytest.raises(errors.CloudError) as caught:
        exchange(sts)

    assert (caught.value.code, caught.value.detail, caught.value.request_id) == (
        "InvalidIdentityToken",
        "Incorrect token audience",
        "r-1",
    )
    assert "AWS STS failed while exchanging" in caught.value.message


def test_a_refusal_that_quotes_the_token_does_not_pass_it_on(sts: Sts) -> None:
    text = f"1 validation error detected: Value '{TOKEN}' at 'webIdentityToken' failed to satisfy constraint"
    sts.status, sts.body = 400, refusal("ValidationError", text)

    with pytest.raises(errors.CloudError) as caught:
        exchange(sts)

    shown = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
    assert "at 'webIdentityToken' failed" in shown
    assert TOKEN not in shown


def test_a_chained_role_is_assumed_by_the_session_whatever_role_the_caller_assumes(sts: Sts) -> None:
    auth = AwsAuth(
        Transport(),
        endpoint_url=sts.url,
        access_key="AKIAOWN",
        secret_key="own",
        assume_role_arn="arn:aws:iam::123456789012:role/admin",
        assume_role_external_id="the-caller-s-own",
        assume_role_session_name="the-caller",
    )
    sts.body = CHAINED
    session = SessionCredentials("ASIAEXAMPLE", "the-secret-key", "the-session-token")

    chained = TokenExchange(auth, "eu-west-1").assume(session, ROLE, "a-session", None)

    assert chained.access_key == "ASIACHAINED"
    (request,) = sts.requests
    assert "Credential=ASIAEXAMPLE/" in request["authorization"]
    assert (request["RoleArn"], request["RoleSessionName"]) == (ROLE, "a-session")
    assert "ExternalId" not in request


def test_no_answer_is_unreachable(sts: Sts) -> None:
    sts.close()

    with pytest.raises(errors.Unreachable):
        exchange(sts)


@pytest.mark.parametrize("mode", ["legacy", "regional"])
def test_the_endpoint_is_the_region_s_own(monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    monkeypatch.setenv("AWS_STS_REGIONAL_ENDPOINTS", mode)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)

    client = TokenExchange(AwsAuth(Transport()), "eu-west-1")

    assert client.endpoint == "https://sts.eu-west-1.amazonaws.com"
