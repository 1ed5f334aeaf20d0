# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ARM client against answers that were seen in the field: what it sends, and what each refusal becomes."""

from __future__ import annotations

import dataclasses
import io
import json
import time
import typing as t

import pytest
import requests
from azure.core.credentials import AccessToken
from azure.core.exceptions import ServiceRequestError, ServiceResponseError
from azure.core.pipeline.transport import HttpTransport
from azure.core.rest._requests_basic import RestRequestsTransportResponse

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.aks_ids import ClusterRef, ClusterScope
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.entra import IdentityRef, Trust
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.arm import ArmClient, Cluster, Flags
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.azure import AzureSession
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.managed_identity import IdentityClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import AzureAuth, Transport

Json = dict[str, t.Any]

REF = ClusterRef("0b1f6471-1bf0-4dda-aec3-cb9272f09590", "rg", "one")
OPERATION = "https://management.azure.com/subscriptions/s/providers/Microsoft.ContainerService/locations/w/operations/o"
BODY: t.Final[Json] = {
    "id": "/subscriptions/s/resourcegroups/rg/providers/Microsoft.ContainerService/managedClusters/one",
    "location": "westeurope",
    "eTag": "e1",
    "properties": {"provisioningState": "Succeeded", "powerState": {"code": "Running"}, "securityProfile": {}},
}
WITHOUT_ETAG: t.Final[Json] = {key: value for key, value in BODY.items() if key != "eTag"}


@dataclasses.dataclass(frozen=True)
class Answer:
    status: int
    body: Json | str = dataclasses.field(default_factory=dict)
    headers: dict[str, str] = dataclasses.field(default_factory=dict)


class _Raw(io.BytesIO):
    """As much of urllib3's answer as requests reads."""

    enforce_content_length = False

    def stream(self, _size: int, decode_content: bool = False) -> t.Iterator[bytes]:  # noqa: ARG002  # urllib3's form
        yield self.read()


_make_response: t.Any = RestRequestsTransportResponse  # its constructor has no annotations


class Script(HttpTransport[t.Any, t.Any]):
    """Answers requests in this order and notes them; one more than that is an error."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.sent: list[t.Any] = []

    def send(self, request: t.Any, **_options: t.Any) -> t.Any:
        self.sent.append(request)
        answer = self.answers.pop(0)
        response = requests.Response()
        response.status_code = answer.status
        response.url = request.url
        response.headers.update({"Content-Type": "application/json", **answer.headers})
        text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
        response.raw = _Raw(text.encode())
        return _make_response(request=request, internal_response=response)

    def open(self) -> None:
        """Nothing to open."""

    def close(self) -> None:
        """Nothing to close."""

    def sleep(self, _seconds: float) -> None:
        """Time does not pass."""

    def __exit__(self, *_exception: object) -> None:
        """Nothing to close."""

    @property
    def lines(self) -> list[str]:
        return [f"{one.method} {one.url.partition('?')[0].rpartition('/')[2]}" for one in self.sent]


class _Token:
    def get_token(self, *_scopes: str, **_options: t.Any) -> AccessToken:
        return AccessToken("token", int(time.time()) + 3000)


def made_session(script: Script) -> AzureSession:
    session = AzureSession(AzureAuth(Transport(), tenant="t", client_id="c", secret="s"), {})
    session.credential = _Token()
    session.transport_options = {"transport": script}
    return session


def client(script: Script) -> ArmClient:
    return ArmClient(made_session(script), REF.subscription_id, poll_interval=0.01, wait_timeout=30)


def snapshot(body: Json | None = None) -> Cluster:
    return client(Script(Answer(200, body or BODY))).get_cluster(REF)


def refusal_of_put(*answers: Answer) -> errors.AksAmpError:
    with pytest.raises(errors.AksAmpError) as caught:
        client(Script(*answers)).set_flags(REF, snapshot(), Flags(True, True))
    return caught.value


def test_a_write_is_the_whole_cluster_under_its_etag_and_ends_with_what_is_there_then() -> None:
    after = {**BODY, "eTag": "e2", "properties": {**BODY["properties"], "oidcIssuerProfile": {"enabled": True}}}
    running = {"name": "o", "status": "InProgress"}
    script = Script(
        Answer(200, BODY, {"Azure-AsyncOperation": OPERATION}),
        Answer(200, running),
        Answer(200, {**running, "status": "Succeeded"}),
        Answer(200, after),
    )
    done = client(script).set_flags(REF, snapshot(), Flags(oidc_issuer=True, workload_identity=True))
    assert (done.etag, done.issuer_enabled) == ("e2", True)
    assert script.lines == ["PUT one", "GET o", "GET o", "GET one"]
    put = script.sent[0]
    assert put.headers["If-Match"] == '"e1"'
    assert json.loads(put.content) == {
        "location": "westeurope",
        "properties": {
            "oidcIssuerProfile": {"enabled": True},
            "securityProfile": {"workloadIdentity": {"enabled": True}},
        },
    }


def test_the_snapshot_is_not_changed_by_a_write() -> None:
    read = snapshot()
    client(Script(Answer(200, BODY))).set_flags(REF, read, Flags(oidc_issuer=True))
    assert "oidcIssuerProfile" not in read.model["properties"]


def test_without_etag_the_cluster_is_compared_right_before_it_is_written() -> None:
    script = Script(Answer(200, WITHOUT_ETAG), Answer(200, WITHOUT_ETAG))
    client(script).set_flags(REF, snapshot(WITHOUT_ETAG), Flags(oidc_issuer=True))
    assert script.lines == ["GET one", "PUT one"]
    assert "if-match" not in {name.lower() for name in script.sent[1].headers}


@pytest.mark.parametrize("now", [{**WITHOUT_ETAG, "tags": {"a": "b"}}, {**WITHOUT_ETAG, "future": {"x": [1]}}, BODY])
def test_without_etag_a_cluster_that_has_changed_since_is_not_written(now: Json) -> None:
    script = Script(Answer(200, now))
    with pytest.raises(errors.Conflict, match="somebody else has changed the cluster since it was read"):
        client(script).set_flags(REF, snapshot(WITHOUT_ETAG), Flags(oidc_issuer=True))
    assert script.lines == ["GET one"]


def test_secrets_are_never_sent_back() -> None:
    secrets = {
        "windowsProfile": {"adminUsername": "u", "adminPassword": "p"},
        "servicePrincipalProfile": {"secret": "p"},
    }
    read = snapshot({**BODY, "properties": {**BODY["properties"], **secrets}})
    script = Script(Answer(200, BODY))
    client(script).set_flags(REF, read, Flags(oidc_issuer=True))
    sent = json.loads(script.sent[0].content)["properties"]
    assert (sent["windowsProfile"], sent["servicePrincipalProfile"]) == ({"adminUsername": "u"}, {})


# Without waiting, and waiting for others


def test_without_waiting_the_operation_is_left_alone() -> None:
    accepted = {**BODY, "properties": {**BODY["properties"], "provisioningState": "Updating"}}
    script = Script(Answer(200, accepted, {"Azure-AsyncOperation": OPERATION}))
    done = client(script).set_flags(REF, snapshot(), Flags(oidc_issuer=True), wait=False)
    assert (done.provisioning_state, done.operation_url, done.is_busy) == ("Updating", OPERATION, True)
    assert script.lines == ["PUT one"]


def busy(**headers: str) -> Answer:
    return Answer(200, {**BODY, "properties": {"provisioningState": "Upgrading"}}, headers)


class Naps:
    """A clock that only sleeping moves on."""

    def __init__(self) -> None:
        self.naps: list[float] = []

    def monotonic(self) -> float:
        return sum(self.naps)


def patient_client(script: Script, clock: Naps) -> ArmClient:
    return ArmClient(
        made_session(script),
        REF.subscription_id,
        poll_interval=10.0,
        wait_timeout=100.0,
        sleep=clock.naps.append,
        monotonic=clock.monotonic,
    )


def test_a_busy_cluster_is_looked_at_until_it_is_idle_and_the_services_delay_wins() -> None:
    clock = Naps()
    script = Script(busy(), busy(**{"Retry-After": "25"}), Answer(200, BODY))
    assert patient_client(script, clock).wait_until_idle(REF).provisioning_state == "Succeeded"
    assert clock.naps == [10.0, 25.0]


def test_a_delay_beyond_the_budget_ends_the_wait_at_once() -> None:
    clock = Naps()
    with pytest.raises(errors.NotReady, match="provisioning state Upgrading"):
        patient_client(Script(busy(**{"Retry-After": "101"})), clock).wait_until_idle(REF)
    assert clock.naps == []


# Lists


def test_all_pages_of_a_list_are_read() -> None:
    more = f"https://management.azure.com/subscriptions/{REF.subscription_id}/more?api-version=1"
    script = Script(
        Answer(200, {"value": [{**BODY, "tags": {"a": "b"}}], "nextLink": more}), Answer(200, {"value": [BODY]})
    )
    listed = client(script).list_clusters(ClusterScope(REF.subscription_id))
    assert [dict(cluster.tags) for cluster in listed] == [{"a": "b"}, {}]


def test_a_group_that_is_not_there_is_one_sentence() -> None:
    script = Script(Answer(404, {"error": {"code": "ResourceGroupNotFound", "message": "Not here."}}))
    with pytest.raises(errors.NotFound, match=r"Resource group rg of subscription .* was not found"):
        client(script).list_clusters(ClusterScope(REF.subscription_id, "rg"))


# Rotation


def test_a_rotation_is_posted_and_waited_for() -> None:
    running = {"name": "o", "status": "InProgress"}
    script = Script(
        Answer(202, "", {"Azure-AsyncOperation": OPERATION, "Location": OPERATION.replace("operations", "results")}),
        Answer(200, running),
        Answer(200, {**running, "status": "Succeeded"}),
        Answer(204, ""),
        Answer(200, BODY),
    )
    assert client(script).rotate_signing_keys(REF).etag == "e1"
    assert script.lines[0] == "POST rotateServiceAccountSigningKeys"
    assert script.lines[-1] == "GET one"


def test_a_rotation_on_a_busy_cluster_is_a_lost_race() -> None:
    script = Script(Answer(409, {"code": "OperationNotAllowed", "message": "Another operation is running."}))
    with pytest.raises(errors.Conflict):
        client(script).rotate_signing_keys(REF)


def test_a_rotation_that_had_begun_is_no_lost_race() -> None:
    """Another rotation would drop the key that it may have replaced."""
    taken = {"name": "o", "status": "Canceled", "error": {"code": "OperationPreempted", "message": "Preempted."}}
    script = Script(Answer(202, "", {"Azure-AsyncOperation": OPERATION}), Answer(200, taken))
    with pytest.raises(errors.Interrupted, match="OperationPreempted"):
        client(script).rotate_signing_keys(REF)


def test_the_right_to_rotate_is_named() -> None:
    script = Script(Answer(403, {"error": {"code": "AuthorizationFailed", "message": "No."}}))
    with pytest.raises(errors.Forbidden) as caught:
        client(script).rotate_signing_keys(REF)
    assert "Allow Microsoft.ContainerService/managedClusters/rotateServiceAccountSigningKeys/action" in caught.value.fix


def test_a_cluster_with_hardly_any_properties_is_read() -> None:
    read = snapshot({"id": "i", "location": "l", "properties": {"securityProfile": None, "powerState": None}})
    assert (read.etag, read.tenant_id, read.power_state, read.workload_identity_enabled) == (None, "", "", False)


# Refusals. AKS's resource provider answers without the envelope that ARM's gateway uses.

ETAG_MISMATCH: t.Final[Json] = {
    "code": "EtagMismatch",
    "details": [{"code": "Unspecified", "message": "rpc error: code = FailedPrecondition desc = Etag mismatched"}],
    "message": "Operation is not allowed: Another operation is in progress",
    "subcode": "PutManagedClusterAndComponents_FailedPrecondition",
}


@pytest.mark.parametrize(
    "answer",
    [
        Answer(409, ETAG_MISMATCH),
        Answer(409, {"code": "OperationNotAllowed", "message": "Another operation (nodepool1 - Updating) is running."}),
        Answer(412, {"error": {"code": "PreconditionFailed", "message": "The ETag does not match."}}),
    ],
)
def test_a_lost_race_is_a_conflict_that_changed_nothing(answer: Answer) -> None:
    refused = refusal_of_put(answer)
    assert isinstance(refused, errors.Conflict)
    assert refused.accepted is False
    assert refused.status == answer.status


def test_the_services_details_are_kept() -> None:
    refused = refusal_of_put(Answer(409, ETAG_MISMATCH, {"x-ms-request-id": "r-1"}))
    assert isinstance(refused, errors.Conflict)
    assert refused.request_id == "r-1"
    assert "Another operation is in progress (rpc error" in refused.message


def test_without_etag_a_refused_write_is_never_repeated_as_it_was() -> None:
    script = Script(Answer(200, WITHOUT_ETAG), Answer(409, ETAG_MISMATCH, {"Retry-After": "7"}))
    with pytest.raises(errors.Conflict) as caught:
        client(script).set_flags(REF, snapshot(WITHOUT_ETAG), Flags(oidc_issuer=True))
    assert script.lines == ["GET one", "PUT one"]
    assert caught.value.retry_after == 7.0


def test_another_409_is_no_lost_race() -> None:
    refused = refusal_of_put(Answer(409, {"error": {"code": "MissingSomething", "message": "No."}}))
    assert refused.__class__ is errors.CloudError


def operation_that_ends(code: str) -> errors.AksAmpError:
    ended = {"name": "o", "status": "Failed", "error": {"code": code, "message": "It did not work."}}
    return refusal_of_put(Answer(200, BODY, {"Azure-AsyncOperation": OPERATION}), Answer(200, ended))


@pytest.mark.parametrize("code", ["OriginalEtagNotExpect", "OperationPreempted", "preempted"])
def test_an_operation_that_loses_a_race_later_is_a_conflict_too(code: str) -> None:
    lost = operation_that_ends(code)
    assert isinstance(lost, errors.Conflict)
    assert lost.accepted is False


# Writes whose outcome is open


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_a_failing_service_leaves_open_whether_it_wrote_and_is_not_asked_twice_for_the_same(status: int) -> None:
    refused = refusal_of_put(Answer(status, "<html>oops</html>", {"Retry-After": "3"}))
    assert isinstance(refused, errors.Interrupted)
    assert (refused.status, refused.retry_after) == (status, 3.0)


PAGE: t.Final = "<html><head><title>Sign in</title></head><body>Sign in to the network first.</body></html>"
HTML: t.Final = {"Content-Type": "text/html"}
UNREADABLE: t.Final = [
    pytest.param(Answer(200, json.dumps(BODY)[:60]), id="half"),
    pytest.param(Answer(201, json.dumps(BODY)[:60]), id="half-created"),
    pytest.param(Answer(200, PAGE, HTML), id="page"),
    pytest.param(Answer(200, PAGE), id="page-as-json"),
    pytest.param(Answer(200, ""), id="empty"),
    pytest.param(Answer(200, "[]"), id="list"),
    pytest.param(Answer(200, {}), id="no-fields"),
]


@pytest.mark.parametrize("wait", [True, False])
@pytest.mark.parametrize("answer", UNREADABLE)
def test_an_answer_that_can_not_be_read_leaves_open_whether_the_service_wrote(answer: Answer, wait: bool) -> None:
    script = Script(answer)
    with pytest.raises(errors.Interrupted) as caught:
        client(script).set_flags(REF, snapshot(), Flags(oidc_issuer=True), wait=wait)
    assert script.lines == ["PUT one"]
    assert caught.value.accepted is False
    assert caught.value.fix.endswith(errors.LOOK_AGAIN)
    assert "<" not in caught.value.message


def test_a_rotation_that_is_answered_by_a_page_may_be_under_way() -> None:
    with pytest.raises(errors.Interrupted):
        client(Script(Answer(200, PAGE, HTML))).rotate_signing_keys(REF)


@pytest.mark.parametrize("answer", [Answer(200, json.dumps(BODY)[:60]), Answer(200, PAGE, HTML), Answer(200, PAGE)])
def test_a_read_whose_answer_can_not_be_read_has_changed_nothing(answer: Answer) -> None:
    with pytest.raises(errors.CloudError, match="the answer can't be understood") as caught:
        client(Script(answer)).get_cluster(REF)
    assert caught.value.__class__ is errors.CloudError


# Managed identities go through a pipeline of their own.

IDENTITY = IdentityRef(REF.subscription_id, "rg", "identity")
TRUST = Trust("https://issuer.example/", "system:serviceaccount:a:b", ("api://AzureADTokenExchange",))


class Whole(Script):
    """As the library's own transport, which reads an answer at once unless it is told that parts are wanted."""

    def send(self, request: t.Any, **options: t.Any) -> t.Any:
        response = super().send(request, **options)
        response.read()
        return response


@pytest.mark.parametrize("answer", UNREADABLE)
def test_a_credential_may_be_written_when_the_answer_can_not_be_read(answer: Answer) -> None:
    script = Whole(answer)
    with IdentityClient(made_session(script)) as identities, pytest.raises(errors.Interrupted) as caught:
        identities.put_credential(IDENTITY, "login", TRUST)
    assert script.lines == ["PUT login"]
    assert caught.value.fix.endswith(errors.LOOK_AGAIN)


def test_a_credential_may_be_deleted_when_the_answer_is_a_page() -> None:
    with IdentityClient(made_session(Whole(Answer(200, PAGE, HTML)))) as identities, pytest.raises(errors.Interrupted):
        identities.delete_credential(IDENTITY, "login")


@pytest.mark.parametrize("status", [200, 204])
def test_a_deletion_is_answered_by_nothing(status: int) -> None:
    with IdentityClient(made_session(Whole(Answer(status, "")))) as identities:
        identities.delete_credential(IDENTITY, "login")


@pytest.mark.parametrize("body", ['{"properties": {"client', PAGE, "[]"])
def test_an_identity_that_can_not_be_read_has_not_changed(body: str) -> None:
    with IdentityClient(made_session(Whole(Answer(200, body)))) as identities:
        with pytest.raises(errors.CloudError, match="the answer can't be understood") as caught:
            identities.identity(IDENTITY)
        assert caught.value.__class__ is errors.CloudError


class Dropping(Script):
    """Loses the connection after the request was sent, or before it came about."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def send(self, request: t.Any, **_options: t.Any) -> t.Any:
        self.sent.append(request)
        raise self.error


def test_a_lost_connection_leaves_open_whether_the_service_wrote() -> None:
    script = Dropping(ServiceResponseError("Connection aborted."))
    with pytest.raises(errors.Interrupted, match="the connection was lost before the answer came"):
        client(script).set_flags(REF, snapshot(), Flags(oidc_issuer=True))
    assert script.lines == ["PUT one"]


def test_a_connection_that_seems_not_to_have_come_about_leaves_the_write_open() -> None:
    """Behind a proxy an answer that is lost on its way is reported like this, too."""
    script = Dropping(ServiceRequestError("Unable to connect to proxy"))
    with pytest.raises(errors.Interrupted):
        client(script).set_flags(REF, snapshot(), Flags(oidc_issuer=True))
    assert script.lines == ["PUT one"]


def test_too_many_requests_are_planned_again_after_the_services_delay() -> None:
    refused = refusal_of_put(
        Answer(429, {"error": {"code": "Throttled", "message": "Slow down."}}, {"Retry-After": "17"})
    )
    assert isinstance(refused, errors.Conflict)
    assert not isinstance(refused, errors.Interrupted)
    assert refused.retry_after == 17.0


def test_an_operation_that_fails_says_why_and_counts_as_accepted() -> None:
    failed = operation_that_ends("QuotaExceeded")
    assert failed.__class__ is errors.CloudError
    assert "QuotaExceeded: It did not work" in failed.message
    assert failed.accepted is True


def test_a_missing_right_is_named() -> None:
    refused = refusal_of_put(Answer(403, {"error": {"code": "AuthorizationFailed", "message": "No."}}))
    assert isinstance(refused, errors.Forbidden)
    assert "Allow Microsoft.ContainerService/managedClusters/write" in refused.fix


def test_a_missing_right_on_a_linked_resource_is_not_taken_for_one_on_the_cluster() -> None:
    message = (
        "The client 'c' with object id 'o' has permission to perform action "
        "'Microsoft.ContainerService/managedClusters/write' on scope '/one'; however, it does not have permission to "
        "perform action(s) 'Microsoft.Network/virtualNetworks/subnets/join/action' on the linked scope(s) '/subnet' "
        "(respectively) or the linked scope(s) are invalid."
    )
    refused = refusal_of_put(Answer(403, {"error": {"code": "LinkedAuthorizationFailed", "message": message}}))
    assert isinstance(refused, errors.Forbidden)
    assert "'Microsoft.Network/virtualNetworks/subnets/join/action' on the linked scope(s) '/subnet'" in refused.message
    assert "the actions that the message names, on the linked scopes that it names" in refused.fix
    assert "managedClusters/write" not in refused.fix
    assert refused.accepted is False


def test_a_page_of_a_proxy_is_an_error_without_code() -> None:
    with pytest.raises(errors.CloudError) as caught:
        client(Script(Answer(400, "<html>blocked</html>"))).get_cluster(REF)
    assert (caught.value.code, caught.value.status) == ("", 400)


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("ResourceNotFound", "AKS cluster one in resource group rg of subscription .* was not found"),
        ("ResourceGroupNotFound", "Resource group rg of subscription .* was not found"),
        ("SubscriptionNotFound", "Subscription 0b1f6471-1bf0-4dda-aec3-cb9272f09590 was not found"),
        ("SomethingElse", "SomethingElse: Not here"),
    ],
)
def test_what_is_missing_is_named(code: str, sentence: str) -> None:
    script = Script(Answer(404, {"error": {"code": code, "message": "Not here."}}))
    with pytest.raises(errors.NotFound, match=sentence):
        client(script).get_cluster(REF)
