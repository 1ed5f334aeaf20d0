# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster shows of the webhook of Microsoft Entra Workload ID, read with as few rights as will do."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.azure_workload_identity import (
    WEBHOOK_CONFIGURATION,
    WEBHOOK_DEPLOYMENT,
    WEBHOOK_NAMESPACES,
    Survey,
    mutated_pods,
    token_file,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import (
    WORKLOAD_IDENTITY_LABEL,
    WebhookToken,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import (
    DEPLOYMENT,
    MUTATING_WEBHOOKS,
    POD,
    ObjectReference,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.pod_template import PodWish

if t.TYPE_CHECKING:
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube import KubeClient

Json = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Located:
    """A pod's wish whose token is found, and what to know about it."""

    pod: PodWish
    warnings: tuple[str, ...] = ()


def locate_token(
    client: KubeClient, workload: ObjectReference, pod: PodWish, given: str | None, *, check_mode: bool
) -> Located:
    """The wish with the path of the Azure token; nothing is read for a token of our own. ``given`` is the option.

    Raises NotFound or NotReady for a webhook that is missing, Refused where its path can't be told.
    """
    if not isinstance(pod.token, WebhookToken):
        return Located(pod)
    found = token_file(survey(client, str(workload.namespace)), given, check_mode=check_mode)
    return Located(dataclasses.replace(pod, token=dataclasses.replace(pod.token, file=found.path)), found.warnings)


def survey(client: KubeClient, namespace: str) -> Survey:
    """Configuration and Deployment of the webhook, and the pods of a namespace that it has changed."""
    unreadable: list[str] = []

    def get(reference: ObjectReference) -> Json | None:
        try:
            return client.get(reference)
        except errors.Forbidden as error:
            unreadable.append(error.fix)
            return None

    configuration = get(MUTATING_WEBHOOKS.at(WEBHOOK_CONFIGURATION))
    if configuration is None and not unreadable:
        return Survey(configured=False)
    places = _namespaces(configuration or {})
    found = (get(DEPLOYMENT.at(WEBHOOK_DEPLOYMENT, place)) for place in places)
    deployment = next((one for one in found if one is not None), None)
    hidden = bool(unreadable)
    try:
        pods = client.list_in(POD, namespace)
    except errors.Forbidden as error:
        unreadable.append(error.fix)
        pods = []
    shown = deployment or {}
    # A Deployment that is missing where the configuration points to has no pods; elsewhere nothing is known of them.
    expected = len(places) == 1 and not hidden
    running = int((shown.get("status") or {}).get("readyReplicas") or 0) if deployment or expected else None
    return Survey(
        configured=None if configuration is None else True,
        place=f"Deployment {(shown.get('metadata') or {}).get('namespace', places[0])}/{WEBHOOK_DEPLOYMENT}",
        running=running,
        image=next((str(item["image"]) for item in _containers(shown)), None),
        pods=mutated_pods(pods),
        unreadable=tuple(dict.fromkeys(unreadable)),
        since=str(((configuration or {}).get("metadata") or {}).get("creationTimestamp") or ""),
        selects=configuration is None or _selects_by_label(configuration),
    )


def _selects_by_label(configuration: t.Mapping[str, t.Any]) -> bool:
    """Whether the webhook is asked about labelled pods; releases before 1.0.0 looked at service accounts."""
    selectors = [webhook.get("objectSelector") or {} for webhook in configuration.get("webhooks") or ()]
    wanted = {WORKLOAD_IDENTITY_LABEL: "true"}
    return any((selector.get("matchLabels") or {}).items() <= wanted.items() for selector in selectors)


def _namespaces(configuration: t.Mapping[str, t.Any]) -> tuple[str, ...]:
    """Where the webhook runs, by its configuration if that says so."""
    for webhook in configuration.get("webhooks") or ():
        service = (webhook.get("clientConfig") or {}).get("service") or {}
        if service.get("namespace"):
            return (str(service["namespace"]),)
    return WEBHOOK_NAMESPACES


def _containers(deployment: t.Mapping[str, t.Any]) -> list[Json]:
    """The webhook's container first."""
    template = (deployment.get("spec") or {}).get("template") or {}
    containers: list[Json] = (template.get("spec") or {}).get("containers") or []
    return sorted(containers, key=lambda item: item["name"] != "manager")
