# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Prometheus behind the workspaces, sessions that end early, and the record of exchanged tokens."""

from __future__ import annotations

import hashlib
import typing as t
from urllib.parse import parse_qs

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from werkzeug.wrappers import Request, Response

from sandbox.aws.remote_write import Point
from sandbox.listener import Listener
from sandbox.world import Settings
from tests.unit.sandbox.aws_support import AUDIENCE, REGION, ROLE_ARN, SUBJECT, Aws, Keys, allow

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class Store:
    """Takes what a Prometheus would store, and answers as one."""

    def __init__(self) -> None:
        self.taken: list[Request] = []
        self.status = 204
        self.listener = Listener("store", self._serve)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.port}"

    def _serve(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        request.get_data()
        self.taken.append(request)
        if request.path == "/api/v1/query":
            return Response('{"status": "success"}', content_type="application/json")(environ, start_response)
        return Response("no\n", self.status)(environ, start_response)


@pytest.fixture
def store() -> Iterator[Store]:
    store = Store()
    yield store
    store.listener.close()


@pytest.fixture
def aws(store: Store) -> Aws:
    return Aws(Settings(aps_receiver=store.url))


@pytest.fixture
def workspace(aws: Aws) -> str:
    return aws.account.seed_workspace("demo", REGION)


@pytest.fixture
def keys(aws: Aws) -> Keys:
    return aws.session(allow("aps:*"))


def point(aws: Aws) -> Point:
    return Point((("__name__", "up"),), 1.0, int(aws.now * 1000))


def test_a_write_is_handed_on_as_it_came(aws: Aws, workspace: str, keys: Keys, store: Store) -> None:
    assert aws.remote_write(workspace, keys, point(aws)).status_code == 200
    (request,) = store.taken
    assert (request.method, request.path) == ("POST", "/api/v1/write")
    assert request.headers["Content-Encoding"] == "snappy"
    assert request.headers["X-Prometheus-Remote-Write-Version"] == "0.1.0"
    assert "Authorization" not in request.headers
    (sample,) = aws.world.samples
    assert sample.role_arn == ROLE_ARN
    assert sample.session_arn == aws.world.exchanges[-1].session_arn


def test_what_the_store_refuses_is_not_stored_here_either(aws: Aws, workspace: str, keys: Keys, store: Store) -> None:
    store.status = 400
    answer = aws.remote_write(workspace, keys, point(aws))
    assert (answer.status_code, answer.data) == (400, b"no\n")
    assert aws.world.samples == []
    store.listener.close()
    assert aws.remote_write(workspace, keys, point(aws)).status_code == 503
    assert aws.world.samples == []


def test_what_may_not_write_does_not_reach_the_store(aws: Aws, workspace: str, store: Store) -> None:
    keys = aws.session(allow("aps:QueryMetrics"))
    assert aws.remote_write(workspace, keys, point(aws)).status_code == 403
    assert store.taken == []


def test_a_query_is_answered_by_the_store(aws: Aws, workspace: str, keys: Keys, store: Store) -> None:
    host = f"aps-workspaces.{REGION}.amazonaws.com"
    request = AWSRequest("GET", f"https://{host}/workspaces/{workspace}/api/v1/query", params={"query": "up == 1"})
    SigV4Auth(Credentials(keys.access_key, keys.secret_key, keys.token), "aps", REGION).add_auth(request)
    answer = aws.send(request.prepare())
    assert (answer.status_code, answer.data) == (200, b'{"status": "success"}')
    assert parse_qs(store.taken[-1].get_data(as_text=True)) == {"query": ["up == 1"]}


def test_an_exchange_is_recorded_without_the_token(aws: Aws) -> None:
    aws.federate()
    token = aws.issuer.token(aws.now)
    answer = aws.assume(token)
    (exchange,) = aws.world.exchanges
    assert exchange.token_sha256 == hashlib.sha256(token.encode()).hexdigest()
    assert (exchange.role_arn, exchange.subject, exchange.audience) == (ROLE_ARN, SUBJECT, AUDIENCE)
    assert exchange.session_arn == answer["AssumedRoleUser"]["Arn"]
    assert token not in repr(exchange)


@pytest.mark.parametrize(("longest", "lasts"), [(0, 900), (7, 7), (3600, 900)])
def test_sessions_end_when_the_setting_says_so(longest: int, lasts: int) -> None:
    aws = Aws(Settings(sts_longest_session_seconds=longest))
    aws.federate()
    answer = aws.assume(DurationSeconds=900)
    assert answer["Credentials"]["Expiration"].timestamp() == int(aws.now + lasts)
    assert aws.world.exchanges[0].expires == int(aws.now + lasts)
