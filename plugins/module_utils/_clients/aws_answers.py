# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of AWS held against botocore's own description of them, which botocore itself does not do."""

from __future__ import annotations

import contextvars
import datetime as dt
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Shape = t.Any

#: The Python types in which botocore gives the simple types of its descriptions.
_TYPES: t.Final[Mapping[str, tuple[type, ...]]] = {
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (float, int),
    "double": (float, int),
    "timestamp": (dt.datetime,),
    "string": (str,),
}
#: What AWS always sends, though the description does not promise it, by the structure's name.
_ALSO_NEEDED: t.Final[Mapping[str, tuple[str, ...]]] = {
    "AssumeRoleResponse": ("Credentials",),
    "AssumeRoleWithWebIdentityResponse": ("Credentials",),
    "AttachedPolicy": ("PolicyArn",),
    "CreateOpenIDConnectProviderResponse": ("OpenIDConnectProviderArn",),
    "GetCallerIdentityResponse": ("Account", "Arn"),
    "GetOpenIDConnectProviderResponse": ("Url",),
    "GetPolicyResponse": ("Policy",),
    "GetPolicyVersionResponse": ("PolicyVersion",),
    "ListAttachedRolePoliciesResponse": ("AttachedPolicies",),
    "ListOpenIDConnectProvidersResponse": ("OpenIDConnectProviderList",),
    "ListPolicyVersionsResponse": ("Versions",),
    "OpenIDConnectProviderListEntry": ("Arn",),
    "Policy": ("DefaultVersionId", "PolicyName"),
    "PolicyVersion": ("IsDefaultVersion", "VersionId"),
    "SimulatePolicyResponse": ("EvaluationResults",),
}
#: botocore decodes policies, which its description calls texts.
_DECODED: t.Final = "policyDocumentType"
#: How much of an answer tells whose it is.
_START: t.Final = 200


#: The operation that a client has begun last: what botocore raises of an answer that it can't read does not name it.
_begun: t.Final[contextvars.ContextVar[str]] = contextvars.ContextVar("crosscloud_aks_amp_operation", default="")


class NotDescribed(ValueError):
    """An answer is not as the service's description says. The message names the place."""


def checked(client: t.Any) -> t.Any:
    """The boto3 client, whose answers are held against their description: NotDescribed is raised for another one."""
    client.meta.events.register("before-call", _begin, unique_id="crosscloud-aks-amp-operations")
    client.meta.events.register("after-call", _check, unique_id="crosscloud-aks-amp-answers")
    return client


def forget_operation() -> None:
    """No operation counts as begun until a checked client sends one."""
    _begun.set("")


def begun_operation() -> str:
    """The operation that a checked client has sent since ``forget_operation``; empty where none was."""
    return _begun.get()


def _begin(model: t.Any, **_unused: object) -> None:
    _begun.set(str(model.name))


def _check(http_response: t.Any, parsed: Mapping[str, t.Any], model: t.Any, **_unused: object) -> None:
    if http_response.status_code >= 300:
        return
    if model.output_shape is None:
        if http_response.raw is not None and _is_foreign(http_response.content):  # botocore's stubs have no body
            raise NotDescribed(f"{model.name} is answered by a page")
        return
    for problem in problems(parsed, model.output_shape, model.name):
        raise NotDescribed(problem)


def _is_foreign(body: bytes) -> bool:
    """Whether the answer to an operation without results, of which botocore reads nothing, is somebody else's: a page
    of a proxy. AWS answers by nothing, by JSON or by its own XML, whose root ends with Response."""
    start = body.lstrip()[:_START]
    return start.startswith(b"<") and b"Response" not in start


def problems(value: object, shape: Shape, place: str) -> Iterator[str]:
    """What of a value is not as described."""
    if shape.type_name in _NESTED:
        yield from _NESTED[shape.type_name](value, shape, place)
    elif not isinstance(value, _TYPES.get(shape.type_name, (object,))) and not _is_decoded(value, shape):
        yield f"{place} is no {shape.type_name}"


def _is_decoded(value: object, shape: Shape) -> bool:
    return bool(shape.name == _DECODED) and isinstance(value, (dict, list))


def _structure(value: object, shape: Shape, place: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{place} is no structure"
        return
    for name in (*shape.required_members, *_ALSO_NEEDED.get(shape.name, ())):
        if value.get(name) is None:
            yield f"{place} has no {name}"
    for name, member in shape.members.items():
        if value.get(name) is not None:
            yield from problems(value[name], member, f"{place}.{name}")


def _list(value: object, shape: Shape, place: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{place} is no list"
        return
    for item in value:
        yield from problems(item, shape.member, place)


def _map(value: object, shape: Shape, place: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{place} is no map"
        return
    for item in value.values():
        yield from problems(item, shape.value, place)


_NESTED: t.Final[Mapping[str, Callable[[object, Shape, str], Iterator[str]]]] = {
    "structure": _structure,
    "list": _list,
    "map": _map,
}
