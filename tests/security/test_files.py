# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What secrets are in files for: only the own user may read them, and they are gone however the process ends."""

from __future__ import annotations

import ast
import dataclasses
import signal
import stat
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest

from demo.runs import ROOT, clean_environment
from tests.security.ending import WHAT

if t.TYPE_CHECKING:
    from collections.abc import Iterator

#: How a process may end, and its exit code then.
ENDINGS: t.Final = {
    "success": 0,
    "failure": 1,
    "crash": 1,
    "SIGTERM": -signal.SIGTERM,
    "SIGINT": -signal.SIGINT,
    "SIGKILL": -signal.SIGKILL,
}
#: Nothing can clean up after SIGKILL: this is what is left then. A file without a name is never left.
LEFT_BY_SIGKILL: t.Final = {"kubeconfig", "promtool", "rendered"}
#: Halts as the other ways do.
PROMTOOL: t.Final = """#!/bin/sh
cd "$(dirname "$0")" && touch halted
while [ ! -e go ]; do sleep 0.02; done
"""
_SECONDS: t.Final = 120.0


@dataclasses.dataclass(frozen=True)
class Halted:
    """The process while it has its files open. ``folder`` is the one for temporary files, and of the rendered one."""

    process: subprocess.Popen[bytes]
    folder: Path

    def files(self) -> list[Path]:
        return [path for path in self.folder.rglob("*") if path.is_file()]

    def end(self, how: str) -> int:
        if how.startswith("SIG"):
            self.process.send_signal(signal.Signals[how])
        else:
            (self.folder.parent / "go").touch()
        return self.process.wait(_SECONDS)


@pytest.fixture
def halted(what: str, how: str, tmp_path: Path) -> Iterator[Halted]:
    folder = tmp_path / "files"
    folder.mkdir()
    promtool = tmp_path / "promtool"
    promtool.write_text(PROMTOOL, encoding="ascii")
    promtool.chmod(0o755)
    command = [sys.executable, "-m", "tests.security.ending", what, how, str(folder)]
    environment = {**clean_environment(), "TMPDIR": str(folder), "PYTHONPATH": f"{ROOT / '.collections'}:{ROOT}"}
    with subprocess.Popen(  # noqa: S603  # the command is this project's own
        command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + _SECONDS
        while not (tmp_path / "halted").exists():
            assert process.poll() is None, "it ended before it halted"
            assert time.monotonic() < deadline, "it never halted"
            time.sleep(0.02)
        try:
            yield Halted(process, folder)
        finally:
            (tmp_path / "go").touch()  # for what a process leaves running
            process.kill()


@pytest.mark.parametrize("how", ENDINGS)
@pytest.mark.parametrize("what", WHAT)
def test_no_file_with_a_secret_outlives_its_use(halted: Halted, what: str, how: str) -> None:
    during = halted.files()
    assert bool(during) == (what != "certificate"), "the files were looked for in the wrong place"
    assert {stat.S_IMODE(path.stat().st_mode) for path in during} <= {0o600}
    ended = halted.end(how)
    assert ended == ENDINGS[how]
    expected = {"values.yaml"} if what == "rendered" and not how.startswith("SIG") else set()
    if how == "SIGKILL" and what in LEFT_BY_SIGKILL:
        expected = {path.name for path in during}
    assert {path.name for path in halted.files()} == expected
    assert [path for path in halted.folder.iterdir() if path.is_dir() and how != "SIGKILL"] == []


#: Where the collection writes files, and what for.
WRITERS: t.Final = {
    "module_utils/_clients/aks_access.py": "a client certificate, without a name",
    "module_utils/_clients/promtool.py": "a configuration, while promtool reads it",
    "module_utils/_text_file.py": "what a user asked for: rendered files, their copies, reports",
    "plugin_utils/_direct.py": "nothing: it is the null device",
}
_WRITING: t.Final = frozenset(
    {"mkstemp", "mkdtemp", "NamedTemporaryFile", "TemporaryFile", "SpooledTemporaryFile", "TemporaryDirectory"}
    | {"write_text", "write_bytes", "touch", "fdopen", "copyfile", "copy2", "symlink_to", "hardlink_to"}
)


def _writes(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name != "open":
        return name in _WRITING
    given = [
        one.value
        for one in (*call.args, *(keyword.value for keyword in call.keywords))
        if isinstance(one, ast.Constant)
    ]
    return any(isinstance(mode, str) and set(mode) & set("wax+") and len(mode) <= 3 for mode in given)


def test_every_place_that_writes_a_file_is_known() -> None:
    plugins = ROOT / "plugins"
    found = {
        str(path.relative_to(plugins))
        for path in plugins.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and _writes(node)
    }
    assert found == set(WRITERS)
