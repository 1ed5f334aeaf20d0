# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A remote_write entry removed from the text of prometheus.yml after somebody else worked on that text."""

from __future__ import annotations

import pytest
import yaml

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import RemoteWrite
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.prometheus_record import Addition
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.prometheus_removal import (
    Removed,
    entries_of_others,
    remove_remote_write,
)
from tests.unit.plugins.module_utils._prometheus.merging import merge_remote_write

URL = "https://aps-workspaces.eu-central-1.amazonaws.com/workspaces/ws-1234/api/v1/remote_write"
ROLE = "arn:aws:iam::123456789012:role/AKS-Prometheus-AMP-Role"
OTHER_ROLE = "arn:aws:iam::210987654321:role/Writer"
WANTED = RemoteWrite(URL, "eu-central-1", ROLE)
PLACE = "prometheus.yml in ConfigMap monitoring/prometheus-config"


def added(text: str, wanted: RemoteWrite = WANTED) -> tuple[str, Addition]:
    merged = merge_remote_write(text, wanted, place=PLACE)
    return merged.text, merged.additions[URL]


def removed(text: str, addition: Addition) -> Removed:
    return remove_remote_write(text, {URL: addition}, place=PLACE)


#: Texts before the entry was added: without a list, with empty ones, with entries, in both styles.
TEXTS = (
    "global: {}\n",
    "global: {}",
    "global: {}\r\n",
    "remote_write:\nglobal: {}\n",
    "remote_write: []  # none yet\nglobal: {}\n",
    "remote_write: ~",
    "remote_write:\n  # the old store\n  - url: http://a.example/push # c\n\nglobal: {}\n",
    "remote_write:\n- url: http://a.example/push\n# the end",
    'remote_write: [{"url": "http://a.example/push"}]\n',
    '{"remote_write": [], "global": {}}',
    '{"global": {}}',
)


@pytest.mark.parametrize("text", TEXTS)
def test_the_old_text_comes_back(text: str) -> None:
    after, addition = added(text)
    result = removed(after, addition)
    assert result.text == text
    assert result.gone == (URL,)
    assert result.summaries == (f"remove the remote_write entry for {URL}",)
    again = removed(text, addition)
    assert (again.text, again.summaries, again.gone) == (text, (), (URL,))


@pytest.mark.parametrize("text", TEXTS)
def test_an_entry_that_somebody_extended_goes_as_a_whole(text: str) -> None:
    after, addition = added(text)
    extended = after.replace(f"url: {URL}", f"url: {URL}\n    name: amp", 1) if "- url" in after else after
    extended = extended.replace(f'"url": "{URL}"', f'"name": "amp", "url": "{URL}"', 1)
    indentation = "- url: " + URL + "\n    name"
    if f"\n{indentation}" in extended:  # entries at the key's own column
        extended = extended.replace("\n    name: amp", "\n  name: amp")
    assert yaml.safe_load(extended) != yaml.safe_load(after)
    data = yaml.safe_load(removed(extended, addition).text)
    before = yaml.safe_load(text)
    if not before.get("remote_write"):
        assert not data.pop("remote_write", None)
        before.pop("remote_write", None)
    assert data == before


def test_edits_of_others_around_the_entry_stay() -> None:
    after, addition = added("global: {}\n")
    edited = "# first\n" + after + "  # behind\n  - url: http://b.example/push\nrule_files: [a]\n"
    assert removed(edited, addition).text == (
        "# first\nglobal: {}\nremote_write:\n  # behind\n  - url: http://b.example/push\nrule_files: [a]\n"
    )


def test_the_lists_key_goes_only_if_it_was_added() -> None:
    for text, expected in (("a: 1\n", "a: 1\n"), ("a: 1\nremote_write:\n", "a: 1\nremote_write: []\n")):
        after, addition = added(text)
        extended = after.replace("    sigv4:", "    name: amp\n    sigv4:")
        assert removed(extended, addition).text == expected


def test_a_repair_by_the_collection_keeps_the_way_back() -> None:
    text = "remote_write: [] # none\n"
    after, addition = added(text)
    chained = RemoteWrite(URL, "eu-west-1", ROLE, OTHER_ROLE)
    repair = merge_remote_write(after, chained, place=PLACE, recorded={URL: addition})
    assert repair.text != after
    assert removed(repair.text, repair.additions[URL]).text == text


@pytest.mark.parametrize(
    "credentials",
    ["sigv4: {region: eu-central-1, access_key: AKIA, secret_key: s3cret}", "basic_auth: {username: u, password: p}"],
)
def test_an_entry_with_other_credentials_is_kept_and_said(credentials: str) -> None:
    _unused, addition = added("global: {}\n")
    text = f"remote_write:\n  - url: {URL}\n    {credentials}\n"
    result = removed(text, addition)
    assert (result.text, result.gone, result.summaries) == (text, (), ())
    assert result.warnings == (
        f"The remote_write entry for {URL} in {PLACE} is kept: it has other credentials by now.",
    )
    assert "s3cret" not in str(result.warnings)


def test_a_foreign_role_is_another_credential_but_not_the_chained_one() -> None:
    after, addition = added("global: {}\n", RemoteWrite(URL, "eu-central-1", ROLE, OTHER_ROLE))
    assert removed(after + "    name: amp\n", addition).gone == (URL,)
    assert removed(after.replace(OTHER_ROLE, ROLE), addition).gone == ()


def test_which_of_two_is_ours_is_not_guessed() -> None:
    after, addition = added("global: {}\n")
    result = removed(after + after[after.index("  - url") :], addition)
    assert result.gone == ()
    assert "2 of them" in result.warnings[0]


def test_secrets_are_blotted_out_of_what_is_shown() -> None:
    after, addition = added("scrape_configs:\n  - basic_auth: {username: u, password: hunter2}\n")
    result = removed(after, addition)
    assert "hunter2" not in result.shown_before + result.shown_after
    assert URL in result.shown_before
    assert URL not in result.shown_after


@pytest.mark.parametrize("text", ["a: [", "- a\n", "", "remote_write: x\n"])
def test_a_text_that_is_no_configuration_is_refused(text: str) -> None:
    _unused, addition = added("global: {}\n")
    with pytest.raises(errors.Refused, match="is not a usable Prometheus configuration"):
        removed(text, addition)


def test_an_entry_that_an_alias_repeats_is_refused() -> None:
    _unused, addition = added("global: {}\n")
    text = f"remote_write:\n  - &amp\n    url: {URL}\nother: *amp\n"
    with pytest.raises(errors.Refused, match="can't be removed without touching other settings"):
        removed(text, addition)


def test_entries_of_others_are_those_for_workspaces_only() -> None:
    text = f"remote_write:\n  - url: {URL}/\n  - url: http://a.example/push\n  - x\n"
    assert entries_of_others(text, [URL]) == ()
    assert entries_of_others(text, []) == (f"{URL}/",)
    assert entries_of_others("a: [", []) == ()
