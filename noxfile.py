# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``nox``: the checks of the community collections by antsibull-nox, and the project's own, none in a container.

antsibull-nox.toml configures the former; docs/compatibility.md lists all sessions.
"""

from __future__ import annotations

import os

import antsibull_nox
import nox

REQUIREMENTS = ("-r", "requirements.txt", "-r", "sandbox/requirements.txt", "-r", "tests/requirements.txt")

nox.options.envdir = ".cache/nox"
nox.options.reuse_existing_virtualenvs = True

antsibull_nox.load_antsibull_nox_toml()


def own(session: nox.Session, *packages: str) -> None:
    """Give the session an environment with these packages, or with all that the tests need."""
    session.install(*(packages or REQUIREMENTS))


@nox.session(default=True)
def ruff(session: nox.Session) -> None:
    """Lint and format of all Python files."""
    own(session, "ruff >= 0.12")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session(name="mypy", default=False)
def types(session: nox.Session) -> None:
    """Strict types of plugins, sandbox, demo and benchmarks."""
    own(session)
    session.env["MYPYPATH"] = ".collections"
    session.run("mypy", "-p", "ansible_collections.crosscloud.aks_amp.plugins")
    session.run("mypy", "sandbox", "demo", "benchmarks")


@nox.session(name="ansible-lint-production", default=False)
def content(session: nox.Session) -> None:
    """Roles and playbooks by ansible-lint's profile for production."""
    own(session)
    session.run("ansible-lint", "--offline", "--strict", "--profile", "production")


@nox.session(name="sanity", default=False)
def sanity(session: nox.Session) -> None:
    """``ansible-test sanity --venv``; arguments after ``--`` are handed on."""
    own(session)
    session.run("python", "-m", "tests.ansible_test", "--place=-nox", "sanity", *session.posargs)


@nox.session(default=False)
def units(session: nox.Session) -> None:
    """Unit tests on all cores; arguments after ``--`` are handed on."""
    own(session)
    session.run("python", "-m", "pytest", "-q", "-n", str(os.cpu_count() or 1), *(session.posargs or ("tests/unit",)))


@nox.session(default=False)
def integration(session: nox.Session) -> None:
    """Integration targets on all cores, a sandbox for each; arguments after ``--`` are targets."""
    own(session)
    session.run("python", "-m", "tests.shards", "--shards", str(os.cpu_count() or 1), *session.posargs)


@nox.session(name="execution-environment", default=False)
def execution_environment(session: nox.Session) -> None:
    """The build context of the image, as ``ansible-builder create`` makes it."""
    own(session, "ansible-builder >= 3.1")
    context = session.create_tmp()
    session.run("ansible-builder", "create", "-f", "execution-environment.yml", "-c", context)


@nox.session(default=False)
def matrix(session: nox.Session) -> None:
    """Each supported ansible-core on each of its Pythons; arguments after ``--`` are those of tests.matrix."""
    own(session)
    session.run("python", "-m", "tests.matrix", *session.posargs)
