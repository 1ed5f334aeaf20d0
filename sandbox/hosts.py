# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host names that the sandbox answers for. Clients use the real names, through the sandbox's proxy."""

from __future__ import annotations

import re

ARM_HOST = "management.azure.com"
GRAPH_HOST = "graph.microsoft.com"
LOGIN_HOST = "login.microsoftonline.com"
IAM_HOST = "iam.amazonaws.com"
AWS_REGIONS = ("eu-central-1", "eu-west-1", "us-east-1", "us-west-2")
AWS_REGIONAL_SERVICES = ("aps", "aps-workspaces", "sts")
ISSUER_DOMAIN = "oic.prod-aks.azure.com"

#: Azure's national clouds: the US government's and the one of 21Vianet in China.
ARM_HOSTS = (ARM_HOST, "management.usgovcloudapi.net", "management.chinacloudapi.cn")
GRAPH_HOSTS = (GRAPH_HOST, "graph.microsoft.us", "microsoftgraph.chinacloudapi.cn")
LOGIN_HOSTS = (LOGIN_HOST, "login.microsoftonline.us", "login.chinacloudapi.cn")

AWS_HOSTS = frozenset(
    {IAM_HOST, "sts.amazonaws.com"}
    | {f"{service}.{region}.amazonaws.com" for service in AWS_REGIONAL_SERVICES for region in AWS_REGIONS}
)
CLOUD_HOSTS = AWS_HOSTS | {*ARM_HOSTS, *GRAPH_HOSTS, *LOGIN_HOSTS}

_ISSUER_HOST = re.compile(rf"[a-z0-9]+\.{re.escape(ISSUER_DOMAIN)}")


def is_issuer_host(host: str) -> bool:
    """Whether this is the host of an AKS issuer: an Azure region's name under the issuers' domain."""
    return _ISSUER_HOST.fullmatch(host) is not None


def without_port(host: str) -> str:
    """A ``Host`` header's value as a name in lower case, without port."""
    return host.partition(":")[0].lower()
