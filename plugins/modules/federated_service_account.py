# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: federated_service_account
short_description: Manage a Kubernetes service account for federation
version_added: "1.0.0"
description:
  - Ensures a service account, and its namespace when asked to, with the label of Microsoft Entra Workload ID and, when
    a client ID is given, its annotation.
  - All labels, annotations and other fields that the objects have already are kept. What is set on a service account
    that existed before is recorded in its annotation C(aks-amp.crosscloud.io/previous), with what was there.
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
  state:
    description:
      - With V(present), the service account is ensured.
      - With V(absent), a service account that this module created is deleted, unless a workload still runs pods as it;
        on one that existed before, label and annotation become what they were, unless somebody changed them since.
      - What is kept is named in RV(kept), and each reason is a warning.
    type: str
    choices: [present, absent]
    default: present
  create_namespace:
    description:
      - Whether a missing namespace is created; otherwise it is an error.
      - With O(state=absent), whether a namespace that this module created is deleted once nothing is left in it.
      - Objects of every kind that the API server knows count, custom resources included, but those that every namespace
        has by itself (the service account V(default), the config map V(kube-root-ca.crt), tokens of service accounts)
        and what the cluster keeps of other objects (events, endpoints, leases, controller revisions, storage
        capacities, metrics). When it can't be told whether there are any, the namespace is kept.
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
  released_by:
    description:
      - With O(state=absent) in check mode, workloads from which the same run takes the service account, so that they do
        not count as its users although they still have it. Each is written as V(Deployment monitoring/prometheus).
        What a controller runs for one of them, such as prometheus-operator for a V(Prometheus), does not count either.
      - Outside check mode it means nothing, because what counts then is what is there.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - crosscloud.aks_amp.kubernetes
  - crosscloud.aks_amp.attributes
  - crosscloud.aks_amp.attributes.action_group
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
notes:
  - The caller needs C(get) on C(serviceaccounts) and C(namespaces), and to change something C(create) and C(patch).
  - With O(state=absent), it needs C(delete) on both, and C(list) on what could use them; without the latter they are
    kept and the missing right is named. For the namespace that is C(list) on every kind of object that the cluster has.
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

- name: The same without a kubeconfig, by the login to Azure
  crosscloud.aks_amp.federated_service_account:
    namespace: monitoring
    name: prometheus-sa
    aks:
      resource_group: rg-payments
      name: payments-prod

- name: On a private cluster to which this machine has no route
  crosscloud.aks_amp.federated_service_account:
    namespace: monitoring
    name: prometheus-sa
    aks:
      access: run_command
      resource_group: rg-payments
      name: payments-private

- name: Remove it again, with a namespace that was created for it
  crosscloud.aks_amp.federated_service_account:
    namespace: monitoring
    name: prometheus-sa
    state: absent
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
kept:
  description: With O(state=absent), one sentence for each thing that is kept, with the reason; otherwise empty.
  returned: success
  type: list
  elements: str
  sample:
    - "ServiceAccount monitoring/prometheus-sa is kept: it is used by Deployment monitoring/exporter."
changes:
  description: What was changed, or would be in check mode, in this order.
  returned: success, and failure after the first write
  type: list
  elements: dict
  contains:
    action:
      description: V(create), V(update) or V(delete).
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
    last_changed_by:
      description:
        - Who changed the object last, by what the API server notes of each field. It notes nothing for a client that
          only takes something away.
      returned: where it is told
      type: dict
      contains:
        who:
          description: The client or tool, by its field manager.
          returned: always
          type: str
          sample: kubectl-edit
        when:
          description: When, in UTC; empty where no time is told.
          returned: always
          type: str
          sample: "2026-05-04T03:02:01Z"
        how:
          description:
            - V(field) where it is known who set that field; V(object) where it is only known who wrote the object,
              which may have been another change.
          returned: always
          type: str
          sample: field
error:
  description:
    - Where a service refused, its name (C(service)), what was asked of it (C(action)), and its answer as C(code),
      C(status), C(message) and C(request_id).
  returned: failure, where a service refused
  type: dict
"""

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import federated_service_account
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import run_module


def main() -> None:
    """Run the module."""
    run_module(federated_service_account.DEFINITION)


if __name__ == "__main__":
    main()
