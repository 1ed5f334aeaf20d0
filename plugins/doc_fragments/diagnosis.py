# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Documentation of what a diagnosis looks at; it mirrors resources/diagnosis_wish.py.

    The login of O(azure) is described in the words of the fragments azure and transport; a test holds them together.
    """

    DOCUMENTATION = r"""
options:
  azure:
    description:
      - Looks at the cluster in Azure Resource Manager, and says how Azure is reached for O(entra).
      - The cluster is named by O(azure.subscription_id), O(azure.resource_group) and O(azure.name), or by
        O(azure.resource_id); without any of them only O(entra) is looked at.
      - With a cluster, O(issuer) need not be given.
      - Needs O(scope=diagnosis).
    type: dict
    suboptions:
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
        description: Resource ID of the cluster.
        type: str
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
          - V(auto) uses O(azure.client_id) with O(azure.secret) or O(azure.x509_certificate_path) when they are given,
            and otherwise azure-identity's default chain (environment, workload identity, managed identity, Azure CLI).
          - A federated token is read from the file that E(AZURE_FEDERATED_TOKEN_FILE) names, or from
            E(AZURE_FEDERATED_TOKEN) itself.
          - V(env) uses only these options and their environment variables, V(cli) only the Azure CLI's login,
            V(msi) only a managed identity, of which O(azure.client_id) names a user-assigned one.
          - V(client_secret), V(certificate) and V(workload_identity) use only O(azure.secret), only
            O(azure.x509_certificate_path), or only the federated token, whatever else is given.
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
          - Password of the private key in O(azure.x509_certificate_path).
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
            example of a private link. Access tokens are still those for the cloud of O(azure.cloud_environment).
        type: str
      graph_endpoint:
        description:
          - Endpoint of Microsoft Graph in place of the cloud's own, a host or an https URL without path, for example
            V(https://dod-graph.microsoft.us). Access tokens are those for the cloud of O(azure.cloud_environment),
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
  entra:
    description:
      - Looks at the Microsoft Entra application or managed identity whose federated identity credential trusts the
        service account, and exchanges a token of the service account at the login endpoint, as a pod would.
      - Exactly one of its options that name the holder is given. Needs O(azure) and O(scope=diagnosis).
    type: dict
    suboptions:
      object_id:
        description: Object ID of the application.
        type: str
      app_id:
        description: Application (client) ID.
        type: str
      unique_name:
        description: Unique name of the application.
        type: str
      display_name:
        description: Display name of the application; several of that name are a finding.
        type: str
      managed_identity_id:
        description: Resource ID of a user-assigned managed identity.
        type: str
      audience:
        description: Audience of the credential.
        type: str
        default: api://AzureADTokenExchange
  prometheus:
    description:
      - Looks at each Prometheus that runs as the service account, at its pod template, its configuration and its
        running pods with the last lines of their logs. Needs O(scope=diagnosis).
    type: list
    elements: dict
    default: []
    suboptions:
      workload_kind:
        description: Kind of the workload, or of the resource of prometheus-operator.
        type: str
        choices: [DaemonSet, Deployment, Prometheus, PrometheusAgent, StatefulSet]
        default: Deployment
      workload_name:
        description: Name of the workload or resource.
        type: str
        required: true
      container:
        description: Container of Prometheus; without it the one that is called so or has its image.
        type: str
      configmap:
        description: ConfigMap with the configuration. It or O(prometheus[].config_secret) is needed for a workload.
        type: str
      config_secret:
        description: Secret with the configuration.
        type: str
      key:
        description: Key of the configuration.
        type: str
        default: prometheus.yml
      prometheus_version:
        description: Version of Prometheus; without it that of the image's tag.
        type: str
      chained_role_arn:
        description: ARN of a different role that this Prometheus assumes with the federated session.
        type: str
  inside:
    description:
      - Tries token exchange and remote write from inside the cluster too, in a Job that is deleted afterwards, with the
        service account and the token of Prometheus. So what the nodes' network lets through is proven.
      - Not in check mode. Needs O(scope=diagnosis), and the rights to create and delete Jobs and to read pods and their
        logs in the namespace.
    type: dict
    suboptions:
      image:
        description: Image with C(sh) and C(curl) 7.75 or newer, for example V(curlimages/curl) with a tag.
        type: str
        required: true
      https_proxy:
        description:
          - URL of the HTTP proxy through which pods reach AWS, where they do it by one. Nothing is taken over from the
            container of Prometheus. It stands in the Job as it is given, so it must hold no password.
        type: str
      wait_timeout:
        description: Minutes that the Job may take.
        type: float
        default: 3.0
requirements:
  - cryptography >= 42
  - azure-identity >= 1.17, for the options azure and entra
  - azure-mgmt-containerservice >= 41, for the option azure
  - msgraph-sdk >= 1.6, for the option entra
"""
