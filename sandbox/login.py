# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The login service of the sandbox's tenant: discovery and the token endpoint.

Host name login.microsoftonline.com and those of the national clouds. Three kinds of client get a token: the controller
with its secret, an application with a certificate that is registered for it, and an application of the directory or a
user-assigned managed identity with a Kubernetes service account's token that one of its federated identity credentials
accepts (https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow). Error codes are those
of https://learn.microsoft.com/entra/identity-platform/reference-error-codes. Nothing here is a write.
"""

from __future__ import annotations

import datetime as dt
import hmac
import time
import typing as t
import uuid

import flask
import jwt

from sandbox import client_certificates, entra_tokens, web
from sandbox.entra_tokens import CONTROLLER, Principal
from sandbox.graph.directory import Key
from sandbox.hosts import LOGIN_HOST
from sandbox.world import AZURE_TENANT, CONTROLLER_CLIENT_SECRET

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from werkzeug.exceptions import HTTPException

    from sandbox.graph.directory import Directory
    from sandbox.world import Json, World

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_DEFAULT = "/.default"
_ALIASES = ["login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"]
_CLAIM_KINDS: dict[str, tuple[type, ...]] = {
    "iss": (str,),
    "sub": (str,),
    "aud": (str, list),
    "exp": (int, float),
    "nbf": (int, float),
    "iat": (int, float),
}
_FEDERATION = "https://learn.microsoft.com/entra/workload-id/workload-identity-federation"


class LoginError(Exception):
    """A refusal by the login service: an AADSTS code, OAuth's word for it, and the status."""

    def __init__(self, code: int, message: str, *, error: str = "invalid_request", status: int = 400) -> None:
        super().__init__(f"AADSTS{code}: {message}")
        self.code = code
        self.message = message
        self.error = error
        self.status = status

    def response(self) -> flask.Response:
        now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        trace_id = str(uuid.uuid4())
        correlation_id = flask.request.headers.get("client-request-id", str(uuid.uuid4()))
        response = flask.jsonify(
            {
                "error": self.error,
                "error_description": (
                    f"AADSTS{self.code}: {self.message} Trace ID: {trace_id} Correlation ID: {correlation_id} "
                    f"Timestamp: {now}"
                ),
                "error_codes": [self.code],
                "timestamp": now,
                "trace_id": trace_id,
                "correlation_id": correlation_id,
                "error_uri": f"https://{LOGIN_HOST}/error?code={self.code}",
            }
        )
        response.status_code = self.status
        return response


class _NoMatchError(LoginError):
    """No federated identity credential fits the assertion."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code, message, error="invalid_client", status=401)


def _invalid_client(code: int, message: str) -> LoginError:
    return LoginError(code, message, error="invalid_client", status=401)


def create_app(world: World, directory: Directory) -> flask.Flask:
    """The application that answers for login.microsoftonline.com."""
    app = web.make_app(world, "login")
    tokens = _TokenEndpoint(world, directory)

    @app.get("/common/discovery/instance")
    def instance_discovery() -> flask.Response:
        web.name_operation("InstanceDiscovery")
        return flask.jsonify(_instance_discovery())

    @app.get("/<tenant>/v2.0/.well-known/openid-configuration")
    def openid_configuration(tenant: str) -> flask.Response:
        web.name_operation("OpenIdConfiguration")
        _require_tenant(tenant)
        return flask.jsonify(_openid_configuration())

    @app.get("/<tenant>/discovery/v2.0/keys")
    def keys(tenant: str) -> flask.Response:
        web.name_operation("JsonWebKeySet")
        _require_tenant(tenant)
        return flask.jsonify({"keys": [world.entra_key.jwk()]})

    @app.post("/<tenant>/oauth2/v2.0/token")
    def token(tenant: str) -> flask.Response:
        web.name_operation("GetToken")
        _require_tenant(tenant)
        with world.lock:
            return flask.jsonify(tokens.grant(flask.request.form))

    @app.errorhandler(LoginError)
    def refused(error: LoginError) -> flask.Response:
        return error.response()

    @app.errorhandler(404)
    @app.errorhandler(405)
    def unknown(error: HTTPException) -> flask.Response:
        code, message = (
            (900561, f"The endpoint only accepts POST requests. Received a {flask.request.method} request.")
            if error.code == 405
            else (90015, "The request path is not known to the login service.")
        )
        return LoginError(code, message, status=error.code or 404).response()

    @app.after_request
    def headers(response: flask.Response) -> flask.Response:
        response.headers["Cache-Control"] = "no-store, no-cache"
        response.headers["Pragma"] = "no-cache"
        response.headers["x-ms-request-id"] = str(uuid.uuid4())
        if "client-request-id" in flask.request.headers:
            response.headers["client-request-id"] = flask.request.headers["client-request-id"]
        return response

    return app


def _require_tenant(tenant: str) -> None:
    if tenant.lower() != AZURE_TENANT:
        raise LoginError(
            90002,
            f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the "
            "correct cloud. Check with your subscription administrator, this may happen if there are no active "
            "subscriptions for the tenant.",
        )


def _instance_discovery() -> Json:
    return {
        "tenant_discovery_endpoint": f"https://{LOGIN_HOST}/{AZURE_TENANT}/v2.0/.well-known/openid-configuration",
        "api-version": "1.1",
        "metadata": [{"preferred_network": LOGIN_HOST, "preferred_cache": "login.windows.net", "aliases": _ALIASES}],
    }


def _openid_configuration() -> Json:
    """The tenant's discovery document. Its addresses are those by which the client came."""
    base = f"https://{flask.request.host}/{AZURE_TENANT}"
    return {
        "token_endpoint": f"{base}/oauth2/v2.0/token",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
        "jwks_uri": f"{base}/discovery/v2.0/keys",
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": f"{base}/v2.0",
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
        "end_session_endpoint": f"{base}/oauth2/v2.0/logout",
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "tid", "ver"],
        "tenant_region_scope": "EU",
        "cloud_instance_name": "microsoftonline.com",
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": "graph.microsoft.com",
    }


class _TokenEndpoint:
    """The client credentials grant. The caller holds the world's lock."""

    def __init__(self, world: World, directory: Directory) -> None:
        self._world = world
        self._directory = directory

    def grant(self, form: t.Mapping[str, str]) -> Json:
        """The answer to a token request. Raises LoginError."""
        grant_type = _required(form, "grant_type")
        if grant_type != "client_credentials":
            message = f"The app requested an unsupported grant type '{grant_type}'."
            raise LoginError(70003, message, error="unsupported_grant_type")
        client_id = _required(form, "client_id").lower()
        audience = _audience(_required(form, "scope"))
        assertion = form.get("client_assertion")
        principal = self._client(client_id, assertion, form)
        lifetime = self._world.settings.entra_token_seconds
        return {
            "token_type": "Bearer",
            "expires_in": lifetime,
            "ext_expires_in": lifetime,
            "access_token": entra_tokens.issue(self._world, principal, audience, by_assertion=bool(assertion)),
        }

    def _client(self, client_id: str, assertion: str | None, form: t.Mapping[str, str]) -> Principal:
        """The client, authenticated by the request's assertion or secret."""
        identity = next((one for one in self._world.identities if one.client_id == client_id), None)
        if client_id == CONTROLLER.app_id:
            credentials: list[Json] = []
        elif identity is not None:
            credentials = identity.credentials
        else:
            credentials = self._directory.credentials(Key("id", self._application(client_id)["id"]))
        if assertion is None:
            _check_secret(client_id, form.get("client_secret"))
        else:
            _check_assertion_type(form.get("client_assertion_type"))
            if client_certificates.is_meant(assertion):
                self._check_certificate(client_id, assertion)
            else:
                self._check_assertion(assertion, credentials)
        if identity is not None:
            return Principal(app_id=client_id, object_id=identity.principal_id)
        return CONTROLLER if client_id == CONTROLLER.app_id else self._service_principal(client_id)

    def _check_certificate(self, client_id: str, assertion: str) -> None:
        audience = f"https://{flask.request.host}/{AZURE_TENANT}/oauth2/v2.0/token"
        registered = self._world.client_certificates.get(client_id, [])
        try:
            client_certificates.verify(assertion, client_id, audience, registered)
        except client_certificates.UnknownCertificateError as error:
            raise _invalid_client(
                700027,
                "The certificate with identifier used to sign the client assertion is not registered on application. "
                f"[Reason - The key was not found., Thumbprint of key used by client: '{error}'].",
            ) from error
        except jwt.InvalidTokenError as error:
            raise _invalid_client(
                700027, f"Client assertion failed signature validation. [Reason - {error}.]"
            ) from error

    def _application(self, client_id: str) -> Json:
        for application in self._directory.applications():
            if application["appId"] == client_id:
                return application
        raise LoginError(
            700016,
            f"Application with identifier '{client_id}' was not found in the directory '{AZURE_TENANT}'. This can "
            "happen if the application has not been installed by the administrator of the tenant or consented to by "
            "any user in the tenant. You may have sent your authentication request to the wrong tenant.",
            error="unauthorized_client",
        )

    def _service_principal(self, client_id: str) -> Principal:
        for principal in self._directory.service_principals():
            if principal["appId"] == client_id:
                _require_enabled(principal)
                return Principal(app_id=client_id, object_id=principal["id"])
        raise _invalid_client(
            7000229,
            f"The client application {client_id} is missing service principal in the tenant {AZURE_TENANT}. See "
            "instructions here: https://go.microsoft.com/fwlink/?linkid=2225119",
        )

    def _check_assertion(self, assertion: str, credentials: Iterable[Json]) -> None:
        """Accept a token that a federated identity credential names by issuer, subject and audience, each exactly,
        and that its issuer signed and has not let expire. Raises LoginError.
        """
        claims = _claims(assertion)
        settings = self._world.settings
        if settings.entra_refusal_code:
            raise _refused_by_policy(settings.entra_refusal_code, claims)
        try:
            _match_credential(claims, credentials)
        except _NoMatchError as error:
            if settings.entra_single_mismatch_code:
                raise _no_match_at_all(claims) from error
            raise
        self._check_signature(assertion, claims["iss"])
        _check_times(claims)

    def _check_signature(self, assertion: str, issuer: str) -> None:
        """By the key that the issuer publishes; Entra takes RS256 only."""
        cluster = self._world.cluster_of_issuer(issuer)
        if cluster is None:
            raise LoginError(90061, "Request to External OIDC endpoint failed.")
        header = jwt.get_unverified_header(assertion)
        key = cluster.verification_key(header.get("kid"))
        if key is None:
            raise _invalid_client(
                7000272,
                f"The certificate with identifier {header.get('kid')} used to sign the federated credential could not "
                f"be found in the metadata of identity provider {issuer}. Please validate that your Identity "
                "Provider's metadata exposes the key used to sign the incoming token.",
            )
        try:
            jwt.decode(
                assertion,
                jwt.PyJWK(key.jwk()),
                algorithms=["RS256"],
                # What the claims say is judged apart: each fault has an answer of its own.
                options={"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except jwt.InvalidTokenError as error:
            raise _invalid_client(
                50013,
                "Assertion failed signature validation. [Reason - The provided signature value did not match the "
                "expected signature value.]",
            ) from error


def _check_assertion_type(assertion_type: str | None) -> None:
    if assertion_type != _ASSERTION_TYPE:
        message = f"Client assertion type '{assertion_type}' is not supported: it must be '{_ASSERTION_TYPE}'."
        raise _invalid_client(700023, message)


def _required(form: t.Mapping[str, str], name: str) -> str:
    value = form.get(name)
    if not value:
        raise LoginError(900144, f"The request body must contain the following parameter: '{name}'.")
    return value


def _audience(scope: str) -> str:
    """The resource of a scope ``<resource>/.default``."""
    if not scope.endswith(_DEFAULT) or len(scope.split()) != 1:
        raise LoginError(
            70011,
            "The provided request must include a 'scope' input parameter. The provided value for the input parameter "
            f"'scope' is not valid. The scope {scope} is not valid.",
            error="invalid_scope",
        )
    resource = scope.removesuffix(_DEFAULT)
    if resource not in entra_tokens.known_audiences(flask.request.host):
        raise LoginError(
            500011,
            f"The resource principal named {resource} was not found in the tenant named {AZURE_TENANT}. This can "
            "happen if the application has not been installed by the administrator of the tenant or consented to by "
            "any user in the tenant. You might have sent your authentication request to the wrong tenant.",
            error="invalid_resource",
        )
    return resource


def _check_secret(client_id: str, secret: str | None) -> None:
    if not secret:
        raise _invalid_client(
            7000218, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
        )
    # No application of the directory has a secret.
    if client_id != CONTROLLER.app_id or not hmac.compare_digest(secret.encode(), CONTROLLER_CLIENT_SECRET.encode()):
        raise _invalid_client(
            7000215,
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "
            f"not the client secret ID, for a secret added to app '{client_id}'.",
        )


def _claims(assertion: str) -> Json:
    """The claims of a token that nobody has verified yet."""
    try:
        claims: Json = jwt.decode(
            assertion, options={"verify_signature": False, "require": ["iss", "sub", "aud", "exp"]}
        )
    except jwt.InvalidTokenError as error:
        raise _invalid_client(50027, f"JWT token is invalid or malformed: {error}.") from error
    for name, kinds in _CLAIM_KINDS.items():
        if name in claims and not isinstance(claims[name], kinds):
            raise _invalid_client(50027, f"JWT token is invalid or malformed: claim {name} is of a wrong type.")
    return claims


def _match_credential(claims: Json, credentials: Iterable[Json]) -> None:
    # One that matches claims by an expression has no subject, and no service account's token fits it.
    of_issuer = [c for c in credentials if c["issuer"] == claims["iss"] and c["subject"] is not None]
    if not of_issuer:
        raise _no_match(700211, "issuer", claims["iss"])
    of_subject = [c for c in of_issuer if c["subject"] == claims["sub"]]
    if not of_subject:
        if claims["sub"].casefold() in (c["subject"].casefold() for c in of_issuer):
            raise _NoMatchError(
                7002138,
                "No matching federated identity record found for presented assertion subject "
                f"'{claims['sub']}'. The subject matches with case-insensitive comparison, but not with "
                "case-sensitive comparison. Check your federated identity credential Subject, Audience and Issuer "
                f"against the presented assertion. See documentation at: {_FEDERATION}.",
            )
        raise _no_match(700213, "subject", claims["sub"])
    presented = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if not any(c["audiences"][0] in presented for c in of_subject):
        raise _no_match(700212, "audience", ",".join(presented))


def _no_match(code: int, claim: str, value: str) -> _NoMatchError:
    return _NoMatchError(
        code,
        f"No matching federated identity record found for presented assertion {claim} '{value}'. Check your federated "
        f"identity credential Subject, Audience and Issuer against the presented assertion. {_FEDERATION}",
    )


def _no_match_at_all(claims: Json) -> LoginError:
    """The answer of tenants in which one code stands for all of the above."""
    presented = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    return LoginError(
        70021,
        f"No matching federated identity record found for presented assertion. Assertion Issuer: '{claims['iss']}'. "
        f"Assertion Subject: '{claims['sub']}'. Assertion Audience: '{','.join(presented)}'. {_FEDERATION}",
    )


def _refused_by_policy(code: int, claims: Json) -> LoginError:
    """A refusal for which the sandbox has no reason of its own."""
    texts = {
        50166: "Request to External OIDC endpoint failed.",
        501661: "Request to External OIDC endpoint failed.",
        53003: "Access has been blocked by Conditional Access policies. The access policy does not allow token "
        "issuance.",
        900612: "Failed to parse provider signing keys.",
        7002137: f"No matching federated identity record found for presented assertion subject '{claims['sub']}'. "
        f"Please make sure the federated identity credential Subject is '/eid1/c/pub/t/{AZURE_TENANT}/a/app/id'.",
    }
    return LoginError(code, texts.get(code, "The request was refused."), error="unauthorized_client")


def _require_enabled(principal: Json) -> None:
    """Nobody gets a token for a service principal that is disabled or deactivated. Raises LoginError."""
    if principal["accountEnabled"] is False or principal["isDisabled"]:
        raise LoginError(
            7000112,
            f"Application '{principal['appId']}'({principal['displayName']}) is disabled.",
            error="unauthorized_client",
        )


def _check_times(claims: Json) -> None:
    now = time.time()
    begins = float(claims.get("nbf") or claims.get("iat") or 0)
    if not begins <= now < claims["exp"]:
        raise _invalid_client(
            700024,
            "Client assertion is not within its valid time range. Current time: "
            f"{_iso(now)}, assertion valid from {_iso(begins)}, expiry time of assertion {_iso(claims['exp'])}.",
        )


def _iso(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
