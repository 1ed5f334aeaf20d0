# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a check looks at beside the chain itself: the cluster in Azure, the Entra identity, each Prometheus, a pod."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible.module_utils.basic import env_fallback

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.aks_ids import ClusterRef, parse_resource_id
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.entra import IdentityRef
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import ENTRA_AUDIENCE
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import (
    CONFIG_MAP,
    OPERATOR_KINDS,
    SECRET,
    WORKLOAD_KINDS,
    ObjectReference,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import (
    AZURE,
    TRANSPORT,
    ArgumentSpec,
    AzureAuth,
    Params,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.remote_write_options import given_version
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus_versions import PrometheusVersion
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.entra_application import (
    APPLICATION_OPTIONS,
    ApplicationChoice,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.entra_credentials import check_audience
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.prometheus_source import TextSource

_CLUSTER_OPTIONS: t.Final = ("subscription_id", "resource_group", "name", "resource_id")
_HOLDER_OPTIONS: t.Final = (*APPLICATION_OPTIONS, "managed_identity_id")

DIAGNOSIS_OPTIONS: t.Final = ArgumentSpec(
    {
        "azure": {
            "type": "dict",
            "options": {
                "subscription_id": {"type": "str", "fallback": (env_fallback, ["AZURE_SUBSCRIPTION_ID"])},
                **{name: {"type": "str"} for name in _CLUSTER_OPTIONS[1:]},
                **AZURE.options,
                **TRANSPORT.options,
            },
        },
        "entra": {
            "type": "dict",
            "options": {
                **{name: {"type": "str"} for name in _HOLDER_OPTIONS},
                "audience": {"type": "str", "default": ENTRA_AUDIENCE},
            },
            "mutually_exclusive": [_HOLDER_OPTIONS],
            "required_one_of": [_HOLDER_OPTIONS],
        },
        "prometheus": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "workload_kind": {
                    "type": "str",
                    "default": "Deployment",
                    "choices": sorted({**WORKLOAD_KINDS, **OPERATOR_KINDS}),
                },
                "workload_name": {"type": "str", "required": True},
                "container": {"type": "str"},
                "configmap": {"type": "str"},
                "config_secret": {"type": "str", "no_log": False},
                "key": {"type": "str", "default": "prometheus.yml", "no_log": False},
                "prometheus_version": {"type": "str"},
                "chained_role_arn": {"type": "str"},
            },
        },
        "inside": {
            "type": "dict",
            "options": {
                "image": {"type": "str", "required": True},
                "https_proxy": {"type": "str"},
                "wait_timeout": {"type": "float", "default": 3.0},
            },
        },
    }
)


@dataclasses.dataclass(frozen=True)
class AzureLook:
    """How Azure is reached, and the cluster if it is named."""

    auth: AzureAuth
    cluster: ClusterRef | None


@dataclasses.dataclass(frozen=True)
class EntraLook:
    """The identity whose federated credential trusts the service account. Its login is that of :class:`AzureLook`."""

    holder: ApplicationChoice | IdentityRef
    audience: str


@dataclasses.dataclass(frozen=True)
class PrometheusLook:
    """A Prometheus that runs as the service account. ``source`` is None for a resource of the operator."""

    workload: ObjectReference
    source: TextSource | None
    container: str | None
    version: PrometheusVersion | None
    chained_role_arn: str | None

    @property
    def is_operators(self) -> bool:
        return self.workload.kind.name in OPERATOR_KINDS


@dataclasses.dataclass(frozen=True)
class InsideLook:
    """The pod in which the exchange is tried: an image with a shell and curl. ``wait_timeout`` is in minutes,
    ``https_proxy`` the URL of the proxy through which pods reach AWS, if it is one."""

    image: str
    wait_timeout: float
    https_proxy: str | None = None


@dataclasses.dataclass(frozen=True)
class DiagnosisWish:
    """What is looked at; None and empty for what is not."""

    azure: AzureLook | None = None
    entra: EntraLook | None = None
    prometheus: tuple[PrometheusLook, ...] = ()
    inside: InsideLook | None = None

    @classmethod
    def from_params(cls, params: Params, namespace: str) -> DiagnosisWish:
        """Raises InvalidInput for what can't be."""
        azure, entra, inside = (params.optional_item(name) for name in ("azure", "entra", "inside"))
        if entra is not None and azure is None:
            raise errors.InvalidInput(
                "'entra' is given, but not how Azure is reached.",
                fix="Give 'azure' too, at least as an empty dictionary.",
            )
        return cls(
            azure=None if azure is None else AzureLook(AzureAuth.from_params(azure), _cluster(azure)),
            entra=None if entra is None else EntraLook(_holder(entra), check_audience(entra.text("audience"))),
            prometheus=tuple(_prometheus(item, namespace) for item in params.items("prometheus")),
            inside=None if inside is None else _inside(inside),
        )


def _cluster(params: Params) -> ClusterRef | None:
    """The cluster, None where only the subscription or nothing of it is named."""
    resource_id = params.optional_text("resource_id")
    if resource_id is not None:
        return parse_resource_id(resource_id, "azure.resource_id")
    subscription, group, name = (params.optional_text(option) for option in _CLUSTER_OPTIONS[:3])
    if group is None and name is None:
        return None
    if subscription is None or group is None or name is None:
        raise errors.InvalidInput(
            "azure: a cluster is named by subscription_id (AZURE_SUBSCRIPTION_ID), resource_group and name together, "
            "and one of them is not given.",
            fix="Give all three, or resource_id.",
        )
    return ClusterRef(subscription, group, name)


def _holder(params: Params) -> ApplicationChoice | IdentityRef:
    resource_id = params.optional_text("managed_identity_id")
    return ApplicationChoice.from_params(params) if resource_id is None else IdentityRef.parse(resource_id)


def _prometheus(params: Params, namespace: str) -> PrometheusLook:
    kind, name = params.text("workload_kind"), params.text("workload_name")
    configmap, secret = params.optional_text("configmap"), params.optional_text("config_secret")
    look = PrometheusLook(
        workload={**WORKLOAD_KINDS, **OPERATOR_KINDS}[kind].at(name, namespace),
        source=None,
        container=params.optional_text("container"),
        version=given_version(params),
        chained_role_arn=params.optional_text("chained_role_arn"),
    )
    if look.is_operators:
        return look
    if (configmap is None) == (secret is None):
        raise errors.InvalidInput(
            f"prometheus: {look.workload} takes its configuration from one object, and "
            f"{'none' if configmap is None else 'two'} of configmap and config_secret is given.",
            fix="Give the one that holds it.",
        )
    reference = CONFIG_MAP.at(configmap, namespace) if configmap is not None else SECRET.at(secret or "", namespace)
    return dataclasses.replace(look, source=TextSource(reference, params.text("key")))


def _inside(params: Params) -> InsideLook:
    look = InsideLook(params.text("image"), params.number("wait_timeout"), params.optional_text("https_proxy"))
    if look.wait_timeout <= 0:
        raise errors.InvalidInput("inside: wait_timeout must be greater than zero.")
    return look
