# Makes this machine a device of an IotCenter: an environment for the agent, the agent itself, its certificate, and a
# way to start it. A second run upgrades the agent.
#
# The server puts what it knows above these lines: token, name, device, standing, web, pin, wheel. Nothing runs before
# the last line, so that a download that was cut short does nothing. What may be set from outside:
#   IOTDEVICE_HOME=DIR      put everything below DIR, for this user alone
#   IOTDEVICE_NO_START=1    install and enroll only
#   IOTDEVICE_REPLACE=1     become another device than this machine is now

say() {
    printf '%s\n' "$*" >&2
}

fail() {
    say "IotCenter: $*"
    exit 1
}

choose_places() {
    system=
    if [ -n "${IOTDEVICE_HOME:-}" ]; then
        case $IOTDEVICE_HOME in
            /*) ;;
            *) IOTDEVICE_HOME=$PWD/$IOTDEVICE_HOME ;;
        esac
        venv=$IOTDEVICE_HOME/venv
        data=$IOTDEVICE_HOME/data
    elif [ "$(id -u)" = 0 ]; then
        system=yes
        venv=/opt/iotdevice
        data=/var/lib/iotdevice
    else
        venv=$HOME/.local/share/iotdevice/venv
        data=$HOME/.local/share/iotdevice/data
    fi
}

# What root installs is run by a user of its own, who may not look everywhere: into root's home, for one.
as_anybody() {
    if [ -n "$system" ]; then
        runuser -u nobody -- "$@"
    else
        "$@"
    fi
}

is_python() {
    as_anybody "$1" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' </dev/null 2>/dev/null
}

find_python() {
    for candidate in python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3; do
        if python=$(command -v "$candidate") && is_python "$python"; then
            return
        fi
    done
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "Installing python3-venv with apt-get."
        apt_install python3-venv || { apt-get -qq update >&2 && apt_install python3-venv; } || fail "apt-get failed"
        python=/usr/bin/python3
        if is_python "$python"; then
            return
        fi
        fail "Python 3.11 or newer is needed; Debian 12 and Raspberry Pi OS of 2023 and later have it."
    fi
    fail "Python 3.11 or newer with venv is needed. Type: sudo apt-get install -y python3-venv
Then run this line again."
}

apt_install() {
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" </dev/null >&2
}

pip_install() {
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input "$@" </dev/null >&2
}

# First the agent itself, even over one of the same version; then whatever it needs and is not there.
install_agent() {
    if ! as_anybody "$venv/bin/python" -m pip --version </dev/null >/dev/null 2>&1; then
        say "Making an environment in $venv."
        mkdir -p "$venv"
        "$python" -m venv --clear "$venv"
    fi
    say "Installing the agent. This can take a few minutes on a small board."
    download=$(mktemp -d)
    trap 'rm -rf "$download"' EXIT
    curl -fsSk --proto =https --pinnedpubkey "$pin" -o "$download/$wheel" "$web/join/$token/$wheel" </dev/null ||
        fail "the agent could not be downloaded from $web"
    pip_install --force-reinstall --no-deps "$download/$wheel" || fail "pip could not install the agent"
    pip_install "$download/$wheel" || fail "pip could not install what the agent needs"
    rm -rf "$download"
    trap - EXIT
    "$venv/bin/twistd" --help </dev/null >/dev/null 2>&1 || true # writes Twisted's list of plugins while it may
}

# A user of its own, which may reach the hardware that boards have.
make_user() {
    if ! id iotdevice >/dev/null 2>&1; then
        useradd --system --user-group --home-dir "$data" --no-create-home --shell /usr/sbin/nologin iotdevice
    fi
    for group in gpio i2c spi video dialout; do
        if getent group "$group" >/dev/null; then
            usermod --append --groups "$group" iotdevice
        fi
    done
    install -d -o iotdevice -g iotdevice -m 700 "$data"
}

as_device() {
    if [ -n "$system" ]; then
        runuser -u iotdevice -- "$@"
    else
        "$@"
    fi
}

# The id that this machine is enrolled with; nothing where it is not, or where what it has is damaged.
enrolled_id() {
    as_device "$venv/bin/python" -c '
import pathlib, sys
from iotdevice.credentials import load_credentials
print(load_credentials(pathlib.Path(sys.argv[1])).device)' "$data" </dev/null 2>/dev/null || true
}

enroll() {
    if [ -n "$system" ]; then
        make_user
    else
        mkdir -p "$data"
        chmod 700 "$data"
    fi
    enrolled=$(enrolled_id)
    if [ -n "$enrolled" ] && [ "$enrolled" = "$device" ] && [ -n "$standing" ]; then
        say "This machine is $name already. Its agent is up to date."
        return
    fi
    if [ -n "$enrolled" ] && [ "$enrolled" != "$device" ] && [ -z "${IOTDEVICE_REPLACE:-}" ]; then
        fail "this machine is another device already. To make it $name, end the line with: | IOTDEVICE_REPLACE=1 sh"
    fi
    replace=
    if as_device test -e "$data/identity.pem"; then
        replace=--replace
    fi
    printf %s "$token" | as_device "$venv/bin/iotdevice" enroll - --data "$data" --start-app $replace
}

write_unit() {
    cat >/etc/systemd/system/iotdevice.service <<END
[Unit]
Description=IotCenter device agent
Wants=network-online.target
After=network-online.target

[Service]
User=iotdevice
StateDirectory=iotdevice
StateDirectoryMode=0700
WorkingDirectory=$data
ExecStart=$venv/bin/twistd --nodaemon --pidfile= iotdevice --data $data
Restart=always
RestartSec=5
PrivateTmp=yes
ProtectSystem=full

[Install]
WantedBy=multi-user.target
END
}

start() {
    if [ -n "$system" ] && [ -d /run/systemd/system ]; then
        write_unit
        systemctl daemon-reload
        if [ -n "${IOTDEVICE_NO_START:-}" ]; then
            say "Start it, now and at boot, with: systemctl enable --now iotdevice"
            return
        fi
        systemctl enable --quiet iotdevice
        systemctl restart iotdevice
        say "$name runs, and starts at boot. Its application is $data/app.py; after a change: systemctl restart iotdevice"
        say "What it says: journalctl -u iotdevice -f"
        return
    fi
    say "Its application is $data/app.py. Start it with:"
    say "  ${system:+runuser -u iotdevice -- }$venv/bin/twistd --nodaemon --pidfile= iotdevice --data $data"
    if [ -n "${IOTDEVICE_NO_START:-}" ]; then
        return
    fi
    say "It is started now; Ctrl+C stops it."
    cd "$data"
    set -- "$venv/bin/twistd" --nodaemon --pidfile= iotdevice --data "$data"
    if [ -n "$system" ]; then
        exec runuser -u iotdevice -- "$@" </dev/null
    fi
    exec "$@" </dev/null
}

iotcenter_join() {
    set -eu
    umask 022
    choose_places
    cd /
    find_python
    install_agent
    enroll
    start
}

iotcenter_join
