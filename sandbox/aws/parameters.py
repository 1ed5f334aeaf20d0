# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of parameters against AWS's own API description, as botocore carries it.

moto checks little of it, so the limits of length, size, range, pattern and choice are asked for here.
"""

from __future__ import annotations

import functools
import re
import typing as t

import botocore.session

from sandbox.aws.errors import AwsError

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sandbox.world import Json

_UNICODE_CLASSES = {r"\p{L}": r"\w", r"\p{N}": r"\w", r"\p{Z}": r"\s"}


@functools.cache
def service_model(service: str) -> t.Any:
    """botocore's description of a service: ``iam``, ``sts`` or ``amp``."""
    return botocore.session.get_session().get_service_model(service)


def check_parameters(service: str, operation: str, params: Mapping[str, t.Any]) -> None:
    """Raise ``ValidationError`` with AWS's list of what is wrong with the parameters of an operation."""
    shape = service_model(service).operation_model(operation).input_shape
    problems = list(_problems(shape, params, "")) if shape is not None else []
    if problems:
        plural = "s" if len(problems) > 1 else ""
        raise AwsError("ValidationError", f"{len(problems)} validation error{plural} detected: {'; '.join(problems)}")


def _problems(shape: t.Any, value: t.Any, path: str) -> Iterator[str]:
    if shape.type_name == "structure":
        for name in shape.required_members:
            if value.get(name) is None:
                member = f"{path}.{_lower_first(name)}".lstrip(".")
                yield f"Value null at '{member}' failed to satisfy constraint: Member must not be null"
        for name, member_shape in shape.members.items():
            if value.get(name) is not None:
                yield from _problems(member_shape, value[name], f"{path}.{_lower_first(name)}".lstrip("."))
        return
    shown = "" if shape.metadata.get("sensitive") else f" '{value}'"
    for constraint in _broken(shape, value):
        yield f"Value{shown} at '{path}' failed to satisfy constraint: Member must {constraint}"
    if shape.type_name == "list":
        for number, member in enumerate(value, 1):
            yield from _problems(shape.member, member, f"{path}.{number}.member")


def _broken(shape: t.Any, value: t.Any) -> Iterator[str]:
    metadata: Json = shape.metadata
    number = shape.type_name in ("integer", "long", "float", "double")
    size = value if number else len(value) if isinstance(value, (str, list, dict)) else None
    what = "value" if number else "length"
    if size is not None and size > metadata.get("max", size):
        yield f"have {what} less than or equal to {metadata['max']}"
    if size is not None and size < metadata.get("min", size):
        yield f"have {what} greater than or equal to {metadata['min']}"
    if isinstance(value, str) and "pattern" in metadata and not _pattern(metadata["pattern"]).fullmatch(value):
        yield f"satisfy regular expression pattern: {metadata['pattern']}"
    if isinstance(value, str) and "enum" in metadata and value not in metadata["enum"]:
        yield f"satisfy enum value set: [{', '.join(metadata['enum'])}]"


@functools.cache
def _pattern(pattern: str) -> re.Pattern[str]:
    """A pattern of the API description, which is written for Java."""
    for java, python in _UNICODE_CLASSES.items():
        pattern = pattern.replace(java, python)
    return re.compile(pattern)


def _lower_first(name: str) -> str:
    return name[:1].lower() + name[1:]
