# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The diagnosis run against a sandbox, and the steps that its fixes name."""

from __future__ import annotations

import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import (
    aks_oidc_issuer,
    entra_federated_credential,
    federated_service_account,
    federation_check,
    iam_oidc_provider,
    iam_role,
    prometheus_remote_write,
)
from sandbox.estate import application_name
from sandbox.world import AZURE_SUBSCRIPTION, AZURE_TENANT, CONTROLLER_CLIENT_ID, CONTROLLER_CLIENT_SECRET
from tests.unit.plugins.azure_estate import RESOURCE_GROUP
from tests.unit.plugins.module_utils._resources.federation_proof import Proof, settle

if t.TYPE_CHECKING:
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import ModuleDefinition

Json = dict[str, t.Any]


class Doctor(Proof):
    """Examines clusters of the sandbox, knowing names only, and runs the steps as the playbook does."""

    @property
    def azure(self) -> Json:
        return {
            "subscription_id": AZURE_SUBSCRIPTION,
            "tenant": AZURE_TENANT,
            "client_id": CONTROLLER_CLIENT_ID,
            "secret": CONTROLLER_CLIENT_SECRET,
            "https_proxy": self.sandbox.proxy_url,
            "ca_bundle": str(self.sandbox.ca_file),
        }

    def examination(self, cluster: str, **changes: t.Any) -> Json:
        """The options of a diagnosis by names, with everything that it can look at but the Job."""
        options = self.options(cluster)
        for found_out in ("issuer", "role_arn", "workspace_arn", "remote_write_url", "query_url"):
            del options[found_out]
        return {
            **options,
            "scope": "diagnosis",
            "role_name": self.role(cluster),
            "workspace_id": self.workspace_arn.rpartition("/")[2],
            "azure": {**self.azure, "resource_group": RESOURCE_GROUP, "name": cluster},
            "entra": {"display_name": application_name(cluster)},
            "prometheus": [{"workload_name": "prometheus", "configmap": "prometheus-config"}],
            "wait_timeout": 10,
            "fail_on_broken": False,
            **changes,
        }

    def examine(self, cluster: str, *, check_mode: bool = False, **changes: t.Any) -> Json:
        """The facts of a diagnosis. Of IAM everything is effective first: nothing of it is seconds old."""
        settle(self.sandbox)
        options = {name: value for name, value in self.examination(cluster, **changes).items() if value is not None}
        result = self.runner.run(federation_check.DEFINITION, check_mode=check_mode, **options)
        return dict(result.facts)

    def kinds(self, cluster: str, **changes: t.Any) -> list[str]:
        """The kinds of all findings."""
        return [finding["kind"] for finding in self.examine(cluster, **changes)["findings"]]

    # The steps ----------------------------------------------------------------------------------------------------

    def step_aks_oidc_issuer(self, cluster: str) -> None:
        place = {"resource_group": RESOURCE_GROUP, "name": cluster, "poll_interval": 0.05}
        self._step(aks_oidc_issuer.DEFINITION, {**self.azure, **place, "oidc_issuer": True, "workload_identity": True})

    def step_iam_web_identity(self, cluster: str, **provider: t.Any) -> None:
        issuer = self.sandbox.cluster(cluster).issuer_url
        unmanaged = {"thumbprints": ["unmanaged"]}
        aws = self.runner.connection
        self._step(iam_oidc_provider.DEFINITION, {**aws, **unmanaged, "issuer": issuer, **provider})
        role = {
            "name": self.role(cluster),
            "issuer": issuer,
            "service_accounts": [{"namespace": "monitoring", "name": "prometheus-sa"}],
            "workspace_arns": [self.workspace_arn],
        }
        self._step(iam_role.DEFINITION, {**aws, **role})

    def step_entra_federation(self, cluster: str) -> None:
        trust = {
            "display_name": application_name(cluster),
            "name": f"aks-prometheus-federation-{cluster}",
            "issuer": self.sandbox.cluster(cluster).issuer_url,
            "namespace": "monitoring",
            "service_account": "prometheus-sa",
        }
        self._step(entra_federated_credential.DEFINITION, {**self.azure, **trust})

    def step_service_account(self, cluster: str, client_id: str) -> None:
        account = {"namespace": "monitoring", "name": "prometheus-sa", "client_id": client_id}
        self._step(federated_service_account.DEFINITION, {**self._kubernetes(cluster), **account})

    def step_prometheus_remote_write(self, cluster: str, **changes: t.Any) -> None:
        wish = {
            "namespace": "monitoring",
            "service_account": "prometheus-sa",
            "workload_name": "prometheus",
            "configmap": "prometheus-config",
            "role_arn": self.options(cluster)["role_arn"],
            "region": "eu-west-1",
            "remote_write_url": f"{self.api}/remote_write",
            "rollout": "none",
        }
        self._step(prometheus_remote_write.DEFINITION, {**self._kubernetes(cluster), **wish, **changes})

    def _kubernetes(self, cluster: str) -> Json:
        return {"kubeconfig": str(self.sandbox.kubeconfig), "context": cluster}

    def _step(self, definition: ModuleDefinition, options: Json) -> None:
        self.runner.run_alone(definition, **{name: value for name, value in options.items() if value is not None})
