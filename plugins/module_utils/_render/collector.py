# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The OpenTelemetry Collector's configuration; pure.

Extension: https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/extension/sigv4authextension,
exporter: https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/exporter/prometheusremotewriteexporter
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import RemoteWrite
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._render.common import (
    FileWish,
    Rendering,
    comparable_url,
    origins,
    present,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.fragments import (
    Block,
    Gone,
    Leaf,
    Members,
    Node,
    Other,
    plain_data,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.yaml_emit import Style, block_lines
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.yaml_text import (
    YamlProblem,
    compose,
    find,
    is_mapping,
    is_null,
    is_scalar,
    setting,
)

if t.TYPE_CHECKING:
    import yaml

EXTENSION: t.Final = "sigv4auth"
EXPORTER: t.Final = "prometheusremotewrite"
_METRICS: t.Final = "metrics"
_WORKSPACE: t.Final = re.compile(r"/workspaces/([\w-]+)")
_NOT_IN_NAMES: t.Final = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclasses.dataclass(frozen=True)
class Component:
    """The IDs of one workspace's exporter and of the extension that signs for it, both ``type`` or ``type/name``."""

    exporter: str
    extension: str


@dataclasses.dataclass(frozen=True)
class Components:
    """The components of all workspaces, in the order of the entries, and the pipeline that feeds them.

    ``fresh`` is true for a configuration that has no pipeline yet and gets a receiver too.
    """

    of_entries: tuple[Component, ...]
    pipeline: str
    fresh: bool


def collector(wish: FileWish, text: str, place: str) -> Rendering:
    """The configuration, with the component IDs that ``text`` has already for these workspaces."""
    components = components_in(wish, text, (), place)
    fragment = collector_parts(wish, components, ())
    return Rendering(
        title="Configuration of an OpenTelemetry Collector (distribution contrib): metrics to AMP.",
        notes=(
            *origins(wish),
            "the pod needs the variables, the volume and the mount that the module returns as 'pod'; the format",
            "kustomize renders them as a patch, helm_opentelemetry_collector as values of the chart",
        ),
        body="\n".join(block_lines(plain_data(fragment), Style())) + "\n",
        fragment=fragment,
    )


def collector_parts(wish: FileWish, components: Components, extensions: tuple[str, ...]) -> Block:
    """The fragment of a collector's configuration. ``extensions`` are those that a new list names too."""
    _refuse_unsupported(wish)
    pairs = list(zip(wish.writes.entries, components.of_entries, strict=True))
    exporters = tuple(component.exporter for _entry, component in pairs)
    signing = tuple(dict.fromkeys(component.extension for _entry, component in pairs))
    pipeline: dict[str, Node] = {"exporters": Members(exporters)}
    parts: dict[str, Node] = {}
    if components.fresh:
        pipeline = {"receivers": Members(("otlp",)), "processors": Members(("batch",)), **pipeline}
        protocols = Block({"grpc": Leaf({}, Other.KEEP), "http": Leaf({}, Other.KEEP)})
        parts = {
            "receivers": Block({"otlp": Block({"protocols": protocols})}),
            "processors": Block({"batch": Leaf({}, Other.KEEP)}),
        }
    parts["extensions"] = Block({component.extension: _extension(entry) for entry, component in pairs})
    parts["exporters"] = Block({component.exporter: _exporter(wish, entry, component) for entry, component in pairs})
    parts["service"] = Block(
        {
            "extensions": Members(signing, extensions),
            "pipelines": Block({components.pipeline: Block(pipeline)}),
        }
    )
    return Block(parts)


def _extension(entry: RemoteWrite) -> Block:
    """Without ``assume_role`` it signs by the SDK's chain, which finds the web identity in the environment."""
    settings: dict[str, Node] = {
        "region": Leaf(entry.region, Other.REPLACE),
        "service": Leaf(entry.service_name or "aps", Other.REPLACE),
    }
    if entry.chained_role_arn is None:
        return Block(settings, {"assume_role": Gone()})
    role = {"arn": Leaf(entry.chained_role_arn, repaired=frozenset({entry.role_arn}))}
    if entry.external_id is not None:
        role["external_id"] = Leaf(entry.external_id)
    return Block({**settings, "assume_role": Block(dict(role), {"web_identity_token_file": Gone()})})


def _exporter(wish: FileWish, entry: RemoteWrite, component: Component) -> Block:
    return Block(
        present(
            {
                "endpoint": Leaf(entry.url, Other.REPLACE),
                "auth": Block({"authenticator": Leaf(component.extension)}),
                "external_labels": _labels(wish),
            }
        )
    )


def _labels(wish: FileWish) -> Block | None:
    """The collector expands variables in its configuration, so a dollar sign is doubled."""
    found = wish.writes.external_labels
    return Block({name: Leaf(value.replace("$", "$$")) for name, value in found.items()}) if found else None


def _refuse_unsupported(wish: FileWish) -> None:
    asked = [
        option
        for option in ("queue_config", "write_relabel_configs", "use_fips_sts_endpoint")
        if any(getattr(entry, option) for entry in wish.writes.entries)
    ]
    if asked:
        raise errors.InvalidInput(
            f"The OpenTelemetry Collector has no {' and no '.join(asked)}.",
            fix="Leave that out; use its processors filter and transform, and the exporter's own queue settings.",
        )


# What is there already ------------------------------------------------------------------------------------------------


def components_in(wish: FileWish, text: str, path: tuple[str, ...], place: str) -> Components:
    """The IDs to use: those of exporters for the same workspaces, else new ones that are free.

    ``path`` leads to the configuration in a chart's values, whose own defaults have a pipeline already. Raises NotFound
    and Ambiguous when the pipeline can't be told.
    """
    try:
        root = _under(compose(text, marks=False), path)
        exporters, extensions = _section(root, "exporters"), _section(root, "extensions")
        pipelines = _section(_section(root, "service"), "pipelines")
    except YamlProblem:  # where the file is merged, it is said
        root = exporters = extensions = pipelines = None
    taken = _keys(exporters) | _keys(extensions)
    found: list[Component] = []
    for number, entry in enumerate(wish.writes.entries):
        name = _present_exporter(exporters, entry)
        if name is None:
            component = _new(entry, number, taken)
        else:
            component = Component(name, _authenticator(exporters, name) or EXTENSION + _suffix(name))
        taken |= {component.exporter, component.extension}
        found.append(component)
    fresh = root is None and not path
    defaults = (_METRICS,) if path or fresh else ()
    return Components(tuple(found), _pipeline(wish, pipelines, defaults, place), fresh)


def _under(root: yaml.Node | None, path: tuple[str, ...]) -> yaml.MappingNode | None:
    node = root
    for name in path:
        node = _section(node, name)
    return node if node is not None and is_mapping(node) and node.value else None


def _section(node: yaml.Node | None, name: str) -> yaml.MappingNode | None:
    pair = find(node, name) if node is not None and is_mapping(node) else None
    return pair.value if pair is not None and is_mapping(pair.value) else None


def _keys(node: yaml.MappingNode | None) -> set[str]:
    return {str(key.value) for key, _value in node.value if is_scalar(key)} if node is not None else set()


def _present_exporter(exporters: yaml.MappingNode | None, entry: RemoteWrite) -> str | None:
    for name in sorted(_keys(exporters)):
        settings = _section(exporters, name)
        if name.partition("/")[0] == EXPORTER and settings is not None:
            endpoint = setting(settings, "endpoint")
            if endpoint and comparable_url(endpoint) == comparable_url(entry.url):
                return name
    return None


def _authenticator(exporters: yaml.MappingNode | None, name: str) -> str | None:
    auth = _section(_section(exporters, name), "auth")
    found = setting(auth, "authenticator") if auth is not None else ""
    return found if found.partition("/")[0] == EXTENSION else None


def _suffix(name: str) -> str:
    return "".join(name.partition("/")[1:])


def _new(entry: RemoteWrite, number: int, taken: set[str]) -> Component:
    """The plain types for the first workspace where they are free, else with a name."""
    workspace = _WORKSPACE.search(entry.url)
    name = _NOT_IN_NAMES.sub("-", entry.name or "") or (workspace[1] if workspace else f"amp-{number + 1}")
    plain = entry.name is None and number == 0 and not {EXPORTER, EXTENSION} & taken
    return Component(EXPORTER, EXTENSION) if plain else Component(f"{EXPORTER}/{name}", f"{EXTENSION}/{name}")


def _pipeline(wish: FileWish, pipelines: yaml.MappingNode | None, defaults: tuple[str, ...], place: str) -> str:
    """The pipeline that feeds the exporters. ``defaults`` are there whatever the text says."""
    own = [str(key.value) for key, value in (pipelines.value if pipelines is not None else ()) if not is_null(value)]
    names = sorted({name for name in (*own, *defaults) if name.partition("/")[0] == _METRICS})
    wanted = wish.pipeline or (_METRICS if _METRICS in names else None)
    if wanted is not None and wanted in names:
        return wanted
    if wanted is not None or not names:
        raise errors.NotFound(
            f"{place} has no pipeline {wanted or 'for metrics'} that could feed the exporter"
            f"{', but ' + ', '.join(names) if names else ''}.",
            fix="Add one with its receivers to the file, or name another by 'pipeline'.",
        )
    if len(names) > 1:
        raise errors.Ambiguous(
            f"{place} has several pipelines for metrics: {', '.join(names)}.", fix="Name one by 'pipeline'."
        )
    return names[0]
