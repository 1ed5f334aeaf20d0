# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of access/, each with the runs that need it."""

from __future__ import annotations

import dataclasses
import typing as t

from sandbox.estate import MANAGED_IDENTITY
from sandbox.kubernetes.fates import Fate, FateKind
from sandbox.kubernetes.programs import Ended
from sandbox.world import (
    AWS_ACCOUNT,
    AZURE_SUBSCRIPTION,
    AZURE_TENANT,
    CONTROLLER_CLIENT_ID,
    CONTROLLER_CLIENT_SECRET,
)
from tests.access.documents import VALUES
from tests.access.trials import Part, Trial
from tests.faults.modules import CASES, NAMESPACE, ROLE, ROTATION, SERVICE_ACCOUNT, Case, Estate, Options, by_name
from tests.unit.plugins.azure_estate import RESOURCE_GROUP

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.world import Json

_CASES: t.Final = by_name(CASES)
_ROLES: t.Final = f"arn:aws:iam::{AWS_ACCOUNT}:role/"
_BOUNDARY: t.Final = "arn:aws:iam::aws:policy/AmazonPrometheusRemoteWriteAccess"
_CLIENT_ID: t.Final = "0b4b5b0c-4f6e-4a3a-9d0e-6c1b1f1e9a11"
_LOGIN: t.Final[Options] = {
    "tenant": AZURE_TENANT,
    "client_id": CONTROLLER_CLIENT_ID,
    "secret": CONTROLLER_CLIENT_SECRET,
}
_DENIED: t.Final = (
    'level=error err="could not get SigV4 credentials: AccessDenied: Not authorized to perform '
    'sts:AssumeRoleWithWebIdentity"\n'
)


def _changed(known: str, title: str = "", /, **options: t.Any) -> Case:
    """A case of the faults' tests with other options."""
    case = _CASES[known]

    def of(estate: Estate) -> Options:
        found = {key: value(estate) if callable(value) else value for key, value in options.items()}
        return {**case.options(estate), **found}

    return dataclasses.replace(case, name=title or known, options=of)


def _after(case: Case, *before: Case, prepare: Callable[[Estate], None] | None = None) -> Case:
    """The case after runs with the options of others."""
    return dataclasses.replace(case, before=tuple(one.options for one in before), prepare=prepare or case.prepare)


def _trials(*names: str, check_mode: bool = False) -> tuple[Trial, ...]:
    return tuple(Trial(_CASES[name], check_mode) for name in names)


def _anchors(estate: Estate) -> list[str]:
    return [str(estate.sandbox.ca_file)]


def _crash(estate: Estate) -> None:
    """The next pods of Prometheus do not come to run."""
    estate.sandbox.api_server("fresh").set_fate(Fate(FateKind.CRASH, message=_DENIED))


def _account_of_others(estate: Estate) -> None:
    estate.sandbox.api_server("fresh").seed(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": SERVICE_ACCOUNT, "namespace": NAMESPACE}}
    )


def _role_of_others(estate: Estate) -> None:
    """A role that lets another service in as well, so that it is kept."""
    statement = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    estate.sandbox.aws.seed_role(ROLE, {"Version": "2012-10-17", "Statement": [statement]}, {})


def _without_provider_and_role(estate: Estate) -> None:
    """An issuer that nobody in AWS knows or trusts."""
    _CASES["iam_oidc_provider_thumbprint-create"].prepare(estate)
    roles = estate.sandbox.aws._account.store.roles
    del roles[next(key for key, role in roles.items() if role.name == "AKS-Prometheus-AMP-Role-finished")]


# --- federate -------------------------------------------------------------------------------------------------------

_PROVIDER_REPAIR: t.Final = _changed("iam_oidc_provider_thumbprint-modify", "provider-repair", trust_anchors=_anchors)
_ACCOUNT_CREATE: t.Final = _changed("federated_service_account-create", "account-create", namespace=NAMESPACE)
_FAILED_ROLLOUT: t.Final = _changed("prometheus_remote_write-create", "rollout-fails", wait_timeout=1)

#: The role is there, but its permission has another name.
_RENAMED: t.Final = _after(
    _changed("iam_web_identity_role-create", "role-renamed-policy"),
    _changed("iam_web_identity_role-create", policy_name="Another-Name"),
)

FEDERATE: t.Final = Part(
    "federate",
    (
        "aws/federate.json",
        "azure/federate.json",
        "azure/operations.json",
        "graph/federate.json",
        "kubernetes/federate.yml",
    ),
    (
        *_trials(
            "aks_oidc_issuer-enable",
            "aks_oidc_issuer-modify",
            "amp_workspace_info",
            "iam_oidc_provider_thumbprint-create",
            "iam_web_identity_role-create",
            "iam_web_identity_role-modify",
            "entra_federated_credential-create",
            "entra_federated_credential-unique",
            "entra_federated_credential-modify",
            "federated_service_account-modify",
            "prometheus_remote_write-create",
            "prometheus_remote_write-modify",
            "federation_check",
        ),
        Trial(_PROVIDER_REPAIR),
        Trial(_RENAMED),
        Trial(_ACCOUNT_CREATE),
        Trial(_FAILED_ROLLOUT, then=_crash, fails=True),
    ),
)

# --- drift and verify -----------------------------------------------------------------------------------------------


def _diagnosis(estate: Estate) -> Options:
    cluster = {"subscription_id": AZURE_SUBSCRIPTION, "resource_group": RESOURCE_GROUP, "name": "finished"}
    connection = {name: estate.connection[name] for name in ("https_proxy", "ca_bundle")}
    return {
        "namespace": NAMESPACE,
        "service_account": SERVICE_ACCOUNT,
        "scope": "diagnosis",
        "role_name": "AKS-Prometheus-AMP-Role-finished",
        "workspace_alias": "fleet-metrics",
        "trust_anchors": _anchors(estate),
        "azure": {**cluster, **_LOGIN, **connection},
        "entra": {"display_name": "Prometheus-AMP-Federation-finished"},
        "prometheus": [{"workload_name": "prometheus", "configmap": "prometheus-config"}],
    }


DIAGNOSIS: t.Final = Case("diagnosis", _CASES["federation_check"].definition, "finished", _diagnosis)
_LOOKED_AT: t.Final = (
    "aks_oidc_issuer-converged",
    "amp_workspace_info",
    "iam_oidc_provider_thumbprint-create",
    "iam_web_identity_role-modify",
    "entra_federated_credential-modify",
    "federated_service_account-modify",
    "federation_check",
)

READ: t.Final = Part(
    "read",
    ("aws/read.json", "azure/read.json", "graph/read.json", "kubernetes/read.yml"),
    (*_trials(*_LOOKED_AT, check_mode=True), Trial(_RENAMED, True), Trial(_ACCOUNT_CREATE, True), Trial(DIAGNOSIS)),
)

# --- teardown -------------------------------------------------------------------------------------------------------

_ACCOUNT_ABSENT: t.Final = _after(
    _changed("federated_service_account-absent", "account-absent", namespace=NAMESPACE), _ACCOUNT_CREATE
)
_ACCOUNT_UNDONE: t.Final = _after(
    _changed("federated_service_account-absent", "account-undone", namespace=NAMESPACE),
    _ACCOUNT_CREATE,
    prepare=_account_of_others,
)
_ROLE_UNDONE: t.Final = _after(
    _changed("iam_web_identity_role-absent", "role-undone"),
    _changed("iam_web_identity_role-create"),
    prepare=_role_of_others,
)
_PROVIDER_ABSENT: t.Final = _after(
    _changed("iam_oidc_provider_thumbprint-absent", "provider-absent", force=False),
    _changed("iam_oidc_provider_thumbprint-create"),
    prepare=_without_provider_and_role,
)
_ROLLBACK_FAILS: t.Final = _changed("prometheus_remote_write-absent", "undoing-fails", wait_timeout=1)

TEARDOWN: t.Final = Part(
    "teardown",
    ("aws/teardown.json", "azure/read.json", "graph/federate.json", "kubernetes/teardown.yml"),
    (
        *_trials("aks_oidc_issuer-converged", check_mode=True),
        *_trials(
            "entra_federated_credential-absent",
            "iam_web_identity_role-absent",
            "prometheus_remote_write-absent",
        ),
        Trial(_PROVIDER_ABSENT),
        Trial(_ROLE_UNDONE),
        Trial(_ACCOUNT_ABSENT),
        Trial(_ACCOUNT_UNDONE),
        Trial(_ROLLBACK_FAILS, then=_crash, fails=True),
    ),
)

# --- options --------------------------------------------------------------------------------------------------------


def _option(
    name: str, paths: tuple[str, ...], *trials: Trial | Case, login: tuple[str, ...] = (), **more: t.Any
) -> Part:
    """Documents that a login gets beside those of ``login``."""
    found = tuple(one if isinstance(one, Trial) else Trial(one) for one in trials)
    return Part(name, (*login, *paths), found, judged=paths, **more)


def _through(access: str) -> Callable[[Estate], Json]:
    """Options by which a module finds the API server through Azure."""

    def of(estate: Estate) -> Json:
        connection = {name: estate.connection[name] for name in ("https_proxy", "ca_bundle")}
        cluster = {"subscription_id": AZURE_SUBSCRIPTION, "resource_group": RESOURCE_GROUP, "name": "fresh"}
        return {"access": access, "poll_interval": 0.01, **cluster, **_LOGIN, **connection}

    return of


def _account_through(access: str) -> Case:
    return _changed("federated_service_account-create", f"account-{access}", namespace=NAMESPACE, aks=_through(access))


_ASSUMED: t.Final = f"{_ROLES}fleet-manager"


def _role_to_assume(estate: Estate) -> None:
    """A role with all rights of its own that trusts the controller's account."""
    trust = {"Effect": "Allow", "Principal": {"AWS": AWS_ACCOUNT}, "Action": "sts:AssumeRole"}
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    documents = [{"Version": "2012-10-17", "Statement": [one]} for one in (trust, everything)]
    estate.sandbox.aws.seed_role("fleet-manager", documents[0], {"all": documents[1]})


def _identity(name: str, **options: t.Any) -> Case:
    """An Entra case with a managed identity in the application's place."""
    place = f"/subscriptions/{AZURE_SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}"
    identity = f"{place}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{MANAGED_IDENTITY}"
    case = _CASES["entra_federated_credential-create"]

    def of(estate: Estate) -> Options:
        found = {key: value for key, value in case.options(estate).items() if key != "display_name"}
        return {**found, "managed_identity_id": identity, **options}

    return dataclasses.replace(case, name=name, options=of)


def _linked(estate: Estate) -> None:
    """A cluster on a network, with an identity, behind addresses, with disks and logs that somebody else made."""
    body = estate.sandbox.cluster("fresh").body
    providers = f"/subscriptions/{AZURE_SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}/providers"
    network, properties = f"{providers}/Microsoft.Network", body["properties"]
    identity = f"{providers}/Microsoft.ManagedIdentity/userAssignedIdentities/id-cluster"
    workspace = f"{providers}/Microsoft.OperationalInsights/workspaces/logs"
    body["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {identity: {}}}
    properties["agentPoolProfiles"][0]["vnetSubnetID"] = f"{network}/virtualNetworks/hub/subnets/nodes"
    properties["networkProfile"]["loadBalancerProfile"] |= {
        "outboundIPs": {"publicIPs": [{"id": f"{network}/publicIPAddresses/out"}]},
        "outboundIPPrefixes": {"publicIPPrefixes": [{"id": f"{network}/publicIPPrefixes/out"}]},
    }
    properties["addonProfiles"]["omsagent"] = {
        "enabled": True,
        "config": {"logAnalyticsWorkspaceResourceID": workspace},
    }
    properties["diskEncryptionSetID"] = f"{providers}/Microsoft.Compute/diskEncryptionSets/disks"


_MANAGED: t.Final = _changed("iam_web_identity_role-create", "managed-create", policy_type="managed")
_VERSIONS: t.Final = tuple(
    _changed("iam_web_identity_role-create", policy_type="managed", allow_query=bool(number % 2)) for number in range(5)
)
#: A policy of AWS's own, beside the one that the collection writes.
_FURTHER: t.Final = {"managed_policy_arns": [VALUES["POLICY_ARN"]]}
_FURTHER_CREATE: t.Final = _changed("iam_web_identity_role-create", "further-create", **_FURTHER)
#: The role is there without the policy.
_FURTHER_ADDED: t.Final = _after(_FURTHER_CREATE, _CASES["iam_web_identity_role-create"])
_AWS: t.Final = (
    Part(
        "federate-bounded",
        ("aws/federate-bounded.json",),
        (
            *_trials("amp_workspace_info", "iam_oidc_provider_thumbprint-create"),
            Trial(_PROVIDER_REPAIR),
            Trial(
                _after(
                    _changed("iam_web_identity_role-create", "bounded-renamed", permissions_boundary=_BOUNDARY),
                    _changed(
                        "iam_web_identity_role-create", policy_name="Another-Name", permissions_boundary=_BOUNDARY
                    ),
                )
            ),
            Trial(_changed("iam_web_identity_role-create", "bounded-create", permissions_boundary=_BOUNDARY)),
            Trial(
                _after(
                    _changed("iam_web_identity_role-modify", "bounded-modify", permissions_boundary=_BOUNDARY),
                    _changed(
                        "iam_web_identity_role-create",
                        service_accounts=[{"namespace": NAMESPACE, "name": "another"}],
                        permissions_boundary=_BOUNDARY,
                    ),
                )
            ),
        ),
        values={"arn:aws:iam::ACCOUNT_ID:policy/BOUNDARY": _BOUNDARY},
    ),
    _option(
        "purge-client-ids",
        ("aws/options/purge-client-ids.json",),
        _changed("iam_oidc_provider_thumbprint-modify", "provider-purge", purge_client_ids=True),
        login=("aws/federate.json",),
    ),
    _option(
        "permissions-boundary",
        ("aws/options/permissions-boundary.json",),
        _after(
            _changed("iam_web_identity_role-create", "role-bounded", permissions_boundary=_BOUNDARY),
            _CASES["iam_web_identity_role-create"],
        ),
        login=("aws/federate.json",),
    ),
    _option(
        "remove-permissions-boundary",
        ("aws/options/remove-permissions-boundary.json",),
        _after(
            _changed("iam_web_identity_role-create", "role-unbounded", permissions_boundary="none"),
            _changed("iam_web_identity_role-create", permissions_boundary=_BOUNDARY),
        ),
        login=("aws/federate.json",),
    ),
    _option(
        "rendered-files-teardown",
        ("aws/options/rendered-files-teardown.json",),
        _CASES["amp_workspace_info"],
        login=("aws/teardown.json",),
    ),
    _option(
        "managed-policy",
        ("aws/options/managed-policy.json",),
        _MANAGED,
        _after(
            _changed("iam_web_identity_role-create", "managed-instead", policy_type="managed"),
            _CASES["iam_web_identity_role-create"],
        ),
        _after(
            _changed(
                "iam_web_identity_role-create",
                "managed-sixth",
                policy_type="managed",
                allow_query=True,
                tags={"a": "b"},
            ),
            *_VERSIONS,
        ),
        login=("aws/federate.json",),
    ),
    _option(
        "managed-policy-read",
        ("aws/options/managed-policy-read.json",),
        Trial(_after(_MANAGED, *_VERSIONS[:2]), check_mode=True),
        login=("aws/read.json",),
    ),
    _option(
        "managed-policy-teardown",
        ("aws/options/managed-policy-teardown.json",),
        _after(_changed("iam_web_identity_role-absent", "managed-absent", policy_type="managed"), *_VERSIONS[:2]),
        login=("aws/teardown.json",),
    ),
    _option(
        "further-policies",
        ("aws/options/further-policies.json",),
        _FURTHER_CREATE,
        _FURTHER_ADDED,
        login=("aws/federate.json",),
    ),
    _option(
        "further-policies-read",
        ("aws/options/further-policies-read.json",),
        Trial(_FURTHER_ADDED, check_mode=True),
        login=("aws/read.json",),
    ),
    _option(
        "further-policies-teardown",
        ("aws/options/further-policies-teardown.json",),
        _after(_changed("iam_web_identity_role-absent", "further-absent", **_FURTHER), _FURTHER_CREATE),
        login=("aws/teardown.json",),
    ),
    _option(
        "resource-policy",
        ("aws/options/resource-policy.json",),
        _CASES["amp_resource_policy-create"],
        login=("aws/federate.json",),
    ),
    _option(
        "resource-policy-read",
        ("aws/options/resource-policy-read.json",),
        Trial(_CASES["amp_resource_policy-create"], check_mode=True),
        login=("aws/read.json",),
    ),
    _option(
        "resource-policy-teardown",
        ("aws/options/resource-policy-teardown.json",),
        _CASES["amp_resource_policy-absent"],
        _after(
            _changed("amp_resource_policy-absent", "policy-shared"),
            _CASES["amp_resource_policy-create"],
            _changed("amp_resource_policy-create", principals=[f"{_ROLES}AKS-Prometheus-AMP-Role-halfdone"]),
        ),
    ),
    _option(
        "assume-role",
        ("aws/options/assume-role.json",),
        Trial(_changed("amp_workspace_info", "assumed", assume_role_arn=_ASSUMED), then=_role_to_assume),
    ),
    _option("workspace-account", ("aws/options/workspace-account.json",), _CASES["amp_workspace_info"]),
)
_AZURE: t.Final = (
    _option(
        "cluster-user",
        ("azure/options/cluster-user.json",),
        _account_through("user"),
        login=("azure/read.json", "kubernetes/federate.yml"),
    ),
    _option(
        "cluster-admin",
        ("azure/options/cluster-admin.json",),
        _account_through("admin"),
        login=("azure/read.json",),
    ),
    _option(
        "run-command",
        ("azure/options/run-command.json",),
        _account_through("run_command"),
        login=("azure/read.json", "kubernetes/federate.yml"),
    ),
    _option(
        "rotate-keys",
        ("azure/options/rotate-keys.json", "azure/options/rotate-keys-operations.json"),
        ROTATION,
        login=("azure/federate.json", "azure/operations.json"),
    ),
    _option(
        "linked-resources",
        ("azure/options/linked-resources.json",),
        dataclasses.replace(_CASES["aks_oidc_issuer-enable"], name="enable-linked", prepare=_linked),
        login=("azure/federate.json", "azure/operations.json"),
    ),
    _option("managed-identity", ("azure/options/managed-identity.json",), _identity("identity-create")),
    _option(
        "managed-identity-read",
        ("azure/options/managed-identity-read.json",),
        Trial(_identity("identity-create"), check_mode=True),
    ),
    _option(
        "managed-identity-teardown",
        ("azure/options/managed-identity-teardown.json",),
        _after(_identity("identity-absent", state="absent"), _identity("identity-create")),
    ),
)


def _looked_inside(estate: Estate) -> Options:
    return {
        **_diagnosis(estate),
        "fail_on_broken": False,
        "inside": {"image": "docker.io/curlimages/curl:8.10.1", "wait_timeout": 1},
    }


def _programs_end(estate: Estate) -> None:
    estate.sandbox.api_server("finished").run_programs(lambda _pod, _files: Ended(0, "", ""))


def _reloadable(estate: Estate) -> None:
    """A Prometheus that loads its configuration when it is asked to, and only then."""
    _account_of_others(estate)
    server = estate.sandbox.api_server("fresh")
    body = server.get("Deployment", NAMESPACE, "prometheus")
    assert body is not None
    pod = body["spec"]["template"]["spec"]
    pod["containers"] = pod["containers"][:1]
    server.seed({name: body[name] for name in ("apiVersion", "kind", "metadata", "spec")})


_KUBERNETES: t.Final = (
    _option(
        "create-namespace",
        ("kubernetes/options/create-namespace.yml",),
        _CASES["federated_service_account-create"],
        login=("kubernetes/federate.yml",),
        values={"monitoring(?!.coreos)": "observability"},
        everywhere=True,
    ),
    _option(
        "remove-namespace",
        ("kubernetes/options/remove-namespace.yml",),
        _CASES["federated_service_account-absent"],
        login=("kubernetes/teardown.yml",),
        values={"monitoring(?!.coreos)": "observability"},
        everywhere=True,
    ),
    _option(
        "operator",
        ("kubernetes/options/operator.yml",),
        *(_CASES[f"prometheus_remote_write-operator-{name}"] for name in ("create", "modify", "absent")),
        login=("kubernetes/federate.yml",),
    ),
    _option(
        "statefulset-secret",
        ("kubernetes/options/statefulset.yml", "kubernetes/options/secret.yml"),
        *(_CASES[f"prometheus_remote_write-stateful-{name}"] for name in ("create", "modify", "absent")),
        login=("kubernetes/federate.yml",),
    ),
    _option(
        "rollback-statefulset",
        ("kubernetes/options/rollback-statefulset.yml",),
        Trial(
            _changed("prometheus_remote_write-stateful-create", "stateful-rollback", rollback=True, wait_timeout=1),
            then=_crash,
            fails=True,
        ),
        login=("kubernetes/federate.yml", "kubernetes/options/statefulset.yml", "kubernetes/options/secret.yml"),
    ),
    _option(
        "daemonset",
        ("kubernetes/options/daemonset.yml",),
        *(_CASES[f"prometheus_remote_write-daemon-{name}"] for name in ("create", "modify", "absent")),
        login=("kubernetes/federate.yml",),
    ),
    _option(
        "reload",
        ("kubernetes/options/reload.yml",),
        _after(
            _changed("prometheus_remote_write-create", "reload", name="amp"),
            _changed("prometheus_remote_write-create"),
            prepare=_reloadable,
        ),
        login=("kubernetes/federate.yml",),
    ),
    _option(
        "azure-webhook",
        ("kubernetes/options/azure-webhook.yml",),
        _CASES["prometheus_remote_write-azure-modify"],
        login=("kubernetes/federate.yml",),
    ),
    _option(
        "inside-job",
        ("kubernetes/options/inside-job.yml",),
        Trial(dataclasses.replace(DIAGNOSIS, name="inside", options=_looked_inside), then=_programs_end),
        login=("aws/read.json", "azure/read.json", "graph/read.json", "kubernetes/read.yml"),
    ),
)

PARTS: t.Final = (FEDERATE, READ, TEARDOWN, *_AWS, *_AZURE, *_KUBERNETES)
