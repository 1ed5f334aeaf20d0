# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options that say which C(remote_write) entries are wanted, as in _prometheus.remote_write_options."""

    DOCUMENTATION = r"""
options:
  role_arn:
    description:
      - ARN of the role that the service account's token is trusted for.
      - In check mode, V(<known after apply>) stands for a role that does not exist yet.
    type: str
  region:
    description:
      - AWS region of the workspace.
      - In check mode, V(<known after apply>) is accepted.
    type: str
  remote_write_url:
    description:
      - Remote write URL of the workspace, which M(crosscloud.aks_amp.amp_workspace_info) returns.
      - In check mode, V(<known after apply>) is accepted.
    type: str
  chained_role_arn:
    description:
      - ARN of a different role that Prometheus assumes with the session of O(role_arn), for example in the account of
        the workspace. A role can't be chained to itself.
    type: str
  external_id:
    description:
      - External ID that is sent when O(chained_role_arn) is assumed. It needs Prometheus 3.10.
    type: str
  name:
    description:
      - Name of the entry, by which Prometheus' own metrics tell entries apart.
      - Where several entries for the workspace are there already, this name, O(queue_config) and
        O(write_relabel_configs) are for the one that has it, or that alone says all of it already. When there is none,
        they are an error unless each entry says the same already.
    type: str
  queue_config:
    description:
      - Settings of the entry's queue, as Prometheus names them. They go over the defaults for entries that this module
        adds, which are V(capacity=2500), V(max_shards=200), V(max_samples_per_send=1000) and V(retry_on_http_429=true);
        without the last one Prometheus drops what the service throttles.
      - A null leaves a setting to Prometheus.
      - An entry that was there before gets only what is given here.
    type: dict
  service_name:
    description: Name of the service for which requests are signed, V(aps) without it. It needs Prometheus 3.5.
    type: str
  use_fips_sts_endpoint:
    description:
      - Whether Prometheus uses the FIPS endpoint of STS, for its web identity and for a chained role. It needs
        Prometheus 3.1.
    type: bool
  write_relabel_configs:
    description:
      - Relabeling rules of the entry, as Prometheus names their settings.
      - An entry that was there before gets them only when they are given, and then instead of its own.
    type: list
    elements: dict
  additional_remote_writes:
    description: Further workspaces to which the same web identity writes.
    type: list
    elements: dict
    suboptions:
      region:
        description: AWS region of the workspace.
        type: str
        required: true
      remote_write_url:
        description: Remote write URL of the workspace.
        type: str
        required: true
      chained_role_arn:
        description: As O(chained_role_arn), for this workspace.
        type: str
      external_id:
        description: As O(external_id), for this workspace.
        type: str
      name:
        description: As O(name), for this workspace.
        type: str
      queue_config:
        description: As O(queue_config), for this workspace.
        type: dict
      service_name:
        description: As O(service_name), for this workspace.
        type: str
      use_fips_sts_endpoint:
        description: As O(use_fips_sts_endpoint), for this workspace.
        type: bool
      write_relabel_configs:
        description: As O(write_relabel_configs), for this workspace.
        type: list
        elements: dict
  external_labels:
    description: Labels that Prometheus adds to everything that it sends.
    type: dict
  prometheus_version:
    description:
      - Version of Prometheus, such as V(v3.5.0). A setting that it does not know is an error, because it would refuse
        the whole configuration.
    type: str
"""
