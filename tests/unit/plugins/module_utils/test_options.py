# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import importlib
import re
import typing as t

import pytest
import yaml

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _options as options
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._errors import InvalidInput
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.diagnosis_wish import DIAGNOSIS_OPTIONS

FRAGMENTS = {
    "aws": options.AWS,
    "azure": options.AZURE,
    "diagnosis": DIAGNOSIS_OPTIONS,
    "kubernetes": options.KUBERNETES,
    "transport": options.TRANSPORT,
}


@pytest.mark.parametrize("name", FRAGMENTS)
def test_a_documentation_fragment_says_what_the_argument_spec_does(name: str) -> None:
    module = importlib.import_module(f"ansible_collections.crosscloud.aks_amp.plugins.doc_fragments.{name}")
    documented = yaml.safe_load(module.ModuleDocFragment.DOCUMENTATION)["options"]
    spec = FRAGMENTS[name].options
    assert documented.keys() == spec.keys()
    for option, entry in spec.items():
        for key in ("type", "default", "choices", "aliases"):
            assert documented[option].get(key) == entry.get(key), (option, key)
        for variable in entry.get("fallback", (None, []))[1]:
            assert f"E({variable})" in str(documented[option]["description"]), (option, variable)


@pytest.mark.parametrize("login", ["azure", "transport"])
@pytest.mark.parametrize(("fragment", "option"), [("kubernetes", "aks"), ("diagnosis", "azure")])
def test_a_login_in_suboptions_is_described_as_everywhere(login: str, fragment: str, option: str) -> None:
    """ansible-test reads fragments as literals only, so the text stands there twice."""

    def options_of(name: str) -> dict[str, dict[str, object]]:
        module = importlib.import_module(f"ansible_collections.crosscloud.aks_amp.plugins.doc_fragments.{name}")
        return t.cast("dict[str, dict[str, object]]", yaml.safe_load(module.ModuleDocFragment.DOCUMENTATION)["options"])

    suboptions = t.cast("dict[str, object]", options_of(fragment)[option]["suboptions"])
    for name, described in options_of(login).items():
        text = re.sub(r"\bO\((?=\w)", f"O({option}.", yaml.safe_dump(described, width=10**6))
        assert suboptions[name] == yaml.safe_load(text), name


@pytest.mark.parametrize("spec", FRAGMENTS.values(), ids=FRAGMENTS)
def test_every_option_that_carries_a_secret_is_hidden(spec: options.ArgumentSpec) -> None:
    for option, entry in spec.options.items():
        if any(word in option for word in ("secret", "token", "api_key")):
            assert entry["no_log"] is True, option


def test_specs_merge_and_refuse_an_option_declared_twice() -> None:
    merged = options.AWS.merge(options.TRANSPORT)
    assert {"region", "https_proxy"} <= merged.options.keys()
    assert ("access_key", "secret_key") in merged.required_together
    with pytest.raises(ValueError, match="region"):
        options.AWS.merge(options.AWS)


def test_an_empty_text_counts_as_not_given() -> None:
    params = options.Params({"a": "", "b": None, "c": "x"})
    assert params.optional_text("a") is None
    assert params.optional_text("b") is None
    assert params.text("c") == "x"
    with pytest.raises(InvalidInput, match="'a' is empty"):
        params.text("a")
