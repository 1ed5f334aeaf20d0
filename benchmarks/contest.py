# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all contenders have in common: the clusters' names, and one run with its cost and the requests it made."""

from __future__ import annotations

import dataclasses
import json
import statistics
import typing as t

from benchmarks.measure import BenchmarkError, Cost
from sandbox import estate, manifests, world

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from benchmarks.arena import Arena, Place
    from benchmarks.measure import Finished


@dataclasses.dataclass(frozen=True)
class Run:
    """One run, or the medians of several."""

    cost: Cost
    requests: int
    writes: int
    sandbox_cpu: float  # seconds that the sandbox worked for it meanwhile, on the same cores


class Contender(t.Protocol):
    """A way to federate a cluster and to check it."""

    @property
    def name(self) -> str:
        """A word for the results."""

    @property
    def title(self) -> str:
        """What the tables say."""

    @property
    def needs_provider(self) -> bool:
        """Whether it can only federate a cluster whose IAM OIDC provider somebody else has made."""

    def prepare(self) -> None:
        """What a person does once a day, such as a login. It is not measured."""

    def federate(self, cluster: str) -> Finished:
        """Bring a cluster on which nothing is done as far as this contender can. Raises BenchmarkError."""

    def check(self, cluster: str) -> Finished:
        """Look whether a converged cluster is still as it should be, as far as this contender can."""


def measured(arena: Arena, action: Callable[[], Finished]) -> Run:
    """Run it once, and count its requests."""
    before = arena.mark()
    finished = action()
    seen = arena.seen(before)
    return Run(finished.cost, seen.total, seen.writes, seen.cpu)


def median(runs: Sequence[Run]) -> Run:
    """Each figure's own median."""
    if not runs:
        raise BenchmarkError("Nothing was run.")

    def of(values: Iterable[float]) -> float:
        return statistics.median(values)

    costs = [run.cost for run in runs]
    return Run(
        Cost(
            cpu=of(cost.cpu for cost in costs),
            wall=of(cost.wall for cost in costs),
            largest=int(of(cost.largest for cost in costs)),
            together=int(of(cost.together for cost in costs)),
            root=int(of(cost.root for cost in costs)),
        ),
        requests=int(of(run.requests for run in runs)),
        writes=int(of(run.writes for run in runs)),
        sandbox_cpu=of(run.sandbox_cpu for run in runs),
    )


@dataclasses.dataclass(frozen=True)
class Wish:
    """What a cluster's federation consists of, as a person writes it down beforehand."""

    cluster: str
    place: Place

    @property
    def role(self) -> str:
        return estate.finished_role(self.cluster)

    @property
    def role_arn(self) -> str:
        return f"arn:aws:iam::{world.AWS_ACCOUNT}:role/{self.role}"

    @property
    def application(self) -> str:
        return estate.application_name(self.cluster)

    @property
    def credential(self) -> str:
        return f"aks-prometheus-federation-{self.cluster}"

    @property
    def subject(self) -> str:
        return f"system:serviceaccount:{manifests.NAMESPACE}:{estate.SERVICE_ACCOUNT}"

    @property
    def workspace_arn(self) -> str:
        return f"arn:aws:aps:{estate.AWS_REGION}:{world.AWS_ACCOUNT}:workspace/{self.place.workspace_id}"

    @property
    def permission(self) -> str:
        """The role's policy as JSON."""
        statement = {"Effect": "Allow", "Action": "aps:RemoteWrite", "Resource": self.workspace_arn}
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    @property
    def remote_write(self) -> str:
        """The lines to put below ``remote_write:`` in prometheus.yml."""
        host = f"aps-workspaces.{estate.AWS_REGION}.amazonaws.com"
        return (
            f"  - url: https://{host}/workspaces/{self.place.workspace_id}/api/v1/remote_write\n"
            f"    sigv4:\n      region: {estate.AWS_REGION}\n"
        )

    @property
    def pod_patch(self) -> t.Mapping[str, t.Any]:
        """A strategic merge patch for the Deployment: service account, projected token and environment."""
        variables = {
            "AWS_ROLE_ARN": self.role_arn,
            "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/secrets/aws/token",
            "AWS_REGION": estate.AWS_REGION,
            "AWS_STS_REGIONAL_ENDPOINTS": "regional",
        }
        token = {"audience": "sts.amazonaws.com", "expirationSeconds": 3600, "path": "token"}
        container = {
            "name": manifests.CONTAINER,
            "env": [{"name": name, "value": value} for name, value in variables.items()],
            "volumeMounts": [{"name": "aws-iam-token", "mountPath": "/var/run/secrets/aws", "readOnly": True}],
        }
        pod = {
            "serviceAccountName": estate.SERVICE_ACCOUNT,
            "containers": [container],
            "volumes": [{"name": "aws-iam-token", "projected": {"sources": [{"serviceAccountToken": token}]}}],
        }
        return {"spec": {"template": {"spec": pod}}}
