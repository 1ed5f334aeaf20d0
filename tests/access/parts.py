# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of access/, each with the runs that need it."""

from __future__ import annotations

import dataclasses
import typing as t

from sandbox.kubernetes.fates import Fate, FateKind
from sandbox.world import (
    AZURE_SUBSCRIPTION,
    AZURE_TENANT,
    CONTROLLER_CLIENT_ID,
    CONTROLLER_CLIENT_SECRET,
)
from tests.access.trials import Part, Trial
from tests.faults.modules import CASES, NAMESPACE, ROLE, SERVICE_ACCOUNT, Case, Estate, Options, by_name
from tests.unit.plugins.azure_estate import RESOURCE_GROUP

if t.TYPE_CHECKING:
    from collections.abc import Callable


_CASES: t.Final = by_name(CASES)
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


def _changed(name: str, title: str = "", **options: t.Any) -> Case:
    """A case of the faults' tests with other options."""
    case = _CASES[name]

    def of(estate: Estate) -> Options:
        found = {key: value(estate) if callable(value) else value for key, value in options.items()}
        return {**case.options(estate), **found}

    return dataclasses.replace(case, name=title or name, options=of)


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
    (*_trials(*_LOOKED_AT, check_mode=True), Trial(_ACCOUNT_CREATE, check_mode=True), Trial(DIAGNOSIS)),
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

PARTS: t.Final = (FEDERATE, READ, TEARDOWN)
