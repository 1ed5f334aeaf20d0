# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets and URLs: passwords and tokens that stand in one, and addresses to which no secret may be sent."""

from __future__ import annotations

import ipaddress
import re
import typing as t
import urllib.parse
import urllib.request
from collections.abc import Mapping

#: The user and password of a URL, which end at the last "@" before its path, as Go's net/url has it.
_USERINFO: t.Final = re.compile(r"(?<=://)[^/?#\s]+(?=@)")
_WITH_SIGN: t.Final = re.compile(f"{_USERINFO.pattern}@")
#: The same as people write it, who don't know that "?", "#" and "/" end the host: what follows a "/" belongs to it if
#: what stands before is no port. What is shown is without all of it.
_SHOWN_USERINFO: t.Final = r"(?<=://)(?:[^/\s]+|[^/\s:\[\"']*:(?!\d{1,5}/)[^\s]{1,200})(?=@)"
_PASSWORD: t.Final = re.compile(_SHOWN_USERINFO)
#: Go quotes a password with "?" or "#" as a port, and the URL only up to the "#", so without its "@".
_BAD_PORT: t.Final = (
    r"(?<=://)(?P<bad>[^\s\"\\]{1,200})(?=\\*\": invalid port \\*\")|(?<=: invalid port )\\*\"(?P<port>[^\s\"\\]+)"
)
#: Where a parameter of a query or fragment begins, also when the URL is itself a parameter, or in a text of JSON.
_PARAMETER: t.Final = r"(?:[?&;#]|%3[Ff]|%26|\\u0026)(?P<name>[^\s?&;#=/\"']{0,80}?)(?:=|%3[Dd]|\\u003[Dd])(?=[^\s&])"
_SECRET_PART: t.Final = re.compile(f"(?P<userinfo>{_SHOWN_USERINFO})|{_BAD_PORT}|{_PARAMETER}")
#: A parameter's value where the end of the text is known, and where quotes may end it.
_VALUE: t.Final = re.compile(r"[^&\s]+")
_VALUE_AMONG_WORDS: t.Final = re.compile(
    r"""(?:[^&\s"\\]|"(?![\s,;:.)\]}>\\]|\Z)|\\(?!"|u0026))+""",
)
_SECRET_PARAMETER: t.Final = re.compile(
    r"(?:(?:auth|authentication|authorization|bearer|connectionstring|credential|dsn|hmac|ingest|insert|jwt|key|"
    r"licen[cs]e|pass|passphrase|passwd|password|pwd|secret|session|sessionid|sig|signature|token)s?"
    r"|\A(?:code|p|pw))\Z"  # "p" is InfluxDB's password, "code" the key of an Azure function
)
_NO_LETTERS: t.Final = re.compile(r"[^a-z0-9]+|[0-9]+\Z")


def passwords_of_urls(options: t.Any) -> frozenset[str]:
    """The passwords of all URLs in a module's options and of the environment's proxies, as written and as meant.

    A proxy's URL is no secret and helps to read an error; its password is one.
    """
    texts = _texts([options, urllib.request.getproxies()])
    written = {found[0].partition(":")[2] for text in texts for found in _PASSWORD.finditer(text)} - {""}
    return frozenset(written | {urllib.parse.unquote(password) for password in written})


def without_userinfo(text: str) -> str:
    """A text whose URLs name neither user nor password, as Go reads them."""
    return _WITH_SIGN.sub("", text)


def has_userinfo(url: str) -> bool:
    """Whether a URL names a user or a password, as Go reads it."""
    return _USERINFO.search(url) is not None


def is_secret_parameter(name: str) -> bool:
    """Whether a query parameter's name is one of secrets, in whatever spelling: ``X-License-Key``, ``api_key``.

    Too much hidden does less harm here than too little.
    """
    plain = _NO_LETTERS.sub("", urllib.parse.unquote(name).lower())
    return _SECRET_PARAMETER.search(_NO_LETTERS.sub("", plain)) is not None


def secret_parts(
    text: str, start: int = 0, end: int | None = None, *, among_words: bool = True
) -> t.Iterator[tuple[int, int]]:
    """Where the secrets of the URLs in a part of a text stand: users, passwords and values of secret parameters.

    ``among_words`` says that quotes and what follows them may stand behind a URL; else the part is one value.
    """
    stop = len(text) if end is None else end
    value = _VALUE_AMONG_WORDS if among_words else _VALUE
    while found := _SECRET_PART.search(text, start, stop):
        start = found.end()
        kind = found.lastgroup or ""  # each way has one group
        if kind != "name":
            yield found.span(kind)
        elif is_secret_parameter(found["name"]) and (secret := value.match(text, start, stop)):
            start = secret.end()
            yield secret.span()


def redact_urls(text: str, blot: str) -> str:
    """A text whose URLs have no secrets, but ``blot`` in their place."""
    kept, done = [], 0
    for start, end in secret_parts(text):
        kept += [text[done:start], blot]
        done = end
    return "".join([*kept, text[done:]])


def _texts(value: t.Any) -> t.Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for entry in value.values():
            yield from _texts(entry)
    elif isinstance(value, (list, tuple)):
        for entry in value:
            yield from _texts(entry)


def is_in_the_clear(url: str) -> bool:
    """Whether what is sent to a URL can be read on the way: it is plain HTTP and leaves this machine."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme.lower() != "http":
        return False
    host = parts.hostname or ""
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"
