#!/usr/bin/env bash
# Puts httpx (PyPI, by name and version) into the folder $1; does nothing when it is there.
set -euo pipefail
into=$1
[ -e "$into/ready" ] && exit 0
rm -rf "$into"
python3 -m venv "$into"
"$into/bin/pip" install --quiet --disable-pip-version-check --retries 2 --timeout 60 httpx==0.28.1
touch "$into/ready"
