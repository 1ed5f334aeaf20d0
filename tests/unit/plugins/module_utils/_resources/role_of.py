# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module iam_web_identity_role for one cluster of the sandbox, and what it left behind there."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import iam_role as resource

if t.TYPE_CHECKING:
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Result
    from tests.unit.plugins.module_utils._resources.aws_modules import Runner

POLICY = "AMP-RemoteWrite"
SERVICE_ACCOUNTS = [{"namespace": "monitoring", "name": "prometheus-sa"}]
SUBJECT = "system:serviceaccount:monitoring:prometheus-sa"


class RoleOf:
    """The module for the role of one cluster of the sandbox."""

    def __init__(self, runner: Runner, cluster: str) -> None:
        self.runner = runner
        self.issuer = runner.sandbox.cluster(cluster).issuer_url
        self.name = f"AKS-Prometheus-AMP-Role-{cluster}"
        self.iam = runner.client("iam")
        workspace = runner.client("amp").list_workspaces()["workspaces"][0]
        self.workspace_arn = str(workspace["arn"])

    def run(self, *, check_mode: bool = False, **options: t.Any) -> Result:
        values = {
            "name": self.name,
            "issuer": self.issuer,
            "service_accounts": SERVICE_ACCOUNTS,
            "workspace_arns": [self.workspace_arn],
            **options,
        }
        return self.runner.run(resource.DEFINITION, check_mode=check_mode, **values)

    def remove(self, *, check_mode: bool = False, **options: t.Any) -> Result:
        values = {"name": self.name, "issuer": self.issuer, "state": "absent", **options}
        return self.runner.run(resource.DEFINITION, check_mode=check_mode, **values)

    def stored(self) -> dict[str, t.Any]:
        return t.cast("dict[str, t.Any]", self.iam.get_role(RoleName=self.name)["Role"])

    def statements(self) -> list[dict[str, t.Any]]:
        return t.cast("list[dict[str, t.Any]]", self.stored()["AssumeRolePolicyDocument"]["Statement"])

    def set_statements(self, *statements: dict[str, t.Any]) -> None:
        document = {"Version": "2012-10-17", "Statement": list(statements)}
        self.iam.update_assume_role_policy(RoleName=self.name, PolicyDocument=json.dumps(document))

    def exists(self) -> bool:
        return any(role["RoleName"] == self.name for role in self.iam.list_roles()["Roles"])

    def permission(self, name: str = POLICY) -> dict[str, t.Any]:
        answer = self.iam.get_role_policy(RoleName=self.name, PolicyName=name)
        return t.cast("dict[str, t.Any]", answer["PolicyDocument"])

    def inline(self) -> list[str]:
        return t.cast("list[str]", self.iam.list_role_policies(RoleName=self.name)["PolicyNames"])

    def attached(self) -> list[str]:
        found = self.iam.list_attached_role_policies(RoleName=self.name)["AttachedPolicies"]
        return [entry["PolicyArn"] for entry in found]

    def create_provider(self, issuer: str) -> str:
        """A provider of another issuer; returns its ARN."""
        answer = self.iam.create_open_id_connect_provider(
            Url=issuer, ClientIDList=["sts.amazonaws.com"], ThumbprintList=["a" * 40]
        )
        return str(answer["OpenIDConnectProviderArn"])

    def contract(self, **options: t.Any) -> Result:
        """Check, apply, check again, apply again; returns the applied result."""
        start = self.runner.last_request
        checked = self.run(check_mode=True, **options)
        assert self.runner.writes_since(start) == []
        applied = self.run(**options)
        assert applied.facts == checked.facts
        assert [change.report() for change in applied.changes] == [change.report() for change in checked.changes]
        assert [change.diff() for change in applied.changes] == [change.diff() for change in checked.changes]
        start = self.runner.last_request
        for check_mode in (True, False):
            again = self.run(check_mode=check_mode, **options)
            assert again.changes == ()
            assert again.facts == applied.facts
        assert self.runner.writes_since(start) == []
        return applied
