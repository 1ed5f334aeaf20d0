# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The remote_write entry in the text of prometheus.yml: what is added, repaired and refused, character by character."""

from __future__ import annotations

import json
import time

import pytest
import yaml

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import KNOWN_AFTER_APPLY, RemoteWrite
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.prometheus_config import (
    Merged,
)
from tests.unit.plugins.module_utils._prometheus.merging import merge_remote_write

URL = "https://aps-workspaces.eu-central-1.amazonaws.com/workspaces/ws-1234/api/v1/remote_write"
ROLE = "arn:aws:iam::123456789012:role/AKS-Prometheus-AMP-Role"
OTHER_ROLE = "arn:aws:iam::210987654321:role/central/AMP+Writer"
REGION = "eu-central-1"
PLACE = "prometheus.yml of ConfigMap monitoring/prometheus-config"
WANTED = RemoteWrite(URL, REGION, ROLE)
CHAINED = RemoteWrite(URL, REGION, ROLE, OTHER_ROLE)
LINES = (
    f"- url: {URL}",
    "  sigv4:",
    f"    region: {REGION}",
    "  queue_config:",
    "    capacity: 2500",
    "    max_shards: 200",
    "    max_samples_per_send: 1000",
    "    retry_on_http_429: true",
)
QUEUE = {"capacity": 2500, "max_shards": 200, "max_samples_per_send": 1000, "retry_on_http_429": True}
INLINE = json.dumps({"url": URL, "sigv4": {"region": REGION}, "queue_config": QUEUE})


def merge(text: str, wanted: RemoteWrite = WANTED) -> Merged:
    """Merge twice: the second time must find nothing to do and return the very same text and record."""
    merged = merge_remote_write(text, wanted, place=PLACE)
    again = merge_remote_write(merged.text, wanted, place=PLACE, recorded=merged.additions)
    assert again.text == merged.text
    assert again.summaries == ()
    assert again.additions == merged.additions
    return merged


def refused(text: str, wanted: RemoteWrite = WANTED) -> str:
    with pytest.raises(errors.Refused) as caught:
        merge_remote_write(text, wanted, place=PLACE)
    assert "\n" not in caught.value.sentence()
    return caught.value.sentence()


def entry(indentation: str = "  ") -> str:
    """The lines of a new entry."""
    return "".join(f"{indentation}{line}\n" for line in LINES)


# An entry is added ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            "global: {}\nscrape_configs:\n  - job_name: a # c\n",
            "global: {}\nscrape_configs:\n  - job_name: a # c\nremote_write:\n" + entry(),
            id="no list yet",
        ),
        pytest.param(
            "scrape_configs:\n- job_name: a\n# the end\n",
            "scrape_configs:\n- job_name: a\n# the end\nremote_write:\n" + entry(""),
            id="lists without indentation",
        ),
        pytest.param(
            "global:\n  scrape_interval: 1m",
            ("global:\n  scrape_interval: 1m\nremote_write:\n" + entry()).rstrip("\n"),
            id="no final newline",
        ),
        pytest.param("a: 1\n# end", ("a: 1\n# end\nremote_write:\n" + entry()).rstrip("\n"), id="comment at the end"),
        pytest.param("a: 1\n   ", "a: 1\nremote_write:\n" + entry() + "   ", id="white space at the end"),
        pytest.param("\ufeffa: 1\n", "\ufeffa: 1\nremote_write:\n" + entry(), id="byte order mark"),
        pytest.param(
            "%YAML 1.1\n---\na: 1\n...\n", "%YAML 1.1\n---\na: 1\nremote_write:\n" + entry() + "...\n", id="markers"
        ),
        pytest.param("  a: 1\n  b: 2\n", "  a: 1\n  b: 2\n  remote_write:\n" + entry("    "), id="indented file"),
        pytest.param(
            "a: 1\nrules: |\n  text",
            "a: 1\nremote_write:\n" + entry() + "rules: |\n  text",
            id="block scalar at the end",
        ),
        pytest.param(
            "a: 1\nrules: |+\n  text\n\n",
            "a: 1\nrules: |+\n  text\n\nremote_write:\n" + entry(),
            id="kept newlines at the end",
        ),
        pytest.param(
            '{"a": 1}',
            f'{{"remote_write": [{INLINE}], "a": 1}}',
            id="JSON",
        ),
        pytest.param(
            "remote_write:\n# nothing yet\na: 1\n", "remote_write:\n" + entry() + "# nothing yet\na: 1\n", id="empty"
        ),
        pytest.param("a: 1\nremote_write:", ("a: 1\nremote_write:\n" + entry()).rstrip("\n"), id="empty at the end"),
        pytest.param("remote_write:  ~ # none\na: 1\n", "remote_write: # none\n" + entry() + "a: 1\n", id="null"),
        pytest.param("remote_write: []\na: 1\n", "remote_write:\n" + entry() + "a: 1\n", id="inline empty list"),
        pytest.param(
            "remote_write: [ ] # none\r\na: 1\r\n",
            ("remote_write: # none\n" + entry() + "a: 1\n").replace("\n", "\r\n"),
            id="inline empty list with CRLF",
        ),
        pytest.param(
            "remote_write: [\n  # none\n]\n",
            f"remote_write: [{INLINE}\n  # none\n]\n",
            id="empty list on several lines",
        ),
        pytest.param(
            "remote_write: [{url: http://a}, ]\n",
            f"remote_write: [{{url: http://a}}, {INLINE}, ]\n",
            id="inline list",
        ),
        pytest.param(
            "a: &a {url: http://a}\nremote_write: [*a]\n",
            f"a: &a {{url: http://a}}\nremote_write: [{INLINE}, *a]\n",
            id="inline list that ends in an alias",
        ),
        pytest.param(
            "remote_write:\n- url: http://a\n# Scraping\nscrape_configs: []\n",
            "remote_write:\n- url: http://a\n" + entry("") + "# Scraping\nscrape_configs: []\n",
            id="list without indentation",
        ),
        pytest.param(
            "remote_write:\n  - url: http://a\n    # queue: 1\n\n  # - url: http://b\n\n# Scraping\nx: 1\n",
            "remote_write:\n  - url: http://a\n    # queue: 1\n\n  # - url: http://b\n"
            + entry()
            + "\n# Scraping\nx: 1\n",
            id="comments that belong to the list",
        ),
        pytest.param(
            "remote_write: &rw # all\n  - url: http://a\nx: 1\n",
            "remote_write: &rw # all\n  - url: http://a\n" + entry() + "x: 1\n",
            id="anchored list",
        ),
        pytest.param(
            "remote_write:\n  - url: http://a\n    write_relabel_configs: &x\n      - action: keep\n  - url: http://b\n"
            "    write_relabel_configs: *x # same\n\n# next\nx: 1\n",
            "remote_write:\n  - url: http://a\n    write_relabel_configs: &x\n      - action: keep\n  - url: http://b\n"
            "    write_relabel_configs: *x # same\n" + entry() + "\n# next\nx: 1\n",
            id="list that ends in an alias",
        ),
        pytest.param(
            "remote_write:\n  - url: http://a\n    name: |\n      x # y\n\n# next\nx: 1\n",
            "remote_write:\n  - url: http://a\n    name: |\n      x # y\n\n" + entry() + "# next\nx: 1\n",
            id="list that ends in a block scalar",
        ),
        pytest.param(
            "remote_write:\n  - url: http://a\n    name: |\n      x",
            "remote_write:\n" + entry() + "  - url: http://a\n    name: |\n      x",
            id="list that ends in a block scalar without newline",
        ),
        pytest.param("remote_write:\n  -\nx: 1\n", "remote_write:\n  -\n" + entry() + "x: 1\n", id="empty item"),
    ],
)
def test_only_the_entrys_lines_are_added(before: str, after: str) -> None:
    merged = merge(before)
    assert merged.text == after
    assert merged.summaries == (f"add a remote_write entry for {URL}",)


def test_an_entry_keeps_the_distance_that_the_list_has_from_its_dashes() -> None:
    merged = merge("remote_write:\n-   url: http://a\nx: 1\n")
    assert merged.text == (
        f"remote_write:\n-   url: http://a\n-   url: {URL}\n    sigv4:\n      region: {REGION}\n"
        "    queue_config:\n      capacity: 2500\n      max_shards: 200\n      max_samples_per_send: 1000\n"
        "      retry_on_http_429: true\nx: 1\n"
    )


def test_a_chained_role_is_in_the_entry() -> None:
    merged = merge("a: 1\n", CHAINED)
    assert yaml.safe_load(merged.text)["remote_write"] == [
        {"url": URL, "sigv4": {"region": REGION, "role_arn": OTHER_ROLE}, "queue_config": QUEUE}
    ]
    assert OTHER_ROLE in merged.summaries[0]


def test_values_that_are_not_known_yet_are_shown_as_such() -> None:
    wanted = RemoteWrite(KNOWN_AFTER_APPLY, KNOWN_AFTER_APPLY, KNOWN_AFTER_APPLY)
    merged = merge("a: 1\n", wanted)
    assert yaml.safe_load(merged.text)["remote_write"] == [
        {"url": KNOWN_AFTER_APPLY, "sigv4": {"region": KNOWN_AFTER_APPLY}, "queue_config": QUEUE}
    ]


def test_three_thousand_lines_with_comments_and_crlf() -> None:
    """The issue's own criterion: only the entry's lines are added, and the second run changes nothing."""
    lines = ["# Prometheus of the fleet", "global:", "  scrape_interval: 30s   # as agreed", "scrape_configs:"]
    for number in range(330):
        lines += [
            "",
            f"  # {'=' * 20} job {number}",
            f"  - job_name: 'job-{number}'\t# quoted on purpose",
            "    static_configs:",
            f'      - targets: ["host-{number}.example:9100", host-{number}.test:9100]',
            "    relabel_configs: # keep the port out",
            "      - source_labels: [__address__]",
            "        regex: (.*):9100",
            "        target_label: instance",
        ]
    lines += ["remote_write:", "- url: http://old.example/push   # until the end of the year", "", "# The end"]
    text = "\r\n".join(lines) + "\r\n"
    assert len(lines) > 2970
    begun = time.process_time()
    merged = merge(text)
    assert time.process_time() - begun < 5
    at = lines.index("", lines.index("remote_write:"))
    assert merged.text == "\r\n".join([*lines[:at], *LINES, *lines[at:]]) + "\r\n"


# An entry is repaired -------------------------------------------------------------------------------------------------


def amp(sigv4: str, *, url: str = URL, rest: str = "") -> str:
    """A configuration with an entry for the workspace between other settings."""
    return f"a: 1\nremote_write:\n  # AMP\n  - url: {url}\n{sigv4}{rest}  - url: http://b\nscrape_configs: []\n"


REST = "    queue_config: # tuned\n      capacity: 2500\n"


@pytest.mark.parametrize(
    ("before", "after", "summaries"),
    [
        pytest.param(
            amp("", rest=REST), amp(f"    sigv4:\n      region: {REGION}\n", rest=REST), ["sign requests"], id="none"
        ),
        pytest.param(
            amp("    sigv4: # by the pod\n", rest=REST),
            amp(f"    sigv4: # by the pod\n      region: {REGION}\n", rest=REST),
            ["sign requests"],
            id="empty",
        ),
        pytest.param(
            amp("    sigv4: {} # by the pod\n"),
            amp(f'    sigv4: {{region: "{REGION}"}} # by the pod\n'),
            ["sign requests"],
            id="braces",
        ),
        pytest.param(
            amp("    sigv4: null\n"), amp(f'    sigv4: {{region: "{REGION}"}}\n'), ["sign requests"], id="null"
        ),
        pytest.param(
            amp("    sigv4:\n      # no keys\n      use_fips_sts_endpoint: true\n", rest=REST),
            amp(f"    sigv4:\n      region: {REGION}\n      # no keys\n      use_fips_sts_endpoint: true\n", rest=REST),
            ["set sigv4.region to eu-central-1, without which"],
            id="no region",
        ),
        pytest.param(
            amp("    sigv4:\n      region: ''  # later\n"),
            amp(f"    sigv4:\n      region: '{REGION}'  # later\n"),
            ["set sigv4.region"],
            id="empty region",
        ),
        pytest.param(
            amp("    sigv4:\n      region: # later\n"),
            amp(f"    sigv4:\n      region: {REGION} # later\n"),
            ["set sigv4.region"],
            id="region without value",
        ),
        pytest.param(
            amp('    sigv4: {region: "us-east-1"}\n'),
            amp(f'    sigv4: {{region: "{REGION}"}}\n'),
            ["set sigv4.region to eu-central-1 (it was us-east-1)"],
            id="wrong region",
        ),
        pytest.param(
            amp(
                f"    sigv4:\n      region: {REGION} # here\n      # as the guide says\n      role_arn: {ROLE}\n",
                rest=REST,
            ),
            amp(f"    sigv4:\n      region: {REGION} # here\n      # as the guide says\n", rest=REST),
            [f"remove sigv4.role_arn {ROLE}: the pod's web identity is that role already"],
            id="the guide's role",
        ),
        pytest.param(
            amp(f"    sigv4:\n      role_arn: &role {ROLE}\n", rest=REST),
            amp(f"    sigv4:\n      region: {REGION}\n", rest=REST),
            ["set sigv4.region", "remove sigv4.role_arn"],
            id="the guide's role alone",
        ),
        pytest.param(
            amp(f'    sigv4: {{"role_arn": "{ROLE}"}}\n'),
            amp(f'    sigv4: {{"region": "{REGION}"}}\n'),
            ["set sigv4.region", "remove sigv4.role_arn"],
            id="the guide's role alone, inline",
        ),
        pytest.param(
            amp(f"    sigv4: {{region: {REGION}, role_arn: '{ROLE}', use_fips_sts_endpoint: true}}\n"),
            amp(f"    sigv4: {{region: {REGION}, use_fips_sts_endpoint: true}}\n"),
            ["remove sigv4.role_arn"],
            id="the guide's role in the middle, inline",
        ),
        pytest.param(
            amp(f"    sigv4: {{ region: {REGION}, role_arn: '{ROLE}' }}\n"),
            amp(f"    sigv4: {{ region: {REGION} }}\n"),
            ["remove sigv4.role_arn"],
            id="the guide's role at the end, inline",
        ),
        pytest.param(
            amp(f"    sigv4:\n      role_arn: {ROLE}\n      external_id: abc\n      region: {REGION}\n"),
            amp(f"    sigv4:\n      region: {REGION}\n"),
            ["remove sigv4.role_arn"],
            id="the guide's role with an external id",
        ),
        pytest.param(
            amp(f"    sigv4:\n      region: {REGION}\n", url=f'"{URL}/" # slash'),
            amp(f"    sigv4:\n      region: {REGION}\n", url=f'"{URL}" # slash'),
            [f"correct the entry's url to {URL} (it was {URL}/)"],
            id="trailing slash",
        ),
        pytest.param(
            amp(f"    sigv4:\n      region: {REGION}\n", url=f">-\n      {URL}/"),
            amp(f"    sigv4:\n      region: {REGION}\n", url=URL),
            ["correct the entry's url"],
            id="trailing slash in a block scalar",
        ),
        pytest.param(
            amp(
                f"    sigv4:\n      region: {REGION}\n",
                url=URL.replace("https://aps", "https://APS").replace(".com", ".com:443"),
            ),
            amp(f"    sigv4:\n      region: {REGION}\n"),
            ["correct the entry's url"],
            id="capitals and port",
        ),
        pytest.param(
            f'{{"remote_write": [{{"url": "{URL}/", "name": "amp"}}]}}',
            f'{{"remote_write": [{{"url": "{URL}", "sigv4": {{"region": "{REGION}"}}, "name": "amp"}}]}}',
            ["correct the entry's url", "sign requests"],
            id="JSON",
        ),
        pytest.param(
            f'{{\n  "remote_write": [{{\n    "url": "{URL}",\n    "sigv4": {{\n      "role_arn": "{ROLE}",\n'
            f'      "region": "{REGION}"\n    }}\n  }}]\n}}\n',
            f'{{\n  "remote_write": [{{\n    "url": "{URL}",\n    "sigv4": {{\n'
            f'      "region": "{REGION}"\n    }}\n  }}]\n}}\n',
            ["remove sigv4.role_arn"],
            id="JSON on many lines",
        ),
        pytest.param(
            f"remote_write:\n- url: {URL}/\n- url: {URL}\n  name: second\n",
            f"remote_write:\n- url: {URL}\n  sigv4:\n    region: {REGION}\n"
            f"- url: {URL}\n  sigv4:\n    region: {REGION}\n  name: second\n",
            ["correct the entry's url", "sign requests", "sign requests"],
            id="two entries",
        ),
    ],
)
def test_repairs(before: str, after: str, summaries: list[str]) -> None:
    merged = merge(before)
    assert merged.text == after
    assert [summary.startswith(start) for summary, start in zip(merged.summaries, summaries, strict=True)] == [
        True
    ] * len(summaries), merged.summaries
    crlf = merge(before.replace("\n", "\r\n"))
    assert crlf.text == after.replace("\n", "\r\n")


@pytest.mark.parametrize(
    ("role", "summary"), [("", f"assume the chained role {OTHER_ROLE}"), (ROLE, f"{OTHER_ROLE} (it was {ROLE})")]
)
def test_a_chained_role_is_set(role: str, summary: str) -> None:
    line = f"      role_arn: {role} # hub\n" if role else ""
    merged = merge(amp(f"    sigv4:\n      region: {REGION}\n{line}"), CHAINED)
    assert yaml.safe_load(merged.text)["remote_write"][0]["sigv4"] == {"region": REGION, "role_arn": OTHER_ROLE}
    assert summary in merged.summaries[0]


@pytest.mark.parametrize(
    "text",
    [
        amp(f"    sigv4:\n      region: {REGION}\n", rest=REST),
        amp(f"    sigv4: &a\n      region: {REGION}\n      access_key: ''\n    basic_auth:\n"),
        f"x: &d {{sigv4: {{region: {REGION}}}}}\nremote_write:\n- <<: *d\n  url: {URL}\n",
        f"x: &d\n- url: {URL}\n  sigv4: {{region: {REGION}}}\nremote_write: *d\n",
    ],
)
def test_a_converged_text_comes_back_as_it_is(text: str) -> None:
    merged = merge(text)
    assert merged.text == text
    assert merged.summaries == ()


def test_a_chained_role_that_is_there_needs_nothing() -> None:
    text = amp(f"    sigv4:\n      region: {REGION}\n      role_arn: {OTHER_ROLE}\n      external_id: abc\n")
    assert merge(text, CHAINED).summaries == ()


def test_a_role_is_left_alone_until_the_federated_one_is_known() -> None:
    text = amp(f"    sigv4:\n      region: {REGION}\n      role_arn: {OTHER_ROLE}\n")
    merged = merge(text, RemoteWrite(URL, REGION, KNOWN_AFTER_APPLY))
    assert merged.text == text
    assert OTHER_ROLE in merged.warnings[0]


# What is refused ------------------------------------------------------------------------------------------------------

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        (f"    basic_auth: {{username: bob, password: {SECRET}}}\n", '"username": "bob"'),
        (f"    authorization:\n      type: Bearer\n      credentials: {SECRET}\n", '"type": "Bearer"'),
        (f"    oauth2: {{client_id: me, client_secret: {SECRET}, token_url: 'https://u:{SECRET}@x'}}\n", "oauth2"),
        (f"    azuread: {{cloud: AzurePublic, oauth: {{client_id: me, client_secret: {SECRET}}}}}\n", "AzurePublic"),
        (f"    google_iam: {{credentials_file: /etc/g.json, x: {SECRET}}}\n", "/etc/g.json"),
        (f"    bearer_token: {SECRET}\n", "bearer_token"),
        (f"    bearer_token_file: /var/run/{SECRET}\n", "bearer_token_file"),
        (f"    sigv4: {{region: {REGION}, access_key: AKIA1, secret_key: {SECRET}}}\n", REGION),
        (f"    sigv4: {{region: {REGION}, profile: prod}}\n", '"profile": "prod"'),
        (f"    sigv4: {{region: {REGION}, role_arn: '{OTHER_ROLE}'}}\n", OTHER_ROLE),
        (f"    sigv4: {SECRET}\n", "sigv4"),
    ],
)
def test_other_credentials_are_refused_and_both_are_shown_without_secrets(settings: str, shown: str) -> None:
    sentence = refused(amp(settings))
    assert "line 4" in sentence
    assert shown in sentence
    assert f'{{"sigv4": {{"region": "{REGION}"}}}}' in sentence
    assert SECRET not in sentence
    assert "AKIA1" not in sentence
    assert "chained_role_arn" in sentence


def test_a_password_in_the_url_is_refused_and_not_shown() -> None:
    sentence = refused(f"remote_write: [{{url: '{URL.replace('https://', f'https://me:{SECRET}@')}'}}]")
    assert SECRET not in sentence


def test_another_chained_role_is_refused() -> None:
    sentence = refused(amp(f"    sigv4: {{region: {REGION}, role_arn: '{OTHER_ROLE}x'}}\n"), CHAINED)
    assert f"{OTHER_ROLE}x" in sentence
    assert f'"{OTHER_ROLE}"' in sentence


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it is empty."),
        ("# only a comment\n", "it is empty."),
        ("- a\n", "it is not a mapping (line 1, column 1)."),
        ("a: 1\nb: [\n", "(line 3, column 1)."),
        ("a: 1\nb: [2\nc: 3\n", "after the bracket of line 2 (line 3, column 2)."),
        ("a: 1\n\tb: 2\n", "(line 2, column 1)."),
        ("a: 1\n---\na: 2\n", "it holds more than one YAML document (line 2, column 1)."),
        ("remote_write: []\na: 1\nremote_write: []\n", "the key 'remote_write' is there twice (line 3, column 1)."),
        ("remote_write: {url: x}\n", "its remote_write is not a list (line 1, column 15)."),
        (f"remote_write:\n- url: {URL}\n  sigv4:\n  sigv4:\n", "the key 'sigv4' is there twice (line 4, column 3)."),
        ("a: \x07\n", "a character that YAML does not allow (line 1, column 4)."),
        ("password: hunter2: x\n", "(line 1, column 18)."),
    ],
)
def test_a_text_that_is_no_configuration_is_named_with_its_place(text: str, problem: str) -> None:
    sentence = refused(text)
    assert sentence.startswith(PLACE)
    assert problem in sentence
    assert SECRET not in sentence


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("x: &a []\nremote_write: *a\n", id="the list"),
        pytest.param(f"x: &a {{url: '{URL}'}}\nremote_write: [*a]\n", id="the entry"),
        pytest.param(f"x: &a {{role_arn: '{ROLE}'}}\nremote_write: [{{url: '{URL}', sigv4: *a}}]\n", id="the section"),
        pytest.param(f"remote_write: [{{url: &a '{URL}/'}}]\nremote_read: [{{url: *a}}]\n", id="the url"),
        pytest.param(
            f"x: &a {{sigv4: {{role_arn: '{ROLE}'}}}}\nremote_write:\n- <<: *a\n  url: {URL}\n", id="a merged section"
        ),
        pytest.param(
            f"x: &a {{role_arn: '{ROLE}'}}\nremote_write:\n- url: {URL}\n  sigv4:\n    <<: *a\n    region: {REGION}\n",
            id="a merged role",
        ),
    ],
)
def test_what_is_shared_by_anchors_is_not_changed(text: str) -> None:
    assert "used by an anchor's aliases or a merge" in refused(text)


def test_a_merged_region_is_overridden() -> None:
    text = f"x: &a {{region: us-east-1}}\nremote_write:\n- url: {URL}\n  sigv4:\n    <<: *a\n"
    assert yaml.safe_load(merge(text).text)["remote_write"][0]["sigv4"] == {"region": REGION}


# What people see ------------------------------------------------------------------------------------------------------


def test_the_shown_texts_differ_as_the_real_ones_do_but_hold_no_secret() -> None:
    text = (
        "scrape_configs:\n- job_name: a\n  basic_auth:\n    username: bob\n    password: hunter2 # changed\n"
        "  static_configs: [{targets: ['http://me:hunter2@x']}]\n# password: hunter2\n"
    )
    merged = merge(text)
    assert SECRET in merged.text
    assert SECRET not in merged.shown_before + merged.shown_after
    assert merged.shown_before.splitlines()[4] == "    password: <redacted> # changed"
    assert merged.shown_after == merged.shown_before + "remote_write:\n" + entry("")
