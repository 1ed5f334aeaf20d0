# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Working in other accounts and partitions: roles assumed at the sandbox's STS, endpoints as boto3 resolves them."""

from __future__ import annotations

import dataclasses
import http.server
import threading
import time
import types
import typing as t

import boto3
import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.amp import AmpWorkspaces
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.aws import AwsSession, aws_errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import AwsAccount, FederationError
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import AwsAuth, Transport
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import amp_workspace
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import result_values
from sandbox.testing import running_sandbox
from sandbox.world import AWS_ACCOUNT, CONTROLLER_AWS_ACCESS_KEY, CONTROLLER_AWS_SECRET_KEY
from tests.unit.plugins.module_utils._resources.aws_modules import Runner

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.server import Sandbox

REGION = "eu-west-1"
ROLE_ARN = f"arn:aws:iam::{AWS_ACCOUNT}:role/fleet/metrics-admin"
NAMED_ROLE_ARN = f"arn:aws:iam::{AWS_ACCOUNT}:role/metrics-admin"
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
KEYS: dict[str, t.Any] = {"access_key": "AKIAEXAMPLEEXAMPLE00", "secret_key": "unit-test-secret"}


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials, region, endpoint or profile of the machine that runs the tests."""
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "PROFILE", "REGION", "DEFAULT_REGION"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_IAM", "AWS_USE_FIPS_ENDPOINT", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with running_sandbox() as running:
        yield running


@pytest.fixture
def runner(sandbox: Sandbox) -> Runner:
    """A sandbox with a role that the controller may assume with an external ID."""
    sandbox.reset()
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": AWS_ACCOUNT},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": "fleet-7"}},
    }
    sandbox.aws.seed_role("metrics-admin", {"Version": "2012-10-17", "Statement": [statement]}, {"all": EVERYTHING})
    return Runner(sandbox)


def find(runner: Runner, *, check_mode: bool = False, **options: t.Any) -> dict[str, object]:
    assumed = {"assume_role_arn": NAMED_ROLE_ARN, "assume_role_external_id": "fleet-7"}
    result = runner.run(
        amp_workspace.DEFINITION, check_mode=check_mode, **{"alias": "fleet-metrics", **assumed, **options}
    )
    return result_values(result)


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_module_works_as_the_assumed_role_in_check_mode_too(runner: Runner, check_mode: bool) -> None:
    # The controller itself may do nothing but assume the role.
    assume = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
    runner.sandbox.aws.set_controller_policies({"Version": "2012-10-17", "Statement": [assume]})
    start = runner.last_request
    values = find(runner, check_mode=check_mode)
    assert t.cast("dict[str, str]", values["workspace"])["alias"] == "fleet-metrics"
    assert runner.operations_since(start) == ["AssumeRole", "ListWorkspaces", "DescribeWorkspace"]  # assumed once
    assert runner.writes_since(start) == []
    assert "fleet-7" not in str(values)


def test_the_account_is_that_of_the_assumed_role(runner: Runner) -> None:
    connection = runner.connection
    foreign = runner.sandbox.aws.seed_foreign_session("arn:aws:iam::210987654321:role/controller", EVERYTHING)
    own = AwsAuth(
        Transport(connection["https_proxy"], connection["ca_bundle"]),
        REGION,
        None,
        foreign.access_key,
        foreign.secret_key,
        foreign.token,
    )
    assert AwsSession(own).caller_account() == AwsAccount("aws", "210987654321")
    trust = {"Effect": "Allow", "Principal": {"AWS": "210987654321"}, "Action": "sts:AssumeRole"}
    runner.sandbox.aws.seed_role("over", {"Version": "2012-10-17", "Statement": [trust]}, {})
    over = AwsSession(replaced(own, assume_role_arn=f"arn:aws:iam::{AWS_ACCOUNT}:role/over"))
    assert over.caller_account() == AwsAccount("aws", AWS_ACCOUNT)


def replaced(auth: AwsAuth, **changes: t.Any) -> AwsAuth:
    return dataclasses.replace(auth, **changes)


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ({"assume_role_external_id": "other"}, "an external ID differs from the one given"),
        ({"assume_role_external_id": ""}, "is asked for and assume_role_external_id is empty"),
        ({"assume_role_arn": ROLE_ARN}, "the role does not exist"),
    ],
)
def test_a_role_that_can_t_be_assumed_is_named_with_the_causes(
    runner: Runner, options: dict[str, t.Any], cause: str
) -> None:
    with pytest.raises(errors.Forbidden) as caught:
        find(runner, **options)
    role = options.get("assume_role_arn", NAMED_ROLE_ARN)
    assert caught.value.action == f"assuming role {role}"
    assert caught.value.code == "AccessDenied"
    assert cause in caught.value.fix
    assert "fleet-7" not in caught.value.sentence()


def test_a_session_has_the_name_that_was_asked_for(runner: Runner) -> None:
    connection = runner.connection
    auth = AwsAuth(
        Transport(connection["https_proxy"], connection["ca_bundle"]),
        REGION,
        None,
        CONTROLLER_AWS_ACCESS_KEY,
        CONTROLLER_AWS_SECRET_KEY,
        assume_role_arn=NAMED_ROLE_ARN,
        assume_role_external_id="fleet-7",
    )
    for name, shown in ((None, "crosscloud.aks_amp"), ("ticket-4711", "ticket-4711")):
        identity = AwsSession(replaced(auth, assume_role_session_name=name)).client("sts").get_caller_identity()
        assert identity["Arn"] == f"arn:aws:sts::{AWS_ACCOUNT}:assumed-role/metrics-admin/{shown}"


def test_a_profile_s_role_is_assumed_through_the_proxy_and_with_the_ca_file(runner: Runner, tmp_path: Path) -> None:
    # boto3 makes the client for it by itself; that one must take the module's transport as well.
    (tmp_path / "config").write_text(
        "[profile base]\n[profile metrics]\n"
        f"role_arn = {NAMED_ROLE_ARN}\nsource_profile = base\nexternal_id = fleet-7\nregion = {REGION}\n",
        encoding="ascii",
    )
    (tmp_path / "credentials").write_text(
        f"[base]\naws_access_key_id = {CONTROLLER_AWS_ACCESS_KEY}\n"
        f"aws_secret_access_key = {CONTROLLER_AWS_SECRET_KEY}\n",
        encoding="ascii",
    )
    connection = runner.connection
    transport = Transport(connection["https_proxy"], connection["ca_bundle"])
    session = AwsSession(AwsAuth(transport, profile="metrics"))
    assert session.region == REGION
    assert "assumed-role/metrics-admin/" in session.client("sts").get_caller_identity()["Arn"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"assume_role_external_id": "x1"}, "assume_role_external_id is given without assume_role_arn"),
        ({"assume_role_arn": "metrics-admin"}, "is not the ARN of an IAM role"),
        ({"assume_role_arn": ROLE_ARN, "assume_role_external_id": "with blank"}, "assume_role_external_id is not one"),
        ({"assume_role_arn": ROLE_ARN, "assume_role_session_name": "a/b"}, "assume_role_session_name: 'a/b' is not"),
        ({"assume_role_arn": ROLE_ARN, "region": "us-gov-west-1"}, "us-gov-west-1 is a region of aws-us-gov"),
        ({"assume_role_arn": "arn:aws-cn:iam::123456789012:role/r"}, "partition aws-cn, and no region is known"),
        ({"use_fips_endpoint": True, "endpoint_url": "https://localhost:1"}, "exclude each other"),
    ],
)
def test_bad_input_is_refused_before_any_request(options: dict[str, t.Any], text: str) -> None:
    with pytest.raises((errors.InvalidInput, FederationError), match=text):
        AwsSession(AwsAuth(Transport(), **KEYS, **options))


@pytest.mark.parametrize(
    ("region", "partition", "host"),
    [
        ("eu-west-1", "aws", "iam.amazonaws.com"),
        ("us-gov-west-1", "aws-us-gov", "iam.us-gov.amazonaws.com"),
        ("cn-north-1", "aws-cn", "iam.cn-north-1.amazonaws.com.cn"),
        ("eusc-de-east-1", "aws-eusc", "iam.eusc-de-east-1.amazonaws.eu"),
    ],
)
def test_each_partition_has_endpoints_of_its_own(region: str, partition: str, host: str) -> None:
    if partition not in boto3.Session().get_available_partitions():
        # A boto3 from before that partition would ask the standard one.
        with pytest.raises(errors.InvalidInput, match="does not know the partition of the region eusc-de-east-1"):
            AwsSession(AwsAuth(Transport(), region, **KEYS))
        return
    client = AwsSession(AwsAuth(Transport(), region, **KEYS)).client("iam")
    assert client.meta.endpoint_url == f"https://{host}"
    assert client.meta.partition == partition
    role = f"arn:{partition}:iam::123456789012:role/r"
    AwsSession(AwsAuth(Transport(), region, **KEYS, assume_role_arn=role))  # fits


def test_a_partition_that_boto3_does_not_know_is_never_taken_for_the_standard_one() -> None:
    with pytest.raises(
        errors.InvalidInput, match="does not know the partition of the region us-isoz-south-1"
    ) as caught:
        AwsSession(AwsAuth(Transport(), "us-isoz-south-1", **KEYS))
    assert caught.value.fix == "Install a later one."
    AwsSession(AwsAuth(Transport(), "us-isoz-south-1", **KEYS, endpoint_url="https://localhost:1"))
    AwsSession(AwsAuth(Transport(), "zz-new-1", **KEYS))  # a new corner of the standard partition


def test_the_look_up_says_that_amp_is_not_in_china() -> None:
    session = AwsSession(AwsAuth(Transport(), "cn-northwest-1", **KEYS))
    with pytest.raises(errors.InvalidInput) as caught:
        AmpWorkspaces(session)
    assert caught.value.sentence() == (
        "Amazon Managed Prometheus is not there in the partition aws-cn (region cn-northwest-1). Only the IAM provider "
        "and role can be made there: give a workspace of another partition, with credentials for it."
    )
    AmpWorkspaces(AwsSession(AwsAuth(Transport(), "us-gov-west-1", **KEYS)))


def test_rejected_credentials_without_a_region_may_be_another_partition_s(runner: Runner) -> None:
    connection = runner.connection
    auth = AwsAuth(Transport(connection["https_proxy"], connection["ca_bundle"]), **KEYS)
    with pytest.raises(errors.CloudError) as caught:
        AwsSession(auth).caller_account()
    assert "Credentials of aws-us-gov, aws-cn or aws-eusc are known there only: give region." in caught.value.fix
    with pytest.raises(errors.CloudError) as caught:
        AwsSession(replaced(auth, region=REGION)).caller_account()
    assert "aws-us-gov" not in caught.value.fix


def test_fips_endpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    def host(service: str, **options: t.Any) -> str:
        return str(AwsSession(AwsAuth(Transport(), "us-east-1", **KEYS, **options)).client(service).meta.endpoint_url)

    assert host("sts", use_fips_endpoint=True) == "https://sts-fips.us-east-1.amazonaws.com"
    assert host("iam", use_fips_endpoint=True) == "https://iam-fips.amazonaws.com"
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    assert host("sts") == "https://sts-fips.us-east-1.amazonaws.com"
    assert "fips" not in host("sts", use_fips_endpoint=False)


def test_the_endpoint_of_a_single_service_comes_before_that_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://localhost:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_IAM", "https://localhost:2")

    def url(service: str, **options: t.Any) -> str:
        return str(AwsSession(AwsAuth(Transport(), REGION, **KEYS, **options)).client(service).meta.endpoint_url)

    assert (url("sts"), url("iam")) == ("https://localhost:1", "https://localhost:2")
    assert url("iam", endpoint_url="https://localhost:3") == "https://localhost:3"


class Throttling(http.server.BaseHTTPRequestHandler):
    """IAM that is asked too often: it refuses some requests and then answers."""

    refusals = 0
    asked = 0

    def do_POST(self) -> None:
        cls = type(self)
        cls.asked += 1
        self.rfile.read(int(self.headers["Content-Length"]))
        refused = cls.asked <= cls.refusals
        body = (
            b"<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message></Error>"
            b"<RequestId>c0ffee</RequestId></ErrorResponse>"
            if refused
            else b"<ListOpenIDConnectProvidersResponse><ListOpenIDConnectProvidersResult><OpenIDConnectProviderList/>"
            b"</ListOpenIDConnectProvidersResult></ListOpenIDConnectProvidersResponse>"
        )
        self.send_response(400 if refused else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_unused: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize(("refusals", "succeeds"), [(5, True), (6, False)])
def test_throttling_is_retried_with_growing_pauses_and_not_for_ever(
    refusals: int, succeeds: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused: list[float] = []
    # botocore's own view of the clock only: other threads of this process go on sleeping.
    monkeypatch.setattr("botocore.endpoint.time", types.SimpleNamespace(**{**vars(time), "sleep": paused.append}))
    handler = type("Handler", (Throttling,), {"refusals": refusals})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            url = f"http://127.0.0.1:{server.server_port}"
            client = AwsSession(AwsAuth(Transport(), REGION, **KEYS, endpoint_url=url)).client("iam")
            if succeeds:
                assert client.list_open_id_connect_providers()["OpenIDConnectProviderList"] == []
            else:
                with pytest.raises(errors.CloudError) as caught, aws_errors("iam", "listing IAM OIDC providers"):
                    client.list_open_id_connect_providers()
                assert "run again, with fewer forks" in caught.value.fix
        finally:
            server.shutdown()
    assert len(paused) == 5
