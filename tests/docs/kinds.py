# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an example is, by its language and by what it holds."""

from __future__ import annotations

import enum
import json
import typing as t

import yaml

if t.TYPE_CHECKING:
    from tests.docs.pages import Block


class Kind(enum.Enum):
    """What is done with a block depends on it."""

    VARIABLES = "variables of the collection"
    TASKS = "tasks"
    PLAYS = "plays"
    PLUGIN = "file of an inventory plugin"
    INVENTORY = "inventory"
    FRAGMENT = "part of a file of another program"
    RULES = "alerting rules"
    COMMANDS = "commands"
    JSON = "JSON"
    CONFIGURATION = "ansible.cfg"
    TEXT = "text"


class Verdict(enum.Enum):
    """What the comment above a block says."""

    RUN = ""
    REFUSED = "refused"  # the collection must refuse it, with the text that follows
    VALIDATED = "validated"  # names and types are checked only
    SHOWN = "shown"  # it is parsed only


class UnknownExample(Exception):
    """A block is of no kind that there is."""


#: Keys at the top of files of other programs of which examples show a part: prometheus.yml, kustomize, the charts'
#: values.
FOREIGN_KEYS: t.Final = frozenset(
    {"remote_write", "global", "scrape_configs", "patches", "prometheus", "server", "extensions", "exporters"}
)
_LANGUAGES: t.Final = {
    "console": Kind.COMMANDS,
    "json": Kind.JSON,
    "ini": Kind.CONFIGURATION,
    "text": Kind.TEXT,
}


def verdict(block: Block) -> tuple[Verdict, str]:
    """What the block's comment says, and the text behind it. Raises UnknownExample."""
    if not block.note:
        return Verdict.RUN, ""
    word, _separator, text = block.note.partition(": ")
    try:
        found = Verdict(word)
    except ValueError as error:
        raise UnknownExample(f"{block.name}: a comment says {block.note!r}, which means nothing") from error
    if not text.strip():
        raise UnknownExample(f"{block.name}: {word} what, or why?")
    return found, text.strip()


def kind(block: Block) -> Kind:
    """Raises UnknownExample."""
    if block.language in _LANGUAGES:
        return _LANGUAGES[block.language]
    if block.language not in ("yaml", "yaml+jinja"):
        raise UnknownExample(f"{block.name}: no example is in the language {block.language!r}")
    documents = load(block.text)
    kinds = {_kind_of(document) for document in documents}
    if len(kinds) != 1 or None in kinds:
        raise UnknownExample(f"{block.name}: this YAML is of no kind that is executed")
    return t.cast("Kind", kinds.pop())


def load(text: str) -> list[t.Any]:
    """The documents of a YAML text; tags of Ansible are plain text."""
    return [document for document in yaml.load_all(text, Loader=_Loader) if document is not None]


class _Loader(yaml.SafeLoader):
    """YAML as Ansible reads it."""


for _tag in ("!unsafe", "!vault"):
    _Loader.add_constructor(_tag, lambda loader, node: loader.construct_scalar(node))


def _kind_of(document: object) -> Kind | None:
    if isinstance(document, list):
        return _kind_of_list([one for one in document if isinstance(one, dict)]) if document else None
    if not isinstance(document, dict):
        return None
    keys = {str(key) for key in document}
    if keys and all(key.startswith("aks_amp_") for key in keys):
        return Kind.VARIABLES
    if "plugin" in keys:
        return Kind.PLUGIN
    if keys == {"groups"}:
        return Kind.RULES
    if keys <= FOREIGN_KEYS:
        return Kind.FRAGMENT
    return Kind.INVENTORY if all(_is_group(value) for value in document.values()) else None


def _kind_of_list(entries: list[dict[str, t.Any]]) -> Kind:
    plays = all("hosts" in one or "ansible.builtin.import_playbook" in one for one in entries)
    return Kind.PLAYS if plays else Kind.TASKS


def _is_group(value: object) -> bool:
    return isinstance(value, dict) and bool(value.keys() & {"hosts", "vars", "children"})


def parse(block: Block) -> None:
    """Read a block that is only shown. Raises ValueError or yaml.YAMLError."""
    if block.language == "json":
        json.loads(block.text)
    elif block.language.startswith("yaml"):
        assert load(block.text), block.name
