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
    waiting, seen = [root], set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if is_sequence(node):
            waiting.extend(node.value)
        elif is_mapping(node):
            named = find_text(node, "name")
            for key, value in node.value:
                name = str(key.value) if is_scalar(key) else ""
                is_secret = _is_secret(name) or (name == "value" and _is_secret(named))
                if is_secret and is_scalar(value) and not value.tag.endswith((":bool", ":null")):
                    yield value
                else:
                    waiting.append(value)
        elif is_scalar(node) and node.style in ("|", ">") and _SECRET_TEXT.search(node.value):
            yield node
