# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The matrix of compatibility: which cells there are, how their tests are counted, and the tables made of them."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
import yaml
from packaging.requirements import Requirement

from tests import shards
from tests.matrix import __main__ as command
from tests.matrix import cells, environment, pages, parts, results
from tests.matrix.cells import LOWEST, Cell, MatrixError, Release
from tests.matrix.results import Part, Result

if t.TYPE_CHECKING:
    from pathlib import Path

ROOT = environment.ROOT
ALL: t.Final = frozenset(cells.PYTHONS)
OLD, NEW = Release("2.16.19", ("3.11", "3.12")), Release("2.21.5", ("3.12", "3.13"))
FLOOR = Release("2.16.0", ("3.11", "3.12"))


def released(newest: str) -> t.Callable[[str], Release]:
    """An index that has the first release of each series, and a newest one."""
    return lambda wanted: Release(newest if wanted == "ansible-core" else wanted.split()[-1], ("3.12", "3.13"))


# --- which cells there are ---------------------------------------------------------------------------------------


def test_a_release_takes_the_pythons_that_its_classifiers_name() -> None:
    names = ["Python :: 3", "Python :: 3.10", "Python :: 3.12", "Python :: 3.13", "Python :: 3 :: Only"]
    metadata = {"version": "2.21.5", "classifier": [f"Programming Language :: {name}" for name in names]}
    release = cells.release_of(metadata)
    assert release == Release("2.21.5", ("3.12", "3.13"))
    assert release.series == "2.21"


def test_the_newest_release_is_a_series_of_its_own_only_when_it_is_not_known() -> None:
    assert [one.version for one in cells.releases(released("2.21.9"))] == ["2.16.0", "2.19.0", "2.20.0", "2.21.9"]
    assert [one.series for one in cells.releases(released("2.22.1"))] == [*cells.SERIES, "2.22"]


def test_a_series_is_found_by_two_numbers() -> None:
    assert Release("2.9.27", ()).series == "2.9"


def test_a_release_is_wholly_tested_on_its_newest_python_and_the_lower_bounds_on_the_oldest() -> None:
    found = cells.cells((OLD, NEW), FLOOR, ALL)
    assert [(cell.name, cell.whole) for cell in found] == [
        ("2.16/3.11", False),
        ("2.16/3.12", True),
        ("2.21/3.12", False),
        ("2.21/3.13", True),
        ("lowest/3.11", True),
    ]
    assert found[-1].version == "2.16.0"


def test_the_code_that_knows_nothing_of_ansible_core_is_tested_once_on_each_python() -> None:
    found = cells.cells((OLD, NEW), FLOOR, ALL)
    assert [cell.name for cell in found if cell.pure] == ["2.16/3.11", "2.21/3.12", "2.21/3.13", "lowest/3.11"]
    assert [cell.name for cell in found if parts.chosen(cell)["units"] == parts.UNITS] == [
        cell.name for cell in found if cell.pure
    ]


def test_a_missing_python_keeps_its_cells_and_another_is_tested_wholly() -> None:
    found = cells.cells((NEW,), FLOOR, ALL - {"3.13"})
    assert [(cell.name, cell.whole) for cell in found][:2] == [("2.21/3.12", True), ("2.21/3.13", False)]
    result = command.run(found[1], None)
    assert (result.outcome, result.reason, result.parts) == ("not run", "No Python 3.13 was found.", {})


def test_cells_are_chosen_by_name_or_release() -> None:
    every = cells.cells((OLD, NEW), FLOOR, ALL)
    assert command.chosen(every, ()) == list(every)
    assert [cell.name for cell in command.chosen(every, ("2.21", "2.16/3.11"))] == [
        "2.16/3.11",
        "2.21/3.12",
        "2.21/3.13",
    ]
    with pytest.raises(MatrixError, match=r"no cell 2\.20/3\.9"):
        command.chosen(every, ("2.20/3.9",))


def test_the_floor_of_the_matrix_is_that_of_the_collection() -> None:
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    assert runtime["requires_ansible"] == f">={cells.SERIES[0]}.0"
    config = yaml.safe_load((ROOT / "tests" / "config.yml").read_text(encoding="utf-8"))
    assert config["modules"]["python_requires"] == f">={cells.PYTHONS[0]}"
    assert environment.requirements(ROOT / "requirements.txt")["ansible-core"] == f"ansible-core >= {cells.SERIES[0]}"


# --- a cell's environment ----------------------------------------------------------------------------------------


def test_a_cell_has_its_release_with_the_newest_of_all_else() -> None:
    wanted = environment.wanted(Cell("2.20", "2.20.3", "3.12"))
    assert "ansible-core == 2.20.3" in wanted
    assert not [line for line in wanted if line.startswith("ansible-core >=")]
    assert environment.requirements(ROOT / "requirements.txt")["boto3"] in wanted
    assert {line.split()[0] for line in wanted} > {"moto[server]", "pytest", "jsonschema"}


def test_the_lower_bounds_are_pins() -> None:
    wanted = environment.wanted(Cell(LOWEST, "2.16.0", "3.11"))
    pins = environment.lowest_versions(ROOT / "requirements.txt")
    assert wanted[: len(pins)] == pins
    assert all(" == " in pin for pin in pins)
    names = [Requirement(line).name for line in wanted]
    assert len(set(names)) == len(names), "the sandbox asks for a package that the collection pins"


def test_the_sandbox_takes_the_lower_bounds_of_the_collection() -> None:
    sandbox = environment.requirements(environment.SANDBOX_PACKAGES)
    shared = [
        pin for pin in map(Requirement, environment.lowest_versions(ROOT / "requirements.txt")) if pin.name in sandbox
    ]
    assert "cryptography" in {pin.name for pin in shared}
    for pin in shared:
        (version,) = (one.version for one in pin.specifier)
        assert Requirement(sandbox[pin.name]).specifier.contains(version), pin


def test_continuous_integration_has_a_job_for_each_cell() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    job = workflow["jobs"]["cell"]
    found = job["strategy"]["matrix"]["cell"]
    assert found == [result.name for result in results.load()]
    # The kept results may be older than the lists of what is supported.
    assert {name.partition("/")[0] for name in found} == {*cells.SERIES, LOWEST}
    assert {name.partition("/")[2] for name in found} == set(cells.PYTHONS)
    every = cells.cells((OLD, NEW), FLOOR, ALL)
    assert {cell.name for cell in every} <= set(found)
    (pythons,) = (step["with"]["python-version"].split() for step in job["steps"] if "uses" in step)
    assert sorted(pythons) == sorted(cells.PYTHONS)


def interpreter(path: Path, says: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{says}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_a_python_is_found_that_answers_with_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert environment.find_python("3.98") is None
    for number in ("3.98.2", "3.98.10", "3.97.1"):
        interpreter(tmp_path / "versions" / number / "bin" / "python", "echo 3.98")
    newest = tmp_path / "versions" / "3.98.10" / "bin" / "python"
    assert environment.find_python("3.98") == newest
    # One on the PATH goes first, unless it is only a stand-in that refuses to start.
    own = interpreter(tmp_path / "path" / "python3.98", "echo 3.98")
    assert environment.find_python("3.98") == own
    interpreter(own, "exit 127")
    assert environment.find_python("3.98") == newest
    interpreter(newest, "echo 3.99")
    assert environment.find_python("3.98") == newest.parents[2] / "3.98.2" / "bin" / "python"


# --- counts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tests", "failures", "errors", "skipped", "code", "expected"),
    [
        (10, 0, 0, 2, 0, (8, 0, 2)),
        (10, 1, 1, 0, 1, (8, 2, 0)),
        (10, 0, 0, 0, 2, (9, 1, 0)),  # it was interrupted
        (0, 0, 0, 0, 5, (0, 1, 0)),  # no tests
        (3, 0, 0, 3, 0, (0, 1, 3)),  # all skipped
    ],
)
def test_tests_are_counted(
    tests: int, failures: int, errors: int, skipped: int, code: int, expected: tuple[int, int, int]
) -> None:
    report = (
        f'<testsuites><testsuite tests="{tests}" failures="{failures}" errors="{errors}" skipped="{skipped}"/>'
        "</testsuites>"
    )
    part = parts.count(report, code, 7)
    assert (part.passed, part.failed, part.skipped) == expected
    assert part.seconds == 7
    assert results.judged({"units": part}) == ("failed" if part.failed else "passed")


def test_a_cell_without_parts_has_failed() -> None:
    assert results.judged({}) == "failed"


@pytest.mark.parametrize("cell", cells.cells((OLD, NEW), FLOOR, ALL), ids=lambda cell: cell.name)
def test_what_a_cell_runs_is_there(cell: Cell) -> None:
    found = parts.chosen(cell)
    assert found.keys() == {"units", "playbooks"}
    for path in (path for paths in found.values() for path in paths):
        assert (ROOT / path).exists(), path


# --- results and tables ------------------------------------------------------------------------------------------

VERSIONS: t.Final = {"python": "3.12.1", "ansible-core": "2.16.19", "boto3": "1.40.0"}
RESULTS: t.Final = (
    Result("2.16", "3.11", "not run", "2026-11-28", reason="No Python 3.11 was found."),
    Result(
        "2.16",
        "3.12",
        "passed",
        "2026-11-28",
        commit="0123abc",
        versions=VERSIONS,
        parts={"units": Part(1200, 0, 3, 60)},
    ),
    Result("2.21", "3.13", "failed", "2026-11-27", versions=VERSIONS, parts={"units": Part(9, 1, 0, 60)}),
    Result(LOWEST, "3.11", "passed", "2026-11-28", versions=VERSIONS, parts={"units": Part(5, 0, 0, 60)}),
)


def test_results_are_kept_and_a_new_one_replaces_its_cell(tmp_path: Path) -> None:
    file = tmp_path / "compatibility.json"
    assert results.load(file) == ()
    results.save(RESULTS, file)
    assert results.load(file) == RESULTS
    again = dataclasses.replace(RESULTS[2], outcome="passed")
    every = cells.cells((OLD, NEW), FLOOR, ALL)[:-1]
    first, second, unknown, third = results.merged(RESULTS, [again], every)
    assert (first, second, third) == (*RESULTS[:2], again)
    assert (unknown.name, unknown.outcome, unknown.reason) == ("2.21/3.12", "not run", "It was never run.")


def test_the_overview_is_releases_by_pythons() -> None:
    assert pages.overview(RESULTS).splitlines() == [
        "| ansible-core | Python 3.11 | Python 3.12 | Python 3.13 |",
        "| --- | --- | --- | --- |",
        "| 2.16 (2.16.19) | not run | passed | - |",
        "| 2.21 (2.16.19) | - | - | failed |",
        "",
        "With the oldest of all packages: ansible-core 2.16.19 on Python 3.11 passed.",
    ]


def test_the_details_have_counts_reasons_and_versions() -> None:
    text = pages.details(RESULTS)
    assert "| 2.16/3.12 | passed | 1,200 passed, 3 skipped | 2026-11-28 | 0123abc |  |" in text
    assert "| 2.21/3.13 | failed | 9 passed, 1 failed | 2026-11-27 |  |  |" in text
    assert "| 2.16/3.11 | not run |  | 2026-11-28 |  | No Python 3.11 was found. |" in text
    assert "| cell | python | ansible-core | boto3 |" in text
    assert "1,200 passed, 3 skipped in 60 s" in RESULTS[1].line


def test_what_was_never_run_has_no_packages() -> None:
    assert pages.details(RESULTS[:1]).splitlines() == [
        "| cell | outcome | day | commit | remark |",
        "| --- | --- | --- | --- | --- |",
        "| 2.16/3.11 | not run | 2026-11-28 |  | No Python 3.11 was found. |",
    ]


def test_the_pages_tables_are_made_of_the_kept_results() -> None:
    kept = results.load()
    assert kept
    assert pages.details(kept) in pages.PAGE.read_text(encoding="utf-8")
    assert pages.overview(kept) in pages.README.read_text(encoding="utf-8")


# --- shards of the integration targets ---------------------------------------------------------------------------


def test_each_target_is_in_one_shard_and_the_shards_weigh_alike() -> None:
    weights = shards.weights()
    lists = shards.split(weights, 2)
    assert sorted(name for names in lists for name in names) == sorted(weights)
    heavy = [sum(weights[name] for name in names) for names in lists]
    assert max(heavy) - min(heavy) <= max(weights.values())


def test_there_are_no_empty_shards() -> None:
    assert shards.split({"a": 1, "b": 2}, 5) == [["b"], ["a"]]
