# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Prometheus' configuration is: a key of a ConfigMap or of a Secret, as text or packed with gzip.

A text goes back as it came: packed text stays packed, and a text that does not change is never packed anew.
https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/config-map-v1/
"""

from __future__ import annotations

import base64
import dataclasses
import gzip
import io
import typing as t
import zlib

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import (
    CONFIG_MAP,
    SECRET,
    ObjectReference,
)

if t.TYPE_CHECKING:
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import Params

Json = dict[str, t.Any]

#: An object holds 1 MiB at most; what unpacks to more than this was not written for Prometheus.
MAX_TEXT_BYTES: t.Final = 64 * 1024 * 1024

_GZIP_MAGIC = b"\x1f\x8b"
_TEXT = "data"
_BINARY = "binaryData"


@dataclasses.dataclass(frozen=True)
class TextSource:
    """The object and its key that hold the configuration."""

    reference: ObjectReference
    key: str

    @classmethod
    def from_params(cls, params: Params) -> TextSource:
        """From ``configmap`` or ``config_secret``, of which exactly one is given, and ``key``."""
        namespace = params.text("namespace")
        secret = params.optional_text("config_secret")
        if secret is None:
            return cls(CONFIG_MAP.at(params.text("configmap"), namespace), params.text("key"))
        if params.optional_text("configmap") is not None:
            raise errors.InvalidInput(
                "Both 'configmap' and 'config_secret' are given.", fix="Give the one that holds the configuration."
            )
        return cls(SECRET.at(secret, namespace), params.text("key"))

    @property
    def option(self) -> str:
        """The option that names the object."""
        return "config_secret" if self.reference.kind == SECRET else "configmap"

    @property
    def place(self) -> str:
        """The configuration's place in words."""
        return f"{self.key} in {self.reference}"

    @property
    def fields(self) -> tuple[tuple[str, ...], ...]:
        """Where the text may be in the object."""
        return ((_TEXT, self.key), (_BINARY, self.key))

    def text_of(self, found: t.Mapping[str, t.Any]) -> str:
        """The configuration in the object. Raises NotFound without the key, Refused for what is no text."""
        text, binary = found.get(_TEXT) or {}, found.get(_BINARY) or {}
        if self.key in text and self.reference.kind != SECRET:
            return str(text[self.key])
        encoded = (text if self.reference.kind == SECRET else binary).get(self.key)
        if encoded is None:
            keys = ", ".join(sorted({*text, *binary})) or "none"
            raise errors.NotFound(
                f"{self.reference} has no key '{self.key}'; its keys are: {keys}.",
                fix=f"Correct 'key' or '{self.option}'.",
            )
        return self._decoded(str(encoded))

    def is_in(self, found: t.Mapping[str, t.Any]) -> bool:
        """Whether the object has the key."""
        return self.key in {**(found.get(_TEXT) or {}), **(found.get(_BINARY) or {})}

    def patch(self, found: t.Mapping[str, t.Any], text: str) -> Json:
        """The JSON merge patch that puts a text into the object in the form in which the present one is there."""
        if self.reference.kind != SECRET and self.key in (found.get(_TEXT) or {}):
            return {_TEXT: {self.key: text}}
        field = _TEXT if self.reference.kind == SECRET else _BINARY
        content = text.encode()
        if _raw(str(found[field][self.key])).startswith(_GZIP_MAGIC):
            # Without a time in it, so that equal texts are packed to equal bytes.
            content = gzip.compress(content, mtime=0)
        return {field: {self.key: base64.b64encode(content).decode("ascii")}}

    def _decoded(self, encoded: str) -> str:
        content = _raw(encoded)
        try:
            if content.startswith(_GZIP_MAGIC):
                with gzip.GzipFile(fileobj=io.BytesIO(content)) as packed:
                    content = packed.read(MAX_TEXT_BYTES + 1)
            if len(content) > MAX_TEXT_BYTES:
                raise errors.Refused(
                    f"{self.place} unpacks to more than {MAX_TEXT_BYTES // 1024 // 1024} MiB.",
                    fix=f"Correct 'key' or '{self.option}'.",
                    kind="undecodable",
                )
            return content.decode()
        except (OSError, EOFError, zlib.error) as error:
            raise errors.Refused(
                f"{self.place} begins like gzip but can't be unpacked: {error}.",
                fix=f"Correct 'key' or '{self.option}', or repair its content.",
                kind="undecodable",
            ) from error
        except UnicodeDecodeError as error:
            raise errors.Refused(
                f"{self.place} is neither text in UTF-8 nor such text packed with gzip.",
                fix=f"Correct 'key' or '{self.option}'.",
                kind="undecodable",
            ) from error


def _raw(encoded: str) -> bytes:
    """The bytes of a base64 value, which the API server has checked."""
    try:
        return base64.b64decode(encoded)
    except ValueError as error:  # binascii.Error is one, and so is what other characters than ASCII give
        raise errors.InvalidInput("The API server gave a value that is no base64.") from error
