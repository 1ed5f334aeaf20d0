# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: drift_report
short_description: Report what the federation of a fleet of clusters has drifted to
version_added: "1.0.0"
description:
  - Collects what the steps of this collection found in check mode on each cluster, names each difference by its meaning
    and severity, compares it with the report before, and writes it as JSON, Markdown, HTML, JUnit XML and OpenMetrics.
  - A drift says who changed the object last, where its service tells it;
    R(the guide to drift reports, ansible_collections.crosscloud.aks_amp.docsite.drift_reports) says what that is worth.
  - The playbook C(crosscloud.aks_amp.drift) runs the steps and ends with this.
  - Fails when a cluster has drifted or a link of its trust chain is broken, so that C(ansible-playbook) ends with 2.
    When nothing has drifted but something could not be told, the task is unreachable, and C(ansible-playbook) ends
    with 4.
author:
  - crosscloud.aks_amp contributors (@crosscloud)
options:
  dest:
    description:
      - Folder on the controller for the files, which is made when it is missing. Without it nothing is written.
      - The files are C(drift-report.json), C(drift-report.md), C(drift-report.html), C(drift-report.xml) (JUnit) and
        C(drift-report.prom) (OpenMetrics). They are written in check mode too.
    type: str
  formats:
    description: The files to write.
    type: list
    elements: str
    choices: [html, json, junit, markdown, openmetrics]
    default: [json, markdown, html]
  previous:
    description:
      - An earlier report in JSON. Then the report says what is new, what is repaired, and since when each drift is
        there.
      - Without it, the earlier C(drift-report.json) in O(dest) is taken, if there is one.
    type: str
  compare:
    description: Whether to compare with an earlier report at all.
    type: bool
    default: true
  merge:
    description:
      - Reports in JSON of parts of a fleet, such as the slices of an AWX job. They become one report, and nothing is
        collected from hosts.
    type: list
    elements: str
  expect:
    description:
      - With O(merge), the names of the clusters of the fleet. One that no report names, because its part of the job
        was lost, is then in the merged report with the status V(unknown).
    type: list
    elements: str
  judge:
    description:
      - What an earlier task with this module returned. Nothing is collected and nothing is written; only
        O(fail_on_drift) and O(fail_on_unknown) decide how the task ends. So the result can be used by tasks in
        between, such as M(ansible.builtin.set_stats), before the run fails.
      - Mutually exclusive with O(dest), O(previous), O(merge) and O(expect).
    type: dict
  fail_on_drift:
    description: Whether drift and broken links fail the task.
    type: bool
    default: true
  fail_on_unknown:
    description: Whether the task is unreachable when nothing has drifted but something could not be told.
    type: bool
    default: true
extends_documentation_fragment:
  - crosscloud.aks_amp.attributes
attributes:
  check_mode:
    support: full
    details:
      - Its own files are written in check mode as well, because reporting is what a run in check mode is for.
  diff_mode:
    support: none
    details:
      - It changes nothing but its own files, and reports no change.
  idempotent:
    support: full
notes:
  - Runs on the controller, whatever host it is a task of.
  - The file in JSON follows C(docs/schemas/drift-report.schema.json) in this collection.
seealso:
  - module: crosscloud.aks_amp.federation_check
"""

EXAMPLES = r"""
# In a play that follows those of the clusters; the playbook crosscloud.aks_amp.drift has it.
- name: Report the drift of all clusters
  crosscloud.aks_amp.drift_report:
    dest: /var/lib/drift
    formats: [json, html, openmetrics]
  run_once: true

- name: Make the report, and let nothing fail yet
  crosscloud.aks_amp.drift_report:
    dest: /var/lib/drift
    fail_on_drift: false
    fail_on_unknown: false
  register: fleet
  run_once: true

- name: Hand on how the clusters are
  ansible.builtin.set_stats:
    data:
      fleet_drift: "{{ fleet.clusters }}"
  run_once: true

- name: End as the report says
  crosscloud.aks_amp.drift_report:
    judge: "{{ fleet }}"
  run_once: true

- name: One report of the slices of a job
  crosscloud.aks_amp.drift_report:
    merge:
      - /var/lib/drift/slice-1/drift-report.json
      - /var/lib/drift/slice-2/drift-report.json
    dest: /var/lib/drift
    fail_on_drift: false
"""

RETURN = r"""
files:
  description: The files that were written, by format.
  returned: success
  type: dict
  sample:
    json: /var/lib/drift/drift-report.json
summary:
  description: How many clusters have which status, and the numbers of drifts and of those that are repaired.
  returned: always
  type: dict
  sample:
    clusters: 3
    broken: 0
    drifted: 1
    failed: 0
    unknown: 0
    in_sync: 2
    skipped: 0
    drifts: 4
    repaired: 0
clusters:
  description: The status of each cluster, the gravest of its steps'.
  returned: always
  type: dict
  sample:
    payments-prod: drifted
    payments-test: in_sync
"""
