#!/usr/bin/env bash
# Print the interpreter to build with: the newest tested one on the PATH that is at least 3.11 and can make a virtual environment.
# Exit 1, with the command that mends it, when there is none. On Debian as root, installs what is missing.
set -euo pipefail

usable() { "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

pick() {
    local name
    for name in python3.13 python3.12 python3.11 python3; do
        if usable "$name"; then echo "$name"; return; fi
    done
    return 1
}

pick && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "No Python >= 3.11 with venv and ensurepip: installing the Debian package python3-venv" >&2
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv; } >&2
    pick && exit 0
fi
echo "Needed: Python >= 3.11 that can make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv" >&2
echo "Another interpreter: make PYTHON=/path/to/python3" >&2
exit 1
