# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How promtool is found and asked, by a stand-in that answers as the real one does; the real one has tests of its own.

The stand-in refuses a text for each line that holds ``wrong``, and writes down what it was given.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import typing as t
from pathlib import Path

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.promtool import (
    Configuration,
    Promtool,
    check_configuration,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus_versions import PrometheusVersion

PLACE = "prometheus.yml in ConfigMap monitoring/prometheus-config"
RM = shutil.which("rm")
SIGNED: dict[str, t.Any] = {"url": "https://x", "sigv4": {"region": "eu-west-1"}}

STAND_IN = """\
#!{python}
import json, os, pathlib, stat, sys
folder = pathlib.Path(__file__).parent
if sys.argv[1:] == ["--version"]:
    print("promtool, version {version} (branch: HEAD, revision: 0)")
    sys.exit()
assert sys.argv[1:4] == ["check", "config", "--syntax-only"], sys.argv
file = pathlib.Path(sys.argv[4])
text = file.read_bytes().decode()
with open(folder / "log", "a") as log:
    mode = lambda path: stat.S_IMODE(os.stat(path).st_mode)
    log.write(json.dumps([text, str(file), mode(file), mode(file.parent)]) + "\\n")
print(f"Checking {{file}}")
wrong = [(number, line) for number, line in enumerate(text.splitlines(), 1) if "wrong" in line]
if not wrong:
    print(f" SUCCESS: {{file}} is valid prometheus config file syntax")
    sys.exit()
print(f"  FAILED: parsing YAML file {{file}}: yaml: unmarshal errors:", file=sys.stderr)
for number, line in wrong:
    print(f"  line {{number}}: {{line.strip()}} into config.plain", file=sys.stderr)
sys.exit(1)
"""


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[None]:
    """Whatever happens in a test, no file is left behind."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    assert list(folder.iterdir()) == []


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in PATH."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def program(folder: Path, text: str = STAND_IN, *, version: str = "3.5.0") -> str:
    path = folder / "promtool"
    path.write_text(text.format(python=sys.executable, version=version) if text == STAND_IN else text)
    path.chmod(0o755)
    return str(path)


def check(
    text: str, before: str | None = "global: {}\n", *, path: str | None = None, **entry: t.Any
) -> tuple[str, ...]:
    return check_configuration(Configuration(text, before, ({**SIGNED, **entry},), PLACE), path)


def asked(folder: Path) -> list[list[t.Any]]:
    log = folder / "log"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def test_without_promtool_nothing_is_checked(tools: Path) -> None:
    assert check("wrong\n") == ()
    assert Promtool.find(None) is None
    assert asked(tools) == []


def test_the_one_in_path_is_asked_with_a_private_file(tools: Path) -> None:
    found = program(tools)
    assert Promtool.find(None) == Promtool(found, PrometheusVersion(3, 5))
    text = "global: {} # é\r\n"
    assert check(text) == ()
    ((seen, file, mode, folder_mode),) = asked(tools)
    assert seen == text
    assert (mode, folder_mode) == (0o600, 0o700)
    assert not Path(file).exists()


def test_a_mistake_of_the_change_is_an_error(tools: Path) -> None:
    found = program(tools)
    with pytest.raises(errors.Refused) as caught:
        check("global: {}\nwrong: 1\n")
    assert caught.value.message == f"promtool refuses {PLACE} as it would be: line 2: wrong: 1 into config.plain."
    assert "nothing was written" in caught.value.fix
    assert len(asked(tools)) == 2
    with pytest.raises(errors.Refused):
        check("wrong: 1\n", None, path=found)


def test_a_mistake_that_was_there_before_is_a_warning_wherever_it_stands_now(tools: Path) -> None:
    program(tools)
    (warning,) = check("# moved\nwrong: 1\n", "wrong: 1\n")
    assert warning == (
        f"promtool finds fault with {PLACE}, as it did before the change: line 2: wrong: 1 into config.plain."
    )
    with pytest.raises(errors.Refused) as caught:
        check("wrong: 1\nwrong: 2\n", "wrong: 1\n")
    assert "wrong: 2" in caught.value.message
    assert "wrong: 1" not in caught.value.message


def test_no_secret_is_in_what_promtool_says(tools: Path) -> None:
    program(tools)
    text = (
        "a: {password: hunter2}\nb: {token: 'ab'}\nc: http://me:s3cret@x/\n"
        "x: wrong hunter2 ab http://me:s3cret@x cannot unmarshal !!str `hunt...` able\n"
    )
    with pytest.raises(errors.Refused) as caught:
        check(text)
    sentence = caught.value.sentence()
    for secret in ("hunter2", "hunt...", "s3cret", " ab "):
        assert secret not in sentence
    assert "able" in sentence
    assert sentence.count("<redacted>") == 4


@pytest.mark.parametrize(
    ("version", "entry", "reason"),
    [
        ("2.30.3", {}, "its version 2.30.3 looks for the files"),
        (
            "2.53.3",
            {"sigv4": {"region": "a", "external_id": "x"}},
            "its version 2.53.3 does not know sigv4.external_id",
        ),
    ],
)
def test_a_promtool_that_can_not_judge_is_not_asked(tools: Path, version: str, entry: t.Any, reason: str) -> None:
    program(tools, version=version)
    (warning,) = check("wrong\n", **entry)
    assert reason in warning
    assert asked(tools) == []


def test_a_build_without_version_is_asked(tools: Path) -> None:
    program(tools, version="main-abc")
    with pytest.raises(errors.Refused):
        check("wrong\n")


NOT_PROMTOOL = [
    pytest.param("#!/nonexistent/interpreter\n", "can't be run", id="no interpreter"),
    pytest.param("#!/bin/sh\nexit 3\n", "is no promtool", id="fails"),
    pytest.param("#!/bin/sh\necho hello\n", "is no promtool", id="something else"),
]


@pytest.mark.parametrize(("text", "words"), NOT_PROMTOOL)
def test_a_path_that_is_no_promtool_is_an_error_and_in_path_a_warning(tools: Path, text: str, words: str) -> None:
    path = program(tools, text)
    with pytest.raises(errors.InvalidInput, match=words):
        check("a: 1\n", path=path)
    (warning,) = check("a: 1\n")
    assert words in warning
    assert "is not checked by promtool" in warning


@pytest.mark.usefixtures("tools")
def test_a_path_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidInput, match="can't be run: No such file or directory"):
        check("a: 1\n", path=str(tmp_path / "nothing"))


def test_one_that_breaks_while_it_checks_leaves_nothing_behind(tools: Path) -> None:
    breaking = '#!/bin/sh\nif [ "$1" = --version ]; then echo promtool, version 3.5.0; else kill -9 $$; fi\n'
    program(tools, breaking)
    with pytest.raises(errors.Refused, match="it ended with -9"):
        check("a: 1\n", None)


def test_one_that_vanishes_while_it_is_asked_is_an_error(tools: Path) -> None:
    vanishing = f'#!/bin/sh\necho promtool, version 3.5.0\n{RM} -f "$0"\n'
    program(tools, vanishing)
    with pytest.raises(errors.InvalidInput, match="could not check"):
        check("a: 1\n")
