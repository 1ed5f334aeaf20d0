# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ARM bodies of managed clusters as the service answers them, for the sandbox's estate.

Shape: Microsoft.ContainerService/managedClusters, api-version 2025-10-01 and later
(https://learn.microsoft.com/rest/api/aks/managed-clusters/get). The service writes ``resourcegroups`` in lower case.
"""

from __future__ import annotations

import hashlib
import typing as t
import uuid

if t.TYPE_CHECKING:
    from sandbox.world import AksCluster, Json

_SSH_KEY = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQDsandboxsandboxsandboxsandboxsandboxsandboxsandbox ops@example.com\n"


def _guid(*parts: str) -> str:
    """A GUID that is the same at each start."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(parts)))


def _agent_pool(name: str, *, mode: str, size: str, count: int, version: str, maximum: int | None = None) -> Json:
    """A node pool; with ``maximum`` the cluster autoscaler sizes it."""
    pool: Json = {
        "name": name,
        "count": count,
        "vmSize": size,
        "osDiskSizeGB": 128,
        "osDiskType": "Ephemeral",
        "kubeletDiskType": "OS",
        "maxPods": 110,
        "type": "VirtualMachineScaleSets",
        "availabilityZones": ["1", "2", "3"],
        "enableAutoScaling": maximum is not None,
        "provisioningState": "Succeeded",
        "powerState": {"code": "Running"},
        "orchestratorVersion": version,
        "currentOrchestratorVersion": version,
        "enableNodePublicIP": False,
        "mode": mode,
        "enableEncryptionAtHost": True,
        "enableUltraSSD": False,
        "osType": "Linux",
        "osSKU": "AzureLinux",
        "nodeImageVersion": "AKSAzureLinux-V3gen2-202510.03.0",
        "upgradeSettings": {"maxSurge": "10%", "drainTimeoutInMinutes": 30},
        "enableFIPS": False,
        "securityProfile": {"enableVTPM": False, "enableSecureBoot": False},
    }
    if maximum is not None:
        pool |= {"minCount": count, "maxCount": maximum, "scaleDownMode": "Delete"}
    return pool


def managed_cluster(cluster: AksCluster, *, location: str, version: str, environment: str) -> Json:
    """A running cluster with neither OIDC issuer nor workload identity."""
    group, name = cluster.resource_group, cluster.name
    node_group = f"MC_{group}_{name}_{location}"
    dns_prefix = f"{name}-{group}"[:40].rstrip("-")
    host = f"{dns_prefix}-{hashlib.sha256(cluster.issuer_guid.encode()).hexdigest()[:8]}"
    subscription = f"/subscriptions/{cluster.subscription}"
    return {
        "id": f"{subscription}/resourcegroups/{group}/providers/Microsoft.ContainerService/managedClusters/{name}",
        "location": location,
        "name": name,
        "tags": {"environment": environment, "cost-center": "4711", "owner": "platform-team"},
        "type": "Microsoft.ContainerService/ManagedClusters",
        "properties": {
            "provisioningState": "Succeeded",
            "powerState": {"code": "Running"},
            "kubernetesVersion": version,
            "currentKubernetesVersion": version,
            "dnsPrefix": dns_prefix,
            "fqdn": f"{host}.hcp.{location}.azmk8s.io",
            "azurePortalFQDN": f"{host}.portal.hcp.{location}.azmk8s.io",
            "agentPoolProfiles": [
                _agent_pool("system", mode="System", size="Standard_D4ds_v5", count=3, version=version),
                _agent_pool("apps", mode="User", size="Standard_D8ds_v5", count=2, version=version, maximum=10),
            ],
            "linuxProfile": {"adminUsername": "azureuser", "ssh": {"publicKeys": [{"keyData": _SSH_KEY}]}},
            "servicePrincipalProfile": {"clientId": "msi"},
            "addonProfiles": {
                "azureKeyvaultSecretsProvider": {
                    "enabled": True,
                    "config": {"enableSecretRotation": "true", "rotationPollInterval": "2m"},
                },
                "azurepolicy": {"enabled": True, "config": None},
            },
            "nodeResourceGroup": node_group,
            "enableRBAC": True,
            "supportPlan": "KubernetesOfficial",
            "networkProfile": {
                "networkPlugin": "azure",
                "networkPluginMode": "overlay",
                "networkPolicy": "cilium",
                "networkDataplane": "cilium",
                "loadBalancerSku": "standard",
                "loadBalancerProfile": {
                    "managedOutboundIPs": {"count": 1},
                    "effectiveOutboundIPs": [
                        {
                            "id": f"{subscription}/resourceGroups/{node_group}/providers/Microsoft.Network/"
                            f"publicIPAddresses/{_guid(name, 'outbound')}"
                        }
                    ],
                    "backendPoolType": "nodeIPConfiguration",
                },
                "podCidr": "10.244.0.0/16",
                "serviceCidr": "10.0.0.0/16",
                "dnsServiceIP": "10.0.0.10",
                "outboundType": "loadBalancer",
                "podCidrs": ["10.244.0.0/16"],
                "serviceCidrs": ["10.0.0.0/16"],
                "ipFamilies": ["IPv4"],
            },
            "aadProfile": {
                "managed": True,
                "adminGroupObjectIDs": [_guid(name, "administrators")],
                "enableAzureRBAC": False,
                "tenantID": cluster.tenant,
            },
            "maxAgentPools": 100,
            "autoUpgradeProfile": {"upgradeChannel": "patch", "nodeOSUpgradeChannel": "NodeImage"},
            "autoScalerProfile": {"expander": "least-waste", "scan-interval": "10s", "scale-down-unneeded-time": "10m"},
            "identityProfile": {
                "kubeletidentity": {
                    "resourceId": f"{subscription}/resourcegroups/{node_group}/providers/"
                    f"Microsoft.ManagedIdentity/userAssignedIdentities/{name}-agentpool",
                    "clientId": _guid(name, "kubelet", "client"),
                    "objectId": _guid(name, "kubelet", "object"),
                }
            },
            "disableLocalAccounts": False,
            "securityProfile": {},
            "storageProfile": {
                "diskCSIDriver": {"enabled": True},
                "fileCSIDriver": {"enabled": True},
                "snapshotController": {"enabled": True},
            },
            "oidcIssuerProfile": {"enabled": False},
            "workloadAutoScalerProfile": {"keda": {"enabled": True}},
            "metricsProfile": {"costAnalysis": {"enabled": False}},
            "resourceUID": hashlib.sha256(f"{group}/{name}".encode()).hexdigest()[:24],
        },
        "identity": {
            "type": "SystemAssigned",
            "principalId": _guid(name, "identity"),
            "tenantId": cluster.tenant,
        },
        "sku": {"name": "Base", "tier": "Standard"},
    }
