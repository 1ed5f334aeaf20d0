# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the Azure webhook's token is, judged from what a cluster shows."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.azure_workload_identity import (
    MutatedPod,
    Survey,
    file_of_version,
    mutated_pods,
    token_file,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import KNOWN_AFTER_APPLY

OLD = "/var/run/secrets/azure/tokens/azure-identity-token"
NEW = "/var/run/secrets/azure/wi/token/azure-identity-token"
IMAGE = "mcr.microsoft.com/oss/v2/azure/workload-identity/webhook"
PLACE = "Deployment kube-system/azure-wi-webhook-controller-manager"


def survey(version: str = "v1.5.1", **other: t.Any) -> Survey:
    return Survey(**{"configured": True, "place": PLACE, "running": 2, "image": f"{IMAGE}:{version}", **other})


def pod(file: str, name: str = "shop-1", created: str = "2026-01-01T00:00:00Z") -> MutatedPod:
    return MutatedPod(name, created, file)


@pytest.mark.parametrize(
    ("image", "path"),
    [
        (f"{IMAGE}:v0.15.0", OLD),
        (f"{IMAGE}:v1.5.1", OLD),
        (f"{IMAGE}:v1.5.1-3", OLD),
        (f"{IMAGE}:v1.6.0", NEW),
        (f"{IMAGE}:1.6.0-2", NEW),
        (f"{IMAGE}:v2.0.0-alpha.1", NEW),
        (f"{IMAGE}:v1.6.0@sha256:0123", NEW),
        ("registry:5000/webhook:v1.10.0", NEW),
        (f"{IMAGE}:v1.6.0-alpha.1", None),
        (f"{IMAGE}:v1.6.0-rc.0", None),
        (f"{IMAGE}:latest", None),
        (f"{IMAGE}@sha256:0123", None),
        ("registry:5000/webhook", None),
        (IMAGE, None),
        (None, None),
    ],
)
def test_the_version_tells_the_path_where_its_tag_is_one(image: str | None, path: str | None) -> None:
    assert file_of_version(image) == path


@given(st.tuples(*[st.integers(0, 30)] * 3))
def test_the_path_moved_with_1_6_0(version: tuple[int, int, int]) -> None:
    found = file_of_version(f"{IMAGE}:v{'.'.join(map(str, version))}")
    assert found == (NEW if version >= (1, 6, 0) else OLD)


def test_what_is_given_wins_and_a_contradiction_is_told() -> None:
    assert token_file(survey(), "/a/file", check_mode=False).path == "/a/file"
    (warning,) = token_file(survey(pods=(pod(NEW),)), "/a/file", check_mode=False).warnings
    for part in ("/a/file", OLD, NEW, "shop-1"):
        assert part in warning
    assert token_file(survey(pods=(pod(OLD),)), OLD, check_mode=False).warnings == ()


def test_the_version_counts_for_pods_to_come_and_an_older_pod_that_differs_is_named() -> None:
    found = token_file(survey("v1.6.0", pods=(pod(OLD),)), None, check_mode=False)
    assert found.path == NEW
    assert "shop-1" in found.warnings[0]
    agreeing = token_file(survey("v1.6.0", pods=(pod(NEW),)), None, check_mode=False)
    assert (agreeing.path, agreeing.warnings) == (NEW, ())


def test_a_running_pod_tells_where_the_version_does_not() -> None:
    pods = (pod("/older", "a", "2026-01-01T00:00:00Z"), pod("/newer", "b", "2026-02-01T00:00:00Z"))
    assert token_file(survey("latest", pods=pods), None, check_mode=False).path == "/newer"


@pytest.mark.parametrize("check_mode", [False, True])
def test_without_any_sign_the_run_stops_and_says_what_to_give(*, check_mode: bool) -> None:
    with pytest.raises(errors.Refused) as refused:
        token_file(survey("latest", unreadable=("Grant the right 'list' on 'pods'.",)), None, check_mode=check_mode)
    for part in ("token_file", OLD, NEW, "webhook:latest", "Grant the right 'list' on 'pods'."):
        assert part in refused.value.sentence()


def test_a_missing_webhook_stops_a_run_and_leaves_check_mode_open() -> None:
    missing = Survey(configured=False)
    for given_file in (None, "/a/file"):
        with pytest.raises(errors.NotFound, match="MutatingWebhookConfiguration") as refused:
            token_file(missing, given_file, check_mode=False)
        assert "aks_oidc_issuer" in refused.value.fix
    planned = token_file(missing, None, check_mode=True)
    assert planned.path == KNOWN_AFTER_APPLY
    assert planned.warnings
    assert token_file(missing, "/a/file", check_mode=True).path == "/a/file"


def test_a_webhook_without_pods_stops_a_run_and_warns_in_check_mode() -> None:
    with pytest.raises(errors.NotReady, match="no ready pod") as refused:
        token_file(survey(running=0), OLD, check_mode=False)
    assert PLACE in refused.value.sentence()
    planned = token_file(survey(running=0), None, check_mode=True)
    assert planned.path == OLD
    assert "no ready pod" in planned.warnings[0]


def test_what_could_not_be_checked_is_told() -> None:
    rights = ("Grant the right 'get' on 'mutatingwebhookconfigurations'.",)
    found = token_file(Survey(configured=None, unreadable=rights), "/a/file", check_mode=False)
    assert "was not checked" in found.warnings[0]
    assert rights[0] in found.warnings[0]


def manifest(name: str, *, label: str | None = "true", file: str | None = OLD, **metadata: t.Any) -> dict[str, t.Any]:
    env = [{"name": "AZURE_FEDERATED_TOKEN_FILE", "value": file}] if file else [{"name": "X", "value": "y"}]
    labels = {"azure.workload.identity/use": label} if label else None
    return {
        "metadata": {"name": name, "labels": labels, "creationTimestamp": "2026-01-01T00:00:00Z", **metadata},
        "spec": {"containers": [{"name": "sidecar"}, {"name": "main", "env": env}]},
    }


def test_only_pods_that_the_webhook_has_changed_count() -> None:
    found = mutated_pods(
        [
            manifest("good"),
            manifest("unlabelled", label=None),
            manifest("off", label="false"),
            manifest("untouched", file=None),
            manifest("going", deletionTimestamp="2026-01-02T00:00:00Z"),
        ]
    )
    assert [(item.name, item.token_file) for item in found] == [("good", OLD)]
