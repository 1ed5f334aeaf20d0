# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two runs at once, and a run beside an outside writer: no update is lost, and nothing is created twice."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import typing as t

import pytest
import requests

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import EXPECTED, failure_values
from sandbox.faults import Fault, Kind
from sandbox.graph.directory import Key
from tests.faults.modules import (
    CASES,
    DAEMON_BINARY,
    NAMESPACE,
    PRESENT,
    ROLE,
    STATEFUL_SECRET,
    Case,
    Estate,
    by_name,
    differences,
    snapshot,
)
from tests.faults.test_matrix import undisturbed
from tests.unit.plugins.azure_estate import AzureEstate
from tests.unit.plugins.module_utils._resources.prometheus_targets import Target

if t.TYPE_CHECKING:
    from collections.abc import Callable

_WRITING = [case for case in CASES if case.name not in ("amp_workspace_info", "federation_check")]
_NAMES = {"ids": lambda case: case.name}


def _run(estate: Estate, case: Case) -> str:
    """Run to the end; the message of a failure, else nothing."""
    try:
        case.run(estate)
    except EXPECTED as error:
        return str(failure_values(error)["msg"])
    return ""


@pytest.mark.parametrize("case", _WRITING, **_NAMES)
def test_another_whole_run_between_read_and_write(estate: Estate, case: Case) -> None:
    """Before each write of a run, the same run is done by somebody else from its beginning to its end."""
    wanted = undisturbed(estate, case)
    found: list[str] = []
    for place in wanted.places(Fault(Kind.DROP_BEFORE), reads=False):
        case.start(estate)
        failures: list[str] = []
        other = dataclasses.replace(
            place, kind=Kind.CALL, callback=lambda failures=failures: failures.append(_run(estate, case))
        )
        armed = estate.sandbox.faults.add(other)
        failures.append(_run(estate, case))
        assert armed.struck == 1
        if any(failures):
            found.append(f"{place.operation}: {failures}")
        found += [f"{place.operation}: {one}" for one in differences(snapshot(estate.sandbox), wanted.after)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("case", _WRITING, **_NAMES)
def test_two_runs_at_once(estate: Estate, case: Case) -> None:
    wanted = undisturbed(estate, case)
    case.start(estate)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        failures = list(pool.map(lambda _number: _run(estate, case), range(2)))
    assert failures == ["", ""]
    assert differences(snapshot(estate.sandbox), wanted.after) == []


# --- an outside writer ------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Outside:
    """What somebody else changes just before a run's first write, and how one sees that it is still there."""

    case: str
    write: Callable[[Estate], None]
    survives: Callable[[Estate], bool]


def _tag_cluster(estate: Estate) -> None:
    """By the API, so that the cluster's ETag changes; an operation runs on it for a moment, too."""
    cluster = estate.sandbox.cluster("fresh")
    token = AzureEstate(estate.sandbox).session().credential.get_token("https://management.azure.com/.default")
    with requests.Session() as session:
        session.trust_env = False
        session.proxies = {"https": estate.sandbox.proxy_url}
        session.verify = str(estate.sandbox.ca_file)
        answer = session.patch(
            f"https://management.azure.com{cluster.body['id']}?api-version=2025-10-01",
            json={"tags": {**cluster.body["tags"], "outside": "yes"}},
            headers={"Authorization": f"Bearer {token.token}"},
            timeout=10,
        )
    assert answer.status_code == 200, answer.text


def _cluster_is_tagged(estate: Estate) -> bool:
    return estate.sandbox.cluster("fresh").body["tags"].get("outside") == "yes"


def _application(estate: Estate, name: str) -> t.Any:
    (found,) = (one for one in estate.sandbox.directory.applications() if one["displayName"] == name)
    return found


def _add_credential(estate: Estate) -> None:
    estate.sandbox.directory.seed_federated_credential(
        _application(estate, "Prometheus-of-the-fleet")["id"],
        {"name": "outside", "issuer": "https://other/", "subject": "s", "audiences": ["api://AzureADTokenExchange"]},
    )


def _has_credential(estate: Estate) -> bool:
    key = Key("id", _application(estate, "Prometheus-of-the-fleet")["id"])
    return "outside" in [one["name"] for one in estate.sandbox.directory.credentials(key)]


def _provider_of(estate: Estate) -> t.Any:
    providers = estate.sandbox.aws._account.store.open_id_providers.items()
    suffix = estate.issuer("halfdone").removeprefix("https://")
    return next(provider for arn, provider in providers if arn.endswith(suffix))


def _role_of(estate: Estate) -> t.Any:
    return next(role for role in estate.sandbox.aws._account.store.roles.values() if role.name == ROLE)


def _replace(estate: Estate, kind: str, name: str, change: Callable[[t.Any], None]) -> None:
    server = estate.sandbox.api_server("fresh")
    body = server.get(kind, NAMESPACE, name)
    assert body is not None
    change(body)
    server.seed(body)


def _object(estate: Estate, kind: str, name: str) -> t.Any:
    return estate.sandbox.api_server("fresh").get(kind, NAMESPACE, name)


def _add_job(config_map: t.Any) -> None:
    text = config_map["data"]["prometheus.yml"]
    config_map["data"]["prometheus.yml"] = text.replace("scrape_configs:", "scrape_configs:\n  - job_name: outside")


def _add_line(target: Target, estate: Estate) -> None:
    """To the configuration, in the form in which it is stored."""

    def change(body: t.Any) -> None:
        changed = target.config(f"# outside\n{target.text(body)}")
        body.update({field: changed[field] for field in ("data", "binaryData") if field in changed})

    _replace(estate, target.source, "prometheus-config", change)


def _has_line(target: Target, estate: Estate) -> bool:
    return target.text(_object(estate, target.source, "prometheus-config")).startswith("# outside\n")


def _wait_longer(target: Target, estate: Estate) -> None:
    _replace(estate, target.kind, "prometheus", lambda body: body["spec"].update(minReadySeconds=7))


def _waits_longer(target: Target, estate: Estate) -> bool:
    return bool(_object(estate, target.kind, "prometheus")["spec"].get("minReadySeconds") == 7)


_OUTSIDE = (
    *(
        outside
        for name, target in (("stateful", STATEFUL_SECRET), ("daemon", DAEMON_BINARY))
        for outside in (
            Outside(
                f"prometheus_remote_write-{name}-create",
                functools.partial(_add_line, target),
                functools.partial(_has_line, target),
            ),
            Outside(
                f"prometheus_remote_write-{name}-modify",
                functools.partial(_wait_longer, target),
                functools.partial(_waits_longer, target),
            ),
        )
    ),
    Outside("aks_oidc_issuer-enable", _tag_cluster, _cluster_is_tagged),
    Outside("entra_federated_credential-modify", _add_credential, _has_credential),
    Outside(
        "iam_oidc_provider_thumbprint-modify",
        lambda estate: _provider_of(estate).client_id_list.append("outside"),
        lambda estate: "outside" in _provider_of(estate).client_id_list,
    ),
    Outside(
        "iam_web_identity_role-modify",
        lambda estate: _role_of(estate).policies.update({"outside": '{"Version": "2012-10-17", "Statement": []}'}),
        lambda estate: "outside" in _role_of(estate).policies,
    ),
    Outside(
        "federated_service_account-modify",
        lambda estate: _replace(
            estate, "ServiceAccount", "prometheus-sa", lambda body: body["metadata"].update(labels={"outside": "yes"})
        ),
        lambda estate: _object(estate, "ServiceAccount", "prometheus-sa")["metadata"]["labels"]["outside"] == "yes",
    ),
    Outside(
        "prometheus_remote_write-create",
        lambda estate: _replace(estate, "ConfigMap", "prometheus-config", _add_job),
        lambda estate: (
            "job_name: outside" in _object(estate, "ConfigMap", "prometheus-config")["data"]["prometheus.yml"]
        ),
    ),
    Outside(
        "prometheus_remote_write-modify",
        lambda estate: _replace(estate, "Deployment", "prometheus", lambda body: body["spec"].update(replicas=2)),
        lambda estate: _object(estate, "Deployment", "prometheus")["spec"]["replicas"] == 2,
    ),
)


@pytest.mark.parametrize("outside", _OUTSIDE, ids=lambda outside: outside.case)
def test_what_an_outside_writer_changes_meanwhile_survives(estate: Estate, outside: Outside) -> None:
    case = by_name(PRESENT)[outside.case]
    place = next(undisturbed(estate, case).places(Fault(Kind.DROP_BEFORE), reads=False))
    case.start(estate)
    armed = estate.sandbox.faults.add(
        dataclasses.replace(place, kind=Kind.CALL, callback=lambda: outside.write(estate))
    )
    assert _run(estate, case) == ""
    assert armed.struck == 1
    assert outside.survives(estate)
    assert case.run(estate).changes == ()
    assert outside.survives(estate)
