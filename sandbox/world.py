# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the sandbox's services share: the clusters, their signing keys, the samples and the request log.

Each service keeps its own objects; only what one service must see of another lives here.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import itertools
import secrets
import threading
import time
import typing as t
import uuid

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.faults import Faults
from sandbox.rights import Rights

Json = dict[str, t.Any]

AWS_ACCOUNT = "123456789012"
AZURE_SUBSCRIPTION = "0b1f6471-1bf0-4dda-aec3-cb9272f09590"
AZURE_TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"

# The controller's credentials in the sandbox. Each service refuses all others.
CONTROLLER_CLIENT_ID = "5f6e2d9c-3c1a-4b7e-9d43-0a8c1b2f7e11"
CONTROLLER_CLIENT_SECRET = "sandbox-client-secret"
CONTROLLER_AWS_ACCESS_KEY = "AKIASANDBOXCONTROLER"
CONTROLLER_AWS_SECRET_KEY = "sandbox-aws-secret-key"


@dataclasses.dataclass(frozen=True)
class LoggedRequest:
    """One request as a service saw it. ``write`` is true when an object changed or a sample was stored."""

    number: int
    seconds: float
    service: str  # arm, graph, login, oidc, iam, sts, aps, aps-workspaces, kubernetes/<cluster>
    method: str
    path: str  # no query string: it may carry filters only, never secrets
    operation: str  # the API's own name of the operation where it has one, else ""
    status: int
    write: bool
    fault: str = ""  # the kind of the fault that struck it, see sandbox.faults; status 0: it was not handled
    internal: bool = False  # sent by a service of the sandbox, as STS reads an issuer's keys, and not by a client


class RequestLog:
    """An append-only, thread-safe list of requests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: list[LoggedRequest] = []
        self._numbers = itertools.count(1)
        self._start = time.monotonic()

    def record(
        self,
        *,
        service: str,
        method: str,
        path: str,
        operation: str,
        status: int,
        write: bool,
        fault: str = "",
        internal: bool = False,
    ) -> None:
        with self._lock:
            self._requests.append(
                LoggedRequest(
                    number=next(self._numbers),
                    seconds=round(time.monotonic() - self._start, 4),
                    service=service,
                    method=method,
                    path=path,
                    operation=operation,
                    status=status,
                    write=write,
                    fault=fault,
                    internal=internal,
                )
            )

    def since(self, number: int = 0) -> tuple[LoggedRequest, ...]:
        """All requests with a number greater than ``number``, oldest first."""
        with self._lock:
            return tuple(request for request in self._requests if request.number > number)


class SigningKey:
    """An RSA key with the ``kid`` that Kubernetes would give it (RFC 7517, RS256).

    It is made when it is first used: making one takes longer than all else that a reset of the sandbox does.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: rsa.RSAPrivateKey | None = None

    @property
    def kid(self) -> str:
        der = self._private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()

    def sign(self, claims: Json) -> str:
        return jwt.encode(claims, self._private, algorithm="RS256", headers={"kid": self.kid})

    def jwk(self) -> Json:
        key: Json = jwt.algorithms.RSAAlgorithm.to_jwk(self._private.public_key(), as_dict=True)
        return {"use": "sig", "kty": key["kty"], "kid": self.kid, "alg": "RS256", "n": key["n"], "e": key["e"]}

    @property
    def _private(self) -> rsa.RSAPrivateKey:
        with self._lock:
            if self._made is None:
                self._made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            return self._made


@dataclasses.dataclass
class Subscription:
    """An Azure subscription that the controller sees. Its role may not cover AKS clusters there (``readable``)."""

    id: str
    name: str
    state: str = "Enabled"
    readable: bool = True


@dataclasses.dataclass
class AksCluster:
    """A managed cluster: ARM's body of it and what hangs on it."""

    subscription: str
    resource_group: str
    name: str
    tenant: str
    issuer_guid: str  # random and immutable for the cluster's life
    body: Json  # the resource as ARM answers it, without eTag
    signing_key: SigningKey = dataclasses.field(default_factory=SigningKey)
    former_signing_key: SigningKey | None = None  # the one before the last rotation: still listed, its tokens hold
    api_server_url: str = ""  # https://127.0.0.1:<port>, known when its API server listens
    api_server_ca: str = ""  # PEM of the authority that signed its certificate; ARM puts it into kubeconfigs
    admin_token: str = dataclasses.field(default_factory=lambda: secrets.token_hex(32))  # a cluster administrator's
    api_server_app: t.Any = None  # the WSGI application of its API server, for commands that run in the cluster
    published_keys: t.Callable[[], list[Json]] | None = None  # of an external API server, which signs by itself

    @property
    def location(self) -> str:
        return str(self.body["location"])

    @property
    def listed_keys(self) -> tuple[SigningKey, ...]:
        """The keys whose tokens hold, the one that signs first."""
        return (self.signing_key, *([self.former_signing_key] if self.former_signing_key else []))

    def key_set(self) -> list[Json]:
        """The keys that the issuer publishes, as JWKs. Raises OSError when an external API server does not tell."""
        return self.published_keys() if self.published_keys else [key.jwk() for key in self.listed_keys]

    def verification_key(self, kid: object) -> SigningKey | None:
        """The listed key with this ID."""
        return next((key for key in self.listed_keys if key.kid == kid), None)

    def rotate_signing_key(self) -> None:
        """Sign with a new key. The one before stays listed; a still older one is dropped, and its tokens with it."""
        self.former_signing_key, self.signing_key = self.signing_key, SigningKey()

    @property
    def issuer_url(self) -> str:
        """The OIDC issuer that AKS gives the cluster; it serves discovery only while the issuer is enabled."""
        return f"https://{self.location}.oic.prod-aks.azure.com/{self.tenant}/{self.issuer_guid}/"

    @property
    def issuer_enabled(self) -> bool:
        return bool(self.body["properties"].get("oidcIssuerProfile", {}).get("enabled"))

    @property
    def token_issuer(self) -> str:
        """The ``iss`` of service-account tokens: the API server's own name until the OIDC issuer is on."""
        return self.issuer_url if self.issuer_enabled else f"https://{self.body['properties']['fqdn']}"


@dataclasses.dataclass
class UserAssignedIdentity:
    """A user-assigned managed identity. Its credentials have ``name``, ``issuer``, ``subject`` and ``audiences``."""

    subscription: str
    resource_group: str
    name: str
    location: str = "westeurope"
    tenant: str = AZURE_TENANT
    client_id: str = dataclasses.field(default_factory=lambda: str(uuid.uuid4()))
    principal_id: str = dataclasses.field(default_factory=lambda: str(uuid.uuid4()))  # its service principal
    credentials: list[Json] = dataclasses.field(default_factory=list)
    busy_until: float = 0.0  # on the monotonic clock; another write to its credentials is refused until then

    @property
    def id(self) -> str:
        return (
            f"/subscriptions/{self.subscription}/resourcegroups/{self.resource_group}"
            f"/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{self.name}"
        )

    def credential(self, name: str) -> Json | None:
        """ARM names are case-insensitive."""
        return next((one for one in self.credentials if one["name"].lower() == name.lower()), None)


@dataclasses.dataclass(frozen=True)
class Sample:
    """One sample that the workspace stored."""

    workspace_id: str
    labels: tuple[tuple[str, str], ...]
    value: float
    timestamp_ms: int
    role_arn: str  # whose session wrote it
    session_arn: str = ""  # the session; empty when a user wrote it
    federated_by: str = ""  # the OIDC provider's ARN when a web identity opened the session


@dataclasses.dataclass(frozen=True)
class Exchange:
    """A service-account token that STS accepted and gave a session for."""

    role_arn: str
    session_arn: str
    subject: str
    audience: str
    token_sha256: str  # lower-case hex; the token itself is not kept
    expires: float  # of the session, seconds since the epoch


@dataclasses.dataclass
class Settings:
    """Behaviour that tests and the demo may choose when the sandbox starts."""

    aks_operation_seconds: float = 1.0
    aks_retry_after: int | None = None  # the recorded service sends none
    aks_etags: bool = True
    aks_etag_conflict_status: t.Literal[409, 412] = 412  # the contract says 412; 409 EtagMismatch is seen in the field
    aks_busy_code: t.Literal["OperationNotAllowed", "EtagMismatch"] = (
        "OperationNotAllowed"  # both are seen in the field
    )
    aks_operation_error: str = ""  # the code with which the next operation fails, once
    aks_run_command_seconds: float = 0.1  # how long a command takes that ARM runs in a cluster
    arm_page_size: int = 100
    entra_token_seconds: int = 3599  # lifetime of access tokens
    entra_refusal_code: int = 0  # AADSTS code that refuses every assertion, for a reason outside of the sandbox
    entra_single_mismatch_code: bool = False  # AADSTS70021 for what now are several codes
    graph_page_size: int = 100
    graph_replication_seconds: float = 0.0
    iam_propagation_seconds: float = 0.0
    aps_receiver: str = ""  # URL of a Prometheus on loopback that stores what workspaces take and answers queries
    sts_refusal_code: str = ""  # code that refuses every identity token, for a reason outside of the sandbox
    sts_longest_session_seconds: int = 0  # sessions end after this time, however long they were asked for; 0: no limit
    identity_write_seconds: float = 0.0  # how long a managed identity takes no second write to its credentials


class World:
    """Everything that more than one service needs. ``lock`` guards all state of all services."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.lock = threading.RLock()
        self.settings = settings or Settings()
        self.log = RequestLog()
        self.faults = Faults()
        self.entra_key = SigningKey()  # signs the tenant's access tokens
        self.subscriptions = [Subscription(AZURE_SUBSCRIPTION, "fleet")]
        self.clusters: list[AksCluster] = []
        self.identities: list[UserAssignedIdentity] = []
        self.client_certificates: dict[str, list[str]] = {}  # PEM, by the application's client id
        self.missing_rights: set[str] = set()  # that the controller lacks: actions of ARM, permissions of Graph
        self.rights = Rights()  # what the controller has
        self.granted: set[str] = set()  # rights that were asked for and found, as the services name them
        self.samples: list[Sample] = []
        self.exchanges: list[Exchange] = []

    def cluster_of_issuer(self, issuer: str) -> AksCluster | None:
        """The cluster whose enabled issuer is exactly this URL."""
        with self.lock:
            return next((c for c in self.clusters if c.issuer_enabled and c.issuer_url == issuer), None)

    def find_identity(self, subscription: str, resource_group: str, name: str) -> UserAssignedIdentity | None:
        """ARM names are case-insensitive."""
        wanted = (subscription.lower(), resource_group.lower(), name.lower())
        with self.lock:
            return next(
                (
                    one
                    for one in self.identities
                    if (one.subscription.lower(), one.resource_group.lower(), one.name.lower()) == wanted
                ),
                None,
            )

    def find_cluster(self, subscription: str, resource_group: str, name: str) -> AksCluster | None:
        """ARM names are case-insensitive."""
        wanted = (subscription.lower(), resource_group.lower(), name.lower())
        with self.lock:
            return next(
                (
                    c
                    for c in self.clusters
                    if (c.subscription.lower(), c.resource_group.lower(), c.name.lower()) == wanted
                ),
                None,
            )
