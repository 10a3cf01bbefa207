#!/usr/bin/env bash
# Makes .venv beside this file with the pinned requirements and activates it. Sourced by every run_*.sh.
# The second call only compares a stamp; PYTHON names another interpreter (3.11 or newer).

_repo="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
_stamp="$_repo/.venv/requirements.installed"

_setup_fail() { echo "setup_virtualenv.sh: $*" >&2; return 1; }

_setup() {
  if ! cmp -s "$_repo/requirements.txt" "$_stamp"; then
    local python="${PYTHON:-python3}"
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
      || { _setup_fail "$python is missing or older than Python 3.11; install 3.11 or newer, or set PYTHON=/path/to/python3.11"; return 1; }
    echo "setup_virtualenv.sh: installs requirements.txt into $_repo/.venv, once: 2.9 GB, a few minutes"
    "$python" -m venv "$_repo/.venv" \
      || { _setup_fail "$python cannot make a virtual environment in $_repo/.venv; install its venv module or make the folder writable"; return 1; }
    "$_repo/.venv/bin/python" -m pip install --quiet --disable-pip-version-check --retries 1 -r "$_repo/requirements.txt" >"$_repo/.venv/pip.log" 2>&1 \
      || { _setup_fail "pip could not install requirements.txt; check the network connection, then run again (details: $_repo/.venv/pip.log)"; return 1; }
    cp "$_repo/requirements.txt" "$_stamp"
  fi
  # shellcheck disable=SC1091
  source "$_repo/.venv/bin/activate"
  export PYTHONPATH="$_repo${PYTHONPATH:+:$PYTHONPATH}"
}

# Sourced by a script, a failure ends that script through its `set -e`; in the user's shell it only returns.
_setup || return 1 2>/dev/null || exit 1
