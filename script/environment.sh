# Sourced by the other scripts: Python environments in the checkout, made when they are missing or out of date.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# One line for a person, and the end.
fail() {
    echo "script/$(basename "$0"): $*" >&2
    exit 1
}

python=${PYTHON:-python3}

# check_python: go on only with a Python that IotCenter runs on.
check_python() {
    command -v "$python" >/dev/null || apt_install python3 python3-venv
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
        fail "Python 3.11 or later is needed, as Debian 12 and Raspberry Pi OS have it; PYTHON=FILE chooses one"
}

# apt_install PACKAGE...: install Debian packages as root, or say what to type.
apt_install() {
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        fail "something is missing here. Type: sudo apt-get install $*"
    fi
    echo "Installing $* (apt-get)..."
    local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@")
    # The lists of a fresh machine may be empty or old: they are fetched when the first try fails.
    "${install[@]}" >/dev/null 2>&1 || { apt-get update -qq && "${install[@]}" >/dev/null; } ||
        fail "apt-get could not install: $*"
}

# digest PATH...: one line that changes when any file below the paths does, or the Python.
digest() {
    {
        "$python" -VV 2>&1
        cd "$root" || exit
        find "$@" -name __pycache__ -prune -o -type f ! -name dropin.cache -print0 | sort -z | xargs -0 sha256sum
    } | sha256sum
}

# make_environment FOLDER: an empty environment there, in place of one that is broken.
make_environment() {
    check_python
    "$1/bin/python" -m pip --version >/dev/null 2>&1 && return
    "$python" -c 'import ensurepip, venv' 2>/dev/null || apt_install python3-venv
    "$python" -m venv --clear "$1" || fail "could not make a Python environment in $1"
}

# install_when_changed FOLDER DIGEST MESSAGE ARGUMENT...: pip install ARGUMENT... into the environment, unless DIGEST
# was installed there already.
install_when_changed() {
    local folder=$1 digest=$2 message=$3
    shift 3
    [ "$(cat "$folder/installed" 2>/dev/null)" = "$digest" ] && return
    echo "$message"
    make_environment "$folder"
    rm -f "$folder/installed"
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@" || fail "pip could not install; see above"
    echo "$digest" >"$folder/installed"
}

# The environment that the checks, the tests and the benchmarks run in; it holds what IotCenter needs, and not IotCenter.
test_environment() {
    local files=(requirements.txt device/iotdevice/requirements.txt tests/requirements.txt)
    install_when_changed "$root/.venv-test" "$(digest "${files[@]}")" \
        "Installing what the tests need (once, a minute)..." "${files[@]/#/-r$root/}"
    export PATH="$root/.venv-test/bin:$PATH" PYTHONPATH="$root:$root/device"
}
