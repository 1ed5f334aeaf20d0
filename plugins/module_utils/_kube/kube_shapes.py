# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The form of Kubernetes objects, as far as the collection reads them; pure.

An API server keeps to it. What answers in its place, an aggregated API or a definition without a schema may not.
"""

from __future__ import annotations

import dataclasses
import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import ObjectKind

Json = dict[str, t.Any]


class Misshapen(ValueError):
    """A value is not of the form. The message names its place, and never quotes it."""


class Form(t.Protocol):
    """What a value must be."""

    def of(self, value: t.Any, place: str) -> t.Any:
        """The value, without fields that are null, which Kubernetes takes as absent. Raises Misshapen."""


@dataclasses.dataclass(frozen=True)
class Plain:
    """A value without parts."""

    kinds: tuple[type, ...]

    def of(self, value: t.Any, place: str) -> t.Any:
        if not isinstance(value, self.kinds) or (isinstance(value, bool) and bool not in self.kinds):
            raise Misshapen(f"{place} is no {self.kinds[0].__name__}")
        return value


@dataclasses.dataclass(frozen=True)
class Anything:
    """A value that is only handed on or compared."""

    def of(self, value: t.Any, place: str) -> t.Any:  # noqa: ARG002  # the protocol's
        return value


@dataclasses.dataclass(frozen=True)
class ListOf:
    """A list."""

    item: Form

    def of(self, value: t.Any, place: str) -> t.Any:
        if not isinstance(value, list):
            raise Misshapen(f"{place} is no list")
        return [self.item.of(item, f"{place}[{index}]") for index, item in enumerate(value)]


@dataclasses.dataclass(frozen=True)
class MapOf:
    """An object with any names."""

    item: Form

    def of(self, value: t.Any, place: str) -> t.Any:
        if not isinstance(value, dict):
            raise Misshapen(f"{place} is no object")
        return {name: self.item.of(item, f"{place}.{name}") for name, item in value.items() if item is not None}


class Fields:
    """An object. ``needed`` fields are there; others that are named may be, and of all others nothing is known."""

    def __init__(self, needed: t.Mapping[str, Form] | None = None, /, **may: Form) -> None:
        self._needed = frozenset(needed or ())
        self._forms: dict[str, Form] = {**(needed or {}), **may}

    def of(self, value: t.Any, place: str) -> t.Any:
        if not isinstance(value, dict):
            raise Misshapen(f"{place} is no object")
        for name in sorted(self._needed):
            if value.get(name) is None:
                raise Misshapen(f"{place} has no {name}")
        known = {
            name: self._forms[name].of(item, f"{place}.{name}")
            for name, item in value.items()
            if name in self._forms and item is not None
        }
        return {name: known.get(name, item) for name, item in value.items() if name in known or name not in self._forms}


TEXT: t.Final = Plain((str,))
NUMBER: t.Final = Plain((int,))
FLAG: t.Final = Plain((bool,))
ANY: t.Final = Anything()
TEXTS: t.Final = ListOf(TEXT)
OBJECT: t.Final = MapOf(ANY)
OBJECTS: t.Final = ListOf(OBJECT)
#: A port or a limit, by number or by name.
NUMBER_OR_TEXT: t.Final = Plain((int, str))

_NAMED: t.Final = {"name": TEXT}
_MANAGED: t.Final = Fields(manager=TEXT, operation=TEXT, time=TEXT, subresource=TEXT, fieldsV1=OBJECT)
_OWNER: t.Final = Fields({"kind": TEXT, "name": TEXT}, uid=TEXT, apiVersion=TEXT, controller=FLAG)
_MARKS: t.Final[dict[str, Form]] = {"labels": MapOf(TEXT), "annotations": MapOf(TEXT)}
_METADATA: t.Final = Fields(
    {"name": TEXT, "uid": TEXT, "resourceVersion": TEXT},
    **_MARKS,
    namespace=TEXT,
    generation=NUMBER,
    creationTimestamp=TEXT,
    deletionTimestamp=TEXT,
    ownerReferences=ListOf(_OWNER),
    managedFields=ListOf(_MANAGED),
)

_TOKEN: t.Final = Fields({"path": TEXT}, audience=TEXT, expirationSeconds=NUMBER)
_ITEMS: t.Final = ListOf(Fields({"key": TEXT, "path": TEXT}))
_SOURCE: t.Final = Fields(
    serviceAccountToken=_TOKEN, configMap=Fields(name=TEXT, items=_ITEMS), secret=Fields(name=TEXT, items=_ITEMS)
)
_VOLUME: t.Final = Fields(
    _NAMED,
    projected=Fields(sources=ListOf(_SOURCE), defaultMode=NUMBER),
    configMap=Fields(name=TEXT, items=_ITEMS),
    secret=Fields(secretName=TEXT, items=_ITEMS),
)
_MOUNT: t.Final = Fields({"name": TEXT, "mountPath": TEXT}, subPath=TEXT, subPathExpr=TEXT, readOnly=FLAG)
_REFERENCE: t.Final = Fields(name=TEXT, key=TEXT, optional=FLAG)
_VARIABLE: t.Final = Fields(_NAMED, value=TEXT, valueFrom=MapOf(OBJECT))
_BUNDLE: t.Final = Fields(prefix=TEXT, configMapRef=_REFERENCE, secretRef=_REFERENCE)
_HTTP: t.Final = Fields(path=TEXT, port=NUMBER_OR_TEXT, scheme=TEXT)
_PROBE: t.Final = Fields(httpGet=_HTTP)
#: Of a container that is there; an operator's resource may say less of one that it is to change.
_CONTAINER: t.Final = Fields(
    _NAMED,
    image=TEXT,
    args=TEXTS,
    command=TEXTS,
    env=ListOf(_VARIABLE),
    envFrom=ListOf(_BUNDLE),
    volumeMounts=ListOf(_MOUNT),
    ports=ListOf(Fields(name=TEXT, containerPort=NUMBER)),
    livenessProbe=_PROBE,
    readinessProbe=_PROBE,
    startupProbe=_PROBE,
)
_POD_SPEC: t.Final = Fields(
    {"containers": ListOf(_CONTAINER)},
    initContainers=ListOf(_CONTAINER),
    volumes=ListOf(_VOLUME),
    serviceAccountName=TEXT,
    serviceAccount=TEXT,
    automountServiceAccountToken=FLAG,
    nodeName=TEXT,
)
_TEMPLATE: t.Final = Fields({"spec": _POD_SPEC}, metadata=Fields(**_MARKS))
_EXPRESSION: t.Final = Fields({"key": TEXT, "operator": TEXT}, values=TEXTS)
_SELECTOR: t.Final = Fields(matchLabels=MapOf(TEXT), matchExpressions=ListOf(_EXPRESSION))
_CONDITION: t.Final = Fields(
    type=TEXT, status=TEXT, reason=TEXT, message=TEXT, observedGeneration=NUMBER, lastTransitionTime=TEXT
)
_CONDITIONS: t.Final = ListOf(_CONDITION)
_NUMBERS: t.Final[dict[str, Form]] = dict.fromkeys(
    (
        "observedGeneration",
        "replicas",
        "updatedReplicas",
        "readyReplicas",
        "availableReplicas",
        "unavailableReplicas",
        "currentNumberScheduled",
        "desiredNumberScheduled",
        "numberAvailable",
        "numberReady",
        "numberUnavailable",
        "updatedNumberScheduled",
        "shards",
        "succeeded",
        "failed",
        "active",
    ),
    NUMBER,
)
_STRATEGY: t.Final = Fields(
    type=TEXT,
    rollingUpdate=Fields(maxUnavailable=NUMBER_OR_TEXT, maxSurge=NUMBER_OR_TEXT, partition=NUMBER),
)
_WORKLOAD: t.Final = Fields(
    {
        "metadata": _METADATA,
        "spec": Fields(
            {"template": _TEMPLATE, "selector": _SELECTOR},
            replicas=NUMBER,
            paused=FLAG,
            podManagementPolicy=TEXT,
            progressDeadlineSeconds=NUMBER,
            minReadySeconds=NUMBER,
            strategy=_STRATEGY,
            updateStrategy=_STRATEGY,
        ),
    },
    status=Fields(**_NUMBERS, conditions=_CONDITIONS, currentRevision=TEXT, updateRevision=TEXT),
)
_ENDED: t.Final = Fields(reason=TEXT, message=TEXT, exitCode=NUMBER, startedAt=TEXT, finishedAt=TEXT)
_STATE: t.Final = Fields(waiting=_ENDED, running=_ENDED, terminated=_ENDED)
_STATUSES: t.Final = ListOf(
    Fields(_NAMED, state=_STATE, lastState=_STATE, restartCount=NUMBER, ready=FLAG, started=FLAG, image=TEXT)
)
_POD: t.Final = Fields(
    {"metadata": _METADATA, "spec": _POD_SPEC},
    status=Fields(
        phase=TEXT,
        reason=TEXT,
        message=TEXT,
        conditions=_CONDITIONS,
        containerStatuses=_STATUSES,
        initContainerStatuses=_STATUSES,
        startTime=TEXT,
    ),
)
_RUNNER: t.Final = Fields(
    {"metadata": _METADATA, "spec": Fields({"template": _TEMPLATE})}, status=Fields(**_NUMBERS, conditions=_CONDITIONS)
)
_OPERATOR_SPEC: t.Final = Fields(
    **_NUMBERS,
    image=TEXT,
    version=TEXT,
    tag=TEXT,
    mode=TEXT,
    paused=FLAG,
    serviceAccountName=TEXT,
    remoteWrite=ListOf(Fields(url=TEXT, name=TEXT, sigv4=OBJECT, queueConfig=OBJECT, writeRelabelConfigs=OBJECTS)),
    externalLabels=MapOf(TEXT),
    containers=ListOf(_CONTAINER),
    initContainers=ListOf(_CONTAINER),
    volumes=ListOf(_VOLUME),
    volumeMounts=ListOf(_MOUNT),
    podMetadata=Fields(**_MARKS),
)
_OPERATED: t.Final = Fields(
    {"metadata": _METADATA, "spec": _OPERATOR_SPEC}, status=Fields(**_NUMBERS, conditions=_CONDITIONS)
)
_VERSION: t.Final = Fields(_NAMED, schema=Fields(openAPIV3Schema=OBJECT), served=FLAG, storage=FLAG)
_WEBHOOK: t.Final = Fields(
    name=TEXT,
    clientConfig=Fields(service=Fields({"name": TEXT, "namespace": TEXT})),
    failurePolicy=TEXT,
    objectSelector=_SELECTOR,
)
_EVENT: t.Final = Fields(
    {"metadata": _METADATA},
    type=TEXT,
    reason=TEXT,
    message=TEXT,
    count=NUMBER,
    firstTimestamp=TEXT,
    lastTimestamp=TEXT,
    eventTime=TEXT,
    involvedObject=OBJECT,
    series=OBJECT,
)
_KEPT: t.Final = Fields({"metadata": _METADATA}, data=MapOf(TEXT), binaryData=MapOf(TEXT), immutable=FLAG)

_FORMS: t.Final[t.Mapping[str, Form]] = {
    "Namespace": Fields({"metadata": _METADATA}, status=Fields(phase=TEXT)),
    "ConfigMap": _KEPT,
    "Secret": _KEPT,
    "Deployment": _WORKLOAD,
    "StatefulSet": _WORKLOAD,
    "DaemonSet": _WORKLOAD,
    "ReplicaSet": _RUNNER,
    "Job": _RUNNER,
    "CronJob": Fields(
        {"metadata": _METADATA, "spec": Fields({"jobTemplate": Fields({"spec": Fields({"template": _TEMPLATE})})})},
        status=OBJECT,
    ),
    "Pod": _POD,
    "Prometheus": _OPERATED,
    "PrometheusAgent": _OPERATED,
    "Event": _EVENT,
    "CustomResourceDefinition": Fields({"metadata": _METADATA, "spec": Fields(versions=ListOf(_VERSION))}),
    "MutatingWebhookConfiguration": Fields({"metadata": _METADATA}, webhooks=ListOf(_WEBHOOK)),
}
_OTHERS: t.Final = Fields({"metadata": _METADATA})
_PAGE: t.Final = Fields(metadata=Fields(**{"continue": TEXT}), items=ListOf(ANY))


def shaped(kind: ObjectKind, found: t.Any) -> Json:
    """The object, once it has the form of its kind. Raises Misshapen."""
    body: Json = _FORMS.get(kind.name, _OTHERS).of(found, kind.name)
    if kind.namespaced and "namespace" not in body["metadata"]:
        raise Misshapen(f"{kind.name}.metadata has no namespace")
    return body


def shaped_page(kind: ObjectKind, page: t.Any) -> tuple[list[Json], str]:
    """The objects of a page of a list, and the token of the next page, if any. Raises Misshapen."""
    body = _PAGE.of(page, f"{kind.name}List")
    return [shaped(kind, item) for item in body.get("items", ())], str(body.get("metadata", {}).get("continue", ""))
