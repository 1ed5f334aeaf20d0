# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One context of a kubeconfig, found quickly.

The ``kubernetes`` package reads a kubeconfig with PyYAML's slow loader and copies all that is in it: a second for the
200 clusters of a fleet, and that for each of them. What the context names is handed to the package alone; what it makes
of that, credential plugins included, stays its own.
"""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube_excerpt import SECTIONS, excerpt
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text import yaml_text

try:
    from kubernetes.config.kube_config import ConfigNode
except ImportError as error:  # the sanity tests import modules without any SDK
    IMPORT_ERROR: ImportError | None = error
else:
    IMPORT_ERROR = None
    # The package's loader carries no types.
    _config_node: t.Callable[..., t.Any] = ConfigNode

Json = dict[str, t.Any]


def find(paths: str, context: str | None) -> t.Any | None:
    """The package's ``ConfigNode`` of a context, the current one without a name, with its cluster and user only.

    None where the package shall read ``paths`` itself: several files; a login that it writes back, renewed; and
    everything that is not as it should be, about which it has its own words. Raises what reading a file raises.
    """
    present = [path for path in map(os.path.expanduser, paths.split(os.pathsep)) if path and Path(path).exists()]
    if len(present) != 1:
        return None
    (path,) = present
    try:
        config = _parsed(Path(path).read_text(encoding="utf-8"), context)
    except (yaml_text.YamlProblem, UnicodeDecodeError):
        return None
    if not isinstance(config, dict) or not all(_is_plain(config.get(section) or []) for section in SECTIONS):
        return None
    chosen = _chosen(config, str(config.get("current-context")) if context is None else context)
    if chosen is None or "auth-provider" in (chosen["users"] or {"user": {}})["user"]:
        return None
    sections = {name: [_node(path, entry)] if entry else [] for name, entry in chosen.items()}
    return _config_node(path, {**config, **sections}, path)


def _parsed(text: str, context: str | None) -> t.Any:
    """All of it, or of a named context what it needs."""
    part = excerpt(text, context) if context is not None else None
    return yaml_text.load(text if part is None else part)


def _is_plain(section: object) -> bool:
    return isinstance(section, list) and all(isinstance(entry, dict) and "name" in entry for entry in section)


def _chosen(config: Json, context: str) -> dict[str, Json | None] | None:
    """The context, its cluster, and its user if it has one. None where one lacks what it should have."""
    found = _named(config, "contexts", context)
    names = found.get("context") if found else None
    if not isinstance(names, dict):
        return None
    cluster, user = _named(config, "clusters", names.get("cluster")), _named(config, "users", names.get("user"))
    if not cluster or not isinstance(cluster.get("cluster"), dict):
        return None
    if user and not isinstance(user.get("user"), dict):
        return None
    return {"contexts": found, "clusters": cluster, "users": user}


def _named(config: Json, section: str, name: object) -> Json | None:
    """The first entry of that name, which is the one that counts."""
    entries: list[Json] = config.get(section) or []
    return next((entry for entry in entries if entry["name"] == name), None)


def _node(path: str, entry: Json) -> t.Any:
    """With the file's path, to which the files that an entry names are relative."""
    return _config_node(f"{path}/{entry['name']}", entry, path)
