# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import run_module
from ansible_collections.crosscloud.trial.plugins.module_utils import trial


def main() -> None:
    run_module(trial.DEFINITION)


if __name__ == "__main__":
    main()
