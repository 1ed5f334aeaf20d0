# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that say which remote_write entries are wanted: what they become, and what is refused."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._errors import InvalidInput
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import KNOWN_AFTER_APPLY, FederationError
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import Params
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.remote_write_options import (
    REMOTE_WRITE_OPTIONS,
    RemoteWrites,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus_versions import PrometheusVersion

URL = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-{}/api/v1/remote_write"
ROLE = "arn:aws:iam::123456789012:role/Role"
OTHER_ROLE = "arn:aws:iam::210987654321:role/Other"
GIVEN = {"role_arn": ROLE, "region": "eu-west-1", "remote_write_url": URL.format(1)}


def another(number: int = 2, **options: t.Any) -> dict[str, t.Any]:
    suboptions = REMOTE_WRITE_OPTIONS.options["additional_remote_writes"]["options"]
    given = {"region": "eu-west-1", "remote_write_url": URL.format(number), **options}
    return {**dict.fromkeys(suboptions), **given}


def parsed(*, check_mode: bool = False, **options: t.Any) -> RemoteWrites:
    params = Params({**dict.fromkeys(REMOTE_WRITE_OPTIONS.options), **GIVEN, **options})
    return RemoteWrites.from_params(params, check_mode=check_mode)


def test_nothing_but_the_workspace() -> None:
    writes = parsed()
    assert (writes.entries, writes.external_labels, writes.version) == ((writes.main,), {}, None)
    assert (writes.main.url, writes.main.region, writes.main.role_arn) == (URL.format(1), "eu-west-1", ROLE)
    assert writes.main.queue_config is None
    assert writes.main.write_relabel_configs is None


def test_a_slash_at_the_end_is_taken_off() -> None:
    assert parsed(remote_write_url=URL.format(1) + "/").main.url == URL.format(1)


def test_values_as_templates_yield_them_become_what_prometheus_takes() -> None:
    writes = parsed(
        name="amp",
        queue_config={
            "capacity": "5000",
            "max_shards": 7,
            "retry_on_http_429": "no",
            "min_backoff": "1m30s",
            "max_samples_per_send": None,
        },
        write_relabel_configs=[{"source_labels": ["a", 1], "regex": "x", "modulus": 8, "action": "hashmod"}],
        external_labels={"cluster": "aks", "shard": 0, "spot": True, "__replica__": ""},
        prometheus_version="v3.5.0",
        additional_remote_writes=[
            another(2, chained_role_arn=OTHER_ROLE, external_id="x", name="audit"),
            another(3, region="eu-west-1", use_fips_sts_endpoint=True, service_name="aps"),
        ],
    )
    assert writes.main.queue_config == {
        "capacity": 5000,
        "max_shards": 7,
        "retry_on_http_429": False,
        "min_backoff": "1m30s",
        "max_samples_per_send": None,
    }
    assert writes.main.write_relabel_configs == (
        {"source_labels": ["a", "1"], "regex": "x", "modulus": 8, "action": "hashmod"},
    )
    assert writes.external_labels == {"cluster": "aks", "shard": "0", "spot": "true", "__replica__": ""}
    assert writes.version == PrometheusVersion(3, 5)
    assert [entry.url for entry in writes.entries] == [URL.format(number) for number in (1, 2, 3)]
    assert {entry.role_arn for entry in writes.entries} == {ROLE}
    assert (writes.entries[1].chained_role_arn, writes.entries[1].external_id) == (OTHER_ROLE, "x")
    assert (writes.entries[2].use_fips_sts_endpoint, writes.entries[2].service_name) == (True, "aps")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"queue_config": {"max_retries": 3}},
            "queue_config.max_retries is no setting of Prometheus. There are: batch",
        ),
        ({"queue_config": {"capacity": "many"}}, "queue_config.capacity is 'many'. Give a whole number"),
        ({"queue_config": {"capacity": 0}}, "queue_config.capacity is '0'"),
        ({"queue_config": {"capacity": True}}, "queue_config.capacity is 'True'"),
        ({"queue_config": {"min_backoff": "30 ms"}}, "queue_config.min_backoff is '30 ms'. Give a duration"),
        ({"queue_config": {"min_backoff": ""}}, "queue_config.min_backoff is ''"),
        ({"queue_config": {"retry_on_http_429": "maybe"}}, "queue_config.retry_on_http_429 is 'maybe'. Give true"),
        ({"write_relabel_configs": [{}]}, "write_relabel_configs[0] is empty"),
        (
            {"write_relabel_configs": [{"regex": "a"}, {"source": ["a"]}]},
            "write_relabel_configs[1].source is no setting",
        ),
        ({"write_relabel_configs": [{"source_labels": "a"}]}, "source_labels is not a list of label names"),
        ({"write_relabel_configs": [{"regex": ["a"]}]}, "write_relabel_configs[0].regex is not a single value"),
        ({"write_relabel_configs": [{"regex": None}]}, "write_relabel_configs[0].regex is not a single value"),
        ({"external_labels": {"my-label": "a"}}, "The external label 'my-label' has no valid name"),
        ({"external_labels": {"a": ["b"]}}, "The external label 'a' has no text as its value"),
        ({"external_labels": {"a": None}}, "The external label 'a' has no text as its value"),
        ({"prometheus_version": "newest"}, "prometheus_version can't be right: 'newest' is not a version"),
        ({"remote_write_url": "http://x/"}, "remote_write_url is not an https URL"),
        ({"remote_write_url": "https://me:pw@x/api/v1/remote_write"}, "without credentials in it"),
        (
            {"region": "eu-north-1"},
            "The region is eu-north-1, but remote_write_url is that of a workspace in eu-west-1",
        ),
        (
            {"additional_remote_writes": [another(), another(3, region="eu-north-1")]},
            "The additional_remote_writes[1].region is eu-north-1, but additional_remote_writes[1].remote_write_url",
        ),
        ({"additional_remote_writes": [another(region="")]}, "additional_remote_writes[0].region' is empty"),
        ({"additional_remote_writes": [another(queue_config={"x": 1})]}, "additional_remote_writes[0].queue_config.x"),
        ({"additional_remote_writes": [another(1)]}, f"{URL.format(1)} is asked for twice"),
        (
            {
                "additional_remote_writes": [
                    another(remote_write_url=URL.format(1).replace("https://aps", "https://APS"))
                ]
            },
            "is asked for twice",
        ),
        (
            {"name": "a", "additional_remote_writes": [another(name="a")]},
            "Two remote_write entries shall be called 'a'",
        ),
    ],
)
def test_what_can_not_be_is_refused_in_one_sentence(options: dict[str, t.Any], sentence: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parsed(**options)
    assert sentence in caught.value.sentence()
    assert "\n" not in caught.value.sentence()
    assert "pw" not in caught.value.sentence()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"role_arn": "Role"}, "not the ARN of an IAM role"),
        ({"chained_role_arn": ROLE}, "The chained role is the federated role itself"),
        ({"external_id": "x"}, "give chained_role_arn too"),
        (
            {"additional_remote_writes": [another(chained_role_arn=ROLE)]},
            "The chained role is the federated role itself",
        ),
        ({"additional_remote_writes": [another(chained_role_arn="x")]}, "not the ARN of an IAM role"),
    ],
)
def test_roles_must_fit(options: dict[str, t.Any], message: str) -> None:
    with pytest.raises(FederationError, match=message):
        parsed(**options)


def test_what_is_not_known_yet_is_for_check_mode_only() -> None:
    unknown = dict.fromkeys(("role_arn", "region", "remote_write_url"), KNOWN_AFTER_APPLY)
    assert parsed(check_mode=True, **unknown).main.url == KNOWN_AFTER_APPLY
    with pytest.raises(InvalidInput, match="accepted in check mode only"):
        parsed(**unknown)
    with pytest.raises(InvalidInput, match=r"additional_remote_writes\[0\]\.remote_write_url"):
        parsed(additional_remote_writes=[another(remote_write_url=KNOWN_AFTER_APPLY)])


def test_the_warning_for_lack_of_a_version_comes_once() -> None:
    writes = parsed(service_name="aps", additional_remote_writes=[another(service_name="aps")])
    assert len(writes.version_warnings(None)) == 1
    assert writes.version_warnings(PrometheusVersion(3, 5)) == ()
