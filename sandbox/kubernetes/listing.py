# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""List requests: selectors, pages and the list objects.

Shape: https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import json
import typing as t

from sandbox.kubernetes import errors
from sandbox.kubernetes.kinds import Resource
from sandbox.kubernetes.selectors import field_predicate, label_predicate
from sandbox.kubernetes.store import Store
from sandbox.world import Json

_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You must start a new list without"
    " the continue parameter."
)


@dataclasses.dataclass(frozen=True)
class ListQuery:
    """The parameters of a list request. ``limit`` 0 is no limit."""

    labels: str = ""
    fields: str = ""
    limit: int = 0
    token: str = ""

    @classmethod
    def of(cls, parameters: t.Mapping[str, str]) -> ListQuery:
        """:raises ApiError: 400, the limit is not a number."""
        limit = parameters.get("limit") or "0"
        try:
            number = int(limit)
        except ValueError as error:
            raise errors.bad_request(f'strconv.ParseInt: parsing "{limit}": invalid syntax') from error
        return cls(
            labels=parameters.get("labelSelector", ""),
            fields=parameters.get("fieldSelector", ""),
            limit=max(0, number),
            token=parameters.get("continue", ""),
        )


def list_objects(store: Store, resource: Resource, namespace: str, query: ListQuery) -> Json:
    """The list object of a request; the items of typed lists carry neither kind nor apiVersion.

    :raises ApiError: 400 a selector or the continue token is malformed; 410 the token is too old.
    """
    takes_labels = label_predicate(query.labels)
    takes = field_predicate(resource, query.fields)
    if query.token:
        version, offset = _read_token(query.token)
        objects = store.snapshot(version)
        if objects is None:
            raise errors.expired(_TOO_OLD)
    else:
        version, offset = store.version, 0
        selected = store.select(resource, namespace)
        objects = [obj for obj in selected if takes_labels(obj["metadata"].get("labels", {})) and takes(obj)]
    end = offset + query.limit if query.limit else len(objects)
    metadata: Json = {"resourceVersion": str(version)}
    if end < len(objects):
        if not query.token:
            store.keep_snapshot(objects)
        metadata["continue"] = _token(version, end)
        if not query.labels and not query.fields:
            metadata["remainingItemCount"] = len(objects) - end
    return {
        "kind": f"{resource.kind}List",
        "apiVersion": resource.api_version,
        "metadata": metadata,
        "items": [_item(obj) for obj in objects[offset:end]],
    }


def _item(obj: Json) -> Json:
    return {name: value for name, value in obj.items() if name not in ("kind", "apiVersion")}


def _token(version: int, offset: int) -> str:
    text = json.dumps({"v": "meta.k8s.io/v1", "rv": version, "start": offset})
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_token(token: str) -> tuple[int, int]:
    try:
        content = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return int(content["rv"]), int(content["start"])
    except (binascii.Error, ValueError, KeyError, TypeError) as error:
        raise errors.bad_request(f"continue key is not valid: {error}") from error
