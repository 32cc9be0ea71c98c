#!/bin/sh
# Installs PneumoScreen from a checkout and a folder of wheels, without any network: install.sh SOURCE WHEELHOUSE TARGET.
# The Containerfile runs it, and so may whoever installs on a machine without containers.
set -eu
source=$1 wheelhouse=$2 target=$3
python3 -m venv "$target"
pip="$target/bin/python -m pip --disable-pip-version-check --no-cache-dir"
$pip install --quiet --no-index --find-links "$wheelhouse" --no-deps -r "$source/requirements.txt"
# Built in a copy: the checkout may be read-only, and setuptools leaves files behind.
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
for part in pyproject.toml setup.py requirements.txt README.md LICENSE lib apps; do cp -R "$source/$part" "$copy/"; done
$pip install --quiet --no-index --no-deps --no-build-isolation "$copy"
# What a volume of models begins with.
mkdir -p "$target/models"
package=$(cd / && "$target/bin/python" -c 'from pneumoscreen.models.places import app_folder; print(app_folder())')
cp -R "$package/model/." "$target/models/"
