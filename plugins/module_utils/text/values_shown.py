# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A values file as it may be shown: everything but its secrets; pure."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils.text.values_compare import find_text
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.text.yaml_secrets import REDACTED, redactions
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.text.yaml_text import (
    Edit,
    apply_edits,
    content_start,
    is_mapping,
    is_scalar,
    is_sequence,
)

if t.TYPE_CHECKING:
    import yaml

#: Keys of values files whose scalars are secrets, whatever chart they belong to.
_SECRET_KEY = re.compile(
    r"(?:password|passwd|passphrase|secret|token|credentials?|dsn|connection[-_]?string|"
    r"(?:api|access|account|encryption|integration|private|routing|service)[-_]?key|(?:api|webhook)[-_]?url)\Z",
    re.IGNORECASE,
)
#: A configuration in a block of text that seems to hold one.
_SECRET_TEXT = re.compile(r"(?:password|passwd|secret|token|api[-_]?key|credential)s?[\"']?\s*[:=]", re.IGNORECASE)


def shown(text: str, root: yaml.Node | None) -> str:
    """A text with its secrets blotted out: those of Prometheus' settings, those of charts by their keys' names, and
    embedded configurations that seem to hold some. ``root`` has exact marks."""
    if root is None:
        return text
    edits = {(edit.start, edit.end): edit for edit in redactions(text, root)}
    for node in _secret_scalars(root):
        start = content_start(text, node)
        end = start + len(text[start : node.end_mark.index].rstrip())
        if end > start and not any(first < end and start < last for first, last in edits):
            edits[start, end] = Edit(start, end, REDACTED)
    return apply_edits(text, edits.values())


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
                is_secret = bool(_SECRET_KEY.search(name)) or (name == "value" and bool(_SECRET_KEY.search(named)))
                if is_secret and is_scalar(value) and value.tag.endswith((":str", ":int")):
                    yield value
                else:
                    waiting.append(value)
        elif is_scalar(node) and node.style in ("|", ">") and _SECRET_TEXT.search(node.value):
            yield node
