# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets in a Prometheus configuration: blotted out wherever people see the text."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.url_secrets import USERINFO
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.yaml_text import (
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

#: Settings of Prometheus whose whole content is secret, besides those that ``is_secret_name`` recognises
#: (https://prometheus.io/docs/prometheus/latest/configuration/configuration/): ``key`` is that of ``tls_config``,
#: ``secrets`` are those of ``http_headers``.
_SECRET_KEYS = frozenset(
    {
        "access_key",
        "api_key",
        "application_credential_secret",
        "application_secret",
        "auth_token",
        "bearer_token",
        "client_certificate_key",
        "client_secret",
        "consumer_key",
        "credentials",
        "key",
        "password",
        "private_key",
        "secret",
        "secret_key",
        "secrets",
        "service_account_key",
        "service_key",
        "token",
    }
)
#: Settings whose values are HTTP headers, which often carry credentials.
_HEADER_KEYS = frozenset({"headers", "http_headers", "proxy_connect_header"})
_WHOLLY_SECRET = _SECRET_KEYS | _HEADER_KEYS
#: Settings whose keys are chosen freely, so that the end of a key's name says nothing about its value.
_LABEL_KEYS = frozenset({"annotations", "external_labels", "externalLabels", "labels"})
_SECRETS_END: t.Final = (
    r"(?:password|passwd|passphrase|secret|token|credentials?|dsn|connection[-_]?string|"
    r"(?:api|access|account|certificate|consumer|encryption|integration|private|routing|secret|service|signing)"
    r"[-_]?key)"
)
_SECRET_NAME = re.compile(rf"{_SECRETS_END}\Z", re.IGNORECASE)
_SHORT = 4
_COMMENT = re.compile(r"#[^\r\n]*")
#: In a block of text, a line that is a comment to whom the text is for.
_COMMENT_LINE = re.compile(r"^[ \t]*#[^\r\n]*", re.MULTILINE)
_COMMENTED_SECRET = re.compile(
    rf"(?:\b(?:{'|'.join(sorted(_SECRET_KEYS))})|(?i:{_SECRETS_END}))[\"']?[ \t]*:[ \t]*"
    r"(?P<secret>[^\s](?:[^\r\n]*[^\s])?)"
)

_Span: t.TypeAlias = tuple[int, int]


def is_secret_name(name: str) -> bool:
    """Whether a setting's name ends as those of secrets do, in whatever spelling: ``adminPassword``, ``private_key``.

    A name that ends in ``_file``, ``_name`` or ``_ref`` tells where the secret is.
    """
    return _SECRET_NAME.search(name) is not None


def redactions(text: str, root: yaml.Node, secrets: t.Iterable[yaml.ScalarNode] = ()) -> list[Edit]:
    """Edits that replace the text's secrets: values of secret settings, headers, passwords in URLs, and what looks
    like one of these in a comment. ``root`` has exact marks; ``secrets`` are further ones that the caller knows."""
    found = _Search(text, root)
    spans = [*found.secrets, *found.userinfo, *(_content(text, node) for node in secrets)]
    return [Edit(start, end, REDACTED) for start, end in _united(spans)]


class _Search:
    """Where the secrets of a text stand, and the users and passwords of its URLs."""

    def __init__(self, text: str, root: yaml.Node) -> None:
        self.secrets: list[_Span] = []
        self.userinfo: list[_Span] = []
        self._text = text
        self._scalars: list[_Span] = []
        self._walk(root)
        self._look_at_comments()

    def _walk(self, root: yaml.Node) -> None:
        seen: set[tuple[int, bool, bool]] = set()
        waiting: list[tuple[yaml.Node, bool, bool]] = [(root, False, False)]
        while waiting:
            node, secret, labels = waiting.pop()
            if (id(node), secret, labels) in seen:
                continue
            seen.add((id(node), secret, labels))
            if is_scalar(node):
                self._scalar(node, secret=secret)
            elif is_sequence(node):
                waiting.extend((child, secret, labels) for child in node.value)
            elif is_mapping(node):
                for key, value in node.value:
                    name = str(key.value) if is_scalar(key) else ""
                    hidden = name in _WHOLLY_SECRET or (not labels and _is_named_secret(name, value))
                    waiting += [(key, False, labels), (value, secret or hidden, name in _LABEL_KEYS)]

    def _scalar(self, node: yaml.ScalarNode, *, secret: bool) -> None:
        self._scalars.append((node.start_mark.index, node.end_mark.index))
        start, end = span = _content(self._text, node)
        escaped = node.style == '"' and "\\" in self._text[start:end]
        if secret or (escaped and USERINFO.search(node.value)):  # an escape may stand for any character of a URL
            self.secrets.append(span)
        else:
            self.userinfo += [match.span() for match in USERINFO.finditer(self._text, start, end)]

    def _look_at_comments(self) -> None:
        """Comments stand between scalars. Those of an embedded configuration stand in one, a line each."""
        text, done = self._text, 0
        comments = [match.span() for match in _COMMENT_LINE.finditer(text)]
        for start, end in (*_united(self._scalars), (len(text), len(text))):
            comments += [match.span() for match in _COMMENT.finditer(text, done, start)]
            done = end
        for start, end in comments:
            secret = _COMMENTED_SECRET.search(text, start, end)
            self.secrets += [secret.span("secret")] if secret else []
            self.userinfo += [match.span() for match in USERINFO.finditer(text, start, end)]


class Hidden:
    """A text's secrets, known through its changes, so that both the old and the new text can be shown without them."""

    def __init__(self, text: str, root: yaml.Node) -> None:
        self._edits = redactions(text, root)

    def shown(self, text: str) -> str:
        """The present text with its secrets blotted out."""
        return apply_edits(text, self._edits)

    def follow(self, text: str, change: t.Sequence[Edit]) -> None:
        """The text is changed by edits that bring no secrets with them but those that they replace."""
        edits: list[Edit] = []
        for edit in self._edits:
            touching = [one for one in change if one.start < edit.end and edit.start < one.end]
            around = [one for one in touching if one.start <= edit.start and edit.end <= one.end]
            if around and not any(one.text for one in around):
                continue  # it goes
            if touching:  # a part of it goes, or it may stand in what comes: look again
                after = apply_edits(text, change)
                root = compose(after, marks=True)
                self._edits = redactions(after, root) if root is not None else []
                return
            before = apply_edits(text[: edit.start], [one for one in change if one.end <= edit.start])
            edits.append(Edit(len(before), len(before) + edit.end - edit.start, edit.text))
        self._edits = edits


def redact_url(url: str) -> str:
    """A URL without the user and password that it may carry."""
    return USERINFO.sub(REDACTED, url)


def secret_values(text: str) -> frozenset[str]:
    """The texts that stand at the text's secret places, quotes not counted; none where it can't be understood."""
    try:
        root = compose(text, marks=True)
    except YamlProblem:
        return frozenset()
    if root is None:
        return frozenset()
    hidden = [text[start:end] for start, end in _united(_Search(text, root).secrets)]
    return frozenset(value for found in hidden for value in (found, found.strip("\"' ")) if value)


def redact_quoted(words: str, secrets: t.Collection[str]) -> str:
    """What a program says about a text, without the text's secrets: those that are known, passwords in URLs, and what
    is quoted in backticks, where parsers put the beginning of a value."""
    words = re.sub(r"`[^`]*`", REDACTED, words)
    for secret in sorted(secrets, key=len, reverse=True):
        is_short = len(secret) < _SHORT  # inside other words it would be everywhere
        words = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)" if is_short else re.escape(secret), REDACTED, words)
    return redact_url(words)


def _is_named_secret(name: str, value: yaml.Node) -> bool:
    """Whether a setting is secret by its name; a mapping, a switch and nothing are none."""
    return is_secret_name(name) and not is_mapping(value) and not value.tag.endswith((":bool", ":null"))


def _content(text: str, node: yaml.ScalarNode) -> _Span:
    """Where a scalar's content stands, its quotes with it."""
    start = content_start(text, node)
    return start, start + len(text[start : node.end_mark.index].rstrip())


def _united(spans: t.Iterable[_Span]) -> list[_Span]:
    """The same characters by spans that do not overlap, in their order."""
    united: list[_Span] = []
    for start, end in sorted(spans):
        if united and start < united[-1][1]:
            united[-1] = (united[-1][0], max(end, united[-1][1]))
        elif start < end:
            united.append((start, end))
    return united
