# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: federation_plan
short_description: Plan all steps of one cluster's federation in one task
version_added: "1.0.0"
description:
  - Does in check mode what the roles of this collection do, from step 1 to step 6, with the same tasks, variables and
    results, but in one task of one worker. So a cluster of a fleet costs a fraction of what a task for each costs.
  - It takes no options. Like the roles it takes the variables C(aks_amp_*) of its host; tags select steps, as in the
    playbooks. The playbook C(crosscloud.aks_amp.drift) has it.
  - Fails at the first step that fails, and says which task of it.
author:
  - crosscloud.aks_amp contributors (@crosscloud)
extends_documentation_fragment:
  - crosscloud.aks_amp.attributes
attributes:
  check_mode:
    support: full
    details:
      - It only plans. Outside of check mode it refuses to run.
  diff_mode:
    support: full
  idempotent:
    support: full
notes:
  - Where modules can not run in Ansible's worker, such as on another connection than V(local), or where the variable
    C(aks_amp_direct) is false, each module runs in a process of its own.
  - Templates in values of C(aks_amp_*) may use every variable but the defaults of this collection's roles.
seealso:
  - module: crosscloud.aks_amp.drift_report
"""

EXAMPLES = r"""
- name: Plan what the federation of each cluster needs
  hosts: aks
  gather_facts: false
  connection: local
  check_mode: true
  tasks:
    - name: Plan the selected steps
      crosscloud.aks_amp.federation_plan:
      register: aks_amp_drift_plan
"""

RETURN = r"""
selected:
  description: The steps that tags and C(aks_amp_steps) select.
  returned: when no step failed, and when one did
  type: list
  elements: str
  sample: [aks_oidc_issuer, iam_web_identity]
steps:
  description:
    - What each module came to, under the name that the roles register it by; of a step that runs for several service
      accounts or several Prometheus there is a list, too.
    - Of each there is what M(crosscloud.aks_amp.drift_report) makes its report from - C(changed), C(changes), C(diff),
      C(failed), C(links), C(msg) and C(skipped).
  returned: when no step failed, and when one did
  type: dict
  sample:
    aks_oidc_issuer_result:
      changed: false
      changes: []
      diff: []
failure:
  description: The task that failed and its message.
  returned: when a step failed
  type: dict
  sample:
    task: Find the AMP workspace
    message: There is no AMP workspace with the alias metrics in eu-central-1.
"""
