# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tool keeps an object, by what the tools leave on it."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.gitops import keeper, keeper_warning
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import DEPLOYMENT

Json = dict[str, t.Any]

WORKLOAD = DEPLOYMENT.at("prometheus", "monitoring")


def found(
    labels: Json | None = None, annotations: Json | None = None, managers: t.Sequence[str] = ("kubectl-create",)
) -> Json:
    fields = [{"manager": name, "operation": "Update"} for name in managers]
    return {"metadata": {"labels": labels or {}, "annotations": annotations or {}, "managedFields": fields}}


_INSTANCE = {"app.kubernetes.io/instance": "monitoring-stack"}


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (
            found(annotations={"argocd.argoproj.io/tracking-id": "metrics:apps/Deployment:monitoring/prometheus"}),
            "the Argo CD application metrics",
        ),
        (found(labels={"argocd.argoproj.io/instance": "metrics"}), "the Argo CD application metrics"),
        (found(labels=_INSTANCE, managers=["argocd-controller"]), "the Argo CD application monitoring-stack"),
        (found(managers=["argocd-application-controller"]), "Argo CD"),
        (
            found({"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}),
            "Flux (the Kustomization flux-system/apps)",
        ),
        (
            found(
                {
                    "helm.toolkit.fluxcd.io/name": "stack",
                    "helm.toolkit.fluxcd.io/namespace": "monitoring",
                    "app.kubernetes.io/managed-by": "Helm",
                }
            ),
            "Flux (the HelmRelease monitoring/stack)",
        ),
        (found(managers=["kustomize-controller"]), "Flux (its kustomize-controller)"),
        (found(managers=["helm-controller"]), "Flux (its helm-controller)"),
        (
            found(
                {"app.kubernetes.io/managed-by": "Helm"},
                {"meta.helm.sh/release-name": "prometheus", "meta.helm.sh/release-namespace": "monitoring"},
            ),
            "Helm (the release monitoring/prometheus)",
        ),
        (found({"app.kubernetes.io/managed-by": "Helm"}), "Helm"),
    ],
)
def test_a_tool_is_known_by_its_marks(item: Json, words: str) -> None:
    assert keeper(item) == words
    warning = keeper_warning(item, WORKLOAD)
    assert warning is not None
    assert warning.startswith(f"Deployment monitoring/prometheus is kept by {words}, which ")
    assert "remote_write_file" in warning


@pytest.mark.parametrize(
    "item",
    [
        {"metadata": {}},
        {"metadata": {"labels": None, "annotations": None, "managedFields": None}},
        found(),
        found(labels=_INSTANCE),  # charts set that label too
        found(labels={"app.kubernetes.io/managed-by": "ansible"}),
        found(
            labels={"kustomize.toolkit.fluxcd.io/name": "apps"},
            annotations={"kustomize.toolkit.fluxcd.io/reconcile": "disabled"},
        ),
    ],
)
def test_without_marks_nothing_is_said(item: Json) -> None:
    assert keeper(item) is None
    assert keeper_warning(item, WORKLOAD) is None


def test_helm_by_itself_waits_for_its_next_upgrade() -> None:
    helm = keeper_warning(found({"app.kubernetes.io/managed-by": "Helm"}), WORKLOAD)
    flux = keeper_warning(found(managers=["kustomize-controller"]), WORKLOAD)
    assert "with the next upgrade" in str(helm)
    assert "will probably undo a change" in str(flux)
