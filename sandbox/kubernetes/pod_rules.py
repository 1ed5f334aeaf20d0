# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pod's specification must be, and what the server warns of.

Source: ``pkg/apis/core/validation`` and ``pkg/api/pod/warnings.go`` of Kubernetes; the texts are theirs.
"""

from __future__ import annotations

import re
import typing as t

from sandbox.kubernetes.errors import Cause, duplicate, forbidden_field, invalid, required, unknown_value, unsupported
from sandbox.kubernetes.metadata_rules import check_labels, subdomain_problems
from sandbox.kubernetes.quantity import quantity_value
from sandbox.kubernetes.volume_rules import check_descending_path, check_label, check_volumes
from sandbox.world import Json

_ENV_NAME = re.compile(r"[ -<>-~]+")
_ENV_NAME_TEXT = "a valid environment variable name must consist only of printable ASCII characters other than '='"
_PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*")
_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_MUTABLE = ("activeDeadlineSeconds", "terminationGracePeriodSeconds", "tolerations", "schedulingGates")
_FIXED_TEXT = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def check_pod_spec(spec: Json, field: str, claims: t.Iterable[str] = ()) -> list[Cause]:
    """The causes for which a specification is refused. ``claims`` are volumes that a StatefulSet adds to it."""
    volumes = spec.get("volumes", [])
    known = {volume.get("name") for volume in volumes} | set(claims)
    causes = check_volumes(volumes, f"{field}.volumes")
    if not spec.get("containers"):
        causes.append(required(f"{field}.containers"))
    names: set[str] = set()
    for group in ("initContainers", "containers"):
        for i, container in enumerate(spec.get(group, [])):
            causes += _check_container(container, f"{field}.{group}[{i}]", known, names)
    return causes + _check_scalars(spec, field)


def _check_scalars(spec: Json, field: str) -> list[Cause]:
    causes = _check_choice(spec["restartPolicy"], f"{field}.restartPolicy", ("Always", "OnFailure", "Never"))
    policies = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
    causes += _check_choice(spec["dnsPolicy"], f"{field}.dnsPolicy", policies)
    account = spec.get("serviceAccountName", "")
    if account:
        causes += [invalid(f"{field}.serviceAccountName", account, p) for p in subdomain_problems(account)]
    grace = spec["terminationGracePeriodSeconds"]
    if grace < 0:
        causes.append(invalid(f"{field}.terminationGracePeriodSeconds", grace, "must be greater than or equal to 0"))
    return causes + check_labels(spec.get("nodeSelector", {}), f"{field}.nodeSelector")


def _check_choice(value: str, field: str, supported: tuple[str, ...]) -> list[Cause]:
    return [] if value in supported else [unsupported(field, value, supported)]


def _check_container(container: Json, field: str, volumes: set[t.Any], names: set[str]) -> list[Cause]:
    name = container.get("name", "")
    causes = check_label(name, f"{field}.name")
    if name in names:
        causes.append(duplicate(f"{field}.name", name))
    names.add(name)
    image = container.get("image", "")
    if not image:
        causes.append(required(f"{field}.image"))
    elif image != image.strip():
        causes.append(invalid(f"{field}.image", image, "must not have leading or trailing whitespace"))
    policies = ("Always", "IfNotPresent", "Never")
    causes += _check_choice(container["imagePullPolicy"], f"{field}.imagePullPolicy", policies)
    messages = ("FallbackToLogsOnError", "File")
    causes += _check_choice(container["terminationMessagePolicy"], f"{field}.terminationMessagePolicy", messages)
    causes += _check_env(container.get("env", []), f"{field}.env")
    causes += _check_mounts(container.get("volumeMounts", []), f"{field}.volumeMounts", volumes)
    causes += _check_ports(container.get("ports", []), f"{field}.ports")
    causes += _check_resources(container["resources"], f"{field}.resources")
    return causes + _check_probes(container, field)


def _check_env(variables: list[Json], field: str) -> list[Cause]:
    causes = []
    for i, variable in enumerate(variables):
        place = f"{field}[{i}]"
        name = variable.get("name", "")
        if not name:
            causes.append(required(f"{place}.name"))
        elif not _ENV_NAME.fullmatch(name):
            causes.append(invalid(f"{place}.name", name, _ENV_NAME_TEXT))
        if "valueFrom" in variable:
            causes += _check_value_from(variable, f"{place}.valueFrom")
    return causes


def _check_value_from(variable: Json, field: str) -> list[Cause]:
    source = variable["valueFrom"]
    if not source:
        named = ", ".join(f"`{name}`" for name in _SOURCES[:-1])
        return [invalid(field, "", f"must specify one of: {named} or `{_SOURCES[-1]}`")]
    if variable.get("value"):
        return [invalid(field, "", "may not be specified when `value` is not empty")]
    if len(source) > 1:
        return [invalid(field, "", "may not have more than one field specified at a time")]
    kind, reference = next(iter(source.items()))
    if kind == "fieldRef":
        return [] if reference.get("fieldPath") else [required(f"{field}.fieldRef.fieldPath")]
    wanted = {"configMapKeyRef": ("name", "key"), "secretKeyRef": ("name", "key"), "resourceFieldRef": ("resource",)}
    return [required(f"{field}.{kind}.{name}") for name in wanted.get(kind, ()) if not reference.get(name)]


def _check_mounts(mounts: list[Json], field: str, volumes: set[t.Any]) -> list[Cause]:
    causes = []
    paths: set[str] = set()
    for i, mount in enumerate(mounts):
        place = f"{field}[{i}]"
        name, path = mount.get("name", ""), mount.get("mountPath", "")
        if not name:
            causes.append(required(f"{place}.name"))
        if not path:
            causes.append(required(f"{place}.mountPath"))
        if name not in volumes:
            causes.append(unknown_value(f"{place}.name", name))
        if path in paths:
            causes.append(invalid(f"{place}.mountPath", path, "must be unique"))
        paths.add(path)
        causes += check_descending_path(mount.get("subPath", ""), f"{place}.subPath")
    return causes


def _check_ports(ports: list[Json], field: str) -> list[Cause]:
    causes = []
    names: set[str] = set()
    for i, port in enumerate(ports):
        place = f"{field}[{i}]"
        name = port.get("name", "")
        if name and (len(name) > 15 or not _PORT_NAME.fullmatch(name)):
            causes.append(invalid(f"{place}.name", name, "must be a valid IANA service name of at most 15 characters"))
        if name and name in names:
            causes.append(duplicate(f"{place}.name", name))
        names.add(name)
        number = port.get("containerPort", 0)
        if not number:
            causes.append(required(f"{place}.containerPort"))
        elif not 1 <= number <= 65535:
            causes.append(invalid(f"{place}.containerPort", number, "must be between 1 and 65535, inclusive"))
        causes += _check_choice(port["protocol"], f"{place}.protocol", ("SCTP", "TCP", "UDP"))
    return causes


def _check_resources(resources: Json, field: str) -> list[Cause]:
    causes = []
    limits = resources.get("limits", {})
    for name, requested in resources.get("requests", {}).items():
        if name in limits and quantity_value(requested) > quantity_value(limits[name]):
            detail = f"must be less than or equal to {name} limit of {limits[name]}"
            causes.append(invalid(f"{field}.requests", requested, detail))
    return causes


def _check_probes(container: Json, field: str) -> list[Cause]:
    causes = []
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = container.get(name)
        if probe is not None and not any(handler in probe for handler in _HANDLERS):
            causes.append(required(f"{field}.{name}", "must specify a handler type"))
    return causes


def pod_warnings(spec: Json, field: str) -> list[str]:
    """What the server tells of a specification that it takes."""
    warnings = []
    for group in ("initContainers", "containers"):
        for i, container in enumerate(spec.get(group, [])):
            warnings += _env_warnings(container.get("env", []), f"{field}.{group}[{i}].env")
    return warnings


def _env_warnings(variables: list[Json], field: str) -> list[str]:
    seen: set[str] = set()
    warnings = []
    for i, variable in enumerate(variables):
        name, value = variable.get("name", ""), variable.get("value", "")
        reference = f"$({name})"
        # A value that builds on the previous one, such as $(PATH):/opt/bin, hides nothing.
        if name in seen and (value == reference or reference not in value):
            warnings.append(
                f'{field}[{i}]: hides previous definition of "{name}", which may be dropped when using apply'
            )
        seen.add(name)
    return warnings


def check_pod_update(new: Json, old: Json) -> list[Cause]:
    """A pod's specification is fixed but for its images and a few fields."""
    return [] if _fixed_part(new) == _fixed_part(old) else [forbidden_field("spec", _FIXED_TEXT)]


def _fixed_part(spec: Json) -> Json:
    fixed = {name: value for name, value in spec.items() if name not in _MUTABLE}
    for group in ("initContainers", "containers"):
        if group in fixed:
            fixed[group] = [{k: v for k, v in container.items() if k != "image"} for container in fixed[group]]
    return fixed
