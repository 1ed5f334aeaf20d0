# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Documentation shared by modules; it mirrors the part of the same name in module_utils/_options.py.

    The login of O(aks) is described in the words of the fragments azure and transport; a test holds them together.
    """

    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - Kubeconfig file of the cluster.
      - Falls back to the environment variable E(K8S_AUTH_KUBECONFIG), then to E(KUBECONFIG) and C(~/.kube/config),
        then to the service account of the pod that the module runs in.
    type: path
  context:
    description:
      - Context of the kubeconfig file; its current context when unset.
      - Falls back to the environment variable E(K8S_AUTH_CONTEXT).
    type: str
  host:
    description:
      - URL of the API server; overrides the kubeconfig's. Plain HTTP is refused but on this machine.
      - Falls back to the environment variable E(K8S_AUTH_HOST).
    type: str
  api_key:
    description:
      - Bearer token for the API server; overrides the kubeconfig's user.
      - Falls back to the environment variable E(K8S_AUTH_API_KEY).
    type: str
  ca_cert:
    description:
      - File with the API server's root certificate (PEM); overrides the kubeconfig's.
      - Falls back to the environment variable E(K8S_AUTH_SSL_CA_CERT).
    type: path
    aliases: [ssl_ca_cert]
  validate_certs:
    description:
      - Whether the API server's certificate is verified; the kubeconfig decides when unset.
      - Falls back to the environment variable E(K8S_AUTH_VERIFY_SSL).
    type: bool
    aliases: [verify_ssl]
  proxy:
    description:
      - URL of the HTTP proxy through which the API server is reached; the kubeconfig decides when unset.
      - Falls back to the environment variable E(K8S_AUTH_PROXY).
    type: str
  aks:
    description:
      - Reaches the API server of an AKS cluster through Azure Resource Manager, without kubelogin and without a stored
        kubeconfig. What Azure hands out is neither kept on disk nor returned.
      - With it, O(kubeconfig), O(context), O(host), O(api_key) and O(ca_cert) are not used. O(validate_certs) and
        O(proxy) are, except by V(run_command).
    type: dict
    suboptions:
      access:
        description:
          - V(user) takes the cluster user's credential. For a cluster that is integrated with Microsoft Entra, it is
            address and root certificate only, and the login's access token for the AKS server application is sent.
          - V(admin) takes the cluster administrator's credential, which Azure refuses when local accounts are disabled.
          - V(run_command) lets Azure run C(kubectl) inside the cluster, for a private cluster to which there is no
            route. Each request takes some seconds. Azure keeps what such a command prints, and so what the module
            reads, for those who may read C(managedClusters/commandResults); so no token and no secret is asked for.
        type: str
        choices: [user, admin, run_command]
        default: user
      subscription_id:
        description:
          - ID of the cluster's subscription.
          - Falls back to the environment variable E(AZURE_SUBSCRIPTION_ID).
        type: str
      resource_group:
        description: Resource group of the cluster.
        type: str
      name:
        description: Name of the cluster.
        type: str
      resource_id:
        description:
          - Resource ID of the cluster, instead of O(aks.subscription_id), O(aks.resource_group) and O(aks.name). Where
            these are given too, they must name the same cluster.
        type: str
      public_fqdn:
        description:
          - Whether a private cluster is reached by its public name. V(false) takes the name that Azure gives out by
            itself.
        type: bool
        default: false
      poll_interval:
        description: Seconds between two looks at a run command, where Azure advises no other time.
        type: float
        default: 2.0
      wait_timeout:
        description:
          - Minutes that one run command may take. One that takes longer goes on in Azure, and a rerun of the task finds
            what it did.
        type: float
        default: 10.0
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
          - V(auto) uses O(aks.client_id) with O(aks.secret) or O(aks.x509_certificate_path) when they are given, and
            otherwise azure-identity's default chain (environment, workload identity, managed identity, Azure CLI).
          - A federated token is read from the file that E(AZURE_FEDERATED_TOKEN_FILE) names, or from
            E(AZURE_FEDERATED_TOKEN) itself.
          - V(env) uses only these options and their environment variables, V(cli) only the Azure CLI's login,
            V(msi) only a managed identity, of which O(aks.client_id) names a user-assigned one.
          - V(client_secret), V(certificate) and V(workload_identity) use only O(aks.secret), only
            O(aks.x509_certificate_path), or only the federated token, whatever else is given.
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
          - Password of the private key in O(aks.x509_certificate_path).
          - Falls back to the environment variable E(AZURE_CLIENT_CERTIFICATE_PASSWORD).
        type: str
      authority_host:
        description:
          - Login endpoint in place of the cloud's own, a host or an https URL without path.
          - Falls back to the environment variable E(AZURE_AUTHORITY_HOST).
        type: str
      arm_endpoint:
        description:
          - Endpoint of Azure Resource Manager in place of the cloud's own, a host or an https URL without path, for
            example of a private link. Access tokens are still those for the cloud of O(aks.cloud_environment).
        type: str
      graph_endpoint:
        description:
          - Endpoint of Microsoft Graph in place of the cloud's own, a host or an https URL without path, for example
            V(https://dod-graph.microsoft.us). Access tokens are those for the cloud of O(aks.cloud_environment),
            unless the endpoint is itself one of Microsoft's.
        type: str
      https_proxy:
        description:
          - URL of the HTTP proxy through which the clouds' public endpoints are reached. A password in it is hidden.
          - Without it, the environment variables E(HTTPS_PROXY) and E(NO_PROXY) decide.
        type: str
      ca_bundle:
        description:
          - File with the root certificates (PEM) that are trusted for the clouds' endpoints, for networks that inspect
            TLS.
          - Without it, each library uses its own bundle or the environment variable that it knows.
        type: path
        aliases: [aws_ca_bundle]
requirements:
  - kubernetes >= 29
  - azure-identity >= 1.17, for the option aks
  - azure-mgmt-containerservice >= 41, for the option aks
"""
