# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.release.audit``: asks whether known vulnerabilities are in what the collection needs.

pip-audit answers 0 as well where the service knew nothing of a package or could not be asked about it. Here a package
that was not looked at is a result of its own, so that "nothing is known" always means that somebody was asked.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import typing as t
from pathlib import Path

from tests.release.environment import ROOT, program, run

FOUND = 1
NOT_AUDITED = 3
REQUIREMENTS = (ROOT / "requirements.txt", ROOT / "sandbox" / "requirements.txt")


@dataclasses.dataclass(frozen=True)
class Audit:
    """What was learnt of the packages."""

    clean: tuple[str, ...]
    vulnerable: tuple[str, ...]  # a sentence a vulnerability
    unknown: tuple[str, ...]  # packages of which nothing was learnt, with the reason
    failure: str = ""  # why there is no answer at all

    @property
    def exit_code(self) -> int:
        if self.vulnerable:
            return FOUND
        return NOT_AUDITED if self.failure or self.unknown or not self.clean else 0

    def lines(self) -> list[str]:
        lines = [f"VULNERABLE  {sentence}" for sentence in self.vulnerable]
        if self.failure:
            return [*lines, f"NOT AUDITED: the service of vulnerabilities gave no answer. {self.failure}"]
        if self.unknown:
            examples = "; ".join(self.unknown[:3])
            return [*lines, f"NOT AUDITED: nothing was learnt of {len(self.unknown)} packages, among them: {examples}."]
        if not self.clean and not self.vulnerable:
            return ["NOT AUDITED: no package was looked at."]
        return [*lines, f"{len(self.clean)} packages have no known vulnerability."]


def judged(answer: t.Mapping[str, t.Any]) -> Audit:
    """What pip-audit's JSON says."""
    clean, vulnerable, unknown = [], [], []
    for entry in answer["dependencies"]:
        if "skip_reason" in entry:
            unknown.append(f"{entry['name']} ({entry['skip_reason']})")
            continue
        name = f"{entry['name']} {entry['version']}"
        for known in entry["vulns"]:
            repaired = ", ".join(known["fix_versions"]) or "no version yet"
            vulnerable.append(f"{name}: {known['id']}, repaired in {repaired}")
        if not entry["vulns"]:
            clean.append(name)
    return Audit(tuple(clean), tuple(vulnerable), tuple(unknown))


def audit(requirements: t.Sequence[Path], *options: str) -> Audit:
    """Ask about all that pip would install for these files; ``options`` are pip-audit's."""
    files = [word for file in requirements for word in ("-r", str(file))]
    command = (program("pip-audit"), "--format", "json", "--progress-spinner", "off", *options, *files)
    asked = run(*command, folder=ROOT)
    try:
        return judged(json.loads(asked.stdout))
    except ValueError:
        said = asked.stderr.strip().splitlines() or [f"pip-audit ended with {asked.returncode}."]
        return Audit((), (), (), failure=said[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--service", default="pypi", choices=("pypi", "osv"), help="who is asked")
    given = parser.parse_args()
    outcome = audit(REQUIREMENTS, "--vulnerability-service", given.service)
    sys.stdout.write("".join(f"{line}\n" for line in outcome.lines()))
    sys.exit(outcome.exit_code)


if __name__ == "__main__":
    main()
