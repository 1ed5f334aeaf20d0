# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.release.sbom``: the parts list of a release (CycloneDX), from an environment made for it.

It lists what pip installs today for requirements.txt, with versions, licences and who needs what.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import yaml
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.dependency import Dependency
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.utils import canonicalize_name

from tests.release.environment import ROOT, WORK, declared, fresh, program, run

DESTINATION = WORK / "sbom.cdx.json"
#: Every virtual environment has it; nothing of the collection uses it.
_NOT_A_PART = "pip"


class Incomplete(Exception):
    """The list would not hold what it promises."""


def collection() -> Component:
    """The collection itself, as galaxy.yml describes it."""
    galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
    name, version = f"{galaxy['namespace']}.{galaxy['name']}", str(galaxy["version"])
    return Component(
        name=name,
        version=version,
        type=ComponentType.LIBRARY,
        bom_ref=f"{name}=={version}",
        description=galaxy["description"],
        licenses=[LicenseExpression(" AND ".join(galaxy["license"]))],
        purl=PackageURL("generic", galaxy["namespace"], galaxy["name"], version),
    )


def of_environment(environment: Path) -> Bom:
    """All Python packages of a virtual environment but pip."""
    listed = run(program("cyclonedx-py"), "environment", "--sv", "1.6", str(environment), folder=ROOT)
    if listed.returncode:
        raise Incomplete(f"cyclonedx-py failed: {listed.stderr.strip()}")
    bom: Bom = Bom.from_json(json.loads(listed.stdout))  # type: ignore[attr-defined]  # added by its decorator
    left_out = {part.bom_ref for part in bom.components if part.name == _NOT_A_PART}
    bom.components = [part for part in bom.components if part.bom_ref not in left_out]
    bom.dependencies = [
        Dependency(entry.ref, [needed for needed in entry.dependencies if needed.ref not in left_out])
        for entry in bom.dependencies
        if entry.ref not in left_out
    ]
    return bom


def complete(bom: Bom, requirements: Path) -> Bom:
    """Put the collection at the top of the list. Raises Incomplete where a declared package is not among the parts."""
    parts = {canonicalize_name(part.name): part for part in bom.components}
    wanted = [canonicalize_name(requirement.name) for requirement in declared(requirements)]
    missing = [name for name in wanted if name not in parts]
    if missing:
        raise Incomplete(f"These packages are declared and not installed: {', '.join(missing)}.")
    bom.metadata.component = collection()
    bom.register_dependency(bom.metadata.component, [parts[name] for name in wanted])
    return bom


def written(bom: Bom) -> str:
    """The list as JSON. Raises Incomplete where it is not valid."""
    text = JsonV1Dot6(bom).output_as_string(indent=2)
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if error:
        raise Incomplete(f"The list is not valid CycloneDX: {error}")
    return text + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environment", type=Path, help="take this one instead of making one (a minute or two)")
    parser.add_argument("--output", type=Path, default=DESTINATION)
    given = parser.parse_args()
    requirements = ROOT / "requirements.txt"
    environment = given.environment or fresh("parts", requirements)
    try:
        bom = complete(of_environment(environment), requirements)
        text = written(bom)
    except Incomplete as error:
        sys.exit(str(error))
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{len(bom.components)} packages are listed in {given.output}.\n")


if __name__ == "__main__":
    main()
