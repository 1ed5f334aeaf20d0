# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in of AWX's API (v2) on loopback: as much of it as the modules of awx.awx use, and strict.

Fields, related lists and their rules are those of ``awx/api/serializers.py`` and ``awx/main/models`` of
https://github.com/ansible/awx. What AWX ignores, such as an unknown field, is refused here, so that a mistake shows.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import json
import re
import threading
import typing as t
from urllib.parse import parse_qs, urlsplit

from demo.runs import ROOT
from tests.real.programs import LOOPBACK

if t.TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, t.Any]

TOKEN: t.Final = "sandbox-awx-token"
PREFIX: t.Final = "/api/v2/"
_SURVEY_TYPES: t.Final = {"text", "textarea", "password", "multiplechoice", "multiselect", "integer", "float"}
_RRULE: t.Final = re.compile(r"DTSTART(;TZID=[^:]+)?:\d{8}T\d{6}Z? RRULE:FREQ=[A-Z]+(;[A-Z]+=[\w,+-]+)*")
_NOTIFICATIONS: t.Final = frozenset({f"notification_templates_{when}" for when in ("started", "success", "error")})


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of object. ``fields`` have defaults; ``names`` are unique together; ``links`` name another kind's id."""

    type: str
    fields: t.Mapping[str, t.Any]
    required: frozenset[str] = frozenset({"name"})
    names: tuple[str, ...] = ("name", "organization")
    links: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    lists: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    surveyed: bool = False


def _notified(*more: tuple[str, str]) -> dict[str, str]:
    return {**dict.fromkeys(_NOTIFICATIONS, "notification_templates"), **dict(more)}


_NAMED: t.Final[Json] = {"name": "", "description": ""}
_ORGANIZED: t.Final[Json] = {**_NAMED, "organization": None}
_ORGANIZATION: t.Final = {"organization": "organizations"}
_PROMPTS: t.Final = dict.fromkeys(
    (
        f"ask_{name}_on_launch"
        for name in ("diff_mode", "variables", "limit", "tags", "skip_tags", "job_type", "verbosity", "inventory")
    ),
    False,
)

KINDS: t.Final[dict[str, Kind]] = {
    "organizations": Kind("organization", {**_NAMED, "max_hosts": 0, "default_environment": None}, names=("name",)),
    "execution_environments": Kind(
        "execution_environment",
        {**_ORGANIZED, "image": "", "pull": "", "credential": None},
        required=frozenset({"name", "image"}),
        names=("name",),
        links=_ORGANIZATION,
    ),
    "credential_types": Kind("credential_type", {**_NAMED, "kind": ""}, names=("name",)),
    "credentials": Kind(
        "credential",
        {**_ORGANIZED, "credential_type": None, "inputs": {}},
        required=frozenset({"name", "credential_type"}),
        names=("name", "organization", "credential_type"),
        links={**_ORGANIZATION, "credential_type": "credential_types"},
    ),
    "projects": Kind(
        "project",
        {**_ORGANIZED, "scm_type": "", "scm_url": "", "scm_branch": "", "scm_update_on_launch": False},
        links=_ORGANIZATION,
        lists=_notified(),
    ),
    "inventories": Kind(
        "inventory",
        {**_ORGANIZED, "kind": "", "variables": "", "host_filter": None},
        required=frozenset({"name", "organization"}),
        links=_ORGANIZATION,
    ),
    "inventory_sources": Kind(
        "inventory_source",
        {
            **_NAMED,
            "inventory": None,
            "source": "",
            "source_path": "",
            "source_project": None,
            "credential": None,
            "execution_environment": None,
            "overwrite": False,
            "overwrite_vars": False,
            "update_on_launch": False,
            "update_cache_timeout": 0,
        },
        required=frozenset({"name", "inventory", "source"}),
        names=("name", "inventory"),
        links={
            "inventory": "inventories",
            "source_project": "projects",
            "credential": "credentials",
            "execution_environment": "execution_environments",
        },
        lists=_notified(),
    ),
    "notification_templates": Kind(
        "notification_template",
        {**_ORGANIZED, "notification_type": "", "notification_configuration": {}, "messages": None},
        required=frozenset({"name", "organization", "notification_type"}),
        links=_ORGANIZATION,
    ),
    "job_templates": Kind(
        "job_template",
        {
            **_ORGANIZED,
            **_PROMPTS,
            "job_type": "run",
            "inventory": None,
            "project": None,
            "playbook": "",
            "execution_environment": None,
            "forks": 0,
            "limit": "",
            "verbosity": 0,
            "extra_vars": "",
            "job_slice_count": 1,
            "survey_enabled": False,
        },
        required=frozenset({"name", "project", "playbook"}),
        links={"inventory": "inventories", "project": "projects", "execution_environment": "execution_environments"},
        lists=_notified(("credentials", "credentials")),
        surveyed=True,
    ),
    "workflow_job_templates": Kind(
        "workflow_job_template",
        {
            **_ORGANIZED,
            "inventory": None,
            "limit": "",
            "extra_vars": "",
            "survey_enabled": False,
            "ask_limit_on_launch": False,
            "ask_variables_on_launch": False,
        },
        links={**_ORGANIZATION, "inventory": "inventories"},
        lists=_notified(),
        surveyed=True,
    ),
    "workflow_job_template_nodes": Kind(
        "workflow_job_template_node",
        {"identifier": "", "workflow_job_template": None, "unified_job_template": None, "extra_data": {}},
        required=frozenset({"identifier", "workflow_job_template"}),
        names=("identifier", "workflow_job_template"),
        links={"workflow_job_template": "workflow_job_templates", "unified_job_template": "unified_job_templates"},
        lists=dict.fromkeys(("success_nodes", "failure_nodes", "always_nodes"), "workflow_job_template_nodes"),
    ),
    "schedules": Kind(
        "schedule",
        {**_NAMED, "unified_job_template": None, "rrule": "", "enabled": True, "extra_data": {}},
        required=frozenset({"name", "unified_job_template", "rrule"}),
        names=("name", "unified_job_template"),
        links={"unified_job_template": "unified_job_templates"},
    ),
}
#: What can be run, whose numbers are of one row.
_UNIFIED: t.Final = ("job_templates", "workflow_job_templates", "projects", "inventory_sources")


class Refused(Exception):
    """An answer with an error."""

    def __init__(self, status: int, body: object) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body


class Awx:
    """The objects. ``writes`` has the method and path of every request that may change one."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[int, Json]] = {kind: {} for kind in KINDS}
        self.related: dict[tuple[int, str], list[int]] = {}
        self.surveys: dict[int, Json] = {}
        self.writes: list[str] = []
        self._last = 0
        self.create("organizations", {"name": "Default"})
        for name in ("Machine", "Amazon Web Services", "Microsoft Azure Resource Manager"):
            self.create("credential_types", {"name": name, "kind": "cloud"})
        self.create("credential_types", {"name": "OpenShift or Kubernetes API Bearer Token", "kind": "kubernetes"})

    def named(self, kind: str, name: str) -> Json:
        """The one object of a name. Raises LookupError."""
        found = [one for one in self.objects[kind].values() if one.get("name", one.get("identifier")) == name]
        if len(found) != 1:
            raise LookupError(f"{len(found)} objects of {kind} have the name {name}")
        return found[0]

    def names_in(self, kind: str, name: str, related: str) -> list[str]:
        """The names in a related list of an object."""
        other = self.objects[KINDS[kind].lists[related]]
        ids = self.related.get((self.named(kind, name)["id"], related), [])
        return sorted(str(other[one].get("name", other[one].get("identifier"))) for one in ids)

    def create(self, kind: str, values: Json) -> Json:
        spec = KINDS[kind]
        self._check(kind, values)
        missing = sorted(name for name in spec.required if values.get(name) in (None, ""))
        if missing:
            raise Refused(400, {name: ["This field is required."] for name in missing})
        self._last += 1
        item = {**spec.fields, **values, "id": self._last, "type": spec.type, "url": f"{PREFIX}{kind}/{self._last}/"}
        self._check_object(kind, item)
        related = {name: f"{item['url']}{name}/" for name in spec.lists}
        item["related"] = related | ({"survey_spec": f"{item['url']}survey_spec/"} if spec.surveyed else {})
        item["summary_fields"] = {}
        if kind == "projects":
            item["scm_revision"] = "0" * 40
        self.objects[kind][item["id"]] = item
        return item

    def update(self, kind: str, number: int, values: Json) -> Json:
        self._check(kind, values)
        item = {**self.objects[kind][number], **values}
        self._check_object(kind, item)
        self.objects[kind][number] = item
        return item

    def listed(self, kind: str, query: t.Mapping[str, list[str]]) -> list[Json]:
        """The objects whose fields have the values of the query."""
        kinds = _UNIFIED if kind == "unified_job_templates" else (kind,)
        found = [one for name in kinds for one in self.objects[name].values()]
        for field, values in query.items():
            known = {"id", "type", *(name for one in kinds for name in KINDS[one].fields)}
            if field not in known:
                raise Refused(400, {"detail": f"{field} is no field to filter by."})
            found = [one for one in found if str(one.get(field)) == values[0]]
        return found

    def associate(self, kind: str, number: int, related: str, body: Json) -> None:
        other = KINDS[kind].lists[related]
        if body.get("id") not in self.objects[other]:
            raise Refused(400, {"detail": f"There is no object {body.get('id')} of {other}."})
        ids = self.related.setdefault((number, related), [])
        if body.get("disassociate"):
            ids.remove(body["id"])
            return
        self._check_association(kind, number, related, body["id"])
        ids.append(body["id"])

    def set_survey(self, number: int, spec: Json) -> None:
        """``SurveySpec`` of ``awx/api/views``: what a question must have."""
        if spec.keys() != {"name", "description", "spec"} or not spec["spec"]:
            raise Refused(400, {"error": "A survey has name, description and a spec that is not empty."})
        variables = [one.get("variable") for one in spec["spec"]]
        for question in spec["spec"]:
            if not {"type", "question_name", "variable", "required"} <= question.keys():
                raise Refused(400, {"error": f"A question lacks a field: {question}"})
            if question["type"] not in _SURVEY_TYPES or variables.count(question["variable"]) > 1:
                raise Refused(400, {"error": f"A question can't be so: {question}"})
            if question["type"].startswith("multi") and question.get("default") not in question.get("choices", ()):
                raise Refused(400, {"error": f"The default is no choice: {question}"})
        self.surveys[number] = spec

    def _check(self, kind: str, values: Json) -> None:
        spec = KINDS[kind]
        unknown = sorted(values.keys() - spec.fields.keys() - {"type"})
        if unknown or values.get("type", spec.type) != spec.type:
            raise Refused(400, {name: ["There is no such field."] for name in unknown or ["type"]})
        for name, other in spec.links.items():
            known = {one["id"] for one in self.listed(other, {})}
            if values.get(name) is not None and values[name] not in known:
                raise Refused(400, {name: [f"Invalid pk {values[name]} - object does not exist."]})
        for name, default in spec.fields.items():
            if isinstance(default, bool | int) and type(values.get(name, default)) is not type(default):
                raise Refused(400, {name: [f"{values[name]!r} is of another type."]})

    def _check_object(self, kind: str, item: Json) -> None:
        names = KINDS[kind].names
        for other in self.objects[kind].values():
            if other["id"] != item["id"] and all(other[name] == item[name] for name in names):
                raise Refused(400, {"__all__": [f"{kind} with this {' and '.join(names)} already exists."]})
        if kind == "job_templates":
            self._check_job_template(item)
        if kind == "schedules" and not _RRULE.fullmatch(item["rrule"]):
            raise Refused(400, {"rrule": ["rrule parsing failed validation."]})

    @staticmethod
    def _check_job_template(item: Json) -> None:
        if not (ROOT / item["playbook"]).is_file():
            raise Refused(400, {"playbook": ["Playbook not found for project."]})
        if item["job_type"] not in ("run", "check"):
            raise Refused(400, {"job_type": [f'"{item["job_type"]}" is not a valid choice.']})
        if not isinstance(json.loads(item["extra_vars"] or "{}"), dict):
            raise Refused(400, {"extra_vars": ["Must be a dictionary."]})

    def _check_association(self, kind: str, number: int, related: str, other: int) -> None:
        if related == "credentials":
            types = [self.objects["credentials"][one]["credential_type"] for one in self.related[(number, related)]]
            if self.objects["credentials"][other]["credential_type"] in types:
                raise Refused(400, {"error": "Cannot assign multiple credentials of one type."})
        if kind == "workflow_job_template_nodes":
            nodes = self.objects[kind]
            if nodes[number]["workflow_job_template"] != nodes[other]["workflow_job_template"] or number == other:
                raise Refused(400, {"error": "Nodes of one workflow follow each other."})


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PATCH(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Nothing is printed."""

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        text = self.rfile.read(length) if length else b""
        try:
            self._authenticate()
            with self.server.lock:
                if self.command != "GET":
                    self.server.awx.writes.append(f"{self.command} {self.path}")
                status, body = self._routed(json.loads(text) if text else {})
        except Refused as refused:
            status, body = refused.status, refused.body
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("X-API-Product-Name", "AWX")
        self.send_header("X-API-Product-Version", "24.6.1")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _authenticate(self) -> None:
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise Refused(401, {"detail": "Authentication credentials were not provided."})

    def _routed(self, body: Json) -> tuple[int, object]:
        awx, parts = self.server.awx, urlsplit(self.path)
        kind, *rest = parts.path.removeprefix(PREFIX).strip("/").split("/")
        if kind not in KINDS and kind != "unified_job_templates":
            raise Refused(404, {"detail": "Not found."})
        if not rest:
            if self.command == "GET":
                return 200, _page(awx.listed(kind, parse_qs(parts.query, keep_blank_values=True)))
            return 201, awx.create(kind, body)
        number, related = int(rest[0]), rest[1] if len(rest) > 1 else ""
        if number not in awx.objects[kind]:
            raise Refused(404, {"detail": "Not found."})
        if not related:
            item = awx.objects[kind][number]
            return 200, item if self.command == "GET" else awx.update(kind, number, body)
        if related == "survey_spec" and KINDS[kind].surveyed:
            if self.command == "POST":
                awx.set_survey(number, body)
                return 200, {}
            return 200, awx.surveys.get(number, {})
        if related not in KINDS[kind].lists:
            raise Refused(404, {"detail": "Not found."})
        if self.command == "GET":
            other = awx.objects[KINDS[kind].lists[related]]
            return 200, _page([other[one] for one in awx.related.get((number, related), [])])
        awx.associate(kind, number, related, body)
        return 204, None


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, awx: Awx) -> None:
        super().__init__((LOOPBACK, 0), _Handler)
        self.awx = awx
        self.lock = threading.Lock()


def _page(items: list[Json]) -> Json:
    return {"count": len(items), "next": None, "previous": None, "results": items}


@contextlib.contextmanager
def running_awx() -> Iterator[tuple[Awx, str]]:
    """A fresh AWX and its URL."""
    server = _Server(Awx())
    thread = threading.Thread(target=server.serve_forever, name="awx", daemon=True)
    thread.start()
    try:
        yield server.awx, f"http://{LOOPBACK}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
