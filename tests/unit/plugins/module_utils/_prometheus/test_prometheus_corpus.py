# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configurations as people write them, in ``tests/corpus/prometheus``: only the intended lines change.

``NN-name.yml`` is the text before, ``NN-name.expected.yml`` the one with the entry. Each is tried as it is, with the
line ends of Windows, with a byte order mark and without a last line break.
"""

from __future__ import annotations

import difflib
import json
import time
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import RemoteWrite
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.prometheus_config import (
    Merged,
    merge_remote_writes,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.prometheus_removal import (
    remove_remote_write,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.yaml_secrets import redactions
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.yaml_text import apply_edits, compose
from tests.unit.plugins.module_utils._prometheus.merging import merge_remote_write

CORPUS = Path(__file__).parents[5] / "tests" / "corpus" / "prometheus"
FILES = sorted(path for path in CORPUS.glob("*.yml") if not path.name.endswith(".expected.yml"))
#: Texts in which an entry for the workspace is there already; it is repaired, not added, and stays when all is removed.
REPAIRED = ("21-", "22-", "23-")

ROLE = "arn:aws:iam::123456789012:role/AKS-Prometheus-AMP-Role"
REGION = "eu-central-1"
URL = f"https://aps-workspaces.{REGION}.amazonaws.com/workspaces/ws-1234/api/v1/remote_write"
SECOND_URL = URL.replace("ws-1234", "ws-5678")
PLACE = "prometheus.yml"
WANTED = RemoteWrite(URL, REGION, ROLE)
#: Everything at once: names, relabeling, a second workspace by another role, labels.
ALL = (
    RemoteWrite(
        URL,
        REGION,
        ROLE,
        name="amp-main",
        queue_config={"max_shards": 50, "min_backoff": "30ms", "capacity": None},
        write_relabel_configs=(
            {"source_labels": ["__name__", "job"], "separator": ";", "regex": "go_.*;(.+)", "action": "drop"},
            {"target_label": "via", "replacement": "aks: {{ x }} # '\"é🚀"},
        ),
    ),
    RemoteWrite(
        SECOND_URL,
        REGION,
        ROLE,
        "arn:aws:iam::210987654321:role/Writer",
        name="amp-audit",
        external_id="fleet 1",
        use_fips_sts_endpoint=True,
    ),
)
LABELS = {"aks_cluster": "prod-weu", "replica": "0"}

SHAPES: dict[str, t.Callable[[str], str]] = {
    "as it is": lambda text: text,
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "byte order mark": lambda text: "\ufeff" + text,
    "no newline at the end": lambda text: text.rstrip("\n"),
}


def read(path: Path) -> str:
    return path.read_bytes().decode()


def data(text: str) -> t.Any:
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  # both are safe


def everything(text: str, merged: Merged | None = None) -> Merged:
    recorded = merged.additions if merged is not None else {}
    return merge_remote_writes(text, ALL, place=PLACE, external_labels=LABELS, recorded=recorded)


def without_secrets(text: str) -> str:
    root = compose(text, marks=True)
    assert root is not None
    return apply_edits(text, redactions(text, root))


def changed_lines(before: str, after: str) -> list[str]:
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line for line in lines if line[0] in "-+"]


def test_the_corpus_is_large_and_each_file_has_its_result() -> None:
    assert len(FILES) >= 28
    assert {path.with_suffix(".expected.yml").name for path in FILES} == {
        path.name for path in CORPUS.glob("*.expected.yml")
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.parametrize("shape", SHAPES)
def test_exactly_the_intended_lines_change(path: Path, shape: str) -> None:
    before = SHAPES[shape](read(path))
    expected = read(path.with_suffix(".expected.yml"))
    merged = merge_remote_write(before, WANTED, place=PLACE)
    if shape != "no newline at the end":
        assert merged.text == SHAPES[shape](expected)
    else:
        # Nothing but the line breaks at the end may be another.
        assert [line for line in merged.text.splitlines() if line] == [line for line in expected.splitlines() if line]
    assert merged.summaries
    assert changed_lines(before, merged.text)
    again = merge_remote_write(merged.text, WANTED, place=PLACE, recorded=merged.additions)
    assert (again.text, again.summaries, again.additions) == (merged.text, (), merged.additions)
    removed = remove_remote_write(merged.text, merged.additions, place=PLACE)
    assert removed.text == (merged.text if path.name.startswith(REPAIRED) else before)
    assert removed.gone == tuple(merged.additions)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.parametrize("shape", SHAPES)
def test_everything_at_once_comes_and_goes(path: Path, shape: str) -> None:
    before = SHAPES[shape](read(path))
    merged = everything(before)
    old, new = data(before), data(merged.text)
    assert {key: value for key, value in new.items() if key not in ("global", "remote_write")} == {
        key: value for key, value in old.items() if key not in ("global", "remote_write")
    }
    labels = new["global"].pop("external_labels")
    assert labels == {**((old.get("global") or {}).get("external_labels") or {}), **LABELS}
    old_global = dict(old.get("global") or {})
    old_global.pop("external_labels", None)
    assert new["global"] == old_global
    ours = [entry for entry in new["remote_write"] if entry["url"] in (URL, SECOND_URL)]
    for entry in ours:
        wanted = next(wanted for wanted in ALL if wanted.url == entry["url"])
        if path.name.startswith(REPAIRED) and wanted.url == URL:
            assert all(entry[name] == value for name, value in wanted.asked_for().items() if name != "queue_config")
            assert entry["queue_config"].items() >= wanted.asked_for()["queue_config"].items()
        else:
            assert entry == wanted.entry()
    assert len(ours) == len(ALL)
    assert (merged.shown_before, merged.shown_after) == (without_secrets(before), without_secrets(merged.text))
    again = everything(merged.text, merged)
    assert (again.text, again.summaries, again.additions) == (merged.text, (), merged.additions)
    removed = remove_remote_write(merged.text, merged.additions, place=PLACE)
    assert (removed.shown_before, removed.shown_after) == (merged.shown_after, without_secrets(removed.text))
    if not path.name.startswith(REPAIRED):
        assert removed.text == before
    assert set(removed.gone) == set(merged.additions)


# Texts that no file can hold ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("a: 1\n---\nremote_write: []\n", "more than one YAML document (line 2", id="two documents"),
        pytest.param("a: 1\n...\n---\nb: 1\n", "more than one YAML document", id="two documents with both markers"),
        pytest.param("remote_write: []\na: 1\nremote_write:\n", "'remote_write' is there twice", id="a key twice"),
        pytest.param(
            "global: {}\na: 1\nglobal:\n  scrape_interval: 1m\n", "'global' is there twice", id="global twice"
        ),
        pytest.param("global:\n\tscrape_interval: 1m\n", "line 2, column 1", id="indented by a tab"),
        pytest.param("global: {{ .Values.global }}\n", "a key is not a text, as in a template (line 1", id="template"),
        pytest.param("global: [a]\n", "its global is not a mapping (line 1", id="global as a list"),
        pytest.param("global: {external_labels: [a]}\n", "its external_labels is not a mapping", id="labels as a list"),
        pytest.param("# nothing\n", "it is empty", id="only comments"),
    ],
)
def test_traps_are_refused_in_one_sentence(text: str, problem: str) -> None:
    for shape in SHAPES.values():
        with pytest.raises(errors.Refused) as caught:
            everything(shape(text))
        assert "\n" not in caught.value.sentence()
        assert problem in caught.value.message


def test_tabs_before_comments_stay() -> None:
    text = "global:\t# one\n  scrape_interval: 15s\t# two\nscrape_configs: []\t\n"
    merged = everything(text)
    assert [line for line in merged.text.splitlines() if "\t" in line] == [
        line for line in text.splitlines() if "\t" in line
    ]
    assert remove_remote_write(merged.text, merged.additions, place=PLACE).text == text


def test_five_thousand_lines() -> None:
    """Everything at once in a very long file: only our lines are new, and it comes back as it was."""
    lines = ["# Prometheus of the fleet", "global:", "  scrape_interval: 30s   # as agreed", "scrape_configs:"]
    for number in range(625):
        lines += [
            "",
            f"  # {'=' * 20} job {number}",
            f"  - job_name: 'job-{number}'\t# quoted on purpose",
            "    static_configs:",
            f'      - targets: ["host-{number}.example:9100", host-{number}.test:9100]',
            "    relabel_configs: # keep the port out",
            "      - source_labels: [__address__]",
            "        regex: (.*):9100",
        ]
    text = "\r\n".join(lines) + "\r\n"
    assert len(lines) >= 5000
    begun = time.process_time()
    merged = everything(text)
    assert time.process_time() - begun < 30
    difference = list(difflib.unified_diff(lines, merged.text.splitlines(), n=0, lineterm=""))[2:]
    changed = [line[1:] for line in difference if not line.startswith("@@")]
    expected = everything("global:\n  scrape_interval: 30s   # as agreed\nscrape_configs: []\n").text.splitlines()
    assert changed == [
        line for line in expected if "agreed" not in line and line not in ("global:", "scrape_configs: []")
    ]
    assert everything(merged.text, merged).text == merged.text
    assert remove_remote_write(merged.text, merged.additions, place=PLACE).text == text


def test_the_secrets_of_a_file_are_not_shown() -> None:
    text = read(CORPUS / "27-secrets.yml")
    merged = everything(text)
    removed = remove_remote_write(merged.text, merged.additions, place=PLACE)
    assert text.count("hunter2") == merged.text.count("hunter2") == 5
    assert "hunter2" not in merged.shown_before + merged.shown_after + removed.shown_before + removed.shown_after
    assert "hunter2" not in json.dumps([addition.__dict__ for addition in merged.additions.values()], default=dict)
