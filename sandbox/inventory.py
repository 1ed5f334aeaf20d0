# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Ansible inventory that leads the collection's playbooks to the sandbox."""

from __future__ import annotations

import typing as t

from sandbox import estate, manifests, world

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.state import StateFolder
    from sandbox.world import AksCluster, Json


def inventory(clusters: Sequence[AksCluster], folder: StateFolder, proxy_url: str) -> Json:
    """Group ``aks`` with one host a cluster; all that the clusters share are the group's variables."""
    ca_file = str(folder.ca_file)
    shared: Json = {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "aks_amp_subscription_id": world.AZURE_SUBSCRIPTION,
        "aks_amp_tenant_id": world.AZURE_TENANT,
        "aks_amp_client_id": world.CONTROLLER_CLIENT_ID,
        "aks_amp_client_secret": world.CONTROLLER_CLIENT_SECRET,
        "aks_amp_aws_region": estate.AWS_REGION,
        "aks_amp_aws_access_key": world.CONTROLLER_AWS_ACCESS_KEY,
        "aks_amp_aws_secret_key": world.CONTROLLER_AWS_SECRET_KEY,
        "aks_amp_workspace_alias": estate.WORKSPACE_ALIAS,
        "aks_amp_https_proxy": proxy_url,
        "aks_amp_ca_bundle": ca_file,
        "aks_amp_trust_anchors": [ca_file],
        "aks_amp_kubeconfig": str(folder.kubeconfig),
        "aks_amp_poll_interval": 1,
        "aks_amp_prometheus_configmap": manifests.CONFIG_MAP,
        "aks_amp_prometheus_workload_kind": manifests.WORKLOAD_KIND,
        "aks_amp_prometheus_workload_name": manifests.WORKLOAD,
        "aks_amp_prometheus_container": manifests.CONTAINER,
    }
    hosts = {cluster.name: _host(cluster) for cluster in clusters}
    return {"aks": {"hosts": hosts, "vars": shared}}


def _host(cluster: AksCluster) -> Json:
    return {
        "aks_amp_resource_group": cluster.resource_group,
        "aks_amp_cluster_name": cluster.name,
        "aks_amp_kube_context": cluster.name,
        "aks_amp_application_name": estate.application_name(cluster.name),
    }
