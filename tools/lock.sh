#!/bin/sh
# Pins requirements/*.in in requirements/*.lock: hashes, every platform, no address of an index. Called by make.
set -eu
cd requirements

for name in installer runtime dev; do
    # One version of a package everywhere: what an earlier file has pinned binds the later ones.
    case $name in dev) constraints="-c installer.lock -c runtime.lock" ;; *) constraints="" ;; esac
    # shellcheck disable=SC2086 # constraints are words
    ../.venv/bin/uv pip compile $name.in $constraints --override overrides.txt --output-file $name.lock \
        --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-annotate \
        --custom-compile-command "make lock" --system-certs --quiet "$@"
done
