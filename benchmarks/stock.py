# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stock Ansible content: amazon.aws, azure.azcollection and kubernetes.core of the package ``ansible``.

The playbooks lie in ``benchmarks/stock_playbooks``. What they leave out for want of a module favours them; the page
docs/benchmarks.md names it.
"""

from __future__ import annotations

import dataclasses
import json
import typing as t
from pathlib import Path

from benchmarks import measure
from benchmarks.contest import Wish
from demo.runs import clean_environment
from sandbox import estate, manifests, world

if t.TYPE_CHECKING:
    from benchmarks.arena import Place
    from benchmarks.measure import Finished

_SECONDS = 600.0
_PLAYBOOKS = Path(__file__).parent / "stock_playbooks"


@dataclasses.dataclass(frozen=True)
class Stock:
    """The playbooks, run by the package's own ansible-core."""

    python: Path
    place: Place
    home: Path
    name: str = "stock"
    title: str = "stock Ansible content, as far as it goes"
    needs_provider: bool = True

    def prepare(self) -> None:
        """Nothing: credentials come by the environment."""

    def federate(self, cluster: str) -> Finished:
        return self._play("federate.yml", cluster).require(f"Stock content for {cluster}")

    def check(self, cluster: str) -> Finished:
        return self._play("check.yml", cluster, "--check").require(f"Stock content's look at {cluster}")

    def _play(self, playbook: str, cluster: str, *more: str) -> Finished:
        ansible = (str(self.python), str(self.python.with_name("ansible-playbook")))
        variables = json.dumps(self._variables(cluster))
        return measure.run(
            [*ansible, "-i", "localhost,", str(_PLAYBOOKS / playbook), "-e", variables, *more],
            environment=self._environment(),
            folder=self.home,
            seconds=_SECONDS,
        )

    def _variables(self, cluster: str) -> dict[str, t.Any]:
        wish = Wish(cluster, self.place)
        return {
            "ansible_python_interpreter": str(self.python),
            "kubeconfig": str(self.place.kubeconfig),
            "cluster": cluster,
            "resource_group": estate.RESOURCE_GROUP,
            "account": world.AWS_ACCOUNT,
            "role": wish.role,
            "permission": json.loads(wish.permission),
            "subject": wish.subject,
            "application": wish.application,
            "kube_namespace": manifests.NAMESPACE,
            "config_map": manifests.CONFIG_MAP,
            "config_key": manifests.CONFIG_KEY,
            "remote_write": wish.remote_write,
            "service_account": manifests.service_account(
                estate.SERVICE_ACCOUNT, labels={"azure.workload.identity/use": "true"}
            ),
            "workload": {
                "apiVersion": "apps/v1",
                "kind": manifests.WORKLOAD_KIND,
                "metadata": {"name": manifests.WORKLOAD, "namespace": manifests.NAMESPACE},
                **wish.pod_patch,
            },
        }

    def _environment(self) -> dict[str, str]:
        ca_file = str(self.place.ca_file)
        return {
            **clean_environment(),
            "HOME": str(self.home),
            "HTTPS_PROXY": self.place.proxy_url,
            "NO_PROXY": "127.0.0.1,localhost",
            "REQUESTS_CA_BUNDLE": ca_file,
            "SSL_CERT_FILE": ca_file,
            "AWS_CA_BUNDLE": ca_file,
            "AWS_ACCESS_KEY_ID": world.CONTROLLER_AWS_ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": world.CONTROLLER_AWS_SECRET_KEY,
            "AWS_DEFAULT_REGION": estate.AWS_REGION,
            "AWS_REGION": estate.AWS_REGION,
            "AZURE_CLIENT_ID": world.CONTROLLER_CLIENT_ID,
            "AZURE_SECRET": world.CONTROLLER_CLIENT_SECRET,
            "AZURE_TENANT": world.AZURE_TENANT,
            "AZURE_SUBSCRIPTION_ID": world.AZURE_SUBSCRIPTION,
        }
