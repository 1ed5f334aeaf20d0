# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module options: the shared parts of argument specs, and typed access to validated parameters.

Each part mirrors a documentation fragment of the same name in ``plugins/doc_fragments``; a test compares the two.
Option and environment names are those of amazon.aws, azure.azcollection and kubernetes.core, and of AWX's
credential types.
"""

from __future__ import annotations

import dataclasses
import enum
import typing as t

from ansible.module_utils.basic import env_fallback

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.aks_ids import ClusterRef, parse_resource_id
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._errors import InvalidInput

OptionSpec = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class ArgumentSpec:
    """What AnsibleModule needs to validate parameters."""

    options: t.Mapping[str, OptionSpec]
    required_one_of: tuple[tuple[str, ...], ...] = ()
    mutually_exclusive: tuple[tuple[str, ...], ...] = ()
    required_together: tuple[tuple[str, ...], ...] = ()
    required_if: tuple[tuple[t.Any, ...], ...] = ()

    def merge(self, *others: ArgumentSpec) -> ArgumentSpec:
        """This spec and the others as one; an option may be declared once only."""
        merged = dict(self.options)
        for other in others:
            twice = merged.keys() & other.options.keys()
            if twice:
                raise ValueError(f"Options declared twice: {', '.join(sorted(twice))}")
            merged.update(other.options)
        parts = (self, *others)
        return ArgumentSpec(
            options=merged,
            required_one_of=tuple(rule for part in parts for rule in part.required_one_of),
            mutually_exclusive=tuple(rule for part in parts for rule in part.mutually_exclusive),
            required_together=tuple(rule for part in parts for rule in part.required_together),
            required_if=tuple(rule for part in parts for rule in part.required_if),
        )

    def module_arguments(self) -> dict[str, t.Any]:
        """Keyword arguments for AnsibleModule."""
        return {
            "argument_spec": dict(self.options),
            "required_one_of": list(self.required_one_of),
            "mutually_exclusive": list(self.mutually_exclusive),
            "required_together": list(self.required_together),
            "required_if": list(self.required_if),
        }


class Params:
    """Validated parameters, read once and by type; a resource turns them into its own frozen dataclass."""

    def __init__(self, values: t.Mapping[str, t.Any]) -> None:
        self._values = values

    def optional_text(self, name: str) -> str | None:
        """The text, or None when the option is unset or empty: templates often yield '' for 'not given'."""
        value = self._values[name]
        return str(value) if value not in (None, "") else None

    def optional_mapping(self, name: str) -> dict[str, object] | None:
        """A dictionary whose keys another program defines; None when it is not given."""
        value = self._values[name]
        return None if value is None else _with_text_keys(value)

    def optional_mappings(self, name: str) -> tuple[dict[str, object], ...] | None:
        """A list of such dictionaries; None when it is not given."""
        value = self._values[name]
        return None if value is None else tuple(_with_text_keys(item) for item in value)

    def text(self, name: str) -> str:
        value = self.optional_text(name)
        if value is None:
            raise InvalidInput(f"The option '{name}' is empty.", fix="Give it a value.")
        return value

    def optional_flag(self, name: str) -> bool | None:
        value = self._values[name]
        return None if value is None else bool(value)

    def flag(self, name: str) -> bool:
        return bool(self._values[name])

    def integer(self, name: str) -> int:
        return int(self._values[name])

    def optional_integer(self, name: str) -> int | None:
        value = self._values[name]
        return None if value is None else int(value)

    def number(self, name: str) -> float:
        return float(self._values[name])

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(str(value) for value in self._values[name] or ())

    def text_map(self, name: str) -> dict[str, str]:
        return {str(key): str(value) for key, value in (self._values[name] or {}).items()}

    def optional_item(self, name: str) -> Params | None:
        """A dictionary with options of its own; None when it is not given."""
        value = self._values[name]
        return None if value is None else Params(value)

    def items(self, name: str) -> tuple[Params, ...]:
        """The elements of a list of dictionaries."""
        return tuple(Params(value) for value in self._values[name] or ())


def _with_text_keys(mapping: t.Mapping[object, object]) -> dict[str, object]:
    return {str(key): value for key, value in mapping.items()}


class State(enum.Enum):
    """Whether a module's object shall be there; the values are those of the option ``state``."""

    PRESENT = "present"
    ABSENT = "absent"

    @classmethod
    def from_params(cls, params: Params) -> State:
        return cls(params.text("state"))


#: Each module documents for itself what its ``absent`` removes and what it keeps.
STATE = ArgumentSpec(
    {
        "state": {
            "type": "str",
            "default": State.PRESENT.value,
            "choices": [State.PRESENT.value, State.ABSENT.value],
        }
    }
)


@dataclasses.dataclass(frozen=True)
class Transport:
    """How the clouds' public endpoints are reached; None leaves the choice to the environment's variables."""

    https_proxy: str | None = None
    ca_bundle: str | None = None

    @classmethod
    def from_params(cls, params: Params) -> Transport:
        return cls(params.optional_text("https_proxy"), params.optional_text("ca_bundle"))


TRANSPORT = ArgumentSpec(
    {
        "https_proxy": {"type": "str"},
        "ca_bundle": {"type": "path", "aliases": ["aws_ca_bundle"]},
    }
)


@dataclasses.dataclass(frozen=True)
class AwsAuth:
    """Where boto3 takes credentials and region from; None leaves the choice to its own chain.

    With ``assume_role_arn`` these credentials only serve to assume that role, whose session does everything else.
    """

    transport: Transport
    region: str | None = None
    profile: str | None = None
    access_key: str | None = None
    secret_key: str | None = dataclasses.field(default=None, repr=False)
    session_token: str | None = dataclasses.field(default=None, repr=False)
    endpoint_url: str | None = None
    assume_role_arn: str | None = None
    assume_role_external_id: str | None = None
    assume_role_session_name: str | None = None
    use_fips_endpoint: bool | None = None

    @classmethod
    def from_params(cls, params: Params) -> AwsAuth:
        return cls(
            transport=Transport.from_params(params),
            region=params.optional_text("region"),
            profile=params.optional_text("profile"),
            access_key=params.optional_text("access_key"),
            secret_key=params.optional_text("secret_key"),
            session_token=params.optional_text("session_token"),
            endpoint_url=params.optional_text("endpoint_url"),
            assume_role_arn=params.optional_text("assume_role_arn"),
            assume_role_external_id=params.optional_text("assume_role_external_id"),
            assume_role_session_name=params.optional_text("assume_role_session_name"),
            use_fips_endpoint=params.optional_flag("use_fips_endpoint"),
        )


AWS = ArgumentSpec(
    {
        "region": {
            "type": "str",
            "aliases": ["aws_region"],
            "fallback": (env_fallback, ["AWS_REGION", "AWS_DEFAULT_REGION"]),
        },
        "profile": {"type": "str", "aliases": ["aws_profile"]},
        "access_key": {"type": "str", "aliases": ["aws_access_key_id", "aws_access_key"], "no_log": False},
        "secret_key": {"type": "str", "aliases": ["aws_secret_access_key", "aws_secret_key"], "no_log": True},
        "session_token": {"type": "str", "aliases": ["aws_session_token", "security_token"], "no_log": True},
        # No fallback: boto3 reads AWS_ENDPOINT_URL itself, after the variable of the single service.
        "endpoint_url": {"type": "str"},
        "assume_role_arn": {"type": "str"},
        "assume_role_external_id": {"type": "str"},
        "assume_role_session_name": {"type": "str"},
        "use_fips_endpoint": {"type": "bool"},
    },
    mutually_exclusive=(("profile", "access_key"), ("profile", "secret_key"), ("profile", "session_token")),
    required_together=(("access_key", "secret_key"),),
)


@dataclasses.dataclass(frozen=True)
class AzureAuth:
    """Where azure-identity takes credentials from, and which Azure cloud is meant."""

    transport: Transport
    cloud_environment: str = "AzureCloud"
    auth_source: str = "auto"
    tenant: str | None = None
    client_id: str | None = None
    secret: str | None = dataclasses.field(default=None, repr=False)
    certificate_path: str | None = None
    certificate_password: str | None = dataclasses.field(default=None, repr=False)
    authority_host: str | None = None
    arm_endpoint: str | None = None
    graph_endpoint: str | None = None

    @classmethod
    def from_params(cls, params: Params) -> AzureAuth:
        return cls(
            transport=Transport.from_params(params),
            cloud_environment=params.text("cloud_environment"),
            auth_source=params.text("auth_source"),
            tenant=params.optional_text("tenant"),
            client_id=params.optional_text("client_id"),
            secret=params.optional_text("secret"),
            certificate_path=params.optional_text("x509_certificate_path"),
            certificate_password=params.optional_text("x509_certificate_password"),
            authority_host=params.optional_text("authority_host"),
            arm_endpoint=params.optional_text("arm_endpoint"),
            graph_endpoint=params.optional_text("graph_endpoint"),
        )


AZURE = ArgumentSpec(
    {
        "cloud_environment": {
            "type": "str",
            "default": "AzureCloud",
            "choices": ["AzureCloud", "AzureUSGovernment", "AzureChinaCloud"],
            "fallback": (env_fallback, ["AZURE_CLOUD_ENVIRONMENT"]),
        },
        "auth_source": {
            "type": "str",
            "default": "auto",
            "choices": ["auto", "certificate", "cli", "client_secret", "env", "msi", "workload_identity"],
            "fallback": (env_fallback, ["ANSIBLE_AZURE_AUTH_SOURCE"]),
        },
        "tenant": {
            "type": "str",
            "aliases": ["tenant_id"],
            "fallback": (env_fallback, ["AZURE_TENANT", "AZURE_TENANT_ID"]),
        },
        "client_id": {"type": "str", "fallback": (env_fallback, ["AZURE_CLIENT_ID"])},
        "secret": {
            "type": "str",
            "no_log": True,
            "fallback": (env_fallback, ["AZURE_SECRET", "AZURE_CLIENT_SECRET"]),
        },
        "x509_certificate_path": {
            "type": "path",
            "fallback": (env_fallback, ["AZURE_X509_CERTIFICATE_PATH", "AZURE_CLIENT_CERTIFICATE_PATH"]),
        },
        "x509_certificate_password": {
            "type": "str",
            "no_log": True,
            "fallback": (env_fallback, ["AZURE_CLIENT_CERTIFICATE_PASSWORD"]),
        },
        "authority_host": {"type": "str", "fallback": (env_fallback, ["AZURE_AUTHORITY_HOST"])},
        "arm_endpoint": {"type": "str"},
        "graph_endpoint": {"type": "str"},
    }
)


class AksCredential(enum.Enum):
    """By which of AKS' ways a cluster's API server is reached; the values are those of the option ``aks.access``."""

    USER = "user"
    ADMIN = "admin"
    RUN_COMMAND = "run_command"


@dataclasses.dataclass(frozen=True)
class AksAccess:
    """An AKS cluster whose API server is reached through Azure Resource Manager.

    ``poll_interval`` is in seconds and ``wait_timeout`` in minutes; both matter to run commands only.
    """

    azure: AzureAuth
    ref: ClusterRef
    credential: AksCredential = AksCredential.USER
    public_fqdn: bool = False
    poll_interval: float = 2.0
    wait_timeout: float = 10.0

    @classmethod
    def from_params(cls, params: Params) -> AksAccess:
        """Raises InvalidInput unless the options name exactly one cluster."""
        ref = _aks_cluster(params)
        poll_interval, wait_timeout = params.number("poll_interval"), params.number("wait_timeout")
        if poll_interval <= 0 or wait_timeout <= 0:
            raise InvalidInput("aks: poll_interval and wait_timeout must be greater than zero.")
        return cls(
            azure=AzureAuth.from_params(params),
            ref=ref,
            credential=AksCredential(params.text("access")),
            public_fqdn=params.flag("public_fqdn"),
            poll_interval=poll_interval,
            wait_timeout=wait_timeout,
        )


def _aks_cluster(params: Params) -> ClusterRef:
    """The resource ID wins over the subscription, which may come from the environment."""
    resource_id = params.optional_text("resource_id")
    resource_group, name = params.optional_text("resource_group"), params.optional_text("name")
    subscription_id = params.optional_text("subscription_id")
    if resource_id is not None:
        ref = parse_resource_id(resource_id, "aks.resource_id")
        given = ((resource_group, ref.resource_group), (name, ref.name))
        if any(value is not None and value.lower() != part.lower() for value, part in given):
            raise InvalidInput(
                f"aks: resource_id names the {ref}, and resource_group and name name another one.",
                fix="Give one or the other.",
            )
        return ref
    if subscription_id is None or resource_group is None or name is None:
        parts = {"subscription_id": subscription_id, "resource_group": resource_group, "name": name}
        missing = [option for option, value in parts.items() if value is None]
        raise InvalidInput(
            f"aks: {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not given.",
            fix="Name the cluster by subscription_id (AZURE_SUBSCRIPTION_ID), resource_group and name, or by "
            "resource_id.",
        )
    return ClusterRef(subscription_id, resource_group, name)


@dataclasses.dataclass(frozen=True)
class KubeAuth:
    """How the cluster's API server is reached; None leaves the choice to the kubeconfig.

    With ``aks`` everything but ``validate_certs`` and ``proxy`` comes from Azure Resource Manager.
    """

    kubeconfig: str | None = None
    context: str | None = None
    host: str | None = None
    api_key: str | None = dataclasses.field(default=None, repr=False)
    ca_cert: str | None = None
    validate_certs: bool | None = None
    proxy: str | None = None
    aks: AksAccess | None = None

    @classmethod
    def from_params(cls, params: Params) -> KubeAuth:
        aks = params.optional_item("aks")
        return cls(
            kubeconfig=params.optional_text("kubeconfig"),
            context=params.optional_text("context"),
            host=params.optional_text("host"),
            api_key=params.optional_text("api_key"),
            ca_cert=params.optional_text("ca_cert"),
            validate_certs=params.optional_flag("validate_certs"),
            proxy=params.optional_text("proxy"),
            aks=None if aks is None else AksAccess.from_params(aks),
        )


KUBERNETES = ArgumentSpec(
    {
        "kubeconfig": {"type": "path", "fallback": (env_fallback, ["K8S_AUTH_KUBECONFIG"])},
        "context": {"type": "str", "fallback": (env_fallback, ["K8S_AUTH_CONTEXT"])},
        "host": {"type": "str", "fallback": (env_fallback, ["K8S_AUTH_HOST"])},
        "api_key": {"type": "str", "no_log": True, "fallback": (env_fallback, ["K8S_AUTH_API_KEY"])},
        "ca_cert": {
            "type": "path",
            "aliases": ["ssl_ca_cert"],
            "fallback": (env_fallback, ["K8S_AUTH_SSL_CA_CERT"]),
        },
        "validate_certs": {
            "type": "bool",
            "aliases": ["verify_ssl"],
            "fallback": (env_fallback, ["K8S_AUTH_VERIFY_SSL"]),
        },
        "proxy": {"type": "str", "fallback": (env_fallback, ["K8S_AUTH_PROXY"])},
        "aks": {
            "type": "dict",
            "options": {
                "access": {
                    "type": "str",
                    "default": AksCredential.USER.value,
                    "choices": [credential.value for credential in AksCredential],
                },
                "subscription_id": {"type": "str", "fallback": (env_fallback, ["AZURE_SUBSCRIPTION_ID"])},
                "resource_group": {"type": "str"},
                "name": {"type": "str"},
                "resource_id": {"type": "str"},
                "public_fqdn": {"type": "bool", "default": False},
                "poll_interval": {"type": "float", "default": 2.0},
                "wait_timeout": {"type": "float", "default": 10.0},
                **AZURE.options,
                **TRANSPORT.options,
            },
        },
    }
)
