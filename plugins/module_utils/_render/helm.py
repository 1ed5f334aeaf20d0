# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of Helm charts; pure.

kube-prometheus-stack and prometheus: https://github.com/prometheus-community/helm-charts, opentelemetry-collector:
https://github.com/open-telemetry/opentelemetry-helm-charts (``values.yaml`` of each).
"""

from __future__ import annotations

import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._operator.operator_resource import (
    EXTERNAL_ID_UNDER_OPERATOR,
    operator_entry,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._render.collector import Components, collector_parts
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._render.common import (
    FileWish,
    Rendering,
    chart_account,
    comparable_url,
    environment,
    external_labels,
    labels,
    mounts,
    origins,
    present,
    remote_writes,
    volumes,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.fragments import (
    Block,
    Gone,
    Leaf,
    Node,
    Other,
    Rows,
    below,
    plain_data,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.yaml_emit import Style, block_lines

#: Where the operator's resource and the stack's values say the same.
PROMETHEUS_CONTAINER: t.Final = "prometheus"
_ELSEWHERE: t.Final = (
    "the service account is expected to exist (serviceAccount.create: false); with create: true the chart makes it"
)


def kube_prometheus_stack(wish: FileWish) -> Rendering:
    """``prometheus.prometheusSpec`` is the operator's resource, so its fields are camelCase."""
    # The chart sends to the entries of both of its lists, so ours must not be in the second one too.
    urls = tuple(comparable_url(entry.url) for entry in wish.writes.entries)
    elsewhere = {"additionalRemoteWrite": Rows("url", (), comparable_url, strays=urls)}
    spec = Block({**operator_spec(wish).children, **elsewhere})
    stack = Block({"serviceAccount": chart_account(wish), "prometheusSpec": spec})
    return _values(wish, "the chart kube-prometheus-stack", below(("prometheus",), stack), _ELSEWHERE)


def operator_spec(wish: FileWish) -> Block:
    """The fields of the operator's resource but for the service account."""
    version = wish.writes.version
    asked = any(entry.external_id is not None for entry in wish.writes.entries)
    if asked and version is not None and version < EXTERNAL_ID_UNDER_OPERATOR:
        raise errors.InvalidInput(
            f"prometheus-operator leaves external_id out for Prometheus {version}, because it expects "
            f"{EXTERNAL_ID_UNDER_OPERATOR} for it.",
            fix="Update Prometheus first, or leave external_id out.",
        )
    env = Block({"name": Leaf(PROMETHEUS_CONTAINER, Other.IDENTITY), "env": environment(wish)})
    pod_labels = labels(wish)
    return Block(
        present(
            {
                "podMetadata": None if pod_labels is None else Block({"labels": pod_labels}),
                "externalLabels": external_labels(wish),
                "remoteWrite": remote_writes(wish, operator_entry),
                "volumes": volumes(wish),
                "volumeMounts": mounts(wish),
                "containers": Rows("name", (env,), shared=True),
            }
        )
    )


def prometheus_chart(wish: FileWish) -> Rendering:
    """``server.remoteWrite`` is Prometheus' own configuration, and becomes its ``remote_write``."""
    outer = external_labels(wish)
    server = Block(
        present(
            {
                "global": None if outer is None else Block({"external_labels": outer}),
                "remoteWrite": remote_writes(wish),
                "env": environment(wish),
                "extraVolumes": volumes(wish),
                "extraVolumeMounts": mounts(wish),
                "podLabels": labels(wish),
            }
        )
    )
    children: dict[str, Node] = {
        "serviceAccounts": Block({"server": chart_account(wish)}),
        "server": server,
        # The chart would render it into the same file beside ours, and Prometheus refuses two keys of one name.
        "serverFiles": Block({"prometheus.yml": Block({}, {"remote_write": Gone()})}),
    }
    return _values(wish, "the chart prometheus", Block(children), _ELSEWHERE.replace("serviceAccount.", ""))


def opentelemetry_chart(wish: FileWish, components: Components) -> Rendering:
    """The chart merges ``config`` into its own; lists in it replace those of the chart, so all members are named."""
    chart: dict[str, Node | None] = {
        "mode": Leaf("deployment", Other.NEW),
        "image": Block({"repository": Leaf("otel/opentelemetry-collector-contrib", Other.NEW)}),
        "serviceAccount": chart_account(wish),
        "config": collector_parts(wish, components, ("health_check",)),
        "extraEnvs": environment(wish),
        "extraVolumes": volumes(wish),
        "extraVolumeMounts": mounts(wish),
        "podLabels": labels(wish),
    }
    return _values(
        wish,
        "the chart opentelemetry-collector",
        Block(present(chart)),
        "sigv4auth is part of the distribution contrib; its queue is the exporter's own, not queue_config",
    )


def _values(wish: FileWish, chart: str, fragment: Block, *notes: str) -> Rendering:
    placed = below(wish.values_path, fragment)
    where = f" under {'.'.join(wish.values_path)}" if wish.values_path else ""
    return Rendering(
        title=f"Values of {chart}{where}: Prometheus' remote write to AMP by the pod's web identity.",
        notes=(*origins(wish), *notes),
        body="\n".join(block_lines(plain_data(placed), Style())) + "\n",
        fragment=placed,
    )
