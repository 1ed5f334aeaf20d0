# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tool puts an object into the cluster from a repository or a chart, and so may undo a change of it; pure.

Argo CD: https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/; its label is one that charts use too,
so by itself it says nothing. Flux: https://fluxcd.io/flux/faq/ (labels of its controllers on what they apply).
Helm: https://helm.sh/docs/chart_best_practices/labels/. Field managers are those that the tools write as.
"""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import ObjectReference

_ARGO_ID = "argocd.argoproj.io/tracking-id"
_ARGO_LABELS = ("argocd.argoproj.io/instance", "app.kubernetes.io/instance")
_ARGO_MANAGERS = frozenset({"argocd-controller", "argocd-application-controller"})
_FLUX = {
    "kustomize.toolkit.fluxcd.io": ("Kustomization", "kustomize-controller"),
    "helm.toolkit.fluxcd.io": ("HelmRelease", "helm-controller"),
}
#: With this annotation Flux leaves an object alone.
_FLUX_OFF = "kustomize.toolkit.fluxcd.io/reconcile"
_HELM_LABEL = "app.kubernetes.io/managed-by"
_HELM_RELEASE = "meta.helm.sh/release-name"
_HELM_NAMESPACE = "meta.helm.sh/release-namespace"


def keeper(found: t.Mapping[str, t.Any]) -> str | None:
    """The tool that keeps an object as it is declared elsewhere, in words with its application; None without one."""
    metadata = found["metadata"]
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    managers = {str(entry.get("manager", "")) for entry in metadata.get("managedFields") or ()}
    return _argo(labels, annotations, managers) or _flux(labels, annotations, managers) or _helm(labels, annotations)


def keeper_warning(found: t.Mapping[str, t.Any], reference: ObjectReference) -> str | None:
    """What a change of the object is up against; None where nothing undoes it."""
    tool = keeper(found)
    if tool is None:
        return None
    undoes = "undoes a change of it with the next upgrade" if tool.startswith("Helm") else "will probably undo a change"
    return (
        f"{reference} is kept by {tool}, which {undoes}: make the change where it is declared; the module "
        "remote_write_file renders it into a file for that."
    )


def _argo(labels: t.Mapping[str, str], annotations: t.Mapping[str, str], managers: t.Collection[str]) -> str | None:
    tracked = annotations.get(_ARGO_ID)
    if tracked:
        return f"the Argo CD application {tracked.partition(':')[0]}"
    if _ARGO_MANAGERS & set(managers) or _ARGO_LABELS[0] in labels:
        names = [labels[label] for label in _ARGO_LABELS if labels.get(label)]
        return f"the Argo CD application {names[0]}" if names else "Argo CD"
    return None


def _flux(labels: t.Mapping[str, str], annotations: t.Mapping[str, str], managers: t.Collection[str]) -> str | None:
    if annotations.get(_FLUX_OFF) == "disabled":
        return None
    for group, (kind, _manager) in _FLUX.items():
        name, namespace = labels.get(f"{group}/name"), labels.get(f"{group}/namespace")
        if name:
            return f"Flux (the {kind} {f'{namespace}/{name}' if namespace else name})"
    return next((f"Flux (its {manager})" for _kind, manager in _FLUX.values() if manager in managers), None)


def _helm(labels: t.Mapping[str, str], annotations: t.Mapping[str, str]) -> str | None:
    release, namespace = annotations.get(_HELM_RELEASE), annotations.get(_HELM_NAMESPACE)
    if labels.get(_HELM_LABEL) != "Helm" and not release:
        return None
    if not release:
        return "Helm"
    return f"Helm (the release {f'{namespace}/{release}' if namespace else release})"
