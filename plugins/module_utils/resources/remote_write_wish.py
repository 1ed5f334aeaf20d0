# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of ``prometheus_remote_write``: its options, parsed once."""

from __future__ import annotations

import dataclasses
import re

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.federation import (
    AWS_AUDIENCE,
    ProjectedToken,
    RemoteWrite,
    RoleArn,
    ServiceAccount,
    is_known,
    parse_audience,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.inputs import require_known
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.kube_objects import (
    SERVICE_ACCOUNT,
    WORKLOAD_KINDS,
    ObjectReference,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.options import (
    KUBERNETES,
    STATE,
    ArgumentSpec,
    Params,
    State,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.pod_template import PodWish
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.resources.prometheus_source import TextSource

#: What the API server accepts for a projected token (ServiceAccountTokenProjection, and AKS' own upper bound).
MIN_TOKEN_SECONDS = 600
MAX_TOKEN_SECONDS = 86400

_REGION_OF_HOST = re.compile(r"https://(?:[\w-]+\.)?aps-workspaces(?:-fips)?\.([a-z0-9-]+)\.")

ARGUMENT_SPEC = ArgumentSpec(
    {
        "namespace": {"type": "str", "required": True},
        "configmap": {"type": "str"},
        "secret": {"type": "str", "no_log": False},
        "key": {"type": "str", "default": "prometheus.yml", "no_log": False},
        "workload_kind": {"type": "str", "default": "Deployment", "choices": sorted(WORKLOAD_KINDS)},
        "workload_name": {"type": "str", "required": True},
        "container": {"type": "str"},
        "service_account": {"type": "str"},
        "role_arn": {"type": "str"},
        "region": {"type": "str"},
        "remote_write_url": {"type": "str"},
        "chained_role_arn": {"type": "str"},
        "audience": {"type": "str", "default": AWS_AUDIENCE},
        "token_expiration_seconds": {"type": "int", "default": 3600, "no_log": False},
        "pod_label": {"type": "bool", "default": False},
    },
    mutually_exclusive=(("configmap", "secret"),),
    required_if=(
        ("state", State.PRESENT.value, ("service_account", "role_arn", "region", "remote_write_url")),
        *(("workload_kind", kind, ("configmap", "secret"), True) for kind in sorted(WORKLOAD_KINDS)),
    ),
).merge(STATE, KUBERNETES)


@dataclasses.dataclass(frozen=True)
class Wish:
    """What configuration and pods shall be."""

    source: TextSource
    workload: ObjectReference
    entry: RemoteWrite
    pod: PodWish

    @classmethod
    def from_params(cls, params: Params, *, check_mode: bool) -> Wish:
        """Raises InvalidInput and FederationError for what can't be, a chained role equal to the role among it."""
        account = ServiceAccount.parse(params.text("namespace"), params.text("service_account"))
        role_arn = _known(params, "role_arn", check_mode=check_mode)
        region = _known(params, "region", check_mode=check_mode)
        url = _known(params, "remote_write_url", check_mode=check_mode)
        chained = params.optional_text("chained_role_arn")
        for arn in (role_arn, chained):
            if arn is not None and is_known(arn):
                RoleArn.parse(arn)
        _check_url(url, region)
        audience = parse_audience(params.text("audience"))
        token = ProjectedToken(role_arn, region, audience, _token_seconds(params))
        return cls(
            source=TextSource.from_params(params),
            workload=WORKLOAD_KINDS[params.text("workload_kind")].at(params.text("workload_name"), account.namespace),
            entry=RemoteWrite(url, region, role_arn, chained),
            pod=PodWish(account.name, token, params.optional_text("container"), params.flag("pod_label")),
        )

    @property
    def account(self) -> ObjectReference:
        """The service account that the pods shall run as."""
        return SERVICE_ACCOUNT.at(self.pod.service_account, self.workload.namespace)


def _known(params: Params, option: str, *, check_mode: bool) -> str:
    return require_known(params.text(option), option=option, step="iam_web_identity", check_mode=check_mode)


def _check_url(url: str, region: str) -> None:
    if not is_known(url):
        return
    if not url.startswith("https://") or "@" in url.partition("/api/")[0]:
        raise errors.InvalidInput(
            "remote_write_url is not an https URL without credentials in it.",
            fix="Take it from the result of amp_workspace_info.",
        )
    named = _REGION_OF_HOST.match(url)
    if named and is_known(region) and named[1] != region:
        raise errors.InvalidInput(
            f"The region is {region}, but remote_write_url is that of a workspace in {named[1]}.",
            fix="Requests are signed for the workspace's region: take both from the result of amp_workspace_info.",
        )


def _token_seconds(params: Params) -> int:
    seconds = params.integer("token_expiration_seconds")
    if not MIN_TOKEN_SECONDS <= seconds <= MAX_TOKEN_SECONDS:
        raise errors.InvalidInput(
            f"token_expiration_seconds is {seconds}.",
            fix=f"Kubernetes on AKS takes {MIN_TOKEN_SECONDS} to {MAX_TOKEN_SECONDS}.",
        )
    return seconds
