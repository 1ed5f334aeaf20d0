# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A values file as it may be shown: everything but its secrets; pure."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.values_compare import find_text
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.yaml_secrets import is_secret_name, redactions
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.yaml_text import (
    apply_edits,
    is_mapping,
    is_scalar,
    is_sequence,
)

if t.TYPE_CHECKING:
    import yaml

#: Addresses that are secrets in values files, because whoever knows one may use it.
_SECRET_ADDRESS = re.compile(r"(?:api|webhook)[-_]?url\Z", re.IGNORECASE)
#: Settings of which all below is secret: those of Grafana's data sources, and the content of a Secret.
_SECRET_BELOW = frozenset({"secureJsonData"})
_SECRET_CONTENT = frozenset({"data", "stringData"})
#: Lists of places that are called, whose addresses are secret: those of Alertmanager's receivers.
_CALLED = frozenset({"incidentio_configs", "webhook_configs", "webhookConfigs"})
#: An argument of a program, with its value or before it.
_ARGUMENT = re.compile(r"--?(?P<name>[A-Za-z][\w.-]*)(?P<value>=.*)?\Z", re.DOTALL)
#: A configuration in a block of text that seems to hold one.
_SECRET_TEXT = re.compile(
    r"(?:password|passwd|secret|token|(?:api|ingest|insert|licen[cs]e)[-_]?key|credential)s?[\"']?\s*[:=]",
    re.IGNORECASE,
)


def shown(text: str, root: yaml.Node | None) -> str:
    """A text with its secrets blotted out: those of Prometheus' settings, those of charts by their keys' names, and
    embedded configurations that seem to hold some. ``root`` has exact marks."""
    if root is None:
        return text
    return apply_edits(text, redactions(text, root, _secret_scalars(root)))


def _is_secret(name: str) -> bool:
    return is_secret_name(name) or _SECRET_ADDRESS.search(name) is not None


def _secret_scalars(root: yaml.Node) -> t.Iterator[yaml.ScalarNode]:
    waiting, seen = [(root, False, False)], set()
    while waiting:
        node, called, secret = waiting.pop()
        if (id(node), called, secret) in seen:
            continue
        seen.add((id(node), called, secret))
        if is_sequence(node):
            yield from _secret_arguments(node)
            waiting.extend((item, called, secret) for item in node.value)
        elif is_mapping(node):
            named = find_text(node, "name")
            of_secret = find_text(node, "kind") == "Secret"
            for key, value in node.value:
                name = str(key.value) if is_scalar(key) else ""
                hidden = _is_secret(name) or (name == "value" and _is_secret(named)) or (called and name == "url")
                below = name in _SECRET_BELOW or (of_secret and name in _SECRET_CONTENT)
                waiting.append((value, name in _CALLED, secret or below or (hidden and is_scalar(value))))
        elif is_scalar(node):
            is_text = node.style in ("|", ">") and _SECRET_TEXT.search(node.value) is not None
            if is_text or (secret and not node.tag.endswith((":bool", ":null"))):
                yield node


def _secret_arguments(arguments: yaml.SequenceNode) -> t.Iterator[yaml.ScalarNode]:
    """Arguments with a secret value, ``--token=...``, and what stands after those without one, ``--token``."""
    awaited = False
    for item in arguments.value:
        match = _ARGUMENT.match(item.value) if is_scalar(item) else None
        if match is None:
            if awaited and is_scalar(item):
                yield item
            awaited = False
            continue
        is_secret = is_secret_name(match["name"])
        if is_secret and match["value"]:
            yield item
        awaited = is_secret and not match["value"]
