# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API server of one cluster as a Flask application.

API: https://kubernetes.io/docs/reference/kubernetes-api/. It serves no watches, no server-side apply and no OpenAPI
documents; it says so by its discovery and by 405, 415 and 404.
"""

from __future__ import annotations

import copy
import json
import secrets
import threading
import typing as t
import uuid

import flask

from sandbox import entra_tokens
from sandbox.kubernetes import custom, discovery, errors, incoming, kinds
from sandbox.kubernetes.access import Access, Rule, User
from sandbox.kubernetes.admission import Webhook
from sandbox.kubernetes.controllers import Controllers
from sandbox.kubernetes.errors import ApiError
from sandbox.kubernetes.fates import Fate
from sandbox.kubernetes.incoming import JSON_TYPE, Proxied, Target
from sandbox.kubernetes.kinds import Resource
from sandbox.kubernetes.listing import ListQuery, list_objects
from sandbox.kubernetes.logs import choose_container
from sandbox.kubernetes.objects import SystemWriter
from sandbox.kubernetes.pods import Pods, is_ready
from sandbox.kubernetes.programs import Files, Program, token_sources
from sandbox.kubernetes.registry import Registry
from sandbox.kubernetes.reviews import Reviews
from sandbox.kubernetes.store import Store
from sandbox.kubernetes.tokens import Tokens
from sandbox.web import make_app, mark_write, name_operation
from sandbox.world import AksCluster, Json, World

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_HEALTH = ("/healthz", "/livez", "/readyz")
_DISCOVERY = "/.well-known/openid-configuration"
_KEYS = "/openid/v1/jwks"


class ApiServer:
    """A Kubernetes API server over objects in memory. ``app`` is its WSGI application."""

    def __init__(self, world: World, cluster: AksCluster) -> None:
        self.controller_token = cluster.admin_token
        self.unprivileged_token = secrets.token_hex(32)
        self._world = world
        self._cluster = cluster
        self._store = Store()
        writer = SystemWriter(self._store)
        pods = self._pods = Pods(cluster, self._store, writer)
        self._controllers = Controllers(cluster, self._store, writer, pods)
        self._registry = Registry(self._store, self._controllers, pods)
        self._access = Access(self.controller_token, self.unprivileged_token, world.granted)
        self._tokens = Tokens(cluster, self._store)
        self._reviews = Reviews(self._access, self._tokens)
        self._logs = pods.logs
        self._writer = writer
        self.app = self._make_app()
        self.reset()

    # --- for the sandbox and for tests --------------------------------------------------------------------------------

    def reset(self) -> None:
        """Back to an empty cluster with the namespaces and users of a new one."""
        with self._world.lock:
            self._store.clear()
            self._logs.clear()
            self._pods.fates.clear()
            self._pods.prometheus.clear()
            self._pods.begin_program = None
            self._access.reset()
            self._registry.admission.clear()
            self._controllers.make_initial_namespaces()
            self._controllers.follow_azure()

    def seed(self, obj: Json) -> Json:
        """Store an object as if it had been created earlier and give it as it is when the controllers are done.

        A namespace that is not there yet is made. An object of the same name is replaced. Raises ValueError when the
        server would refuse the object.
        """
        resource = kinds.find_kind(obj.get("kind", ""), obj.get("apiVersion"))
        if resource is None:
            raise ValueError(f"The sandbox's API server has no {obj.get('apiVersion')} {obj.get('kind')}.")
        with self._world.lock:
            if resource.custom and custom.definition_of(self._store, resource) is None:
                raise ValueError(f"The cluster has no definition of {resource.qualified}: seed that first.")
            body = copy.deepcopy(obj)
            if resource.namespaced:
                namespace = body.setdefault("metadata", {}).setdefault("namespace", "default")
                if self._store.find(kinds.NAMESPACES, "", namespace) is None:
                    self.seed({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
            try:
                stored = self._registry.seed(resource, body)
            except ApiError as error:
                raise ValueError(error.message) from error
            metadata = stored["metadata"]
            settled = self._store.find(resource, metadata.get("namespace", ""), metadata["name"])
            return copy.deepcopy(settled or stored)

    def get(self, kind: str, namespace: str | None, name: str) -> Json | None:
        """A copy of a stored object, by its kind (``ConfigMap``); None when there is none."""
        resource = kinds.find_kind(kind)
        if resource is None:
            raise ValueError(f"The sandbox's API server has no {kind}.")
        with self._world.lock:
            self._controllers.follow_azure()
            return copy.deepcopy(self._store.find(resource, namespace or "", name))

    def grant(self, token: str, rules: t.Iterable[Rule], name: str | None = None) -> User:
        """Add rights to the user of a bearer token; an unknown token gets a new user of this name."""
        with self._world.lock:
            return self._access.grant(token, rules, name)

    def set_controller_rules(self, rules: t.Iterable[Rule]) -> None:
        """Let the controller do this and nothing else, until the next reset. What Azure gives out or runs as the
        administrator stays without limits."""
        with self._world.lock:
            self._cluster.admin_token = secrets.token_hex(32)
            self._access.set_controller_rules(rules, self._cluster.admin_token)

    def add_webhook(self, webhook: Webhook) -> None:
        """Let an admission webhook judge what clients write, until the next reset."""
        with self._world.lock:
            self._registry.admission.add(webhook)

    def write_log(self, namespace: str, pod: str, text: str, container: str = "", *, age: float = 0.0) -> None:
        """Add text, logged so many seconds ago, to a container's log. Raises ValueError for one that is not there."""
        with self._world.lock:
            stored = self._store.find(kinds.PODS, namespace, pod)
            if stored is None:
                raise ValueError(f"The cluster has no pod {namespace}/{pod}.")
            try:
                self._logs.append(stored, choose_container(stored, container), text, age=age)
            except ApiError as error:
                raise ValueError(error.message) from error

    def set_fate(self, fate: Fate) -> None:
        """Let pods not come to run, see :mod:`sandbox.kubernetes.fates`."""
        with self._world.lock:
            self._pods.fates.add(fate)

    def run_programs(self, program: Program) -> None:
        """Let pods that are not to be restarted run this program, until the next reset."""

        def begin(pod: Json) -> None:
            namespace, spec = pod["metadata"]["namespace"], pod["spec"]
            files = {}
            for path, token in token_sources(pod):
                asked = {"audiences": [token["audience"]], "expirationSeconds": token["expirationSeconds"]}
                answer, _unused = self._tokens.request(namespace, spec["serviceAccountName"], {"spec": asked})
                files[path] = answer["status"]["token"]
            # In a thread of its own, because it may ask this very server.
            arguments = (program, copy.deepcopy(pod), files)
            threading.Thread(target=self._run_program, args=arguments, name="sandbox-pod", daemon=True).start()

        with self._world.lock:
            self._pods.begin_program = begin

    def _run_program(self, program: Program, pod: Json, files: Files) -> None:
        ended = program(pod, files)
        metadata = pod["metadata"]
        with self._world.lock:
            stored = self._store.find(kinds.PODS, metadata["namespace"], metadata["name"])
            if stored is None or stored["metadata"]["uid"] != metadata["uid"]:
                return
            self._logs.append(stored, stored["spec"]["containers"][0]["name"], ended.log)
            self._writer.update(kinds.PODS, stored, {"status": ended.status_of(stored)}, "kubelet")
            self._controllers.settle(metadata["namespace"])

    def clear_fates(self) -> None:
        """Let all pods run, those too that did not come to."""
        with self._world.lock:
            self._pods.fates.clear()
            for namespace in dict.fromkeys(self._pods.restart_struck()):
                self._controllers.settle(namespace)

    def running_pods(self) -> list[Json]:
        """The pods, each with ``namespace``, ``name``, whether it is ready and its Prometheus' ``configuration``."""
        with self._world.lock:
            return [
                {
                    "namespace": pod["metadata"]["namespace"],
                    "name": pod["metadata"]["name"],
                    "ready": is_ready(pod),
                    "configuration": self._pods.prometheus.loaded(pod),
                }
                for pod in self._store.select(kinds.PODS)
            ]

    # --- the application ----------------------------------------------------------------------------------------------

    def _make_app(self) -> flask.Flask:
        app = make_app(self._world, f"kubernetes/{self._cluster.name}")
        app.add_url_rule("/", "root", lambda: self._answer("/"), methods=_METHODS, provide_automatic_options=False)
        app.add_url_rule(
            "/<path:path>",
            "any",
            lambda path: self._answer(f"/{path}"),
            methods=_METHODS,
            provide_automatic_options=False,
        )
        return app

    def _answer(self, path: str) -> flask.Response:
        target = incoming.parse_target(path)
        method = flask.request.method
        verb = incoming.verb_of(method, target) if target else method.lower()
        name_operation(f"{verb} {incoming.attempt_of(verb, target).full_resource if target else path}")
        with self._world.lock:
            self._controllers.follow_azure()
            version = self._store.version
            try:
                response = self._serve(path, target, verb)
            except ApiError as error:
                response = _json(error.body(), error.code)
            if self._store.version != version:
                mark_write()
        response.headers["Audit-Id"] = str(uuid.uuid4())
        response.headers["Cache-Control"] = "no-cache, private"
        return response

    def _serve(self, path: str, target: Target | None, verb: str) -> flask.Response:
        user = self._authenticate()
        if target is None:
            return self._serve_path(path, verb, user)
        self._access.check(user, incoming.attempt_of(verb, target), target.resource)
        if target.resource.custom and custom.definition_of(self._store, target.resource) is None:
            # Nobody answers for a kind that is not defined, hence not with a Status.
            return _no_page()
        incoming.check_accept()
        _check_served(verb, target)
        if target.resource in kinds.REVIEWS:
            return self._review(target.resource, user)
        handlers: dict[str, t.Callable[[Target], flask.Response]] = {
            "get": self._read,
            "list": self._list,
            "create": self._create,
            "update": self._replace,
            "patch": self._patch,
            "delete": self._delete,
        }
        return handlers[verb](target)

    def _authenticate(self) -> User:
        """:raises ApiError: 401. Like AKS, the server has no anonymous users."""
        token = incoming.bearer_token()
        user = self._access.user_of(token) or self._entra_user(token)
        if user is not None:
            return user
        try:
            return self._tokens.recognise(token).user
        except ValueError as error:
            raise errors.unauthorized() from error

    def _entra_user(self, token: str) -> User | None:
        """The user of an access token for the AKS server application, on a cluster that authenticates by Entra.

        AKS calls a service principal by its object ID.
        """
        if not (self._cluster.body["properties"].get("aadProfile") or {}).get("managed"):
            return None
        try:
            principal = entra_tokens.verify(self._world, f"Bearer {token}", entra_tokens.AKS_AUDIENCES)
        except entra_tokens.TokenRefusedError:
            return None
        return User(principal.object_id)

    # --- outside of the resources -------------------------------------------------------------------------------------

    def _serve_path(self, path: str, verb: str, user: User) -> flask.Response:
        attempt = incoming.attempt_at(flask.request.method, path)
        if attempt is None:
            self._access.check_path(user, verb, path)
        else:
            self._access.check(user, attempt)
        if verb != "get":
            raise errors.method_not_allowed()
        path = (
            path.rstrip("/") or "/"
        )  # the OpenAPI description, and so its clients, spell /version/ and /apis/apps/v1/
        if path in _HEALTH:
            return flask.Response("ok", content_type="text/plain; charset=utf-8")
        document = self._document(path)
        if document is None:
            if path.startswith(("/api/", "/apis/")):
                raise errors.no_such_resource()
            return _no_page()
        incoming.check_accept()
        return _json(document, content_type="application/jwk-set+json" if path == _KEYS else JSON_TYPE)

    def _document(self, path: str) -> Json | None:
        served = custom.served(self._store)
        fixed: dict[str, t.Callable[[], Json]] = {
            "/": lambda: {"paths": discovery.paths(served)},
            "/version": lambda: discovery.server_version(self._cluster),
            "/api": lambda: discovery.api_versions(self._cluster.api_server_url.removeprefix("https://")),
            "/apis": lambda: discovery.group_list(served),
            "/api/v1": lambda: discovery.resource_list(served, "", "v1") or {},
            _DISCOVERY: self._issuer_configuration,
            _KEYS: lambda: {"keys": [key.jwk() for key in self._cluster.listed_keys]},
        }
        if path in fixed:
            return fixed[path]()
        parts = path.removeprefix("/apis/").split("/")
        if not path.startswith("/apis/") or len(parts) > 2:
            return None
        if len(parts) == 1:
            return discovery.group_document(served, parts[0])
        return discovery.resource_list(served, parts[0], parts[1])

    def _issuer_configuration(self) -> Json:
        issuer = self._cluster.token_issuer
        base = issuer if issuer.endswith("/") else f"{issuer}:443/"
        return {
            "issuer": issuer,
            "jwks_uri": f"{base}openid/v1/jwks",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    # --- resources ----------------------------------------------------------------------------------------------------

    def _find(self, target: Target) -> Json:
        obj = self._store.find(target.resource, target.namespace, target.name)
        if obj is None:
            raise errors.not_found(target.resource, target.name)
        return obj

    def _read(self, target: Target) -> flask.Response:
        obj = self._find(target)
        if target.subresource == kinds.LOG_SUBRESOURCE:
            return flask.Response(self._logs.read(obj, flask.request.args), content_type="text/plain")
        if target.proxied is not None:
            return self._proxy(obj, target.proxied)
        return _json(obj)

    def _proxy(self, pod: Json, proxied: Proxied) -> flask.Response:
        method = flask.request.method
        return self._pods.prometheus.answer(pod, method, proxied.port, proxied.scheme, proxied.path)

    def _list(self, target: Target) -> flask.Response:
        query = ListQuery.of(flask.request.args)
        return _json(list_objects(self._store, target.resource, target.namespace, query))

    def _create(self, target: Target) -> flask.Response:
        if target.subresource == kinds.TOKEN_SUBRESOURCE:
            return self._create_token(target)
        if target.proxied is not None:
            return self._proxy(self._find(target), target.proxied)
        options = incoming.write_options()
        obj = self._registry.create(target.resource, target.namespace, incoming.read_body(), options)
        return _json(obj, 201, options.warnings)

    def _create_token(self, target: Target) -> flask.Response:
        options = incoming.write_options()
        body = self._registry.read(kinds.TOKEN_REQUESTS, incoming.read_body(), options)
        self._registry.check_namespace(kinds.SERVICE_ACCOUNTS, target.namespace, target.name)
        answer, warnings = self._tokens.request(target.namespace, target.name, body)
        return _json(answer, 201, options.warnings + warnings)

    def _review(self, resource: Resource, user: User) -> flask.Response:
        options = incoming.write_options()
        body = self._registry.read(resource, incoming.read_body(), options)
        return _json(self._reviews.answer(resource, body, user), 201, options.warnings)

    def _replace(self, target: Target) -> flask.Response:
        options = incoming.write_options()
        body = incoming.read_body()
        obj = self._registry.replace(target.resource, target.namespace, target.name, body, options)
        return _json(obj, 200, options.warnings)

    def _patch(self, target: Target) -> flask.Response:
        content_type, patch = incoming.read_patch()
        options = incoming.write_options()
        obj = self._registry.patch(target.resource, target.namespace, target.name, content_type, patch, options)
        return _json(obj, 200, options.warnings)

    def _delete(self, target: Target) -> flask.Response:
        conditions, options = incoming.delete_options()
        return _json(self._registry.delete(target.resource, target.namespace, target.name, conditions, options))


def _check_served(verb: str, target: Target) -> None:
    """:raises ApiError: 405, the path takes no such request."""
    served = target.subresource.verbs if target.subresource else target.resource.verbs
    placed = bool(target.namespace) or not target.resource.namespaced or verb == "list"
    of_collection = verb in ("list", "create") and target.subresource is None
    if verb not in served or not placed or of_collection is bool(target.name) or "watch" in flask.request.args:
        raise errors.method_not_allowed()


def _no_page() -> flask.Response:
    return flask.Response("404 page not found\n", 404, content_type="text/plain; charset=utf-8")


def _json(
    body: Json, status: int = 200, warnings: t.Iterable[str] = (), *, content_type: str = JSON_TYPE
) -> flask.Response:
    response = flask.Response(json.dumps(body, separators=(",", ":")) + "\n", status, content_type=content_type)
    for warning in dict.fromkeys(warnings):
        response.headers.add("Warning", f"299 - {json.dumps(warning)}")
    return response
