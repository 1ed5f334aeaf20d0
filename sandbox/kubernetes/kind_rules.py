# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an object of each kind must be, at its creation and at a change.

Source: ``pkg/apis/{core,apps,batch,admissionregistration}/validation`` of Kubernetes; the texts are theirs.
"""

from __future__ import annotations

import base64
import re
import typing as t

from sandbox.kubernetes import kinds
from sandbox.kubernetes.errors import Cause, forbidden_field, invalid, required, too_long, unsupported
from sandbox.kubernetes.kinds import Resource
from sandbox.kubernetes.metadata_rules import (
    check_annotations,
    check_labels,
    check_metadata,
    check_metadata_update,
)
from sandbox.kubernetes.pod_rules import check_pod_spec, check_pod_update, pod_warnings
from sandbox.kubernetes.selectors import matches_selector
from sandbox.kubernetes.volume_rules import check_label
from sandbox.world import Json

_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_KEY_TEXT = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',"
    "  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
_PERCENT = re.compile(r"[0-9]+%")
_PERCENT_TEXT = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for"
    " validation is '[0-9]+%')"
)
_MAX_DATA = 1024 * 1024
_IMMUTABLE = "field is immutable"
_IMMUTABLE_SET = "field is immutable when `immutable` is set"
_STATEFUL_FIELDS = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)
_TEMPLATE = "spec.template"


def check_object(resource: Resource, obj: Json) -> list[Cause]:
    """The causes for which an object (decoded, with its defaults) is refused."""
    causes = check_metadata(resource, obj["metadata"])
    check = _CHECKS.get(resource)
    return causes + check(obj) if check is not None else causes


def check_update(resource: Resource, new: Json, old: Json) -> list[Cause]:
    """The causes for which a change is refused, those of :func:`check_object` among them."""
    causes = check_metadata_update(new["metadata"], old["metadata"])
    check = _UPDATE_CHECKS.get(resource)
    if check is not None:
        causes += check(new, old)
    return causes + check_object(resource, new)


def object_warnings(resource: Resource, obj: Json) -> list[str]:
    if resource == kinds.PODS:
        return pod_warnings(obj["spec"], "spec")
    template = obj.get("spec", {}).get("template")
    return pod_warnings(template["spec"], f"{_TEMPLATE}.spec") if template else []


# --- configuration ----------------------------------------------------------------------------------------------------


def _config_map(obj: Json) -> list[Cause]:
    data, binary = obj.get("data", {}), obj.get("binaryData", {})
    causes = _check_keys(data, "data") + _check_keys(binary, "binaryData")
    causes += [invalid(f"data[{key}]", key, "duplicate of key present in binaryData") for key in data if key in binary]
    size = sum(len(text.encode()) for text in data.values()) + sum(len(base64.b64decode(b)) for b in binary.values())
    return [*causes, too_long("", _MAX_DATA)] if size > _MAX_DATA else causes


def _secret(obj: Json) -> list[Cause]:
    data = obj.get("data", {})
    causes = _check_keys(data, "data")
    if sum(len(base64.b64decode(value)) for value in data.values()) > _MAX_DATA:
        causes.append(too_long("data", _MAX_DATA))
    return causes


def _check_keys(data: Json, field: str) -> list[Cause]:
    causes = []
    for key in data:
        place = f"{field}[{key}]"
        if len(key) > 253:
            causes.append(invalid(place, key, "must be no more than 253 bytes"))
        if not _KEY.fullmatch(key):
            causes.append(invalid(place, key, _KEY_TEXT))
        elif key in (".", "..") or key.startswith(".."):
            causes.append(invalid(place, key, f"must not be '{key}'" if len(key) < 3 else "must not start with '..'"))
    return causes


def _frozen_data(new: Json, old: Json) -> list[Cause]:
    if not old.get("immutable"):
        return []
    causes = [] if new.get("immutable") else [forbidden_field("immutable", _IMMUTABLE_SET)]
    changed = [name for name in ("data", "binaryData") if new.get(name) != old.get(name)]
    return causes + [forbidden_field(name, _IMMUTABLE_SET) for name in changed]


def _secret_update(new: Json, old: Json) -> list[Cause]:
    causes = [] if new["type"] == old["type"] else [invalid("type", new["type"], _IMMUTABLE)]
    return causes + _frozen_data(new, old)


# --- core -------------------------------------------------------------------------------------------------------------


def _pod(obj: Json) -> list[Cause]:
    return check_pod_spec(obj["spec"], "spec")


def _pod_update(new: Json, old: Json) -> list[Cause]:
    return check_pod_update(new["spec"], old["spec"])


def _service(obj: Json) -> list[Cause]:
    spec = obj["spec"]
    types = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
    causes = [] if spec["type"] in types else [unsupported("spec.type", spec["type"], types)]
    ports = spec.get("ports", [])
    if not ports and spec["type"] != "ExternalName" and spec.get("clusterIP") != "None":
        causes.append(required("spec.ports"))
    for i, port in enumerate(ports):
        number = port.get("port", 0)
        if not 1 <= number <= 65535:
            causes.append(invalid(f"spec.ports[{i}].port", number, "must be between 1 and 65535, inclusive"))
        if len(ports) > 1 and not port.get("name"):
            causes.append(required(f"spec.ports[{i}].name"))
    return causes


def _service_update(new: Json, old: Json) -> list[Cause]:
    address = new["spec"].get("clusterIP")
    same = address == old["spec"].get("clusterIP")
    return [] if same else [invalid("spec.clusterIP", address or "", "may not change once set")]


def _event(obj: Json) -> list[Cause]:
    about = obj.get("involvedObject", {}).get("namespace", "")
    namespace = obj["metadata"]["namespace"]
    if about == namespace or (not about and namespace == "default"):
        return []
    return [invalid("involvedObject.namespace", about, "does not match event.namespace")]


# --- workloads --------------------------------------------------------------------------------------------------------


def _deployment(obj: Json) -> list[Cause]:
    spec = obj["spec"]
    causes = _check_counts(spec, ("replicas", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"))
    causes += _check_selector(spec, "deployment") + _check_template(spec)
    causes += _check_strategy(spec["strategy"])
    if spec["progressDeadlineSeconds"] <= spec.get("minReadySeconds", 0):
        value = spec["progressDeadlineSeconds"]
        causes.append(invalid("spec.progressDeadlineSeconds", value, "must be greater than minReadySeconds"))
    return causes


def _check_strategy(strategy: Json) -> list[Cause]:
    field, kind = "spec.strategy", strategy["type"]
    if kind not in ("Recreate", "RollingUpdate"):
        return [unsupported(f"{field}.type", kind, ("Recreate", "RollingUpdate"))]
    rolling = strategy.get("rollingUpdate")
    if kind == "Recreate":
        detail = "may not be specified when strategy `type` is 'Recreate'"
        return [] if rolling is None else [forbidden_field(f"{field}.rollingUpdate", detail)]
    return _check_rolling(strategy["rollingUpdate"], f"{field}.rollingUpdate")


def _check_rolling(rolling: Json, field: str) -> list[Cause]:
    causes = [
        cause
        for name in ("maxUnavailable", "maxSurge")
        for cause in _check_int_or_percent(rolling[name], f"{field}.{name}")
    ]
    if all(str(rolling[name]) in ("0", "0%") for name in ("maxUnavailable", "maxSurge")):
        causes.append(
            invalid(f"{field}.maxUnavailable", rolling["maxUnavailable"], "may not be 0 when `maxSurge` is 0")
        )
    return causes


def _check_int_or_percent(value: int | str, field: str) -> list[Cause]:
    if isinstance(value, str):
        return [] if _PERCENT.fullmatch(value) else [invalid(field, value, _PERCENT_TEXT)]
    return [] if value >= 0 else [invalid(field, value, "must be greater than or equal to 0")]


def _stateful_set(obj: Json) -> list[Cause]:
    spec = obj["spec"]
    causes = _check_counts(spec, ("replicas", "minReadySeconds", "revisionHistoryLimit"))
    claims = [claim.get("metadata", {}).get("name", "") for claim in spec.get("volumeClaimTemplates", [])]
    causes += _check_selector(spec, "statefulset") + _check_template(spec, claims)
    kind = spec["updateStrategy"]["type"]
    if kind not in ("OnDelete", "RollingUpdate"):
        causes.append(invalid("spec.updateStrategy", spec["updateStrategy"], "must be 'RollingUpdate' or 'OnDelete'"))
    for i, name in enumerate(claims):
        causes += check_label(name, f"spec.volumeClaimTemplates[{i}].metadata.name")
    return causes


def _daemon_set(obj: Json) -> list[Cause]:
    spec = obj["spec"]
    causes = _check_counts(spec, ("minReadySeconds", "revisionHistoryLimit"))
    causes += _check_selector(spec, "daemonset") + _check_template(spec)
    kind = spec["updateStrategy"]["type"]
    if kind not in ("OnDelete", "RollingUpdate"):
        causes.append(unsupported("spec.updateStrategy.type", kind, ("OnDelete", "RollingUpdate")))
    return causes


def _replica_set(obj: Json) -> list[Cause]:
    spec = obj["spec"]
    causes = _check_counts(spec, ("replicas", "minReadySeconds"))
    return causes + _check_selector(spec, "deployment") + _check_template(spec)


def _job(obj: Json) -> list[Cause]:
    spec = obj["spec"]
    causes = _check_counts(spec, ("parallelism", "completions", "backoffLimit"))
    causes += check_pod_spec(spec["template"]["spec"], f"{_TEMPLATE}.spec")
    policy = spec["template"]["spec"]["restartPolicy"]
    if policy == "Always":
        causes.append(required(f"{_TEMPLATE}.spec.restartPolicy", 'valid values: "OnFailure", "Never"'))
    return causes


def _check_counts(spec: Json, names: tuple[str, ...]) -> list[Cause]:
    return [
        invalid(f"spec.{name}", spec[name], "must be greater than or equal to 0")
        for name in names
        if spec.get(name, 0) < 0
    ]


def _check_selector(spec: Json, kind: str) -> list[Cause]:
    selector = spec.get("selector")
    if selector is None:
        return [required("spec.selector")]
    if not selector:
        return [invalid("spec.selector", selector, f"empty selector is invalid for {kind}")]
    causes = check_labels(selector.get("matchLabels", {}), "spec.selector.matchLabels")
    for i, expression in enumerate(selector.get("matchExpressions", [])):
        causes += _check_expression(expression, f"spec.selector.matchExpressions[{i}]")
    return causes


def _check_expression(expression: Json, field: str) -> list[Cause]:
    operator, values = expression.get("operator", ""), expression.get("values", [])
    if operator in ("In", "NotIn"):
        return [] if values else [required(f"{field}.values", "must be specified when `operator` is 'In' or 'NotIn'")]
    if operator in ("Exists", "DoesNotExist"):
        detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
        return [forbidden_field(f"{field}.values", detail)] if values else []
    return [invalid(f"{field}.operator", operator, "not a valid selector operator")]


def _check_template(spec: Json, claims: t.Iterable[str] = ()) -> list[Cause]:
    template = spec["template"]
    metadata = template.get("metadata", {})
    labels = metadata.get("labels", {})
    causes = []
    selector = spec.get("selector")
    if selector and not matches_selector(selector, labels):
        detail = "`selector` does not match template `labels`"
        causes.append(invalid(f"{_TEMPLATE}.metadata.labels", labels, detail))
    causes += check_labels(labels, f"{_TEMPLATE}.labels")
    causes += check_annotations(metadata.get("annotations", {}), f"{_TEMPLATE}.annotations")
    causes += check_pod_spec(template["spec"], f"{_TEMPLATE}.spec", claims)
    policy = template["spec"]["restartPolicy"]
    if policy != "Always":
        causes.append(unsupported(f"{_TEMPLATE}.spec.restartPolicy", policy, ("Always",)))
    return causes


def _same_selector(new: Json, old: Json) -> list[Cause]:
    selector = new["spec"].get("selector")
    if selector is None or selector == old["spec"].get("selector"):
        return []
    return [invalid("spec.selector", selector, _IMMUTABLE)]


def _stateful_set_update(new: Json, old: Json) -> list[Cause]:
    names = (new["spec"].keys() | old["spec"].keys()) - set(_STATEFUL_FIELDS)
    if all(new["spec"].get(name) == old["spec"].get(name) for name in names):
        return []
    quoted = [f"'{name}'" for name in _STATEFUL_FIELDS]
    allowed = f"{', '.join(quoted[:-1])} and {quoted[-1]}"
    detail = f"updates to statefulset spec for fields other than {allowed} are forbidden"
    return [forbidden_field("spec", detail)]


def _job_update(new: Json, old: Json) -> list[Cause]:
    return [
        invalid(f"spec.{name}", new["spec"].get(name), _IMMUTABLE)
        for name in ("completions", "selector", "template", "completionMode")
        if new["spec"].get(name) != old["spec"].get(name)
    ]


# --- admission --------------------------------------------------------------------------------------------------------


def _webhooks(obj: Json) -> list[Cause]:
    causes = []
    for i, webhook in enumerate(obj.get("webhooks", [])):
        causes += _check_webhook(webhook, f"webhooks[{i}]")
    return causes


def _check_webhook(webhook: Json, field: str) -> list[Cause]:
    name = webhook.get("name", "")
    causes = []
    if not name:
        causes.append(required(f"{field}.name"))
    elif name.count(".") < 2:
        detail = "should be a domain with at least three segments separated by dots"
        causes.append(invalid(f"{field}.name", name, detail))
    effects = webhook.get("sideEffects")
    if effects is None:
        detail = "must specify one of None, NoneOnDryRun"
        causes.append(required(f"{field}.sideEffects", detail))
    elif effects not in ("None", "NoneOnDryRun"):
        causes.append(unsupported(f"{field}.sideEffects", effects, ("None", "NoneOnDryRun")))
    if not webhook.get("admissionReviewVersions"):
        causes.append(required(f"{field}.admissionReviewVersions", "must specify one of v1, v1beta1"))
    if ("url" in webhook.get("clientConfig", {})) == ("service" in webhook.get("clientConfig", {})):
        causes.append(required(f"{field}.clientConfig", "exactly one of url or service is required"))
    if webhook["failurePolicy"] not in ("Fail", "Ignore"):
        causes.append(unsupported(f"{field}.failurePolicy", webhook["failurePolicy"], ("Fail", "Ignore")))
    if not 1 <= webhook["timeoutSeconds"] <= 30:
        detail = "the timeout value must be between 1 and 30 seconds"
        causes.append(invalid(f"{field}.timeoutSeconds", webhook["timeoutSeconds"], detail))
    return causes


_CHECKS: dict[Resource, t.Callable[[Json], list[Cause]]] = {
    kinds.CONFIG_MAPS: _config_map,
    kinds.SECRETS: _secret,
    kinds.PODS: _pod,
    kinds.SERVICES: _service,
    kinds.EVENTS: _event,
    kinds.DEPLOYMENTS: _deployment,
    kinds.STATEFUL_SETS: _stateful_set,
    kinds.DAEMON_SETS: _daemon_set,
    kinds.REPLICA_SETS: _replica_set,
    kinds.JOBS: _job,
    kinds.WEBHOOKS: _webhooks,
}
_UPDATE_CHECKS: dict[Resource, t.Callable[[Json, Json], list[Cause]]] = {
    kinds.CONFIG_MAPS: _frozen_data,
    kinds.SECRETS: _secret_update,
    kinds.PODS: _pod_update,
    kinds.SERVICES: _service_update,
    kinds.DEPLOYMENTS: _same_selector,
    kinds.STATEFUL_SETS: _stateful_set_update,
    kinds.DAEMON_SETS: _same_selector,
    kinds.REPLICA_SETS: _same_selector,
    kinds.JOBS: _job_update,
}
