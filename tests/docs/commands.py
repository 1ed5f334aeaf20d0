# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands of examples: those that are run, and how the others are checked."""

from __future__ import annotations

import dataclasses
import re
import shlex
import subprocess
import sys
import typing as t
from pathlib import Path

from tests.docs.pages import ROOT, Block

#: Why a program is not run. Its arguments are split as a shell does.
NOT_RUN: t.Final = {
    "az": "works on an Azure subscription",
    "aws": "works on an AWS account",
    "kubectl": "works on a cluster",
    "helm": "works on a cluster",
    "pip": "changes the environment of who calls it",
    "git": "fetches from the network",
    "cd": "changes the shell",
    "ln": "works on folders of the machine",
    "export": "changes the shell",
    "ansible-builder": "builds an image by a container engine",
    "podman": "needs a container engine and a registry",
    "docker": "needs a container engine and a registry",
    "antsibull-changelog": "rewrites the changelog",
}
#: Why commands of programs that are run otherwise are not. A pattern fits the beginning of the command.
NOT_RUN_COMMANDS: t.Final = {
    r"python3? -m (pip|venv) ": "changes the environment of who calls it",
    r"ansible-galaxy collection install (-r|crosscloud\.aks_amp)": "fetches from Galaxy",
    r"ansible-galaxy collection publish ": "publishes a release",
    r"ansible-galaxy collection (build|install) ": "tests/release runs it in a clone",
    r"ansible-playbook .*apply_awx": "works on AWX; tests/real runs it against a stand-in",
}
#: Playbooks that write unless they are told to check.
WRITING: t.Final = ("federate", "teardown")
_CHECKED_MODULES: t.Final = ("sandbox", "demo")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")


@dataclasses.dataclass(frozen=True)
class Command:
    """One command of a block, as a shell splits it."""

    words: tuple[str, ...]
    variables: tuple[tuple[str, str], ...] = ()

    @property
    def program(self) -> str:
        return Path(self.words[0]).name

    @property
    def text(self) -> str:
        return " ".join(self.words)

    @property
    def why_not_run(self) -> str:
        """Empty for a command that is run or checked."""
        for pattern, reason in NOT_RUN_COMMANDS.items():
            if re.match(pattern, f"{self.text} "):
                return reason
        return NOT_RUN.get(self.program, "")


def commands(block: Block) -> list[Command]:
    """The commands after ``$``; a line that ends in a backslash goes on, and so does an open quote."""
    found: list[Command] = []
    lines = iter(block.text.splitlines())
    for line in lines:
        if line.startswith("$ "):
            found += _split(_whole(line[2:], lines))
    return found


def _whole(line: str, rest: t.Iterator[str]) -> str:
    while True:
        try:
            shlex.split(line, comments=True)
        except ValueError:  # an open quote, or an escape without a character
            line = f"{line.removesuffix(chr(92))} {next(rest).strip()}"
        else:
            if not line.endswith("\\"):
                return line
            line = f"{line[:-1]} {next(rest).strip()}"


def _split(line: str) -> t.Iterator[Command]:
    words = shlex.split(line, comments=True)
    while words:
        end = words.index("&&") if "&&" in words else len(words)
        yield _command(words[:end])
        words = words[end + 1 :]


def _command(words: list[str]) -> Command:
    if any(word in ("|", ">", ";", "||") for word in words):
        raise ValueError(f"{' '.join(words)!r} is more than a command")
    variables = []
    while _ASSIGNMENT.match(words[0]):
        name, value = words.pop(0).split("=", 1)
        variables.append((name, value))
    return Command(tuple(words), tuple(variables))


def check(command: Command) -> bool:
    """Whether a command that is neither run on the sandbox nor left out is one, and what it names is there."""
    if command.program == "make":
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        targets = [word for word in command.words[1:] if not _ASSIGNMENT.match(word) and not word.startswith("-")]
        return all(re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE) for target in targets)
    if command.program.startswith("python") and command.words[1] == "-m":
        return _is_module(command.words[2], command.words[3:])
    if command.program == "ansible-doc":
        return _ends_well("ansible-doc", *command.words[1:])
    return False


def _is_module(name: str, arguments: t.Sequence[str]) -> bool:
    if name in _CHECKED_MODULES:
        return _ends_well("python", "-m", name, *arguments, "--help")
    if name == "pytest":
        return all((ROOT / word).exists() for word in arguments if not word.startswith("-"))
    module = ROOT.joinpath(*name.split("."))
    targets = [word for word in arguments[1:] if not word.startswith("-")]
    known = {path.name for path in (ROOT / "tests" / "integration" / "targets").iterdir()}
    return (module.with_suffix(".py").exists() or module.is_dir()) and set(targets) <= known


def _ends_well(program: str, *arguments: str) -> bool:
    command = (str(Path(sys.executable).parent / program), *arguments)
    # The command is one of the project's own documentation.
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True).returncode == 0  # noqa: S603
