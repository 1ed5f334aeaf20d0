# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documents of access/ as somebody fills them in, and each without one of its rights."""

from __future__ import annotations

import copy
import dataclasses
import json
import re
import typing as t

import yaml

from demo.runs import ROOT
from sandbox import estate
from sandbox.rights import GRAPH_PERMISSIONS, Rights
from sandbox.world import AWS_ACCOUNT, AZURE_SUBSCRIPTION, AZURE_TENANT

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sandbox.world import Json

FOLDER: t.Final = ROOT / "access"
#: What stands for the sandbox's own values. Each is a word of its own.
VALUES: t.Final[Mapping[str, str]] = {
    "ACCOUNT_ID": AWS_ACCOUNT,
    "ASSUMED_ROLE": "fleet-manager",
    "REGION": estate.AWS_REGION,
    "TENANT_ID": AZURE_TENANT,
    "SUBSCRIPTION_ID": AZURE_SUBSCRIPTION,
    "RESOURCE_GROUP": estate.RESOURCE_GROUP,
    "USER_NAME": "controller",
    "POLICY_ARN": "arn:aws:iam::aws:policy/AmazonPrometheusQueryAccess",
}


@dataclasses.dataclass(frozen=True)
class Document:
    """One file with its placeholders replaced. ``parts`` are its JSON or YAML documents."""

    path: str  # below access/
    parts: tuple[t.Any, ...] = dataclasses.field(hash=False)

    @property
    def cloud(self) -> str:
        return self.path.partition("/")[0]


@dataclasses.dataclass(frozen=True)
class Right:
    """One right of a document. ``granted`` is its name in the sandbox, ``words`` how a message must name it."""

    path: str
    granted: str
    words: str
    place: tuple[t.Any, ...]

    def __str__(self) -> str:
        return f"{self.path}:{self.granted}"


def load(path: str, values: Mapping[str, str], *, everywhere: bool = False) -> Document:
    """``everywhere`` turns Roles into ClusterRoles, as the guide says it for namespaces that are not there yet."""
    text = (FOLDER / path).read_text()
    for word, value in sorted(values.items(), key=lambda item: -len(item[0])):
        text = re.sub(rf"(?<![A-Z_]){word}(?![A-Z_])", value, text)
    if everywhere and path.startswith("kubernetes/"):
        text = re.sub(r"(?m)^( *kind: )Role", r"\1ClusterRole", text)
        text = re.sub(r"(?m)^ *namespace: .*\n", "", text)
    if path.endswith(".json"):
        return Document(path, (json.loads(text),))
    return Document(path, tuple(yaml.safe_load(text)["items"]))


def rights_of(document: Document) -> Iterator[Right]:
    """Each right that the document gives."""
    for number, part in enumerate(document.parts):
        for granted, words, place in _LISTS[document.cloud](part):
            yield Right(document.path, granted, words, (number, *place))


def without(document: Document, right: Right) -> Document:
    """The document with all but this right."""
    number, *place = right.place
    parts = list(copy.deepcopy(document.parts))
    _REMOVALS[document.cloud](parts[number], *place)
    return Document(document.path, tuple(parts))


def given(documents: t.Iterable[Document]) -> Rights:
    """The rights of these documents and of nothing else."""
    by_cloud: Json = {"aws": [], "azure": [], "graph": [], "kubernetes": []}
    for document in documents:
        by_cloud[document.cloud] += document.parts
    return Rights.from_json(by_cloud)


_Found = tuple[str, str, tuple[t.Any, ...]]


def _aws_rights(policy: Json) -> Iterator[_Found]:
    for statement, content in enumerate(policy["Statement"]):
        for action in content["Action"]:
            yield action, action, (statement, action)


def _remove_action(policy: Json, statement: int, action: str) -> None:
    content = policy["Statement"][statement]
    content["Action"].remove(action)
    if not content["Action"]:
        del policy["Statement"][statement]


def _azure_rights(role: Json) -> Iterator[_Found]:
    for action in role["Actions"]:
        yield action, action, (action,)


def _remove_azure_action(role: Json, action: str) -> None:
    role["Actions"].remove(action)


def _graph_rights(resources: list[Json]) -> Iterator[_Found]:
    for resource in resources:
        for access in resource["resourceAccess"]:
            name = GRAPH_PERMISSIONS[access["id"]]
            yield name, name, (access["id"],)


def _remove_permission(resources: list[Json], permission: str) -> None:
    for resource in resources:
        resource["resourceAccess"] = [one for one in resource["resourceAccess"] if one["id"] != permission]


def _kubernetes_rights(manifest: Json) -> Iterator[_Found]:
    for number, rule in enumerate(manifest.get("rules", ())):
        for group, resource, verb in _single(rule):
            granted = f"{verb} {resource}.{group}".rstrip(".")
            yield granted, f"'{verb}' on '{resource}'", (number, group, resource, verb)


def _remove_verb(manifest: Json, number: int, *removed: str) -> None:
    rule = manifest["rules"].pop(number)
    manifest["rules"] += [
        {**rule, "apiGroups": [group], "resources": [resource], "verbs": [verb]}
        for group, resource, verb in _single(rule)
        if (group, resource, verb) != removed
    ]


def _single(rule: Json) -> Iterator[tuple[str, str, str]]:
    for group in rule["apiGroups"]:
        for resource in rule["resources"]:
            for verb in rule["verbs"]:
                yield group, resource, verb


_LISTS: t.Final[Mapping[str, t.Any]] = {
    "aws": _aws_rights,
    "azure": _azure_rights,
    "graph": _graph_rights,
    "kubernetes": _kubernetes_rights,
}
_REMOVALS: t.Final[Mapping[str, t.Any]] = {
    "aws": _remove_action,
    "azure": _remove_azure_action,
    "graph": _remove_permission,
    "kubernetes": _remove_verb,
}
