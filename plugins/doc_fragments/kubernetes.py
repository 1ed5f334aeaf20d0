# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Documentation shared by modules; it mirrors the part of the same name in module_utils/options.py."""

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
requirements:
  - kubernetes
"""
