# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kubeconfigs that ARM hands out
(https://learn.microsoft.com/rest/api/aks/managed-clusters/list-cluster-user-credentials).
"""

from __future__ import annotations

import base64
import typing as t

import yaml

from sandbox.arm import errors
from sandbox.entra_tokens import AKS_AUDIENCES
from sandbox.world import AZURE_TENANT

if t.TYPE_CHECKING:
    from sandbox.world import AksCluster, Json

_KUBELOGIN_CLIENT = "80faf920-1908-4b52-b5ef-a8e7bedfc67a"  # the public client application of AKS


def server_of(cluster: AksCluster, wanted: str | None) -> str:
    """The URL of the API server by the name that ``server-fqdn`` asks for. Raises ArmError.

    A private cluster has a private name, which only its own network resolves, and a public one if it is told to.
    """
    if wanted not in (None, "", "public"):
        raise errors.provider(400, "BadRequest", f"The value '{wanted}' of the parameter server-fqdn is invalid.")
    properties = cluster.body["properties"]
    profile = properties.get("apiServerAccessProfile") or {}
    if not profile.get("enablePrivateCluster"):
        return cluster.api_server_url
    if wanted == "public":
        # No recorded answer is known of this refusal.
        if not profile.get("enablePrivateClusterPublicFQDN"):
            raise errors.provider(400, "BadRequest", "The private cluster has no public FQDN.")
        return cluster.api_server_url
    return f"https://{properties['privateFQDN']}:443"


def credential_results(
    cluster: AksCluster, role: t.Literal["clusterAdmin", "clusterUser"], style: str, server: str
) -> Json:
    """A ``CredentialResults`` object with one kubeconfig for a server's URL, base64.

    ``style`` is the query's ``format``: ``azure`` or ``exec``. It matters for a user of a cluster that authenticates
    by Entra: such a kubeconfig holds no credential, it names the login to use.
    """
    entra = role == "clusterUser" and bool(cluster.body["properties"].get("aadProfile"))
    user = _entra_user(style) if entra else {"token": cluster.admin_token}
    user_name = f"{role}_{cluster.resource_group}_{cluster.name}"
    config: Json = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": cluster.name,
                "cluster": {
                    "certificate-authority-data": _base64(cluster.api_server_ca),
                    "server": server,
                },
            }
        ],
        "contexts": [{"name": cluster.name, "context": {"cluster": cluster.name, "user": user_name}}],
        "current-context": cluster.name,
        "preferences": {},
        "users": [{"name": user_name, "user": user}],
    }
    return {"kubeconfigs": [{"name": role, "value": _base64(yaml.safe_dump(config, sort_keys=False))}]}


def _entra_user(style: str) -> Json:
    login = {"apiserver-id": AKS_AUDIENCES[0], "client-id": _KUBELOGIN_CLIENT, "tenant-id": AZURE_TENANT}
    if style == "azure":
        return {
            "auth-provider": {
                "name": "azure",
                "config": {**login, "config-mode": "1", "environment": "AzurePublicCloud"},
            }
        }
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1beta1",
            "command": "kubelogin",
            "args": [
                "get-token",
                "--environment",
                "AzurePublicCloud",
                "--server-id",
                login["apiserver-id"],
                "--client-id",
                login["client-id"],
                "--tenant-id",
                login["tenant-id"],
                "--login",
                "devicecode",
            ],
            "env": None,
            "installHint": "kubelogin is not installed: see https://aka.ms/aks/kubelogin.",
            "provideClusterInfo": False,
        }
    }


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")
