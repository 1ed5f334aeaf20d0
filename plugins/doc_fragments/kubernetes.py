# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import textwrap

from ansible_collections.crosscloud.aks_amp.plugins.doc_fragments import azure, transport


def _of_aks(fragment: str) -> str:
    """The options of another fragment as suboptions of O(aks)."""
    options = fragment.partition("options:\n")[2].partition("\nrequirements:")[0]
    return textwrap.indent(re.sub(r"\bO\((?=\w)", "O(aks.", options), "    ")


class ModuleDocFragment:
    """Documentation shared by modules; it mirrors the part of the same name in module_utils/options.py."""

    DOCUMENTATION = (
        r"""
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
      - URL of the API server; overrides the kubeconfig's.
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
"""
        + _of_aks(azure.ModuleDocFragment.DOCUMENTATION).rstrip()
        + "\n"
        + _of_aks(transport.ModuleDocFragment.DOCUMENTATION).rstrip()
        + r"""
requirements:
  - kubernetes
  - azure-identity and azure-mgmt-containerservice, for the option aks
"""
    )
