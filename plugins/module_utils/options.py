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

from ansible_collections.crosscloud.aks_amp.plugins.module_utils.errors import InvalidInput

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

    def items(self, name: str) -> tuple[Params, ...]:
        """The elements of a list of dictionaries."""
        return tuple(Params(value) for value in self._values[name] or ())


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
    """Where boto3 takes credentials and region from; None leaves the choice to its own chain."""

    transport: Transport
    region: str | None = None
    profile: str | None = None
    access_key: str | None = None
    secret_key: str | None = None
    session_token: str | None = None
    endpoint_url: str | None = None

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
        "endpoint_url": {"type": "str", "fallback": (env_fallback, ["AWS_ENDPOINT_URL"])},
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
    secret: str | None = None
    certificate_path: str | None = None

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
            "choices": ["auto", "cli", "env", "msi"],
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
    }
)


@dataclasses.dataclass(frozen=True)
class KubeAuth:
    """How the cluster's API server is reached; None leaves the choice to the kubeconfig."""

    kubeconfig: str | None = None
    context: str | None = None
    host: str | None = None
    api_key: str | None = None
    ca_cert: str | None = None
    validate_certs: bool | None = None
    proxy: str | None = None

    @classmethod
    def from_params(cls, params: Params) -> KubeAuth:
        return cls(
            kubeconfig=params.optional_text("kubeconfig"),
            context=params.optional_text("context"),
            host=params.optional_text("host"),
            api_key=params.optional_text("api_key"),
            ca_cert=params.optional_text("ca_cert"),
            validate_certs=params.optional_flag("validate_certs"),
            proxy=params.optional_text("proxy"),
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
    }
)
