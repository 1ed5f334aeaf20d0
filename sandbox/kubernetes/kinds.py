# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resources that the server knows, as its discovery documents describe them."""

from __future__ import annotations

import dataclasses
import enum

READ_WRITE = ("create", "delete", "get", "list", "patch", "update")
CREATE_ONLY = ("create",)


class NameRule(enum.Enum):
    """What a resource's names must be (RFC 1123)."""

    LABEL = "label"
    SUBDOMAIN = "subdomain"


@dataclasses.dataclass(frozen=True)
class Resource:
    """One kind of object and the strategy of its storage.

    ``model`` is the class of ``kubernetes.client.models`` that describes its fields. ``generation`` is true where the
    server counts changes of the specification. ``unconditional_update`` is false where a PUT must carry a
    resourceVersion. ``returns_deleted`` is true where DELETE answers with the object instead of a Status. ``custom`` is
    true where a CustomResourceDefinition says which fields there are; without it the kind is not served.
    """

    group: str
    version: str
    plural: str
    singular: str
    kind: str
    model: str
    namespaced: bool = True
    verbs: tuple[str, ...] = READ_WRITE
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    name_rule: NameRule = NameRule.SUBDOMAIN
    generation: bool = False
    unconditional_update: bool = True
    returns_deleted: bool = False
    custom: bool = False

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """``deployments.apps``; the core group has no suffix."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


@dataclasses.dataclass(frozen=True)
class Subresource:
    """A subresource that the server serves, with the kind that it speaks."""

    parent: Resource
    name: str
    kind: str
    kind_group: str
    kind_version: str
    verbs: tuple[str, ...]


ALL = ("all",)

NAMESPACES = Resource(
    "",
    "v1",
    "namespaces",
    "namespace",
    "Namespace",
    "V1Namespace",
    namespaced=False,
    short_names=("ns",),
    name_rule=NameRule.LABEL,
    returns_deleted=True,
)
SERVICE_ACCOUNTS = Resource(
    "",
    "v1",
    "serviceaccounts",
    "serviceaccount",
    "ServiceAccount",
    "V1ServiceAccount",
    short_names=("sa",),
    returns_deleted=True,
)
CONFIG_MAPS = Resource("", "v1", "configmaps", "configmap", "ConfigMap", "V1ConfigMap", short_names=("cm",))
SECRETS = Resource("", "v1", "secrets", "secret", "Secret", "V1Secret")
PODS = Resource(
    "",
    "v1",
    "pods",
    "pod",
    "Pod",
    "V1Pod",
    short_names=("po",),
    categories=ALL,
    returns_deleted=True,
    generation=True,
)
SERVICES = Resource(
    "", "v1", "services", "service", "Service", "V1Service", short_names=("svc",), categories=ALL, returns_deleted=True
)
EVENTS = Resource("", "v1", "events", "event", "Event", "CoreV1Event", short_names=("ev",))
DEPLOYMENTS = Resource(
    "apps",
    "v1",
    "deployments",
    "deployment",
    "Deployment",
    "V1Deployment",
    short_names=("deploy",),
    categories=ALL,
    generation=True,
)
STATEFUL_SETS = Resource(
    "apps",
    "v1",
    "statefulsets",
    "statefulset",
    "StatefulSet",
    "V1StatefulSet",
    short_names=("sts",),
    categories=ALL,
    generation=True,
)
DAEMON_SETS = Resource(
    "apps",
    "v1",
    "daemonsets",
    "daemonset",
    "DaemonSet",
    "V1DaemonSet",
    short_names=("ds",),
    categories=ALL,
    generation=True,
)
REPLICA_SETS = Resource(
    "apps",
    "v1",
    "replicasets",
    "replicaset",
    "ReplicaSet",
    "V1ReplicaSet",
    short_names=("rs",),
    categories=ALL,
    generation=True,
)
JOBS = Resource("batch", "v1", "jobs", "job", "Job", "V1Job", categories=ALL, generation=True)
WEBHOOKS = Resource(
    "admissionregistration.k8s.io",
    "v1",
    "mutatingwebhookconfigurations",
    "mutatingwebhookconfiguration",
    "MutatingWebhookConfiguration",
    "V1MutatingWebhookConfiguration",
    namespaced=False,
    categories=("api-extensions",),
    generation=True,
    unconditional_update=False,
)
CUSTOM_RESOURCE_DEFINITIONS = Resource(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "customresourcedefinition",
    "CustomResourceDefinition",
    "V1CustomResourceDefinition",
    namespaced=False,
    short_names=("crd", "crds"),
    categories=("api-extensions",),
    generation=True,
    unconditional_update=False,
)
# The kinds of prometheus-operator: https://prometheus-operator.dev/docs/api-reference/api/
PROMETHEUSES = Resource(
    "monitoring.coreos.com",
    "v1",
    "prometheuses",
    "prometheus",
    "Prometheus",
    "CustomObject",
    short_names=("prom",),
    categories=("prometheus-operator",),
    generation=True,
    unconditional_update=False,
    custom=True,
)
PROMETHEUS_AGENTS = Resource(
    "monitoring.coreos.com",
    "v1alpha1",
    "prometheusagents",
    "prometheusagent",
    "PrometheusAgent",
    "CustomObject",
    short_names=("promagent",),
    categories=("prometheus-operator",),
    generation=True,
    unconditional_update=False,
    custom=True,
)

# Reviews are answered, never stored.
ACCESS_REVIEWS = Resource(
    "authorization.k8s.io",
    "v1",
    "selfsubjectaccessreviews",
    "selfsubjectaccessreview",
    "SelfSubjectAccessReview",
    "V1SelfSubjectAccessReview",
    namespaced=False,
    verbs=CREATE_ONLY,
)
TOKEN_REVIEWS = Resource(
    "authentication.k8s.io",
    "v1",
    "tokenreviews",
    "tokenreview",
    "TokenReview",
    "V1TokenReview",
    namespaced=False,
    verbs=CREATE_ONLY,
)
SELF_REVIEWS = Resource(
    "authentication.k8s.io",
    "v1",
    "selfsubjectreviews",
    "selfsubjectreview",
    "SelfSubjectReview",
    "V1SelfSubjectReview",
    namespaced=False,
    verbs=CREATE_ONLY,
)

# The kind that a service account's subresource ``token`` speaks; it is no resource of its own.
TOKEN_REQUESTS = Resource(
    "authentication.k8s.io",
    "v1",
    "serviceaccounts/token",
    "tokenrequest",
    "TokenRequest",
    "AuthenticationV1TokenRequest",
    verbs=CREATE_ONLY,
)

STORED = (
    NAMESPACES,
    SERVICE_ACCOUNTS,
    CONFIG_MAPS,
    SECRETS,
    PODS,
    SERVICES,
    EVENTS,
    DEPLOYMENTS,
    STATEFUL_SETS,
    DAEMON_SETS,
    REPLICA_SETS,
    JOBS,
    WEBHOOKS,
    CUSTOM_RESOURCE_DEFINITIONS,
    PROMETHEUSES,
    PROMETHEUS_AGENTS,
)
CUSTOM = tuple(resource for resource in STORED if resource.custom)
REVIEWS = (ACCESS_REVIEWS, TOKEN_REVIEWS, SELF_REVIEWS)
RESOURCES = STORED + REVIEWS

TOKEN_SUBRESOURCE = Subresource(SERVICE_ACCOUNTS, "token", "TokenRequest", "authentication.k8s.io", "v1", CREATE_ONLY)
LOG_SUBRESOURCE = Subresource(PODS, "log", "Pod", "", "v1", ("get",))
PROXY_SUBRESOURCE = Subresource(PODS, "proxy", "PodProxyOptions", "", "v1", ("create", "get"))
SUBRESOURCES = (TOKEN_SUBRESOURCE, LOG_SUBRESOURCE, PROXY_SUBRESOURCE)


def find_resource(group: str, version: str, plural: str) -> Resource | None:
    wanted = (group, version, plural)
    return next((r for r in RESOURCES if (r.group, r.version, r.plural) == wanted), None)


def find_kind(kind: str, api_version: str | None = None) -> Resource | None:
    """The stored resource of a kind such as ``Deployment``; kinds are unique among those served."""
    return next((r for r in STORED if r.kind == kind and api_version in (None, r.api_version)), None)


def find_subresource(resource: Resource, name: str) -> Subresource | None:
    return next((s for s in SUBRESOURCES if s.parent == resource and s.name == name), None)
