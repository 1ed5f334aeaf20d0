# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration of the Kubernetes client from options, environment and kubeconfig files, by the package itself."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube_config import (
    has_credentials,
    load_configuration,
    remove_files,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import KubeAuth

TOKEN = "eyJ-unit-test-token"
USER_WITHOUT_SECTION = f"""
current-context: one
contexts: [{{name: one, context: {{cluster: one, user: a}}}}]
clusters: [{{name: one, cluster: {{server: 'https://x'}}}}]
users: [{{name: a, token: {TOKEN}}}]
"""


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No kubeconfig, proxy or pod of the machine that runs the tests."""
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def kubeconfig(path: Path, *, user: dict[str, t.Any] | None = None, server: str = "https://one.example:6443") -> str:
    """A kubeconfig with the contexts ``one`` (current) and ``two``."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "one",
        "clusters": [
            {"name": "one", "cluster": {"server": server}},
            {"name": "two", "cluster": {"server": "https://two.example:6443", "insecure-skip-tls-verify": True}},
        ],
        "users": [{"name": "admin", "user": {"token": TOKEN} if user is None else user}],
        "contexts": [
            {"name": "one", "context": {"cluster": "one", "user": "admin"}},
            {"name": "two", "context": {"cluster": "two", "user": "admin"}},
        ],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="ascii")  # JSON is YAML
    return str(path)


def authorization(configuration: t.Any) -> str | None:
    settings = configuration.auth_settings()
    return settings["BearerToken"]["value"] if settings else None


def test_the_current_context_of_the_kubeconfig(tmp_path: Path) -> None:
    configuration = load_configuration(KubeAuth(kubeconfig=kubeconfig(tmp_path / "config")))
    assert configuration.host == "https://one.example:6443"
    assert authorization(configuration) == f"Bearer {TOKEN}"
    assert configuration.verify_ssl is True


def test_a_named_context(tmp_path: Path) -> None:
    configuration = load_configuration(KubeAuth(kubeconfig=kubeconfig(tmp_path / "config"), context="two"))
    assert configuration.host == "https://two.example:6443"
    assert configuration.verify_ssl is False


def test_the_environment_names_the_kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'missing'}:{kubeconfig(tmp_path / 'config')}")
    assert load_configuration(KubeAuth()).host == "https://one.example:6443"


def test_the_kubeconfig_of_the_home_folder(tmp_path: Path) -> None:
    kubeconfig(tmp_path / "home" / ".kube" / "config")
    assert load_configuration(KubeAuth()).host == "https://one.example:6443"


def test_options_override_the_kubeconfig(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text("", encoding="ascii")
    auth = KubeAuth(
        kubeconfig=kubeconfig(tmp_path / "config"),
        host="https://other.example/",
        api_key="another-token",
        ca_cert=str(authority),
        validate_certs=True,
        proxy="http://proxy.example:3128",
    )
    configuration = load_configuration(auth)
    assert configuration.host == "https://other.example"
    assert authorization(configuration) == "Bearer another-token"
    assert configuration.ssl_ca_cert == str(authority)
    assert configuration.proxy == "http://proxy.example:3128"


def test_the_proxy_option_stands_above_no_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    auth = KubeAuth(kubeconfig=kubeconfig(tmp_path / "config"), proxy="http://proxy.example:3128")
    assert load_configuration(auth).no_proxy is None


def test_a_token_displaces_the_kubeconfigs_client_certificate(tmp_path: Path) -> None:
    certificate = {"client-certificate-data": "Y2VydA==", "client-key-data": "a2V5"}
    path = kubeconfig(tmp_path / "config", user=certificate)
    assert load_configuration(KubeAuth(kubeconfig=path)).cert_file
    configuration = load_configuration(KubeAuth(kubeconfig=path, api_key="another-token"))
    assert configuration.cert_file is None
    assert configuration.key_file is None


def test_keys_that_stand_in_a_kubeconfig_leave_no_file_behind_and_can_be_read_again(tmp_path: Path) -> None:
    certificate = {"client-certificate-data": "Y2VydA==", "client-key-data": "a2V5"}
    auth = KubeAuth(kubeconfig=kubeconfig(tmp_path / "config", user=certificate))
    for _task in range(2):  # several tasks of a loop share a process
        configuration = load_configuration(auth)
        files = [Path(configuration.cert_file), Path(configuration.key_file)]
        assert [file.read_text(encoding="ascii") for file in files] == ["cert", "key"]
        remove_files()
        assert not any(file.exists() for file in files)


def test_host_and_token_need_no_kubeconfig(tmp_path: Path) -> None:
    kubeconfig(tmp_path / "home" / ".kube" / "config")
    configuration = load_configuration(KubeAuth(host="https://api.example:443", api_key=TOKEN))
    assert configuration.host == "https://api.example:443"
    assert has_credentials(configuration)


@pytest.mark.parametrize("auth", [KubeAuth(), KubeAuth(host="https://api.example")])
def test_nothing_given_says_what_would_help(auth: KubeAuth) -> None:
    with pytest.raises(errors.MissingCredentials) as caught:
        load_configuration(auth)
    for word in ("kubeconfig", "K8S_AUTH_KUBECONFIG", "KUBECONFIG", "api_key", "K8S_AUTH_API_KEY"):
        assert word in caught.value.sentence()


def test_a_missing_kubeconfig_is_named(tmp_path: Path) -> None:
    with pytest.raises(errors.MissingCredentials, match=r"there is no file .*nowhere"):
        load_configuration(KubeAuth(kubeconfig=str(tmp_path / "nowhere")))
    with pytest.raises(errors.MissingCredentials, match="context 'two'"):
        load_configuration(KubeAuth(context="two"))


def test_an_unknown_context_is_named(tmp_path: Path) -> None:
    with pytest.raises(errors.MissingCredentials, match=r"context 'three'.*Expected object with name three"):
        load_configuration(KubeAuth(kubeconfig=kubeconfig(tmp_path / "config"), context="three"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "a: [",
        f"users: {{token: {TOKEN}",
        USER_WITHOUT_SECTION,
        f"users: [{TOKEN}]",
    ],
)
def test_a_broken_kubeconfig_fails_in_one_sentence_without_its_content(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text, encoding="ascii")
    with pytest.raises(errors.MissingCredentials) as caught:
        load_configuration(KubeAuth(kubeconfig=str(path)))
    assert TOKEN not in caught.value.sentence()
    assert str(path) in caught.value.sentence()
    assert "\n" not in caught.value.sentence()


def test_a_failing_credential_plugin_is_reported(tmp_path: Path) -> None:
    plugin = {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "no-such-kubelogin", "args": []}
    path = kubeconfig(tmp_path / "config", user={"exec": plugin})
    with pytest.raises(errors.MissingCredentials, match="no-such-kubelogin") as caught:
        load_configuration(KubeAuth(kubeconfig=path))
    assert "kubelogin convert-kubeconfig -l azurecli" in caught.value.fix
    assert "aks_amp_cluster_access: user" in caught.value.fix
    assert authorization(load_configuration(KubeAuth(kubeconfig=path, api_key=TOKEN))) == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    ("auth", "option"),
    [
        (KubeAuth(host="api.example", api_key="x"), "host"),
        (KubeAuth(host="https:///", api_key="x"), "host"),
        (KubeAuth(host="https://api.example", api_key="x", ca_cert="/nowhere/ca.pem"), "ca_cert"),
    ],
)
def test_bad_options_are_named(auth: KubeAuth, option: str) -> None:
    with pytest.raises(errors.InvalidInput, match=f"^{option}: "):
        load_configuration(auth)
