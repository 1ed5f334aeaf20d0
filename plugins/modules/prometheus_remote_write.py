# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: prometheus_remote_write
short_description: Let a Prometheus in Kubernetes write to an AMP workspace by its web identity
version_added: "1.0.0"
description:
  - Merges the C(remote_write) entry of an Amazon Managed Service for Prometheus workspace into a C(prometheus.yml) that
    is in a ConfigMap or a Secret already. Comments, order, anchors, quotes and line ends stay; only the entry's own
    lines change. What is packed with gzip stays packed.
  - Gives the pod template of a Deployment, StatefulSet or DaemonSet the service account, a projected token for AWS and
    the environment from which the AWS SDK in Prometheus takes the role. Everything else of the pod stays.
  - For a Prometheus that prometheus-operator runs, entries, external labels and what the pods need go into its resource
    C(Prometheus) or C(PrometheusAgent), from which the operator makes configuration and workload.
  - Credentials that the AWS SDK would take before the web identity, such as E(AWS_ACCESS_KEY_ID) or E(AWS_PROFILE) in
    the container, are an error, also when they come from a whole ConfigMap or Secret (C(envFrom)).
  - An entry for the workspace that signs without credentials, without region, with the federated role as its own
    C(role_arn), or whose URL ends in a slash, is repaired. An entry with other credentials is an error that shows both.
  - Of several entries for the workspace each is repaired. Prometheus does not start with two that are equal or have one
    name, so what would come to that is an error.
  - A projected token for the same audience to which E(AWS_WEB_IDENTITY_TOKEN_FILE) points already is accepted as it is.
  - Both objects must exist. They are not marked as managed, but what is changed is recorded in their annotation
    C(aks-amp.crosscloud.io/previous), with what was there, so that O(state=absent) can put it back. An entry that was
    there before is not recorded, because it is only repaired.
author:
  - crosscloud.aks_amp contributors (@crosscloud)
options:
  namespace:
    description: Namespace of the configuration, the workload and the service account.
    type: str
    required: true
  configmap:
    description:
      - Name of the ConfigMap with Prometheus' configuration.
      - Exactly one of O(configmap) and O(config_secret) is given for a Deployment, StatefulSet or DaemonSet, and none
        of them for a resource of the operator.
    type: str
  config_secret:
    description: Name of the Secret with Prometheus' configuration.
    type: str
  key:
    description:
      - Key of the configuration in the ConfigMap, as text or as binary data, or in the Secret.
      - Content that is packed with gzip is recognised by how it begins.
    type: str
    default: prometheus.yml
  workload_kind:
    description:
      - Kind of the workload that runs Prometheus, or of the resource from which prometheus-operator makes it.
      - With V(Prometheus) and V(PrometheusAgent), the entries go into C(spec.remoteWrite) in the operator's spelling,
        the labels into C(spec.externalLabels), and the web identity into C(spec.volumes), C(spec.volumeMounts), the
        entry V(prometheus) of C(spec.containers), C(spec.podMetadata) and C(spec.serviceAccountName). C(promtool) is
        not asked.
      - What the operator's CustomResourceDefinition does not know, such as C(sigv4) before prometheus-operator 0.52, is
        an error that names the field, before anything is written.
    type: str
    choices: [DaemonSet, Deployment, Prometheus, PrometheusAgent, StatefulSet]
    default: Deployment
  workload_name:
    description: Name of the workload that runs Prometheus, or of the operator's resource.
    type: str
    required: true
  container:
    description:
      - Container of Prometheus. When unset, it is the one called V(prometheus), else the only one, else the only one
        whose image is called C(prometheus), else it is an error.
      - Init containers are none of them, neither those that end nor those that stay as sidecars.
      - The operator calls it V(prometheus) always.
    type: str
  state:
    description:
      - With V(present), entry and web identity are ensured, and O(service_account), O(role_arn), O(region) and
        O(remote_write_url) are required.
      - With V(absent), the entries that this module added are removed, with what others wrote into them, and the text
        around them becomes what it was. Volume, mount, variables, label and service account of the pods become what
        they were, except for what somebody changed since.
      - What the record does not name is kept, such as an entry that was there before, or one that has other credentials
        by now. So is the web identity while another entry that this module added needs it. RV(kept) names what is kept,
        and each reason is a warning.
      - A ConfigMap, Secret, key or workload that is not there is no error with V(absent).
    type: str
    choices: [present, absent]
    default: present
  service_account:
    description:
      - Service account as which the pods run. It must exist when the pods are to be changed to it, except in check
        mode.
    type: str
  remote_write_url:
    description:
      - Remote write URL of the workspace, which M(crosscloud.aks_amp.amp_workspace_info) returns.
      - With O(state=absent), the only entry that is removed; without it, every entry that this module added is.
      - In check mode, V(<known after apply>) is accepted.
    type: str
  token_source:
    description:
      - Where the pods take their web-identity token from.
      - V(projected) is a token of their own for AWS, in a projected volume. It needs neither the Azure webhook nor a
        label.
      - V(azure_workload_identity) is the token that the webhook of Microsoft Entra Workload ID mounts into labelled
        pods; the label is set then, and no volume is added. The webhook's configuration and its pods are looked for
        first. The audience is C(api://AzureADTokenExchange), so that whoever gets hold of the token may use it at AWS
        and at Entra alike.
      - With another source than before, the volume that the collection had added goes, and the variables are changed in
        place.
    type: str
    choices: [projected, azure_workload_identity]
    default: projected
  token_file:
    description:
      - Absolute path at which the Azure webhook mounts its token, only with O(token_source=azure_workload_identity).
      - Without it the path is that of the webhook's version, by the tag of its image, else that of a running pod of the
        namespace to which the webhook has given C(AZURE_FEDERATED_TOKEN_FILE); where neither tells, the module fails. A
        warning says so when these disagree.
    type: str
  name:
    description:
      - Name of the C(remote_write) entry, as Prometheus shows it in metrics and logs.
      - An entry that this module added is found by its name too, so that it is updated in place when its URL changes.
        An entry of others that has the name is an error.
    type: str
  additional_remote_writes:
    description:
      - Entries for further workspaces, to which the same pods write with the same web identity.
      - An entry that is not listed any more stays until it is removed with O(state=absent).
    type: list
    elements: dict
    suboptions:
      remote_write_url:
        description: Remote write URL of the workspace.
        type: str
        required: true
      region:
        description: AWS region of the workspace.
        type: str
        required: true
      name:
        description: As O(name).
        type: str
      chained_role_arn:
        description: As O(chained_role_arn).
        type: str
      external_id:
        description: As O(external_id).
        type: str
      use_fips_sts_endpoint:
        description: As O(use_fips_sts_endpoint).
        type: bool
      service_name:
        description: As O(service_name).
        type: str
      queue_config:
        description: As O(queue_config).
        type: dict
      write_relabel_configs:
        description: As O(write_relabel_configs).
        type: list
        elements: dict
  external_labels:
    description:
      - Labels that every series carries, merged into C(global.external_labels), such as V(cluster).
      - A label that is there with another value is an error. A label that is not asked for any more stays until
        O(state=absent).
    type: dict
  prometheus_version:
    description:
      - Version of Prometheus, for which the entries are rendered. A setting that it does not know is an error, because
        Prometheus would refuse the whole configuration.
      - When unset, it is read from the tag of the container's image, or from the resource of the operator. Where that
        does not tell, as with V(latest) or a digest, a setting that not every version knows is a warning.
    type: str
  promtool:
    description:
      - Path of promtool, which checks the configuration before it is reported or written. A mistake that was there
        before is a warning, a new one an error.
      - When unset, the one in E(PATH) is used, if there is one. One that can't be run is an error only when it is named
        here.
      - The configuration is checked without the files that it names, which are in the pod and not here.
    type: path
  audience:
    description:
      - Audience of the token; it must be a client ID of the IAM OIDC provider.
      - Without it that of O(token_source), C(sts.amazonaws.com) or C(api://AzureADTokenExchange).
    type: str
  token_expiration_seconds:
    description:
      - Lifetime of the projected token, from 600 to 86400 seconds. The kubelet renews it in time.
      - The lifetime of the Azure webhook's token is set by an annotation of the service account, not here.
    type: int
    default: 3600
  pod_label:
    description:
      - Whether the pod template gets the label C(azure.workload.identity/use), so that the Azure webhook acts on the
        pods. With V(false), an existing label is left alone.
      - The projected token for AWS needs no webhook; with O(token_source=azure_workload_identity) the label is set in
        any case.
    type: bool
    default: false
  wait:
    description:
      - Whether the run waits until the running Prometheus has followed, so that its success means that Prometheus runs
        with the configuration. A run that finds an earlier rollout unfinished continues it, though it changes nothing;
        pods that came into trouble after a rollout are no concern of it.
      - Pods that are replaced are waited for until all are new and ready, as C(kubectl rollout status) does. A
        configuration that changes alone is loaded by the config reloader in the pod, which is only looked at, or by a
        request for a reload where Prometheus has C(--web.enable-lifecycle).
      - When it fails, the error begins with the cause, and RV(rollout_status) of the failed result has the pod's events
        and the lines of its log that matter. A crash is called a failure after a few starts, what may pass by itself
        after a minute, the rest when the time is up.
      - With V(false) the run ends after its last write, and a warning or RV(rollout_status) says what is left to do.
    type: bool
    default: true
  wait_timeout:
    description: How long to wait at most, in minutes.
    type: float
    default: 10.0
  rollout:
    description:
      - With V(auto), the running Prometheus is brought to a changed configuration. One that has neither a config
        reloader nor C(--web.enable-lifecycle), or that mounts the configuration as a single file (C(subPath)), gets new
        pods, by the annotation C(aks-amp.crosscloud.io/configuration) of the pod template, which is part of the
        reported changes.
      - With V(none), running pods are left alone, except where their template changes, and a warning says what to do.
    type: str
    choices: [auto, none]
    default: auto
  rollback:
    description:
      - Whether a rollout that fails has what this run wrote put back to what was there before. The run waits for that
        to be followed too, and fails all the same.
      - What somebody else has changed since is not overwritten. Pods for which an ordered StatefulSet would wait for
        ever are deleted.
      - It can't go with O(wait=false) or O(rollout=none).
    type: bool
    default: false
extends_documentation_fragment:
  - crosscloud.aks_amp.remote_write
  - crosscloud.aks_amp.kubernetes
  - crosscloud.aks_amp.attributes
  - crosscloud.aks_amp.attributes.action_group
attributes:
  check_mode:
    support: full
    details:
      - The API server rehearses each change (C(dryRun=All)), so that its admission is heard; what it refuses fails, and
        what it changes further is a warning. Nothing is stored. Who lacks the right C(patch) sees the plan, and is
        warned.
  diff_mode:
    support: full
    details:
      - Secrets in the configuration are shown as C(<redacted>), other variables of the container and the record not at
        all. Of a URL the user, the password and parameters that look like secrets by their names are hidden.
  idempotent:
    support: full
notes:
  - The caller needs C(get) on C(configmaps) or C(secrets), on C(deployments), C(statefulsets) or C(daemonsets) of the
    API group C(apps) and on C(serviceaccounts), and to change something C(patch) on the first two. C(get) on
    C(namespaces) tells that a namespace is being deleted, and C(get) on the ConfigMaps and Secrets from which the
    container takes its variables (C(envFrom)) that no credentials are among them.
  - A change of an object that Argo CD, Flux or Helm keeps is made all the same, with a warning that names the tool and
    the application, since it will probably be undone there.
  - A Deployment that is paused is refused when its pods must change, because they would not get the web identity.
  - O(token_source=azure_workload_identity) needs C(get) on C(mutatingwebhookconfigurations) of the API group
    C(admissionregistration.k8s.io), C(get) on C(deployments) in C(kube-system) or where the webhook runs, and C(list)
    on C(pods) in O(namespace). What a missing right hides is named, and O(token_file) makes up for it.
  - To follow a rollout the caller needs C(list) on C(pods), for a reload C(get) and C(create) on C(pods/proxy), and for
    the cause of a failure C(list) on C(events) and C(get) on C(pods/log). O(rollback=true) needs C(delete) on C(pods)
    for a StatefulSet. What a missing right keeps from being done is a warning that names it.
  - Prometheus resolves its credentials when it loads its configuration, so the role should work before; see
    M(crosscloud.aks_amp.federation_check) with O(crosscloud.aks_amp.federation_check#module:scope=token_exchange).
  - Objects that a controller generates, such as those of the Prometheus operator, are refused, because it would undo
    the change; the operator's own resource is given by O(workload_kind=Prometheus) or O(workload_kind=PrometheusAgent).
  - For the operator's resources the caller needs C(get) and C(patch) on C(prometheuses) or C(prometheusagents) of the
    API group C(monitoring.coreos.com) instead. C(get) on C(customresourcedefinitions) of the API group
    C(apiextensions.k8s.io) tells which fields the operator knows; without it the API server is asked to be strict.
  - Prometheus finds targets in the cluster by the rights of its service account, which with the operator's resources is
    how all are found, so a service account that takes another one's place needs these too. A warning names both.
seealso:
  - module: crosscloud.aks_amp.federated_service_account
  - module: crosscloud.aks_amp.iam_web_identity_role
  - module: crosscloud.aks_amp.federation_check
"""

EXAMPLES = r"""
- name: Let Prometheus write to the workspace
  crosscloud.aks_amp.prometheus_remote_write:
    namespace: monitoring
    configmap: prometheus-config
    workload_name: prometheus
    service_account: prometheus-sa
    role_arn: "{{ role.arn }}"
    region: "{{ found.workspace.region }}"
    remote_write_url: "{{ found.workspace.remote_write_url }}"
    context: payments-prod

- name: The same into a workspace of another account
  crosscloud.aks_amp.prometheus_remote_write:
    namespace: monitoring
    configmap: prometheus-server
    key: prometheus.yml
    workload_kind: StatefulSet
    workload_name: prometheus-server
    container: prometheus-server
    service_account: prometheus-sa
    role_arn: arn:aws:iam::123456789012:role/AKS-Prometheus-AMP-Role
    chained_role_arn: arn:aws:iam::210987654321:role/AMP-Writer
    region: eu-central-1
    remote_write_url: https://aps-workspaces.eu-central-1.amazonaws.com/workspaces/ws-1234/api/v1/remote_write
    context: payments-prod

- name: Two workspaces, with the labels that an AMP workspace deduplicates pairs of Prometheus by
  crosscloud.aks_amp.prometheus_remote_write:
    namespace: monitoring
    configmap: prometheus-config
    workload_name: prometheus
    service_account: prometheus-sa
    role_arn: "{{ role.arn }}"
    name: amp-main
    region: eu-central-1
    remote_write_url: https://aps-workspaces.eu-central-1.amazonaws.com/workspaces/ws-1234/api/v1/remote_write
    queue_config:
      max_shards: 50
    write_relabel_configs:
      - source_labels: [__name__]
        regex: go_.*
        action: drop
    additional_remote_writes:
      - name: amp-audit
        region: eu-west-1
        remote_write_url: https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-5678/api/v1/remote_write
        chained_role_arn: arn:aws:iam::210987654321:role/AMP-Writer
    external_labels:
      cluster: payments-prod
    context: payments-prod

- name: Let a StatefulSet whose configuration is packed in a Secret write to the workspace
  crosscloud.aks_amp.prometheus_remote_write:
    namespace: monitoring
    config_secret: prometheus-server
    key: prometheus.yaml.gz
    workload_kind: StatefulSet
    workload_name: prometheus-server
    service_account: prometheus-sa
    role_arn: "{{ role.arn }}"
    region: "{{ found.workspace.region }}"
    remote_write_url: "{{ found.workspace.remote_write_url }}"
    context: payments-prod

- name: Let a Prometheus of prometheus-operator write to the workspace
  crosscloud.aks_amp.prometheus_remote_write:
    namespace: monitoring
    workload_kind: Prometheus
    workload_name: k8s
    service_account: prometheus-k8s
    role_arn: "{{ role.arn }}"
    region: "{{ found.workspace.region }}"
    remote_write_url: "{{ found.workspace.remote_write_url }}"
    context: payments-prod

- name: Take from Prometheus what was added
  crosscloud.aks_amp.prometheus_remote_write:
    namespace: monitoring
    configmap: prometheus-config
    workload_name: prometheus
    state: absent
    context: payments-prod
"""

RETURN = r"""
configmap:
  description: ConfigMap with the configuration, with its namespace; none when it is elsewhere.
  returned: success
  type: str
  sample: monitoring/prometheus-config
config_secret:
  description: Secret with the configuration, with its namespace; none when it is elsewhere.
  returned: success
  type: str
  sample: monitoring/prometheus-config
workload:
  description: The workload or the operator's resource, with its kind and namespace.
  returned: success
  type: str
  sample: Deployment monitoring/prometheus
container:
  description: Container of Prometheus; none with O(state=absent).
  returned: success
  type: str
  sample: prometheus
remote_write:
  description:
    - The entry as it was asked for, for the operator in its spelling. One that was there keeps its other settings.
    - None with O(state=absent).
  returned: success
  type: dict
  sample:
    url: https://aps-workspaces.eu-central-1.amazonaws.com/workspaces/ws-1234/api/v1/remote_write
    sigv4:
      region: eu-central-1
    queue_config:
      capacity: 2500
      max_shards: 200
      max_samples_per_send: 1000
      retry_on_http_429: true
additional_remote_writes:
  description: The entries of O(additional_remote_writes), in this order, as they were asked for.
  returned: success
  type: list
  elements: dict
  sample: []
prometheus_version:
  description: Version of Prometheus for which the entries were rendered; none when it is not known.
  returned: success
  type: str
  sample: 3.5.0
rollout:
  description:
    - What the changes mean for the running Prometheus.
    - V(restart) when the pod template changes, so that the workload replaces its pods; V(reload) when only the
      configuration changes and must be loaded again; V(none) without changes.
  returned: success
  type: str
  sample: restart
rollout_status:
  description: What became of the running Prometheus. When the rollout fails, the failed result has it too.
  returned: success
  type: dict
  contains:
    state:
      description:
        - V(complete) when all pods are new and ready and have the configuration; V(waiting) when somebody has to act,
          or nobody waited; V(skipped) when nobody looked, as in check mode.
        - In a failed result V(failed), or V(unknown) when the rollout could not be followed to its end.
      returned: success
      type: str
      sample: complete
    ready:
      description: How many new pods are ready.
      returned: success
      type: int
      sample: 2
    wanted:
      description: How many pods there shall be.
      returned: success
      type: int
      sample: 2
    done:
      description: One sentence that says what was done or is left to do; in a failed result, the cause.
      returned: success
      type: str
      sample: The pods were replaced and are ready.
    events:
      description: Warnings among the events of the pod, the newest first.
      returned: failure
      type: list
      elements: str
      sample: []
    log:
      description: The lines of the pod's log that matter, without secrets.
      returned: failure
      type: list
      elements: str
      sample: []
    rolled_back:
      description: Whether everything that the run wrote was put back.
      returned: failure
      type: bool
      sample: false
kept:
  description: With O(state=absent), one sentence for each thing that is kept, with the reason; otherwise empty.
  returned: success
  type: list
  elements: str
  sample: []
changes:
  description: What was changed, or would be in check mode, in this order.
  returned: success, and failure after the first write
  type: list
  elements: dict
  contains:
    action:
      description: Always V(update).
      returned: success
      type: str
      sample: update
    kind:
      description: Kind of the object, such as V(ConfigMap), V(Secret) or V(Deployment).
      returned: success
      type: str
      sample: ConfigMap
    name:
      description: Name of the object, with its namespace.
      returned: success
      type: str
      sample: monitoring/prometheus-config
    summary:
      description: One sentence that says what is changed and why.
      returned: success
      type: str
      sample: >-
        In prometheus.yml in ConfigMap monitoring/prometheus-config: add a remote_write entry for
        https://aps-workspaces.eu-central-1.amazonaws.com/workspaces/ws-1234/api/v1/remote_write.
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

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import prometheus_remote_write
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import run_module


def main() -> None:
    """Run the module."""
    run_module(prometheus_remote_write.DEFINITION)


if __name__ == "__main__":
    main()
