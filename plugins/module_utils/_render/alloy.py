# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Grafana Alloy's configuration; pure.

Component: https://grafana.com/docs/alloy/latest/reference/components/prometheus/prometheus.remote_write/, syntax:
https://grafana.com/docs/alloy/latest/get-started/configuration-syntax/
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._render.common import FileWish, Rendering, origins
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.yaml_text import flow

_LABEL: t.Final = "amp"
_HOURS: t.Final = {"y": 365 * 24, "w": 7 * 24, "d": 24, "h": 1}
#: Settings of Prometheus' sigv4 that Alloy's block of that name lacks.
_LACKING: t.Final = ("external_id", "service_name", "use_fips_sts_endpoint")


def alloy(wish: FileWish) -> Rendering:
    """One component with an endpoint for each workspace."""
    lacking = [option for option in _LACKING if any(getattr(entry, option) for entry in wish.writes.entries)]
    if lacking:
        raise errors.InvalidInput(f"Grafana Alloy's sigv4 has no {' and no '.join(lacking)}.", fix="Leave that out.")
    lines = [f'prometheus.remote_write "{_LABEL}" {{']
    for entry in wish.writes.entries:
        lines += _indented(_endpoint(entry.entry(wish.writes.version)))
        lines.append("")
    found = wish.writes.external_labels
    if found:
        lines += _indented(
            ["external_labels = {", *(f"\t{flow(name)} = {flow(value)}," for name, value in found.items())]
        )
        lines.append("\t}")
    elif not lines[-1]:
        lines.pop()
    lines.append("}")
    return Rendering(
        title="Grafana Alloy: remote write to AMP by the pod's web identity.",
        notes=(
            *origins(wish),
            f"send metrics here by forward_to = [prometheus.remote_write.{_LABEL}.receiver]",
            "the pod needs the variables, the volume and the mount that the module returns as 'pod'; the format",
            "kustomize renders them as a patch",
        ),
        body="\n".join(lines) + "\n",
    )


def _endpoint(entry: t.Mapping[str, t.Any]) -> list[str]:
    lines = ["endpoint {", *(f"\t{name} = {flow(entry[name])}" for name in ("url", "name") if name in entry)]
    lines += _indented(_block("sigv4", entry["sigv4"]))
    if "queue_config" in entry:
        lines += _indented(_block("queue_config", {key: _go(item) for key, item in entry["queue_config"].items()}))
    for rule in entry.get("write_relabel_configs", ()):
        lines += _indented(_block("write_relabel_config", {name: _rule_value(name, rule[name]) for name in rule}))
    return [*lines, "}"]


def _rule_value(name: str, value: object) -> object:
    """All but labels and modulus are strings, also where YAML reads a number."""
    return value if name in ("source_labels", "modulus") else str(value)


def _go(value: object) -> object:
    """A duration as Go reads it: hours are its largest unit."""
    parts = re.findall(r"(\d+)([a-z]+)", value) if isinstance(value, str) else []
    if not parts:
        return value
    hours = sum(int(number) * _HOURS[unit] for number, unit in parts if unit in _HOURS)
    return (f"{hours}h" if hours else "") + "".join(number + unit for number, unit in parts if unit not in _HOURS)


def _block(name: str, settings: t.Mapping[str, t.Any]) -> list[str]:
    return ["", f"{name} {{", *(f"\t{key} = {flow(value)}" for key, value in settings.items()), "}"]


def _indented(lines: t.Iterable[str]) -> list[str]:
    return [f"\t{line}" if line else line for line in lines]
