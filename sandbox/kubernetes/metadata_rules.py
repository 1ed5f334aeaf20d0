# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What names, labels, annotations and the rest of ``metadata`` must be.

Source: ``k8s.io/apimachinery/pkg/util/validation`` and ``pkg/api/validation/objectmeta.go``; the texts are theirs.
"""

from __future__ import annotations

import re
import typing as t

from sandbox.kubernetes.errors import Cause, forbidden_field, invalid, required, too_long
from sandbox.kubernetes.kinds import NameRule, Resource
from sandbox.world import Json

_LABEL_PATTERN = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN_PATTERN = rf"{_LABEL_PATTERN}(\.{_LABEL_PATTERN})*"
_NAME_PATTERN = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"

_LABEL = re.compile(_LABEL_PATTERN)
_SUBDOMAIN = re.compile(_SUBDOMAIN_PATTERN)
_QUALIFIED_NAME = re.compile(_NAME_PATTERN)
_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")

_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with"
    " an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is"
    f" '{_LABEL_PATTERN}')"
)
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and"
    " end with an alphanumeric character (e.g. 'example.com', regex used for validation is"
    f" '{_SUBDOMAIN_PATTERN}')"
)
_NAME_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric"
    " character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is"
    f" '{_NAME_PATTERN}')"
)
_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and"
    " end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is"
    " '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_PARTS_TEXT = (
    "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an"
    " alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is"
    f" '{_NAME_PATTERN}') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
)

_LABEL_BYTES = 63
_SUBDOMAIN_BYTES = 253
_ANNOTATION_BYTES = 256 * 1024


def label_problems(name: str) -> list[str]:
    """What is wrong with a DNS label, in the server's words."""
    return _problems(name, _LABEL, _LABEL_TEXT, _LABEL_BYTES)


def subdomain_problems(name: str) -> list[str]:
    """What is wrong with a DNS subdomain, in the server's words."""
    return _problems(name, _SUBDOMAIN, _SUBDOMAIN_TEXT, _SUBDOMAIN_BYTES)


def qualified_name_problems(name: str) -> list[str]:
    """What is wrong with a key such as ``example.com/name``, in the server's words."""
    prefix, slash, last = name.rpartition("/")
    if "/" in prefix:
        return [_PARTS_TEXT]
    problems = []
    if slash:
        problems = [f"prefix part {problem}" for problem in subdomain_problems(prefix)]
        if not prefix:
            problems = ["prefix part must be non-empty"]
    if not last:
        problems.append("name part must be non-empty")
    elif len(last) > _LABEL_BYTES:
        problems.append(f"name part {_at_most(_LABEL_BYTES)}")
    if not _QUALIFIED_NAME.fullmatch(last):
        problems.append(_NAME_TEXT)
    return problems


def label_value_problems(value: str) -> list[str]:
    """What is wrong with a label's value, in the server's words."""
    return _problems(value, _LABEL_VALUE, _VALUE_TEXT, _LABEL_BYTES)


def _problems(text: str, pattern: re.Pattern[str], explained: str, limit: int) -> list[str]:
    problems = [_at_most(limit)] if len(text.encode()) > limit else []
    if not pattern.fullmatch(text):
        problems.append(explained)
    return problems


def _at_most(limit: int) -> str:
    return f"must be no more than {limit} bytes"


def check_metadata(resource: Resource, metadata: Json) -> list[Cause]:
    """The causes for which an object's metadata is refused."""
    causes = check_name(resource, metadata.get("name", ""))
    causes += check_labels(metadata.get("labels", {}), "metadata.labels")
    causes += check_annotations(metadata.get("annotations", {}), "metadata.annotations")
    causes += _check_owners(metadata.get("ownerReferences", []))
    for i, finalizer in enumerate(metadata.get("finalizers", [])):
        field = f"metadata.finalizers[{i}]"
        causes += [invalid(field, finalizer, problem) for problem in qualified_name_problems(finalizer)]
    return causes


def check_name(resource: Resource, name: str) -> list[Cause]:
    if not name:
        return [required("metadata.name", "name or generateName is required")]
    problems = label_problems(name) if resource.name_rule is NameRule.LABEL else subdomain_problems(name)
    return [invalid("metadata.name", name, problem) for problem in problems]


def check_labels(labels: t.Mapping[str, str], field: str) -> list[Cause]:
    causes = []
    for key, value in labels.items():
        causes += [invalid(field, key, problem) for problem in qualified_name_problems(key)]
        causes += [invalid(field, value, problem) for problem in label_value_problems(value)]
    return causes


def check_annotations(annotations: t.Mapping[str, str], field: str) -> list[Cause]:
    causes = []
    for key in annotations:
        causes += [invalid(field, key, problem) for problem in qualified_name_problems(key.lower())]
    if sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items()) > _ANNOTATION_BYTES:
        causes.append(too_long(field, _ANNOTATION_BYTES))
    return causes


def _check_owners(owners: list[Json]) -> list[Cause]:
    causes = []
    for i, owner in enumerate(owners):
        field = f"metadata.ownerReferences[{i}]"
        causes += [
            invalid(
                f"{field}.{name}",
                "",
                f"{name} must not be empty" if name != "apiVersion" else "version must not be empty",
            )
            for name in ("apiVersion", "kind", "name", "uid")
            if not owner.get(name)
        ]
    if sum(owner.get("controller") is True for owner in owners) > 1:
        causes.append(invalid("metadata.ownerReferences", owners, "Only one reference can have Controller set to true"))
    return causes


def check_metadata_update(new: Json, old: Json) -> list[Cause]:
    """What an update may not change in metadata."""
    causes = [
        invalid(f"metadata.{name}", new[name], "field is immutable")
        for name in ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp")
        if new.get(name) != old.get(name) and new.get(name) is not None
    ]
    added = [item for item in new.get("finalizers", []) if item not in old.get("finalizers", [])]
    if old.get("deletionTimestamp") and added:
        causes.append(
            forbidden_field(
                "metadata.finalizers",
                f"no new finalizers can be added if the object is being deleted, found new finalizers {added}",
            )
        )
    return causes
