# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control plane of Amazon Managed Service for Prometheus at aps.<region>.amazonaws.com.

moto keeps the workspaces; it is stricter here where the service is, and resource policies are the sandbox's own.
https://docs.aws.amazon.com/prometheus/latest/APIReference/
"""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t
from urllib.parse import parse_qs, unquote

import flask
from moto.amp.models import PrometheusServiceBackend, Workspace
from moto.amp.responses import PrometheusServiceResponse

from sandbox import web
from sandbox.aws.errors import AwsError, missing_token, not_served, rest_json
from sandbox.aws.parameters import check_parameters, service_model
from sandbox.aws.requests import AwsRequest
from sandbox.aws.sigv4 import Scope
from sandbox.aws.workspace_policies import PolicyError, WorkspacePolicies
from sandbox.world import AWS_ACCOUNT

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.aws.shared import Account
    from sandbox.world import Json, World

_SERVED = frozenset(
    {
        "CreateWorkspace",
        "DescribeWorkspace",
        "ListWorkspaces",
        "UpdateWorkspaceAlias",
        "DeleteWorkspace",
        "TagResource",
        "UntagResource",
        "ListTagsForResource",
        "PutResourcePolicy",
        "DescribeResourcePolicy",
        "DeleteResourcePolicy",
    }
)
_READS = ("Describe", "List")


class Workspaces(PrometheusServiceBackend):
    """One region's workspaces."""

    def __init__(self, region: str) -> None:
        super().__init__(region, AWS_ACCOUNT)
        self.policies = WorkspacePolicies()

    def matching(self, prefix: str) -> list[Workspace]:
        """Aliases are not unique. A filter finds those that begin with it; blanks around it do not count."""
        return [found for found in self.workspaces.values() if (found.alias or "").startswith(prefix.strip())]

    def update_workspace_alias(self, alias: str, workspace_id: str) -> None:
        self.describe_workspace(workspace_id)  # moto would raise KeyError
        super().update_workspace_alias(alias, workspace_id)

    def delete_workspace(self, workspace_id: str) -> None:
        self.describe_workspace(workspace_id)  # moto takes any id
        super().delete_workspace(workspace_id)
        self.policies.forget(workspace_id)


class _Front(PrometheusServiceResponse):
    """moto's view of one request, over this region's workspaces."""

    def __init__(self, workspaces: Workspaces) -> None:
        super().__init__()
        self._workspaces = workspaces

    @property
    def amp_backend(self) -> Workspaces:
        return self._workspaces

    def create_workspace(self) -> str:
        """moto insists on tags. A new workspace is in creation; it is active when it is asked for again."""
        params = json.loads(self.body or "{}")
        workspace = self.amp_backend.create_workspace(alias=params.get("alias"), tags=params.get("tags") or {})
        return json.dumps(_shown(workspace) | {"status": {"statusCode": "CREATING"}})

    def describe_workspace(self) -> str:
        workspace = self.amp_backend.describe_workspace(workspace_id=unquote(self.path).split("/")[-1])
        return json.dumps({"workspace": _shown(workspace)})

    def list_workspaces(self) -> str:
        """moto compares the whole alias and answers a token of null."""
        limit = self._get_int_param("maxResults") or 100
        start = _start(self._get_param("nextToken"))
        found = self.amp_backend.matching(self._get_param("alias") or "")
        answer: Json = {"workspaces": [_summary(workspace) for workspace in found[start : start + limit]]}
        if start + limit < len(found):
            answer["nextToken"] = f"{_TOKEN_PREFIX}{start + limit}"
        return json.dumps(answer)


_TOKEN_PREFIX = "page-"


def create_app(world: World, account: Account, workspaces: Workspaces) -> flask.Flask:
    """The application for one region's control plane."""
    app = web.make_app(world, "aps")
    scope = Scope(service="aps", region=workspaces.region_name)

    @app.errorhandler(AwsError)
    def failed(error: AwsError) -> flask.Response:
        fields = {"reason": "FIELD_VALIDATION_FAILED"} if error.code == "ValidationError" else {}
        return rest_json(error, **fields)

    @app.errorhandler(PolicyError)
    def policy_failed(error: PolicyError) -> flask.Response:
        return rest_json(error, resourceId=error.workspace_id, resourceType="AWS::APS::ResourcePolicy")

    @app.errorhandler(404)
    @app.errorhandler(405)
    def unknown(_unused: Exception) -> flask.Response:
        return rest_json(missing_token())

    @app.route("/<path:_unused>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    def dispatch(_unused: str) -> flask.Response:
        request = AwsRequest.of(flask.request)
        route = _route(request)
        if route is None:
            raise missing_token()
        web.name_operation(route.operation)
        if route.operation not in _SERVED:
            raise not_served(f"aps:{route.operation}")
        caller = account.caller(request, scope)
        params = _parameters(request, route)
        check_parameters("amp", route.operation, params)
        account.require(caller, f"aps:{route.operation}", _resource(workspaces, route))
        with world.lock:
            if route.operation.endswith("ResourcePolicy"):
                return _act_on_policy(account, workspaces, route, params)
            return _act(workspaces, request, route)

    return app


@dataclasses.dataclass(frozen=True)
class _Route:
    operation: str
    status: int  # of success
    uri: Mapping[str, str]  # the path's parameters, decoded


def _route(request: AwsRequest) -> _Route | None:
    """The operation of a method and a path; a slash too many is another path."""
    model = service_model("amp")
    for name in model.operation_names:
        http = model.operation_model(name).http
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(http["requestUri"]))
        found = re.fullmatch(pattern, request.path) if http["method"] == request.method else None
        if found:
            uri = {key: unquote(value) for key, value in found.groupdict().items()}
            return _Route(operation=name, status=int(http.get("responseCode", 200)), uri=uri)
    return None


def _parameters(request: AwsRequest, route: _Route) -> Json:
    """All parameters under their names in the model."""
    body: Json = _body(request)
    members = service_model("amp").operation_model(route.operation).input_shape.members
    fields = parse_qs(request.query, keep_blank_values=True)
    params: Json = {name: body[name] for name in members if name in body} | dict(route.uri)
    for name, shape in members.items():
        wire_name = shape.serialization.get("name", name)
        if shape.serialization.get("location") == "querystring" and wire_name in fields:
            params[name] = _typed(shape, fields[wire_name])
    return params


def _body(request: AwsRequest) -> Json:
    if not request.body:
        return {}
    try:
        body = json.loads(request.body)
    except ValueError:
        raise AwsError("SerializationException", "The body is not JSON.") from None
    if not isinstance(body, dict):
        raise AwsError("SerializationException", "The body is not a JSON object.")
    return body


def _typed(shape: t.Any, values: list[str]) -> t.Any:
    if shape.type_name == "list":
        return values
    if shape.type_name != "integer":
        return values[0]
    try:
        return int(values[0])
    except ValueError:
        raise AwsError("ValidationError", f"{values[0]} is not an integer.") from None


def _resource(workspaces: Workspaces, route: _Route) -> str:
    """The ARN that policies are asked about."""
    if "resourceArn" in route.uri:
        return route.uri["resourceArn"]
    if "workspaceId" not in route.uri:  # listing and creating are about no workspace
        return f"arn:aws:aps:{workspaces.region_name}:{AWS_ACCOUNT}:/workspaces"
    return workspace_arn(workspaces.region_name, route.uri["workspaceId"])


def workspace_arn(region: str, workspace_id: str) -> str:
    return f"arn:aws:aps:{region}:{AWS_ACCOUNT}:workspace/{workspace_id}"


def _act(workspaces: Workspaces, request: AwsRequest, route: _Route) -> flask.Response:
    arn = route.uri.get("resourceArn")
    if arn is not None and arn not in {workspace.arn for workspace in workspaces.workspaces.values()}:
        # moto takes tags for anything.
        return rest_json(_no_workspace(), resourceId=arn, resourceType="AWS::APS::Workspace")
    front = _Front(workspaces)
    front.setup_class(request.for_moto())
    status, headers, body = front.call_action()
    if status >= 400:
        return flask.Response(body, status, {"x-amzn-ErrorType": headers["X-Amzn-ErrorType"]}, None, "application/json")
    if not route.operation.startswith(_READS):
        web.mark_write()
    return flask.Response("" if route.status == 204 else body, route.status, content_type="application/json")


def _act_on_policy(account: Account, workspaces: Workspaces, route: _Route, params: Json) -> flask.Response:
    workspace_id = route.uri["workspaceId"]
    workspace = workspaces.workspaces.get(workspace_id)
    if workspace is None:
        return rest_json(_no_workspace(), resourceId=workspace_id, resourceType="AWS::APS::Workspace")
    answer: Json = {}
    if route.operation == "DescribeResourcePolicy":
        answer = workspaces.policies.describe(workspace_id)
    elif route.operation == "PutResourcePolicy":
        answer = workspaces.policies.put(workspace_id, params, workspace.arn, account.store.identities())
        web.mark_write()
    else:
        workspaces.policies.delete(workspace_id, params)
        web.mark_write()
    return flask.Response(json.dumps(answer) if answer else "", route.status, content_type="application/json")


def _no_workspace() -> AwsError:
    return AwsError("ResourceNotFoundException", "Workspace not found", 404)


def _shown(workspace: Workspace) -> Json:
    """A workspace without the members that have no value: the service leaves them out."""
    return {key: value for key, value in workspace.to_dict().items() if value is not None}


def _summary(workspace: Workspace) -> Json:
    """A workspace as lists show it."""
    return {key: value for key, value in _shown(workspace).items() if key != "prometheusEndpoint"}


def _start(token: str | None) -> int:
    if token is None:
        return 0
    number = token.removeprefix(_TOKEN_PREFIX)
    if number == token or not number.isdigit():
        raise AwsError("ValidationError", "The nextToken is invalid.")
    return int(number)
