# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data plane of Amazon Managed Service for Prometheus at aps-workspaces.<region>.amazonaws.com.

https://docs.aws.amazon.com/prometheus/latest/userguide/AMP-APIReference.html; error bodies as users report them.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import re
import typing as t
from urllib.parse import parse_qs, unquote

import flask

from sandbox import web
from sandbox.aws import promql, receiver, remote_write
from sandbox.aws.amp import workspace_arn
from sandbox.aws.errors import AwsError, missing_token, rest_json
from sandbox.aws.requests import AwsRequest
from sandbox.aws.sigv4 import Scope, mismatch
from sandbox.world import Sample

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.aws.amp import Workspaces
    from sandbox.aws.identities import Identity
    from sandbox.aws.shared import Account
    from sandbox.world import Json, World

_TENANT_HEADER = "x-scope-orgid"
_MAX_AGE_MS = 60 * 60 * 1000  # the service refuses samples older than an hour
_CAPITAL = frozenset({"AccessDenied", "ResourceNotFoundException"})  # whose bodies say "Message"


@dataclasses.dataclass(frozen=True)
class _Call:
    """One request to a workspace's Prometheus API, after all checks but those of its content."""

    account: Account
    caller: Identity
    workspace_id: str
    request: AwsRequest
    label: str  # of /label/<name>/values

    def arguments(self) -> dict[str, list[str]]:
        """Prometheus takes arguments in the query and, of a POST, in the form."""
        fields = parse_qs(self.request.query, keep_blank_values=True)
        if self.request.method == "POST":
            for name, values in parse_qs(self.request.body.decode("utf-8", "replace"), keep_blank_values=True).items():
                fields.setdefault(name, []).extend(values)
        return fields

    def samples(self) -> list[Sample]:
        world = self.account.world
        with world.lock:
            return [sample for sample in world.samples if sample.workspace_id == self.workspace_id]


def create_app(world: World, account: Account, workspaces: Workspaces) -> flask.Flask:
    """The application for one region's workspaces."""
    app = web.make_app(world, "aps-workspaces")
    scope = Scope(service="aps", region=workspaces.region_name)

    @app.errorhandler(AwsError)
    def failed(error: AwsError) -> flask.Response:
        return rest_json(error, message_key="Message" if error.code in _CAPITAL else "message")

    @app.errorhandler(remote_write.BadRequestError)
    def bad_write(error: remote_write.BadRequestError) -> flask.Response:
        return rest_json(AwsError("ValidationException", str(error)))

    @app.errorhandler(promql.QueryError)
    def bad_query(error: promql.QueryError) -> flask.Response:
        body = {"status": "error", "errorType": "bad_data", "error": f'invalid parameter "query": {error}'}
        return flask.Response(json.dumps(body), 400, content_type="application/json")

    @app.errorhandler(404)
    @app.errorhandler(405)
    def unknown(_unused: Exception) -> flask.Response:
        return rest_json(missing_token())

    @app.route("/<path:_unused>", methods=["GET", "POST"])
    def dispatch(_unused: str) -> flask.Response:
        request = AwsRequest.of(flask.request)
        route, found = _route(request)
        web.name_operation(route.operation)
        caller = _caller(account, request, scope)
        workspace_id = unquote(found["workspace"])
        arn = workspace_arn(workspaces.region_name, workspace_id)
        with world.lock:
            workspace = workspaces.workspaces.get(workspace_id)
            tags = dict(workspaces.list_tags_for_resource(arn)) if workspace else {}
            shared = workspaces.policies.document(workspace_id)
        context = {f"aws:resourcetag/{key.lower()}": (value,) for key, value in tags.items()}
        account.require(caller, f"aps:{route.operation}", arn, context, shared)
        if workspace is None:
            raise AwsError("ResourceNotFoundException", "Workspace not found", 404)
        label = unquote(found.groupdict().get("label") or "")
        return route.answer(_Call(account, caller, workspace_id, request, label))

    return app


def _caller(account: Account, request: AwsRequest, scope: Scope) -> Identity:
    """The service drops the tenant header before it verifies, so a signed one breaks the signature."""
    headers = {name: value for name, value in request.headers.items() if name != _TENANT_HEADER}
    caller = account.caller(dataclasses.replace(request, headers=headers), scope)
    if _TENANT_HEADER in request.headers:
        raise mismatch()
    return caller


def _write(call: _Call) -> flask.Response:
    """Store all samples or none."""
    remote_write.check_headers(call.request.headers)
    points = remote_write.decode(call.request.body)
    oldest = int(call.account.clock() * 1000) - _MAX_AGE_MS
    for point in points:
        if point.timestamp_ms < oldest:
            raise remote_write.BadRequestError(
                f"out of bounds: the sample of timestamp {point.timestamp_ms} is older than one hour"
            )
    store = call.account.world.settings.aps_receiver
    if store:
        answer = receiver.store(store, call.request.body, call.request.headers)
        if answer is not None:
            return answer
    with call.account.world.lock:
        call.account.world.samples.extend(
            Sample(
                workspace_id=call.workspace_id,
                labels=point.labels,
                value=point.value,
                timestamp_ms=point.timestamp_ms,
                role_arn=call.caller.principal_arn,
                session_arn=call.caller.arn if call.caller.role_id else "",
                federated_by=call.caller.federated_by,
            )
            for point in points
        )
    if points:
        web.mark_write()
    return flask.Response("", 200)


def _query(call: _Call) -> flask.Response:
    arguments = call.arguments()
    store = call.account.world.settings.aps_receiver
    if store:
        return receiver.query(store, arguments)
    query = promql.parse_instant(arguments.get("query", [""])[0])
    at = _seconds(arguments["time"][0]) if "time" in arguments else call.account.clock()
    vector = [
        {"metric": query.labels_of(sample), "value": [at, promql.shown(query.value_of(sample))]}
        for sample in promql.instant(promql.select(call.samples(), query.matchers), int(at * 1000))
    ]
    return _success({"resultType": "vector", "result": vector})


def _series(call: _Call) -> flask.Response:
    if not call.arguments().get("match[]"):
        raise promql.QueryError("no match[] parameter provided")
    return _success([dict(labels) for labels in sorted(_matching(call))])


def _labels(call: _Call) -> flask.Response:
    return _success(sorted({name for labels in _matching(call) for name, _unused in labels}))


def _label_values(call: _Call) -> flask.Response:
    return _success(sorted({value for labels in _matching(call) for name, value in labels if name == call.label}))


def _metadata(_unused: _Call) -> flask.Response:
    """Remote write's metadata is not kept."""
    return _success({})


def _matching(call: _Call) -> set[remote_write.Labels]:
    """The series that any of the selectors finds; without selectors all."""
    samples = call.samples()
    selectors = [promql.parse(selector) for selector in call.arguments().get("match[]", [])]
    if not selectors:
        return {sample.labels for sample in samples}
    return {sample.labels for matchers in selectors for sample in promql.select(samples, matchers)}


def _success(data: Json | list[t.Any]) -> flask.Response:
    return flask.Response(json.dumps({"status": "success", "data": data}), 200, content_type="application/json")


def _seconds(text: str) -> float:
    """A time in either of Prometheus' forms: seconds since the epoch or RFC 3339."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return dt.datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise promql.QueryError(f'cannot parse "{text}" to a valid timestamp') from None


@dataclasses.dataclass(frozen=True)
class _Route:
    operation: str
    methods: tuple[str, ...]
    path: str  # after /api/v1/; a pattern
    answer: Callable[[_Call], flask.Response]


_READ = ("GET", "POST")
_ROUTES = (
    _Route("RemoteWrite", ("POST",), "remote_write", _write),
    _Route("QueryMetrics", _READ, "query", _query),
    _Route("GetSeries", _READ, "series", _series),
    _Route("GetLabels", _READ, "labels", _labels),
    _Route("GetLabels", ("GET",), "label/(?P<label>[^/]+)/values", _label_values),
    _Route("GetMetricMetadata", ("GET",), "metadata", _metadata),
)


def _route(request: AwsRequest) -> tuple[_Route, re.Match[str]]:
    """What is asked for. A path that is unknown, be it by a slash too many, is answered as if it were unsigned."""
    for route in _ROUTES:
        found = re.fullmatch(f"/workspaces/(?P<workspace>[^/]+)/api/v1/{route.path}", request.path)
        if found and request.method in route.methods:
            return route, found
    raise missing_token()
