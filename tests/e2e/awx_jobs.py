# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs as AWX runs them: ansible-runner with the inventory, the variables and the environment that AWX makes.

What AWX does is in ``awx/main/tasks/jobs.py`` and ``awx/main/models/inventory.py`` of https://github.com/ansible/awx,
and what its credential types inject in ``src/awx_plugins/credentials/injectors.py`` of
https://github.com/ansible/awx-plugins.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import typing as t
from pathlib import Path

import ansible_runner
import yaml

from demo.runs import ROOT, run_playbook

Json = dict[str, t.Any]

#: AWX inserts these into the hosts of an inventory, but not into its groups.
_HOST_VARS: t.Final = {"remote_tower_enabled": "true"}


class _Unsafe(str):
    """What AWX marks as ``!unsafe``: answers of a survey, artifacts of other jobs and its own variables."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """AWX's way of writing extra variables."""


_Dumper.add_representer(_Unsafe, lambda dumper, value: dumper.represent_scalar("!unsafe", str(value)))


def aws_environment(access_key: str, secret_key: str, session_token: str = "") -> dict[str, str]:
    """What the type Amazon Web Services injects."""
    found = {"AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret_key}
    if session_token:
        found |= {"AWS_SECURITY_TOKEN": session_token, "AWS_SESSION_TOKEN": session_token}
    return found


def azure_environment(subscription: str, tenant: str, client: str, secret: str, cloud: str = "") -> dict[str, str]:
    """What the type Microsoft Azure Resource Manager injects for a service principal."""
    found = {
        "AZURE_SUBSCRIPTION_ID": subscription,
        "AZURE_CLIENT_ID": client,
        "AZURE_TENANT": tenant,
        "AZURE_SECRET": secret,
    }
    return found | ({"AZURE_CLOUD_ENVIRONMENT": cloud} if cloud else {})


def kubernetes_environment(host: str, token: str, ca_file: Path) -> dict[str, str]:
    """What the type OpenShift or Kubernetes API Bearer Token injects where a certificate is given."""
    return {
        "K8S_AUTH_HOST": host,
        "K8S_AUTH_API_KEY": token,
        "K8S_AUTH_VERIFY_SSL": "True",
        "K8S_AUTH_SSL_CA_CERT": str(ca_file),
    }


@dataclasses.dataclass(frozen=True)
class Inventory:
    """An inventory of AWX with the group ``aks``."""

    hosts: t.Mapping[str, Json]
    shared: Json

    def slice(self, number: int, count: int) -> Json:
        """What AWX' inventory script prints for a slice; ``number`` counts from one."""
        names = sorted(self.hosts)[number - 1 :: count]
        return {
            "all": {"hosts": names},
            "aks": {"hosts": names, "vars": self.shared},
            "_meta": {"hostvars": {name: {**self.hosts[name], **_HOST_VARS} for name in names}},
        }


@dataclasses.dataclass(frozen=True)
class Job:
    """A job that has ended."""

    exit_code: int
    output: str
    artifacts: Json
    events: tuple[Json, ...]


@dataclasses.dataclass(frozen=True)
class Launcher:
    """Runs job templates. ``templates`` are the entries of awx_objects.yml by the last words of their names."""

    folder: Path
    templates: t.Mapping[str, Json]
    inventory: Inventory
    credentials: t.Mapping[str, str]

    def launch(
        self,
        template: str,
        job_id: int,
        *,
        part: tuple[int, int] = (1, 1),
        answers: t.Mapping[str, str] | None = None,
        handed_on: t.Mapping[str, t.Any] | None = None,
        limit: str = "",
        inventory: Inventory | None = None,
        credentials: t.Mapping[str, str] | None = None,
    ) -> Job:
        """Run one job; ``part`` is the slice's number and their count, ``handed_on`` the artifacts of jobs before."""
        entry = self.templates[template]
        private = self.folder / f"awx_{job_id}"
        (private / "env").mkdir(parents=True)
        (private / "inventory").mkdir()
        script = private / "inventory" / "hosts"
        data = json.dumps((inventory or self.inventory).slice(*part))
        script.write_text(f"#! /usr/bin/env python3\n# -*- coding: utf-8 -*-\nprint({data!r})\n", encoding="utf-8")
        script.chmod(0o700)
        survey = {item["variable"]: item["default"] for item in (entry.get("survey_spec") or {}).get("spec", ())}
        variables = {
            **entry["extra_vars"],
            **_unsafe({**survey, **(answers or {}), **(handed_on or {}), **_meta(job_id)}),
        }
        (private / "env" / "extravars").write_text(yaml.dump(variables, Dumper=_Dumper), encoding="utf-8")
        check = ["--check"] if entry["job_type"] == "check" else []
        finished = ansible_runner.run(
            private_data_dir=str(private),
            project_dir=str(ROOT),
            playbook=entry["playbook"],
            inventory=str(script),
            ident=str(job_id),
            cmdline=" ".join([*check, "-u", "root", "--forks=10", *(["-l", limit] if limit else [])]),
            envvars={**_machine(), **(self.credentials if credentials is None else credentials), "JOB_ID": str(job_id)},
            quiet=True,
        )
        events = tuple(finished.events)
        stats = [event["event_data"] for event in events if event["event"] == "playbook_on_stats"]
        output = Path(finished.config.artifact_dir, "stdout").read_text(encoding="utf-8")
        return Job(finished.rc, output, stats[-1].get("artifact_data") or {} if stats else {}, events)


def _unsafe(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {key: _unsafe(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_unsafe(item) for item in value]
    return _Unsafe(value) if isinstance(value, str) else value


def _meta(job_id: int) -> Json:
    return {f"{prefix}_{name}": value for prefix in ("awx", "tower") for name, value in (
        ("job_id", job_id), ("job_launch_type", "manual"), ("job_template_name", "one"), ("user_name", "admin")
    )}  # fmt: skip


def _machine() -> dict[str, str]:
    """The programs of this environment, first."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # AWX takes the project's own path out of its ansible.cfg as it stands there.
    collections = ("/runner/requirements_collections", ".collections", "/usr/share/ansible/collections")
    return {
        "PATH": path,
        "ANSIBLE_RETRY_FILES_ENABLED": "False",
        "ANSIBLE_COLLECTIONS_PATH": os.pathsep.join(collections),
    }


def rendered_templates(folder: Path, settings: Json) -> dict[str, Json]:
    """The job templates of awx_objects.yml with these settings, by the part of their names that follows the prefix."""
    play, variables = folder / "objects.yml", ROOT / "playbooks" / "vars"
    play.write_text(
        yaml.safe_dump([
            {
                "hosts": "localhost",
                "gather_facts": False,
                "vars_files": [str(variables / "awx_settings.yml"), str(variables / "awx_objects.yml")],
                "tasks": [{"ansible.builtin.debug": {"msg": {"found": "{{ aks_amp_awx_job_templates }}"}}}],
            }
        ]),
        encoding="utf-8",
    )  # fmt: skip
    inventory = folder / "none.yml"
    inventory.write_text("all: {}\n", encoding="utf-8")
    run = run_playbook(str(play), inventory, "-e", json.dumps(settings))
    if run.exit_code:
        raise AssertionError(run.output)
    prefix = settings.get("aks_amp_awx_prefix", "AKS-AMP")
    return {entry["name"].removeprefix(f"{prefix} "): entry for entry in run.tasks[-1].result["msg"]["found"]}
