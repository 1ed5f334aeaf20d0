# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests as kubectl commands, and what their output becomes. Pure."""

from __future__ import annotations

import base64
import io
import json
import shlex
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube_http import JSON_TYPE, MERGE_PATCH
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.run_command import (
    Command,
    answer_of,
    command_for,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import (
    CONFIG_MAP,
    DEPLOYMENT,
    NAMESPACE,
    ObjectKind,
)

ACCOUNTS = "/api/v1/namespaces/monitoring/serviceaccounts"


@pytest.mark.parametrize(
    ("method", "path", "body", "words"),
    [
        ("GET", f"{ACCOUNTS}/a", None, ["kubectl", "get", "--raw", f"{ACCOUNTS}/a"]),
        ("GET", f"{ACCOUNTS}?limit=500", None, ["kubectl", "get", "--raw", f"{ACCOUNTS}?limit=500"]),
        ("POST", ACCOUNTS, {"a": 1}, ["kubectl", "create", "--raw", ACCOUNTS, "-f", "body.json"]),
        ("PUT", f"{ACCOUNTS}/a", {"a": 1}, ["kubectl", "replace", "--raw", f"{ACCOUNTS}/a", "-f", "body.json"]),
        ("DELETE", f"{ACCOUNTS}/a", {"a": 1}, ["kubectl", "delete", "--raw", f"{ACCOUNTS}/a", "-f", "body.json"]),
        ("DELETE", f"{ACCOUNTS}/a", None, ["kubectl", "delete", "--raw", f"{ACCOUNTS}/a"]),
    ],
)
def test_a_request_is_one_raw_command(method: str, path: str, body: dict[str, int] | None, words: list[str]) -> None:
    command = command_for(method, path, body, JSON_TYPE)
    assert shlex.split(command.line) == words
    assert command.files == ({} if body is None else {"body.json": json.dumps(body)})


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        (NAMESPACE.at("monitoring").path, ["namespaces", "monitoring"]),
        (CONFIG_MAP.at("a", "m").path, ["configmaps", "a", "--namespace", "m"]),
        (DEPLOYMENT.at("p", "m").path, ["deployments.v1.apps", "p", "--namespace", "m"]),
        (
            ObjectKind("apis/monitoring.coreos.com/v1", "prometheuses", "Prometheus").at("k8s", "m").path,
            ["prometheuses.v1.monitoring.coreos.com", "k8s", "--namespace", "m"],
        ),
    ],
)
def test_a_merge_patch_names_the_kind_fully(path: str, resource: list[str]) -> None:
    command = command_for("PATCH", path, {"data": {}}, MERGE_PATCH)
    options = ["--type", "merge", "--patch-file", "body.json", "--output", "json"]
    assert shlex.split(command.line) == ["kubectl", "patch", *resource, *options]


def test_a_rehearsal_is_the_same_command_with_a_flag() -> None:
    path = DEPLOYMENT.at("p", "m").path
    real, dry = (shlex.split(command_for("PATCH", p, {}, MERGE_PATCH).line) for p in (path, f"{path}?dryRun=All"))
    assert dry == [*real, "--dry-run=server"]
    # kubectl patch has no word for strict validation.
    strict, both = (
        shlex.split(command_for("PATCH", f"{path}?{query}", {}, MERGE_PATCH).line)
        for query in ("fieldValidation=Strict", "dryRun=All&fieldValidation=Strict")
    )
    assert (strict, both) == (real, dry)


@pytest.mark.parametrize(
    ("method", "path", "content_type"),
    [
        ("PATCH", f"{ACCOUNTS}/a", "application/json-patch+json"),
        ("PATCH", f"{ACCOUNTS}/a?dryRun=All&force=true", MERGE_PATCH),
        ("PATCH", ACCOUNTS, MERGE_PATCH),
        ("OPTIONS", ACCOUNTS, JSON_TYPE),
    ],
)
def test_what_kubectl_has_no_command_for_is_not_sent_as_something_else(
    method: str, path: str, content_type: str
) -> None:
    with pytest.raises(ValueError, match="no command"):
        command_for(method, path, {}, content_type)


@given(st.text(min_size=1, max_size=40))
def test_no_name_leaves_its_place_in_the_shells_line(name: str) -> None:
    reference = CONFIG_MAP.at(name, "m; reboot")
    assert shlex.split(command_for("GET", reference.path, None, JSON_TYPE).line)[3:] == [reference.path]
    patch = shlex.split(command_for("PATCH", reference.path, {}, MERGE_PATCH).line)
    assert patch[3:6] == [name, "--namespace", "m; reboot"]


def test_the_body_travels_as_a_zip_in_base64() -> None:
    context = Command("kubectl", {"body.json": '{"a": "ü"}'}).context()
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(context))) as archive:
        assert archive.namelist() == ["body.json"]
        assert archive.read("body.json").decode() == '{"a": "ü"}'
    assert Command("kubectl", {}).context() == ""


@pytest.mark.parametrize(
    "logs",
    [
        '{"kind": "ConfigMap"}\n',
        '{"kind": "ConfigMap"}Warning: deprecated\n',
        'Warning: {strange}\n{\n    "kind": "ConfigMap"\n}\nWarning: more\n',
        '{broken\n{"kind": "ConfigMap"}',
    ],
)
def test_the_object_is_found_among_warnings(logs: str) -> None:
    answer = answer_of(0, logs)
    assert answer is not None
    assert (answer.status, answer.body) == (200, {"kind": "ConfigMap"})


@given(st.text(max_size=60), st.recursive(st.none() | st.text(), lambda inner: st.dictionaries(st.text(), inner)))
def test_output_never_becomes_another_object_than_the_one_in_it(noise: str, value: object) -> None:
    whole = {"kind": "X", "value": value}
    text = json.dumps(whole)
    answer = answer_of(0, "".join(f"Warning: {line}\n" for line in noise.splitlines()) + text)
    assert answer is not None
    assert answer.body == whole
    assert answer_of(0, text[:-1]) is None


@pytest.mark.parametrize(
    ("logs", "status", "reason", "message"),
    [
        ('Error from server (NotFound): configmaps "x" not found\n', 404, "NotFound", 'configmaps "x" not found'),
        ('Error from server (AlreadyExists): namespaces "x" already exists\n', 409, "AlreadyExists", None),
        ("Error from server (Conflict): Operation cannot be fulfilled\n", 409, "Conflict", None),
        ("Warning: old\nError from server (Forbidden): no\n", 403, "Forbidden", "no"),
        ("error: You must be logged in to the server (Unauthorized)\n", 401, "Unauthorized", "(Unauthorized)"),
        ("Error from server (TooManyRequests): later\n", 429, "TooManyRequests", "later"),
        ("Error from server (ServiceUnavailable): later\n", 503, "ServiceUnavailable", "later"),
        ("Error from server (SomethingNew): later\n", 500, "SomethingNew", "later"),
        (
            'Error from server: admission webhook "x.example.com" denied the request: no\n',
            400,
            "BadRequest",
            'admission webhook "x.example.com" denied the request: no',
        ),
        (
            'The ConfigMap "x" is invalid: \n* data: Too long\n* metadata: bad\n',
            422,
            "Invalid",
            'The ConfigMap "x" is invalid: * data: Too long * metadata: bad',
        ),
        ("The request is invalid: nonsense\n", 422, "Invalid", "The request is invalid: nonsense"),
    ],
)
def test_kubectls_words_become_the_apis_status(logs: str, status: int, reason: str, message: str | None) -> None:
    answer = answer_of(1, logs)
    assert answer is not None
    assert (answer.status, answer.reason) == (status, reason)
    assert message is None or answer.message == message


def test_a_namespace_that_ends_is_recognised() -> None:
    text = "unable to create new content in namespace x because it is being terminated"
    answer = answer_of(1, f'Error from server (Forbidden): serviceaccounts "a" is forbidden: {text}\n')
    assert answer is not None
    assert answer.causes == ("NamespaceTerminating",)


@pytest.mark.parametrize(
    ("exit_code", "logs"),
    [(0, ""), (0, "hello"), (1, "error: unknown flag: --raw"), (137, ""), (1, '{"kind": "ConfigMap"}'), (0, "[1]")],
)
def test_other_output_is_no_answer(exit_code: int, logs: str) -> None:
    assert answer_of(exit_code, logs) is None
