# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the logs and events of a pod say about a rollout that fails; pure.

Logs are written by others and may hold anything: what is shown of them is short, has no control characters and no
credentials. The texts that are recognised are those of Prometheus 2 and 3, and of both generations of the AWS SDK.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._refusals import explain
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.json_text import parse_json
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.url_secrets import redact_urls

Json = dict[str, t.Any]

MAX_LINES: t.Final = 8
MAX_LINE_CHARACTERS: t.Final = 400
MAX_EVENTS: t.Final = 5
REDACTED: t.Final = "<redacted>"

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
#: Control characters, and those that turn or hide what stands beside them.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")

_SECRETS = (
    re.compile(r"\beyJ[\w-]*(?:\.[\w-]*)*"),  # a JSON web token, or the beginning of one that was cut off
    re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{8,}"),
    re.compile(r"(?i)(?<=bearer )[^\s\"'\\]+"),
    re.compile(r"(?i)(?<=basic )[a-z0-9+/=]{8,}"),
    re.compile(
        r"(?i)(?:(?<=x-amz-security-token[=:])|(?<=x-amz-signature[=:])|(?<=x-amz-credential[=:])|(?<=signature=)"
        r"|(?<=credential=)|(?<=webidentitytoken[=:])|(?<=sessiontoken[=:]))\s*[^\s&\"'\\,]+"
    ),
    re.compile(
        r"(?i)(?<![a-z])(?:password|passwd|secret_?(?:access_?)?key|access_?key|session_?token|bearer_?token|api_?key|"
        r"client_?secret|auth_?token)[\"'\\]*\s*[:=]\s*[\"'\\]*(?P<value>[^\s\"'\\,&]+)"
    ),
)

#: What makes a line worth showing, the most telling first.
_TELLING = (
    re.compile(r"(?i)sigv4|assumerole|web_?identity|\bsts\b|credential"),
    re.compile(r"(?i)error loading config|loading config|couldn't load|yaml: |unmarshal|not found in type"),
    re.compile(r"(?i)remote_write|remote.?storage|non-recoverable|server returned http status"),
    re.compile(r"(?i)lock DB directory|opening storage|panic:|fatal error|out of memory|permission denied"),
    re.compile(r"(?i)level=(?:error|fatal|crit)|\"level\":\s*\"(?:error|fatal|ERROR)\"|^error: |^prometheus: error"),
    re.compile(r"(?i)level=warn|\"level\":\s*\"warn"),
)
_CALM = re.compile(r"(?i)\blevel=(?:info|debug)\b|\"level\":\s*\"(?:info|debug)\"")
#: Errors that only say that there was another one.
_EMPTY_ERRORS = ("one or more errors occurred", "failed to apply config", "see logs")

#: Prometheus has taken up its configuration, credentials included: what was before is over.
_LOADED = re.compile(r"Completed loading of configuration file")
#: The address of a remote write queue, in both forms of Prometheus' log.
_ADDRESS = re.compile(r"""\burl"?[=:]\s*"?(https?://[^\s",}]+)""")

_FIELD = re.compile(r'\b(?P<name>err|error|msg)=(?:"(?P<quoted>(?:[^"\\]|\\.)*)"?|(?P<plain>\S+))')
_ESCAPED = re.compile(r"\\(.)")
_SPACE = {"n": " ", "t": " ", "r": " "}

#: STS' error codes in the texts of the SDKs: "AccessDenied: Not authorized ...", "api error AccessDenied: ...".
_STS_REFUSAL = re.compile(
    r"\b(?P<code>InvalidIdentityToken(?:Exception)?|ExpiredToken(?:Exception)?|AccessDenied(?:Exception)?"
    r"|IDPCommunicationError(?:Exception)?|IDPRejectedClaim(?:Exception)?|RegionDisabledException"
    r"|ValidationError(?:Exception)?): (?P<message>[^\n]+)"
)
_WRITE_REFUSAL = re.compile(r"server returned HTTP status (?P<status>\d{3})[^:]*:?\s*(?P<message>.*)")


@dataclasses.dataclass(frozen=True)
class Cause:
    """What a log names as the reason. ``fix`` is empty where nothing better is known than the text itself.

    ``kind`` is the reason's name for programs: one of ``explain``'s, one of this module's, or empty.
    """

    text: str
    explanation: str = ""
    fix: str = ""
    kind: str = ""


@dataclasses.dataclass(frozen=True)
class Known:
    """A text that has one meaning."""

    pattern: re.Pattern[str]
    explanation: str
    fix: str
    kind: str


KNOWN: t.Final = (
    Known(
        # Not "failed to refresh cached credentials": the second SDK begins every error of any source of credentials so.
        re.compile(r"NoCredentialProviders|no EC2 IMDS role found|operation error ec2imds|EC2RoleRequest"),
        "The AWS SDK in the container found no web identity and asked the node's metadata service, which is Azure's.",
        "Check that AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE are set in the pod's container, and that no admission "
        "webhook takes them out.",
        "no_web_identity",
    ),
    Known(
        re.compile(
            r"(?:unable to read file at|open) \S*token\S*.*(?:no such file|permission denied)|WebIdentityErr: "
            r"failed (?:fetching WebIdentity token|to read token)"
        ),
        "The token file is not there, or not readable for the user that the container runs as.",
        "Check the volume and the mount of the token in the pod; if it may not be read, the volume's defaultMode and "
        "the runAsUser of the pod's containers.",
        "token_file_missing",
    ),
    Known(
        re.compile(r"field (?P<field>\w+) not found in type (?:sigv4|config)\."),
        "This version of Prometheus does not know the setting {field}.",
        "Update Prometheus, or leave the setting out; see prometheus_version.",
        "setting_unknown",
    ),
    Known(
        re.compile(r"region not configured in sigv4"),
        "The entry names no region to sign for.",
        "Run the module again, which adds the region.",
        "region_missing",
    ),
    Known(
        re.compile(r"lock DB directory|resource temporarily unavailable"),
        "The old pod still holds the data directory, so the new one can't start beside it.",
        "Give the Deployment the strategy Recreate, or each pod a volume of its own.",
        "data_locked",
    ),
    Known(
        re.compile(
            r"(?:sts|aps-workspaces)[\w.-]*.*(?:no such host|i/o timeout|connection refused|network is "
            r"unreachable|context deadline exceeded)"
        ),
        "The pod does not reach AWS.",
        "Let the nodes reach the regional STS endpoint and the workspace's host on port 443; a proxy is set by "
        "HTTPS_PROXY in the container.",
        "aws_not_reached",
    ),
    Known(
        re.compile(r"x509: "),
        "The pod does not trust the certificate that it is shown, as behind a proxy that opens TLS.",
        "Give the container the authority's certificate (SSL_CERT_FILE).",
        "certificate_unknown",
    ),
)


def clean(text: str) -> str:
    """Text of others in one line: no control characters, no credentials, bounded."""
    plain = _CONTROLS.sub(" ", _ESCAPES.sub("", text)).strip()
    plain = redact_urls(plain, REDACTED)
    for pattern in _SECRETS:
        plain = pattern.sub(_blot, plain)
    if len(plain) <= MAX_LINE_CHARACTERS:
        return plain
    return f"{plain[: MAX_LINE_CHARACTERS - 4].rstrip()} ..."


def _blot(match: re.Match[str]) -> str:
    value = match.groupdict().get("value")
    return REDACTED if value is None else f"{match[0][: -len(value)]}{REDACTED}"


def telling_lines(log: str) -> tuple[str, ...]:
    """The lines of a log that matter, cleaned, in their order: the last ones of the most telling kinds."""
    lines = [line for line in log.splitlines() if line.strip()]
    chosen: set[int] = set()
    shown: set[str] = set()
    for pattern in _TELLING:
        for index in reversed(range(len(lines))):
            if len(chosen) >= MAX_LINES:
                break
            line = lines[index]
            what = _without_time(line)
            if index in chosen or what in shown or _CALM.search(line) or not pattern.search(line):
                continue
            chosen.add(index)
            shown.add(what)
    if not chosen:
        chosen = set(range(max(0, len(lines) - 3), len(lines)))
    return tuple(clean(lines[index]) for index in sorted(chosen))


def _without_time(line: str) -> str:
    """A line as it is each time that it is logged."""
    return re.sub(r"\d+", "0", line)


def cause_of(log: str, chain: explain.Chain) -> Cause | None:
    """The reason that a log names for Prometheus' failure; None when none is recognised."""
    lines = [line for line in log.splitlines() if line.strip() and not _CALM.search(line)]
    for pattern in _TELLING[:5]:
        for line in reversed(lines):
            if not pattern.search(line):
                continue
            text = _error_in(line)
            if text and not text.lower().startswith(_EMPTY_ERRORS):
                return _explained(text, chain)
    return None


@dataclasses.dataclass(frozen=True)
class Failure:
    """The last failure of remote write that the log of a running Prometheus shows. ``count`` are the lines of its kind
    since the configuration was loaded."""

    cause: Cause
    count: int


def last_failure(log: str, chain: explain.Chain, concerns: t.Callable[[str], bool]) -> Failure | None:
    """What a running Prometheus complains of since it loaded its configuration; None when it is about nothing of ours.

    ``concerns`` tells of an address in a line whether it is that of the workspace.
    """
    found: list[Cause] = []
    for line in log.splitlines():
        if _LOADED.search(line):
            found.clear()
        elif not _CALM.search(line) and any(pattern.search(line) for pattern in _TELLING[:3]):
            addresses = _ADDRESS.findall(line)
            text = _error_in(line)
            if all(map(concerns, addresses)) and text and not text.lower().startswith(_EMPTY_ERRORS):
                found.append(_explained(text, chain))
    if not found:
        return None
    return Failure(found[-1], sum(cause.kind == found[-1].kind for cause in found))


def cause_in(message: str, chain: explain.Chain) -> Cause:
    """The reason in an error text that Prometheus answered with."""
    return _explained(" ".join(message.split()), chain)


def _explained(text: str, chain: explain.Chain) -> Cause:
    shown = clean(text).rstrip(".")
    refusal = _STS_REFUSAL.search(text)
    if refusal is not None:
        found = explain.token_exchange(refusal["code"], refusal["message"], chain)
        return Cause(shown, found.cause, found.fix, found.kind)
    write = _WRITE_REFUSAL.search(text)
    if write is not None:
        found = explain.remote_write(int(write["status"]), write["message"], chain)
        return Cause(shown, found.cause, found.fix, found.kind)
    for known in KNOWN:
        match = known.pattern.search(text)
        if match is not None:
            return Cause(shown, known.explanation.format(**match.groupdict()), known.fix, known.kind)
    return Cause(shown)


def _error_in(line: str) -> str:
    """The error that a line of Prometheus' log reports: of its field ``err``, else its message, else all of it."""
    fields = _json_fields(line) or _logfmt_fields(line)
    for name in ("err", "error", "msg"):
        if fields.get(name):
            return " ".join(fields[name].split())
    return " ".join(line.split())


def _json_fields(line: str) -> dict[str, str]:
    start = line.find("{")
    if start < 0:
        return {}
    try:
        found = parse_json(line[start:])
    except ValueError:
        return {}
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}


def _logfmt_fields(line: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    for match in _FIELD.finditer(line):
        quoted = match["quoted"]
        value = match["plain"] if quoted is None else _ESCAPED.sub(lambda found: _SPACE.get(found[1], found[1]), quoted)
        fields.setdefault(match["name"], value)
    return fields


def telling_events(events: t.Iterable[t.Mapping[str, t.Any]]) -> tuple[str, ...]:
    """Warnings among events, the newest of each kind, newest first, cleaned: "FailedMount: ... (12 times)"."""
    found: dict[tuple[str, str], tuple[str, int]] = {}
    for event in events:
        if event.get("type") != "Warning":
            continue
        key = (clean(str(event.get("reason") or "")), clean(str(event.get("message") or "")))
        moment, count = found.get(key, ("", 0))
        found[key] = (max(moment, _moment(event)), count + _count(event))
    ordered = sorted(found.items(), key=lambda item: item[1][0], reverse=True)
    return tuple(
        f"{reason}: {message.rstrip('.')}{f' ({count} times)' if count > 1 else ''}"
        for (reason, message), (_when, count) in ordered[:MAX_EVENTS]
    )


def _moment(event: t.Mapping[str, t.Any]) -> str:
    """When an event was last seen; RFC 3339 in UTC sorts as text."""
    series = event.get("series") or {}
    times = (
        series.get("lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
        (event.get("metadata") or {}).get("creationTimestamp"),
    )
    return next((str(moment) for moment in times if moment), "")


def _count(event: t.Mapping[str, t.Any]) -> int:
    return int((event.get("series") or {}).get("count") or event.get("count") or 1)
