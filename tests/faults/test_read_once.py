# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module that has nothing to do reads each object once, in either mode. What a whole run reads is in tests/e2e."""

from __future__ import annotations

import collections
import typing as t

import pytest

from sandbox.world import AZURE_SUBSCRIPTION, CONTROLLER_CLIENT_ID, CONTROLLER_CLIENT_SECRET
from tests.faults.modules import CASES, ROTATION, Case, Estate
from tests.unit.plugins.azure_estate import RESOURCE_GROUP

if t.TYPE_CHECKING:
    from sandbox.world import LoggedRequest

_NAMES = {"ids": lambda case: case.name}

#: Requests that are alike in the log and not in what they ask: a token for AWS and one for Entra, each login's own
#: configuration and token, the pods of the namespace and those of the workload.
_DIFFERENT: t.Final = frozenset(
    {"create serviceaccounts/token", "OpenIdConfiguration of login", "GetToken of login", "list pods"}
)


def _asked(request: LoggedRequest) -> tuple[str, str, str, str]:
    return request.service, request.method, request.path, request.operation


def _named(request: LoggedRequest) -> str:
    return f"{request.operation} of {request.service}" if request.service == "login" else request.operation


def _repeated(requests: t.Iterable[LoggedRequest], different: frozenset[str] = frozenset()) -> list[str]:
    """What was asked for more than once. What STS itself reads of the issuer is no request of the module's."""
    counted = collections.Counter(
        _asked(request) for request in requests if not request.internal and _named(request) not in different
    )
    return [f"{number} times {' '.join(asked)}" for asked, number in counted.items() if number > 1]


@pytest.mark.parametrize("check_mode", [True, False], ids=["check", "real"])
@pytest.mark.parametrize("case", CASES, **_NAMES)
def test_a_converged_object_is_read_once(estate: Estate, case: Case, check_mode: bool) -> None:
    case.start(estate)
    case.run(estate)
    start = estate.last_request()
    case.run(estate, check_mode=check_mode)
    assert estate.requests(start)
    assert _repeated(estate.requests(start)) == []


def _diagnosis(estate: Estate) -> dict[str, t.Any]:
    cluster = {"subscription_id": AZURE_SUBSCRIPTION, "resource_group": RESOURCE_GROUP, "name": "finished"}
    login = {"client_id": CONTROLLER_CLIENT_ID, "secret": CONTROLLER_CLIENT_SECRET}
    connection = {name: estate.connection[name] for name in ("tenant", "https_proxy", "ca_bundle")}
    return {
        "namespace": "monitoring",
        "service_account": "prometheus-sa",
        "scope": "diagnosis",
        "role_name": "AKS-Prometheus-AMP-Role-finished",
        "workspace_id": estate.workspace_id,
        "trust_anchors": [str(estate.sandbox.ca_file)],
        "azure": {**cluster, **login, **connection},
        "entra": {"display_name": "Prometheus-AMP-Federation-finished"},
        "prometheus": [{"workload_name": "prometheus", "configmap": "prometheus-config"}],
    }


def test_a_diagnosis_reads_each_object_once(estate: Estate) -> None:
    """Although its parts know nothing of each other."""
    check = next(case for case in CASES if case.name == "federation_check")
    case = Case("diagnosis", check.definition, "finished", _diagnosis)
    case.start(estate)
    start = estate.last_request()
    assert case.run(estate).facts["healthy"]
    requests = estate.requests(start)
    assert {"ManagedClusters_Get", "GetRole", "OpenIdConfiguration", "list pods"} <= {one.operation for one in requests}
    assert _repeated(requests, _DIFFERENT) == []


def test_a_repeated_read_would_be_found(estate: Estate) -> None:
    ROTATION.start(estate)
    start = estate.last_request()
    for _unused in range(2):
        next(case for case in CASES if case.name == "amp_workspace_info").run(estate)
    assert len(_repeated(estate.requests(start))) == 2
