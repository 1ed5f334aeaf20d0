# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refusals of the services as their libraries raise them, by their titles on the page of error texts.

Each function gives the error that the collection makes of one; what the services say is written with "..." for what
differs from case to case.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import json
import threading
import typing as t

import botocore.exceptions
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.identity import CredentialUnavailableError
from msgraph.generated.models.o_data_errors.main_error import MainError
from msgraph.generated.models.o_data_errors.o_data_error import ODataError

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.aks_ids import ClusterRef
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients import arm_errors, aws, azure, graph
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube import KubeClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import CONFIG_MAP, SERVICE_ACCOUNT
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import KubeAuth

Failure = t.Callable[[], errors.AksAmpError]

CLUSTER: t.Final = ClusterRef("00000000-0000-0000-0000-000000000000", "rg-payments", "payments-prod")
READING_ROLE: t.Final = "reading IAM role AKS-Prometheus-AMP-Role"
UPDATING: t.Final = "updating AKS cluster payments-prod"


def _aws(code: str, message: str, *, operation: str = "GetRole", action: str = READING_ROLE) -> Failure:
    answer: t.Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": 403}}
    return lambda: aws.refusal(botocore.exceptions.ClientError(answer, operation), "iam", action)


@dataclasses.dataclass(frozen=True)
class _ArmAnswer:
    """As much of an answer as azure-core's error reads."""

    status_code: int
    body: dict[str, t.Any]
    reason: str = ""
    headers: dict[str, str] = dataclasses.field(default_factory=dict)

    def text(self, encoding: str | None = None) -> str:  # noqa: ARG002  # azure-core's form
        return json.dumps(self.body)


def _arm(status: int, code: str, message: str, *, permission: str = "write") -> Failure:
    def failure() -> errors.AksAmpError:
        answer: t.Any = _ArmAnswer(status, {"error": {"code": code, "message": message}})
        right = f"Microsoft.ContainerService/managedClusters/{permission}"
        try:
            with arm_errors.arm_errors(UPDATING, CLUSTER, right, sends_write=True):
                raise HttpResponseError(response=answer)
        except errors.AksAmpError as error:
            return error

    return failure


def _login(error: ClientAuthenticationError) -> Failure:
    def failure() -> errors.AksAmpError:
        found = azure.login_failure(error, UPDATING)
        assert found is not None
        return found

    return failure


def _graph(status: int, code: str, message: str) -> Failure:
    def failure() -> errors.AksAmpError:
        answer = ODataError(error=MainError(code=code, message=message))
        answer.response_status_code = status
        return graph.refusal(answer, "creating application Prometheus-AMP-Federation", writes=True)

    return failure


@contextlib.contextmanager
def _api_server(status: int, body: dict[str, t.Any]) -> t.Iterator[str]:
    """An API server that gives one answer to everything."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            content = json.dumps(body).encode()
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

        do_GET = do_POST = answer  # noqa: N815  # http.server's names

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def _kube(status: int, reason: str, message: str, **details: t.Any) -> Failure:
    body = {"kind": "Status", "apiVersion": "v1", "message": message, "reason": reason, "details": details}
    return lambda: _refused_by_kubernetes(status, body)


def _refused_by_kubernetes(status: int, body: dict[str, t.Any]) -> errors.AksAmpError:
    with _api_server(status, body) as url:
        client = KubeClient(KubeAuth(host=url, api_key="unit-test-token"))
        try:
            if status == 401:
                client.get(CONFIG_MAP.at("prometheus-config", "monitoring"))
            client.create(SERVICE_ACCOUNT.at("prometheus-sa", "monitoring"), {})
        except errors.AksAmpError as error:
            return error
    raise AssertionError(f"{status} was accepted")


_AWS: t.Final[t.Mapping[str, Failure]] = {
    "is not authorized to perform: iam:...": _aws(
        "AccessDenied",
        "User: arn:aws:iam::...:user/... is not authorized to perform: iam:GetRole on resource: role ... because no "
        "identity-based policy allows the iam:GetRole action",
    ),
    "with an explicit deny": _aws(
        "AccessDenied",
        "User: arn:aws:iam::...:user/... is not authorized to perform: iam:CreateRole on resource: ... with an "
        "explicit deny in a service control policy",
        operation="CreateRole",
        action="creating IAM role AKS-Prometheus-AMP-Role",
    ),
    "ExpiredToken, InvalidClientTokenId, SignatureDoesNotMatch": _aws(
        "ExpiredToken", "The security token included in the request is expired"
    ),
    "LimitExceeded": _aws(
        "LimitExceeded",
        "Cannot exceed quota for OpenIdConnectProvidersPerAccount: 100",
        operation="CreateOpenIDConnectProvider",
        action="creating the IAM OIDC provider of https://...",
    ),
    "OpenIdIdpCommunicationError": _aws(
        "OpenIdIdpCommunicationError",
        "...",
        operation="CreateOpenIDConnectProvider",
        action="creating the IAM OIDC provider of https://...",
    ),
    "Throttling: Rate exceeded": _aws("Throttling", "Rate exceeded"),
    "Unable to locate credentials": lambda: aws.failure(
        botocore.exceptions.NoCredentialsError(), "iam", "asking for the caller's AWS account"
    ),
    "You must specify a region": lambda: aws.failure(
        botocore.exceptions.NoRegionError(), "amp", "listing the AMP workspaces"
    ),
}

_AZURE: t.Final[t.Mapping[str, Failure]] = {
    "AuthorizationFailed": _arm(
        403,
        "AuthorizationFailed",
        "The client '...' with object id '...' does not have authorization to perform action "
        "'Microsoft.ContainerService/managedClusters/write' over scope '...' or the scope is invalid",
    ),
    "LinkedAuthorizationFailed": _arm(
        403,
        "LinkedAuthorizationFailed",
        "The client '...' with object id '...' has permission to perform action "
        "'Microsoft.ContainerService/managedClusters/write' on scope '...'; however, it does not have permission to "
        "perform action(s) 'Microsoft.OperationalInsights/workspaces/sharedkeys/read' on the linked scope(s) '...' "
        "(respectively) or the linked scope(s) are invalid.",
    ),
    "OperationNotAllowed, EtagMismatch": _arm(
        409,
        "OperationNotAllowed",
        "Operation is not allowed: Another operation (Updating) is in progress, please wait for it to finish before "
        "starting a new operation. See https://aka.ms/aks-pending-operation for more details",
    ),
    "ResourceNotFound": _arm(404, "ResourceNotFound", "The Resource '...' under resource group '...' was not found."),
    "ResourceGroupNotFound": _arm(404, "ResourceGroupNotFound", "Resource group '...' could not be found."),
    "SubscriptionNotFound": _arm(404, "SubscriptionNotFound", "The subscription '...' could not be found."),
    "InvalidAuthenticationToken": _arm(401, "InvalidAuthenticationToken", "The access token is invalid."),
    "No Azure credentials": _login(
        CredentialUnavailableError(
            "ChainedTokenCredential failed to retrieve a token from the included credentials.\nAttempted credentials:\n"
            "\tManagedIdentityCredential: ManagedIdentityCredential authentication unavailable, no response from the "
            "IMDS endpoint.\n\tAzureCliCredential: Please run 'az login' to set up an account\nTo mitigate this issue"
        )
    ),
    "Authorization_RequestDenied": _graph(
        403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation."
    ),
    "uniqueName": _graph(
        400, "Request_BadRequest", "Another object with the same value for property uniqueName already exists."
    ),
    "TooManyRequests": _graph(429, "TooManyRequests", "Too many requests."),
}

_KUBERNETES: t.Final[t.Mapping[str, Failure]] = {
    "Unauthorized": _kube(401, "Unauthorized", "Unauthorized"),
    "is forbidden: User ... cannot create resource": _kube(
        403,
        "Forbidden",
        'serviceaccounts is forbidden: User "..." cannot create resource "serviceaccounts" in API group "" in the '
        'namespace "monitoring"',
    ),
    "admission webhook denied the request": _kube(
        403,
        "Forbidden",
        'admission webhook "validation.gatekeeper.sh" denied the request: [owners] you must provide labels: {"owner"}',
    ),
    "failed calling webhook": _kube(
        500,
        "InternalError",
        'Internal error occurred: failed calling webhook "validate.kyverno.svc-fail": failed to call webhook: ... no '
        'endpoints available for service "kyverno-svc"',
    ),
    "being terminated": _kube(
        403,
        "Forbidden",
        'serviceaccounts "prometheus-sa" is forbidden: unable to create new content in namespace monitoring because it '
        "is being terminated",
        causes=[{"reason": "NamespaceTerminating"}],
    ),
}


def _no_kubeconfig() -> errors.AksAmpError:
    try:
        KubeClient(KubeAuth(kubeconfig="/home/me/.kube/payments"))
    except errors.AksAmpError as error:
        return error
    raise AssertionError("a kubeconfig was found")


_MACHINE: t.Final[t.Mapping[str, Failure]] = {
    "The Python library ... can't be imported": lambda: errors.MissingLibrary(
        "boto3", ImportError("No module named 'boto3'")
    ),
    "there is no file": _no_kubeconfig,
}

FAILURES: t.Final[t.Mapping[str, t.Mapping[str, Failure]]] = {
    "AWS refuses Ansible": _AWS,
    "Azure refuses Ansible": _AZURE,
    "Kubernetes refuses Ansible": _KUBERNETES,
    "The machine that runs Ansible": _MACHINE,
}
