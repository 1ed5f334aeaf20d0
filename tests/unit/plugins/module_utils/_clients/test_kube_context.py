# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The quick reading of a kubeconfig comes to what the ``kubernetes`` package makes of the whole file."""

from __future__ import annotations

import base64
import json
import typing as t
from pathlib import Path

import pytest
from kubernetes.client.configuration import Configuration
from kubernetes.config.kube_config import load_kube_config

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients import kube_context
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube_config import load_configuration
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import KubeAuth

Json = dict[str, t.Any]

DATA: t.Final = base64.b64encode(b"-----BEGIN\n").decode("ascii")
#: Prints a credential that names the folder in which it was run.
PLUGIN: t.Final = """#!/bin/sh
printf '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "%s"}}' "$PWD"
"""

CLUSTERS: t.Final[Json] = {
    "plain": {"server": "https://plain.example:443/"},
    "data": {"server": "https://data.example", "certificate-authority-data": DATA, "tls-server-name": "inner"},
    "relative": {"server": "https://relative.example", "certificate-authority": "ca.pem"},
    "insecure": {"server": "https://insecure.example", "insecure-skip-tls-verify": True},
    "http": {"server": "http://localhost:8080"},
}
USERS: t.Final[Json] = {
    "token": {"token": "unit-test-token"},
    "file": {"tokenFile": "token"},
    "certificate": {"client-certificate-data": DATA, "client-key-data": DATA},
    "password": {"username": "me", "password": "unit-test-password"},
    "plugin": {
        "exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "./plugin", "interactiveMode": "Never"}
    },
    "nobody": {},
}


def config(cluster: str, user: str | None) -> Json:
    """All clusters and users, each twice, of which the first counts, and a context for the two that are meant."""
    meant = {"cluster": cluster} if user is None else {"cluster": cluster, "user": user}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "meant",
        "contexts": [{"name": "other", "context": {"cluster": "http"}}, {"name": "meant", "context": meant}],
        "clusters": [
            *({"name": name, "cluster": value} for name, value in CLUSTERS.items()),
            *({"name": name, "cluster": {"server": "https://second.example"}} for name in CLUSTERS),
        ],
        "users": [
            *({"name": name, "user": value} for name, value in USERS.items()),
            *({"name": name, "user": {"token": "second"}} for name in USERS),
        ],
    }


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "ca.pem").write_text("-----BEGIN\n", encoding="ascii")
    (tmp_path / "token").write_text("unit-test-token-of-a-file", encoding="ascii")
    (tmp_path / "plugin").write_text(PLUGIN, encoding="ascii")
    (tmp_path / "plugin").chmod(0o700)
    return tmp_path


def written(folder: Path, content: Json) -> str:
    path = folder / "config"
    path.write_text(json.dumps(content), encoding="ascii")  # JSON is YAML
    return str(path)


def told(configuration: t.Any) -> Json:
    """What requests depend on."""
    files = (configuration.ssl_ca_cert, configuration.cert_file, configuration.key_file)
    return {
        "host": configuration.host,
        "keys": dict(configuration.api_key),
        "files": [Path(file).read_bytes() if file else None for file in files],
        "verify": configuration.verify_ssl,
        "name": configuration.tls_server_name,
        "login": (configuration.username, configuration.password),
    }


def by_the_package(path: str, context: str | None) -> Json:
    configuration: t.Any = Configuration()
    load: t.Callable[..., None] = load_kube_config
    load(config_file=path, context=context, client_configuration=configuration)
    return told(configuration)


@pytest.mark.parametrize("context", [None, "meant"])
@pytest.mark.parametrize("user", [None, "unknown", *USERS])
@pytest.mark.parametrize("cluster", CLUSTERS)
def test_a_context_comes_to_what_the_package_makes_of_it(
    folder: Path, cluster: str, user: str | None, context: str | None
) -> None:
    path = written(folder, config(cluster, user))
    assert kube_context.find(path, context) is not None
    assert told(load_configuration(KubeAuth(kubeconfig=path, context=context))) == by_the_package(path, context)


def test_nothing_else_of_the_file_is_handed_on(folder: Path) -> None:
    found = kube_context.find(written(folder, config("data", "token")), None)
    assert found is not None
    assert [len(found[section]) for section in ("contexts", "clusters", "users")] == [1, 1, 1]


def _without(section: str) -> Json:
    return {name: value for name, value in config("plain", "token").items() if name != section}


@pytest.mark.parametrize(
    "content",
    [
        _without("contexts"),
        _without("clusters"),
        _without("current-context"),
        {**config("plain", "token"), "users": [{"user": {}}]},
        {**config("plain", "token"), "users": {"name": "token"}},
        {**config("plain", "token"), "users": [{"name": "token"}]},
        {**config("plain", "token"), "users": [{"name": "token", "user": {"auth-provider": {"name": "oidc"}}}]},
        {**config("plain", "token"), "clusters": [{"name": "plain", "cluster": "https://x"}]},
        config("unknown", "token"),
    ],
)
def test_what_is_out_of_the_ordinary_is_left_to_the_package(folder: Path, content: Json) -> None:
    assert kube_context.find(written(folder, content), None) is None


@pytest.mark.parametrize("text", ["", "[]", "a: [", "\x00", "- a\n- b\n"])
def test_what_is_no_kubeconfig_is_left_to_the_package(folder: Path, text: str) -> None:
    path = folder / "config"
    path.write_text(text, encoding="ascii")
    assert kube_context.find(str(path), None) is None
    path.write_bytes(b"a: \xff\xfe")
    assert kube_context.find(str(path), None) is None


def test_several_files_are_left_to_the_package_and_missing_ones_do_not_count(folder: Path) -> None:
    path = written(folder, config("plain", "token"))
    second = folder / "second"
    second.write_text("{}", encoding="ascii")
    assert kube_context.find(f"{path}:{second}", None) is None
    assert kube_context.find(f"{folder / 'missing'}:{path}", None) is not None
