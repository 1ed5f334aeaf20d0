# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API server's refusals: Status bodies and the causes of an Invalid one.

The texts are those of k8s.io/apimachinery (``pkg/api/errors`` and ``pkg/util/validation/field``), Kubernetes 1.33 and
later, because clients show them to people and some clients match on them.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import typing as t

from sandbox.kubernetes.kinds import Resource
from sandbox.world import Json

STALE = "the object has been modified; please apply your changes to the latest version and try again"


class ApiError(Exception):
    """A request that the API server refuses. ``body()`` is the Status object of the answer."""

    def __init__(self, code: int, reason: str, message: str, details: Json | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details

    def body(self) -> Json:
        body: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            body["reason"] = self.reason
        if self.details is not None:
            body["details"] = self.details
        return body | {"code": self.code}


class CauseType(enum.Enum):
    """Why a field is refused: the cause's ``reason`` and the words that begin its message."""

    NOT_FOUND = ("FieldValueNotFound", "Not found")
    REQUIRED = ("FieldValueRequired", "Required value")
    DUPLICATE = ("FieldValueDuplicate", "Duplicate value")
    INVALID = ("FieldValueInvalid", "Invalid value")
    NOT_SUPPORTED = ("FieldValueNotSupported", "Unsupported value")
    FORBIDDEN = ("FieldValueForbidden", "Forbidden")
    TOO_LONG = ("FieldValueTooLong", "Too long")

    @property
    def shows_value(self) -> bool:
        return self not in (CauseType.REQUIRED, CauseType.FORBIDDEN, CauseType.TOO_LONG)


@dataclasses.dataclass(frozen=True)
class Cause:
    """One field that fails validation. ``field`` is a path such as ``spec.containers[0].name``."""

    type: CauseType
    field: str
    value: t.Any = None
    detail: str = ""

    @property
    def message(self) -> str:
        title = self.type.value[1]
        text = f"{title}: {_shown(self.value)}" if self.type.shows_value else title
        return f"{text}: {self.detail}" if self.detail else text

    def body(self) -> Json:
        return {"reason": self.type.value[0], "message": self.message, "field": self.field}

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


def _shown(value: t.Any) -> str:
    return "null" if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def required(field: str, detail: str = "") -> Cause:
    return Cause(CauseType.REQUIRED, field, detail=detail)


def invalid(field: str, value: t.Any, detail: str) -> Cause:
    return Cause(CauseType.INVALID, field, value, detail)


def forbidden_field(field: str, detail: str) -> Cause:
    return Cause(CauseType.FORBIDDEN, field, detail=detail)


def duplicate(field: str, value: t.Any) -> Cause:
    return Cause(CauseType.DUPLICATE, field, value)


def unknown_value(field: str, value: t.Any) -> Cause:
    return Cause(CauseType.NOT_FOUND, field, value)


def unsupported(field: str, value: t.Any, supported: t.Iterable[str]) -> Cause:
    names = ", ".join(json.dumps(name) for name in sorted(supported))
    return Cause(CauseType.NOT_SUPPORTED, field, value, f"supported values: {names}")


def too_long(field: str, limit: int) -> Cause:
    return Cause(CauseType.TOO_LONG, field, detail=f"may not be more than {limit} bytes")


def _details(resource: Resource, name: str) -> Json:
    details: Json = {"name": name} if name else {}
    if resource.group:
        details["group"] = resource.group
    return details | {"kind": resource.plural}


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def forbidden(resource: Resource, name: str, because: str) -> ApiError:
    subject = f'{resource.qualified} "{name}"' if name else resource.qualified
    return ApiError(403, "Forbidden", f"{subject} is forbidden: {because}", _details(resource, name))


def forbidden_path(because: str) -> ApiError:
    """A refusal outside of the resources, such as ``GET /openid/v1/jwks``."""
    return ApiError(403, "Forbidden", f"forbidden: {because}", {})


def not_found(resource: Resource, name: str) -> ApiError:
    return ApiError(404, "NotFound", f'{resource.qualified} "{name}" not found', _details(resource, name))


def no_such_resource() -> ApiError:
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})


def method_not_allowed() -> ApiError:
    return ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})


def not_acceptable(accepted: t.Iterable[str]) -> ApiError:
    types = ", ".join(accepted)
    return ApiError(406, "NotAcceptable", f"only the following media types are accepted: {types}")


def already_exists(resource: Resource, name: str) -> ApiError:
    message = f'{resource.qualified} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, _details(resource, name))


def conflict(resource: Resource, name: str, because: str) -> ApiError:
    message = f'Operation cannot be fulfilled on {resource.qualified} "{name}": {because}'
    return ApiError(409, "Conflict", message, _details(resource, name))


def expired(message: str) -> ApiError:
    return ApiError(410, "Expired", message)


def entity_too_large(message: str) -> ApiError:
    return ApiError(413, "RequestEntityTooLarge", message)


def unsupported_media_type(accepted: t.Iterable[str]) -> ApiError:
    types = ", ".join(accepted)
    message = f"the body of the request was in an unknown format - accepted media types include: {types}"
    return ApiError(415, "UnsupportedMediaType", message)


def unprocessable() -> ApiError:
    """A patch that cannot be carried out, such as a failed ``test`` of RFC 6902."""
    return ApiError(422, "Invalid", "the server rejected our request due to an error in our request", {})


def invalid_object(group: str, kind: str, name: str, causes: t.Sequence[Cause]) -> ApiError:
    """422 Invalid. ``group`` and ``kind`` may be empty, as they are for a patch that does not decode."""
    unique = list({str(cause): cause for cause in causes}.values())
    texts = [str(cause) for cause in unique]
    joined = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    qualified = f"{kind}.{group}" if group else kind
    details: Json = {}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    if kind:
        details["kind"] = kind
    details["causes"] = [cause.body() for cause in unique]
    return ApiError(422, "Invalid", f"{qualified} {json.dumps(name)} is invalid: {joined}", details)


def server_error(message: str) -> ApiError:
    """An error without a reason, which is how the server reports what its own code did not foresee."""
    return ApiError(500, "", message)
