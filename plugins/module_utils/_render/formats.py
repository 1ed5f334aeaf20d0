# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The formats by name, and the header by which a file that the collection rendered is known again; pure."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.prometheus_config import (
    merge_remote_writes,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._render.alloy import alloy
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._render.collector import collector, components_in
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._render.common import (
    FileWish,
    Rendering,
    external_labels,
    origins,
    present,
    remote_writes,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._render.helm import (
    kube_prometheus_stack,
    opentelemetry_chart,
    prometheus_chart,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._render.manifests import operator_resource, pod_patch
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.fragments import Block, plain_data
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.values_merge import MergedText, merge_values
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.yaml_emit import Style, block_lines
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.yaml_text import (
    YamlProblem,
    compose,
    is_mapping,
    is_null,
)

_MODULE: t.Final = "crosscloud.aks_amp.remote_write_file"
_FIRST_LINE: t.Final = re.compile(
    rf"\ufeff?(?:#|//) Rendered by {re.escape(_MODULE)}, format [a-z_]+, checksum (?P<sum>[0-9a-f]{{16}})\.[ \t]*\r?\n"
)
_COMMENTS: t.Final = {"alloy": "//"}


def _prometheus(wish: FileWish) -> Rendering:
    outer = external_labels(wish)
    fragment = Block(
        present(
            {
                "global": None if outer is None else Block({"external_labels": outer}),
                "remote_write": remote_writes(wish),
            }
        )
    )
    return Rendering(
        title="Part of a prometheus.yml: remote write to AMP by the pod's web identity.",
        notes=(
            *origins(wish),
            "the pod needs the variables, the volume and the mount that the module returns as 'pod'; the format",
            "kustomize renders them as a patch",
        ),
        body="\n".join(block_lines(plain_data(fragment), Style())) + "\n",
        fragment=fragment,
        merge=lambda text, place: _merged_configuration(wish, fragment, text, place),
    )


def _merged_configuration(wish: FileWish, fragment: Block, text: str, place: str) -> MergedText:
    """As in a cluster, but without a record: what is there is repaired, and what was asked for by name is set."""
    if _says_nothing(text):
        return merge_values(text, fragment, place=place)
    writes = wish.writes
    merged = merge_remote_writes(
        text, writes.entries, place=place, external_labels=writes.external_labels, version=writes.version
    )
    return MergedText(
        merged.text,
        merged.summaries,
        shown_before=merged.shown_before,
        shown_after=merged.shown_after,
        warnings=merged.warnings,
    )


def _says_nothing(text: str) -> bool:
    """Whether a text holds nothing but comments."""
    try:
        root = compose(text, marks=False)
    except YamlProblem:
        return False
    return root is None or is_null(root) or (is_mapping(root) and not root.value)


def _opentelemetry_chart(wish: FileWish, text: str, place: str) -> Rendering:
    return opentelemetry_chart(wish, components_in(wish, text, (*wish.values_path, "config"), place))


#: Each takes the wish, the text that is there, and its place for messages.
FORMATS: t.Final[t.Mapping[str, t.Callable[[FileWish, str, str], Rendering]]] = {
    "alloy": lambda wish, _text, _place: alloy(wish),
    "helm_kube_prometheus_stack": lambda wish, _text, _place: kube_prometheus_stack(wish),
    "helm_opentelemetry_collector": _opentelemetry_chart,
    "helm_prometheus": lambda wish, _text, _place: prometheus_chart(wish),
    "kustomize": lambda wish, _text, _place: pod_patch(wish),
    "opentelemetry_collector": collector,
    "prometheus": lambda wish, _text, _place: _prometheus(wish),
    "prometheus_operator": lambda wish, _text, _place: operator_resource(wish),
}


@dataclasses.dataclass(frozen=True)
class Origin:
    """What the beginning of a text tells. ``intact`` is true for a text that is as it was rendered."""

    ours: bool
    intact: bool


def origin_of(text: str) -> Origin:
    """Whether a text was rendered by the collection, and edited since. Line ends may have been converted."""
    match = _FIRST_LINE.match(text)
    if match is None:
        return Origin(ours=False, intact=False)
    return Origin(ours=True, intact=_checksum(text[match.end() :].replace("\r\n", "\n")) == match["sum"])


def document(rendering: Rendering, format_name: str) -> str:
    """A whole new file."""
    mark = _COMMENTS.get(format_name, "#")
    after = "it only adds to it or corrects it" if rendering.fragment else "it leaves it alone"
    header = [
        rendering.title,
        "",
        f"As long as nobody edits this file, the module replaces it as a whole; after an edit, {after}.",
        "",
        *(f"  {note}" for note in rendering.notes),
        "",
    ]
    rest = "".join(f"{mark} {line}".rstrip() + "\n" for line in header) + rendering.body
    return f"{mark} Rendered by {_MODULE}, format {format_name}, checksum {_checksum(rest)}.\n{rest}"


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
