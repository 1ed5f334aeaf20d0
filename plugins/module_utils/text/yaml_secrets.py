# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets in a Prometheus configuration: blotted out wherever people see the text."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils.text.yaml_text import (
    Edit,
    YamlProblem,
    apply_edits,
    compose,
    content_start,
    is_mapping,
    is_scalar,
    is_sequence,
)

if t.TYPE_CHECKING:
    import yaml

REDACTED: t.Final = "<redacted>"

#: Prometheus' settings of the type "secret" (https://prometheus.io/docs/prometheus/latest/configuration/configuration/).
_SECRET_KEYS = frozenset(
    {
        "access_key",
        "api_key",
        "application_credential_secret",
        "auth_token",
        "bearer_token",
        "client_secret",
        "consumer_key",
        "credentials",
        "key",
        "password",
        "secret",
        "secret_key",
        "secrets",
        "service_key",
        "token",
    }
)
#: Settings whose values are HTTP headers, which often carry credentials.
_HEADER_KEYS = frozenset({"headers", "http_headers", "proxy_connect_header"})
_SHORT = 4
_URL_PASSWORD = re.compile(r"(?<=://)[^/\s@\"']+(?=@)")
_COMMENTED_SECRET = re.compile(
    rf"^(?P<before>[ \t]*#.*?\b(?:{'|'.join(sorted(_SECRET_KEYS))})[\"']?[ \t]*:[ \t]*)(?P<secret>[^\r\n]*[^\s])",
    re.MULTILINE,
)


def redactions(text: str, root: yaml.Node) -> list[Edit]:
    """Edits that replace the text's secrets: values of secret settings, headers, passwords in URLs, and what looks
    like one of these in a comment line. ``root`` has exact marks."""
    edits: dict[int, Edit] = {}
    seen: set[tuple[int, bool]] = set()
    waiting: list[tuple[yaml.Node, bool]] = [(root, False)]
    while waiting:
        node, secret = waiting.pop()
        if (id(node), secret) in seen:
            continue
        seen.add((id(node), secret))
        if is_scalar(node):
            edit = _redaction(text, node, secret=secret)
            if edit is not None and (secret or edit.start not in edits):
                edits[edit.start] = edit
        elif is_sequence(node):
            waiting.extend((child, secret) for child in node.value)
        elif is_mapping(node):
            waiting.extend((value, secret or _is_secret(key)) for key, value in node.value)
    inside = sorted((edit.start, edit.end) for edit in edits.values())
    return [*edits.values(), *(edit for edit in _commented(text) if not _overlaps(edit, inside))]


class Hidden:
    """A text's secrets, known through its changes, so that both the old and the new text can be shown without them."""

    def __init__(self, text: str, root: yaml.Node) -> None:
        self._edits = redactions(text, root)

    def shown(self, text: str) -> str:
        """The present text with its secrets blotted out."""
        return apply_edits(text, self._edits)

    def follow(self, text: str, change: t.Sequence[Edit]) -> None:
        """The text is changed by edits that bring no secrets with them."""
        edits: list[Edit] = []
        for edit in self._edits:
            touching = [one for one in change if one.start < edit.end and edit.start < one.end]
            if any(one.start <= edit.start and edit.end <= one.end for one in touching):
                continue  # it goes
            if touching:  # a part of it goes: look again
                after = apply_edits(text, change)
                root = compose(after, marks=True)
                self._edits = redactions(after, root) if root is not None else []
                return
            before = apply_edits(text[: edit.start], [one for one in change if one.end <= edit.start])
            edits.append(Edit(len(before), len(before) + edit.end - edit.start, edit.text))
        self._edits = edits


def redact_url(url: str) -> str:
    """A URL without the user and password that it may carry."""
    return _URL_PASSWORD.sub(REDACTED, url)


def secret_values(text: str) -> frozenset[str]:
    """The texts that stand at the text's secret places, quotes not counted; none where it can't be understood."""
    try:
        root = compose(text, marks=True)
    except YamlProblem:
        return frozenset()
    if root is None:
        return frozenset()
    hidden = [text[edit.start : edit.end] for edit in redactions(text, root) if edit.text == REDACTED]
    return frozenset(value for found in hidden for value in (found, found.strip("\"' ")) if value)


def redact_quoted(words: str, secrets: t.Collection[str]) -> str:
    """What a program says about a text, without the text's secrets: those that are known, passwords in URLs, and what
    is quoted in backticks, where parsers put the beginning of a value."""
    words = re.sub(r"`[^`]*`", REDACTED, words)
    for secret in sorted(secrets, key=len, reverse=True):
        is_short = len(secret) < _SHORT  # inside other words it would be everywhere
        words = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)" if is_short else re.escape(secret), REDACTED, words)
    return redact_url(words)


def _is_secret(key: yaml.Node) -> bool:
    return is_scalar(key) and key.value in _SECRET_KEYS | _HEADER_KEYS


def _redaction(text: str, node: yaml.Node, *, secret: bool) -> Edit | None:
    start = content_start(text, node)
    old = text[start : node.end_mark.index].rstrip()
    new = REDACTED if secret else redact_url(old)
    return Edit(start, start + len(old), new) if old and new != old else None


def _commented(text: str) -> list[Edit]:
    return [Edit(match.start("secret"), match.end("secret"), REDACTED) for match in _COMMENTED_SECRET.finditer(text)]


def _overlaps(edit: Edit, spans: list[tuple[int, int]]) -> bool:
    return any(start < edit.end and edit.start < end for start, end in spans)
