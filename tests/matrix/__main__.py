# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.matrix``: runs the cells, prints a line for each, and makes the tables of the documentation."""

from __future__ import annotations

import argparse
import datetime as dt
import sys
import typing as t

from tests.matrix import cells, environment, pages, parts, results

if t.TYPE_CHECKING:
    from pathlib import Path

_TAIL: t.Final = 25  # lines of a failed part's log that are shown


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def run(cell: cells.Cell, found: Path | None) -> results.Result:
    """Run a cell; what keeps it from being run is its reason."""
    day = dt.datetime.now(tz=dt.UTC).date().isoformat()
    if found is None:
        reason = f"No Python {cell.python} was found."
        return results.Result(cell.core, cell.python, "not run", day, reason=reason)
    try:
        own = environment.prepare(cell, found)
    except cells.MatrixError as error:
        return results.Result(cell.core, cell.python, "failed", day, reason=str(error))
    commit = environment.commit()  # before the parts, which take long enough for another one to come
    outcome = parts.run(cell, own)
    return results.Result(
        cell.core,
        cell.python,
        results.judged(outcome),
        day,
        commit=commit,
        versions=environment.versions(own),
        parts=outcome,
    )


def show(cell: cells.Cell, result: results.Result) -> None:
    """The cell's line, and after a failure the end of its logs."""
    say(result.line)
    for name, part in result.parts.items():
        if part.failed:
            file = parts.log(cell, name)
            tail = file.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL:]
            say("\n".join((f"  {name}, the end of {file}:", *(f"    {line}" for line in tail))))


def chosen(every: t.Sequence[cells.Cell], names: t.Sequence[str]) -> list[cells.Cell]:
    """The named cells, all without a name. Raises MatrixError for a name that no cell has."""
    unknown = [name for name in names if name not in {cell.name for cell in every} | {cell.core for cell in every}]
    if unknown:
        known = ", ".join(cell.name for cell in every)
        raise cells.MatrixError(f"There is no cell {', '.join(unknown)}; there are {known}.")
    return [cell for cell in every if not names or cell.name in names or cell.core in names]


def keep(new: t.Iterable[results.Result], every: t.Iterable[cells.Cell]) -> None:
    """Put results to those that are kept, and make the tables anew."""
    results.save(results.merged(results.load(), new, every))
    pages.write(results.load())


def matrix(names: t.Sequence[str], *, only_tables: bool = False) -> bool:
    """Run the chosen cells, keep each result when it is there; gives whether none failed."""
    oldest = cells.ask_index(environment.lowest_versions(environment.ROOT / "requirements.txt")[0])
    interpreters = {python: environment.find_python(python) for python in cells.PYTHONS}
    present = {python for python, found in interpreters.items() if found}
    every = cells.cells(cells.releases(), oldest, present)
    wanted = [] if only_tables else chosen(every, names)
    new: list[results.Result] = []
    # Each time, because the tests of the next cell compare the pages with the results.
    keep(new, every)
    for cell in wanted:
        new.append(run(cell, interpreters[cell.python]))
        show(cell, new[-1])
        keep(new, every)
    return all(result.outcome != "failed" for result in new)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", nargs="+", default=[], metavar="CELL", help="only these, such as 2.20/3.12 or 2.16")
    parser.add_argument(
        "--table",
        action="store_true",
        help="run nothing: make the tables of the kept results and the cells that there are",
    )
    given = parser.parse_args()
    try:
        return 0 if matrix(given.cells, only_tables=given.table) else 1
    except cells.MatrixError as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
