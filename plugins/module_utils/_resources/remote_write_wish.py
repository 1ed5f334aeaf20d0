# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of ``prometheus_remote_write``: its options, parsed once."""

from __future__ import annotations

import dataclasses

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import (
    RemoteWrite,
    ServiceAccount,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import (
    OPERATOR_KINDS,
    SERVICE_ACCOUNT,
    WORKLOAD_KINDS,
    ObjectReference,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.pod_template import PodWish
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import (
    KUBERNETES,
    STATE,
    ArgumentSpec,
    Params,
    State,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.remote_write_options import (
    REMOTE_WRITE_OPTIONS,
    RemoteWrites,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.prometheus_source import TextSource
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_subject import (
    DEFAULT_ROLLOUT,
    ROLLOUT_OPTIONS,
    RolloutWish,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._token_options import TOKEN_OPTIONS, TokenWish

ARGUMENT_SPEC = ArgumentSpec(
    {
        "namespace": {"type": "str", "required": True},
        "configmap": {"type": "str"},
        "config_secret": {"type": "str", "no_log": False},
        "key": {"type": "str", "default": "prometheus.yml", "no_log": False},
        "workload_kind": {
            "type": "str",
            "default": "Deployment",
            "choices": sorted({**WORKLOAD_KINDS, **OPERATOR_KINDS}),
        },
        "workload_name": {"type": "str", "required": True},
        "container": {"type": "str"},
        "service_account": {"type": "str"},
        "promtool": {"type": "path"},
        "pod_label": {"type": "bool", "default": False},
    },
    mutually_exclusive=(("configmap", "config_secret"),),
    required_if=(
        ("state", State.PRESENT.value, ("service_account", "role_arn", "region", "remote_write_url")),
        *(("workload_kind", kind, ("configmap", "config_secret"), True) for kind in sorted(WORKLOAD_KINDS)),
    ),
).merge(REMOTE_WRITE_OPTIONS, TOKEN_OPTIONS, ROLLOUT_OPTIONS, STATE, KUBERNETES)


@dataclasses.dataclass(frozen=True)
class Wish:
    """What configuration and pods shall be. ``token_file`` is where the Azure webhook mounts its token, if given."""

    source: TextSource
    workload: ObjectReference
    remote_writes: RemoteWrites
    pod: PodWish
    promtool: str | None
    token_file: str | None = None
    rollout: RolloutWish = DEFAULT_ROLLOUT

    @classmethod
    def from_params(cls, params: Params, *, check_mode: bool) -> Wish:
        """Raises InvalidInput and FederationError for what can't be, a chained role equal to the role among it."""
        account = ServiceAccount.parse(params.text("namespace"), params.text("service_account"))
        remote_writes = RemoteWrites.from_params(params, check_mode=check_mode)
        main = remote_writes.main
        token_wish = TokenWish.from_params(params)
        token = token_wish.token(main.role_arn, main.region, account.namespace)
        return cls(
            source=TextSource.from_params(params),
            workload=WORKLOAD_KINDS[params.text("workload_kind")].at(params.text("workload_name"), account.namespace),
            remote_writes=remote_writes,
            pod=PodWish(account.name, token, params.optional_text("container"), params.flag("pod_label")),
            promtool=params.optional_text("promtool"),
            token_file=token_wish.file,
            rollout=RolloutWish.from_params(params),
        )

    @property
    def entry(self) -> RemoteWrite:
        """The entry of the workspace that ``remote_write_url`` names."""
        return self.remote_writes.main

    @property
    def account(self) -> ObjectReference:
        """The service account that the pods shall run as."""
        return SERVICE_ACCOUNT.at(self.pod.service_account, self.workload.namespace)
