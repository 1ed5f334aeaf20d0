# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kind of Prometheus configuration that is rendered into a file, for whoever judges them: promtool does."""

from __future__ import annotations

import dataclasses
import itertools
import typing as t

import yaml

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import RemoteWrite
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus_versions import PrometheusVersion
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._render.formats import FORMATS, document
from tests.unit.plugins.file_wishes import CHAINED, MAIN, SECOND, file_wish

#: Each setting of an entry, and the first release that knows it where that is not the first one that signs.
SETTINGS: t.Final[dict[str, tuple[dict[str, t.Any], PrometheusVersion | None]]] = {
    "name": ({"name": "amp: # 1"}, None),
    "chained-role": ({"chained_role_arn": CHAINED}, None),
    "external-id": ({"chained_role_arn": CHAINED, "external_id": "fleet-1"}, PrometheusVersion(3, 10)),
    "fips": ({"use_fips_sts_endpoint": True}, PrometheusVersion(3, 1)),
    "service-name": ({"service_name": "aps"}, PrometheusVersion(3, 5)),
    "queue": ({"queue_config": {"max_shards": 50, "capacity": None, "min_backoff": "30ms"}}, None),
    "relabeling": (
        {
            "write_relabel_configs": (
                {"source_labels": ["__name__"], "regex": "go_.*", "action": "drop"},
                {"target_label": "tenant", "replacement": "a: b # c"},
            )
        },
        None,
    ),
}
LABELS: t.Final = {"cluster": "payments-prod", "number": "012", "empty": "", "odd": "yes: # 'no'"}


@dataclasses.dataclass(frozen=True)
class Rendered:
    """A configuration, and the release from which on it is accepted; None for every one that signs."""

    name: str
    text: str
    version: PrometheusVersion | None


def rendered() -> t.Iterator[Rendered]:
    """Entries with each setting, each pair of settings and none, as a file of their own and as the chart renders its
    values into ``prometheus.yml``."""
    for chosen in itertools.chain.from_iterable(itertools.combinations(SETTINGS, size) for size in (0, 1, 2)):
        options: dict[str, t.Any] = {}
        for name in chosen:
            options |= SETTINGS[name][0]
        versions = [version for name in chosen if (version := SETTINGS[name][1]) is not None]
        entry = dataclasses.replace(MAIN, **options)
        yield from _of_entry("-".join(chosen) or "plain", entry, max(versions, default=None))


def _of_entry(name: str, entry: RemoteWrite, version: PrometheusVersion | None) -> t.Iterator[Rendered]:
    wish = file_wish(entry, SECOND, external_labels=LABELS)
    yield Rendered(f"file-{name}", document(FORMATS["prometheus"](wish, "", "p"), "prometheus"), version)
    server = yaml.safe_load(FORMATS["helm_prometheus"](wish, "", "p").body)["server"]
    chart = {"global": server["global"], "remote_write": server["remoteWrite"]}
    yield Rendered(f"chart-{name}", yaml.safe_dump(chart), version)
