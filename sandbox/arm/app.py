# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ARM's HTTP surface: reading, writing and listing managed clusters, their credentials and operations."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import re
import typing as t
import uuid

import flask

from sandbox import web
from sandbox.arm import access, body, errors, identities, linked, query, subscriptions
from sandbox.arm.kubeconfig import credential_results, server_of
from sandbox.arm.operations import TERMINAL_STATES, Operation, Operations
from sandbox.arm.run_command import RunCommands

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from werkzeug.exceptions import HTTPException

    from sandbox.world import AksCluster, Json, World

_PROVIDER = "/providers/Microsoft.ContainerService"
_SUBSCRIPTION = "/subscriptions/<subscription>"
_GROUP = f"{_SUBSCRIPTION}/resourceGroups/<group>"
_CLUSTER = f"{_GROUP}{_PROVIDER}/managedClusters/<name>"

# The words of ARM's paths are case-insensitive; the routes below are written in this spelling.
_WORDS = {
    word.lower(): word
    for word in (
        *re.findall(r"[A-Za-z.]+", _PROVIDER + "/subscriptions/resourceGroups/managedClusters/locations/operations"),
        "operationresults",
        "rotateServiceAccountSigningKeys",
        "listClusterAdminCredential",
        "listClusterUserCredential",
        "runCommand",
        "commandResults",
        *identities.WORDS,
    )
}

_ETAGS_SINCE = "2024-09-01"  # the API version that brought eTag
_FIRST_VERSION = "2019-02-01"
_OPERATIONS_VERSION = "2016-03-30"  # of the addresses at which ARM has operations looked at
_DAYS_OF_VERSIONS = (1, 2)  # there is one for most months, and some have a preview a day later
_READ = "Microsoft.ContainerService/managedClusters/read"
_WRITE = "Microsoft.ContainerService/managedClusters/write"


def create_app(world: World) -> flask.Flask:
    """The application that answers for management.azure.com."""
    app = web.make_app(world, "arm")
    # Flask's own way to put a middleware in front of an application.
    app.wsgi_app = _CanonicalPath(app.wsgi_app)  # type: ignore[method-assign]
    app.register_blueprint(_clusters(_ManagedClusters(world)))
    app.register_blueprint(subscriptions.create_blueprint(world))
    app.register_blueprint(identities.create_blueprint(world))
    writes_left = itertools.count(1199, -1)

    @app.errorhandler(errors.ArmError)
    def refused(error: errors.ArmError) -> flask.Response:
        return error.response()

    @app.errorhandler(404)
    @app.errorhandler(405)
    def unknown(error: HTTPException) -> flask.Response:
        if error.code == 405:
            message = f"The HTTP method '{flask.request.method}' is not supported for this resource."
            return errors.gateway(405, "HttpMethodNotSupported", message).response()
        message = f"The resource type could not be found for the path '{flask.request.path}'."
        return errors.gateway(404, "InvalidResourceType", message).response()

    @app.after_request
    def headers(response: flask.Response) -> flask.Response:
        response.headers.setdefault("x-ms-request-id", str(uuid.uuid4()))
        response.headers["x-ms-correlation-request-id"] = response.headers["x-ms-request-id"]
        response.headers.update(
            {
                "Cache-Control": "no-cache",
                "Expires": "-1",
                "Pragma": "no-cache",
                "Server": "nginx",
                "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
                "X-Content-Type-Options": "nosniff",
            }
        )
        if flask.g.get("write"):
            response.headers["x-ms-ratelimit-remaining-subscription-writes"] = str(next(writes_left))
        return response

    return app


class _CanonicalPath:
    """Brings the words of a path into the spelling of the routes. Names keep theirs."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        words = environ["PATH_INFO"].split("/")
        environ["PATH_INFO"] = "/".join(_WORDS.get(word.lower(), word) for word in words)
        return self._app(environ, start_response)


def _clusters(service: _ManagedClusters) -> flask.Blueprint:
    routes = flask.Blueprint("managed-clusters", __name__)
    for rule, method, view in (
        (_CLUSTER, "GET", service.get),
        (_CLUSTER, "PUT", service.put),
        (_CLUSTER, "PATCH", service.update_tags),
        (f"{_CLUSTER}/listClusterAdminCredential", "POST", service.list_admin_credentials),
        (f"{_CLUSTER}/listClusterUserCredential", "POST", service.list_user_credentials),
        (f"{_CLUSTER}/runCommand", "POST", service.run_command),
        (f"{_CLUSTER}/commandResults/<key>", "GET", service.get_command_result),
        (f"{_GROUP}{_PROVIDER}/managedClusters", "GET", service.list_by_resource_group),
        (f"{_SUBSCRIPTION}{_PROVIDER}/managedClusters", "GET", service.list_by_subscription),
        (f"{_CLUSTER}/rotateServiceAccountSigningKeys", "POST", service.rotate_signing_keys),
        (f"{_SUBSCRIPTION}{_PROVIDER}/locations/<location>/operations/<key>", "GET", service.get_operation),
        (f"{_SUBSCRIPTION}{_PROVIDER}/locations/<location>/operationresults/<key>", "GET", service.get_result),
    ):
        routes.add_url_rule(
            rule, endpoint=view.__name__, view_func=view, methods=[method], provide_automatic_options=False
        )
    return routes


class _ManagedClusters:
    """One method for each operation of the API."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._operations = Operations(world)
        self._commands = RunCommands(world)

    def get(self, subscription: str, group: str, name: str) -> flask.Response:
        self._begin("ManagedClusters_Get", _READ, subscription, group)
        with self._world.lock:
            return _answer(self._view(self._cluster(subscription, group, name)))

    def put(self, subscription: str, group: str, name: str) -> flask.Response:
        self._begin("ManagedClusters_CreateOrUpdate", _WRITE, subscription, group)
        access.require_linked(
            self._world,
            flask.request.headers.get("Authorization"),
            _WRITE,
            flask.request.path,
            linked.links(_json_object()),
        )
        with self._world.lock:
            cluster = self._world.find_cluster(subscription, group, name)
            self._require_preconditions(cluster)
            if cluster is None:
                raise errors.gateway(
                    403,
                    "RequestDisallowedByPolicy",
                    f"Resource '{name}' was disallowed by policy: the sandbox's clusters are made when it starts.",
                )
            self._require_idle(cluster)
            new = body.after_put(cluster.body, _managed_cluster(cluster), cluster.issuer_url)
            _require_allowed(cluster.body, new)
            before, cluster.body = cluster.body, new
            return self._started(cluster, before)

    def update_tags(self, subscription: str, group: str, name: str) -> flask.Response:
        self._begin("ManagedClusters_UpdateTags", _WRITE, subscription, group)
        with self._world.lock:
            cluster = self._cluster(subscription, group, name)
            self._require_preconditions(cluster)
            self._require_idle(cluster)
            before, cluster.body = cluster.body, {**cluster.body, "tags": _tags_object()}
            return self._started(cluster, before)

    def list_by_subscription(self, subscription: str) -> flask.Response:
        self._begin("ManagedClusters_List", _READ, subscription)
        with self._world.lock:
            return self._page([c for c in self._world.clusters if c.subscription.lower() == subscription.lower()])

    def list_by_resource_group(self, subscription: str, group: str) -> flask.Response:
        self._begin("ManagedClusters_ListByResourceGroup", _READ, subscription, group)
        wanted = (subscription.lower(), group.lower())
        with self._world.lock:
            return self._page(
                [c for c in self._world.clusters if (c.subscription.lower(), c.resource_group.lower()) == wanted]
            )

    def list_admin_credentials(self, subscription: str, group: str, name: str) -> flask.Response:
        action = "Microsoft.ContainerService/managedClusters/listClusterAdminCredential/action"
        self._begin("ManagedClusters_ListClusterAdminCredentials", action, subscription, group)
        with self._world.lock:
            cluster = self._cluster(subscription, group, name)
            if cluster.body["properties"].get("disableLocalAccounts"):
                raise errors.provider(
                    400,
                    "BadRequest",
                    "Getting static credential isn't allowed because this cluster is set to disable local accounts.",
                )
            server = server_of(cluster, flask.request.args.get("server-fqdn"))
            return _answer(credential_results(cluster, "clusterAdmin", "exec", server))

    def list_user_credentials(self, subscription: str, group: str, name: str) -> flask.Response:
        action = "Microsoft.ContainerService/managedClusters/listClusterUserCredential/action"
        self._begin("ManagedClusters_ListClusterUserCredentials", action, subscription, group)
        style = flask.request.args.get("format", "exec")
        if style not in ("azure", "exec"):
            raise errors.provider(400, "BadRequest", f"The value '{style}' of the query parameter format is invalid.")
        with self._world.lock:
            cluster = self._cluster(subscription, group, name)
            server = server_of(cluster, flask.request.args.get("server-fqdn"))
            return _answer(credential_results(cluster, "clusterUser", style, server))

    def run_command(self, subscription: str, group: str, name: str) -> flask.Response:
        action = "Microsoft.ContainerService/managedClusters/runcommand/action"
        self._begin("ManagedClusters_RunCommand", action, subscription, group)
        cluster = self._cluster(subscription, group, name)
        result = self._commands.start(cluster, _json_object())
        return self._with_retry_after(self._running(cluster, result.id), waiting=True)

    def get_command_result(self, subscription: str, group: str, name: str, key: str) -> flask.Response:
        action = "Microsoft.ContainerService/managedClusters/commandResults/read"
        self._begin("ManagedClusters_GetCommandResult", action, subscription, group)
        cluster = self._cluster(subscription, group, name)
        result = self._commands.find(cluster, key)
        if result.is_running:
            return self._with_retry_after(self._running(cluster, key), waiting=True)
        return _answer(result.body())

    def _running(self, cluster: AksCluster, key: str) -> flask.Response:
        response = flask.Response(status=202)
        version = flask.request.args["api-version"]
        response.headers["Location"] = (
            f"https://{flask.request.host}/subscriptions/{cluster.subscription}/resourceGroups/"
            f"{cluster.resource_group}{_PROVIDER}/managedClusters/{cluster.name}/commandResults/{key}"
            f"?api-version={version}"
        )
        return response

    def rotate_signing_keys(self, subscription: str, group: str, name: str) -> flask.Response:
        """202 and an operation without a result; the new key signs, and is listed, when the operation ends."""
        action = "Microsoft.ContainerService/managedClusters/rotateServiceAccountSigningKeys/action"
        self._begin("ManagedClusters_RotateServiceAccountSigningKeys", action, subscription, group)
        with self._world.lock:
            cluster = self._cluster(subscription, group, name)
            self._require_idle(cluster)
            response = self._started(cluster, cluster.body, finish=cluster.rotate_signing_key)
            response.headers["Location"] = response.headers["Azure-AsyncOperation"].replace(
                "/operations/", "/operationresults/"
            )
            response.status_code = 202
            response.set_data(b"")
            return response

    def get_result(self, subscription: str, location: str, key: str) -> flask.Response:
        """What an operation without a result answers at its ``Location``: 202 until it has ended, then 204."""
        self._begin("OperationResults_Get", "Microsoft.ContainerService/locations/operationresults/read", subscription)
        with self._world.lock:
            operation = self._operation(location, key)
            response = flask.Response(status=204 if operation.ended else 202)
            return self._with_retry_after(response, waiting=operation.ended is None)

    def get_operation(self, subscription: str, location: str, key: str) -> flask.Response:
        self._begin("Operations_Get", "Microsoft.ContainerService/locations/operations/read", subscription)
        with self._world.lock:
            operation = self._operation(location, key)
            return self._with_retry_after(_answer(operation.body()), waiting=operation.ended is None)

    def _operation(self, location: str, key: str) -> Operation:
        operation = self._operations.find(key)
        if operation is None or not body.same_location(operation.cluster.location, location):
            raise errors.provider(404, "NotFound", f"The operation '{key}' was not found.")
        return operation

    def _begin(self, operation: str, action: str, subscription: str, group: str | None = None) -> None:
        """What ARM does before it hands a request on: name it, check token, API version, subscription and group."""
        web.name_operation(operation)
        access.require_role(self._world, flask.request.headers.get("Authorization"), action, flask.request.path)
        version = query.require_api_version()
        query.require_registered(
            version,
            "managedClusters",
            served=_is_served(version),
            supported=f"{_FIRST_VERSION}, ..., {_ETAGS_SINCE}, ...",
        )
        with self._world.lock:
            self._operations.settle()
            self._require_subscription(subscription)
            if group is not None:
                self._require_group(subscription, group)

    def _require_subscription(self, subscription: str) -> None:
        known = {subscription.id.lower() for subscription in self._world.subscriptions}
        known |= {cluster.subscription.lower() for cluster in self._world.clusters}
        if subscription.lower() not in known:
            message = f"The subscription '{subscription}' could not be found."
            raise errors.gateway(404, "SubscriptionNotFound", message)

    def _require_group(self, subscription: str, group: str) -> None:
        known = {(c.subscription.lower(), c.resource_group.lower()) for c in self._world.clusters}
        if (subscription.lower(), group.lower()) not in known:
            raise errors.gateway(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")

    def _cluster(self, subscription: str, group: str, name: str) -> AksCluster:
        cluster = self._world.find_cluster(subscription, group, name)
        if cluster is None:
            raise errors.resource_not_found(group, name)
        return cluster

    def _require_preconditions(self, cluster: AksCluster | None) -> None:
        """``If-Match`` and ``If-None-Match`` by the table of https://learn.microsoft.com/azure/aks/use-etags."""
        if flask.request.args["api-version"] < _ETAGS_SINCE:
            return
        if_match = _etag_header("If-Match")
        if_none_match = _etag_header("If-None-Match")
        if if_none_match not in ("", "*"):
            raise errors.provider(400, "BadRequest", "The If-None-Match header must be empty or '*'.")
        if if_match and if_none_match:
            raise errors.provider(400, "BadRequest", "If-Match and If-None-Match must not be used together.")
        if cluster is None and if_match:
            raise errors.etag_mismatch(412)
        if cluster is not None and if_none_match:
            raise errors.etag_mismatch(412)
        if cluster is not None and if_match not in ("", "*", self._operations.etag(cluster)):
            raise errors.etag_mismatch(self._world.settings.aks_etag_conflict_status)

    def _require_idle(self, cluster: AksCluster) -> None:
        properties = cluster.body["properties"]
        state = properties.get("provisioningState", "Succeeded")
        if state not in TERMINAL_STATES:
            if self._world.settings.aks_busy_code == "EtagMismatch":
                raise errors.etag_mismatch(409)
            raise errors.operation_in_progress(state)
        power = properties.get("powerState", {}).get("code", "Running")
        if power != "Running":
            raise errors.provider(
                409,
                "OperationNotAllowed",
                f"managed cluster is in Provisioning State({state}) and Power State({power}), "
                "updating cannot be performed",
            )

    def _started(self, cluster: AksCluster, before: Json, finish: Callable[[], None] = lambda: None) -> flask.Response:
        """The answer to an accepted write. Even one that changes nothing is one: ARM runs it all the same."""
        operation = self._operations.start(cluster, "Updating", before=before, finish=finish)
        web.mark_write()
        response = _answer(self._view(cluster))
        response.headers["Azure-AsyncOperation"] = (
            f"https://{flask.request.host}/subscriptions/{cluster.subscription}{_PROVIDER}/locations/"
            f"{cluster.location}/operations/{operation.key}?api-version={_OPERATIONS_VERSION}"
        )
        return self._with_retry_after(response, waiting=True)

    def _with_retry_after(self, response: flask.Response, *, waiting: bool) -> flask.Response:
        seconds = self._world.settings.aks_retry_after
        if waiting and seconds is not None:
            response.headers["Retry-After"] = str(seconds)
        return response

    def _view(self, cluster: AksCluster) -> Json:
        view = self._operations.view(cluster)
        if flask.request.args["api-version"] < _ETAGS_SINCE:
            view.pop("eTag", None)
            for pool in view["properties"].get("agentPoolProfiles", []):
                pool.pop("eTag", None)
        return view

    def _page(self, clusters: list[AksCluster]) -> flask.Response:
        return _answer(query.page(clusters, self._world.settings.arm_page_size, self._view))


def _is_served(version: str) -> bool:
    """Whether AKS may have this version: the SDKs' are newer each month, so only what can't be one is refused."""
    try:
        day = dt.date.fromisoformat(version.removesuffix("-preview"))
    except ValueError:
        return False
    first, today = dt.date.fromisoformat(_FIRST_VERSION), dt.datetime.now(dt.UTC).date()
    return version == _OPERATIONS_VERSION or (first <= day <= today and day.day in _DAYS_OF_VERSIONS)


def _answer(content: Json) -> flask.Response:
    return flask.jsonify(content)


def _etag_header(name: str) -> str:
    """An eTag header's value without the quotes that HTTP wants around it; clients send both forms."""
    return flask.request.headers.get(name, "").strip().removeprefix("W/").strip('"')


def _json_object() -> Json:
    try:
        content = json.loads(flask.request.get_data())
    except ValueError as error:
        message = f"The request content was invalid and could not be deserialized: '{error}'."
        raise errors.gateway(400, "InvalidRequestContent", message) from error
    if not isinstance(content, dict):
        message = "The request content was invalid and could not be deserialized: an object was expected."
        raise errors.gateway(400, "InvalidRequestContent", message)
    return content


def _managed_cluster(current: AksCluster) -> Json:
    """The body of a PUT, if it can be a managed cluster's in the same place."""
    sent = _json_object()
    location = sent.get("location")
    if not isinstance(location, str) or not location:
        raise errors.gateway(400, "LocationRequired", "The location property is required for this definition.")
    if not body.same_location(location, current.location):
        raise errors.gateway(
            409,
            "InvalidResourceLocation",
            f"The resource '{current.name}' already exists in location '{current.location}' in resource group "
            f"'{current.resource_group}'. A resource with the same name cannot be created in location '{location}'. "
            "Please select a new resource name.",
        )
    if not _is_shaped(sent):
        raise errors.provider(400, "InvalidParameter", "The request body does not have the shape of a managed cluster.")
    return sent


def _is_shaped(sent: Json) -> bool:
    """Whether the parts that the sandbox looks into have the types that the definition gives them."""
    properties = sent.get("properties")
    if not isinstance(properties, dict):
        return False
    security = properties.get("securityProfile") or {}
    if not isinstance(security, dict) or not _is_tags(sent.get("tags") or {}):
        return False
    switches = (properties.get("oidcIssuerProfile") or {}, security.get("workloadIdentity") or {})
    pools = properties.get("agentPoolProfiles", [])
    return (
        all(isinstance(s, dict) and isinstance(s.get("enabled"), bool | None) for s in switches)
        and isinstance(pools, list)
        and all(isinstance(pool, dict) and isinstance(pool.get("name"), str) for pool in pools)
    )


def _is_tags(tags: object) -> bool:
    return isinstance(tags, dict) and all(isinstance(value, str) for value in tags.values())


def _require_allowed(current: Json, new: Json) -> None:
    if body.issuer_enabled(current) and not body.issuer_enabled(new):
        raise errors.provider(400, "OIDCIssuerFeatureCannotBeDisabled", "OIDC issuer feature cannot be disabled.")
    if body.workload_identity_enabled(new) and not body.issuer_enabled(new):
        raise errors.provider(400, "BadRequest", "Enabling workload identity requires enabling OIDC issuer.")


def _tags_object() -> Json:
    """The body of a PATCH: tags, and nothing else, since nothing else would be changed by it."""
    sent = _json_object()
    tags = sent.get("tags", {})
    if set(sent) - {"tags"} or not _is_tags(tags):
        raise errors.provider(400, "BadRequest", "PATCH takes a TagsObject: tags with text values, and nothing else.")
    return dict(tags)
