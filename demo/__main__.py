# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m demo``: what ``make demo`` shows."""

from __future__ import annotations

import shutil
import sys
import typing as t
from pathlib import Path

from demo.runs import ROOT, PlaybookRun, run_playbook
from demo.summary import Demonstration, StoredSample
from sandbox import daemon
from sandbox.state import StateFolder

CLUSTERS = {
    "fresh": "nothing done yet",
    "halfdone": "set up by a guide, with its mistakes",
    "finished": "federated by hand, correctly",
}


def say(*lines: str) -> None:
    """Print at once, so that the order with the playbooks' own output is kept."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def heading(number: int, title: str, why: str) -> None:
    width = min(shutil.get_terminal_size().columns, 100)
    say("", "#" * width, f"#  {number}. {title}", f"#     {why}", "#" * width)


def play(playbook: str, inventory: Path, *arguments: str) -> PlaybookRun:
    say(f"$ ansible-playbook -i {inventory.relative_to(ROOT)} {playbook} {' '.join(arguments)}".rstrip())
    return run_playbook(playbook, inventory, *arguments, show=True)


def demonstrate(folder: StateFolder) -> Demonstration:
    """Run the four playbooks against a sandbox that was just started in ``folder``."""
    control = str(daemon.start(folder)["control_url"])

    def ask(path: str) -> t.Any:
        return daemon.ask(control, "GET", path)

    heading(1, "Check mode", "Everything is planned and shown as a diff; nothing is written.")
    planned = play("playbooks/federate.yml", folder.inventory, "--check", "--diff")
    writes = sum(bool(request["write"]) for request in ask("/log")["requests"])
    heading(2, "The real run", "The same plan is executed, cluster by cluster in parallel.")
    applied = play("playbooks/federate.yml", folder.inventory)
    heading(3, "The second run", "Nothing is left to do, so nothing is changed.")
    repeated = play("playbooks/federate.yml", folder.inventory)
    heading(4, "The proof", "A token is exchanged at STS and a signed sample travels to the workspace.")
    verified = play("playbooks/verify.yml", folder.inventory)
    samples = tuple(
        StoredSample(sample["labels"], sample["value"], sample["timestamp_ms"], sample["role_arn"])
        for sample in ask("/samples")["samples"]
    )
    return Demonstration(CLUSTERS, planned, writes, applied, repeated, verified, samples)


def main() -> int:
    folder = StateFolder(ROOT / ".sandbox")
    say("Three AKS clusters will be federated to an AMP workspace, on stand-ins of both clouds on this machine only:")
    say(*(f"  {name:<9} {state}" for name, state in CLUSTERS.items()))
    daemon.end(folder)
    try:
        demonstration = demonstrate(folder)
    finally:
        daemon.end(folder)
    problems = demonstration.problems()
    say(*demonstration.lines(), *(f"  PROBLEM: {problem}" for problem in problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
