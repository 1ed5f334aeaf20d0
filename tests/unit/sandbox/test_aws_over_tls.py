# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The account as clients meet it: by AWS's host names, over TLS, through the proxy, with issuers that really answer."""

from __future__ import annotations

import time
import typing as t

import boto3
import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from sandbox.aws.remote_write import Point, encode
from sandbox.estate import AWS_REGION
from sandbox.world import CONTROLLER_AWS_ACCESS_KEY, CONTROLLER_AWS_SECRET_KEY
from tests.unit.sandbox.aws_support import AUDIENCE, Keys, allow, failure, policy

if t.TYPE_CHECKING:
    from sandbox.server import Sandbox
    from sandbox.world import AksCluster, Json

ROLE = "over-tls"
SUBJECT = "system:serviceaccount:monitoring:prometheus-sa"
METRIC = "over_tls_total"


def client(sandbox: Sandbox, service: str, keys: Keys | None = None) -> t.Any:
    keys = keys or Keys(CONTROLLER_AWS_ACCESS_KEY, CONTROLLER_AWS_SECRET_KEY)
    return boto3.Session().client(
        service,
        region_name=AWS_REGION,
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
        aws_session_token=keys.token,
        verify=str(sandbox.ca_file),
        config=Config(proxies={"https": sandbox.proxy_url}, retries={"total_max_attempts": 1}),
    )


@pytest.fixture
def cluster(sandbox: Sandbox) -> AksCluster:
    """A cluster whose issuer has no provider yet."""
    found = sandbox.cluster("fresh")
    found.body["properties"]["oidcIssuerProfile"] = {"enabled": True, "issuerURL": found.issuer_url}
    return found


def token(cluster: AksCluster, audience: str = AUDIENCE) -> str:
    now = int(time.time())
    return cluster.signing_key.sign(
        {"iss": cluster.issuer_url, "aud": [audience], "sub": SUBJECT, "iat": now, "nbf": now, "exp": now + 3600}
    )


def federate(sandbox: Sandbox, cluster: AksCluster) -> str:
    """Provider and role by IAM's API. Returns the role's ARN."""
    iam = client(sandbox, "iam")
    arn = iam.create_open_id_connect_provider(Url=cluster.issuer_url, ClientIDList=[AUDIENCE])[
        "OpenIDConnectProviderArn"
    ]
    found = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert found["ThumbprintList"] == [sandbox.authority.intermediate_thumbprint]
    host_and_path = cluster.issuer_url.removeprefix("https://")
    trust: Json = policy(
        {
            "Effect": "Allow",
            "Principal": {"Federated": arn},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {f"{host_and_path}:aud": AUDIENCE, f"{host_and_path}:sub": SUBJECT}},
        }
    )
    sandbox.aws.seed_role(ROLE, trust, {"p": policy(allow("aps:RemoteWrite"), allow("aps:QueryMetrics"))})
    return str(iam.get_role(RoleName=ROLE)["Role"]["Arn"])


def signed(sandbox: Sandbox, keys: Keys, method: str, url: str, **request: t.Any) -> requests.Response:
    """Sign for the service and send by requests."""
    prepared = AWSRequest(method=method, url=url, **request)
    SigV4Auth(Credentials(keys.access_key, keys.secret_key, keys.token), "aps", AWS_REGION).add_auth(prepared)
    with requests.Session() as session:
        session.trust_env = False
        return session.request(
            method,
            url,
            headers=dict(prepared.headers.items()),
            data=request.get("data"),
            proxies={"https": sandbox.proxy_url},
            verify=str(sandbox.ca_file),
            timeout=10,
        )


def test_a_sample_travels_by_a_clusters_token(sandbox: Sandbox, cluster: AksCluster) -> None:
    role_arn = federate(sandbox, cluster)
    answer = client(sandbox, "sts").assume_role_with_web_identity(
        RoleArn=role_arn, RoleSessionName="prometheus", WebIdentityToken=token(cluster)
    )
    keys = Keys.of(answer)
    workspace = client(sandbox, "amp").list_workspaces()["workspaces"][0]["workspaceId"]
    endpoint = client(sandbox, "amp").describe_workspace(workspaceId=workspace)["workspace"]["prometheusEndpoint"]
    now_ms = int(time.time() * 1000)
    written = signed(
        sandbox,
        keys,
        "POST",
        f"{endpoint}api/v1/remote_write",
        headers={
            "Content-Encoding": "snappy",
            "Content-Type": "application/x-protobuf",
            "X-Prometheus-Remote-Write-Version": "0.1.0",
        },
        data=encode([Point((("__name__", METRIC), ("cluster", cluster.name)), 42.0, now_ms)]),
    )
    assert written.status_code == 200
    read = signed(sandbox, keys, "GET", f"{endpoint}api/v1/query?query={METRIC}%7Bcluster%3D%22{cluster.name}%22%7D")
    (found,) = read.json()["data"]["result"]
    assert found["value"][1] == "42"
    (sample,) = [sample for sample in sandbox.world.samples if dict(sample.labels)["__name__"] == METRIC]
    assert sample.role_arn == role_arn


def test_the_guides_audience_is_refused(sandbox: Sandbox, cluster: AksCluster) -> None:
    role_arn = federate(sandbox, cluster)
    sts = client(sandbox, "sts")
    assert failure(
        lambda: sts.assume_role_with_web_identity(
            RoleArn=role_arn,
            RoleSessionName="prometheus",
            WebIdentityToken=token(cluster, "api://AzureADTokenExchange"),
        )
    ) == (400, "InvalidIdentityToken", "Incorrect token audience")


def test_an_issuer_that_is_off_gives_no_keys(sandbox: Sandbox, cluster: AksCluster) -> None:
    role_arn = federate(sandbox, cluster)
    held = token(cluster)
    cluster.body["properties"]["oidcIssuerProfile"] = {"enabled": False}
    sts = client(sandbox, "sts")
    status, code, message = failure(
        lambda: sts.assume_role_with_web_identity(RoleArn=role_arn, RoleSessionName="prometheus", WebIdentityToken=held)
    )
    assert (status, code) == (400, "InvalidIdentityToken")
    assert message.startswith("Couldn't retrieve verification key from your identity provider")
    iam = client(sandbox, "iam")
    other = cluster.issuer_url.replace(cluster.issuer_guid, "00000000-0000-0000-0000-000000000000")
    assert failure(lambda: iam.create_open_id_connect_provider(Url=other))[1] == "OpenIdIdpCommunicationError"
