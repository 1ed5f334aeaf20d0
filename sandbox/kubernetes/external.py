# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster of the sandbox whose API server is an external one: requests are logged, may meet faults, and go on to it.

Clients keep the address and the bearer token that the sandbox gives them. The controller's token becomes the external
server's own credential; every other token goes on as it is, so that the external server judges it.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import copy
import dataclasses
import json
import time
import typing as t
import urllib.parse

import flask
import urllib3

from sandbox.kubernetes import incoming, kinds
from sandbox.web import make_app, mark_write, name_operation

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from sandbox.kubernetes.kinds import Resource
    from sandbox.world import AksCluster, Json, World

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_FORWARDED = ("Accept", "Content-Type", "User-Agent", "Impersonate-User", "Impersonate-Group")
_RETURNED = ("Content-Type", "Warning", "Audit-Id", "Retry-After")
_SECONDS = 60.0
_POLL_SECONDS = 0.2
#: Namespaces that every cluster has; they are never removed.
SYSTEM_NAMESPACES = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})
_RUNNING = (kinds.DEPLOYMENTS, kinds.STATEFUL_SETS, kinds.DAEMON_SETS, kinds.JOBS, kinds.REPLICA_SETS, kinds.PODS)
_KEYS = "/openid/v1/jwks"
_WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@dataclasses.dataclass(frozen=True)
class ExternalServer:
    """Where an external API server is and how to log in there.

    A reset of the sandbox removes the ``namespaces`` only; None says that the cluster is the sandbox's alone, so that
    all of them go but the system's.
    """

    kubeconfig: Path
    context: str | None = None
    namespaces: tuple[str, ...] | None = None


@dataclasses.dataclass(frozen=True)
class Answer:
    """What the external server answered."""

    status: int
    headers: t.Mapping[str, str]
    body: bytes

    def json(self) -> Json:
        document: Json = json.loads(self.body)
        return document


class ExternalApi:
    """Requests to an external API server with the rights of its kubeconfig."""

    def __init__(self, server: ExternalServer) -> None:
        from kubernetes import config  # only who attaches a cluster needs it

        load: t.Callable[..., t.Any] = config.new_client_from_config  # not annotated by the library
        client = load(str(server.kubeconfig), server.context)
        self._host = str(client.configuration.host).rstrip("/")
        self._pool = client.rest_client.pool_manager
        self._configuration = client.configuration

    def send(
        self,
        method: str,
        path: str,
        query: str = "",
        body: bytes | None = None,
        headers: t.Mapping[str, str] | None = None,
    ) -> Answer:
        """Raises OSError when the server can't be reached."""
        sent = dict(headers or {})
        if "Authorization" not in sent:
            sent |= self._credential()
        url = self._host + urllib.parse.quote(path, safe="/:@!$&'()*+,;=~-._")
        try:
            answer = self._pool.request(
                method, f"{url}?{query}" if query else url, body=body, headers=sent, timeout=_SECONDS, retries=False
            )
        except urllib3.exceptions.HTTPError as error:
            raise OSError(f"{method} {url} failed: {error}") from error
        return Answer(answer.status, {name.title(): value for name, value in answer.headers.items()}, answer.data)

    def send_json(self, method: str, path: str, body: Json | None = None, content_type: str = "") -> Answer:
        content = None if body is None else json.dumps(body).encode()
        return self.send(method, path, body=content, headers={"Content-Type": content_type or "application/json"})

    def _credential(self) -> dict[str, str]:
        token = self._configuration.get_api_key_with_prefix("authorization") or (
            self._configuration.get_api_key_with_prefix("BearerToken")
        )
        return {"Authorization": str(token)} if token else {}


class ExternalApiServer:
    """The part of :class:`sandbox.kubernetes.ApiServer` that the sandbox itself uses, over an external server."""

    def __init__(self, world: World, cluster: AksCluster, server: ExternalServer) -> None:
        self.controller_token = cluster.admin_token
        self._world = world
        self._cluster = cluster
        self._server = server
        self._api = ExternalApi(server)
        cluster.published_keys = self.published_keys
        self.app = self._make_app()

    def published_keys(self) -> list[Json]:
        """The keys with which the server signs tokens, as it publishes them."""
        answer = self._api.send("GET", _KEYS)
        if answer.status != 200:
            raise OSError(f"The API server of {self._cluster.name} answered {answer.status} for its keys.")
        return list(answer.json()["keys"])

    def seed(self, obj: Json) -> Json:
        """Create an object with its namespace. Raises ValueError when the server refuses it."""
        resource = kinds.find_kind(obj.get("kind", ""), obj.get("apiVersion"))
        if resource is None:
            raise ValueError(f"The sandbox knows no {obj.get('apiVersion')} {obj.get('kind')}.")
        body = copy.deepcopy(obj)
        namespace = body["metadata"].setdefault("namespace", "default") if resource.namespaced else ""
        if namespace and namespace not in SYSTEM_NAMESPACES:
            self._create(kinds.NAMESPACES, "", {"metadata": {"name": namespace}}, may_exist=True)
        return self._create(resource, namespace, body, may_exist=resource == kinds.NAMESPACES)

    def get(self, kind: str, namespace: str | None, name: str) -> Json | None:
        """An object by its kind (``ConfigMap``); None when there is none."""
        resource = kinds.find_kind(kind)
        if resource is None:
            raise ValueError(f"The sandbox knows no {kind}.")
        answer = self._api.send("GET", f"{_collection(resource, namespace or '')}/{name}")
        return answer.json() if answer.status == 200 else None

    def _create(self, resource: Resource, namespace: str, body: Json, *, may_exist: bool) -> Json:
        typed = {"apiVersion": resource.api_version, "kind": resource.kind, **body}
        for _unused in _moments(_SECONDS):
            answer = self._api.send_json("POST", _collection(resource, namespace), typed)
            if answer.status < 300:
                return answer.json()
            if answer.status == 409 and may_exist:
                return typed
            # The namespace's controller makes the service account "default" by itself, a moment later than the rest.
            if answer.status != 409 or "being terminated" not in answer.body.decode():
                break
        raise ValueError(f"{answer.json().get('message', answer.status)}")

    # --- the application ----------------------------------------------------------------------------------------------

    def _make_app(self) -> flask.Flask:
        app = make_app(self._world, f"kubernetes/{self._cluster.name}")
        options: dict[str, t.Any] = {"methods": _METHODS, "provide_automatic_options": False}
        app.add_url_rule("/", "root", lambda: self._answer("/"), **options)
        app.add_url_rule("/<path:path>", "any", lambda path: self._answer(f"/{path}"), **options)
        return app

    def _answer(self, path: str) -> flask.Response:
        request = flask.request
        target = incoming.parse_target(path)
        verb = incoming.verb_of(request.method, target) if target else request.method.lower()
        name_operation(f"{verb} {incoming.attempt_of(verb, target).full_resource if target else path}")
        may_write = _may_write(request, path)
        before = self._version(path) if may_write and request.method in ("PUT", "PATCH") else ""
        try:
            answer = self._api.send(
                request.method, path, request.query_string.decode(), request.get_data() or None, self._headers(request)
            )
        except OSError as error:
            return _unreachable(error)
        if may_write and answer.status < 300 and not (before and before == _version_in(answer)):
            mark_write()
        response = flask.Response(answer.body, answer.status)
        for name in _RETURNED:
            if name in answer.headers:
                response.headers[name] = answer.headers[name]
        return response

    def _headers(self, request: flask.Request) -> dict[str, str]:
        headers = {name: request.headers[name] for name in _FORWARDED if name in request.headers}
        if incoming.bearer_token() != self.controller_token:
            headers["Authorization"] = request.headers.get("Authorization", "Bearer none")
        return headers

    def _version(self, path: str) -> str:
        answer = self._api.send("GET", path)
        return _version_in(answer) if answer.status == 200 else ""


def clear(servers: Collection[ExternalServer]) -> None:
    """Remove what an earlier run left on the servers. Raises ValueError when something does not go."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(_clear, servers))


def _clear(server: ExternalServer) -> None:
    api = ExternalApi(server)
    names = {item["metadata"]["name"] for item in api.send("GET", "/api/v1/namespaces").json()["items"]}
    names -= SYSTEM_NAMESPACES
    if server.namespaces is None:
        for collection in (_WEBHOOKS, _DEFINITIONS):
            for item in api.send("GET", collection).json()["items"]:
                api.send("DELETE", f"{collection}/{item['metadata']['name']}")
    else:
        names &= set(server.namespaces)
    for name in names:
        _empty(api, name)
        api.send("DELETE", f"/api/v1/namespaces/{name}")
    for _unused in _moments(_SECONDS):
        if all(api.send("GET", f"/api/v1/namespaces/{name}").status == 404 for name in names):
            return
    raise ValueError(f"The namespaces {', '.join(sorted(names))} are not gone yet.")


def _empty(api: ExternalApi, namespace: str) -> None:
    """Remove what runs in a namespace: the namespace's own removal would look after it at long intervals only."""
    options: Json = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0}
    for resource in _RUNNING:
        api.send_json("DELETE", _collection(resource, namespace), options | {"propagationPolicy": "Background"})
    for _unused in _moments(_SECONDS):
        if not api.send("GET", _collection(kinds.PODS, namespace)).json()["items"]:
            return


def _may_write(request: flask.Request, path: str) -> bool:
    """Whether the request is of a kind that can change an object; dry runs, tokens and reviews are reads."""
    if request.method in ("GET", "HEAD") or "dryRun" in request.args:
        return False
    if request.method == "DELETE" and b'"dryRun"' in request.get_data():
        return False
    return not path.endswith(("/token", "reviews"))


def _version_in(answer: Answer) -> str:
    try:
        return str(answer.json()["metadata"]["resourceVersion"])
    except (ValueError, KeyError, TypeError):
        return ""


def _unreachable(error: OSError) -> flask.Response:
    status = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": f"The external API server can't be reached: {error}",
        "reason": "ServiceUnavailable",
        "code": 503,
    }
    return flask.Response(json.dumps(status), 503, content_type="application/json")


def _collection(resource: Resource, namespace: str) -> str:
    base = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    return f"{base}/namespaces/{namespace}/{resource.plural}" if namespace else f"{base}/{resource.plural}"


def _moments(seconds: float) -> Iterator[None]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield
        time.sleep(_POLL_SECONDS)


def read_servers(text: str, folder: Path) -> dict[str, ExternalServer]:
    """The file that ``python -m sandbox up --api-servers`` takes: ``{"<cluster>": {"kubeconfig", "context"?,
    "namespaces"?}}``, paths relative to its folder. Raises ValueError with a sentence."""
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
        return {
            name: ExternalServer(
                folder / entry["kubeconfig"],
                entry.get("context"),
                None if entry.get("namespaces") is None else tuple(entry["namespaces"]),
            )
            for name, entry in json.loads(text).items()
        }
    raise ValueError("A file of API servers maps the names of clusters to objects with a 'kubeconfig'.")
