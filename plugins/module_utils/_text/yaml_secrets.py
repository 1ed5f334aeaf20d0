# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets in a Prometheus configuration: blotted out wherever people see the text."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.url_secrets import (
    is_secret_parameter,
    redact_urls,
    secret_parts,
)
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
#: Settings whose values are HTTP headers or what is sent for a token, which often carry credentials.
_HEADER_KEYS = frozenset(
    {
        "endpointParams",
        "endpoint_params",
        "headers",
        "httpHeaders",
        "http_headers",
        "proxyConnectHeader",
        "proxy_connect_header",
    }
)
_WHOLLY_SECRET = _SECRET_KEYS | _HEADER_KEYS
#: Settings whose keys are chosen freely, so that the end of a key's name says nothing about its value.
_LABEL_KEYS = frozenset({"annotations", "external_labels", "externalLabels", "labels"})
#: The setting whose keys are parameters of a URL's query, and labels that are.
_PARAMETERS: t.Final = "params"
_PARAMETER_LABEL: t.Final = "__param_"
_SECRETS_END: t.Final = (
    r"(?:password|passwd|passphrase|secret|token|credentials?|dsn|connection[-_]?string|"
    r"(?:api|access|account|certificate|consumer|encryption|ingest|ingestion|insert|integration|licen[cs]e|private|"
    r"routing|secret|service|signing|user)[-_]?key|token[-_]?id)"
)
_SECRET_NAME = re.compile(rf"{_SECRETS_END}\Z", re.IGNORECASE)
_SHORT = 4
_COMMENT = re.compile(r"#[^\r\n]*")
#: In a block of text, a line that is a comment to whom the text is for.
_COMMENT_LINE = re.compile(r"^[ \t]*#[^\r\n]*", re.MULTILINE)
_COMMENTED_SECRET = re.compile(
    rf"(?:\b(?:{'|'.join(sorted(_WHOLLY_SECRET))})|(?i:{_SECRETS_END}))[\"']?[ \t]*:[ \t]*"
    r"(?P<secret>[^\s](?:[^\r\n]*[^\s])?|$)",
    re.MULTILINE,
)
#: What stands before the first word of a comment, and a line of comment that follows one.
_COMMENT_BEGINS = re.compile(r"[ \t]*#+[ \t]*(?:-[ \t]+)*")
_NEXT_COMMENT = re.compile(r"\r?\n(?P<before>[ \t]*#+[ \t]*)(?P<words>[^\s](?:[^\r\n]*[^\s])?)?[ \t]*")

_Span: t.TypeAlias = tuple[int, int]


def is_secret_name(name: str) -> bool:
    """Whether a setting's name ends as those of secrets do, in whatever spelling: ``adminPassword``, ``private_key``.

    A name that ends in ``_file``, ``_name`` or ``_ref`` tells where the secret is.
    """
    return _SECRET_NAME.search(name) is not None


def redactions(text: str, root: yaml.Node, secrets: t.Iterable[yaml.ScalarNode] = ()) -> list[Edit]:
    """Edits that replace the text's secrets: values of secret settings, headers, secrets in URLs, and what looks like
    one of these in a comment. ``root`` has exact marks; ``secrets`` are further ones that the caller knows."""
    found = _Search(text, root)
    spans = [*found.secrets, *found.in_urls, *(_content(text, node) for node in secrets)]
    return [Edit(start, end, REDACTED) for start, end in _united(spans)]


class _Search:
    """Where the secrets of a text stand, and those in its URLs."""

    def __init__(self, text: str, root: yaml.Node) -> None:
        self.secrets: list[_Span] = []
        self.in_urls: list[_Span] = []
        self._text = text
        self._scalars: list[_Span] = []
        self._walk(root)
        self._look_at_comments()

    def _walk(self, root: yaml.Node) -> None:
        seen: set[tuple[int, bool, str]] = set()
        waiting: list[tuple[yaml.Node, bool, str]] = [(root, False, "")]
        while waiting:
            node, secret, under = waiting.pop()
            if (id(node), secret, under) in seen:
                continue
            seen.add((id(node), secret, under))
            if is_scalar(node):
                self._scalar(node, secret=secret)
            elif is_sequence(node):
                waiting.extend((child, secret, under) for child in node.value)
            elif is_mapping(node):
                sets_parameter = _sets_secret_parameter(node)
                for key, value in node.value:
                    name = str(key.value) if is_scalar(key) else ""
                    hidden = name in _WHOLLY_SECRET or _is_named_secret(name, value, under)
                    hidden = hidden or (sets_parameter and name == "replacement")
                    names = name if name in _LABEL_KEYS or name == _PARAMETERS else ""
                    waiting += [(key, False, under), (value, secret or hidden, names)]

    def _scalar(self, node: yaml.ScalarNode, *, secret: bool) -> None:
        self._scalars.append((node.start_mark.index, node.end_mark.index))
        start, end = span = _content(self._text, node)
        escaped = node.style == '"' and "\\" in self._text[start:end]
        if secret or (escaped and any(secret_parts(node.value))):  # an escape may stand for any character of a URL
            self.secrets.append(span)
        else:
            end -= 1 if node.style in ("'", '"') else 0
            self.in_urls += secret_parts(self._text, start, end, among_words=node.style in ("|", ">"))

    def _look_at_comments(self) -> None:
        """Comments stand between scalars. Those of an embedded configuration stand in one, a line each."""
        text, done = self._text, 0
        comments = [match.span() for match in _COMMENT_LINE.finditer(text)]
        for start, end in (*_united(self._scalars), (len(text), len(text))):
            comments += [match.span() for match in _COMMENT.finditer(text, done, start)]
            done = end
        for start, end in comments:
            secret = _COMMENTED_SECRET.search(text, start, end)
            self.secrets += [secret.span("secret"), *_below(text, start, end)] if secret else []
            self.in_urls += secret_parts(text, start, end)


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
    """A URL without the secrets that it may carry: user, password and secret parameters."""
    return redact_urls(url, REDACTED)


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
    """What a program says about a text, without the text's secrets: those that are known, those in URLs, and what is
    quoted in backticks, where parsers put the beginning of a value."""
    words = re.sub(r"`[^`]*`", REDACTED, words)
    for secret in sorted(secrets, key=len, reverse=True):
        is_short = len(secret) < _SHORT  # inside other words it would be everywhere
        words = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)" if is_short else re.escape(secret), REDACTED, words)
    return redact_url(words)


def _is_named_secret(name: str, value: yaml.Node, under: str) -> bool:
    """Whether a setting is secret by its name; a mapping, a switch and nothing are none. ``under`` names the setting
    around it if keys are chosen freely there."""
    if is_mapping(value) or value.tag.endswith((":bool", ":null")):
        return False
    if under in _LABEL_KEYS:
        return _is_secret_parameter_label(name)
    return is_secret_name(name) or (under == _PARAMETERS and is_secret_parameter(name))


def _is_secret_parameter_label(name: str) -> bool:
    return name.startswith(_PARAMETER_LABEL) and is_secret_parameter(name.removeprefix(_PARAMETER_LABEL))


def _sets_secret_parameter(rule: yaml.MappingNode) -> bool:
    """Whether a mapping is a relabeling rule that sets a secret parameter."""
    return any(
        key.value in ("target_label", "targetLabel") and is_scalar(value) and _is_secret_parameter_label(value.value)
        for key, value in rule.value
        if is_scalar(key)
    )


def _below(text: str, start: int, end: int) -> t.Iterator[_Span]:
    """What stands in the lines of comment that belong to a setting in a comment: lines that are further in, and the
    items of a list."""
    begins = _COMMENT_BEGINS.match(text, start, end)
    own = (start if begins is None else begins.end()) - _line_start(text, start)
    while line := _NEXT_COMMENT.match(text, end):
        end = line.end()
        if line["words"] is None:
            continue
        column = line.end("before") - _line_start(text, line.end("before"))
        if column < own or (column == own and not line["words"].startswith("- ")):
            return
        yield line.span("words")


def _line_start(text: str, position: int) -> int:
    return text.rfind("\n", 0, position) + 1


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
