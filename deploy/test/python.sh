# Sourced by deploy/test/run: Python with what requirements.txt names, in a folder that is kept.

python=$target/tools/deploy-python
if ! cmp -s deploy/test/requirements.txt "$python/requirements.txt"; then
    echo "target/tools/deploy-python is missing or older than deploy/test/requirements.txt: installing with pip"
    command -v python3 >/dev/null && python3 -c 'import venv, ensurepip' 2>/dev/null || need no-python=python3-venv
    rm -rf "$python"
    python3 -m venv "$python"
    "$python/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: -r deploy/test/requirements.txt ||
        fail "pip could not bring what deploy/test/requirements.txt names"
    cp deploy/test/requirements.txt "$python/requirements.txt"
fi
cargo build --locked --quiet --package cerrojo-server
cerrojo=$target/debug/cerrojo
