# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small kubectl for commands that ARM runs in a cluster: raw requests and merge patches, and nothing else.

Flags and texts are those of k8s.io/kubectl (``pkg/cmd/util/helpers.go``, ``pkg/rawhttp``). Standard output and standard
error come as one text, as the pod of a run command gives them.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
import typing as t
import urllib.parse

from werkzeug.test import Client

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from werkzeug.test import TestResponse

    from sandbox.world import Json

_METHODS = {"get": "GET", "create": "POST", "replace": "PUT", "delete": "DELETE"}
_FLAGS = {
    "get": {"--raw"},
    "create": {"--raw", "-f", "--filename"},
    "replace": {"--raw", "-f", "--filename"},
    "delete": {"--raw", "-f", "--filename"},
    "patch": {"-n", "--namespace", "--type", "-p", "--patch", "--patch-file", "-o", "--output", "--dry-run"},
}


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a command ended, and what it printed."""

    exit_code: int
    output: str


class _KubectlError(Exception):
    """The command fails. The message is what it prints."""


def run(line: str, files: Mapping[str, bytes], api_server: t.Any, token: str) -> Outcome:
    """Run a shell's line that is one kubectl command, with these files in its folder, as the user of a token."""
    try:
        words = shlex.split(line)
    except ValueError:
        return Outcome(2, "sh: 1: Syntax error: Unterminated quoted string\n")
    if not words or words[0] != "kubectl":
        return Outcome(127, f"sh: 1: {words[0] if words else ''}: not found\n")
    try:
        return Outcome(0, _Kubectl(files, Client(api_server), token).run(words[1:]))
    except _KubectlError as error:
        return Outcome(1, f"{error}\n")


@dataclasses.dataclass(frozen=True)
class _Kubectl:
    files: Mapping[str, bytes]
    client: Client
    token: str

    def run(self, words: Sequence[str]) -> str:
        verb = words[0] if words else ""
        if verb not in _FLAGS:
            raise _KubectlError(f'error: unknown command "{verb}" for "kubectl"')
        flags, arguments = _parse(verb, words[1:])
        return self._patch(flags, arguments) if verb == "patch" else self._raw(verb, flags, arguments)

    def _raw(self, verb: str, flags: Mapping[str, str], arguments: Sequence[str]) -> str:
        if arguments or "--raw" not in flags:
            raise _KubectlError("error: the sandbox's kubectl knows raw requests and patches only")
        path = flags["--raw"]
        if not path.startswith("/"):
            raise _KubectlError(f"error: --raw must be a valid URL path: {path}")
        name = flags.get("-f", flags.get("--filename"))
        if name is None and verb in ("create", "replace"):
            raise _KubectlError("error: --raw can only use a single local file or stdin")
        data = b"" if name is None else self._file(name)
        # kubectl sends a raw body without a type, which an API server takes for JSON.
        return self._send(_METHODS[verb], path, data, "application/json" if data else None)

    def _patch(self, flags: Mapping[str, str], arguments: Sequence[str]) -> str:
        if len(arguments) != 2:
            raise _KubectlError("error: You must provide one or more resources by argument or filename.")
        patch_file = flags.get("--patch-file")
        if patch_file is None:
            raise _KubectlError("error: must specify --patch or --patch-file containing the contents of the patch")
        if flags.get("--type") != "merge" or flags.get("-o", flags.get("--output")) != "json":
            raise _KubectlError("error: the sandbox's kubectl patches with --type merge and --output json only")
        path = _object_path(arguments[0], arguments[1], flags.get("-n", flags.get("--namespace", "default")))
        patch = self._file(patch_file)
        self._send("GET", path, b"", None)
        dry_run = flags.get("--dry-run", "none")
        if dry_run not in ("none", "server"):
            raise _KubectlError("error: the sandbox's kubectl rehearses with --dry-run=server only")
        target = f"{path}?dryRun=All" if dry_run == "server" else path
        found = json.loads(self._send("PATCH", target, patch, "application/merge-patch+json").partition("\n")[0])
        found["metadata"].pop("managedFields", None)  # kubectl shows them on request only
        return json.dumps(found, indent=4) + "\n"

    def _file(self, name: str) -> bytes:
        try:
            return self.files[name]
        except KeyError:
            raise _KubectlError(f"error: open {name}: no such file or directory") from None

    def _send(self, method: str, path: str, data: bytes, content_type: str | None) -> str:
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/json, */*", "User-Agent": "kubectl"}
        answer = self.client.open(path, method=method, data=data, content_type=content_type, headers=headers)
        if answer.status_code >= 400:
            raise _KubectlError(_refusal(answer))
        # Warnings go to standard error, which nobody keeps apart here; where they land among the output is chance.
        warnings = [text.partition('"')[2].rstrip('"') for text in answer.headers.getlist("Warning")]
        return answer.get_data(as_text=True) + "".join(f"Warning: {text}\n" for text in warnings)


def _parse(verb: str, words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    flags: dict[str, str] = {}
    arguments: list[str] = []
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if not word.startswith("-"):
            arguments.append(word)
        elif name not in _FLAGS[verb]:
            raise _KubectlError(f"error: unknown flag: {name}\nSee 'kubectl {verb} --help' for usage.")
        else:
            following = value if equals else next(rest, None)
            if following is None:
                raise _KubectlError(f"error: flag needs an argument: {name}\nSee 'kubectl {verb} --help' for usage.")
            flags[name] = following
    return flags, arguments


def _object_path(resource: str, name: str, namespace: str) -> str:
    """``deployments.v1.apps`` names the resource fully, ``serviceaccounts`` is one of the core API."""
    plural, _dot, place = resource.partition(".")
    version, _dot, group = place.partition(".")
    api = f"/apis/{group}/{version}" if group else "/api/v1"
    if plural == "namespaces":
        return f"{api}/namespaces/{name}"
    return f"{api}/namespaces/{namespace}/{plural}/{urllib.parse.quote(name, safe='')}"


def _refusal(answer: TestResponse) -> str:
    """A Status as kubectl words it."""
    status: Json = answer.get_json(silent=True) or {}
    reason, message = status.get("reason", ""), status.get("message", "")
    if reason == "Unauthorized":
        return f"error: You must be logged in to the server ({message})"
    if reason == "Invalid":
        return _invalid(status)
    if not status:
        return _unstructured(answer)
    return f"Error from server ({reason}): {message}" if reason else f"Error from server: {message}"


def _unstructured(answer: TestResponse) -> str:
    """An answer that is none of the API's, such as a pod's, as client-go words it (``NewGenericServerResponse``)."""
    text = answer.get_data(as_text=True).strip()
    if answer.status_code == 403:
        return f"Error from server (Forbidden): {text}"
    if answer.status_code == 500:
        told = (
            f"an error on the server ({json.dumps(text, ensure_ascii=False)}) has prevented the request from succeeding"
        )
        return f"Error from server (InternalError): {told}"
    return "Error from server (NotFound): the server could not find the requested resource"


def _invalid(status: Json) -> str:
    details = status.get("details") or {}
    what = f'The {details["kind"]} "{details.get("name", "")}" is invalid' if details.get("kind") else ""
    causes = [f"{cause.get('field')}: {cause.get('message')}" for cause in details.get("causes") or ()]
    if not causes:
        return what or f"The request is invalid: {status.get('message', '')}"
    listed = causes[0] if len(causes) == 1 else "".join(f"\n* {cause}" for cause in causes)
    return f"{what or 'The request is invalid'}: {listed}"
