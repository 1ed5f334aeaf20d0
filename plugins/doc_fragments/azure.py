# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Documentation shared by modules; it mirrors the part of the same name in module_utils/_options.py."""

    DOCUMENTATION = r"""
options:
  cloud_environment:
    description:
      - The Azure cloud; it decides the endpoints for login, Azure Resource Manager and Microsoft Graph.
      - Falls back to the environment variable E(AZURE_CLOUD_ENVIRONMENT).
    type: str
    choices: [AzureCloud, AzureUSGovernment, AzureChinaCloud]
    default: AzureCloud
  auth_source:
    description:
      - Where credentials come from.
      - V(auto) uses O(client_id) with O(secret) or O(x509_certificate_path) when they are given, and otherwise
        azure-identity's default chain (environment, workload identity, managed identity, Azure CLI).
      - A federated token is read from the file that E(AZURE_FEDERATED_TOKEN_FILE) names, or from
        E(AZURE_FEDERATED_TOKEN) itself.
      - V(env) uses only these options and their environment variables, V(cli) only the Azure CLI's login,
        V(msi) only a managed identity, of which O(client_id) names a user-assigned one.
      - V(client_secret), V(certificate) and V(workload_identity) use only O(secret), only O(x509_certificate_path), or
        only the federated token, whatever else is given.
      - Falls back to the environment variable E(ANSIBLE_AZURE_AUTH_SOURCE).
    type: str
    choices: [auto, certificate, cli, client_secret, env, msi, workload_identity]
    default: auto
  tenant:
    description:
      - Microsoft Entra tenant ID.
      - Falls back to the environment variables E(AZURE_TENANT) and E(AZURE_TENANT_ID).
    type: str
    aliases: [tenant_id]
  client_id:
    description:
      - Client ID of the service principal or managed identity that the module logs in as.
      - Falls back to the environment variable E(AZURE_CLIENT_ID).
    type: str
  secret:
    description:
      - Client secret of the service principal that the module logs in as.
      - Falls back to the environment variables E(AZURE_SECRET) and E(AZURE_CLIENT_SECRET).
    type: str
  x509_certificate_path:
    description:
      - File with certificate and private key (PEM) of the service principal that the module logs in as.
      - Falls back to the environment variables E(AZURE_X509_CERTIFICATE_PATH) and E(AZURE_CLIENT_CERTIFICATE_PATH).
    type: path
  x509_certificate_password:
    description:
      - Password of the private key in O(x509_certificate_path).
      - Falls back to the environment variable E(AZURE_CLIENT_CERTIFICATE_PASSWORD).
    type: str
  authority_host:
    description:
      - Login endpoint in place of the cloud's own, a host or an https URL without path.
      - Falls back to the environment variable E(AZURE_AUTHORITY_HOST).
    type: str
  arm_endpoint:
    description:
      - Endpoint of Azure Resource Manager in place of the cloud's own, a host or an https URL without path, for example
        of a private link. Access tokens are still those for the cloud of O(cloud_environment).
    type: str
  graph_endpoint:
    description:
      - Endpoint of Microsoft Graph in place of the cloud's own, a host or an https URL without path, for example
        V(https://dod-graph.microsoft.us). Access tokens are those for the cloud of O(cloud_environment), unless the
        endpoint is itself one of Microsoft's.
    type: str
requirements:
  - azure-identity >= 1.17
"""
