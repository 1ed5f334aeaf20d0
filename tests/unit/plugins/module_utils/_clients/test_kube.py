# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Kubernetes client against a server that gives prepared answers: what it sends, and what answers become."""

from __future__ import annotations

import dataclasses
import http.server
import json
import threading
import typing as t

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube import Access, KubeClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import (
    CONFIG_MAP,
    DEPLOYMENT,
    NAMESPACE,
    POD,
    SERVICE_ACCOUNT,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import KubeAuth

if t.TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, t.Any]

TOKEN = "unit-test-token"
CONFIG = CONFIG_MAP.at("prometheus-config", "monitoring")
ACCOUNT = SERVICE_ACCOUNT.at("prometheus-sa", "monitoring")


@dataclasses.dataclass(frozen=True)
class Prepared:
    """An answer to give. ``body`` is text, or an object that is sent as JSON."""

    status: int
    body: Json | str
    headers: tuple[tuple[str, str], ...] = ()


@dataclasses.dataclass(frozen=True)
class Received:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: t.Any


class Api:
    """A server that answers with what ``answers`` holds, in this order, and keeps the requests."""

    def __init__(self, server: http.server.ThreadingHTTPServer) -> None:
        self.answers: list[Prepared] = []
        self.requests: list[Received] = []
        self.url = f"http://127.0.0.1:{server.server_address[1]}"

    def client(self) -> KubeClient:
        return KubeClient(KubeAuth(host=self.url, api_key=TOKEN))

    def respond(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("Content-Length") or 0)
        body = json.loads(handler.rfile.read(length)) if length else None
        self.requests.append(Received(handler.command, handler.path, dict(handler.headers), body))
        prepared = self.answers.pop(0)
        content = prepared.body if isinstance(prepared.body, str) else json.dumps(prepared.body)
        handler.send_response(prepared.status)
        for name, value in (*prepared.headers, ("Content-Length", str(len(content.encode())))):
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content.encode())


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)

    class Handler(http.server.BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            stub.respond(self)

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

        do_GET = do_POST = do_PATCH = do_DELETE = handle_any  # noqa: N815  # http.server's names

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        stub = Api(server)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield stub
        finally:
            server.shutdown()
            thread.join()


def failure(code: int, reason: str, message: str = "no", **details: t.Any) -> Prepared:
    """A failure as an API server words it."""
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": message,
        "reason": reason,
        "details": details,
        "code": code,
    }
    return Prepared(code, body, (("Audit-Id", "audit-1"),))


def configmap(version: str = "7") -> Json:
    metadata = {"name": "x", "namespace": "monitoring", "uid": "u-1", "resourceVersion": version}
    return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": metadata}


def deployment() -> Json:
    spec = {"selector": {}, "template": {"spec": {"containers": [{"name": "prometheus"}]}}}
    return {**configmap(), "kind": "Deployment", "spec": spec}


def pod(name: str) -> Json:
    return {"metadata": {**configmap()["metadata"], "name": name}, "spec": {"containers": []}}


def test_a_read_is_one_authenticated_request(api: Api) -> None:
    api.answers = [Prepared(200, configmap())]
    assert api.client().get(CONFIG) == configmap()
    (request,) = api.requests
    assert (request.method, request.path) == ("GET", "/api/v1/namespaces/monitoring/configmaps/prometheus-config")
    assert request.headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    ("reference", "path"),
    [
        (NAMESPACE.at("monitoring"), "/api/v1/namespaces/monitoring"),
        (DEPLOYMENT.at("p", "m"), "/apis/apps/v1/namespaces/m/deployments/p"),
        (CONFIG_MAP.at("a/../b?c", "m"), "/api/v1/namespaces/m/configmaps/a%2F..%2Fb%3Fc"),
    ],
)
def test_paths(api: Api, reference: t.Any, path: str) -> None:
    api.answers = [Prepared(200, deployment())]
    api.client().get(reference)
    assert api.requests[0].path == path


def test_an_object_that_has_not_the_form_of_its_kind_is_refused(api: Api) -> None:
    api.answers = [Prepared(200, {**configmap(), "data": ["prometheus.yml"]})]
    with pytest.raises(errors.CloudError, match=r"the answer is odd: ConfigMap\.data is no object\."):
        api.client().get(CONFIG)


def test_a_missing_object_is_none(api: Api) -> None:
    api.answers = [failure(404, "NotFound", 'configmaps "prometheus-config" not found')]
    assert api.client().get(CONFIG) is None


@pytest.mark.parametrize("prepared", [Prepared(404, "404 page not found"), Prepared(200, "<html>Log in</html>")])
def test_an_answer_of_something_else_is_not_a_missing_object(api: Api, prepared: Prepared) -> None:
    api.answers = [prepared]
    with pytest.raises(errors.CloudError, match="without an object of the API's") as caught:
        api.client().get(CONFIG)
    assert "host" in caught.value.fix


def test_a_creation_carries_kind_and_names(api: Api) -> None:
    api.answers = [Prepared(201, configmap())]
    api.client().create(ACCOUNT, {"metadata": {"labels": {"a": "b"}}})
    (request,) = api.requests
    assert (request.method, request.path) == ("POST", "/api/v1/namespaces/monitoring/serviceaccounts")
    assert request.body == {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"labels": {"a": "b"}, "name": "prometheus-sa", "namespace": "monitoring"},
    }


def test_a_patch_is_a_merge_patch_with_the_version_that_was_read(api: Api) -> None:
    api.answers = [Prepared(200, configmap("8"))]
    patched = api.client().merge_patch(CONFIG, {"data": {"k": "v"}}, resource_version="7")
    assert patched["metadata"]["resourceVersion"] == "8"
    (request,) = api.requests
    assert request.method == "PATCH"
    assert request.headers["Content-Type"] == "application/merge-patch+json"
    assert request.body == {"data": {"k": "v"}, "metadata": {"resourceVersion": "7"}}


def test_a_rehearsal_is_the_same_patch_as_a_dry_run(api: Api) -> None:
    api.answers = [Prepared(200, configmap())] * 2
    for dry_run in (False, True):
        api.client().merge_patch(CONFIG, {"data": {"k": "v"}}, resource_version="7", dry_run=dry_run)
    real, rehearsed = api.requests
    assert (real.path, rehearsed.path) == (CONFIG.path, f"{CONFIG.path}?dryRun=All")
    assert real.body == rehearsed.body


def test_a_strict_patch_says_so(api: Api) -> None:
    api.answers = [Prepared(200, configmap())] * 2
    for dry_run in (False, True):
        api.client().merge_patch(CONFIG, {}, resource_version="7", dry_run=dry_run, strict=True)
    assert [request.path for request in api.requests] == [
        f"{CONFIG.path}?fieldValidation=Strict",
        f"{CONFIG.path}?dryRun=All&fieldValidation=Strict",
    ]


@pytest.mark.parametrize(
    ("status", "reason", "message", "fix"),
    [
        (
            400,
            "",
            'admission webhook "validate.kyverno.svc-fail" denied the request: no hostPath',
            "Satisfy the admission webhook validate.kyverno.svc-fail, or have its owner let this change through.",
        ),
        (
            403,
            "Forbidden",
            'admission webhook "validation.gatekeeper.sh" denied the request: [limits] none',
            "Satisfy the admission webhook validation.gatekeeper.sh, or have its owner let this change through.",
        ),
        (
            422,
            "Invalid",
            "deployments.apps \"p\" is forbidden: ValidatingAdmissionPolicy 'limits' with binding 'b' denied request",
            "Satisfy the admission policy limits, or have its owner let this change through.",
        ),
        (
            500,
            "InternalError",
            'Internal error occurred: failed calling webhook "x.example.com": context deadline exceeded',
            "See that this admission webhook's pods run, or ask its owner.",
        ),
    ],
)
def test_refusals_of_admission_are_no_missing_right(api: Api, status: int, reason: str, message: str, fix: str) -> None:
    api.answers = [failure(status, reason, message)]
    with pytest.raises(errors.CloudError) as caught:
        api.client().merge_patch(CONFIG, {}, resource_version="7", dry_run=True)
    assert not isinstance(caught.value, errors.Forbidden)
    assert message in caught.value.message
    assert caught.value.fix == fix


@pytest.mark.parametrize("reason", ["Conflict", "AlreadyExists"])
def test_another_writer_is_a_conflict(api: Api, reason: str) -> None:
    api.answers = [failure(409, reason, "the object has been modified")] * 2
    with pytest.raises(errors.Conflict) as caught:
        api.client().merge_patch(CONFIG, {}, resource_version="7")
    assert caught.value.code == reason
    assert caught.value.request_id == "audit-1"
    with pytest.raises(errors.Conflict):
        api.client().create(CONFIG, {})


def test_an_object_that_vanished_before_the_patch_is_a_conflict(api: Api) -> None:
    api.answers = [failure(404, "NotFound")]
    with pytest.raises(errors.Conflict):
        api.client().merge_patch(CONFIG, {}, resource_version="7")


def test_a_deletion_is_of_the_version_that_was_read(api: Api) -> None:
    api.answers = [Prepared(200, configmap()), Prepared(200, {"kind": "Status", "status": "Success"})]
    for _unused in range(2):
        api.client().delete(CONFIG, uid="u-1", resource_version="7")
    request = api.requests[0]
    assert (request.method, request.path) == ("DELETE", CONFIG.path)
    assert request.body["preconditions"] == {"uid": "u-1", "resourceVersion": "7"}


def test_what_is_gone_already_is_deleted(api: Api) -> None:
    api.answers = [failure(404, "NotFound")]
    api.client().delete(CONFIG, uid="u-1", resource_version="7")


def test_another_writer_before_a_deletion_is_a_conflict(api: Api) -> None:
    api.answers = [failure(409, "Conflict")]
    with pytest.raises(errors.Conflict, match="deleting ConfigMap monitoring/prometheus-config"):
        api.client().delete(CONFIG, uid="u-1", resource_version="7")


def test_a_list_is_read_to_its_last_page(api: Api) -> None:
    def page(name: str, token: str) -> Prepared:
        return Prepared(200, {"kind": "PodList", "metadata": {"continue": token}, "items": [pod(name)]})

    api.answers = [page("a", "x/y="), page("b", "")]
    assert [item["metadata"]["name"] for item in api.client().list_in(POD, "monitoring")] == ["a", "b"]
    assert [request.path for request in api.requests] == [
        "/api/v1/namespaces/monitoring/pods?limit=500",
        "/api/v1/namespaces/monitoring/pods?limit=500&continue=x%2Fy%3D",
    ]


def test_a_list_of_a_kind_that_the_server_does_not_know_is_empty(api: Api) -> None:
    api.answers = [Prepared(404, "404 page not found")]
    assert api.client().list_in(POD, "monitoring") == []


def resources(*entries: Json) -> Prepared:
    return Prepared(200, {"kind": "APIResourceList", "resources": list(entries)})


def test_the_kinds_of_namespaces_are_those_of_every_group_and_version(api: Api) -> None:
    def entry(name: str, kind: str, *verbs: str, namespaced: bool = True) -> Json:
        return {"name": name, "kind": kind, "namespaced": namespaced, "verbs": verbs or ("get", "list")}

    def group(name: str, *versions: str, preferred: str) -> Json:
        listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
        return {"name": name, "versions": listed, "preferredVersion": {"groupVersion": f"{name}/{preferred}"}}

    groups = [
        group("metrics.k8s.io", "v1beta1", preferred="v1beta1"),
        group("monitoring.coreos.com", "v1alpha1", "v1", preferred="v1"),
    ]
    api.answers = [
        Prepared(200, {"kind": "APIGroupList", "groups": groups}),
        resources(
            entry("nodes", "Node", namespaced=False),
            entry("pods", "Pod"),
            entry("pods/log", "Pod", "get"),
            entry("bindings", "Binding", "create"),
        ),
        resources(entry("prometheusrules", "PrometheusRule"), entry("prometheusrules/status", "PrometheusRule")),
        resources(entry("scrapeconfigs", "ScrapeConfig")),
    ]
    client = api.client()
    assert client.kinds_in_namespaces() == client.kinds_in_namespaces()  # they are read once
    assert [(kind.api, kind.plural, kind.name) for kind in client.kinds_in_namespaces()] == [
        ("api/v1", "pods", "Pod"),
        ("apis/monitoring.coreos.com/v1", "prometheusrules", "PrometheusRule.monitoring.coreos.com"),
        ("apis/monitoring.coreos.com/v1alpha1", "scrapeconfigs", "ScrapeConfig.monitoring.coreos.com"),
    ]
    assert [request.path for request in api.requests] == [
        "/apis",
        "/api/v1",
        "/apis/monitoring.coreos.com/v1",
        "/apis/monitoring.coreos.com/v1alpha1",
    ]


@pytest.mark.parametrize(
    "answer",
    [
        failure(503, "ServiceUnavailable", "service unavailable"),
        failure(403, "Forbidden", "no"),
        Prepared(404, "404 page not found"),
        Prepared(200, {"kind": "APIResourceList", "resources": [{"kind": "Pod"}]}),
    ],
)
def test_a_part_of_the_kinds_that_can_not_be_read_is_an_error(api: Api, answer: Prepared) -> None:
    api.answers = [Prepared(200, {"kind": "APIGroupList", "groups": []}), answer]
    with pytest.raises(errors.CloudError, match="reading which kinds api/v1 has"):
        api.client().kinds_in_namespaces()


def test_a_creation_in_a_missing_namespace_is_not_found(api: Api) -> None:
    api.answers = [failure(404, "NotFound", 'namespaces "monitoring" not found')]
    with pytest.raises(errors.NotFound, match='creating ServiceAccount monitoring/prometheus-sa: namespaces "monit'):
        api.client().create(ACCOUNT, {})


@pytest.mark.parametrize(
    ("call", "right"),
    [
        (lambda c: c.get(CONFIG), "'get' on 'configmaps' in namespace 'monitoring'"),
        (lambda c: c.create(NAMESPACE.at("m"), {}), "'create' on 'namespaces' in the cluster (ClusterRole)"),
        (
            lambda c: c.merge_patch(DEPLOYMENT.at("p", "m"), {}, resource_version="1"),
            "'patch' on 'deployments' of the API group 'apps' in namespace 'm'",
        ),
        (
            lambda c: c.create_token("monitoring", "prometheus-sa", "sts.amazonaws.com", 600),
            "'create' on 'serviceaccounts/token' in namespace 'monitoring'",
        ),
    ],
)
def test_a_missing_right_is_named(api: Api, call: t.Callable[[KubeClient], t.Any], right: str) -> None:
    api.answers = [failure(403, "Forbidden", 'User "robot" cannot do that')]
    with pytest.raises(errors.Forbidden) as caught:
        call(api.client())
    assert 'User "robot" cannot do that' in caught.value.message
    assert right in caught.value.fix


def test_a_namespace_that_is_being_deleted_is_not_a_missing_right(api: Api) -> None:
    causes = [{"reason": "NamespaceTerminating", "message": "namespace monitoring is being terminated"}]
    api.answers = [failure(403, "Forbidden", "unable to create new content", causes=causes)]
    with pytest.raises(errors.CloudError) as caught:
        api.client().create(ACCOUNT, {})
    assert not isinstance(caught.value, errors.Forbidden)
    assert "namespace is gone" in caught.value.fix


def test_rejected_credentials_say_what_to_renew_and_never_show_the_token(api: Api) -> None:
    api.answers = [failure(401, "Unauthorized", "Unauthorized")]
    with pytest.raises(errors.CloudError) as caught:
        api.client().get(CONFIG)
    assert "K8S_AUTH_API_KEY" in caught.value.fix
    assert TOKEN not in caught.value.sentence()


def test_an_overloaded_server_is_asked_again_when_it_says_so(api: Api) -> None:
    api.answers = [
        Prepared(429, "slow down", (("Retry-After", "0"),)),
        Prepared(503, "restarting", (("Retry-After", "0"),)),
        Prepared(200, configmap("8")),
    ]
    assert api.client().merge_patch(CONFIG, {}, resource_version="7") == configmap("8")
    assert len(api.requests) == 3


def test_a_server_error_is_reported_and_a_write_is_not_repeated(api: Api) -> None:
    api.answers = [failure(500, "InternalError", "etcdserver: leader changed")]
    with pytest.raises(errors.CloudError, match="etcdserver: leader changed"):
        api.client().merge_patch(CONFIG, {}, resource_version="7")
    assert len(api.requests) == 1


_WRITES: t.Final = {
    "create": lambda client: client.create(CONFIG, {}),
    "patch": lambda client: client.merge_patch(CONFIG, {}, resource_version="7"),
    "delete": lambda client: client.delete(CONFIG, uid="u", resource_version="7"),
    "delete whole": lambda client: client.delete_whole(CONFIG, uid="u"),
}
_OPEN: t.Final = {
    "store": failure(500, "InternalError", "etcdserver: request timed out"),
    "time limit": failure(504, "Timeout", "Timeout: request did not complete within requested timeout"),
    "proxy": Prepared(502, "<html>Bad Gateway</html>"),
    "proxy's 503": Prepared(503, "upstream connect error or disconnect/reset before headers"),
    "no object": Prepared(200, "<html>Welcome</html>"),
}


@pytest.mark.parametrize("write", _WRITES.values(), ids=_WRITES)
@pytest.mark.parametrize("answer", _OPEN.values(), ids=_OPEN)
def test_an_answer_that_leaves_open_whether_a_write_was_done_is_said_to(
    api: Api, answer: Prepared, write: t.Callable[[KubeClient], object]
) -> None:
    api.answers = [answer]
    with pytest.raises(errors.Interrupted) as caught:
        write(api.client())
    assert caught.value.fix == errors.LOOK_AGAIN


def test_an_odd_object_in_the_answer_to_a_write_was_stored(api: Api) -> None:
    api.answers = [Prepared(200, {**configmap(), "data": [1]})] * 2
    with pytest.raises(errors.Interrupted, match="the answer is odd"):
        api.client().merge_patch(CONFIG, {}, resource_version="7")
    with pytest.raises(errors.CloudError) as caught:
        api.client().merge_patch(CONFIG, {}, resource_version="7", dry_run=True)
    assert not isinstance(caught.value, errors.Conflict)


@pytest.mark.parametrize(
    "answer",
    [
        failure(503, "ServiceUnavailable", "the server is currently unable to handle the request"),
        failure(500, "InternalError", 'Internal error occurred: failed calling webhook "x.example.com": timed out'),
        failure(429, "TooManyRequests", "later"),
    ],
    ids=["503", "webhook", "429"],
)
def test_what_was_turned_away_before_it_was_stored_is_not_in_doubt(api: Api, answer: Prepared) -> None:
    for write in _WRITES.values():
        api.answers = [answer]
        with pytest.raises(errors.CloudError) as caught:
            write(api.client())
        assert not isinstance(caught.value, errors.Conflict)


def test_what_stores_nothing_is_not_in_doubt(api: Api) -> None:
    for ask in (
        lambda client: client.get(CONFIG),
        lambda client: client.merge_patch(CONFIG, {}, resource_version="7", dry_run=True),
        lambda client: client.create_token("monitoring", "prometheus-sa", "sts.amazonaws.com", 600),
        lambda client: client.may(Access.to("patch", CONFIG)),
    ):
        api.answers = [_OPEN["store"]]
        with pytest.raises(errors.CloudError) as caught:
            ask(api.client())
        assert not isinstance(caught.value, errors.Conflict)


def test_a_redirect_is_not_followed_with_the_token(api: Api) -> None:
    api.answers = [Prepared(302, "", (("Location", f"{api.url}/elsewhere"),))]
    with pytest.raises(errors.CloudError, match="HTTP 302"):
        api.client().get(CONFIG)
    assert len(api.requests) == 1


def test_a_token_request(api: Api) -> None:
    api.answers = [Prepared(201, {"kind": "TokenRequest", "status": {"token": "signed", "expirationTimestamp": "x"}})]
    assert api.client().create_token("monitoring", "prometheus-sa", "sts.amazonaws.com", 600) == "signed"
    (request,) = api.requests
    assert request.path == "/api/v1/namespaces/monitoring/serviceaccounts/prometheus-sa/token"
    assert request.body["spec"] == {"audiences": ["sts.amazonaws.com"], "expirationSeconds": 600}


def test_a_token_of_a_missing_service_account(api: Api) -> None:
    api.answers = [failure(404, "NotFound", 'serviceaccounts "prometheus-sa" not found')]
    with pytest.raises(errors.NotFound, match="There is no ServiceAccount monitoring/prometheus-sa"):
        api.client().create_token("monitoring", "prometheus-sa", "sts.amazonaws.com", 600)


@pytest.mark.parametrize("allowed", [True, False])
def test_an_access_review(api: Api, allowed: bool) -> None:
    api.answers = [Prepared(201, {"kind": "SelfSubjectAccessReview", "status": {"allowed": allowed}})]
    assert api.client().may(Access.to("create", ACCOUNT, "token")) is allowed
    (request,) = api.requests
    assert request.path == "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    assert request.body["spec"]["resourceAttributes"] == {
        "verb": "create",
        "resource": "serviceaccounts",
        "subresource": "token",
        "namespace": "monitoring",
        "name": "prometheus-sa",
    }


def test_an_unreachable_server() -> None:
    client = KubeClient(KubeAuth(host="http://127.0.0.1:1", api_key=TOKEN))
    with pytest.raises(errors.Unreachable, match="reading ConfigMap monitoring/prometheus-config") as caught:
        client.get(CONFIG)
    assert "127.0.0.1:1 did not answer" in caught.value.message
    assert "private cluster" in caught.value.fix


def test_a_proxy_that_is_none_is_bad_input() -> None:
    with pytest.raises(errors.InvalidInput, match="unsupported scheme ftp"):
        KubeClient(KubeAuth(host="https://127.0.0.1:1", api_key=TOKEN, proxy="ftp://proxy.example"))


# --- what pods say ----------------------------------------------------------------------------------------------------

PROMETHEUS = POD.at("prometheus-0", "monitoring")


def test_a_list_is_asked_for_with_its_selectors_on_every_page(api: Api) -> None:
    first = {"kind": "PodList", "metadata": {"continue": "a/b"}, "items": [pod("a")]}
    api.answers = [Prepared(200, first), Prepared(200, {"kind": "PodList", "metadata": {}, "items": [pod("b")]})]
    found = api.client().list_in(POD, "monitoring", labels="app in (a,b)", fields="type=Warning")
    assert found == [pod("a"), pod("b")]
    chosen = "labelSelector=app%20in%20%28a%2Cb%29&fieldSelector=type%3DWarning"
    assert [request.path.partition("?")[2] for request in api.requests] == [
        f"limit=500&{chosen}",
        f"limit=500&{chosen}&continue=a%2Fb",
    ]


def test_a_log_is_text_even_where_a_line_of_it_is_an_object(api: Api) -> None:
    line = '{"kind":"Status","reason":"NotFound","level":"error"}\n'
    api.answers = [Prepared(200, line), Prepared(200, "one\ntwo\n")]
    client = api.client()
    assert client.log(PROMETHEUS, "prometheus") == line
    assert client.log(PROMETHEUS, "prometheus", previous=True) == "one\ntwo\n"
    wanted = "/api/v1/namespaces/monitoring/pods/prometheus-0/log?container=prometheus&tailLines=200&limitBytes=65536"
    assert [request.path for request in api.requests] == [wanted, f"{wanted}&previous=true"]


@pytest.mark.parametrize("status", [400, 404])
def test_a_container_that_was_not_started_has_no_log(api: Api, status: int) -> None:
    api.answers = [failure(status, "BadRequest", "container is waiting to start")]
    assert api.client().log(PROMETHEUS, "prometheus") == ""


def test_a_log_needs_a_right_of_its_own(api: Api) -> None:
    api.answers = [failure(403, "Forbidden", "no")]
    with pytest.raises(errors.Forbidden) as caught:
        api.client().log(PROMETHEUS, "prometheus")
    assert "'get' on 'pods/log' in namespace 'monitoring'" in caught.value.fix


@pytest.mark.parametrize(("method", "verb"), [("GET", "get"), ("POST", "create")])
def test_a_pod_is_asked_once_and_its_refusal_is_its_own(api: Api, method: str, verb: str) -> None:
    path = "/api/v1/namespaces/monitoring/pods/prometheus-0:9090/proxy/-/reload"
    own = "Lifecycle API is not enabled."
    api.answers = [Prepared(403, own), Prepared(503, "x", (("Retry-After", "1"),)), failure(403, "Forbidden", "no")]
    client = api.client()
    answer = client.ask_pod(method, PROMETHEUS, path, "asking")
    assert (answer.status, answer.reason, answer.text) == (403, "", own)
    assert client.ask_pod(method, PROMETHEUS, path, "asking").status == 503
    with pytest.raises(errors.Forbidden) as caught:
        client.ask_pod(method, PROMETHEUS, path, "asking")
    assert f"'{verb}' on 'pods/proxy' in namespace 'monitoring'" in caught.value.fix
    assert [(request.method, request.path) for request in api.requests] == [(method, path)] * 3


def test_the_issuer_is_told_or_not(api: Api) -> None:
    api.answers = [Prepared(200, {"issuer": "https://issuer/"}), failure(403, "Forbidden", "no")]
    client = api.client()
    assert (client.issuer(), client.issuer()) == ("https://issuer/", "")
