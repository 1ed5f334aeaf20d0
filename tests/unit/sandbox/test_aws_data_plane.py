# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remote write and queries of a workspace."""

from __future__ import annotations

import json
import typing as t
from urllib.parse import urlencode

import cramjam
import pytest
from botocore.awsrequest import AWSRequest

from sandbox.aws.remote_write import Point
from tests.unit.sandbox.aws_support import ACCOUNT, REGION, ROLE, ROLE_ARN, Aws, Keys, allow, failure, policy

if t.TYPE_CHECKING:
    from sandbox.world import Json

SESSION_ARN = f"arn:aws:sts::{ACCOUNT}:assumed-role/{ROLE}/prometheus"
UNKNOWN = "ws-00000000-0000-0000-0000-000000000000"
HEADERS = {
    "Content-Encoding": "snappy",
    "Content-Type": "application/x-protobuf",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}


@pytest.fixture
def aws() -> Aws:
    return Aws()


@pytest.fixture
def workspace(aws: Aws) -> str:
    return aws.account.seed_workspace("demo", REGION)


def arn(workspace_id: str) -> str:
    return f"arn:aws:aps:{REGION}:{ACCOUNT}:workspace/{workspace_id}"


def url(workspace_id: str, path: str = "remote_write", **fields: str) -> str:
    query = f"?{urlencode(fields)}" if fields else ""
    return f"https://aps-workspaces.{REGION}.amazonaws.com/workspaces/{workspace_id}/api/v1/{path}{query}"


def point(aws: Aws, metric: str = "up", value: float = 1.0, age_ms: int = 0, **labels: str) -> Point:
    named = {"__name__": metric, **labels}
    return Point(tuple(sorted(named.items())), value, int(aws.now * 1000) - age_ms)


def answered(response: t.Any) -> tuple[int, Json]:
    return response.status_code, json.loads(response.data)


# Remote write


def test_a_sample_that_is_written_is_stored(aws: Aws, workspace: str) -> None:
    keys = aws.session(allow("aps:RemoteWrite", arn(workspace)))
    sample = point(aws, value=2.5, job="x")
    answer = aws.remote_write(workspace, keys, sample, point(aws, "other"))
    assert (answer.status_code, answer.data) == (200, b"")
    stored, other = aws.world.samples
    assert (stored.labels, stored.value, stored.timestamp_ms) == (sample.labels, 2.5, sample.timestamp_ms)
    assert (stored.workspace_id, stored.role_arn) == (workspace, ROLE_ARN)
    assert dict(other.labels) == {"__name__": "other"}
    entry = aws.world.log.since()[-1]
    assert (entry.service, entry.operation, entry.status, entry.write) == ("aps-workspaces", "RemoteWrite", 200, True)


def test_an_empty_write_is_accepted_and_writes_nothing(aws: Aws, workspace: str) -> None:
    keys = aws.session(allow("aps:RemoteWrite"))
    assert aws.remote_write(workspace, keys).status_code == 200
    assert aws.world.samples == []
    assert not aws.world.log.since()[-1].write


@pytest.mark.parametrize(
    "statements",
    [
        [],
        [allow("aps:GetLabels")],
        [allow("aps:RemoteWrite", arn(UNKNOWN))],
        [allow("aps:RemoteWrite", "arn:aws:aps:us-east-1:*:workspace/*")],
        [allow("aps:RemoteWrite") | {"Condition": {"StringEquals": {"aws:PrincipalArn": "other"}}}],
        [{"Effect": "Allow", "NotAction": "aps:*", "Resource": "*"}],
    ],
)
def test_a_role_without_the_right_may_not_write(aws: Aws, workspace: str, statements: list[Json]) -> None:
    keys = aws.session(*statements)
    assert answered(aws.remote_write(workspace, keys, point(aws))) == (
        403,
        {
            "Message": f"User: {SESSION_ARN} is not authorized to perform: aps:RemoteWrite on resource: "
            f"{arn(workspace)} because no identity-based policy allows the aps:RemoteWrite action"
        },
    )
    assert aws.world.samples == []


def test_a_deny_wins(aws: Aws, workspace: str) -> None:
    keys = aws.session(allow("*"), {"Effect": "Deny", "NotAction": "aps:Get*", "Resource": arn(workspace)})
    status, body = answered(aws.remote_write(workspace, keys, point(aws)))
    assert status == 403
    assert body["Message"].endswith(" with an explicit deny in an identity-based policy")


def test_the_workspaces_tags_are_conditions(aws: Aws) -> None:
    tagged = aws.account.seed_workspace("tagged", REGION, {"Team": "x"})
    untagged = aws.account.seed_workspace("untagged", REGION)
    condition = {"StringEquals": {"aws:ResourceTag/Team": "x"}}
    keys = aws.session(allow("aps:RemoteWrite") | {"Condition": condition})
    assert aws.remote_write(tagged, keys, point(aws)).status_code == 200
    assert aws.remote_write(untagged, keys, point(aws)).status_code == 403


def test_an_unknown_workspace(aws: Aws) -> None:
    keys = aws.session(allow("aps:RemoteWrite"))
    assert answered(aws.remote_write(UNKNOWN, keys, point(aws))) == (404, {"Message": "Workspace not found"})


def test_a_workspace_of_another_region(aws: Aws) -> None:
    there = aws.account.seed_workspace("demo", "us-west-2")
    keys = aws.session(allow("aps:RemoteWrite"))
    assert aws.remote_write(there, keys, point(aws)).status_code == 404


def test_the_signature_must_be_for_the_region_and_the_service(aws: Aws, workspace: str) -> None:
    keys = aws.session(allow("*"))
    for region in ("us-east-1", ""):
        answer = aws.remote_write(workspace, keys, point(aws), region=region)
        assert answered(answer) == (403, {"message": "Credential should be scoped to a valid region. "})
        assert answer.headers["x-amzn-ErrorType"] == "InvalidSignatureException"
    answer = aws.remote_write(workspace, keys, point(aws), service="execute-api")
    assert answered(answer) == (403, {"message": "Credential should be scoped to correct service: 'aps'. "})


def test_the_body_is_signed(aws: Aws, workspace: str) -> None:
    keys = aws.session(allow("*"))
    wrong = Keys(keys.access_key, "wrong", keys.token)
    status, body = answered(aws.remote_write(workspace, wrong, point(aws)))
    assert status == 403
    assert body["message"].startswith("The request signature we calculated does not match the signature you provided.")


def test_the_sessions_token_is_checked(aws: Aws, workspace: str) -> None:
    keys = aws.session(allow("*"))
    answer = aws.remote_write(workspace, Keys(keys.access_key, keys.secret_key, "made up"), point(aws))
    assert answered(answer) == (403, {"message": "The security token included in the request is invalid."})
    assert answer.headers["x-amzn-ErrorType"] == "UnrecognizedClientException"
    aws.now += 3600
    answer = aws.remote_write(workspace, keys, point(aws))
    assert answered(answer) == (403, {"message": "The security token included in the request is expired"})
    assert answer.headers["x-amzn-ErrorType"] == "ExpiredTokenException"


@pytest.mark.parametrize("path", ["remote_write/", "/remote_write", "remote_writes", "", "../remote_write"])
def test_another_path_is_answered_as_if_it_were_unsigned(aws: Aws, workspace: str, path: str) -> None:
    keys = aws.session(allow("*"))
    answer = aws.remote_write(workspace, keys, point(aws), url=url(workspace, path))
    assert answered(answer) == (403, {"message": "Missing Authentication Token"})
    assert answer.headers["x-amzn-ErrorType"] == "MissingAuthenticationTokenException"
    assert aws.world.samples == []


def test_a_doubled_slash_before_the_path(aws: Aws, workspace: str) -> None:
    address = url(workspace).replace(".com/", ".com//")
    answer = aws.remote_write(workspace, aws.session(allow("*")), point(aws), url=address)
    assert answered(answer) == (403, {"message": "Missing Authentication Token"})


def test_an_unsigned_write(aws: Aws, workspace: str) -> None:
    answer = aws.send(AWSRequest("POST", url(workspace), HEADERS, b"").prepare())
    assert answered(answer) == (403, {"message": "Missing Authentication Token"})


def test_a_write_is_a_post(aws: Aws, workspace: str) -> None:
    assert aws.raw("GET", url(workspace), keys=aws.session(allow("*"))).status_code == 403


@pytest.mark.parametrize("when", ["headers", "afterwards"])
def test_the_tenant_header_is_refused_signed_or_not(aws: Aws, workspace: str, when: str) -> None:
    keys = aws.session(allow("*"))
    tenant = {"X-Scope-OrgID": "1"}
    changes = {"headers": HEADERS | tenant} if when == "headers" else {"afterwards": tenant}
    status, body = answered(aws.remote_write(workspace, keys, point(aws), **changes))
    assert status == 403
    assert body["message"].startswith("The request signature we calculated does not match the signature you provided.")
    assert aws.world.samples == []


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"Content-Encoding": "gzip"}, "Content-Encoding"),
        ({"Content-Encoding": None}, "Content-Encoding"),
        ({"Content-Type": "application/json"}, "Content-Type"),
        ({"Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request"}, "Content-Type"),
        ({"X-Prometheus-Remote-Write-Version": None}, "X-Prometheus-Remote-Write-Version"),
        ({"X-Prometheus-Remote-Write-Version": "2.0.0"}, "X-Prometheus-Remote-Write-Version"),
    ],
)
def test_headers_that_remote_write_asks_for(
    aws: Aws, workspace: str, changed: dict[str, str | None], word: str
) -> None:
    headers = {name: value for name, value in (HEADERS | changed).items() if value is not None}
    keys = aws.session(allow("*"))
    status, body = answered(aws.remote_write(workspace, keys, point(aws), headers=headers))
    assert status == 400
    assert word in body["message"]


def test_the_old_messages_full_media_type_is_taken(aws: Aws, workspace: str) -> None:
    headers = HEADERS | {"Content-Type": "application/x-protobuf;proto=prometheus.WriteRequest"}
    assert aws.remote_write(workspace, aws.session(allow("*")), point(aws), headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "snappy: corrupt input"),
        (b"not snappy", "snappy: corrupt input"),
        (bytes(cramjam.snappy.compress(b"framed")), "snappy: corrupt input"),
        (bytes(cramjam.snappy.compress_raw(b"\xff\xff\xff")), "proto: illegal wireType or unexpected EOF"),
    ],
)
def test_bodies_that_are_none(aws: Aws, workspace: str, body: bytes, message: str) -> None:
    keys = aws.session(allow("*"))
    assert answered(aws.remote_write(workspace, keys, body=body)) == (400, {"message": message})


def test_a_role_without_the_right_does_not_learn_that_its_body_is_bad(aws: Aws, workspace: str) -> None:
    assert aws.remote_write(workspace, aws.session(), body=b"not snappy").status_code == 403


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ((("job", "x"),), "without a metric name"),
        ((("__name__", "not-a-name"),), "invalid metric name"),
        ((("__name__", "up"), ("bad-label", "x")), "invalid label"),
        ((("__name__", "up"), ("job", "")), "invalid label"),
        ((("job", "x"), ("__name__", "up")), "not sorted or not unique"),
        ((("__name__", "up"), ("job", "x"), ("job", "y")), "not sorted or not unique"),
    ],
)
def test_labels_that_prometheus_does_not_take(
    aws: Aws, workspace: str, labels: tuple[tuple[str, str], ...], words: str
) -> None:
    bad = Point(labels, 1.0, int(aws.now * 1000))
    status, body = answered(aws.remote_write(workspace, aws.session(allow("*")), point(aws), bad))
    assert status == 400
    assert words in body["message"]
    assert aws.world.samples == []  # all or none


def test_samples_older_than_an_hour_are_refused(aws: Aws, workspace: str) -> None:
    keys = aws.session(allow("*"))
    assert aws.remote_write(workspace, keys, point(aws, age_ms=3_599_000)).status_code == 200
    status, body = answered(aws.remote_write(workspace, keys, point(aws, age_ms=3_601_000)))
    assert status == 400
    assert "older than one hour" in body["message"]


# Queries


@pytest.fixture
def filled(aws: Aws, workspace: str) -> str:
    """A workspace with some series."""
    keys = aws.session(allow("*"))
    points = [
        point(aws, "up", 0, 60_000, job="a"),
        point(aws, "up", 1, 30_000, job="a"),
        point(aws, "up", 0.5, 0, job="b"),
        point(aws, "old", 1, 300_000),
        point(aws, "temperature", float("inf"), 0, room="x"),
    ]
    assert aws.remote_write(workspace, keys, *points).status_code == 200
    return workspace


def ask(aws: Aws, workspace: str, path: str, keys: Keys | None = None, **fields: str) -> t.Any:
    """A successful answer's data. ``match`` stands for the argument ``match[]``."""
    fields = {"match[]" if name == "match" else name: value for name, value in fields.items()}
    status, body = answered(aws.raw("GET", url(workspace, path, **fields), keys=keys))
    assert (status, body["status"]) == (200, "success")
    return body["data"]


def test_a_query_answers_the_newest_value_of_each_series(aws: Aws, filled: str) -> None:
    at = f"{aws.now:.3f}"
    data = ask(aws, filled, "query", query="up", time=at)
    assert data == {
        "resultType": "vector",
        "result": [
            {"metric": {"__name__": "up", "job": "a"}, "value": [float(at), "1"]},
            {"metric": {"__name__": "up", "job": "b"}, "value": [float(at), "0.5"]},
        ],
    }
    (early,) = ask(aws, filled, "query", query='up{job="a"}', time=f"{aws.now - 45:.3f}")["result"]
    assert early["value"][1] == "0"
    assert ask(aws, filled, "query", query="old", time=at)["result"] == []  # five minutes ago
    assert ask(aws, filled, "query", query="temperature", time=at)["result"][0]["value"][1] == "+Inf"


def test_a_query_may_be_posted(aws: Aws, filled: str) -> None:
    form = urlencode({"query": 'up{job=~"a|c"}', "time": f"{aws.now:.3f}"}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    status, body = answered(aws.raw("POST", url(filled, "query"), headers=headers, body=form))
    assert status == 200
    assert [found["metric"]["job"] for found in body["data"]["result"]] == ["a"]


def test_a_time_may_be_rfc_3339(aws: Aws, filled: str) -> None:
    assert ask(aws, filled, "query", query="up", time="2020-01-01T00:00:00Z")["result"] == []


@pytest.mark.parametrize(
    "fields", [{"query": "sum(up)"}, {"query": ""}, {}, {"query": "{}"}, {"query": "up", "time": "noon"}]
)
def test_queries_that_are_not_understood(aws: Aws, filled: str, fields: dict[str, str]) -> None:
    status, body = answered(aws.raw("GET", url(filled, "query", **fields)))
    assert (status, body["status"], body["errorType"]) == (400, "error", "bad_data")


def test_series_and_labels(aws: Aws, filled: str) -> None:
    series = ask(aws, filled, "series", match="up")
    assert series == [{"__name__": "up", "job": "a"}, {"__name__": "up", "job": "b"}]
    assert answered(aws.raw("GET", url(filled, "series")))[0] == 400
    assert ask(aws, filled, "labels") == ["__name__", "job", "room"]
    assert ask(aws, filled, "labels", match="temperature") == ["__name__", "room"]
    assert ask(aws, filled, "label/__name__/values") == ["old", "temperature", "up"]
    assert ask(aws, filled, "metadata") == {}


def test_workspaces_are_apart(aws: Aws, filled: str) -> None:
    other = aws.account.seed_workspace("other", REGION)
    assert ask(aws, other, "labels") == []
    assert ask(aws, filled, "labels") != []


@pytest.mark.parametrize(
    ("path", "fields", "action"),
    [
        ("query", {"query": "up"}, "aps:QueryMetrics"),
        ("series", {"match": "up"}, "aps:GetSeries"),
        ("labels", {}, "aps:GetLabels"),
        ("label/job/values", {}, "aps:GetLabels"),
        ("metadata", {}, "aps:GetMetricMetadata"),
    ],
)
def test_each_question_has_its_own_right(
    aws: Aws, workspace: str, path: str, fields: dict[str, str], action: str
) -> None:
    """So the guide's test by ``/api/v1/labels`` fails for a role that may only write."""
    keys = aws.session(allow("aps:RemoteWrite"))
    status, body = answered(aws.raw("GET", url(workspace, path, **fields), keys=keys))
    assert status == 403
    assert body["Message"].startswith(f"User: {SESSION_ARN} is not authorized to perform: {action} on resource: ")
    aws.iam().put_role_policy(RoleName=ROLE, PolicyName="read", PolicyDocument=json.dumps(policy(allow(action))))
    assert ask(aws, workspace, path, keys, **fields) is not None
    assert not any(entry.write for entry in aws.world.log.since() if entry.service == "aps-workspaces")


def test_the_controller_reads_by_its_own_policies(aws: Aws, filled: str) -> None:
    assert ask(aws, filled, "labels")
    aws.account.set_controller_policies(policy(allow("iam:*")))
    assert aws.raw("GET", url(filled, "labels")).status_code == 403
    assert failure(aws.amp().list_workspaces)[1] == "AccessDeniedException"
