# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: aks_clusters
short_description: AKS clusters of one or many subscriptions as inventory hosts
version_added: "1.0.0"
description:
  - Lists the AKS clusters of Azure subscriptions through Azure Resource Manager, and makes each an inventory host for
    the roles and playbooks of this collection.
  - The file's name must end in C(aks_clusters.yml) or C(aks_clusters.yaml).
  - Every host is in the group that O(group) names, which gets C(ansible_connection=local) and the interpreter that runs
    Ansible; C(group_vars) of that group may say otherwise.
  - Every host has the variables C(aks_amp_subscription_id), C(aks_amp_resource_group) and C(aks_amp_cluster_name),
    which the roles need, and as facts C(aks_resource_id), C(aks_location), C(aks_tags), C(aks_kubernetes_version),
    C(aks_provisioning_state), C(aks_power_state), C(aks_node_resource_group), C(aks_oidc_issuer_enabled),
    C(aks_oidc_issuer_url), C(aks_workload_identity_enabled), C(aks_private_cluster), C(aks_local_accounts_disabled) and
    C(aks_entra_integrated). No secret and no kubeconfig is read.
  - What Azure says, such as a tag's value, is never treated as a template.
  - Clusters that are being deleted are left out.
author:
  - crosscloud.aks_amp contributors (@crosscloud)
options:
  plugin:
    description: Name of this plugin.
    type: str
    required: true
    choices: [crosscloud.aks_amp.aks_clusters]
  subscription_ids:
    description:
      - IDs of the subscriptions whose clusters are listed. May be templates.
      - Without any, all usable subscriptions that the login sees.
    type: list
    elements: str
    default: []
  on_subscription_error:
    description:
      - What to do when one of several subscriptions can't be read, for example because the login has no role there.
      - V(fail) fails, so that no cluster is missing unnoticed.
      - V(warn) warns and goes on with the others. Such an inventory is not kept in the cache. When no subscription can
        be read at all, the inventory fails nevertheless.
    type: str
    choices: [fail, warn]
    default: fail
  tags:
    description:
      - Tags that a cluster must have, all of them. A value is a text, a list of accepted texts, or null for any value.
      - Like Azure, it compares the names without regard to case, and the values with it.
    type: dict
    default: {}
  locations:
    description: Azure regions, one of which a cluster must be in. Without any, all.
    type: list
    elements: str
    default: []
  resource_groups:
    description: Resource groups, one of which a cluster must be in. Without any, all.
    type: list
    elements: str
    default: []
  names:
    description:
      - Shell patterns, one of which a cluster's name must match without regard to case. Without any, all.
    type: list
    elements: str
    default: []
  exclude_names:
    description: Shell patterns for the names of clusters that are left out, whatever else they match.
    type: list
    elements: str
    default: []
  include_stopped:
    description: Whether clusters that are stopped become hosts. The roles refuse to change a stopped cluster.
    type: bool
    default: true
  hostnames:
    description:
      - V(short) names a host after its cluster. Where more than one cluster that is listed has the name, each of these
        is named C(<cluster>.<resource group>), and where that is the same too
        C(<cluster>.<resource group>.<subscription ID>). Filters have no influence on that, but another cluster of the
        same name that comes or goes has.
      - V(qualified) always uses the longest form, which never changes.
    type: str
    choices: [short, qualified]
    default: short
  group:
    description: Group that holds all hosts. The playbooks of this collection act on V(aks) unless told otherwise.
    type: str
    default: aks
extends_documentation_fragment:
  - crosscloud.aks_amp.azure_inventory
  - constructed
  - inventory_cache
notes:
  - The login needs C(Microsoft.ContainerService/managedClusters/read) on each subscription, which the role Reader has.
  - By default Ansible only warns of an inventory that fails, and goes on without its hosts. Set
    C(any_unparsed_is_failed = true) in the section C([inventory]) of C(ansible.cfg) to fail.
  - The cache keeps what Azure answered; filters and groups are applied to it anew at each run. Each file, login and
    list of subscriptions has an entry of its own.
requirements:
  - python >= 3.11
  - azure-mgmt-containerservice >= 41
"""

EXAMPLES = r"""
# fleet.aks_clusters.yml: with nothing but its first setting it finds all clusters that the login sees
plugin: crosscloud.aks_amp.aks_clusters
# some clusters of two subscriptions
subscription_ids:
  - 00000000-0000-0000-0000-000000000000
  - "{{ lookup('ansible.builtin.env', 'AZURE_SUBSCRIPTION_ID') }}"
on_subscription_error: warn
tags:
  environment: [prod, stage]
  prometheus: # any value
exclude_names: ["*-sandbox"]
include_stopped: false
# grouped by region and team
keyed_groups:
  - key: aks_location
    prefix: region
  - key: aks_tags.team
    prefix: team
    default_value: none
groups:
  not_federated: not aks_oidc_issuer_enabled or not aks_workload_identity_enabled
compose:
  aks_amp_kube_context: aks_amp_cluster_name
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: ~/.cache/aks_clusters
cache_timeout: 900
# a login of its own, whose secret comes from a vault
# tenant: 00000000-0000-0000-0000-000000000000
# client_id: 00000000-0000-0000-0000-000000000000
# secret: "{{ lookup('community.hashi_vault.hashi_vault', 'secret=fleet/azure:client_secret') }}"
"""

import hashlib
import re
import typing as t
from collections.abc import Mapping

from ansible.errors import AnsibleError, AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _options as options
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure import aks_inventory
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.aks_inventory import Filters, FleetCluster
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.arm_clusters import FleetClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.azure import ENTRA, AzureSession
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.foreign_text import plain

try:
    from ansible.template import trust_as_template
except ImportError:  # ansible-core before 2.19: every text is a template unless it is marked
    from ansible.utils.unsafe_proxy import wrap_var as without_templates

    def trust_as_template(value: str) -> str:
        """A text that Ansible may evaluate."""
        return value

else:

    def without_templates(value: str) -> str:
        """A text that Ansible must not evaluate."""
        return value


if t.TYPE_CHECKING:
    from ansible.inventory.data import InventoryData
    from ansible.parsing.dataloader import DataLoader

FILE_NAMES = ("aks_clusters.yml", "aks_clusters.yaml")

_HARMLESS = re.compile(r"[\w ./:@+-]*", re.ASCII)

#: Options of the file that may be templates. Those that Ansible checks against choices can't.
TEMPLATED = (
    "subscription_ids",
    "tags",
    "locations",
    "resource_groups",
    "names",
    "exclude_names",
    "tenant",
    "client_id",
    "secret",
    "x509_certificate_path",
    "x509_certificate_password",
    "authority_host",
    "arm_endpoint",
    "https_proxy",
    "ca_bundle",
)


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):  # type: ignore[misc]  # ansible-core is untyped
    """The inventory plugin."""

    NAME = "crosscloud.aks_amp.aks_clusters"

    def verify_file(self, path: str) -> bool:
        """Whether the file is meant for this plugin, by its name."""
        return bool(super().verify_file(path)) and path.endswith(FILE_NAMES)

    def parse(self, inventory: InventoryData, loader: DataLoader, path: str, cache: bool = True) -> None:
        """Add the clusters to the inventory. Raises AnsibleParserError with one sentence that says what is wrong."""
        super().parse(inventory, loader, path, cache)
        config = self._read_config_data(path)
        try:
            self._set_options_from(config)
            group = aks_inventory.group_name(self.get_option("group"))
            filters = Filters.from_options({name: self.get_option(name) for name in _fields(Filters)})
            clusters = self._clusters(path, cache)
        except errors.AksAmpError as error:
            # Without the cause, whose message ansible-core would append to this one.
            raise AnsibleParserError(plain(error.sentence())) from None
        self._add_group(group)
        names = aks_inventory.host_names(clusters, qualified=self.get_option("hostnames") == "qualified")
        for name, cluster in zip(names, clusters, strict=True):
            if filters.accepts(cluster):
                self._add_host(group, name, cluster)

    # Options

    def _set_options_from(self, config: Mapping[str, t.Any]) -> None:
        """Evaluate the file's templates. Raises InvalidInput for options that don't exist, and failed templates."""
        canonical = {
            alias: name
            for name, definition in self.option_definitions.items()
            for alias in (name, *(each["name"] if isinstance(each, dict) else each for each in _aliases(definition)))
        }
        unknown = sorted(str(name) for name in config if name not in canonical)
        if unknown:
            raise errors.InvalidInput(
                f"The plugin has no option '{unknown[0]}'.", fix=f"See ansible-doc -t inventory {self.NAME}."
            )
        self.templar.available_variables = self._vars
        for name, value in config.items():
            if canonical[name] in TEMPLATED:
                try:
                    self.set_option(canonical[name], self.templar.template(value))
                except AnsibleError as error:
                    raise errors.InvalidInput(
                        f"{name}: the template can't be evaluated: {error}.", fix="Correct it."
                    ) from error

    def _auth(self) -> options.AzureAuth:
        names = options.AZURE.merge(options.TRANSPORT).options
        given = {name: self.get_option(name) if self.has_option(name) else None for name in names}
        return options.AzureAuth.from_params(options.Params(given))

    # Reading

    def _clusters(self, path: str, cache: bool) -> tuple[FleetCluster, ...]:
        """All clusters of the subscriptions, from the cache if it may be used and has them."""
        wanted = aks_inventory.subscription_ids(self.get_option("subscription_ids"))
        auth = self._auth()
        caching = self.get_option("cache")
        key = f"{self.get_cache_key(path)}_{_digest(auth, wanted)}"
        if caching and cache:
            cached = aks_inventory.from_cache(self._cache.get(key))
            if cached is not None:
                return cached
        clusters, complete = self._read(auth, wanted)
        if caching and complete:
            self._cache[key] = aks_inventory.to_cache(clusters)
        return clusters

    def _read(self, auth: options.AzureAuth, wanted: tuple[str, ...]) -> tuple[tuple[FleetCluster, ...], bool]:
        """The clusters in a fixed order, and whether all subscriptions could be read."""
        client = FleetClient(AzureSession(auth))
        subscriptions = wanted or client.subscriptions()
        if not subscriptions:
            self.display.warning("The login sees no usable Azure subscription, so there are no clusters.")
        clusters: list[FleetCluster] = []
        failures: list[errors.AksAmpError] = []
        for subscription in subscriptions:
            try:
                clusters += client.clusters(subscription)
            except (errors.CloudError, errors.NotFound) as error:
                self._require_tolerable(error)
                failures.append(error)
        if failures and len(failures) == len(subscriptions):
            raise failures[0]
        for failure in failures:
            self.display.warning(f"The clusters of one subscription are missing. {plain(failure.sentence())}")
        return tuple(sorted(clusters, key=lambda cluster: cluster.sort_key)), not failures

    def _require_tolerable(self, error: errors.AksAmpError) -> None:
        """Raise the error again unless it is of one subscription only and the others are wanted nevertheless."""
        if isinstance(error, errors.CloudError) and error.service == ENTRA:
            raise error
        if self.get_option("on_subscription_error") == "fail":
            error.fix = f"{error.fix} To go on without the subscription, set on_subscription_error: warn.".strip()
            raise error

    # The inventory

    def _add_group(self, group: str) -> None:
        self.inventory.add_group(group)
        self.inventory.set_variable(group, "ansible_connection", trust_as_template("local"))
        self.inventory.set_variable(
            group, "ansible_python_interpreter", trust_as_template("{{ ansible_playbook_python }}")
        )

    def _add_host(self, group: str, name: str, cluster: FleetCluster) -> None:
        self.inventory.add_host(name, group=group)
        variables = {key: foreign(value) for key, value in cluster.variables().items()}
        for key, value in variables.items():
            self.inventory.set_variable(name, key, value)
        strict = self.get_option("strict")
        self._set_composite_vars(self.get_option("compose"), variables, name, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, name, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, name, strict=strict)


def foreign(value: t.Any) -> t.Any:
    """A value from Azure, which Ansible must not evaluate; dictionaries with all that is in them.

    Texts that can't be an expression of any kind are left without mark, because marks show in the output of
    ansible-inventory, and those who read it would have to cope with them.
    """
    if isinstance(value, Mapping):
        return {foreign(key): foreign(each) for key, each in value.items()}
    if not isinstance(value, str):
        return value
    if _HARMLESS.fullmatch(value):
        return trust_as_template(value)
    return without_templates(value)


def _fields(of: type[Filters]) -> tuple[str, ...]:
    return tuple(of.__dataclass_fields__)


def _aliases(definition: Mapping[str, t.Any]) -> t.Sequence[t.Any]:
    return definition.get("aliases") or ()


def _digest(auth: options.AzureAuth, subscriptions: tuple[str, ...]) -> str:
    """What the answer depends on beside the file, without secrets."""
    login = (auth.cloud_environment, auth.arm_endpoint, auth.auth_source, auth.tenant, auth.client_id)
    parts = (*(part or "" for part in login), *subscriptions)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
