# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The query parameters that ARM's operations have in common: the API version, and the place in a list."""

from __future__ import annotations

import re
import typing as t

import flask

from sandbox.arm import errors

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sandbox.world import Json

ItemT = t.TypeVar("ItemT")

_API_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?")


def require_api_version() -> str:
    """The API version that the request names. Raises ArmError 400 for none, and for a malformed one."""
    version = flask.request.args.get("api-version")
    if not version:
        message = "The api-version query parameter (?api-version=) is required for all requests."
        raise errors.gateway(400, "MissingApiVersionParameter", message)
    if not _API_VERSION.fullmatch(version):
        raise errors.gateway(400, "InvalidApiVersionParameter", f"The api-version '{version}' is invalid.")
    return version


def require_registered(version: str, kind: str, served: bool, supported: str) -> None:
    """Raise the ArmError 400 of a resource provider that does not serve a version of a type."""
    if not served:
        raise errors.gateway(
            400,
            "NoRegisteredProviderFound",
            f"No registered resource provider found for API version '{version}' for type '{kind}'. The supported "
            f"api-versions are '{supported}'.",
        )


def page(items: Sequence[ItemT], size: int, view: Callable[[ItemT], Json]) -> Json:
    """The page of a list that the request asks for, with the link to the next one if there is one."""
    start = _skip_token()
    answer: Json = {"value": [view(item) for item in items[start : start + size]]}
    if start + size < len(items):
        version = flask.request.args["api-version"]
        answer["nextLink"] = f"{flask.request.base_url}?api-version={version}&%24skipToken={start + size}"
    return answer


def _skip_token() -> int:
    token = flask.request.args.get("$skipToken", "0")
    if not token.isdecimal():
        raise errors.gateway(400, "InvalidSkipToken", f"The skip token '{token}' is invalid.")
    return int(token)
