# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The federation check run against a sandbox: what its tests share."""

from __future__ import annotations

import json
import time
import typing as t
import uuid

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import AwsAuth, KubeAuth
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import federation_check
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.federation_probes import (
    Budget,
    Clouds,
    FederationCheck,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.federation_wish import Wish
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Result
from sandbox.world import AWS_ACCOUNT
from tests.unit.plugins.module_utils._resources.aws_modules import Clock, Runner, params_of

if t.TYPE_CHECKING:
    from sandbox.server import Sandbox

NAMES = ["discovery", "token", "provider", "trust_policy", "token_exchange", "remote_write", "read_back"]


def statuses(facts: t.Mapping[str, t.Any]) -> list[str]:
    assert [link["link"] for link in facts["links"]] == NAMES[: len(facts["links"])]
    return [link["status"] for link in facts["links"]]


def link(facts: t.Mapping[str, t.Any], name: str) -> dict[str, str]:
    return next(link for link in facts["links"] if link["link"] == name)


class SettlingClock(Clock):
    """Time in which what IAM was told becomes effective everywhere with the third sleep."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__()
        self.sleeps = 0
        self._sandbox = sandbox

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.sleeps += 1
        if self.sleeps == 3:
            settle(self._sandbox)


def settle(sandbox: Sandbox) -> None:
    """Make all of IAM effective: what is seeded has been there for long, with all that was before it."""
    sandbox.aws.seed_provider(f"https://{uuid.uuid4().hex}.example", ["any"], ["ab" * 20])


class Proof:
    """Runs the check on clusters of the sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.runner = Runner(sandbox)
        (workspace,) = self.runner.client("amp").list_workspaces()["workspaces"]
        self.workspace_arn: str = workspace["arn"]
        self.api = f"https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/{workspace['workspaceId']}/api/v1"
        self.iam = self.runner.client("iam")

    def role(self, cluster: str) -> str:
        return f"AKS-Prometheus-AMP-Role-{cluster}"

    def options(self, cluster: str, **changes: t.Any) -> dict[str, t.Any]:
        return {
            "issuer": self.sandbox.cluster(cluster).issuer_url,
            "namespace": "monitoring",
            "service_account": "prometheus-sa",
            "role_arn": f"arn:aws:iam::{AWS_ACCOUNT}:role/{self.role(cluster)}",
            "workspace_arn": self.workspace_arn,
            "remote_write_url": f"{self.api}/remote_write",
            "query_url": f"{self.api}/query",
            "kubeconfig": str(self.sandbox.kubeconfig),
            "context": cluster,
            "wait_timeout": 30,
            **changes,
        }

    def run(self, cluster: str, *, check_mode: bool = False, **changes: t.Any) -> Result:
        return self.runner.run(federation_check.DEFINITION, check_mode=check_mode, **self.options(cluster, **changes))

    def look(self, cluster: str, **changes: t.Any) -> dict[str, t.Any]:
        """The return values of a run that a broken link does not fail."""
        return dict(self.run(cluster, fail_on_broken=False, **changes).facts)

    def fail(self, cluster: str, **changes: t.Any) -> errors.CheckFailed:
        with pytest.raises(errors.CheckFailed) as caught:
            self.run(cluster, **changes)
        return caught.value

    def allow_query(self, cluster: str) -> None:
        self.set_permissions(cluster, ["aps:RemoteWrite", "aps:QueryMetrics"])

    def set_permissions(self, cluster: str, actions: list[str], arn: str = "") -> None:
        statement = {"Effect": "Allow", "Action": actions, "Resource": arn or self.workspace_arn}
        document = {"Version": "2012-10-17", "Statement": [statement]}
        self.iam.put_role_policy(
            RoleName=self.role(cluster), PolicyName="AMP-RemoteWrite", PolicyDocument=json.dumps(document)
        )

    def repair(self, cluster: str) -> None:
        """What the step iam_web_identity would do."""
        host_and_path = self.sandbox.cluster(cluster).issuer_url.removeprefix("https://")
        self.iam.add_client_id_to_open_id_connect_provider(
            OpenIDConnectProviderArn=f"arn:aws:iam::{AWS_ACCOUNT}:oidc-provider/{host_and_path}",
            ClientID="sts.amazonaws.com",
        )
        self.set_trust(cluster, {"aud": "sts.amazonaws.com", "sub": "system:serviceaccount:monitoring:prometheus-sa"})

    def with_clock_ahead(self, cluster: str, *, seconds: float) -> dict[str, t.Any]:
        """The return values on a machine whose clock goes wrong only where samples are stamped."""
        params = params_of(federation_check.DEFINITION, {**self.runner.connection, **self.options(cluster)})
        wish = Wish.from_params(params, check_mode=False)
        clouds = Clouds.of(AwsAuth.from_params(params), KubeAuth.from_params(params), wish.region)
        clock = self.runner.clock
        budget = Budget(clock.monotonic() + wish.wait_timeout, wish.poll_interval, clock.sleep, clock.monotonic)
        check = FederationCheck(wish, clouds, check_mode=False, budget=budget, now=lambda: time.time() + seconds)
        return check.prove().facts(wish)

    def set_trust(self, cluster: str, conditions: dict[str, t.Any]) -> None:
        host_and_path = self.sandbox.cluster(cluster).issuer_url.removeprefix("https://")
        arn = f"arn:aws:iam::{AWS_ACCOUNT}:oidc-provider/{host_and_path}"
        statement = {
            "Effect": "Allow",
            "Principal": {"Federated": arn},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {f"{host_and_path}:{key}": value for key, value in conditions.items()}},
        }
        document = {"Version": "2012-10-17", "Statement": [statement]}
        self.iam.update_assume_role_policy(RoleName=self.role(cluster), PolicyDocument=json.dumps(document))
