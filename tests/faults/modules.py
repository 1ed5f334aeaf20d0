# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules as the tests of this folder run them: what each starts from, what it is asked for, what it leaves."""

from __future__ import annotations

import base64
import copy
import dataclasses
import gzip
import json
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import (
    aks_oidc_issuer,
    amp_resource_policy,
    amp_workspace,
    entra_federated_credential,
    federated_service_account,
    federation_check,
    iam_oidc_provider,
    iam_role,
    prometheus_remote_write,
)
from sandbox.estate import WORKSPACE_ALIAS
from sandbox.graph.directory import Key
from sandbox.kubernetes import kinds
from sandbox.kubernetes.monitoring import definition
from sandbox.world import (
    AWS_ACCOUNT,
    AZURE_SUBSCRIPTION,
    AZURE_TENANT,
    CONTROLLER_AWS_ACCESS_KEY,
    CONTROLLER_AWS_SECRET_KEY,
    CONTROLLER_CLIENT_ID,
    CONTROLLER_CLIENT_SECRET,
)
from tests.unit.plugins.azure_estate import RESOURCE_GROUP, context
from tests.unit.plugins.module_utils._resources.aws_modules import REGION, params_of
from tests.unit.plugins.module_utils._resources.prometheus_targets import Target

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import ModuleDefinition, Result
    from sandbox.server import Sandbox
    from sandbox.world import Json, LoggedRequest

Options = dict[str, t.Any]

NAMESPACE, SERVICE_ACCOUNT = "monitoring", "prometheus-sa"
ROLE = "AKS-Prometheus-AMP-Role-new"
_FINISHED_ROLE = "AKS-Prometheus-AMP-Role-finished"
_ABSENT = {"state": "absent"}


@dataclasses.dataclass(frozen=True)
class Estate:
    """The sandbox and the options by which modules reach it."""

    sandbox: Sandbox

    @property
    def connection(self) -> Options:
        """Of all services; a module takes those that it knows."""
        return {
            "https_proxy": self.sandbox.proxy_url,
            "ca_bundle": str(self.sandbox.ca_file),
            "tenant": AZURE_TENANT,
            "client_id": CONTROLLER_CLIENT_ID,
            "secret": CONTROLLER_CLIENT_SECRET,
            "region": REGION,
            "access_key": CONTROLLER_AWS_ACCESS_KEY,
            "secret_key": CONTROLLER_AWS_SECRET_KEY,
            "kubeconfig": str(self.sandbox.kubeconfig),
        }

    def issuer(self, cluster: str) -> str:
        return self.sandbox.cluster(cluster).issuer_url

    @property
    def workspace_id(self) -> str:
        (workspace,) = self.sandbox.aws._regions[REGION].workspaces
        return str(workspace)

    @property
    def workspace_arn(self) -> str:
        return f"arn:aws:aps:{REGION}:{AWS_ACCOUNT}:workspace/{self.workspace_id}"

    @property
    def remote_write_url(self) -> str:
        return f"https://aps-workspaces.{REGION}.amazonaws.com/workspaces/{self.workspace_id}/api/v1/remote_write"

    def last_request(self) -> int:
        requests = self.sandbox.world.log.since()
        return requests[-1].number if requests else 0

    def requests(self, since: int) -> tuple[LoggedRequest, ...]:
        return self.sandbox.world.log.since(since)


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """One run of a module. ``before`` are earlier runs of the same module, by which the start comes about."""

    name: str
    definition: ModuleDefinition
    cluster: str
    options: Callable[[Estate], Options]
    before: tuple[Callable[[Estate], Options], ...] = ()
    prepare: Callable[[Estate], None] = lambda _estate: None

    def start(self, estate: Estate) -> None:
        """Bring the sandbox to where the run begins."""
        estate.sandbox.reset()
        self.prepare(estate)
        for options in self.before:
            self._run(estate, options(estate), check_mode=False)

    def run(self, estate: Estate, *, check_mode: bool = False) -> Result:
        return self._run(estate, self.options(estate), check_mode=check_mode)

    def _run(self, estate: Estate, options: Options, *, check_mode: bool) -> Result:
        known = self.definition.spec.options
        connection = {name: value for name, value in estate.connection.items() if name in known}
        if "context" in known:
            connection["context"] = self.cluster
        given = {**connection, **options}
        return self.definition.run(params_of(self.definition, given), context(check_mode=check_mode))


# --- what each module is asked for --------------------------------------------------------------------------------


def _aks(cluster: str, **options: t.Any) -> Callable[[Estate], Options]:
    def of(_estate: Estate) -> Options:
        return {
            "subscription_id": AZURE_SUBSCRIPTION,
            "resource_group": RESOURCE_GROUP,
            "name": cluster,
            "poll_interval": 2.0,
            "wait_timeout": 1,
            **options,
        }

    return of


def _entra(cluster: str, **options: t.Any) -> Callable[[Estate], Options]:
    def of(estate: Estate) -> Options:
        return {
            "name": f"aks-prometheus-federation-{cluster}",
            "issuer": estate.issuer(cluster),
            "namespace": NAMESPACE,
            "service_account": SERVICE_ACCOUNT,
            **({} if "unique_name" in options else {"display_name": "Prometheus-of-the-fleet"}),
            **options,
        }

    return of


def _provider(cluster: str, **options: t.Any) -> Callable[[Estate], Options]:
    return lambda estate: {"issuer": estate.issuer(cluster), **options}


def _role(cluster: str, **options: t.Any) -> Callable[[Estate], Options]:
    def of(estate: Estate) -> Options:
        return {
            "name": ROLE,
            "issuer": estate.issuer(cluster),
            "service_accounts": [{"namespace": NAMESPACE, "name": SERVICE_ACCOUNT}],
            "workspace_arns": [estate.workspace_arn],
            **options,
        }

    return of


def _account(**options: t.Any) -> Callable[[Estate], Options]:
    return lambda _estate: {"namespace": NAMESPACE, "name": SERVICE_ACCOUNT, **options}


def _remote_write(role: str, **options: t.Any) -> Callable[[Estate], Options]:
    def of(estate: Estate) -> Options:
        return {
            "namespace": NAMESPACE,
            "configmap": "prometheus-config",
            "workload_name": "prometheus",
            "service_account": SERVICE_ACCOUNT,
            "role_arn": f"arn:aws:iam::{AWS_ACCOUNT}:role/{role}",
            "region": REGION,
            "remote_write_url": estate.remote_write_url,
            **options,
        }

    return of


def _remote_write_by_operator(role: str, **options: t.Any) -> Callable[[Estate], Options]:
    """Of a resource of prometheus-operator, which holds the configuration itself."""

    def of(estate: Estate) -> Options:
        given = {**_remote_write(role)(estate), "workload_kind": "Prometheus", "workload_name": "k8s", **options}
        return {name: value for name, value in given.items() if name != "configmap"}

    return of


def _with_operator(estate: Estate) -> None:
    """prometheus-operator and a resource with an entry of somebody else."""
    _with_account(estate)
    server = estate.sandbox.api_server("fresh")
    server.seed(definition(kinds.PROMETHEUSES))
    server.seed(
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "Prometheus",
            "metadata": {"name": "k8s", "namespace": NAMESPACE},
            "spec": {"version": "v3.5.0", "remoteWrite": [{"url": "https://metrics.example.net/api/v1/push"}]},
        }
    )


#: Other kinds of workload and places of the configuration than those of the estate's own Prometheus.
STATEFUL_SECRET: t.Final = Target("StatefulSet", "Secret", "packed")
DAEMON_BINARY: t.Final = Target("DaemonSet", "ConfigMap", "binary")


def _remote_write_in(target: Target, role: str, **options: t.Any) -> Callable[[Estate], Options]:
    def of(estate: Estate) -> Options:
        given = {**_remote_write(role)(estate), **target.options, **options}
        return {name: value for name, value in given.items() if name in target.options or name != "configmap"}

    return of


def _with_target(target: Target) -> Callable[[Estate], None]:
    """A Prometheus of that kind in place of the estate's own."""

    def prepare(estate: Estate) -> None:
        _with_account(estate)
        server = estate.sandbox.api_server("fresh")
        found = server.get("ConfigMap", NAMESPACE, "prometheus-config")
        assert found is not None
        for manifest in (target.config(found["data"]["prometheus.yml"]), target.workload()):
            server.seed(manifest)

    return prepare


def _check(**options: t.Any) -> Callable[[Estate], Options]:
    def of(estate: Estate) -> Options:
        return {
            "issuer": estate.issuer("finished"),
            "namespace": NAMESPACE,
            "service_account": SERVICE_ACCOUNT,
            "role_arn": f"arn:aws:iam::{AWS_ACCOUNT}:role/{_FINISHED_ROLE}",
            "workspace_arn": estate.workspace_arn,
            "remote_write_url": estate.remote_write_url,
            **options,
        }

    return of


def _resource_policy(_estate: Estate) -> Options:
    return {"alias": WORKSPACE_ALIAS, "principals": [f"arn:aws:iam::{AWS_ACCOUNT}:role/{_FINISHED_ROLE}"]}


def _with_account(estate: Estate) -> None:
    """The service account that remote write builds on."""
    estate.sandbox.api_server("fresh").seed(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": SERVICE_ACCOUNT, "namespace": NAMESPACE}}
    )


def _with_webhook(estate: Estate) -> None:
    """The Azure webhook, which AKS runs where workload identity is enabled."""
    _with_account(estate)
    properties = estate.sandbox.cluster("fresh").body["properties"]
    properties["securityProfile"] = {"workloadIdentity": {"enabled": True}}


def _without_provider(estate: Estate) -> None:
    """An issuer that answers, and that IAM does not know yet."""
    providers = estate.sandbox.aws._account.store.open_id_providers
    del providers[next(arn for arn in providers if arn.endswith(estate.issuer("finished").removeprefix("https://")))]


_AKS, _ENTRA = aks_oidc_issuer.DEFINITION, entra_federated_credential.DEFINITION
_PROVIDER, _ROLE = iam_oidc_provider.DEFINITION, iam_role.DEFINITION
_ACCOUNT, _WRITE = federated_service_account.DEFINITION, prometheus_remote_write.DEFINITION
_POLICY = amp_resource_policy.DEFINITION
_BOTH = {"oidc_issuer": True, "workload_identity": True}

#: A second one at once would drop the key that still signs what pods hold, so it is no run that converges.
ROTATION: t.Final = Case("aks_oidc_issuer-rotate", _AKS, "finished", _aks("finished", rotate_signing_keys=True))

#: Runs that create, change or leave as it is.
PRESENT: t.Final = (
    Case("aks_oidc_issuer-enable", _AKS, "fresh", _aks("fresh", **_BOTH)),
    Case("aks_oidc_issuer-modify", _AKS, "finished", _aks("finished", oidc_issuer=True, workload_identity=False)),
    Case("aks_oidc_issuer-converged", _AKS, "finished", _aks("finished", **_BOTH)),
    Case("entra_federated_credential-create", _ENTRA, "fresh", _entra("fresh")),
    Case("entra_federated_credential-unique", _ENTRA, "fresh", _entra("fresh", unique_name="prometheus-fleet")),
    Case("entra_federated_credential-spaced", _ENTRA, "fresh", _entra("fresh", display_name="Prometheus of the fleet")),
    Case(
        "entra_federated_credential-modify",
        _ENTRA,
        "finished",
        _entra("finished"),
        before=(_entra("finished", audience="another-audience"),),
    ),
    Case(
        "iam_oidc_provider_thumbprint-create",
        _PROVIDER,
        "finished",
        _provider("finished"),
        prepare=_without_provider,
    ),
    Case(
        "iam_oidc_provider_thumbprint-modify",
        _PROVIDER,
        "halfdone",
        _provider("halfdone", tags={"team": "observability"}),
    ),
    Case("iam_web_identity_role-create", _ROLE, "finished", _role("finished")),
    Case(
        "iam_web_identity_role-modify",
        _ROLE,
        "finished",
        _role("finished", max_session_duration=7200, description="Prometheus of finished", tags={"team": "a"}),
        before=(_role("finished", service_accounts=[{"namespace": NAMESPACE, "name": "another"}], allow_query=True),),
    ),
    Case(
        "federated_service_account-create",
        _ACCOUNT,
        "fresh",
        _account(namespace="observability", client_id="0b4b5b0c-4f6e-4a3a-9d0e-6c1b1f1e9a11"),
    ),
    Case(
        "federated_service_account-modify",
        _ACCOUNT,
        "fresh",
        _account(client_id="0b4b5b0c-4f6e-4a3a-9d0e-6c1b1f1e9a11", workload_identity_label=True),
        before=(_account(),),
    ),
    Case("prometheus_remote_write-create", _WRITE, "fresh", _remote_write(ROLE), prepare=_with_account),
    Case(
        "prometheus_remote_write-modify",
        _WRITE,
        "fresh",
        _remote_write("Another-Role"),
        before=(_remote_write(ROLE),),
        prepare=_with_account,
    ),
    Case(
        "prometheus_remote_write-operator-create",
        _WRITE,
        "fresh",
        _remote_write_by_operator(ROLE),
        prepare=_with_operator,
    ),
    Case(
        "prometheus_remote_write-operator-modify",
        _WRITE,
        "fresh",
        _remote_write_by_operator("Another-Role", external_labels={"team": "metrics"}),
        before=(_remote_write_by_operator(ROLE),),
        prepare=_with_operator,
    ),
    Case(
        "prometheus_remote_write-azure-modify",
        _WRITE,
        "fresh",
        _remote_write(ROLE, token_source="azure_workload_identity"),
        before=(_remote_write(ROLE),),
        prepare=_with_webhook,
    ),
    *(
        case
        for name, target in (("stateful", STATEFUL_SECRET), ("daemon", DAEMON_BINARY))
        for case in (
            Case(
                f"prometheus_remote_write-{name}-create",
                _WRITE,
                "fresh",
                _remote_write_in(target, ROLE),
                prepare=_with_target(target),
            ),
            Case(
                f"prometheus_remote_write-{name}-modify",
                _WRITE,
                "fresh",
                _remote_write_in(target, "Another-Role"),
                before=(_remote_write_in(target, ROLE),),
                prepare=_with_target(target),
            ),
        )
    ),
    Case("amp_resource_policy-create", _POLICY, "finished", _resource_policy),
    Case("amp_workspace_info", amp_workspace.DEFINITION, "fresh", lambda _estate: {"alias": WORKSPACE_ALIAS}),
    Case("federation_check", federation_check.DEFINITION, "finished", _check()),
)


def _gone(
    name: str,
    definition: ModuleDefinition,
    cluster: str,
    options: Callable[[Estate], Options],
    prepare: Callable[[Estate], None] = lambda _estate: None,
) -> Case:
    """What the run with these options made is removed by the same options and ``state: absent``."""
    return Case(
        f"{name}-absent", definition, cluster, lambda estate: {**options(estate), **_ABSENT}, (options,), prepare
    )


#: Runs that remove.
ABSENT: t.Final = tuple(
    case
    for case in (
        _gone("entra_federated_credential", _ENTRA, "fresh", _entra("fresh")),
        _gone(
            "iam_oidc_provider_thumbprint", _PROVIDER, "finished", _provider("finished", force=True), _without_provider
        ),
        _gone("iam_web_identity_role", _ROLE, "finished", _role("finished")),
        _gone("federated_service_account", _ACCOUNT, "fresh", _account(namespace="observability")),
        _gone("amp_resource_policy", _POLICY, "finished", _resource_policy),
        _gone("prometheus_remote_write", _WRITE, "fresh", _remote_write(ROLE), _with_account),
        _gone(
            "prometheus_remote_write-operator",
            _WRITE,
            "fresh",
            _remote_write_by_operator(ROLE),
            _with_operator,
        ),
        _gone(
            "prometheus_remote_write-stateful",
            _WRITE,
            "fresh",
            _remote_write_in(STATEFUL_SECRET, ROLE),
            _with_target(STATEFUL_SECRET),
        ),
        _gone(
            "prometheus_remote_write-daemon",
            _WRITE,
            "fresh",
            _remote_write_in(DAEMON_BINARY, ROLE),
            _with_target(DAEMON_BINARY),
        ),
    )
    if "state" in case.definition.spec.options
)

CASES: t.Final = (*PRESENT, *ABSENT)


# --- what a run leaves ----------------------------------------------------------------------------------------------

_VOLATILE = frozenset({"resourceVersion", "uid", "creationTimestamp", "generation", "managedFields"})
_KINDS = ("Namespace", "ServiceAccount", "ConfigMap", "Secret", "Deployment", "StatefulSet", "DaemonSet", "Prometheus")
#: How often a template has changed.
_REVISIONS = ("deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation")


def snapshot(sandbox: Sandbox) -> Json:
    """All objects of all services, without what differs between two equal runs: IDs, times and versions."""
    objects = {
        "aks": {cluster.name: _cluster(cluster.body) for cluster in sandbox.world.clusters},
        "entra": sorted(_applications(sandbox), key=json.dumps),
        "iam": _iam(sandbox),
        "amp": _workspace_policies(sandbox),
        "kubernetes": {cluster.name: dict(_objects(sandbox, cluster.name)) for cluster in sandbox.world.clusters},
    }
    text = json.dumps(objects)
    for workspace in sandbox.aws._regions[REGION].workspaces:
        text = text.replace(workspace, "<workspace>")
    for application in sandbox.directory.applications():
        text = text.replace(application["appId"], f"<client ID of {application['displayName']}>")
    return t.cast("Json", json.loads(text))


def _cluster(body: Json) -> Json:
    body = copy.deepcopy(body)
    body.pop("eTag", None)
    body["properties"].pop("provisioningState", None)
    return body


def _applications(sandbox: Sandbox) -> Iterator[Json]:
    principals = sandbox.directory.service_principals()
    for application in sandbox.directory.applications():
        yield {
            **{name: application.get(name) for name in ("displayName", "uniqueName", "signInAudience", "tags")},
            "service_principals": [
                principal.get("tags") for principal in principals if principal["appId"] == application["appId"]
            ],
            "credentials": sorted(
                (
                    {name: value for name, value in credential.items() if name != "id"}
                    for credential in sandbox.directory.credentials(Key("id", application["id"]))
                ),
                key=json.dumps,
            ),
        }


def _iam(sandbox: Sandbox) -> Json:
    store = sandbox.aws._account.store
    return {
        "providers": {
            arn: {
                "client_ids": sorted(provider.client_id_list),
                "thumbprints": sorted(provider.thumbprint_list),
                "tags": _plain(provider.tags),
            }
            for arn, provider in store.open_id_providers.items()
        },
        "roles": {
            role.name: {
                "path": role.path,
                "trust": json.loads(role.assume_role_policy_document),
                "description": role.description,
                "session": role.max_session_duration,
                "boundary": str(role.permissions_boundary),
                "tags": _plain(role.tags),
                "policies": {name: json.loads(text) for name, text in role.policies.items()},
                "managed": sorted(role.managed_policies),
            }
            for role in store.roles.values()
        },
    }


def _workspace_policies(sandbox: Sandbox) -> Json:
    workspaces = sandbox.aws._regions[REGION]
    return {workspace: workspaces.policies.document(workspace) for workspace in workspaces.workspaces}


def _plain(tags: t.Any) -> t.Any:
    return json.loads(json.dumps(tags, sort_keys=True, default=str))


def _objects(sandbox: Sandbox, cluster: str) -> Iterator[tuple[str, Json]]:
    store = sandbox.api_server(cluster)._store
    for kind in _KINDS:
        resource = kinds.find_kind(kind)
        assert resource is not None
        for stored in store.select(resource):
            body = {name: copy.deepcopy(value) for name, value in stored.items() if name != "status"}
            body["metadata"] = {name: value for name, value in body["metadata"].items() if name not in _VOLATILE}
            for owner in body["metadata"].get("ownerReferences", ()):
                owner.pop("uid")
            for field in ("binaryData", *(("data",) if kind == "Secret" else ())):
                body |= {field: {key: _readable(value) for key, value in body[field].items()}} if field in body else {}
            for annotation in _REVISIONS:
                body["metadata"].get("annotations", {}).pop(annotation, None)
            yield f"{kind} {body['metadata'].get('namespace', '')}/{body['metadata']['name']}", body


def _readable(value: str) -> str:
    """A binary value as text, since the workspace's name in it differs between two equal runs."""
    content = base64.b64decode(value)
    packed = content.startswith(b"\x1f\x8b")
    return f"{'packed ' if packed else ''}{(gzip.decompress(content) if packed else content).decode()}"


def differences(one: t.Any, other: t.Any, path: str = "") -> list[str]:
    """Where two snapshots differ, for people."""
    if isinstance(one, dict) and isinstance(other, dict):
        return [
            difference
            for name in sorted({*one, *other}, key=str)
            for difference in differences(one.get(name), other.get(name), f"{path}/{name}")
        ]
    return [] if one == other else [f"{path}: {one!r} instead of {other!r}"]


def by_name(cases: tuple[Case, ...]) -> Mapping[str, Case]:
    return {case.name: case for case in cases}
