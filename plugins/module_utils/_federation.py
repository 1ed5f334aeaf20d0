# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The trust chain from an AKS cluster's service account to an AMP workspace, as pure data.

Everything that must agree between the clouds is derived here, once: the IAM provider's URL and ARN, its client IDs,
the trust policy's statement and condition keys, the Entra federated identity credential, the pod's projected token
and environment, the ``remote_write`` entry. No role, template or module writes one of these strings by hand.
"""

from __future__ import annotations

import dataclasses
import enum
import re
import typing as t
import urllib.parse

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus_versions import (
    FIRST_RELEASES,
    PrometheusVersion,
    gated_settings,
    unknown_settings,
)

#: Stands for a value that only a write will make known. Accepted as input in check mode only.
KNOWN_AFTER_APPLY: t.Final = "<known after apply>"

AWS_AUDIENCE: t.Final = "sts.amazonaws.com"
ENTRA_AUDIENCE: t.Final = "api://AzureADTokenExchange"
#: What the Azure webhook calls its token file; never the name of one of our own.
AZURE_TOKEN_FILE_NAME: t.Final = "azure-identity-token"  # noqa: S105 - the name of a file

#: IAM's limit for a provider URL (CreateOpenIDConnectProvider).
MAX_ISSUER_LENGTH: t.Final = 255
#: IAM's default quota for a role's trust policy in characters without white space ("Role trust policy length").
MAX_TRUST_POLICY_LENGTH: t.Final = 2048
#: As far as that quota can be raised (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html).
RAISED_TRUST_POLICY_LENGTH: t.Final = 4096

_AS_REPORTED = "give it exactly as the cluster reports it"
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_DNS_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_ROLE_ARN = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):iam::(?P<account>\d{12}):role(?P<path>/(?:.*/)?)(?P<name>[\w+=,.@-]{1,64})"
)
_WORKSPACE_ARN = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):aps:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):workspace/(?P<id>[\w-]+)"
)


class FederationError(ValueError):
    """A value can't be part of a trust chain. The message is one sentence that says what is wrong and what to do."""


def is_known(value: str) -> bool:
    """False for a placeholder and for every string derived from one."""
    return KNOWN_AFTER_APPLY not in value


def _parts(url: str) -> urllib.parse.SplitResult:
    try:
        return urllib.parse.urlsplit(url)
    except ValueError:  # a bracket that is never closed, for example
        raise FederationError(f"The issuer '{url}' is not a URL: {_AS_REPORTED}.") from None


@dataclasses.dataclass(frozen=True)
class Issuer:
    """An OIDC issuer, taken verbatim from its discovery document: AKS's end in a slash, and every cloud compares
    the whole string (https://openid.net/specs/openid-connect-core-1_0.html, ``iss``)."""

    url: str

    @classmethod
    def parse(cls, url: str) -> Issuer:
        """Check what IAM and Entra demand of an issuer: https, a host, no port, no query, 255 characters at most."""
        if url == KNOWN_AFTER_APPLY:
            return cls(url)
        if url != url.strip():
            raise FederationError(f"The issuer '{url}' has white space around it: remove it.")
        parts = _parts(url)
        if parts.scheme != "https":
            raise FederationError(f"The issuer '{url}' is not an https URL: {_AS_REPORTED}.")
        if parts.netloc in ("https:", "http:") or parts.path.startswith("/https:"):
            raise FederationError(f"The issuer '{url}' has its scheme twice: {_AS_REPORTED}.")
        if not parts.hostname:
            raise FederationError(f"The issuer '{url}' has no host: {_AS_REPORTED}.")
        if parts.netloc.startswith("["):
            raise FederationError(
                f"The issuer '{url}' names an IPv6 address, and IAM accepts host names only: {_AS_REPORTED}."
            )
        if ":" in parts.netloc or "@" in parts.netloc:
            raise FederationError(
                f"The issuer '{url}' carries a port or user, and IAM accepts neither: {_AS_REPORTED}."
            )
        if parts.query or parts.fragment or "?" in url or "#" in url:
            raise FederationError(
                f"The issuer '{url}' carries a query or fragment, and IAM accepts neither: {_AS_REPORTED}."
            )
        if len(url) > MAX_ISSUER_LENGTH:
            raise FederationError(
                f"The issuer '{url}' has {len(url)} characters, and IAM accepts {MAX_ISSUER_LENGTH}: {_AS_REPORTED}."
            )
        return cls(url)

    @property
    def known(self) -> bool:
        return is_known(self.url)

    @property
    def host(self) -> str:
        return urllib.parse.urlsplit(self.url).hostname or "" if self.known else KNOWN_AFTER_APPLY

    @property
    def host_and_path(self) -> str:
        """The URL without its scheme, slash kept: IAM's form in ARNs and condition keys."""
        return self.url.removeprefix("https://")

    @property
    def discovery_url(self) -> str:
        """https://openid.net/specs/openid-connect-discovery-1_0.html, section 4."""
        return self.url.rstrip("/") + "/.well-known/openid-configuration"

    @property
    def audience_key(self) -> str:
        return f"{self.host_and_path}:aud"

    @property
    def subject_key(self) -> str:
        return f"{self.host_and_path}:sub"

    def differs_by_slash_or_case(self, other: str) -> bool:
        """True for a URL or host and path that was probably meant to be this one but is not: it never matches."""
        mine, theirs = self.host_and_path, other
        while theirs[:8].lower() == "https://":
            theirs = theirs[8:]
        return other not in (self.url, mine) and mine.rstrip("/").lower() == theirs.rstrip("/").lower()


@dataclasses.dataclass(frozen=True, order=True)
class ServiceAccount:
    """A Kubernetes service account."""

    namespace: str
    name: str

    @classmethod
    def parse(cls, namespace: str, name: str) -> ServiceAccount:
        """Names as Kubernetes takes them: RFC 1123 label for the namespace, RFC 1123 subdomain for the account."""
        if not _DNS_LABEL.fullmatch(namespace):
            raise FederationError(
                f"The namespace '{namespace}' is not a Kubernetes name: use at most 63 lower-case letters, digits and "
                "hyphens; a wildcard would trust every namespace."
            )
        if len(name) > 253 or not _DNS_SUBDOMAIN.fullmatch(name):
            raise FederationError(
                f"The service account '{name}' is not a Kubernetes name: use lower-case letters, digits, hyphens and "
                "dots; a wildcard would trust every service account."
            )
        return cls(namespace, name)

    @property
    def subject(self) -> str:
        """The ``sub`` of its tokens."""
        return f"system:serviceaccount:{self.namespace}:{self.name}"


def parse_audience(audience: str) -> str:
    """An audience as IAM takes it for a client ID: 1 to 255 characters, no white space, no wildcard."""
    if not audience or len(audience) > 255 or re.search(r"[\s*]", audience):
        raise FederationError(
            f"The audience '{audience}' is malformed: IAM takes 1 to 255 characters without white space or wildcards, "
            f"usually {AWS_AUDIENCE}."
        )
    return audience


@dataclasses.dataclass(frozen=True)
class AwsAccount:
    """An AWS account in its partition (``aws``, ``aws-us-gov``, ``aws-cn``, ...)."""

    partition: str
    account_id: str

    def provider_arn(self, issuer: Issuer) -> str:
        """The ARN of the IAM OIDC provider of an issuer: deterministic, path and slash kept."""
        return f"arn:{self.partition}:iam::{self.account_id}:oidc-provider/{issuer.host_and_path}"

    def role_arn(self, name: str, path: str = "/") -> str:
        return f"arn:{self.partition}:iam::{self.account_id}:role{path}{name}"


@dataclasses.dataclass(frozen=True)
class RoleArn:
    """An IAM role's ARN, split."""

    partition: str
    account_id: str
    path: str
    name: str

    @classmethod
    def parse(cls, arn: str) -> RoleArn:
        match = _ROLE_ARN.fullmatch(arn)
        if not match:
            raise FederationError(
                f"'{arn}' is not the ARN of an IAM role: expected arn:aws:iam::<12 digits>:role/<name>."
            )
        return cls(match["partition"], match["account"], match["path"], match["name"])

    def __str__(self) -> str:
        return AwsAccount(self.partition, self.account_id).role_arn(self.name, self.path)


def parse_workspace_arn(arn: str) -> str:
    """The ARN of an AMP workspace, checked; a wildcard would grant more than one workspace."""
    if arn != KNOWN_AFTER_APPLY and not _WORKSPACE_ARN.fullmatch(arn):
        raise FederationError(
            f"'{arn}' is not the ARN of an AMP workspace: expected arn:aws:aps:<region>:<account>:workspace/<id>."
        )
    return arn


def workspace_account(arn: str) -> str | None:
    """The account of a workspace's ARN; None for one that is not known yet."""
    match = _WORKSPACE_ARN.fullmatch(arn)
    return match["account"] if match else None


@dataclasses.dataclass(frozen=True)
class Workspace:
    """An AMP workspace. ``endpoint`` is its base URL without a trailing slash: ``https://host/workspaces/<id>``."""

    arn: str
    workspace_id: str
    region: str
    partition: str
    account_id: str
    endpoint: str

    @classmethod
    def parse(cls, arn: str, prometheus_endpoint: str) -> Workspace:
        """From DescribeWorkspace's ``arn`` and ``prometheusEndpoint``, which has ended in ``/`` and in ``/api/v1/``."""
        match = _WORKSPACE_ARN.fullmatch(arn)
        if not match:
            raise FederationError(
                f"'{arn}' is not the ARN of an AMP workspace: expected arn:aws:aps:<region>:<account>:workspace/<id>."
            )
        endpoint = prometheus_endpoint.rstrip("/").removesuffix("/api/v1").rstrip("/")
        if not endpoint.startswith("https://"):
            raise FederationError(f"The workspace's endpoint '{prometheus_endpoint}' is not an https URL.")
        return cls(arn, match["id"], match["region"], match["partition"], match["account"], endpoint)

    @property
    def remote_write_url(self) -> str:
        """Without a trailing slash: with one, the service answers 403 Missing Authentication Token."""
        return f"{self.endpoint}/api/v1/remote_write"

    @property
    def query_url(self) -> str:
        return f"{self.endpoint}/api/v1/query"


class TokenSource(enum.Enum):
    """Where the pod's web-identity token comes from."""

    PROJECTED = "projected"  # a projected service-account token of our own, audience AWS
    AZURE_WORKLOAD_IDENTITY = "azure_workload_identity"  # the token that the Azure webhook mounts, audience Entra

    @property
    def audience(self) -> str:
        return AWS_AUDIENCE if self is TokenSource.PROJECTED else ENTRA_AUDIENCE


@dataclasses.dataclass(frozen=True)
class WebIdentityTrust:
    """Who may assume a role by a token of an issuer."""

    issuer: Issuer
    audience: str
    service_accounts: tuple[ServiceAccount, ...]
    account: AwsAccount

    @property
    def provider_arn(self) -> str:
        return self.account.provider_arn(self.issuer)

    def statement(self) -> dict[str, t.Any]:
        """The trust policy's statement: exact audience and exact subjects
        (https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_oidc.html)."""
        subjects = sorted({account.subject for account in self.service_accounts})
        return {
            "Effect": "Allow",
            "Principal": {"Federated": self.provider_arn},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {
                    self.issuer.audience_key: self.audience,
                    self.issuer.subject_key: subjects[0] if len(subjects) == 1 else subjects,
                }
            },
        }


WRITE_ACTIONS: t.Final = ("aps:RemoteWrite",)
#: Exactly the actions of the managed policy AmazonPrometheusQueryAccess.
QUERY_ACTIONS: t.Final = ("aps:GetLabels", "aps:GetMetricMetadata", "aps:GetSeries", "aps:QueryMetrics")


def permission_policy(
    workspace_arns: t.Sequence[str], *, allow_query: bool = False, assumable_role_arns: t.Sequence[str] = ()
) -> dict[str, t.Any]:
    """The role's permission: remote write to these workspaces, when asked for queries of them, and chaining to other
    roles."""
    actions = sorted((*WRITE_ACTIONS, *(QUERY_ACTIONS if allow_query else ())))
    statements = [_allow(actions, workspace_arns)]
    if assumable_role_arns:
        statements.append(_allow(["sts:AssumeRole"], assumable_role_arns))
    return {"Version": "2012-10-17", "Statement": statements}


def is_permission_policy(document: t.Mapping[str, t.Any]) -> bool:
    """Whether an identity policy grants what this collection grants and nothing else: rights on single AMP workspaces,
    and chaining to single roles."""
    found = document.get("Statement", ())
    statements = [found] if isinstance(found, t.Mapping) else list(found)
    return bool(statements) and all(map(_is_permission, statements))


def _is_permission(statement: t.Mapping[str, t.Any]) -> bool:
    if statement.keys() - {"Sid"} != {"Effect", "Action", "Resource"} or statement["Effect"] != "Allow":
        return False
    actions, resources = _texts(statement["Action"]), _texts(statement["Resource"])
    if not actions or not resources:
        return False
    if all(action in (*WRITE_ACTIONS, *QUERY_ACTIONS) for action in actions):
        return all(_WORKSPACE_ARN.fullmatch(arn) for arn in resources)
    return actions == ("sts:AssumeRole",) and all(_ROLE_ARN.fullmatch(arn) for arn in resources)


def _texts(found: object) -> tuple[str, ...]:
    """What an element of a policy lists, which may be one text alone; empty for what is neither."""
    listed: list[object] = found if isinstance(found, list) else [found]
    texts = tuple(text for text in listed if isinstance(text, str))
    return texts if len(texts) == len(listed) else ()


def _allow(actions: t.Sequence[str], arns: t.Sequence[str]) -> dict[str, t.Any]:
    resources = sorted(set(arns))
    return {
        "Effect": "Allow",
        "Action": actions[0] if len(actions) == 1 else list(actions),
        "Resource": resources[0] if len(resources) == 1 else resources,
    }


@dataclasses.dataclass(frozen=True)
class EntraTrust:
    """An Entra federated identity credential: exactly one audience, issuer and subject compared verbatim."""

    issuer: Issuer
    service_account: ServiceAccount
    audience: str = ENTRA_AUDIENCE

    @property
    def subject(self) -> str:
        return self.service_account.subject


@dataclasses.dataclass(frozen=True)
class ProjectedToken:
    """The pod's own web-identity token: a projected volume, its mount and the SDK's environment.

    Names are those of AWS' own chart for AKS. The file is never called ``azure-identity-token``: older versions of
    the Azure webhook skip their own injection when any projected source has that path.
    """

    role_arn: str
    region: str
    audience: str = AWS_AUDIENCE
    expiration_seconds: int = 3600
    volume_name: str = "aws-iam-token"
    mount_path: str = "/var/run/secrets/aws"
    file_name: str = "token"

    def __post_init__(self) -> None:
        if self.file_name == AZURE_TOKEN_FILE_NAME:
            raise FederationError(
                f"A projected token must not be called {AZURE_TOKEN_FILE_NAME}, because the Azure webhook would take "
                "it for its own: choose another name."
            )

    def volume(self) -> dict[str, t.Any]:
        return {
            "name": self.volume_name,
            "projected": {
                "sources": [
                    {
                        "serviceAccountToken": {
                            "audience": self.audience,
                            "expirationSeconds": self.expiration_seconds,
                            "path": self.file_name,
                        }
                    }
                ]
            },
        }

    def volume_mount(self) -> dict[str, t.Any]:
        return {"name": self.volume_name, "mountPath": self.mount_path, "readOnly": True}

    def environment(self) -> dict[str, str]:
        return _sdk_environment(self.role_arn, f"{self.mount_path}/{self.file_name}", self.region)


@dataclasses.dataclass(frozen=True)
class WebhookToken:
    """The token that the Azure webhook mounts into labelled pods: nothing of ours in the pod but the environment.

    ``file`` differs between versions of the webhook and can't be expanded from the environment, because the webhook
    appends its variables behind those of the template (https://azure.github.io/azure-workload-identity/).
    """

    role_arn: str
    region: str
    file: str = KNOWN_AFTER_APPLY
    audience: str = ENTRA_AUDIENCE

    def environment(self) -> dict[str, str]:
        return _sdk_environment(self.role_arn, self.file, self.region)


#: The pod's web-identity token, from either source.
WebIdentityToken: t.TypeAlias = "ProjectedToken | WebhookToken"


def _sdk_environment(role_arn: str, token_file: str, region: str) -> dict[str, str]:
    """What the AWS SDKs read. The last one matters for Prometheus before 3.5, whose SDK asks the global STS."""
    return {
        "AWS_ROLE_ARN": role_arn,
        "AWS_WEB_IDENTITY_TOKEN_FILE": token_file,
        "AWS_REGION": region,
        "AWS_STS_REGIONAL_ENDPOINTS": "regional",
    }


#: What an entry that we add says about its queue (AWS' own examples for AMP; without the last one Prometheus drops what
#: the service throttles). https://prometheus.io/docs/prometheus/latest/configuration/configuration/#remote_write
DEFAULT_QUEUE: t.Final[t.Mapping[str, int | bool]] = {
    "capacity": 2500,
    "max_shards": 200,
    "max_samples_per_send": 1000,
    "retry_on_http_429": True,
}

#: A setting of ``queue_config``; None leaves it to Prometheus.
QueueSetting: t.TypeAlias = "int | bool | str | None"


@dataclasses.dataclass(frozen=True)
class RemoteWrite:
    """Prometheus' ``remote_write`` entry for a workspace.

    ``chained_role_arn`` is only for assuming a *different* role with the federated session: Prometheus calls
    ``sts:AssumeRole`` for it, never ``AssumeRoleWithWebIdentity``, and a role can't assume itself unasked.
    ``queue_config`` goes over the defaults; None, for it and the other settings, means that nothing was asked for.
    """

    url: str
    region: str
    role_arn: str
    chained_role_arn: str | None = None
    name: str | None = None
    external_id: str | None = None
    use_fips_sts_endpoint: bool | None = None
    service_name: str | None = None
    queue_config: t.Mapping[str, QueueSetting] | None = None
    write_relabel_configs: tuple[t.Mapping[str, t.Any], ...] | None = None

    def __post_init__(self) -> None:
        if self.chained_role_arn is not None and self.chained_role_arn == self.role_arn:
            raise FederationError(
                f"The chained role is the federated role itself ({self.role_arn}): the pod already holds its session, "
                "so leave the chained role out; it is only for a different role."
            )
        if self.external_id is not None and self.chained_role_arn is None:
            raise FederationError(
                "An external ID is sent when a chained role is assumed, and Prometheus refuses one without: give "
                "chained_role_arn too, or leave external_id out."
            )

    def entry(self, version: PrometheusVersion | None = None) -> dict[str, t.Any]:
        """The entry for a version of Prometheus, in the order of its documentation; None stands for any version.

        ``region`` is always there, because Prometheus signs with it and not with the chain's. Raises FederationError
        for a setting that was asked for and that the version does not know: it would refuse the whole configuration.
        """
        entry = self.asked_for(version)
        queue: dict[str, QueueSetting] = {
            setting: value
            for setting, value in DEFAULT_QUEUE.items()
            if version is None or version.knows(f"queue_config.{setting}")
        }
        queue.update(self.queue_config or {})
        kept = {setting: value for setting, value in queue.items() if value is not None}
        return {**entry, "queue_config": kept} if kept else entry

    def asked_for(self, version: PrometheusVersion | None = None) -> dict[str, t.Any]:
        """What an entry must say whoever added it: the entry without the defaults of its queue."""
        sigv4: dict[str, t.Any] = {
            "region": self.region,
            "role_arn": self.chained_role_arn,
            "external_id": self.external_id,
            "use_fips_sts_endpoint": self._fips(version),
            "service_name": self.service_name,
        }
        relabeling = self.write_relabel_configs
        entry = {
            "url": self.url,
            "write_relabel_configs": [dict(rule) for rule in relabeling] if relabeling else None,
            "name": self.name,
            "sigv4": {setting: value for setting, value in sigv4.items() if value is not None},
            "queue_config": {name: value for name, value in (self.queue_config or {}).items() if value is not None},
        }
        found = {setting: value for setting, value in entry.items() if value}
        if version is not None:
            _refuse_unknown(found, version)
        return found

    def _fips(self, version: PrometheusVersion | None) -> bool | None:
        """False is the default, so it is said only to a version that surely takes it."""
        if self.use_fips_sts_endpoint or (version is not None and version.knows("sigv4.use_fips_sts_endpoint")):
            return self.use_fips_sts_endpoint
        return None

    def version_warnings(self, version: PrometheusVersion | None) -> tuple[str, ...]:
        """One sentence when the version is not known and something was asked for that not every version knows."""
        gated = gated_settings(setting_names(self.asked_for())) if version is None else ()
        if not gated:
            return ()
        needed = max(FIRST_RELEASES[setting] for setting in gated)
        sentence = (
            f"The version of this Prometheus is not known, and {' and '.join(gated)} needs {needed}: an older one "
            "refuses the whole configuration; give prometheus_version to have it checked."
        )
        return (sentence,)


def normal_url(url: str) -> tuple[str, str, str, str]:
    """A URL in a form that is equal for all spellings that lead to the same place."""
    try:
        parts = urllib.parse.urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:  # not a URL at all
        return ("", url, "", "")
    port = None if port == 443 and parts.scheme == "https" else port
    path = re.sub("/{2,}", "/", parts.path).rstrip("/")
    return (parts.scheme.lower(), host if port is None else f"{host}:{port}", path, parts.query)


def is_same_url(url: str, wanted: str) -> bool:
    """Whether two remote write URLs lead to one workspace, however they are spelled."""
    return bool(url) and normal_url(url) == normal_url(wanted)


def setting_names(entry: t.Mapping[str, t.Any]) -> tuple[str, ...]:
    """The settings of an entry as ``prometheus_versions`` names them: ``sigv4``, ``sigv4.region``, ..."""
    inner = [f"{name}.{setting}" for name, value in entry.items() if isinstance(value, dict) for setting in value]
    return (*entry, *inner)


def _refuse_unknown(entry: t.Mapping[str, t.Any], version: PrometheusVersion) -> None:
    if not version.knows("sigv4"):
        raise FederationError(
            f"Prometheus {version} can't sign requests to AWS, which came with {FIRST_RELEASES['sigv4']}: update it "
            "first."
        )
    for setting in unknown_settings(setting_names(entry), version):
        raise FederationError(
            f"Prometheus {version} does not know {setting}, which came with {FIRST_RELEASES[setting]}, and would "
            f"refuse the whole configuration: leave {setting.rpartition('.')[2]} out or update Prometheus first."
        )


#: The label that makes the Azure webhook act on a pod; on a service account it marks intent only.
WORKLOAD_IDENTITY_LABEL: t.Final = "azure.workload.identity/use"
#: The service account's annotation with the Entra application's client ID.
CLIENT_ID_ANNOTATION: t.Final = "azure.workload.identity/client-id"
