# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""prometheus-operator's CustomResourceDefinitions of ``Prometheus`` and ``PrometheusAgent``, by release.

They have the fields that matter for what Prometheus sends where and for its pods; containers and volumes are described
as completely as in the originals. A field that a release does not know yet is not in its definition.
Source: https://prometheus-operator.dev/docs/api-reference/api/ and the operator's changelog.
"""

from __future__ import annotations

import functools
import typing as t

from sandbox.kubernetes import kinds
from sandbox.kubernetes.kinds import Resource
from sandbox.kubernetes.schema import FieldType, Free, ListOf, MapOf, Scalar, Struct, fields_of
from sandbox.world import Json

Release = tuple[int, int]

#: The release of the operator that a definition is of unless told otherwise.
CURRENT: t.Final[Release] = (0, 91)
#: The first release with a field; the agent came with the second.
SIGV4: t.Final[Release] = (0, 52)
RETRY_ON_RATE_LIMIT: t.Final[Release] = (0, 53)
AGENT: t.Final[Release] = (0, 64)
FIPS: t.Final[Release] = (0, 86)
EXTERNAL_ID: t.Final[Release] = (0, 91)

_TEXT: t.Final[Json] = {"type": "string"}
_NUMBER: t.Final[Json] = {"type": "integer", "format": "int32"}
_FLAG: t.Final[Json] = {"type": "boolean"}
_OPEN: t.Final[Json] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_DURATION: t.Final[Json] = {
    "type": "string",
    "pattern": ("^(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?)$"),
}
_LABELS: t.Final[Json] = {"type": "object", "additionalProperties": _TEXT}
#: What the API's types require; the client's models do not say it.
_REQUIRED: t.Final[dict[str, list[str]]] = {
    "V1Container": ["name"],
    "V1Volume": ["name"],
    "V1VolumeMount": ["mountPath", "name"],
    "V1EnvVar": ["name"],
    "V1ServiceAccountTokenProjection": ["path"],
}
#: Lists of these are maps by ``name`` or ``mountPath`` in the API's own types.
_LIST_KEYS: t.Final = {("V1Container", "env"): ["name"], ("V1Container", "volumeMounts"): ["mountPath"]}


def definitions(release: Release = CURRENT) -> list[Json]:
    """The definitions that a release of the operator brings."""
    agent = [definition(kinds.PROMETHEUS_AGENTS, release)] if release >= AGENT else []
    return [definition(kinds.PROMETHEUSES, release), *agent]


def definition(resource: Resource, release: Release = CURRENT) -> Json:
    """The CustomResourceDefinition of one kind, as a manifest."""
    schema = {
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": _TEXT,
            "kind": _TEXT,
            "metadata": {"type": "object"},
            "spec": _object(_spec(resource, release)),
            "status": _OPEN,
        },
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": resource.qualified,
            "annotations": {"operator.prometheus.io/version": f"{release[0]}.{release[1]}.0"},
        },
        "spec": {
            "group": resource.group,
            "names": {
                "kind": resource.kind,
                "listKind": f"{resource.kind}List",
                "plural": resource.plural,
                "singular": resource.singular,
                "shortNames": list(resource.short_names),
                "categories": list(resource.categories),
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": resource.version,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": {"status": {}},
                }
            ],
        },
    }


def _object(properties: Json, *required: str) -> Json:
    return {"type": "object", "properties": properties, **({"required": list(required)} if required else {})}


def _list(items: Json) -> Json:
    return {"type": "array", "items": items}


def _spec(resource: Resource, release: Release) -> Json:
    common: Json = {
        "additionalArgs": _list(_object({"name": {**_TEXT, "minLength": 1}, "value": _TEXT}, "name")),
        "configMaps": _list(_TEXT),
        "containers": _list(_schema_of("V1Container")),
        "enableFeatures": _list(_TEXT),
        "externalLabels": _LABELS,
        "externalUrl": _TEXT,
        "image": _TEXT,
        "initContainers": _list(_schema_of("V1Container")),
        "listenLocal": _FLAG,
        "logLevel": {**_TEXT, "enum": ["", "debug", "info", "warn", "error"]},
        "minReadySeconds": _NUMBER,
        "paused": _FLAG,
        "podMetadata": _object({"annotations": _LABELS, "labels": _LABELS, "name": _TEXT}),
        "podMonitorSelector": _OPEN,
        "portName": {**_TEXT, "default": "web"},
        "prometheusExternalLabelName": _TEXT,
        "remoteWrite": _list(_object(_remote_write(release), "url")),
        "replicaExternalLabelName": _TEXT,
        "replicas": _NUMBER,
        "resources": _OPEN,
        "routePrefix": _TEXT,
        "scrapeInterval": {**_DURATION, "default": "30s"},
        "secrets": _list(_TEXT),
        "securityContext": _schema_of("V1PodSecurityContext"),
        "serviceAccountName": _TEXT,
        "serviceMonitorSelector": _OPEN,
        "shards": _NUMBER,
        "storage": _OPEN,
        "version": _TEXT,
        "volumeMounts": _list(_schema_of("V1VolumeMount")),
        "volumes": _list(_schema_of("V1Volume")),
    }
    if resource == kinds.PROMETHEUS_AGENTS:
        return {**common, "mode": {**_TEXT, "enum": ["StatefulSet", "DaemonSet"]}}
    return {
        **common,
        "baseImage": _TEXT,
        "evaluationInterval": {**_DURATION, "default": "30s"},
        "remoteRead": _list(_OPEN),
        "retention": _DURATION,
        "ruleSelector": _OPEN,
        "sha": _TEXT,
        "tag": _TEXT,
        "thanos": _OPEN,
    }


def _remote_write(release: Release) -> Json:
    secret = _object({"key": _TEXT, "name": {**_TEXT, "default": ""}, "optional": _FLAG}, "key")
    fields: Json = {
        "authorization": _object({"credentials": secret, "credentialsFile": _TEXT, "type": _TEXT}),
        "azureAd": _object(
            {
                "cloud": {**_TEXT, "enum": ["AzureChina", "AzureGovernment", "AzurePublic"]},
                "managedIdentity": _object({"clientId": _TEXT}),
                "oauth": _OPEN,
                "sdk": _OPEN,
            }
        ),
        "basicAuth": _object({"password": secret, "username": secret}),
        "bearerToken": _TEXT,
        "bearerTokenFile": _TEXT,
        "enableHTTP2": _FLAG,
        "followRedirects": _FLAG,
        "headers": _LABELS,
        "metadataConfig": _object({"send": _FLAG, "sendInterval": _DURATION}),
        "name": _TEXT,
        "oauth2": _object({"clientId": _OPEN, "clientSecret": secret, "tokenUrl": {**_TEXT, "minLength": 1}}),
        "proxyUrl": {**_TEXT, "pattern": "^(http|https|socks5)://.+$"},
        "queueConfig": _object(_queue(release)),
        "remoteTimeout": _DURATION,
        "sendExemplars": _FLAG,
        "sendNativeHistograms": _FLAG,
        "tlsConfig": _OPEN,
        "url": {**_TEXT, "minLength": 1},
        "writeRelabelConfigs": _list(_object(_relabeling())),
    }
    if release >= SIGV4:
        fields["sigv4"] = _object(_sigv4(release, secret))
    return fields


def _sigv4(release: Release, secret: Json) -> Json:
    fields: Json = {"accessKey": secret, "profile": _TEXT, "region": _TEXT, "roleArn": _TEXT, "secretKey": secret}
    if release >= FIPS:
        fields["useFIPSSTSEndpoint"] = _FLAG
    if release >= EXTERNAL_ID:
        fields["externalID"] = _TEXT
    return fields


def _queue(release: Release) -> Json:
    number = {"type": "integer"}
    fields: Json = {
        "batchSendDeadline": _DURATION,
        "capacity": number,
        "maxBackoff": _DURATION,
        "maxRetries": number,
        "maxSamplesPerSend": number,
        "maxShards": number,
        "minBackoff": _DURATION,
        "minShards": number,
        "sampleAgeLimit": _DURATION,
    }
    if release >= RETRY_ON_RATE_LIMIT:
        fields["retryOnRateLimit"] = _FLAG
    return fields


def _relabeling() -> Json:
    actions = (
        "replace",
        "keep",
        "drop",
        "hashmod",
        "labelmap",
        "labeldrop",
        "labelkeep",
        "lowercase",
        "uppercase",
        "keepequal",
        "dropequal",
    )
    spelled = [*actions, *(action.capitalize() for action in actions)]
    return {
        "action": {**_TEXT, "default": "replace", "enum": spelled},
        "modulus": {"type": "integer", "format": "int64"},
        "regex": _TEXT,
        "replacement": _TEXT,
        "separator": _TEXT,
        "sourceLabels": _list({**_TEXT, "pattern": "^[a-zA-Z_][a-zA-Z0-9_]*$"}),
        "targetLabel": _TEXT,
    }


@functools.cache
def _schema_of(model: str) -> Json:
    """The schema of one of the API's own types."""
    properties = {name: _schema(field, model, name) for name, field in fields_of(model).items()}
    return _object(properties, *_REQUIRED.get(model, ()))


def _schema(field: FieldType, model: str, name: str) -> Json:
    match field:
        case Struct(inner):
            return _schema_of(inner)
        case ListOf(item):
            keys = _LIST_KEYS.get((model, name))
            marks = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": keys} if keys else {}
            return {**_list(_schema(item, model, name)), **marks}
        case MapOf(value):
            return {"type": "object", "additionalProperties": _schema(value, model, name)}
        case Scalar(scalar):
            return dict(_SCALARS[scalar])
        case Free():
            return _OPEN


_SCALARS: dict[str, Json] = {
    "str": _TEXT,
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": _FLAG,
    "bytes": {"type": "string", "format": "byte"},
    "datetime": {"type": "string", "format": "date-time"},
    "quantity": {"x-kubernetes-int-or-string": True},
    "int-or-string": {"x-kubernetes-int-or-string": True},
}
