# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests for repositories: the operator's resource, and patches of pod templates for kustomize; pure.

https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/patches/
"""

from __future__ import annotations

import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._render.common import (
    FileWish,
    Rendering,
    environment,
    labels,
    mounts,
    origins,
    present,
    volumes,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._render.helm import operator_spec
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.fragments import (
    Block,
    Leaf,
    Node,
    Other,
    Rows,
    plain_data,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.yaml_emit import Style, block_lines

#: The operator's kinds and the API versions in which they are served.
OPERATOR_KINDS: t.Final = {
    "Prometheus": "monitoring.coreos.com/v1",
    "PrometheusAgent": "monitoring.coreos.com/v1alpha1",
}
POD_KINDS: t.Final = ("DaemonSet", "Deployment", "StatefulSet")


def operator_resource(wish: FileWish) -> Rendering:
    """The operator's resource: a patch of it, or merged into its manifest."""
    if wish.workload_kind not in OPERATOR_KINDS:
        raise _wrong_kind("prometheus_operator", wish, tuple(OPERATOR_KINDS))
    spec = Block({"serviceAccountName": Leaf(wish.account.name), **operator_spec(wish).children})
    return _manifest(
        wish,
        OPERATOR_KINDS[wish.workload_kind],
        spec,
        f"Patch of a {wish.workload_kind} resource: remote write to AMP by the pod's web identity.",
        (
            "kustomize knows no merge keys of this resource and replaces its lists whole: if yours has lists of",
            "these names, merge into its own manifest instead, by naming that file in dest",
        ),
    )


def pod_patch(wish: FileWish) -> Rendering:
    """A strategic merge patch: its lists are merged by name, or by path for mounts."""
    if wish.workload_kind not in POD_KINDS:
        raise _wrong_kind("kustomize", wish, POD_KINDS)
    container = Block(
        present({"name": Leaf(wish.container, Other.IDENTITY), "env": environment(wish), "volumeMounts": mounts(wish)})
    )
    pod_labels = labels(wish)
    spec: dict[str, Node | None] = {
        "serviceAccountName": Leaf(wish.account.name),
        "containers": Rows("name", (container,), shared=True),
        "volumes": volumes(wish),
    }
    template: dict[str, Node | None] = {
        "metadata": None if pod_labels is None else Block({"labels": pod_labels}),
        "spec": Block(present(spec)),
    }
    return _manifest(
        wish,
        "apps/v1",
        Block({"template": Block(present(template))}),
        f"Patch of a {wish.workload_kind} for kustomize: the web identity of Prometheus' pod.",
        ("the entry in prometheus.yml is another file: the format prometheus",),
    )


def _manifest(wish: FileWish, api: str, spec: Block, title: str, notes: tuple[str, ...]) -> Rendering:
    fragment = Block(
        {
            "apiVersion": Leaf(api, Other.IDENTITY),
            "kind": Leaf(wish.workload_kind, Other.IDENTITY),
            "metadata": Block(
                # A manifest may leave its namespace to kustomize.
                {"name": Leaf(wish.workload_name, Other.IDENTITY), "namespace": Leaf(wish.account.namespace, Other.NEW)}
            ),
            "spec": spec,
        }
    )
    return Rendering(
        title=title,
        notes=(*origins(wish), *notes),
        body="\n".join(block_lines(plain_data(fragment), Style())) + "\n",
        fragment=fragment,
    )


def _wrong_kind(format_name: str, wish: FileWish, kinds: tuple[str, ...]) -> errors.InvalidInput:
    return errors.InvalidInput(
        f"The format {format_name} is for {', '.join(kinds)}, but workload_kind is {wish.workload_kind}.",
        fix="Correct 'format' or 'workload_kind'.",
    )
