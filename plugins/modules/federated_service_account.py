# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: federated_service_account
short_description: Manage a Kubernetes service account for federation
version_added: "0.1.0"
description:
  - Ensures a service account, and its namespace when asked to, with the label of Microsoft Entra Workload ID and, when
    a client ID is given, its annotation.
  - All labels, annotations and other fields that the objects have already are kept.
  - Tokens of the service account are trusted by AWS through the IAM role, which needs neither label nor annotation.
author:
  - crosscloud.aks_amp contributors (@crosscloud)
options:
  namespace:
    description: Namespace of the service account.
    type: str
    required: true
  name:
    description: Name of the service account.
    type: str
    required: true
  create_namespace:
    description: Whether a missing namespace is created; otherwise it is an error.
    type: bool
    default: true
  workload_identity_label:
    description:
      - Whether the label C(azure.workload.identity/use) is set to V(true). With V(false), an existing label is left
        alone.
      - The Azure webhook looks at the label of the pod, not at this one.
    type: bool
    default: true
  client_id:
    description:
      - Client ID of the Entra application for the annotation C(azure.workload.identity/client-id). Another value there
        is replaced; without this option, an annotation is left alone.
      - In check mode, V(<known after apply>) stands for an application that does not exist yet.
    type: str
extends_documentation_fragment:
  - crosscloud.aks_amp.kubernetes
  - crosscloud.aks_amp.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
notes:
  - The caller needs C(get) on C(serviceaccounts) and C(namespaces), and to change something C(create) and C(patch).
seealso:
  - module: crosscloud.aks_amp.entra_federated_credential
  - module: crosscloud.aks_amp.prometheus_remote_write
"""

EXAMPLES = r"""
- name: Ensure Prometheus' service account
  crosscloud.aks_amp.federated_service_account:
    namespace: monitoring
    name: prometheus-sa
    context: payments-prod

- name: The same, annotated for Azure as well
  crosscloud.aks_amp.federated_service_account:
    namespace: monitoring
    name: prometheus-sa
    client_id: "{{ credential.client_id }}"
    context: payments-prod
"""

RETURN = r"""
namespace:
  description: Namespace of the service account.
  returned: success
  type: str
  sample: monitoring
name:
  description: Name of the service account.
  returned: success
  type: str
  sample: prometheus-sa
subject:
  description: Subject (C(sub)) of its tokens.
  returned: success
  type: str
  sample: system:serviceaccount:monitoring:prometheus-sa
labels:
  description: All labels of the service account, predicted in check mode.
  returned: success
  type: dict
  sample:
    azure.workload.identity/use: "true"
annotations:
  description: All annotations of the service account, predicted in check mode.
  returned: success
  type: dict
  sample: {}
uid:
  description: UID of the service account, none in check mode while it does not exist.
  returned: success
  type: str
  sample: 2f3c6d0a-93f5-4c8e-9f43-4f6c6f0e7b10
changes:
  description: What was changed, or would be in check mode, in this order.
  returned: always
  type: list
  elements: dict
  contains:
    action:
      description: V(create) or V(update).
      returned: success
      type: str
      sample: create
    kind:
      description: Kind of the object, V(Namespace) or V(ServiceAccount).
      returned: success
      type: str
      sample: ServiceAccount
    name:
      description: Name of the object, with its namespace where it has one.
      returned: success
      type: str
      sample: monitoring/prometheus-sa
    summary:
      description: One sentence that says what is changed and why.
      returned: success
      type: str
      sample: Create the service account monitoring/prometheus-sa.
"""

from ansible_collections.crosscloud.aks_amp.plugins.module_utils.resources import federated_service_account
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.runner import run_module


def main() -> None:
    """Run the module."""
    run_module(federated_service_account.DEFINITION)


if __name__ == "__main__":
    main()
