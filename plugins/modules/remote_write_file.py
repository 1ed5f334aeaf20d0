# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: remote_write_file
short_description: Render Prometheus' remote write to an AMP workspace into a file, or merge it into one
version_added: "1.0.0"
description:
  - Writes what M(crosscloud.aks_amp.prometheus_remote_write) changes in a cluster into a file instead, for charts, for
    repositories from which a GitOps tool deploys, and for senders other than Prometheus. It reads no cluster and no
    cloud, so it runs on any host.
  - A file that is not there is rendered whole, with a header that says where each value came from. As long as nobody
    edits it, it is replaced as a whole by later runs.
  - Every other file is somebody's, and what is asked for is merged into it. Comments, order, anchors, quotes and line
    ends stay; only lines of what is asked for are added or changed. List items are recognised by name, mounts by their
    path, entries by their URL.
  - What contradicts is one error that shows what is there and what is wanted, and nothing is written. That is another
    role or token file, another service account, other credentials for the same URL, other values of external labels,
    and variables such as E(AWS_ACCESS_KEY_ID) that the AWS SDK takes before the web identity. The guide's mistakes in
    an entry, such as the federated role as its own C(role_arn), are repaired. Two entries for one workspace that would
    be equal or have one name are an error, because Prometheus does not start with them.
  - What can't be spliced without touching anything else, such as the inside of an anchor that aliases use elsewhere, is
    refused with what to write by hand.
author:
  - crosscloud.aks_amp contributors (@crosscloud)
options:
  dest:
    description:
      - The file. Its folder must exist. A symbolic link is followed, and the file behind it is replaced.
      - It is written beside itself and renamed, so that no reader sees half of it.
    type: path
    required: true
  format:
    description:
      - V(helm_kube_prometheus_stack), V(helm_prometheus) and V(helm_opentelemetry_collector) are values of the charts
        of these names. The service account is expected to exist, because of C(create=false), unless the values say
        otherwise.
      - V(prometheus) is a C(prometheus.yml), or the part of one.
      - V(prometheus_operator) is a C(Prometheus) or C(PrometheusAgent) resource, as a patch or merged into its
        manifest. Kustomize replaces the lists of such a resource whole, so merge into the manifest where it has lists
        already.
      - V(kustomize) is a patch of a Deployment, StatefulSet or DaemonSet that gives the pod its web identity, or is
        merged into its manifest.
      - V(opentelemetry_collector) is the configuration of an OpenTelemetry Collector of the distribution contrib, with
        the extension C(sigv4auth) and the exporter C(prometheusremotewrite).
      - V(alloy) is a configuration of Grafana Alloy. It is not merged; a file that is not as it was rendered is
        refused.
    type: str
    required: true
    choices:
      - alloy
      - helm_kube_prometheus_stack
      - helm_opentelemetry_collector
      - helm_prometheus
      - kustomize
      - opentelemetry_collector
      - prometheus
      - prometheus_operator
  state:
    description:
      - With V(present), the file says what is asked for, and O(namespace), O(service_account), O(role_arn), O(region)
        and O(remote_write_url) are required.
      - With V(absent), a file that is as it was rendered is removed. From every other file goes what equals exactly
        what V(present) would write, for which the same options are needed; what differs stays, and RV(kept) says so.
        Without these options such a file is kept whole, which RV(kept) says, too, and a warning.
        Nothing is recorded in a file, so what equals it and was there before goes too.
    type: str
    choices: [present, absent]
    default: present
  namespace:
    description: Namespace of the service account.
    type: str
  service_account:
    description: Service account as which the pods run.
    type: str
  token_source:
    description:
      - Where the pods take their web-identity token from.
      - V(projected) is a token of their own for AWS, in a projected volume.
      - V(azure_workload_identity) is the token that the webhook of Microsoft Entra Workload ID mounts into labelled
        pods. The label is set then, no volume is added, and O(token_file) is needed.
    type: str
    choices: [projected, azure_workload_identity]
    default: projected
  token_file:
    description:
      - Absolute path at which the Azure webhook mounts its token, only with O(token_source=azure_workload_identity). It
        differs between the webhook's versions.
    type: str
  audience:
    description:
      - Audience of the token; it must be a client ID of the IAM OIDC provider.
      - Without it that of O(token_source), C(sts.amazonaws.com) or C(api://AzureADTokenExchange).
    type: str
  token_expiration_seconds:
    description: Lifetime of the projected token, from 600 to 86400 seconds. The kubelet renews it in time.
    type: int
    default: 3600
  pod_label:
    description:
      - Whether the pods get the label C(azure.workload.identity/use), so that the Azure webhook acts on them. With
        V(false), an existing label is left alone.
    type: bool
    default: false
  values_path:
    description:
      - Keys under which the chart's values stand, for a chart that is another one's dependency, such as
        V([kube-prometheus-stack]).
    type: list
    elements: str
    default: []
  pipeline:
    description:
      - Pipeline of an OpenTelemetry Collector that feeds the exporter. When unset, it is C(metrics), else the only one
        for metrics, else it is an error.
    type: str
  workload_kind:
    description:
      - Kind of the object that is patched. Required with O(format=kustomize), where it is V(Deployment),
        V(StatefulSet) or V(DaemonSet), and with O(format=prometheus_operator), where it is V(Prometheus) or
        V(PrometheusAgent).
    type: str
    choices: [DaemonSet, Deployment, Prometheus, PrometheusAgent, StatefulSet]
  workload_name:
    description: Name of the object that is patched. Required with the same formats.
    type: str
  container:
    description: Container of Prometheus, with O(format=kustomize).
    type: str
    default: prometheus
  promtool:
    description:
      - Path of promtool, which checks the configuration with O(format=prometheus) before it is reported or written. A
        mistake that was there before is a warning, a new one an error.
      - When unset, the one in E(PATH) is used, if there is one.
    type: path
  mode:
    description:
      - Mode of the file as an octal number in quotes, such as V('0640').
      - When unset, an existing file keeps its mode, and a new one gets V('0644').
    type: str
  backup:
    description: Whether to copy the file beside itself before it is changed or removed; RV(backup_file) names the copy.
    type: bool
    default: false
extends_documentation_fragment:
  - crosscloud.aks_amp.remote_write
  - crosscloud.aks_amp.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Of a file that stays, the lines that change are shown with three lines around them. In the place of the others
        stands how many lines stay, so that nothing of them is in a log.
      - Values that look like secrets by their keys are shown as C(<redacted>), and so is embedded text that seems to
        hold some. Of a URL the user, the password and parameters that look like secrets by their names are hidden.
  idempotent:
    support: full
notes:
  - The caller needs no right but those on the file and its folder. An existing file keeps its owner where the caller
    may give files away.
  - Prometheus resolves its credentials when it loads its configuration, so the role should work before; see
    M(crosscloud.aks_amp.federation_check) with O(crosscloud.aks_amp.federation_check#module:scope=token_exchange).
  - The OpenTelemetry Collector and Grafana Alloy sign with the same web identity as Prometheus, by the same variables
    and volume of their pods, which RV(pod) lists.
  - The OpenTelemetry Collector has no O(queue_config) and no O(write_relabel_configs), and Grafana Alloy no
    O(external_id); asking for them is an error.
seealso:
  - module: crosscloud.aks_amp.prometheus_remote_write
  - module: crosscloud.aks_amp.federation_check
"""

EXAMPLES = r"""
- name: Merge remote write into the values of kube-prometheus-stack
  crosscloud.aks_amp.remote_write_file:
    dest: "{{ playbook_dir }}/monitoring/values.yaml"
    format: helm_kube_prometheus_stack
    namespace: monitoring
    service_account: prometheus-sa
    role_arn: "{{ role.arn }}"
    region: "{{ found.workspace.region }}"
    remote_write_url: "{{ found.workspace.remote_write_url }}"
    external_labels:
      cluster: payments-prod

- name: The same where the chart is the dependency of another one
  crosscloud.aks_amp.remote_write_file:
    dest: "{{ playbook_dir }}/platform/values.yaml"
    format: helm_kube_prometheus_stack
    values_path: [kube-prometheus-stack]
    namespace: monitoring
    service_account: prometheus-sa
    role_arn: "{{ role.arn }}"
    region: "{{ found.workspace.region }}"
    remote_write_url: "{{ found.workspace.remote_write_url }}"

- name: Render a patch of the Deployment for kustomize
  crosscloud.aks_amp.remote_write_file:
    dest: "{{ playbook_dir }}/overlays/prod/prometheus-web-identity.yaml"
    format: kustomize
    workload_kind: Deployment
    workload_name: prometheus
    namespace: monitoring
    service_account: prometheus-sa
    role_arn: "{{ role.arn }}"
    region: "{{ found.workspace.region }}"
    remote_write_url: "{{ found.workspace.remote_write_url }}"

- name: Take the rendered patch away again
  crosscloud.aks_amp.remote_write_file:
    dest: "{{ playbook_dir }}/overlays/prod/prometheus-web-identity.yaml"
    format: kustomize
    workload_kind: Deployment
    workload_name: prometheus
    state: absent
"""

RETURN = r"""
dest:
  description: The file, behind symbolic links.
  returned: success
  type: str
  sample: /srv/monitoring/values.yaml
format:
  description: The format that was asked for.
  returned: success
  type: str
  sample: helm_kube_prometheus_stack
pod:
  description:
    - What the pod of the sender needs, for those who write it by hand. None with O(state=absent).
  returned: success
  type: dict
  contains:
    serviceAccountName:
      description: The service account as which the pod runs.
      returned: success
      type: str
      sample: prometheus-sa
    labels:
      description: Labels of the pod.
      returned: success
      type: dict
      sample: {}
    env:
      description: Variables of the container.
      returned: success
      type: list
      elements: dict
      sample:
        - name: AWS_REGION
          value: eu-central-1
    volumes:
      description: Volumes of the pod.
      returned: success
      type: list
      elements: dict
      sample: []
    volumeMounts:
      description: Mounts of the container.
      returned: success
      type: list
      elements: dict
      sample: []
kept:
  description: With O(state=absent), one sentence for each thing that is kept, with the reason; otherwise empty.
  returned: success
  type: list
  elements: str
  sample: []
backup_file:
  description: The copy that O(backup) made; none without one.
  returned: success
  type: str
  sample: /srv/monitoring/values.yaml.2026-01-31@12:00:00~
changes:
  description: What was changed, or would be in check mode.
  returned: success, and failure after the first write
  type: list
  elements: dict
  contains:
    action:
      description: V(create), V(update) or V(delete).
      returned: success
      type: str
      sample: update
    kind:
      description: Always V(file).
      returned: success
      type: str
      sample: file
    name:
      description: The file's path.
      returned: success
      type: str
      sample: /srv/monitoring/values.yaml
    summary:
      description: One sentence that says what is changed and why.
      returned: success
      type: str
      sample: "In /srv/monitoring/values.yaml: write it."
"""

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import remote_write_file
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import run_module


def main() -> None:
    """Run the module."""
    run_module(remote_write_file.DEFINITION)


if __name__ == "__main__":
    main()
