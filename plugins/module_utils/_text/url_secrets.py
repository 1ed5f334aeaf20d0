# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets and URLs: passwords that stand in one, and addresses to which no secret may be sent."""

from __future__ import annotations

import ipaddress
import re
import typing as t
import urllib.parse
import urllib.request
from collections.abc import Mapping

#: The user and password of a URL, which end at the last "@" before its path, as Go's net/url has it.
USERINFO: t.Final = re.compile(r"(?<=://)[^/?#\s]+(?=@)")
_WITH_SIGN: t.Final = re.compile(f"{USERINFO.pattern}@")


def passwords_of_urls(options: t.Any) -> frozenset[str]:
    """The passwords of all URLs in a module's options and of the environment's proxies, as written and as meant.

    A proxy's URL is no secret and helps to read an error; its password is one.
    """
    texts = _texts([options, urllib.request.getproxies()])
    written = {found[0].partition(":")[2] for text in texts for found in USERINFO.finditer(text)} - {""}
    return frozenset(written | {urllib.parse.unquote(password) for password in written})


def without_userinfo(text: str) -> str:
    """A text whose URLs name neither user nor password."""
    return _WITH_SIGN.sub("", text)


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
