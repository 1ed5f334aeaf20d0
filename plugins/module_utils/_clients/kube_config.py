# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster's address and credentials from module options, by the ``kubernetes`` package's own kubeconfig loader."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import typing as t
from pathlib import Path

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients import kube_context
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.sharing import at_end
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.url_secrets import is_in_the_clear

try:
    import yaml
    from kubernetes.client.configuration import Configuration
    from kubernetes.config import kube_config as package_loader
    from kubernetes.config.config_exception import ConfigException
    from kubernetes.config.incluster_config import load_incluster_config
except ImportError as error:  # the sanity tests import modules without any SDK
    IMPORT_ERROR: ImportError | None = error
else:
    IMPORT_ERROR = None
    # The package's loaders carry no types.
    _from_kubeconfig: t.Callable[..., None] = package_loader.load_kube_config
    _of_context: t.Callable[..., t.Any] = package_loader.KubeConfigLoader
    _from_pod: t.Callable[..., None] = load_incluster_config
    # It forgets their names, too. No other way is offered.
    _remove_files: t.Callable[[], None] = package_loader._cleanup_temp_files

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import KubeAuth

DEFAULT_KUBECONFIG: t.Final = "~/.kube/config"
#: The names under which the package keeps the bearer token: before and since version 36.
_TOKEN_KEYS: t.Final = ("authorization", "BearerToken")
_SOURCES = (
    "Give kubeconfig (K8S_AUTH_KUBECONFIG or KUBECONFIG) and context (K8S_AUTH_CONTEXT), or host (K8S_AUTH_HOST) and "
    "api_key (K8S_AUTH_API_KEY)."
)


def load_configuration(auth: KubeAuth) -> t.Any:
    """The package's ``Configuration`` for a cluster.

    A kubeconfig is read unless host and api_key say everything; without one the pod's own service account is used.
    Options override what was read. Raises MissingLibrary, MissingCredentials or InvalidInput.
    """
    if IMPORT_ERROR is not None:
        raise errors.MissingLibrary("kubernetes", IMPORT_ERROR)
    if auth.ca_cert is not None and not Path(auth.ca_cert).is_file():
        raise errors.InvalidInput(f"ca_cert: there is no file {auth.ca_cert}.", fix="Name a PEM file.")
    if auth.host is not None and not re.match(r"https?://[^/]", auth.host):
        raise errors.InvalidInput(
            f"host: '{auth.host}' is not the URL of an API server.", fix="Give it as https://<name>[:<port>]."
        )
    configuration: t.Any = Configuration()
    if auth.kubeconfig is None and auth.context is None and auth.host is not None and auth.api_key is not None:
        configuration.host = auth.host.rstrip("/")
    else:
        _load(auth, configuration)
    _override(auth, configuration)
    if has_credentials(configuration) and is_in_the_clear(str(configuration.host)):
        raise errors.InvalidInput(
            f"The API server {configuration.host} would be sent credentials that can be read on the way.",
            fix="Give an https URL in host or in the kubeconfig.",
        )
    return configuration


def _load(auth: KubeAuth, configuration: t.Any) -> None:
    # Read here and not by the package, which remembers the variable's value of the moment it was imported.
    paths = auth.kubeconfig or os.environ.get("KUBECONFIG") or DEFAULT_KUBECONFIG
    if any(Path(path).expanduser().is_file() for path in paths.split(os.pathsep) if path):
        _load_kubeconfig(paths, auth, configuration)
    elif auth.kubeconfig is not None:
        raise errors.MissingCredentials(f"kubeconfig: there is no file {auth.kubeconfig}.", fix=_SOURCES)
    elif auth.context is not None:
        raise errors.MissingCredentials(
            f"There is no kubeconfig {paths} to take context '{auth.context}' from.", fix=_SOURCES
        )
    else:
        try:
            _from_pod(client_configuration=configuration)
        except (ConfigException, OSError) as error:
            raise errors.MissingCredentials(
                f"No cluster is given: there is no kubeconfig {paths}, and this machine is no pod ({_reason(error)}).",
                fix=_SOURCES,
            ) from None


def _load_kubeconfig(paths: str, auth: KubeAuth, configuration: t.Any) -> None:
    context = "its current context" if auth.context is None else f"context '{auth.context}'"
    with _captured_log() as log:
        try:
            found = kube_context.find(paths, auth.context)
            if found is None:
                _from_kubeconfig(config_file=paths, context=auth.context, client_configuration=configuration)
            else:
                _of_context(found, active_context=auth.context, config_base_path=None).load_and_set(configuration)
        except Exception as error:
            # A malformed file makes the loader raise almost anything, with texts that may quote it, tokens included.
            raise errors.MissingCredentials(
                f"The kubeconfig {paths} can't be used with {context}: {_reason(error)}.",
                fix="Name a valid kubeconfig and context, for example from 'az aks get-credentials'.",
            ) from None
    # The loader only logs that a credential plugin (kubelogin on AKS with Entra) failed, and would go on as nobody.
    if log and auth.api_key is None and not has_credentials(configuration):
        raise errors.MissingCredentials(
            f"The kubeconfig {paths} gives no credentials for {context}: {_first_line(log[-1])}.",
            fix="Install or repair the credential plugin that its exec section names (on AKS: kubelogin, which must "
            "not ask: 'kubelogin convert-kubeconfig -l azurecli'), let Azure show the way (aks; in playbooks "
            "aks_amp_cluster_access: user), or give api_key (K8S_AUTH_API_KEY).",
        )


def remove_files() -> None:
    """Remove the files in which the package keeps certificates and keys that stand in a kubeconfig.

    It does so itself only when a process ends in the ordinary way, which one that Ansible forked does not.
    """
    if IMPORT_ERROR is None:
        at_end(_remove_files)


def _override(auth: KubeAuth, configuration: t.Any) -> None:
    if auth.host is not None:
        configuration.host = auth.host.rstrip("/")
    if auth.api_key is not None:
        configuration.refresh_api_key_hook = None
        configuration.cert_file = configuration.key_file = None  # servers prefer a client certificate to a token
        for key in _TOKEN_KEYS:
            configuration.api_key[key] = f"Bearer {auth.api_key}"
    if auth.ca_cert is not None:
        configuration.ssl_ca_cert = auth.ca_cert
    if auth.validate_certs is not None:
        configuration.verify_ssl = auth.validate_certs
    if auth.proxy is not None:
        configuration.proxy = auth.proxy
        configuration.no_proxy = None  # an option stands above NO_PROXY


def has_credentials(configuration: t.Any) -> bool:
    """False when requests would be anonymous."""
    return bool(configuration.api_key or configuration.cert_file)


@contextlib.contextmanager
def _captured_log() -> Iterator[list[str]]:
    """What is logged as an error meanwhile: the messages of the root logger, kept from the standard error output."""
    messages: list[str] = []
    handler = _ListHandler(messages)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield messages
    finally:
        root.removeHandler(handler)


class _ListHandler(logging.Handler):
    def __init__(self, messages: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        self._messages.append(record.getMessage())


def _reason(error: Exception) -> str:
    """An error's text without anything that it quotes from the file."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"it is not YAML ({error.problem} in line {error.problem_mark.line + 1})"
    if isinstance(error, ConfigException):
        return _first_line(re.sub(r"\{.*\}", "{...}", str(error), flags=re.DOTALL))
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return f"it is malformed ({type(error).__name__})"


def _first_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[0].rstrip(".")
