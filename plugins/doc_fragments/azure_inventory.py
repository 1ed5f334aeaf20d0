# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """The options of the fragments azure (but for Microsoft Graph) and transport as an inventory plugin declares them.

    Where more than one environment variable is set, ansible-core takes the last of these lists, and modules the first
    of theirs; so the order is the reverse.
    """

    DOCUMENTATION = r"""
options:
  cloud_environment:
    description: The Azure cloud; it decides the endpoints for login and Azure Resource Manager.
    type: str
    choices: [AzureCloud, AzureUSGovernment, AzureChinaCloud]
    default: AzureCloud
    env:
      - name: AZURE_CLOUD_ENVIRONMENT
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
    type: str
    choices: [auto, certificate, cli, client_secret, env, msi, workload_identity]
    default: auto
    env:
      - name: ANSIBLE_AZURE_AUTH_SOURCE
  tenant:
    description: Microsoft Entra tenant ID. May be a template.
    type: str
    aliases: [tenant_id]
    env:
      - name: AZURE_TENANT_ID
      - name: AZURE_TENANT
  client_id:
    description: Client ID of the service principal or managed identity that the plugin logs in as. May be a template.
    type: str
    env:
      - name: AZURE_CLIENT_ID
  secret:
    description:
      - Client secret of the service principal that the plugin logs in as.
      - It does not belong in the file. Leave it to the environment, or make it a template that looks it up in a vault.
    type: str
    env:
      - name: AZURE_CLIENT_SECRET
      - name: AZURE_SECRET
  x509_certificate_path:
    description:
      - File with certificate and private key (PEM) of the service principal that the plugin logs in as. May be a
        template.
    type: path
    env:
      - name: AZURE_CLIENT_CERTIFICATE_PATH
      - name: AZURE_X509_CERTIFICATE_PATH
  x509_certificate_password:
    description:
      - Password of the private key in O(x509_certificate_path).
      - Like O(secret) it does not belong in the file, unless as a template that looks it up.
    type: str
    env:
      - name: AZURE_CLIENT_CERTIFICATE_PASSWORD
  authority_host:
    description:
      - Login endpoint in place of the cloud's own, a host or an https URL without path. May be a template.
    type: str
    env:
      - name: AZURE_AUTHORITY_HOST
  arm_endpoint:
    description:
      - Endpoint of Azure Resource Manager in place of the cloud's own, a host or an https URL without path, for example
        of a private link. Access tokens are still those for the cloud of O(cloud_environment). May be a template.
    type: str
  https_proxy:
    description:
      - URL of the HTTP proxy through which Azure's public endpoints are reached. May be a template.
      - Without it, the environment variables E(HTTPS_PROXY) and E(NO_PROXY) decide.
    type: str
  ca_bundle:
    description:
      - File with the root certificates (PEM) that are trusted for Azure's endpoints, for networks that inspect TLS. May
        be a template.
      - Without it, each library uses its own bundle or the environment variable that it knows.
    type: path
    aliases: [aws_ca_bundle]
requirements:
  - azure-identity >= 1.17
"""
