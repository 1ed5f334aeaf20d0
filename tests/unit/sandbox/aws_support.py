# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS clients that reach the sandbox's account without a network, and an issuer of tokens beside it."""

from __future__ import annotations

import dataclasses
import functools
import io
import time
import typing as t
from urllib.parse import urlencode, urlsplit

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Response

from sandbox.aws import AwsAccount
from sandbox.aws.remote_write import Point, encode
from sandbox.world import CONTROLLER_AWS_ACCESS_KEY, CONTROLLER_AWS_SECRET_KEY, Settings, SigningKey, World

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.world import Json

ACCOUNT = "123456789012"
REGION = "eu-central-1"
CONTROLLER_ARN = f"arn:aws:iam::{ACCOUNT}:user/controller"
ISSUER = "https://westeurope.oic.prod-aks.azure.com/72f988bf-86f1-41af-91ab-2d7cd011db47/7a3f5f6e-5a86-4d5c/"
HOST_AND_PATH = ISSUER.removeprefix("https://")
PROVIDER_ARN = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{HOST_AND_PATH}"
AUDIENCE = "sts.amazonaws.com"
SUBJECT = "system:serviceaccount:monitoring:prometheus-sa"
ROLE = "AKS-Prometheus-AMP-Role"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/{ROLE}"
THUMBPRINT = "0123456789abcdef0123456789abcdef01234567"


@dataclasses.dataclass(frozen=True)
class Keys:
    """An access key as clients hold it."""

    access_key: str = CONTROLLER_AWS_ACCESS_KEY
    secret_key: str = CONTROLLER_AWS_SECRET_KEY
    token: str | None = None

    @classmethod
    def of(cls, answer: Json) -> Keys:
        """The credentials in an answer of STS."""
        given = answer["Credentials"]
        return cls(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])


class Issuer:
    """An issuer as AKS runs one, reached by a function call. ``failure`` is raised instead of an answer."""

    def __init__(self, url: str = ISSUER) -> None:
        self.url = url
        self.key = _signing_key()
        self.failure: Exception | None = None
        self.discovery: Json = {"issuer": url, "jwks_uri": f"{url}openid/v1/jwks"}
        self.requested: list[str] = []

    def fetch(self, url: str) -> Json:
        self.requested.append(url)
        if self.failure is not None:
            raise self.failure
        if url == f"{self.url.rstrip('/')}/.well-known/openid-configuration":
            return self.discovery
        if url.partition("://")[2] == f"{self.url}openid/v1/jwks".partition("://")[2]:
            return {"keys": [self.key.jwk()]}
        raise ConnectionRefusedError(url)

    def top_thumbprint(self, url: str) -> str:
        self.requested.append(url)
        if self.failure is not None:
            raise self.failure
        return THUMBPRINT.upper()

    def token(self, now: float, **changes: t.Any) -> str:
        """A service account's token of an hour; a change to None leaves the claim out."""
        claims = {
            "iss": self.url,
            "aud": [AUDIENCE],
            "sub": SUBJECT,
            "iat": int(now),
            "nbf": int(now),
            "exp": int(now) + 3600,
            **changes,
        }
        return self.key.sign({name: value for name, value in claims.items() if value is not None})


class Aws:
    """The account under test with its clients, its issuer and a clock that only a test moves.

    It begins at the real time, because botocore signs by that.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.now = time.time()
        self.world = World(settings)
        self.issuer = Issuer()
        self.account = AwsAccount(
            self.world, fetch=self.issuer.fetch, top_thumbprint=self.issuer.top_thumbprint, clock=lambda: self.now
        )
        self.application = self.account.create_wsgi()

    def client(self, service: str, region: str = REGION, keys: Keys | None = None) -> t.Any:
        """A boto3 client whose requests are signed by botocore and answered in process."""
        keys = keys or Keys()
        client = _session().client(
            service,
            region_name=region,
            aws_access_key_id=keys.access_key,
            aws_secret_access_key=keys.secret_key,
            aws_session_token=keys.token,
            config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
        )
        client.meta.events.register("before-send", self._answer)
        return client

    def iam(self, keys: Keys | None = None) -> t.Any:
        return self.client("iam", keys=keys)

    def sts(self, keys: Keys | None = None) -> t.Any:
        return self.client("sts", keys=keys)

    def amp(self, region: str = REGION, keys: Keys | None = None) -> t.Any:
        return self.client("amp", region, keys)

    def send(self, request: t.Any) -> Response:
        """Answer a prepared request of botocore."""
        url = urlsplit(request.url)
        builder = EnvironBuilder(
            path=url.path or "/",
            base_url=f"{url.scheme}://{url.netloc}",
            query_string=url.query,
            method=request.method,
            headers=[(name, _text(value)) for name, value in request.headers.items() if name.lower() != "host"],
            data=request.body or b"",
        )
        environ = builder.get_environ()
        target = f"{url.path or '/'}?{url.query}" if url.query else url.path or "/"
        environ["RAW_URI"] = environ["REQUEST_URI"] = target  # as servers hand it on
        return Response.from_app(self.application, environ)

    def _answer(self, request: t.Any, **_: t.Any) -> AWSResponse:
        response = self.send(request)
        return AWSResponse(request.url, response.status_code, dict(response.headers), _Raw(response.data))

    def raw(
        self,
        method: str,
        url: str,
        *,
        service: str = "aps",
        region: str = REGION,
        keys: Keys | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        afterwards: Mapping[str, str] | None = None,
    ) -> Response:
        """Sign and send a request that no client of boto3 makes. ``afterwards`` are headers that are not signed."""
        keys = keys or Keys()
        request = AWSRequest(method=method, url=url, headers=dict(headers or {}), data=body)
        SigV4Auth(Credentials(keys.access_key, keys.secret_key, keys.token), service, region).add_auth(request)
        for name, value in (afterwards or {}).items():
            request.headers[name] = value
        return self.send(request.prepare())

    def unsigned(self, host: str, **fields: str) -> Response:
        """Post a form without signature."""
        request = AWSRequest(
            "POST",
            f"https://{host}/",
            {"Content-Type": "application/x-www-form-urlencoded"},
            urlencode(fields).encode(),
        )
        return self.send(request.prepare())

    def federate(self, policies: Mapping[str, Json] | None = None, **condition: str) -> None:
        """Provider and role as the collection makes them."""
        self.account.seed_provider(ISSUER, [AUDIENCE], [THUMBPRINT])
        self.account.seed_role(ROLE, trust_policy(**condition), policies or {})

    def assume(self, token: str | None = None, **changes: t.Any) -> Json:
        """AssumeRoleWithWebIdentity for the role of :meth:`federate`."""
        parameters = {
            "RoleArn": ROLE_ARN,
            "RoleSessionName": "prometheus",
            "WebIdentityToken": token or self.issuer.token(self.now),
            **changes,
        }
        answer: Json = self.sts().assume_role_with_web_identity(**parameters)
        return answer

    def session(self, *statements: Json) -> Keys:
        """The keys of a session of a federated role with these permissions."""
        self.federate({"test": policy(*statements)} if statements else None)
        return Keys.of(self.assume())

    def remote_write(self, workspace_id: str, keys: Keys, *points: Point, **changes: t.Any) -> Response:
        """Send samples as Prometheus does; ``changes`` are arguments of :meth:`raw`."""
        headers = {
            "Content-Encoding": "snappy",
            "Content-Type": "application/x-protobuf",
            "X-Prometheus-Remote-Write-Version": "0.1.0",
        }
        return self.raw(
            "POST",
            **{
                "url": f"https://aps-workspaces.{REGION}.amazonaws.com/workspaces/{workspace_id}/api/v1/remote_write",
                "keys": keys,
                "headers": headers,
                "body": encode(points),
                **changes,
            },
        )


def trust_policy(*, sub_key: str = f"{HOST_AND_PATH}:sub", aud_key: str = f"{HOST_AND_PATH}:aud") -> Json:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Federated": PROVIDER_ARN},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {"StringEquals": {aud_key: AUDIENCE, sub_key: SUBJECT}},
            }
        ],
    }


def policy(*statements: Json) -> Json:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(action: str, resource: str = "*") -> Json:
    return {"Effect": "Allow", "Action": action, "Resource": resource}


def failure(call: Callable[[], object]) -> tuple[int, str, str]:
    """Status, code and message of the error that a client's call ends in."""
    with pytest.raises(ClientError) as caught:
        call()
    response = caught.value.response
    return (
        response["ResponseMetadata"]["HTTPStatusCode"],
        response["Error"]["Code"],
        response["Error"]["Message"],
    )


@functools.cache
def _signing_key() -> SigningKey:
    """One key for all: making one takes long."""
    return SigningKey()


@functools.cache
def _session() -> boto3.Session:
    """One session for all: it keeps the descriptions of the services."""
    return boto3.Session()


class _Raw(io.BytesIO):
    """A body as botocore wants to read it."""

    def stream(self, **_: t.Any) -> t.Iterator[bytes]:
        yield self.read()


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
