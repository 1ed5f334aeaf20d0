# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a request asks for: the resource of its path, its verb, its body and its options.

Source: ``k8s.io/apiserver/pkg/endpoints/request/requestinfo.go`` and https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t

import flask

from sandbox.kubernetes import errors, kinds
from sandbox.kubernetes.access import Attempt
from sandbox.kubernetes.errors import forbidden_field, too_long, unsupported
from sandbox.kubernetes.kinds import Resource, Subresource
from sandbox.kubernetes.patches import PATCH_TYPES
from sandbox.kubernetes.registry import DeleteOptions, FieldValidation, WriteOptions
from sandbox.kubernetes.schema import DecodeError, decode
from sandbox.world import Json

JSON_TYPE = "application/json"
_MAX_BODY = 3 * 1024 * 1024
_MAX_MANAGER = 128
_ACCEPTABLE = frozenset({JSON_TYPE, "application/*", "*/*"})
_OPTION_KINDS = {"POST": "CreateOptions", "PUT": "UpdateOptions", "PATCH": "PatchOptions", "DELETE": "DeleteOptions"}


@dataclasses.dataclass(frozen=True)
class Target:
    """What a path under ``/api`` or ``/apis`` names. Without ``name`` it is a collection."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: Subresource | None = None
    proxied: Proxied | None = None


@dataclasses.dataclass(frozen=True)
class Proxied:
    """What a path through a pod's proxy asks of the pod."""

    scheme: str
    port: str
    path: str


def parse_target(path: str) -> Target | None:
    """The resource that a path names; None when the server has no such resource."""
    match = re.fullmatch(r"/(?:api/(?P<core>v1)|apis/(?P<group>[^/]+)/(?P<version>[^/]+))/(?P<rest>.+)", path)
    if match is None:
        return None
    group, version = match["group"] or "", match["core"] or match["version"]
    parts = match["rest"].split("/")
    if not group and parts[2:3] == ["pods"] and parts[4:5] == ["proxy"]:
        return _proxy_target(parts)
    if not all(parts):
        return None
    namespace = ""
    if parts[0] == "namespaces" and len(parts) > 2:
        namespace, parts = parts[1], parts[2:]
    resource = kinds.find_resource(group, version, parts[0])
    if resource is None or len(parts) > 3 or (namespace and not resource.namespaced):
        return None
    if resource.namespaced and not namespace and len(parts) > 1:
        return None
    subresource = kinds.find_subresource(resource, parts[2]) if len(parts) == 3 else None
    if len(parts) == 3 and subresource is None:
        return None
    return Target(resource, namespace, parts[1] if len(parts) > 1 else "", subresource)


def _proxy_target(parts: list[str]) -> Target:
    """``namespaces/<namespace>/pods/[https:]<pod>[:<port>]/proxy/<path>``."""
    names = parts[3].split(":")
    scheme = names[0] if len(names) == 3 else "http"
    name, port = (names[1], names[2]) if len(names) == 3 else (names[0], names[1] if len(names) == 2 else "")
    proxied = Proxied(scheme or "http", port, "/" + "/".join(parts[5:]))
    return Target(kinds.PODS, parts[1], name, kinds.PROXY_SUBRESOURCE, proxied)


def verb_of(method: str, target: Target) -> str:
    """The API's verb, which authorization and the request log go by."""
    if method in ("GET", "HEAD"):
        return "get" if target.name else "list"
    verbs = {"POST": "create", "PUT": "update", "PATCH": "patch"}
    if method == "DELETE":
        return "delete" if target.name else "deletecollection"
    return verbs.get(method, method.lower())


def attempt_of(verb: str, target: Target) -> Attempt:
    resource = target.resource
    # A namespace is the object and the place at once: rules about the namespace cover it.
    namespace = target.name if resource == kinds.NAMESPACES else target.namespace
    subresource = target.subresource.name if target.subresource else ""
    return Attempt(verb, resource.group, resource.plural, subresource, namespace, target.name)


def attempt_at(method: str, path: str) -> Attempt | None:
    """What a path of resources asks for that the server does not have: it authorizes before it looks for them."""
    match = re.fullmatch(r"/(?:api/v1|apis/(?P<group>[^/]+)/[^/]+)/(?P<rest>.+)", path)
    if match is None:
        return None
    parts, namespace = match["rest"].strip("/").split("/"), ""
    if parts[0] == "namespaces" and len(parts) > 2:
        namespace, parts = parts[1], parts[2:]
    resource, name, subresource = [*parts, "", ""][:3]
    verbs = {"GET": "get" if name else "list", "POST": "create", "PUT": "update"}
    return Attempt(verbs.get(method, method.lower()), match["group"] or "", resource, subresource, namespace, name)


def check_accept() -> None:
    """:raises ApiError: 406, the client takes no JSON."""
    header = flask.request.headers.get("Accept", "")
    offered = [entry.strip() for entry in header.split(",") if entry.strip()]
    plain = {entry.partition(";")[0].strip() for entry in offered if ";as=" not in entry.replace(" ", "")}
    if offered and not plain & _ACCEPTABLE:
        raise errors.not_acceptable([JSON_TYPE])


def bearer_token() -> str:
    scheme, _unused, token = flask.request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def read_body() -> Json:
    """The JSON object of a POST or PUT.

    :raises ApiError: 415 another content type; 413 too large; 400 no JSON object.
    """
    if (flask.request.mimetype or JSON_TYPE) != JSON_TYPE:
        raise errors.unsupported_media_type([JSON_TYPE])
    body = _read_json()
    if not isinstance(body, dict):
        raise errors.bad_request(
            "couldn't get version/kind; json parse error: json: cannot unmarshal array into Go value of type struct"
            ' { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
        )
    return body


def read_patch() -> tuple[str, t.Any]:
    """The content type and the document of a PATCH.

    :raises ApiError: 415 another content type; 413 too large; 400 no JSON.
    """
    content_type = flask.request.mimetype
    if content_type not in PATCH_TYPES:
        raise errors.unsupported_media_type(PATCH_TYPES)
    return content_type, _read_json()


def _read_json() -> t.Any:
    data = flask.request.get_data(cache=False)
    if len(data) > _MAX_BODY:
        raise errors.entity_too_large(f"Request entity too large: limit is {_MAX_BODY}")
    try:
        return json.loads(data)
    except ValueError as error:
        raise errors.bad_request(f"couldn't get version/kind; json parse error: {error}") from error


def write_options() -> WriteOptions:
    """The options in the query of a write.

    :raises ApiError: 422, an option has no such value.
    """
    query = flask.request.args
    kind = _OPTION_KINDS[flask.request.method]
    causes = []
    dry_run = [value for value in query.getlist("dryRun") if value]
    causes += [unsupported("dryRun", value, ["All"]) for value in dry_run if value != "All"]
    validation = query.get("fieldValidation") or FieldValidation.WARN.value
    known = [member.value for member in FieldValidation]
    if validation not in known:
        causes.append(unsupported("fieldValidation", validation, known))
    manager = query.get("fieldManager", "")
    if len(manager) > _MAX_MANAGER:
        causes.append(too_long("fieldManager", _MAX_MANAGER))
    if kind == "PatchOptions" and "force" in query:
        causes.append(forbidden_field("force", "may not be specified for non-apply patch"))
    if causes:
        raise errors.invalid_object("meta.k8s.io", kind, "", causes)
    return WriteOptions(
        manager=manager or _default_manager(),
        dry_run=bool(dry_run),
        field_validation=FieldValidation(validation),
    )


def _default_manager() -> str:
    """A client that names no field manager is called by its program's name."""
    agent = flask.request.headers.get("User-Agent", "")
    return agent.partition("/")[0][:_MAX_MANAGER] or "unknown"


def delete_options() -> tuple[DeleteOptions, WriteOptions]:
    """The options of a deletion, from its body and its query.

    :raises ApiError: 400 the body is malformed; 422 an option has no such value.
    """
    options = write_options()
    body: Json = {}
    if flask.request.content_length:
        try:
            body = decode("V1DeleteOptions", read_body()).value
        except DecodeError as error:
            raise errors.bad_request(str(error)) from error
    policy = body.get("propagationPolicy") or flask.request.args.get("propagationPolicy") or "Background"
    causes = [unsupported("dryRun", value, ["All"]) for value in body.get("dryRun", []) if value != "All"]
    policies = ("Background", "Foreground", "Orphan")
    if policy not in policies:
        causes.append(unsupported("propagationPolicy", policy, policies))
    if causes:
        raise errors.invalid_object("meta.k8s.io", "DeleteOptions", "", causes)
    options.dry_run = options.dry_run or bool(body.get("dryRun"))
    preconditions = body.get("preconditions", {})
    return (
        DeleteOptions(
            uid=preconditions.get("uid"),
            resource_version=preconditions.get("resourceVersion"),
            orphan=policy == "Orphan" or body.get("orphanDependents") is True,
        ),
        options,
    )
