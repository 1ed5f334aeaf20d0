# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""boto3 clients from module options, and the one translation of botocore's errors into the collection's.

Service names are boto3's: ``iam``, ``sts``, ``amp``.
"""

from __future__ import annotations

import contextlib
import functools
import re
import typing as t
from pathlib import Path

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients import answers, aws_answers
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.sharing import shared
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import AwsAccount, RoleArn
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.url_secrets import is_in_the_clear

try:
    import boto3.session
    import botocore
    import botocore.config
    import botocore.exceptions
    import botocore.loaders
    import botocore.session
except ImportError as error:  # the sanity tests import modules without any SDK
    IMPORT_ERROR: ImportError | None = error
else:
    IMPORT_ERROR = None

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import AwsAuth

CONNECT_TIMEOUT_SECONDS = 10
READ_TIMEOUT_SECONDS = 30
#: A fleet's runs share the account's request rate, so more attempts than botocore's three.
ATTEMPTS = 6
#: The session's name where none is given: it shows in CloudTrail.
SESSION_NAME: t.Final = "crosscloud.aks_amp"
_STANDARD_PARTITION: t.Final = "aws"
#: How the regions of the other partitions begin.
_OTHER_PARTITIONS: t.Final = ("cn-", "eu-isoe-", "eusc-", "us-gov-", "us-iso")

# https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)

_TITLES = {"iam": "AWS IAM", "sts": "AWS STS", "amp": "Amazon Managed Prometheus"}
#: What botocore's loader reads for any client, and for a service's.
_DATA: t.Final = ("endpoints", "partitions", "sdk-default-configuration", "_retry")
_SERVICE_DATA: t.Final = ("service-2", "endpoint-rule-set-1", "paginators-1")
#: Where the prefix of a service's IAM actions is not boto3's name for it.
_ACTION_PREFIXES = {"amp": "aps"}

_READING = ("Get", "List", "Describe")
#: Operations that change nothing, however they end.
_WITHOUT_EFFECT = (*_READING, "AssumeRole", "Simulate")
_DENIED_ACTION = re.compile(r"not authorized to perform:? ([a-z][\w-]*:\w+)")
_DENIED_CODES = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"})
_MISSING_CODES = frozenset({"NoSuchEntity", "NoSuchEntityException"})
_EXISTING_CODES = frozenset({"EntityAlreadyExists", "EntityAlreadyExistsException"})
#: Another writer changed or created the object between this run's read and its write.
_CONFLICT_CODES = _EXISTING_CODES | frozenset(
    {
        "ConcurrentModification",
        "ConcurrentModificationException",
        "ConflictException",
        "DeleteConflict",
        "DeleteConflictException",
        "EntityTemporarilyUnmodifiable",
        "EntityTemporarilyUnmodifiableException",
    }
)
_REJECTED_CREDENTIAL_CODES = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_ISSUER_CODES = frozenset({"OpenIdIdpCommunicationError", "OpenIdIdpCommunicationErrorException"})
_QUOTA_CODES = frozenset({"LimitExceeded", "LimitExceededException", "ServiceQuotaExceededException"})
_THROTTLING_CODES = frozenset({"Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded"})

#: By name, because older botocore versions lack the later ones.
_CREDENTIAL_ERRORS = (
    "CredentialRetrievalError",
    "InvalidConfigError",
    "LoginError",
    "NoAuthTokenError",
    "NoCredentialsError",
    "PartialCredentialsError",
    "ProfileNotFound",
    "SSOError",
    "TokenRetrievalError",
    "UnknownCredentialError",
)
_UNREACHABLE_ERRORS = ("ConnectionError", "HTTPClientError")
_INPUT_ERRORS = (
    "ConfigParseError",
    "EndpointProviderError",
    "EndpointVariantError",
    "InvalidEndpointConfigurationError",
    "InvalidProxiesConfigError",
    "ParamValidationError",
    "ValidationError",
)

_CREDENTIALS_FIX = (
    "Give access_key and secret_key or profile, set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, log in "
    "with 'aws sso login', or run on a machine with an AWS role."
)


class AwsSession:
    """One credential chain for all of a module's AWS clients, so that a profile's role is assumed once only.

    With ``assume_role_arn`` all signed clients are those of the role's session, which the first of them opens.
    """

    def __init__(self, auth: AwsAuth) -> None:
        """Raises MissingLibrary, MissingCredentials (unknown profile), InvalidInput (no such CA file, parameters of
        the assumed role) or FederationError (its ARN)."""
        if IMPORT_ERROR is not None:
            raise errors.MissingLibrary("boto3", IMPORT_ERROR)
        self._login = shared("aws", auth, lambda: _Login(auth))

    @property
    def region(self) -> str | None:
        """The region of the options, the environment or the profile."""
        return self._login.region

    def client(self, service: str, *, unsigned: bool = False) -> t.Any:
        """A boto3 client. Raises InvalidInput when the service needs a region and none is known, and CloudError when
        the role can't be assumed."""
        return self._login.client(service, unsigned=unsigned)

    def caller_account(self) -> AwsAccount:
        """The caller's account and partition, asked for once
        (https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html)."""
        return self._login.account


class _Login:
    """The sessions that options lead to, and the clients made of them so far."""

    def __init__(self, auth: AwsAuth) -> None:
        bundle = auth.transport.ca_bundle
        if bundle is not None and not Path(bundle).is_file():
            raise errors.InvalidInput(f"ca_bundle: there is no file {bundle}.", fix="Name a PEM file.")
        if auth.use_fips_endpoint and auth.endpoint_url:
            raise errors.InvalidInput(
                "use_fips_endpoint and endpoint_url exclude each other.",
                fix="Give one of them.",
            )
        self._auth = auth
        self._role = _assumed_role(auth)
        with aws_errors("sts", "preparing AWS credentials"):
            self._own = self._session(auth.access_key, auth.secret_key, auth.session_token)
        self._check_region()
        self._clients: dict[tuple[str, bool], t.Any] = {}

    @property
    def region(self) -> str | None:
        region: str | None = self._own.region_name
        return region

    def client(self, service: str, *, unsigned: bool = False) -> t.Any:
        if (service, unsigned) not in self._clients:
            own = unsigned or self._role is None
            session = self._own if own else self._assumed
            self._clients[service, unsigned] = self._client(session, service, unsigned=unsigned)
        return self._clients[service, unsigned]

    @functools.cached_property
    def account(self) -> AwsAccount:
        client = self.client("sts")
        try:
            with aws_errors("sts", "asking for the caller's account"):
                identity = client.get_caller_identity()
        except errors.CloudError as error:
            if self.region is None and error.code in _REJECTED_CREDENTIAL_CODES:
                error.fix += " Credentials of aws-us-gov, aws-cn or aws-eusc are known there only: give region."
            raise
        partition = str(identity["Arn"]).removeprefix("arn:").partition(":")[0]
        return AwsAccount(partition, str(identity["Account"]))

    def _session(self, access_key: str | None, secret_key: str | None, token: str | None) -> boto3.session.Session:
        """A session whose clients, those that botocore makes for profiles and web identities included, take the
        transport's proxy and roots."""
        core = botocore.session.get_session()
        core.set_default_client_config(self._config())
        if self._auth.transport.ca_bundle is not None:
            core.set_config_variable("ca_bundle", self._auth.transport.ca_bundle)
        core.lazy_register_component("data_loader", lambda: _service_models(core.get_config_variable("data_path")))
        session = boto3.session.Session(
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            aws_session_token=token,
            region_name=self._auth.region,
            profile_name=self._auth.profile,
            botocore_session=core,
        )
        paths = core.get_component("data_loader").search_paths
        paths[:] = dict.fromkeys(paths)  # each session of boto3 adds its own folder
        return session

    def _config(self) -> botocore.config.Config:
        options: dict[str, t.Any] = {
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "read_timeout": READ_TIMEOUT_SECONDS,
            "retries": {"mode": "standard", "total_max_attempts": ATTEMPTS},
            "user_agent_extra": "crosscloud.aks_amp",
        }
        if self._auth.transport.https_proxy:
            options["proxies"] = {"https": self._auth.transport.https_proxy}
        if self._auth.use_fips_endpoint is not None:
            options["use_fips_endpoint"] = self._auth.use_fips_endpoint
        return botocore.config.Config(**options)

    def _client(self, session: boto3.session.Session, service: str, *, unsigned: bool = False) -> t.Any:
        config = botocore.config.Config(signature_version=botocore.UNSIGNED) if unsigned else None
        with aws_errors(service, f"preparing requests to {_title(service)}"):
            try:
                client = session.client(service, endpoint_url=self._auth.endpoint_url, config=config)
            except botocore.exceptions.BotoCoreError:
                raise
            except ValueError as error:  # botocore's answer to a malformed endpoint URL
                raise errors.InvalidInput(
                    f"{_title(service)} can't be addressed: {error}.",
                    fix="Correct endpoint_url, region or https_proxy.",
                ) from error
        if is_in_the_clear(client.meta.endpoint_url):
            raise errors.InvalidInput(
                f"{_title(service)} would be asked at {client.meta.endpoint_url}, where tokens can be read on the way.",
                fix="Give an https URL in endpoint_url (or in AWS_ENDPOINT_URL, where that gives it).",
            )
        return aws_answers.checked(client)

    def _check_region(self) -> None:
        """Credentials and roles are known in their own partition only, and the region decides which one is asked."""
        role, region = self._role, self.region
        if region is None:
            if role is not None and role.partition != _STANDARD_PARTITION:
                raise errors.InvalidInput(
                    f"assume_role_arn names a role of the partition {role.partition}, and no region is known.",
                    fix="Give region, set AWS_REGION, or use a profile that has a region.",
                )
            return
        try:
            partition = self._own.get_partition_for_region(region)
        except botocore.exceptions.BotoCoreError as error:
            if self._auth.endpoint_url is None and region.startswith(_OTHER_PARTITIONS):
                # It would ask the standard partition.
                raise errors.InvalidInput(
                    f"The installed boto3 does not know the partition of the region {region}.",
                    fix="Install a later one.",
                ) from error
            return
        if role is not None and partition != role.partition:
            raise errors.InvalidInput(
                f"assume_role_arn names a role of the partition {role.partition}, and {region} is a region of "
                f"{partition}.",
                fix="Correct the ARN or the region.",
            )

    @functools.cached_property
    def _assumed(self) -> boto3.session.Session:
        """A session of the role, for the own credentials
        (https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html)."""
        role, external_id = self._role, self._auth.assume_role_external_id
        client = self._client(self._own, "sts")
        try:
            with aws_errors("sts", f"assuming role {role}"):
                answer = client.assume_role(
                    RoleArn=str(role),
                    RoleSessionName=self._auth.assume_role_session_name or SESSION_NAME,
                    **({"ExternalId": external_id} if external_id else {}),
                )
        except errors.Forbidden as error:
            given = "differs from the one given" if external_id else "is asked for and assume_role_external_id is empty"
            error.fix = (
                "Either the role does not exist, or its trust policy does not name the caller, or the caller lacks "
                f"sts:AssumeRole on it, or an external ID {given}."
            )
            raise
        keys = answer["Credentials"]
        with aws_errors("sts", "preparing AWS credentials"):
            return self._session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])


def _assumed_role(auth: AwsAuth) -> RoleArn | None:
    """The role to assume, with its parameters checked against STS's rules."""
    external_id, name = auth.assume_role_external_id, auth.assume_role_session_name
    if auth.assume_role_arn is None:
        if external_id is not None:
            raise errors.InvalidInput(
                "assume_role_external_id is given without assume_role_arn.", fix="Name the role as well."
            )
        return None
    if external_id is not None and not _EXTERNAL_ID.fullmatch(external_id):
        raise errors.InvalidInput(
            "assume_role_external_id is not one that STS takes.",
            fix="It has 2 to 1224 letters, digits or characters of _+=,.@:/-.",
        )
    if name is not None and not _SESSION_NAME.fullmatch(name):
        raise errors.InvalidInput(
            f"assume_role_session_name: '{name}' is not one that STS takes.",
            fix="It has 2 to 64 letters, digits or characters of _+=,.@-.",
        )
    return RoleArn.parse(auth.assume_role_arn)


def load_models() -> None:
    """Read what boto3 reads of its data for the first clients: once for all workers, if it is done before they
    are forked. Does nothing without boto3. Neither configuration nor credentials are looked at."""
    if IMPORT_ERROR is not None:
        return
    loader = _service_models(None)
    for name in _DATA:
        with contextlib.suppress(botocore.exceptions.DataNotFoundError):  # in other versions it has another name
            loader.load_data(name)
    for service in _TITLES:
        for kind in _SERVICE_DATA:
            with contextlib.suppress(botocore.exceptions.DataNotFoundError):  # not every service has all of them
                loader.load_service_model(service, kind)


@functools.cache
def _service_models(data_path: str | None) -> botocore.loaders.Loader:
    """The descriptions of AWS' services, read once in a process however many sessions it makes: they are large."""
    return botocore.loaders.create_loader(data_path)


def aws_client(auth: AwsAuth, service: str, *, unsigned: bool = False) -> t.Any:
    """A boto3 client of a session of its own; modules with several clients share an :class:`AwsSession` instead."""
    return AwsSession(auth).client(service, unsigned=unsigned)


def caller_account(auth: AwsAuth) -> AwsAccount:
    """The account and partition of the credentials that the options lead to."""
    return AwsSession(auth).caller_account()


@contextlib.contextmanager
def aws_errors(service: str, action: str) -> Iterator[None]:
    """Turn what boto3 raises inside the block into the collection's errors.

    ``action`` is a verb phrase that completes "<service> failed while ...".
    """
    aws_answers.forget_operation()
    try:
        yield
    except botocore.exceptions.ClientError as error:
        raise refusal(error, service, action) from error
    except botocore.exceptions.BotoCoreError as error:
        raise failure(error, service, action) from error
    except Exception as error:
        if not isinstance(error, aws_answers.NotDescribed) and not answers.is_stumble(error):
            raise
        raise answers.malformed(_title(service), action, writes=_writes(aws_answers.begun_operation())) from error


def refusal(error: botocore.exceptions.ClientError, service: str, action: str) -> errors.CloudError:
    """The service's own refusal: Forbidden (``fix`` names the IAM action), Conflict, or a plain CloudError."""
    answer = error.response.get("Error", {})
    metadata = error.response.get("ResponseMetadata", {})
    code, detail = str(answer.get("Code", "")), _first_paragraph(str(answer.get("Message", "")))
    operation, status = str(error.operation_name), int(metadata.get("HTTPStatusCode", 0))
    kind = _kind(operation, code, status, retried=bool(metadata.get("RetryAttempts")))
    fix = _fix(service, operation, code, detail)
    return kind(
        service=_title(service),
        action=action,
        code=code,
        status=status,
        detail=detail,
        request_id=str(metadata.get("RequestId", "")),
        fix=fix or (errors.LOOK_AGAIN if kind is errors.Interrupted else ""),
    )


def failure(error: botocore.exceptions.BotoCoreError, service: str, action: str) -> errors.AksAmpError:
    """An error that arose before or instead of the service's answer."""
    if isinstance(error, botocore.exceptions.NoRegionError):
        return errors.InvalidInput(
            f"No AWS region is known for {_title(service)}.",
            fix="Give region, set AWS_REGION, or use a profile that has a region.",
        )
    if _is_any(error, _CREDENTIAL_ERRORS):
        return errors.MissingCredentials(f"No AWS credentials for {action}: {_text(error)}.", fix=_CREDENTIALS_FIX)
    if _is_any(error, _INPUT_ERRORS):
        return errors.InvalidInput(f"boto3 refused the parameters for {action}: {_text(error)}.")
    if _is_any(error, _UNREACHABLE_ERRORS):
        return errors.Unreachable(
            service=_title(service),
            action=action,
            detail=_text(error),
            fix="Check that this machine reaches it (https_proxy, endpoint_url, region) and trusts its certificate "
            "(ca_bundle).",
        )
    return errors.CloudError(service=_title(service), action=action, detail=_text(error))


def _kind(operation: str, code: str, status: int, *, retried: bool) -> type[errors.CloudError]:
    if code in _DENIED_CODES:
        return errors.Forbidden
    gone = code in _MISSING_CODES and not operation.startswith(_READING)  # deleted since it was read
    if retried and (gone or code in _EXISTING_CODES | _QUOTA_CODES):
        return errors.Interrupted  # it may have been boto3's own first attempt, whose answer was lost
    if gone or code in _CONFLICT_CODES:
        return errors.Conflict
    failed = status >= 500 and code not in _THROTTLING_CODES and _writes(operation)
    return errors.Interrupted if failed else errors.CloudError  # IAM may have done what it then stumbled over


def _writes(operation: str) -> bool:
    """Whether an operation changes something; none, by an empty name, does not."""
    return bool(operation) and not operation.startswith(_WITHOUT_EFFECT)


def _fix(service: str, operation: str, code: str, detail: str) -> str:
    if operation == "AssumeRoleWithWebIdentity":
        return ""  # unsigned: neither the caller's rights nor its credentials take part
    if code in _DENIED_CODES:
        match = _DENIED_ACTION.search(detail)
        needed = match[1] if match else f"{_ACTION_PREFIXES.get(service, service)}:{operation}"
        if "explicit deny" in detail:
            return f"A policy denies {needed} explicitly: exempt the caller, or use other credentials."
        return f"Allow {needed} to the caller."
    if code in _REJECTED_CREDENTIAL_CODES:
        return f"The credentials were found but not accepted: renew or correct them. {_CREDENTIALS_FIX}"
    if code in _EXISTING_CODES:
        return "Its name may be taken by one that differs in case only."
    if code in _ISSUER_CODES:
        return (
            "Without thumbprints IAM fetches the issuer's certificate itself: see that the issuer answers on the "
            "public internet."
        )
    if code in _QUOTA_CODES:
        return "Delete what is no longer used, or ask for a higher quota in Service Quotas."
    if code in _THROTTLING_CODES:
        return "Too many requests in this account: run again, with fewer forks."
    return ""


def _title(service: str) -> str:
    return _TITLES.get(service, f"AWS {service}")


def _first_paragraph(message: str) -> str:
    """After a refused signature AWS shows what it had signed itself, session token included: that stays out."""
    return " ".join(message.split("\n\n", 1)[0].split())


def _text(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")


def _is_any(error: Exception, names: tuple[str, ...]) -> bool:
    return any(base.__name__ in names and base.__module__.startswith("botocore.") for base in type(error).__mro__)
