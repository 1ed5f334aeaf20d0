# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sphinx' settings for the docsite on this machine. It is built without a network, so nothing is fetched.

Pages on docs.ansible.com have no intersphinx inventory here, so references to Ansible's own documentation lead to
their addresses. The pictures, whose addresses on the docsite are those of the repository, are taken from the clone.
"""

from __future__ import annotations

import typing as t

from docutils import nodes

if t.TYPE_CHECKING:
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx

REPOSITORY_IMAGES = "https://raw.githubusercontent.com/crosscloud/aks_amp/main/docs/images/"
ANSIBLE_DOCS = "https://docs.ansible.com/ansible/latest/"
BUILTIN = "ansible_collections.ansible.builtin."
#: Labels of Ansible's own pages, which every page about a plugin refers to.
ANSIBLE_LABELS = {
    "action_plugins": "plugins/action.html",
    "ansible_configuration_settings": "reference_appendices/config.html",
    "callback_plugins": "plugins/callback.html",
    "common_return_values": "reference_appendices/common_return_values.html",
    "inventory_plugins": "plugins/inventory.html",
    "playbooks_vars": "playbook_guide/playbooks_variables.html",
}

project = "crosscloud.aks_amp"
copyright = "crosscloud.aks_amp contributors"  # noqa: A001  # Sphinx' own name of the setting
title = html_title = html_short_title = "crosscloud.aks_amp"

extensions = ["sphinx_antsibull_ext"]
pygments_style = "ansible"
highlight_language = "YAML+Jinja"
html_theme = "sphinx_ansible_theme"
html_show_sphinx = False
html_use_index = False
html_copy_source = False
default_role = "any"
nitpicky = True


def _pictures_of_the_clone(_app: Sphinx, _name: str, source: list[str]) -> None:
    """Let pages show the clone's pictures."""
    source[0] = source[0].replace(REPOSITORY_IMAGES, "/images/")


def _to_ansible_docs(_app: Sphinx, _env: object, node: pending_xref, content: nodes.Node) -> nodes.Node | None:
    """What Ansible itself documents: ``ansible_collections.ansible.builtin.<plugin>_<type>`` and its parts."""
    target = str(node["reftarget"])
    if target.startswith(BUILTIN):
        page = f"collections/ansible/builtin/{target.removeprefix(BUILTIN).partition('__')[0]}.html"
    elif target in ANSIBLE_LABELS:
        page = ANSIBLE_LABELS[target]
    elif node["reftype"] == "envvar" and target.startswith("ANSIBLE_"):
        page = f"{ANSIBLE_LABELS['ansible_configuration_settings']}#envvar-{target}"
    else:
        return None
    return nodes.reference("", "", content, internal=False, refuri=f"{ANSIBLE_DOCS}{page}")


def setup(app: Sphinx) -> None:
    app.connect("source-read", _pictures_of_the_clone)
    app.connect("missing-reference", _to_ansible_docs)
