# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster's objects show of a chain: service account, webhook, and each Prometheus with its pods."""

from __future__ import annotations

import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.diagnosis_chain import ClusterChain
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.diagnosis_part import (
    Part,
    failed_part,
    finding,
    link_of,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.diagnosis_webhook import (
    injection_part,
    webhook_part,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.link_errors import ABOUT_A_LINK
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.links import (
    Finding,
    Link,
    LinkName,
    run_step,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import (
    CLIENT_ID_ANNOTATION,
    WORKLOAD_IDENTITY_LABEL,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import (
    NAMESPACE,
    SERVICE_ACCOUNT,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import azure_webhook
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.diagnosis_pods import (
    Running,
    pods_part,
    running,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.diagnosis_prometheus import (
    Observed,
    observe,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._severity import Severity

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.azure_workload_identity import Survey
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube import KubeClient
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.diagnosis_wish import PrometheusLook

__all__ = ["ClusterChain", "look_at_cluster_objects"]

Json = dict[str, t.Any]

_STEP: t.Final = run_step("service_account")


def look_at_cluster_objects(
    client: KubeClient, chain: ClusterChain, prometheus: Sequence[PrometheusLook]
) -> tuple[Link, ...]:
    """The links in their order. What may not be read leaves its link unknown, with the missing right named.

    Those of Prometheus are there only when one is given, that of the webhook only when something needs it.
    """
    account, part = _account(client, chain)
    links = [link_of(LinkName.SERVICE_ACCOUNT, part)]
    survey, webhook = _survey(client, chain)
    labels = ((account or {}).get("metadata") or {}).get("labels") or {}
    label_on_account = labels.get(WORKLOAD_IDENTITY_LABEL) == "true"
    observed = [observe(client, chain, look, survey, label_on_account=label_on_account) for look in prometheus]
    found = [_running(client, one) for one in observed]
    if webhook is not None:
        injected = [
            _injection(chain, survey, one, pods)
            for one, pods in zip(observed, found, strict=True)
            if survey is not None and not isinstance(pods, Part)
        ]
        links.append(link_of(LinkName.WEBHOOK, webhook, *injected))
    if not prometheus:
        return tuple(links)
    pods_parts = [
        pods if isinstance(pods, Part) else pods_part(client, chain, one, pods)
        for one, pods in zip(observed, found, strict=True)
    ]
    return (
        *links,
        link_of(LinkName.POD_TEMPLATE, *(one.template_part for one in observed)),
        link_of(LinkName.CONFIGURATION, *(one.configuration_part for one in observed)),
        link_of(LinkName.PODS, *pods_parts),
    )


def _account(client: KubeClient, chain: ClusterChain) -> tuple[Json | None, Part]:
    """The service account, and what is wrong with it."""
    name, account = LinkName.SERVICE_ACCOUNT, chain.account
    reference = SERVICE_ACCOUNT.at(account.name, account.namespace)
    try:
        found = client.get(reference)
        if found is None:
            return None, Part((_absent(client, chain),))
    except ABOUT_A_LINK as error:
        return None, failed_part(name, error)
    holds = f"The service account {reference.full_name} exists."
    present = (found["metadata"].get("annotations") or {}).get(CLIENT_ID_ANNOTATION)
    if not chain.client_id or present == chain.client_id:
        return found, Part(holds=holds)
    # It matters for logins to Azure only: the token for AWS does not depend on it.
    other = finding(
        name,
        "client_id_missing" if present is None else "other_client_id",
        f"The annotation {CLIENT_ID_ANNOTATION} of the service account {reference.full_name} "
        + ("is missing" if present is None else "names another Entra identity")
        + ", so the Azure webhook gives its pods no AZURE_CLIENT_ID that fits; writing to AMP does not need it.",
        severity=Severity.MEDIUM,
        expected=chain.client_id,
        found=present or "none",
        fix=_STEP,
    )
    return found, Part((other,), holds=holds)


def _absent(client: KubeClient, chain: ClusterChain) -> Finding:
    name, account = LinkName.SERVICE_ACCOUNT, chain.account
    full_name = f"{account.namespace}/{account.name}"
    try:
        there = client.get(NAMESPACE.at(account.namespace)) is not None
    except errors.Forbidden:
        there = True  # not known; that the service account is missing is
    if not there:
        cause = f"There is no namespace {account.namespace} in the cluster, hence no service account {full_name}."
        return finding(name, "namespace_missing", cause, expected=account.namespace, found="none", fix=_STEP)
    cause = f"There is no service account {full_name} in the cluster, so its pods can't start and have no token."
    return finding(name, "missing", cause, expected=full_name, found="none", fix=_STEP)


def _survey(client: KubeClient, chain: ClusterChain) -> tuple[Survey | None, Part | None]:
    """What the cluster shows of the webhook, and what is wrong with it; None where nothing needs it."""
    if not chain.needs_webhook and not chain.client_id:
        return None, None
    try:
        survey = azure_webhook.survey(client, chain.account.namespace)
    except ABOUT_A_LINK as error:
        return None, failed_part(LinkName.WEBHOOK, error)
    return survey, webhook_part(survey, chain)


def _running(client: KubeClient, observed: Observed) -> tuple[Running, ...] | Part:
    try:
        return running(client, observed)
    except ABOUT_A_LINK as error:
        return failed_part(LinkName.PODS, error)


def _injection(chain: ClusterChain, survey: Survey, observed: Observed, found: Sequence[Running]) -> Part:
    parts = [
        injection_part(chain, survey, str(one.reference), observed.container, one.pods, one.restart) for one in found
    ]
    return Part(tuple(item for part in parts for item in part.findings))
