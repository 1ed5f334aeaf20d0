#!/usr/bin/env bash
# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Lints the documentation and builds the docsite into the folder that is given; antsibull-docs and Sphinx are on the path.
set -euo pipefail
folder="$(realpath "$1")"
cd "$(dirname "$0")/../.."

echo "== Linting the documentation of plugins and the guides"
# A link to the collection itself is one to wherever it is installed, so it is looked at there.
(cd .collections/ansible_collections/crosscloud/aks_amp && antsibull-docs lint-collection-docs --plugin-docs .)

echo "== Building the docsite"
rm -rf "$folder/rst" "$folder/html" "$folder/doctrees"
mkdir -p -m 755 "$folder/rst"
cp -r docs/site/index.rst docs/images "$folder/rst/"
antsibull-docs --config-file docs/site/antsibull-docs.cfg collection --use-current --fail-on-error \
  --dest-dir "$folder/rst" crosscloud.aks_amp
sphinx-build -q -W --keep-going -b html -c docs/site -d "$folder/doctrees" "$folder/rst" "$folder/html"
echo "The docsite is $folder/html/index.html"
