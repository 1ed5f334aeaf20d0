# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""promtool of both Prometheus releases judges every configuration of the corpus and what the collection makes of it,
and the metrics and alerting rules of drift reports.

Debian builds a release with the libraries that it has, so its 2.53 takes settings of ``sigv4`` that the project's own
2.53 refuses. That a release takes what it is said to know is tested; that it refuses the rest can't be.
"""

from __future__ import annotations

import itertools
import re
import subprocess
import typing as t

import pytest
import yaml

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift.model import STEPS, Report, Status, Step
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift.render_text import openmetrics
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._errors import Refused
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import (
    FederationError,
    RemoteWrite,
    setting_names,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.prometheus_config import (
    merge_remote_writes,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus_versions import (
    FIRST_RELEASES,
    PrometheusVersion,
    unknown_settings,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._severity import Severity
from demo.runs import ROOT, clean_environment
from sandbox import estate
from tests.docs.examples import parameters
from tests.docs.kinds import Kind
from tests.real.parts import PROMETHEUS_NAMES
from tests.real.sample_fleet import sample
from tests.unit.plugins.module_utils._drift.reports import cluster, drift, drifted

if t.TYPE_CHECKING:
    from pathlib import Path

    from tests.docs.pages import Block
    from tests.real.parts import Parts

CORPUS = ROOT / "tests" / "corpus" / "prometheus"
ROLE = "arn:aws:iam::123456789012:role/AKS-Prometheus-AMP-Role"
OTHER_ROLE = "arn:aws:iam::210987654321:role/Central"
URL = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-{}/api/v1/remote_write"
_OWN: dict[str, t.Any] = {"region": "eu-west-1", "role_arn": ROLE}

#: Every setting of an entry, alone; ``_pairs`` combines them.
SETTINGS: dict[str, dict[str, t.Any]] = {
    "name": {"name": "amp"},
    "chained role": {"chained_role_arn": OTHER_ROLE},
    "external ID": {"chained_role_arn": OTHER_ROLE, "external_id": "fleet-1"},
    "FIPS": {"use_fips_sts_endpoint": True},
    "no FIPS": {"use_fips_sts_endpoint": False},
    "service name": {"service_name": "aps"},
    "queue": {"queue_config": {"max_shards": 50, "retry_on_http_429": False, "min_backoff": "30ms"}},
    "sample age": {"queue_config": {"sample_age_limit": "1h"}},
    "relabeling": {
        "write_relabel_configs": (
            {"source_labels": ["__name__"], "regex": "go_.*", "action": "drop"},
            {"target_label": "tenant", "replacement": "a: b # c"},
        )
    },
}


def _variants() -> list[t.Any]:
    """Each setting alone, each pair, and none of them."""
    names = [(), *((name,) for name in SETTINGS), *itertools.combinations(SETTINGS, 2)]
    return [pytest.param(chosen, id=" and ".join(chosen) or "plain") for chosen in names]


class Promtool:
    """promtool of one release."""

    def __init__(self, program: Path, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self.version = self._own_version()

    def refusal(self, text: str) -> str:
        """What it says against a configuration; empty when it accepts it."""
        file = self._folder / "prometheus.yml"
        file.write_bytes(text.encode())
        # Files that a configuration names are the owner's and not here.
        finished = self._run("check", "config", "--syntax-only", str(file))
        return "" if finished.returncode == 0 else finished.stdout + finished.stderr

    def refusal_of_metrics(self, text: str) -> str:
        """What it says against a file in the text format, which is what node_exporter's textfile collector reads."""
        finished = self._run("check", "metrics", given=text)
        return "" if finished.returncode == 0 else finished.stdout + finished.stderr

    def refusal_of_rules(self, rules: str, tests: t.Mapping[str, t.Any]) -> str:
        """What it says against alerting rules, or against what they come to in the tests."""
        file = self._folder / "rules.yml"
        file.write_text(rules, encoding="utf-8")
        trial = self._folder / "rules.test.yml"
        trial.write_text(yaml.safe_dump({"rule_files": [file.name], **tests}), encoding="utf-8")
        for arguments in (("check", "rules", str(file)), ("test", "rules", str(trial))):
            finished = self._run(*arguments)
            if finished.returncode:
                return finished.stdout + finished.stderr
        return ""

    def _own_version(self) -> PrometheusVersion:
        words = self._run("--version").stdout.split()
        return PrometheusVersion.parse(words[words.index("version") + 1])

    def _run(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603  # no shell, and the tests' own arguments
            [str(self._program), *arguments],
            env=clean_environment(),
            input=given,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture(scope="module", params=PROMETHEUS_NAMES)
def promtool(request: pytest.FixtureRequest, parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Promtool:
    return Promtool(parts.program(request.param, "promtool"), tmp_path_factory.mktemp("promtool"))


def test_it_refuses_what_is_wrong(promtool: Promtool) -> None:
    """Else the other tests would prove nothing."""
    assert promtool.refusal("scrape_configs: []\n") == ""
    assert "nonsense" in promtool.refusal("nonsense: 1\n")
    entry = {"url": URL.format("a"), "sigv4": {"region": "eu-west-1", "nonsense": 1}}
    assert "nonsense" in promtool.refusal(yaml.safe_dump({"remote_write": [entry]}))


@pytest.mark.parametrize("chosen", _variants())
def test_every_variant_of_an_entry_is_accepted_or_refused_before(promtool: Promtool, chosen: tuple[str, ...]) -> None:
    settings = {name: value for one in chosen for name, value in SETTINGS[one].items()}
    wanted = RemoteWrite(url=URL.format("a"), **_OWN, **settings)
    if unknown_settings(setting_names(wanted.asked_for()), promtool.version):
        with pytest.raises(FederationError, match=f"Prometheus {promtool.version} does not know"):
            wanted.entry(promtool.version)
        return
    assert promtool.refusal(yaml.safe_dump({"remote_write": [wanted.entry(promtool.version)]})) == ""


def test_an_entry_for_any_version_is_accepted(promtool: Promtool) -> None:
    assert promtool.refusal(yaml.safe_dump({"remote_write": [RemoteWrite(url=URL.format("a"), **_OWN).entry()]})) == ""


@pytest.mark.parametrize("setting", sorted(FIRST_RELEASES))
def test_what_a_release_is_said_to_know_it_takes(promtool: Promtool, setting: str) -> None:
    if not promtool.version.knows(setting):
        assert promtool.version < FIRST_RELEASES[setting]
        return
    values = {
        "sigv4.use_fips_sts_endpoint": True,
        "sigv4.service_name": "aps",
        "sigv4.external_id": "fleet-1",
        "queue_config.retry_on_http_429": True,
        "queue_config.sample_age_limit": "1h",
    }
    entry: dict[str, t.Any] = {"url": URL.format("a"), "sigv4": {"region": "eu-west-1", "role_arn": OTHER_ROLE}}
    section, _unused, name = setting.partition(".")
    if name:
        entry.setdefault(section, {})[name] = values[setting]
    assert promtool.refusal(yaml.safe_dump({"remote_write": [entry]})) == ""


def test_several_workspaces_and_external_labels_are_accepted(promtool: Promtool) -> None:
    text = "global:\n  scrape_interval: 30s # ours\nscrape_configs: []\n"
    entries = [RemoteWrite(url=URL.format(one), name=f"amp-{one}", **_OWN) for one in "abc"]
    merged = merge_remote_writes(
        text,
        entries,
        place="the test's configuration",
        external_labels={"cluster": "aks-1", "odd": "yes: 'no' # \"maybe\" {{ x }}"},
        version=promtool.version,
    )
    assert len(merged.summaries) >= 4
    assert promtool.refusal(merged.text) == ""


def _seeds() -> list[t.Any]:
    """The configurations of the sandbox's estate and of the corpus."""
    files = sorted(path for path in CORPUS.rglob("*.y*ml") if path.is_file())
    own = [
        pytest.param(
            text.format(name="own", region="eu-west-1", workspace="ws-a", account="123456789012", role="R"), id=name
        )
        for name, text in vars(estate).items()
        if name.endswith("_PROMETHEUS_YML")
    ]
    return own + [pytest.param(path.read_bytes().decode(), id=str(path.relative_to(CORPUS))) for path in files]


@pytest.mark.parametrize("file", sorted(CORPUS.glob("*.expected.yml")), ids=lambda file: file.name)
def test_a_result_of_the_corpus_has_no_setting_that_is_not_known(promtool: Promtool, file: Path) -> None:
    """But for those that the owner has there and that this release, or Debian's build of it, does not know."""
    owners = file.with_name(file.name.replace(".expected.", "."))
    before, after = (promtool.refusal(one.read_bytes().decode()) for one in (owners, file))
    assert re.findall(r"field (\S+) not found", after) == re.findall(r"field (\S+) not found", before)
    assert (after == "") is (before == ""), after


@pytest.mark.parametrize("text", _seeds())
def test_what_is_made_of_a_configuration_is_accepted_when_it_was_before(promtool: Promtool, text: str) -> None:
    wanted = RemoteWrite(url=URL.format("corpus-0"), name="amp-corpus", **_OWN)
    before = promtool.refusal(text)
    try:
        merged = merge_remote_writes(text, [wanted], place="the corpus", version=promtool.version)
    except Refused:
        return  # a text that is wrong, on purpose
    assert merged.summaries
    assert (promtool.refusal(merged.text) == "") is (before == "")


def test_the_metrics_of_a_drift_report_are_taken_by_the_text_format(promtool: Promtool) -> None:
    """node_exporter's textfile collector passes over the whole file when it does not understand one line."""
    text = openmetrics(sample(12, hostile=True))
    assert promtool.refusal_of_metrics(text) == ""
    assert "stateset" in promtool.refusal_of_metrics(text.replace(" gauge", " stateset", 1))


#: The clock of "promtool test rules" begins here.
EPOCH = "1970-01-01T00:00:00Z"


def _fleet() -> Report:
    """A cluster for each thing that an alert tells of, and one that none tells of."""
    step = "iam_web_identity"
    return Report(
        EPOCH,
        (
            cluster("broken", federation_check=Step("federation_check", Status.BROKEN)),
            drifted("drifted", drift(), drift("tags_changed", Severity.LOW)),
            cluster("failed", iam_web_identity=Step(step, Status.FAILED, "403 Forbidden.")),
            cluster("unreached", **{name: Step(name, Status.UNKNOWN) for name in STEPS}),
            cluster("well", entra_federation=Step("entra_federation", Status.SKIPPED)),
        ),
    )


def _series(report: Report) -> list[dict[str, str]]:
    """The report as node_exporter shows it for five days, in which no other one comes."""
    samples = [line.rpartition(" ") for line in openmetrics(report).splitlines() if not line.startswith("#")]
    return [{"series": name, "values": f"{value}x120"} for name, _space, value in samples]


def _expected(alert: str, at: str, *alerts: dict[str, t.Any]) -> dict[str, t.Any]:
    return {"alertname": alert, "eval_time": at, "exp_alerts": list(alerts)}


def _told(severity: str, summary: str, **labels: str) -> dict[str, t.Any]:
    return {"exp_labels": {"severity": severity, **labels}, "exp_annotations": {"summary": summary}}


@pytest.mark.parametrize("block", parameters(Kind.RULES))
def test_the_documented_alerts_tell_of_what_a_report_has_and_of_its_age(promtool: Promtool, block: Block) -> None:
    unseen = "could not be looked at, or not at all of it."
    too_old = _told("warning", "The last drift report is older than a night, or there is none.")
    with_a_report = [
        _expected(
            "FederationBroken",
            "1h",
            _told(
                "critical",
                "A link of the trust chain of broken is broken (federation_check).",
                cluster="broken",
                step="federation_check",
                aks_amp_drift_step_status="broken",
            ),
        ),
        _expected(
            "FederationDrifted",
            "1h",
            _told("warning", "drifted differs from what was asked for; differences: 2.", cluster="drifted"),
        ),
        _expected(
            "FederationNotLookedAt",
            "1h",
            *(_told("warning", f"{name} {unseen}", cluster=name) for name in ("failed", "unreached")),
        ),
        _expected("DriftReportTooOld", "30h"),
        _expected("DriftReportTooOld", "40h", too_old),
    ]
    without = [_expected("FederationDrifted", "1h"), _expected("DriftReportTooOld", "2h", too_old)]
    tests = {
        "evaluation_interval": "10m",
        "tests": [
            {"interval": "1h", "input_series": _series(_fleet()), "alert_rule_test": with_a_report},
            {"interval": "1h", "input_series": [], "alert_rule_test": without},
        ],
    }
    assert promtool.refusal_of_rules(block.text, tests) == ""
    assert promtool.refusal_of_rules(block.text.replace('"broken"', '"drifted"'), tests)
