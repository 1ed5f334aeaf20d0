# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Task files as data, and the walk through them."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.crosscloud.aks_amp.plugins.plugin_utils._task_files import (
    Call,
    IncludeRole,
    IncludeTasks,
    Keep,
    NotUnderstood,
    Require,
    read_role,
    read_tasks,
)
from ansible_collections.crosscloud.aks_amp.plugins.plugin_utils._templates import Plain
from ansible_collections.crosscloud.aks_amp.plugins.plugin_utils._walk import Book, Failed, Walk

Json = dict[str, t.Any]

ROLES = Path(__file__).resolve().parents[4] / "roles"
CALL: Json = {"name": "Look", "crosscloud.aks_amp.amp_workspace_info": {"alias": "a"}}


def read(tmp_path: Path, *tasks: Json) -> t.Any:
    (tmp_path / "tasks.yml").write_text(yaml.safe_dump(list(tasks)))
    return read_tasks(tmp_path / "tasks.yml")


def test_each_kind_of_task_is_understood(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        {**CALL, "register": "r", "when": "a", "loop": "{{ b }}", "loop_control": {"loop_var": "c", "label": "d"}},
        {**CALL, "changed_when": False, "diff": False, "check_mode": True},
        {"name": "n", "ansible.builtin.include_role": {"name": "crosscloud.aks_amp.r", "apply": {"tags": "always"}}},
        {"name": "n", "ansible.builtin.include_tasks": {"file": "more.yml"}, "tags": "always"},
        {"name": "n", "ansible.builtin.assert": {"that": "a", "fail_msg": "m", "quiet": True}, "when": ["b", "c"]},
        {"name": "n", "ansible.builtin.set_fact": {"a": 1}, "vars": {"v": 2}},
    )
    assert [type(task.deed) for task in found] == [Call, Call, IncludeRole, IncludeTasks, Require, Keep]
    first = found[0]
    assert first.deed == Call("amp_workspace_info", {"alias": "a"}, "r", is_lookup=False)
    assert (first.conditions, first.loop, first.loop_variable) == (("a",), "{{ b }}", "c")
    assert found[1].deed.is_lookup
    assert found[2].deed == IncludeRole("r", "main")
    assert found[3].deed.path == tmp_path / "more.yml"
    assert found[4].conditions == ("b", "c")
    assert found[5].variables == {"v": 2}


@pytest.mark.parametrize(
    "task",
    [
        {**CALL, "until": "x"},
        {**CALL, "loop_control": {"pause": 3}},
        {**CALL, "become": True},
        {"name": "n", "ansible.builtin.command": {"cmd": "true"}},
        {"name": "n", "ansible.builtin.include_role": {"name": "r", "public": True}},
        {"name": "n", "ansible.builtin.assert": {"that": "a"}},
        {"name": "n"},
        {"name": "n", "block": []},
    ],
)
def test_what_is_not_understood_is_refused_and_named(tmp_path: Path, task: Json) -> None:
    with pytest.raises(NotUnderstood, match=str(task["name"])):
        read(tmp_path, task)


def test_all_roles_are_understood_but_for_their_teardown() -> None:
    for folder in sorted(ROLES.iterdir()):
        role = read_role(folder)
        assert "main" in role.tasks
        assert role.argument_specs.keys() >= role.tasks.keys()


# The walk ---------------------------------------------------------------------------------------------------------


def make_book(tmp_path: Path, steps: list[Json], wiring: Json | None = None, **roles: Json) -> Book:
    """A book of these tasks; a role is its defaults, tasks and options."""
    files = {
        "playbooks/vars/wiring.yml": wiring or {},
        "playbooks/vars/selected_steps.yml": {"aks_amp_selected_steps": ["a"]},
        "playbooks/tasks/federation.yml": steps,
    }
    for name, role in roles.items():
        spec = {"short_description": "Do it", "options": role.get("options", {})}
        files[f"roles/{name}/defaults/main.yml"] = role.get("defaults", {})
        files[f"roles/{name}/tasks/main.yml"] = role["tasks"]
        files[f"roles/{name}/meta/argument_specs.yml"] = {"argument_specs": {"main": spec}}
    (tmp_path / "roles").mkdir()
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(yaml.safe_dump(content))
    return Book(tmp_path)


class Modules:
    """Stands for the modules: keeps what they were called with, and returns what is set."""

    def __init__(self, **results: Json) -> None:
        self.calls: list[tuple[str, Json]] = []
        self.results = results

    def perform(self, module: str, arguments: Json) -> Json:
        self.calls.append((module, arguments))
        return self.results.get(module, {"changed": False, "arn": "arn:x", "diff": [1]})


def walk(book: Book, modules: Modules, variables: Json | None = None, extra: Json | None = None) -> Walk:
    return Walk(book, Plain(variables or {}), Plain(extra or {}), modules.perform, lambda _facts: None)


def call(module: str = "amp_workspace_info", *, name: str = "Call", **keywords: t.Any) -> Json:
    arguments = keywords.pop("arguments", {})
    return {"name": name, f"crosscloud.aks_amp.{module}": arguments, **keywords}


def test_a_result_is_there_for_later_tasks_and_a_false_condition_leaves_a_skipped_one(tmp_path: Path) -> None:
    steps = [
        call(register="first"),
        call(
            "federation_check",
            arguments={"role_arn": "{{ first.arn }}"},
            when="first.arn == 'arn:x'",
            register="second",
        ),
        call("remote_write_file", when=["true", "first.changed"], register="third"),
    ]
    modules = Modules()
    found = walk(make_book(tmp_path, steps), modules, {"aks_amp_selected_steps": ["b"]})
    found.steps()
    assert modules.calls == [("amp_workspace_info", {}), ("federation_check", {"role_arn": "arn:x"})]
    assert found.results["third"] == {"changed": False, "skipped": True}
    assert found.value("aks_amp_selected_steps") == ["b"]


def test_a_result_that_looks_like_a_template_is_data(tmp_path: Path) -> None:
    steps = [call(register="first"), call("federation_check", arguments={"role_arn": "{{ first.arn }}"})]
    modules = Modules(amp_workspace_info={"arn": "{{ secret }}"})
    walk(make_book(tmp_path, steps), modules, {"secret": "s3cret"}).steps()
    assert modules.calls[1][1] == {"role_arn": "{{ secret }}"}


def test_a_loop_registers_a_list_with_its_items(tmp_path: Path) -> None:
    steps = [
        call(
            arguments={"alias": "{{ one.a }}"},
            loop="{{ [{'a': 1}, {'a': 2}] }}",
            loop_control={"loop_var": "one"},
            register="all",
        )
    ]
    modules = Modules(amp_workspace_info={"changed": True})
    found = walk(make_book(tmp_path, steps), modules)
    found.steps()
    assert [arguments for _module, arguments in modules.calls] == [{"alias": 1}, {"alias": 2}]
    assert found.results["all"] == {
        "changed": True,
        "results": [{"changed": True, "one": {"a": 1}}, {"changed": True, "one": {"a": 2}}],
    }


def test_a_role_has_its_defaults_below_the_hosts_variables_and_what_included_it_above(tmp_path: Path) -> None:
    role = {
        "defaults": {"r_a": "default", "r_b": "default", "r_c": "{{ x | default('default') }}"},
        "tasks": [call(arguments={"alias": "{{ r_a }} {{ r_b }} {{ r_c }}"}, vars={"x": "task"})],
        "options": {"r_a": {"type": "str"}, "r_b": {"type": "str"}, "r_c": {"type": "str"}},
    }
    include = {
        "name": "Role",
        "ansible.builtin.include_role": {"name": "crosscloud.aks_amp.r"},
        "vars": {"r_b": "include"},
    }
    modules = Modules()
    book = make_book(tmp_path, [include], r=role)
    walk(book, modules, {"r_a": "host", "r_b": "host"}).steps()
    walk(book, modules, {"r_a": "host", "r_b": "host"}, {"r_b": "extra"}).steps()
    assert [arguments["alias"] for _module, arguments in modules.calls] == ["host include task", "host extra task"]


def test_a_roles_arguments_are_checked_before_its_first_task(tmp_path: Path) -> None:
    role = {"tasks": [call()], "options": {"r_a": {"type": "int", "required": True}}}
    include = {"name": "Role", "ansible.builtin.include_role": {"name": "crosscloud.aks_amp.r"}}
    modules = Modules()
    book = make_book(tmp_path, [include], r=role)
    with pytest.raises(Failed, match="Validation of arguments failed:\nmissing required arguments: r_a") as failed:
        walk(book, modules).steps()
    assert failed.value.task == "Validating arguments against arg spec 'main' - Do it"
    with pytest.raises(Failed, match="we were unable to convert to int"):
        walk(book, modules, {"r_a": "x"}).steps()
    assert modules.calls == []


def test_the_first_failure_ends_the_walk_and_is_registered(tmp_path: Path) -> None:
    steps = [call(name="Break", register="broken"), call("federation_check")]
    modules = Modules(amp_workspace_info={"failed": True, "msg": "There is none."})
    found = walk(make_book(tmp_path, steps), modules)
    with pytest.raises(Failed) as failed:
        found.steps()
    assert (failed.value.task, failed.value.message) == ("Break", "There is none.")
    assert len(modules.calls) == 1
    assert found.results["broken"]["failed"]


def test_a_look_up_changes_nothing(tmp_path: Path) -> None:
    steps = [call(register="seen", changed_when=False, diff=False, check_mode=True)]
    found = walk(make_book(tmp_path, steps), Modules(amp_workspace_info={"changed": True, "diff": [1], "arn": "a"}))
    found.steps()
    assert found.results["seen"] == {"changed": False, "arn": "a", "diff": [1]}
    assert [result["changed"] for result in found.all_results] == [False]


def test_what_is_undefined_fails_the_task_that_needs_it(tmp_path: Path) -> None:
    found = walk(make_book(tmp_path, [call(name="Needs it", arguments={"alias": "{{ missing.part }}"})]), Modules())
    with pytest.raises(Failed, match="'missing' is undefined") as failed:
        found.steps()
    assert failed.value.task == "Needs it"


def test_a_requirement_fails_with_its_message_and_facts_are_kept(tmp_path: Path) -> None:
    steps = [
        {"name": "Keep", "ansible.builtin.set_fact": {"{{ which }}_fact": "{{ number + 1 }}"}},
        {"name": "Need", "ansible.builtin.assert": {"that": ["a_fact == 3"], "fail_msg": "It is {{ a_fact }}."}},
    ]
    book = make_book(tmp_path, steps)
    walk(book, Modules(), {"which": "a", "number": 2}).steps()
    with pytest.raises(Failed, match=r"It is 4\."):
        walk(book, Modules(), {"which": "a", "number": 3}).steps()


def test_a_block_that_is_rescued_ends_a_plan_where_it_fails(tmp_path: Path) -> None:
    steps = [
        {
            "name": "Try",
            "when": "go",
            "block": [call(name="One", register="one"), call("federation_check", name="Two")],
            "rescue": [{"name": "Note", "ansible.builtin.set_fact": {"failed_then": True}}],
        },
        {"name": "Last", "ansible.builtin.assert": {"that": "one is defined", "fail_msg": "None."}},
    ]
    book = make_book(tmp_path, steps)
    found = walk(book, Modules(), {"go": True})
    found.steps()
    assert found.results["one"]["arn"] == "arn:x"
    with pytest.raises(Failed, match="None"):
        walk(book, Modules(), {"go": False}).steps()
    with pytest.raises(Failed, match="It broke") as failed:
        walk(book, Modules(federation_check={"failed": True, "msg": "It broke."}), {"go": True}).steps()
    assert failed.value.task == "Two"


def test_the_collections_own_book_is_understood_and_compiled() -> None:
    book = Book()
    assert [task.name for task in book.tasks(book.steps)][-2] == "Step 6, proof that metrics can flow"


def test_a_value_with_which_a_template_can_not_deal_fails_the_task(tmp_path: Path) -> None:
    book = make_book(tmp_path, [{**CALL, "when": "'a' in aks_amp_selected_steps"}])
    given = Plain({"aks_amp_selected_steps": None})
    walk = Walk(book, given, Plain({}), lambda _module, _arguments: {}, lambda _facts: None)
    with pytest.raises(Failed, match="A template of the task can't be evaluated: TypeError"):
        walk.steps()
