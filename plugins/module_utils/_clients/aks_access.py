# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to an AKS cluster's API server by what Azure Resource Manager hands out, without kubelogin.

https://learn.microsoft.com/rest/api/aks/managed-clusters/list-cluster-user-credentials. The kubeconfig and what is in
it stay in memory. TLS wants a client certificate in a file; that is needed only where there is no token, and the file
has no name in any folder.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import ssl
import tempfile
import typing as t
from collections.abc import Mapping

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients import azure, https, run_command
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.arm_errors import SERVICE as ARM
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.arm_errors import arm_errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube_http import (
    SERVICE,
    Advice,
    HttpTransport,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import AksCredential, Transport
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text import yaml_text

try:
    import urllib3
    from azure.mgmt.containerservice import ContainerServiceClient
    from azure.mgmt.containerservice import models as sdk
except ImportError as error:  # the sanity tests import modules without any SDK
    IMPORT_ERROR: ImportError | None = error
else:
    IMPORT_ERROR = None

if t.TYPE_CHECKING:
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.aks_ids import ClusterRef
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients import kube_http
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import AksAccess, KubeAuth

LIBRARY = "azure-mgmt-containerservice"

#: The first version whose models are mappings by ARM's own names.
LIBRARY_SINCE = "41.0.0"

#: The AKS server application, for which clusters with Entra take access tokens. It has the same ID in every cloud.
AKS_SERVER_APPLICATION: t.Final = "6dae42f8-4368-4678-94ff-3960e28e3630"

_ACTION: t.Final = "Microsoft.ContainerService/managedClusters/"
_ROLES: t.Final = {
    AksCredential.USER: "Azure Kubernetes Service Cluster User Role",
    AksCredential.ADMIN: "Azure Kubernetes Service Cluster Admin Role",
}
#: The beginning of the message by which AKS refuses the administrator's credential; its code is a mere BadRequest.
_NO_LOCAL_ACCOUNTS: t.Final = "Getting static credential"

_ENTRA_ADVICE: t.Final = "Log in to the tenant that the cluster trusts (aks.tenant), as somebody whom it knows."
_STATIC_ADVICE: t.Final = "Rerun: the cluster's certificates may just have been rotated."
_AZURE_RBAC: t.Final = (
    " or, where the cluster uses Azure RBAC, by a role such as Azure Kubernetes Service RBAC Writer on it"
)


@dataclasses.dataclass(frozen=True)
class Credential:
    """What a kubeconfig of Azure's says. Texts are PEM; empty ones stand for what it lacks.

    With ``entra_server`` the cluster takes access tokens for that application, and the kubeconfig holds no credential.
    """

    server: str
    ca: str
    token: str = dataclasses.field(default="", repr=False)
    certificate: str = dataclasses.field(default="", repr=False)
    key: str = dataclasses.field(default="", repr=False)
    entra_server: str = ""


def transport(auth: KubeAuth) -> kube_http.Transport:
    """The way to the cluster that ``auth.aks`` asks for.

    Raises MissingLibrary, MissingCredentials, InvalidInput, NotFound, NotReady, Refused, or what Azure refuses.
    """
    if IMPORT_ERROR is not None:
        raise errors.MissingLibrary(LIBRARY, IMPORT_ERROR)
    if not issubclass(sdk.ManagedCluster, Mapping):
        raise errors.MissingLibrary(f"{LIBRARY} {LIBRARY_SINCE}", ImportError("an older version is installed"))
    access = auth.aks
    if access is None:
        raise ValueError("auth names no AKS cluster")
    session = azure.AzureSession(access.azure)
    ref = access.ref

    def token(scope: str, action: str) -> str:
        """An access token; azure-identity keeps it until it is about to expire."""
        with azure.login_errors(SERVICE, action):
            return session.credential.get_token(scope).token

    if access.credential is AksCredential.RUN_COMMAND:
        return run_command.RunCommandTransport(
            _connect(session, ref),
            ref,
            lambda: token(_scope(AKS_SERVER_APPLICATION), f"logging in to {ref}"),
            poll_interval=access.poll_interval,
            wait_timeout=access.wait_timeout,
        )
    credential = _credential(session, ref, access)

    def authorization() -> dict[str, str]:
        """Nothing where a client certificate does it."""
        bearer = credential.token
        if credential.entra_server:
            bearer = token(_scope(credential.entra_server), f"logging in to {ref}")
        return {"authorization": f"Bearer {bearer}"} if bearer else {}

    advice = _advice(ref, entra=bool(credential.entra_server))
    return HttpTransport(credential.server, connection_pool(credential, auth), authorization, advice)


def _connect(session: azure.AzureSession, ref: ClusterRef) -> ContainerServiceClient:
    return ContainerServiceClient(
        session.credential,
        ref.subscription_id,
        base_url=f"https://{session.cloud.arm}",
        credential_scopes=[session.cloud.arm_scope],
        **session.transport_options,
    )


def _scope(application: str) -> str:
    return f"{application}/.default"


def _advice(ref: ClusterRef, *, entra: bool) -> Advice:
    return Advice(
        unreachable=f"Check that {ref} is running and that this machine has a route to it (proxy). For a private "
        "cluster set aks.public_fqdn if it has a public name, or aks.access to run_command.",
        unauthorized=_ENTRA_ADVICE if entra else _STATIC_ADVICE,
        forbidden=_AZURE_RBAC if entra else "",
        no_api="Check that proxy leads to the cluster's API server.",
    )


def _credential(session: azure.AzureSession, ref: ClusterRef, access: AksAccess) -> Credential:
    """Ask Azure for a kubeconfig. That changes nothing, though it is a POST."""
    admin = access.credential is AksCredential.ADMIN
    who = "administrator" if admin else "user"
    action = f"getting the {who}'s credential of {ref}"
    right = f"{_ACTION}listCluster{'Admin' if admin else 'User'}Credential/action"
    server_fqdn = "public" if access.public_fqdn else None
    with (
        _connect(session, ref) as client,
        _refusals(access, ref),
        arm_errors(action, ref, right),
    ):
        clusters = client.managed_clusters
        if admin:
            results = clusters.list_cluster_admin_credentials(ref.resource_group, ref.name, server_fqdn=server_fqdn)
        else:
            results = clusters.list_cluster_user_credentials(ref.resource_group, ref.name, server_fqdn=server_fqdn)
    for result in results.kubeconfigs or ():
        if result.value:
            return parse_kubeconfig(bytes(result.value), action)
    raise errors.CloudError(service=ARM, action=action, detail="the answer holds no kubeconfig")


@contextlib.contextmanager
def _refusals(access: AksAccess, ref: ClusterRef) -> t.Iterator[None]:
    """Say of a refusal what it means here."""
    try:
        yield
    except errors.Forbidden as error:
        role = _ROLES[access.credential]
        error.fix = f"{error.fix} The least role for it is {role}.".strip()
        raise
    except errors.CloudError as error:
        if error.status == 400 and error.detail.startswith(_NO_LOCAL_ACCOUNTS):
            raise errors.Refused(
                f"{ref} has local accounts disabled, so there is no administrator's credential.",
                fix="Set aks.access to user, which logs in by Microsoft Entra.",
            ) from error
        raise


def parse_kubeconfig(text: bytes, action: str) -> Credential:
    """What a kubeconfig of Azure's says of its current context.

    Raises CloudError, without a word of the text, when it is malformed or wants a login that is not Entra's.
    """
    try:
        config = yaml_text.load(text.decode("utf-8"))
        context = _named(config, "contexts", config["current-context"])["context"]
        cluster = _named(config, "clusters", context["cluster"])["cluster"]
        user = _named(config, "users", context["user"])["user"] or {}
        credential = Credential(
            server=str(cluster["server"]).rstrip("/"),
            ca=_pem(cluster, "certificate-authority-data"),
            token=str(user.get("token") or ""),
            certificate=_pem(user, "client-certificate-data"),
            key=_pem(user, "client-key-data"),
            entra_server=_entra_server(user),
        )
    except (yaml_text.YamlProblem, KeyError, TypeError, ValueError, AttributeError):
        raise errors.CloudError(
            service=ARM, action=action, detail="the kubeconfig in the answer is malformed"
        ) from None
    if not (credential.token or (credential.certificate and credential.key) or credential.entra_server):
        raise errors.CloudError(
            service=ARM,
            action=action,
            detail="the kubeconfig in the answer holds neither a credential nor a login by Microsoft Entra",
            fix="Use a kubeconfig of your own (kubeconfig) in place of aks.",
        )
    return credential


def _named(config: t.Any, section: str, name: str) -> t.Any:
    """An entry of a kubeconfig's list. Raises KeyError."""
    for entry in config[section]:
        if entry["name"] == name:
            return entry
    raise KeyError(section)


def _pem(section: t.Any, key: str) -> str:
    """The text behind an entry in base64. Raises ValueError."""
    data = section.get(key)
    return base64.b64decode(str(data), validate=True).decode("ascii") if data else ""


def _entra_server(user: t.Any) -> str:
    """The application for which a user's login plugin would get an access token; empty without such a plugin."""
    plugin = user.get("exec")
    if plugin and str(plugin["command"]).rpartition("/")[2].startswith("kubelogin"):
        arguments = [str(argument) for argument in plugin.get("args") or ()]
        if "--server-id" in arguments[:-1]:
            return arguments[arguments.index("--server-id") + 1]
        return AKS_SERVER_APPLICATION
    provider = user.get("auth-provider")
    if provider and provider["name"] == "azure":
        return str((provider.get("config") or {}).get("apiserver-id") or AKS_SERVER_APPLICATION)
    return ""


def connection_pool(credential: Credential, auth: KubeAuth) -> t.Any:
    """urllib3's pool for the API server, with TLS by what Azure says of it."""
    verify = auth.validate_certs is not False
    try:
        context = _tls(credential, verify=verify)
        proxy = auth.proxy or https.proxy_for(credential.server, Transport())
        return urllib3.ProxyManager(proxy, ssl_context=context) if proxy else urllib3.PoolManager(ssl_context=context)
    except ssl.SSLError as error:
        raise errors.CloudError(
            service=ARM,
            action="reading the certificates of the kubeconfig in the answer",
            detail=error.reason or "they are malformed",
        ) from None
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        raise errors.InvalidInput(
            f"The API server {credential.server} can't be addressed: {error}.", fix="Correct proxy."
        ) from error


def _tls(credential: Credential, *, verify: bool) -> ssl.SSLContext:
    # Not create_default_context: since Python 3.13 that demands of authorities what Kubernetes' own often lack.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if credential.ca:
        context.load_verify_locations(cadata=credential.ca)
    else:
        context.load_default_certs()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    # A token says the same and needs no file.
    if not credential.token and credential.certificate and credential.key:
        with _nameless(credential.certificate) as certificate, _nameless(credential.key) as key:
            context.load_cert_chain(certificate, key)
    return context


@contextlib.contextmanager
def _nameless(text: str) -> t.Iterator[str]:
    """A path to a file that is in no folder, so that nothing of it is left, however the process ends."""
    with tempfile.TemporaryFile(prefix="aks-amp-") as file:
        file.write(f"{text.rstrip()}\n".encode("ascii"))
        file.flush()
        file.seek(0)  # some systems share the position with who opens the path
        yield f"/dev/fd/{file.fileno()}"
