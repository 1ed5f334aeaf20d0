# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pod's volumes must be.

Source: ``pkg/apis/core/validation`` of Kubernetes; the texts and the paths of the causes are its.
"""

from __future__ import annotations

import typing as t

from sandbox.kubernetes.errors import Cause, duplicate, forbidden_field, invalid, required
from sandbox.kubernetes.metadata_rules import label_problems
from sandbox.world import Json

_MIN_TOKEN_SECONDS = 600
_MAX_TOKEN_SECONDS = 1 << 32
_MAX_MODE = 0o777


def check_volumes(volumes: list[Json], field: str) -> list[Cause]:
    causes: list[Cause] = []
    names: set[str] = set()
    for i, volume in enumerate(volumes):
        place = f"{field}[{i}]"
        name = volume.get("name", "")
        causes += check_label(name, f"{place}.name")
        if name in names:
            causes.append(duplicate(f"{place}.name", name))
        names.add(name)
        causes += _check_source(volume, place)
    return causes


def check_label(name: str, field: str) -> list[Cause]:
    """A name that is a DNS label: of a volume, a container, a claim."""
    if not name:
        return [required(field)]
    return [invalid(field, name, problem) for problem in label_problems(name)]


def _check_source(volume: Json, place: str) -> list[Cause]:
    kinds = [name for name in volume if name != "name"]
    causes = [forbidden_field(f"{place}.{name}", "may not specify more than 1 volume type") for name in kinds[1:]]
    check = _SOURCES.get(kinds[0]) if kinds else None
    if check is not None:
        causes += check(volume[kinds[0]], f"{place}.{kinds[0]}")
    return causes


def _check_config_map(source: Json, place: str) -> list[Cause]:
    causes = [] if source.get("name") else [required(f"{place}.name")]
    return causes + _check_mode(source, place) + _check_items(source, place)


def _check_secret(source: Json, place: str) -> list[Cause]:
    causes = [] if source.get("secretName") else [required(f"{place}.secretName")]
    return causes + _check_mode(source, place) + _check_items(source, place)


def _check_host_path(source: Json, place: str) -> list[Cause]:
    return [] if source.get("path") else [required(f"{place}.path")]


def _check_claim(source: Json, place: str) -> list[Cause]:
    return [] if source.get("claimName") else [required(f"{place}.claimName")]


def _check_mode(source: Json, place: str) -> list[Cause]:
    mode = source.get("defaultMode", 0)
    if 0 <= mode <= _MAX_MODE:
        return []
    return [invalid(f"{place}.defaultMode", mode, "must be a number between 0 and 0777 (octal), both inclusive")]


def _check_items(source: Json, place: str) -> list[Cause]:
    causes = []
    for i, item in enumerate(source.get("items", [])):
        field = f"{place}.items[{i}]"
        if not item.get("key"):
            causes.append(required(f"{field}.key"))
        causes += check_inner_path(item.get("path", ""), f"{field}.path")
    return causes


def check_inner_path(path: str, field: str) -> list[Cause]:
    """A path inside of a volume: relative, and not out of it."""
    if not path:
        return [required(field)]
    causes = check_descending_path(path, field)
    if path.startswith("..") and not path.startswith("../") and path != "..":
        causes.append(invalid(field, path, "must not start with '..'"))
    return causes


def check_descending_path(path: str, field: str) -> list[Cause]:
    causes = []
    if path.startswith("/"):
        causes.append(invalid(field, path, "must be a relative path"))
    if ".." in path.split("/"):
        causes.append(invalid(field, path, "must not contain '..'"))
    return causes


def _check_projected(source: Json, place: str) -> list[Cause]:
    causes = _check_mode(source, place)
    paths: set[str] = set()
    for i, projection in enumerate(source.get("sources", [])):
        field = f"{place}.sources[{i}]"
        if len(projection) > 1:
            causes.append(forbidden_field(field, "may not specify more than 1 volume type"))
            continue
        causes += _check_projection(projection, field, place)
        for path in _paths_of(projection):
            if path in paths:
                causes.append(invalid(place, path, "conflicting duplicate paths"))
            paths.add(path)
    return causes


def _check_projection(projection: Json, field: str, place: str) -> list[Cause]:
    for name in ("secret", "configMap"):
        if name in projection:
            source = projection[name]
            causes = [] if source.get("name") else [required(f"{field}.{name}.name")]
            return causes + _check_items(source, f"{field}.{name}")
    if "serviceAccountToken" in projection:
        return _check_token(projection["serviceAccountToken"], f"{field}.serviceAccountToken", place)
    return []


def _check_token(token: Json, field: str, place: str) -> list[Cause]:
    """The server names a wrong path by the volume, not by the source; that is kept."""
    causes = check_token_seconds(token["expirationSeconds"], f"{field}.expirationSeconds")
    return causes + check_inner_path(token.get("path", ""), f"{place}.path")


def check_token_seconds(seconds: int, field: str) -> list[Cause]:
    """The lifetime of a service account's token, in seconds."""
    if seconds < _MIN_TOKEN_SECONDS:
        return [invalid(field, seconds, "may not specify a duration less than 10 minutes")]
    if seconds > _MAX_TOKEN_SECONDS:
        return [invalid(field, seconds, "may not specify a duration larger than 2^32 seconds")]
    return []


def _paths_of(projection: Json) -> list[str]:
    paths = [source["path"] for source in projection.values() if "path" in source]
    return paths + [
        item["path"] for source in projection.values() for item in source.get("items", []) if "path" in item
    ]


_SOURCES: dict[str, t.Callable[[Json, str], list[Cause]]] = {
    "configMap": _check_config_map,
    "secret": _check_secret,
    "hostPath": _check_host_path,
    "persistentVolumeClaim": _check_claim,
    "projected": _check_projected,
}
