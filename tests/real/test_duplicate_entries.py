# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which entries for one workspace are equal, Prometheus itself says when it starts; promtool lets them pass."""

from __future__ import annotations

import typing as t

import pytest
import yaml

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.several_entries import refuse_alike
from demo.runs import clean_environment
from tests.real.parts import PROMETHEUS_NAMES
from tests.real.programs import LOOPBACK, free_port, started, wait_until

if t.TYPE_CHECKING:
    from pathlib import Path

    from tests.real.parts import Parts

Json = dict[str, t.Any]

URL = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-{}/api/v1/remote_write"
#: What Prometheus says when it has judged its configuration.
VERDICTS = (
    "duplicate remote write configs are not allowed",
    "found multiple remote write configs with job name",
    "Completed loading of configuration file",
)
DUPLICATE, SAME_NAME, TAKEN = VERDICTS
_SECONDS = 60.0

_DROP = {"source_labels": ["a"], "regex": "x", "action": "drop"}
_SET = {"target_label": "a", "replacement": "b"}
EQUAL: dict[str, tuple[Json, Json]] = {
    "all": ({"name": "a"}, {"name": "a"}),
    "nothing": ({}, {}),
    "defaults": ({"remote_timeout": "30s", "follow_redirects": True, "send_exemplars": False}, {}),
    "histograms": ({"send_native_histograms": False}, {}),
    "metadata": ({"metadata_config": {"send": True, "send_interval": "1m"}}, {}),
    "queue": (
        {
            "queue_config": {
                "min_shards": 1,
                "batch_send_deadline": "5s",
                "min_backoff": "30ms",
                "retry_on_http_429": False,
                "sample_age_limit": "0s",
            }
        },
        {},
    ),
    "empty": ({"headers": {}, "queue_config": {}, "write_relabel_configs": [], "name": ""}, {}),
    "signing": ({"sigv4": {"region": "eu-west-1", "use_fips_sts_endpoint": False}}, {}),
    "dropping rule": (
        {"write_relabel_configs": [_DROP]},
        {"write_relabel_configs": [{**_DROP, "separator": ";", "replacement": "$1"}]},
    ),
    "setting rule": ({"write_relabel_configs": [_SET]}, {"write_relabel_configs": [{**_SET, "action": "replace"}]}),
}
DIFFERENT: list[tuple[Json, Json]] = [
    ({"name": "a"}, {"name": "b"}),
    ({"name": "c"}, {}),
    ({"remote_timeout": "10s"}, {}),
    ({"write_relabel_configs": [_DROP]}, {"write_relabel_configs": [_SET]}),
    ({"write_relabel_configs": [_DROP, _SET]}, {"write_relabel_configs": [_SET, _DROP]}),
    ({"queue_config": {"capacity": 7}}, {}),
    ({"headers": {"x-scope": "1"}}, {"headers": {"x-scope": "2"}}),
    ({"write_relabel_configs": [{**_SET, "separator": ""}]}, {"write_relabel_configs": [_SET]}),
    ({"write_relabel_configs": [{**_SET, "regex": ""}]}, {"write_relabel_configs": [_SET]}),
    (
        {"write_relabel_configs": [{"target_label": "a", "replacement": ""}]},
        {"write_relabel_configs": [{"target_label": "a"}]},
    ),
    ({"sigv4": {"region": "eu-west-1", "use_fips_sts_endpoint": True}}, {}),
]


def _pair(workspace: object, one: Json, other: Json) -> list[Json]:
    signed = {"url": URL.format(workspace), "sigv4": {"region": "eu-west-1"}}
    return [{**signed, **one}, {**signed, **other}]


def _verdict(program: Path, entries: list[Json], folder: Path) -> str:
    config = folder / "prometheus.yml"
    config.write_text(yaml.safe_dump({"remote_write": entries}), encoding="utf-8")
    command: list[str | Path] = [
        *(program, f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"),
        f"--web.listen-address={LOOPBACK}:{free_port()}",
    ]
    keys = {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}  # it wants some before it compares
    with started("prometheus", command, folder / "prometheus.log", {**clean_environment(), **keys}) as run:
        wait_until(lambda: not run.running() or any(text in run.said() for text in VERDICTS), _SECONDS)
        said = run.said()
    return next((text for text in VERDICTS if text in said), said)


@pytest.mark.parametrize("version", PROMETHEUS_NAMES)
@pytest.mark.parametrize("pair", EQUAL.values(), ids=EQUAL)
def test_what_is_refused_as_equal_prometheus_refuses(
    parts: Parts, version: str, pair: tuple[Json, Json], tmp_path: Path
) -> None:
    entries = _pair("a", *pair)
    with pytest.raises(errors.Refused):
        refuse_alike(entries, URL.format("a"), None, "it")
    expected = SAME_NAME if entries[0].get("name") else DUPLICATE
    assert _verdict(parts.program(version, "prometheus"), entries, tmp_path) == expected


@pytest.mark.parametrize("version", PROMETHEUS_NAMES)
def test_what_is_let_through_prometheus_takes(parts: Parts, version: str, tmp_path: Path) -> None:
    entries = [entry for number, pair in enumerate(DIFFERENT) for entry in _pair(number, *pair)]
    for number in range(len(DIFFERENT)):
        refuse_alike(entries, URL.format(number), None, "it")
    assert _verdict(parts.program(version, "prometheus"), entries, tmp_path) == TAKEN
