#!/usr/bin/env bash
# Install the real servers that the tests talk to. Idempotent, and quick when nothing is missing.
#
# From the distribution: the programs in PROGRAMS. Into .cache/pebble of this checkout: a current Pebble (the ACME server made for
# tests) and its challenge server, from Debian's unstable suite, without touching the sources of this system.
# Further pairs PROGRAM:PACKAGE may be given. No daemon is started. Fails, and says what to type, when something is missing and
# cannot be installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH="$PATH:/usr/sbin:/sbin"

# program:package. To test against another server, add its line.
PROGRAMS=(
    nginx:nginx-light
    apache2:apache2
    haproxy:haproxy
    dovecot:dovecot-imapd
    postfix:postfix
    knotd:knot
    named:bind9
    nsupdate:bind9-dnsutils
    pdns_server:pdns-server
    sqlite3:sqlite3
    unbound:unbound
    openssl:openssl
    strace:strace
    systemd-analyze:systemd
    git:git
    "$@"
)
PEBBLE_DIR=.cache/pebble
PEBBLE_AT_LEAST=2.10 # the first with profiles and a settable renewal window

work=""
policy=""
cleanup() {
    [ -z "$work" ] || rm -rf "$work"
    [ -z "$policy" ] || rm -f "$policy"
}
trap cleanup EXIT

die() { echo "install-servers: $*" >&2; exit 1; }
is_root() { [ "$(id -u)" = 0 ]; }

missing_packages() {
    local pair
    for pair in "${PROGRAMS[@]}"; do
        command -v "${pair%%:*}" >/dev/null || echo "${pair#*:}"
    done
    [ -e /usr/lib/dovecot/pop3-login ] || echo dovecot-pop3d
    [ -e /usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql ] || echo pdns-backend-sqlite3
}

# A package's script asks policy-rc.d before it starts a daemon; 101 means no.
forbid_daemons() {
    [ -e /usr/sbin/policy-rc.d ] && return
    policy=/usr/sbin/policy-rc.d
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
}

allow_daemons() {
    [ -z "$policy" ] || rm -f "$policy"
    policy=""
}

install_packages() {
    local command="apt-get install -y --no-install-recommends $*"
    command -v apt-get >/dev/null || die "missing programs; install what your system calls: $*"
    is_root || die "missing programs; as root, type: $command"
    echo "install-servers: $command"
    forbid_daemons
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >"$work/apt.log" 2>&1 ||
        { cat "$work/apt.log" >&2; die "failed: $command"; }
    allow_daemons
}

# The archives that this machine's own sources name, whether written as `deb` lines or as deb822 stanzas: apt reads both for us.
debian_archives() {
    local codename
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
        awk -v codename="$codename" '$2 == "main" && $1 == codename && $3 ~ /\/debian\/?$/ {print $3}' | sort -u
}

# apt with a source list, index and cache of its own in the working directory.
private_apt() {
    apt-get -qq -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::Etc::Preferences=/dev/null \
        -o Dir::Etc::PreferencesParts=/dev/null -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" \
        -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none -o Debug::NoLocking=1 "$@"
}

# The suite is named, not the version: it moves.
download_pebble() {
    local archive
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
    for archive in $(debian_archives); do
        echo "deb $archive sid main" >"$work/sources.list"
        private_apt update && (cd "$work" && private_apt download pebble) && return
    done
    return 1
}

install_pebble() {
    local file version
    command -v apt-get >/dev/null || die "no Pebble: put pebble and pebble-challtestsrv >= $PEBBLE_AT_LEAST into $PEBBLE_DIR"
    echo "install-servers: fetching Pebble into $PEBBLE_DIR"
    if [ -z "$(debian_archives)" ] && is_root; then apt-get update -qq; fi
    download_pebble || die "Pebble cannot be fetched; put pebble and pebble-challtestsrv >= $PEBBLE_AT_LEAST into $PEBBLE_DIR"
    file=$(echo "$work"/pebble_*.deb)
    version=$(dpkg-deb -f "$file" Version)
    dpkg --compare-versions "$version" ge "$PEBBLE_AT_LEAST" || die "Pebble $version is older than $PEBBLE_AT_LEAST"
    dpkg-deb -x "$file" "$work/pebble"
    mkdir -p "$PEBBLE_DIR"
    # Whole or not at all: the marker comes last.
    install -m 755 "$work/pebble/usr/bin/pebble" "$work/pebble/usr/bin/pebble-challtestsrv" "$PEBBLE_DIR/"
    echo "$version" >"$PEBBLE_DIR/version"
}

work=$(mktemp -d)
mapfile -t packages < <(missing_packages)
[ "${#packages[@]}" = 0 ] || install_packages "${packages[@]}"
[ -s "$PEBBLE_DIR/version" ] || install_pebble
[ -z "$(missing_packages)" ] || die "still missing after the installation: $(missing_packages | xargs)"
"$PEBBLE_DIR/pebble" -version >/dev/null 2>&1 || die "$PEBBLE_DIR/pebble does not run on this machine"
[ -x "$PEBBLE_DIR/pebble-challtestsrv" ] || die "$PEBBLE_DIR/pebble-challtestsrv is missing"
echo "install-servers: all there (Pebble $(cat "$PEBBLE_DIR/version"))"
