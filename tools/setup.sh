#!/bin/sh
# Installs requirements/$1.lock (runtime or dev) into .venv, which it makes when there is none. Called by make.
set -eu

python_is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if python_is_new_enough "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    echo "setup: no Python 3.11 or newer found. Install it (Debian: apt-get install python3-venv; macOS:" >&2
    echo "brew install python), or name one that you have: make setup PYTHON=/path/to/python3" >&2
    return 1
}

make_venv() {
    python=$(find_python)
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        echo "setup: $python can't make virtual environments. On Debian: apt-get install python3-venv" >&2
        return 1
    fi
    echo "setup: making .venv with $("$python" --version)"
    "$python" -m venv --clear .venv
    pip_install requirements/installer.lock || echo "setup: going on without uv, with pip" >&2
}

# A lock is complete, so --no-deps: nothing that it doesn't name may come in.
pip_install() {
    .venv/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --require-hashes -r "$1"
}

# Bytecode is compiled here and not by the first start, which a newcomer waits for.
uv_install() {
    .venv/bin/uv pip install --python .venv/bin/python --quiet --system-certs --compile-bytecode \
        --no-deps --require-hashes -r "$1"
}

install_lock() {
    echo "setup: installing $1"
    # pip knows mirrors and proxies from pip.conf, which uv doesn't read.
    { [ -x .venv/bin/uv ] && uv_install "$1"; } || pip_install "$1"
}

# The shop stays out of the wheel, so out of [project.scripts] as well: the checkout is put on the path by a .pth
# file and its commands are written here; with its root, where `shop up --postgres` finds `tools.servers`. Relative
# paths: a space in them, or a moved checkout, does no harm.
link_checkout() {
    site_packages=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    printf '%s\n' ../../../../src ../../../.. >"$site_packages/checkout.pth"
    write_command amends amends.cli
    write_command shop shop.main
    write_metadata "$site_packages/amends-0.dist-info"
}

# What an installed package says of itself: pytest finds the fixture `explore` by it.
write_metadata() {
    mkdir -p "$1"
    printf '%s\n' 'Metadata-Version: 2.1' 'Name: amends' 'Version: 0' >"$1/METADATA"
    printf '%s\n' '[pytest11]' 'amends = amends.testing.plugin' >"$1/entry_points.txt"
}

write_command() {
    cat >".venv/bin/$1" <<END
#!/bin/sh
exec "\$(dirname "\$0")/python" -P -c 'import sys; from $2 import main; sys.argv[0] = "$1"; sys.exit(main())' "\$@"
END
    chmod +x ".venv/bin/$1"
}

.venv/bin/python -m pip --version >/dev/null 2>&1 || make_venv
install_lock "requirements/$1.lock"
link_checkout
touch ".venv/$1.stamp"
