# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IAM's own answer to what a role may do: its policies, its boundary and the organization's policies together."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.answers import malformed
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.aws import aws_errors

if t.TYPE_CHECKING:
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.aws import AwsSession


@dataclasses.dataclass(frozen=True)
class Simulation:
    """``decision`` is ``allowed``, ``explicitDeny`` or ``implicitDeny``; ``by_organization`` is None without one."""

    decision: str
    by_organization: bool | None = None

    @property
    def allowed(self) -> bool:
        return self.decision == "allowed"


class IamSimulation:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html"""

    def __init__(self, session: AwsSession) -> None:
        self._iam = session.client("iam")

    def ask(self, role_arn: str, action: str, resource: str) -> Simulation:
        """Whether a role may do this. A read, though it looks like an action. Raises CloudError, Forbidden."""
        with aws_errors("iam", f"simulating {action} for {role_arn}"):
            answer = self._iam.simulate_principal_policy(
                PolicySourceArn=role_arn, ActionNames=[action], ResourceArns=[resource]
            )
        if not answer["EvaluationResults"]:
            raise malformed("AWS IAM", f"simulating {action} for {role_arn}")
        result = answer["EvaluationResults"][0]
        return Simulation(
            decision=str(result["EvalDecision"]),
            by_organization=_flag(result, "OrganizationsDecisionDetail", "AllowedByOrganizations"),
        )


def _flag(result: t.Mapping[str, t.Any], detail: str, name: str) -> bool | None:
    found = (result.get(detail) or {}).get(name)
    return None if found is None else bool(found)
