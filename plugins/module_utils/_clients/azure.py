# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The login to Azure by azure-identity, the Azure clouds' hosts, and azure-core's errors in the collection's words."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import typing as t
import urllib.parse
from pathlib import Path

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients import answers, preload
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.sharing import shared

try:
    from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError, ServiceResponseError
    from azure.identity import (
        AzureCliCredential,
        CertificateCredential,
        ChainedTokenCredential,
        ClientAssertionCredential,
        ClientSecretCredential,
        CredentialUnavailableError,
        ManagedIdentityCredential,
        WorkloadIdentityCredential,
    )
except ImportError as error:  # the sanity tests import modules without any SDK
    IMPORT_ERROR: ImportError | None = error
else:
    IMPORT_ERROR = None

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from azure.core.credentials import TokenCredential

    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import AzureAuth, Transport

ENTRA = "Microsoft Entra ID"

#: What azure-core, azure-identity and requests import at the first request.
_LATER: t.Final = (
    "azure.core.pipeline.transport._bigger_block_size_http_adapters",
    "azure.core.pipeline.transport._requests_basic",
    "azure.core.rest._http_response_impl",
    "azure.core.rest._requests_basic",
    "encodings.utf_8_sig",
    "msal_extensions",
    "netrc",
)


@dataclasses.dataclass(frozen=True)
class Cloud:
    """One of Azure's clouds: the hosts of its services (with a port where one is given), and its tokens' scopes."""

    login: str
    arm: str
    graph: str
    arm_scope: str
    graph_scope: str


#: As in azure-cli's cloud.py and azure-mgmt-core's tools.py; the keys are the choices of ``cloud_environment``.
CLOUDS: t.Final[Mapping[str, Cloud]] = {
    "AzureCloud": Cloud(
        login="login.microsoftonline.com",
        arm="management.azure.com",
        graph="graph.microsoft.com",
        arm_scope="https://management.azure.com/.default",
        graph_scope="https://graph.microsoft.com/.default",
    ),
    "AzureUSGovernment": Cloud(
        login="login.microsoftonline.us",
        arm="management.usgovcloudapi.net",
        graph="graph.microsoft.us",
        arm_scope="https://management.core.usgovcloudapi.net/.default",
        graph_scope="https://graph.microsoft.us/.default",
    ),
    "AzureChinaCloud": Cloud(
        login="login.chinacloudapi.cn",
        arm="management.chinacloudapi.cn",
        graph="microsoftgraph.chinacloudapi.cn",
        arm_scope="https://management.chinacloudapi.cn/.default",
        graph_scope="https://microsoftgraph.chinacloudapi.cn/.default",
    ),
}
#: Microsoft's own Graph roots take tokens for themselves only
#: (https://learn.microsoft.com/graph/deployments); the last one is the US government's DoD cloud.
_GRAPH_ROOTS = frozenset({*(cloud.graph for cloud in CLOUDS.values()), "dod-graph.microsoft.us"})


def load_libraries() -> None:
    """Import what the libraries put off: once for all workers, if it is done before they are forked."""
    if IMPORT_ERROR is None:
        preload.load(_LATER)


def cloud_of(auth: AzureAuth) -> Cloud:
    """The cloud that is meant, with the endpoints that are given in place of its own.

    Raises InvalidInput for an endpoint that is no host and no https URL without path.
    """
    cloud = CLOUDS[auth.cloud_environment]
    if auth.authority_host:
        cloud = dataclasses.replace(cloud, login=_endpoint("authority_host", auth.authority_host))
    if auth.arm_endpoint:
        cloud = dataclasses.replace(cloud, arm=_endpoint("arm_endpoint", auth.arm_endpoint))
    if auth.graph_endpoint:
        graph = _endpoint("graph_endpoint", auth.graph_endpoint)
        scope = f"https://{graph}/.default" if graph in _GRAPH_ROOTS else cloud.graph_scope
        cloud = dataclasses.replace(cloud, graph=graph, graph_scope=scope)
    return cloud


def _endpoint(option: str, value: str) -> str:
    """The host, and the port if any, of an endpoint; AKS's webhook sets AZURE_AUTHORITY_HOST with a trailing slash."""
    try:
        parts = urllib.parse.urlsplit(value if "://" in value else f"https://{value}")
        good = parts.scheme == "https" and parts.hostname and (parts.port or True) and "@" not in parts.netloc
    except ValueError:  # a port that is none, a bracket that is not closed
        good = False
    if not good or parts.path not in ("", "/") or parts.query or parts.fragment or re.search(r"\s", value):
        raise errors.InvalidInput(
            f"{option} is '{value}', which is not an https URL without path.",
            fix="Give the endpoint's host, for example https://host.example.",
        )
    return parts.netloc.lower()


_SERVICE_PRINCIPAL_FIX = (
    "give client_id, tenant and secret or x509_certificate_path, or set AZURE_CLIENT_ID, AZURE_TENANT_ID and one of "
    "AZURE_CLIENT_SECRET, AZURE_CLIENT_CERTIFICATE_PATH and AZURE_FEDERATED_TOKEN_FILE"
)
_CLI_FIX = "log in with 'az login'"
_MSI_FIX = "run on a machine with a managed identity"

#: What to do about the refusals of a login that are met most; for the others the code says enough.
AADSTS_FIXES: t.Final[Mapping[str, str]] = {
    "AADSTS700016": "Check client_id (AZURE_CLIENT_ID) and tenant (AZURE_TENANT_ID): the tenant has no such "
    "application.",
    "AADSTS7000215": "Give the secret's value, not its ID, in secret (AZURE_CLIENT_SECRET).",
    "AADSTS7000222": "The client secret has expired: make a new one and give it in secret (AZURE_CLIENT_SECRET).",
    "AADSTS7000229": "The application has no service principal in the tenant: create one.",
    "AADSTS90002": "Check tenant (AZURE_TENANT_ID): there is no such tenant in this cloud (cloud_environment).",
    "AADSTS700211": "No federated identity credential of the application has the token's issuer.",
    "AADSTS700212": "No federated identity credential of the application has the token's audience.",
    "AADSTS700213": "No federated identity credential of the application has the token's subject.",
}


def transport_options(transport: Transport) -> dict[str, t.Any]:
    """Keyword arguments for every azure-core pipeline. Raises InvalidInput when the CA file is missing.

    The proxy is for https only: the managed identity's endpoint is plain http and local to the machine.
    """
    options: dict[str, t.Any] = {}
    if transport.https_proxy:
        options["proxies"] = {"https": transport.https_proxy}
    if transport.ca_bundle:
        if not Path(transport.ca_bundle).is_file():
            raise errors.InvalidInput(f"ca_bundle: there is no file {transport.ca_bundle}.", fix="Name a PEM file.")
        options["connection_verify"] = transport.ca_bundle
    return options


class AzureSession:
    """One login for all of a module's Azure clients. Making it costs no request: tokens are fetched when needed."""

    def __init__(self, auth: AzureAuth, environ: Mapping[str, str] | None = None) -> None:
        """Raises MissingLibrary, MissingCredentials, or InvalidInput (no such CA or certificate file)."""
        if IMPORT_ERROR is not None:
            raise errors.MissingLibrary("azure-identity", IMPORT_ERROR)
        self.auth = auth
        self.cloud = cloud_of(auth)
        self.transport_options = transport_options(auth.transport)
        given = os.environ if environ is None else environ
        login = _Login(auth, self.cloud, self.transport_options, given)
        self.credential = shared("azure", (auth, frozenset(given.items())), login.credential)


@dataclasses.dataclass(frozen=True)
class _Login:
    """Where a credential comes from, decided by ``auth_source`` and by what is given."""

    auth: AzureAuth
    cloud: Cloud
    transport_options: Mapping[str, t.Any]
    environ: Mapping[str, str]

    def credential(self) -> TokenCredential:
        match self.auth.auth_source:
            case "cli":
                return self._cli()
            case "msi":
                return self._managed_identity()
            case "client_secret":
                return self._by_secret(self._given(self.auth.secret, "secret (AZURE_CLIENT_SECRET)"))
            case "certificate":
                path = self.auth.certificate_path
                return self._certificate(self._given(path, "x509_certificate_path (AZURE_CLIENT_CERTIFICATE_PATH)"))
            case "workload_identity":
                variables = "AZURE_FEDERATED_TOKEN_FILE nor AZURE_FEDERATED_TOKEN"
                self._given(self._token_file or self._token, variables)
                return self._by_federated_token()
            case "env":
                given = self._service_principal()
                if given is None:
                    raise errors.MissingCredentials(
                        "The options and environment variables give no Azure credentials, and auth_source is env.",
                        fix=_sentence(_SERVICE_PRINCIPAL_FIX),
                    )
                return given
            case _:
                return self._service_principal() or ChainedTokenCredential(self._managed_identity(), self._cli())

    def _cli(self) -> TokenCredential:
        # az speaks for itself: it has its own proxy and CA settings.
        return AzureCliCredential(tenant_id=self.auth.tenant or "")

    def _managed_identity(self) -> TokenCredential:
        return ManagedIdentityCredential(client_id=self.auth.client_id, **self.transport_options)

    def _service_principal(self) -> TokenCredential | None:
        """The service principal that is given, None when nothing says how it proves itself."""
        if self.auth.secret:
            return self._by_secret(self.auth.secret)
        if self.auth.certificate_path:
            return self._certificate(self.auth.certificate_path)
        if self._token_file or self._token:
            return self._by_federated_token()
        return None

    @property
    def _token_file(self) -> str | None:
        return self.environ.get("AZURE_FEDERATED_TOKEN_FILE")

    @property
    def _token(self) -> str | None:
        return self.environ.get("AZURE_FEDERATED_TOKEN")

    def _given(self, value: str | None, what: str) -> str:
        if not value:
            raise errors.MissingCredentials(
                f"auth_source is {self.auth.auth_source}, but there is no {what}.",
                fix="Give it, or choose another auth_source.",
            )
        return value

    def _by_secret(self, secret: str) -> TokenCredential:
        client_id, tenant = self._identity()
        return ClientSecretCredential(tenant, client_id, secret, **self._msal_options)

    def _by_federated_token(self) -> TokenCredential:
        client_id, tenant = self._identity()
        token_file, token = self._token_file, self._token
        if token_file:
            if not Path(token_file).is_file():
                raise errors.MissingCredentials(
                    f"AZURE_FEDERATED_TOKEN_FILE names {token_file}, which is no file.",
                    fix="Correct it, or unset it to log in in another way.",
                )
            return WorkloadIdentityCredential(
                tenant_id=tenant, client_id=client_id, token_file_path=token_file, **self._options
            )
        return ClientAssertionCredential(tenant, client_id, func=lambda: str(token), **self._options)

    def _identity(self) -> tuple[str, str]:
        client_id, tenant = self.auth.client_id, self.auth.tenant
        if not client_id or not tenant:
            missing = "client_id (AZURE_CLIENT_ID)" if not client_id else "tenant (AZURE_TENANT_ID)"
            raise errors.MissingCredentials(
                f"The Azure credentials are incomplete: a secret, certificate or token is given, but no {missing}.",
                fix=f"Give {missing} too, or remove the other.",
            )
        if not re.fullmatch(r"[A-Za-z0-9.-]+", tenant):  # azure-identity takes no other, and raises a bare ValueError
            raise errors.InvalidInput(
                f"tenant (AZURE_TENANT_ID) is '{tenant}', which is no tenant.",
                fix="Give the tenant's ID, or one of its domain names.",
            )
        return client_id, tenant

    def _certificate(self, path: str) -> TokenCredential:
        client_id, tenant = self._identity()
        password = self.auth.certificate_password
        try:
            return CertificateCredential(tenant, client_id, path, password=password, **self._msal_options)
        except (OSError, ValueError, TypeError) as error:  # TypeError: a password too much or too little
            raise errors.InvalidInput(
                f"x509_certificate_path: {path} can't be used: {_one_line(str(error))}.",
                fix="Name a PEM file with the certificate and its private key, and give the key's password, if it has "
                "one, in x509_certificate_password.",
            ) from error

    @property
    def _options(self) -> dict[str, t.Any]:
        return {"authority": f"https://{self.cloud.login}", **self.transport_options}

    @property
    def _msal_options(self) -> dict[str, t.Any]:
        """For credentials that are built on MSAL.

        The hosts are the table's own, so asking the public cloud whether they exist would only cost requests.
        """
        return {**self._options, "disable_instance_discovery": True}


@contextlib.contextmanager
def login_errors(service: str, action: str) -> Iterator[None]:
    """Turn failures of the login and of the network inside the block into the collection's errors.

    ``action`` is a verb phrase that completes "<service> failed while ...". A service's own refusals
    (HttpResponseError) are the caller's to translate.
    """
    try:
        with answers.understood(service, action):
            yield
    except ClientAuthenticationError as error:
        failure = login_failure(error, action)
        if failure is None:
            raise
        raise failure from error
    except (ServiceRequestError, ServiceResponseError) as error:
        raise unreachable(service, action, str(error)) from error


def login_failure(error: ClientAuthenticationError, action: str) -> errors.AksAmpError | None:
    """What a failed login means; None when the error is a service's refusal of a token that was supplied."""
    text = str(error.message)
    code = re.search(r"AADSTS\d+", text)
    if code:
        return refused_by_entra(text, code[0], "logging in", fix=AADSTS_FIXES.get(code[0], ""))
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, (ServiceRequestError, ServiceResponseError)):
            return unreachable(ENTRA, "logging in", str(cause))
        cause = cause.__cause__
    if isinstance(error, CredentialUnavailableError) or error.response is None:
        return errors.MissingCredentials(
            f"No Azure credentials for {action}: {_attempts(text)}.",
            fix=_sentence(f"{_SERVICE_PRINCIPAL_FIX}; or {_CLI_FIX}; or {_MSI_FIX}"),
        )
    return None


def unreachable(service: str, action: str, detail: str) -> errors.Unreachable:
    """The error for a service from which no answer came."""
    return errors.Unreachable(
        service=service,
        action=action,
        detail=_one_line(detail),
        fix="Check that this machine reaches it (https_proxy) and trusts its certificate (ca_bundle).",
    )


def refused_by_entra(text: str, code: str, action: str, *, fix: str = "") -> errors.CloudError:
    """The error for a refusal of the login service. ``text`` is its message, ``code`` is ``AADSTS`` and a number."""
    trace = re.search(r"Trace ID: ([0-9a-f-]+)", text)
    # Entra appends its identifiers and a timestamp to the message; the first of them is kept as request id.
    message = re.sub(r"\s*(Trace ID|Correlation ID|Timestamp): .*", "", text, flags=re.DOTALL)
    detail = message.partition(f"{code}:")[2] or message
    return errors.CloudError(
        service=ENTRA,
        action=action,
        code=code,
        detail=_one_line(detail),
        request_id=trace[1] if trace else "",
        fix=fix,
    )


def _attempts(text: str) -> str:
    """azure-identity's account of a failed login, without its headline and its link to general advice."""
    tried = text.partition("Attempted credentials:")[2] or text
    lines = [line.strip().rstrip(".") for line in tried.partition("To mitigate this issue")[0].splitlines()]
    return "; ".join(line for line in lines if line)


def _one_line(text: str) -> str:
    return " ".join(text.split()).rstrip(".")


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
