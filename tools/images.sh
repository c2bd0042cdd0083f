#!/usr/bin/env bash
# Builds the image of Mixhaul's programs, with Docker where its engine answers and otherwise with buildah.
#
#   images.sh build             the image, and an archive of it
#   images.sh archive           says where that is
#   images.sh load              puts the archive into the cluster that runs (make cluster-up)
#   images.sh push REGISTRY     e.g. registry.example.com/fleet
#
# IMAGE and TAG name it. BASE is what it stands on: Docker Hub's Python for Docker; for buildah one from Debian packages,
# made here, so that no image registry is needed. Behind a proxy that breaks TLS open, SSL_CERT_FILE or PIP_CERT names the
# authorities to build with; they do not get into the image.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=../tests/cluster/env.sh
source tests/cluster/env.sh

tag=${TAG:-$(sed -n '0,/^version = "\(.*\)"/s//\1/p' pyproject.toml)}
name=${IMAGE:-localhost/mixhaul}:$tag
archive=$images/mixhaul-$tag.tar
authorities=${SSL_CERT_FILE:-${PIP_CERT:-}}
secret=()
[[ -z $authorities ]] || secret=(--secret "id=ca,src=$authorities")

builder() { # docker or buildah
    if docker_answers; then
        echo docker
    elif command -v buildah > /dev/null; then
        echo buildah
    else
        fail "neither a Docker engine nor buildah: start the one, or apt-get install buildah"
    fi
}

# A store of our own: what other projects build with buildah is not touched. vfs copies everything for each step, which
# takes minutes, but works where overlay does not: in a container, as a user without rights.
buildah_() {
    command buildah --root "$cache/buildah/$driver" --runroot "$cache/buildah/$driver-run" --storage-driver "$driver" "$@"
}
driver=overlay

local_base() { # the name of an image from Debian packages
    local base=localhost/python:3.11 container
    if ! buildah_ inspect --type image "$base" > /dev/null 2>&1; then
        tests/cluster/base.sh
        container=$(buildah_ from scratch)
        buildah_ add --quiet "$container" "$images/python-3.11.rootfs.tar" / > /dev/null
        buildah_ commit --quiet --rm "$container" "$base" > /dev/null
    fi
    echo "$base"
}

sources() { # a digest of what the Containerfile mounts
    find pyproject.toml uv.lock packages services operator tests/simulator -type f -not -path '*/__pycache__/*' -print0 \
        | LC_ALL=C sort --zero-terminated | xargs -0 sha256sum | sha256sum | cut -d ' ' -f 1
}

forget() { # the image that had this name before, unless it has another, too: the store would grow with every build
    if buildah_ images --filter dangling=true --quiet --no-trunc | grep -qx "$1"; then
        buildah_ rmi "$1" > /dev/null
    fi
}

build() {
    local with base pull=()
    with=$(builder)
    mkdir -p "$images"
    if [[ $with == docker ]]; then
        DOCKER_BUILDKIT=1 docker build --file Containerfile --tag "$name" --build-arg "VERSION=$tag" \
            --build-arg "SOURCES=$(sources)" "${secret[@]}" \
            ${BASE:+--build-arg "BASE=$BASE"} .
        docker save --output "$archive.part" "$name"
    else
        buildah_ info > /dev/null 2>&1 || driver=vfs
        base=${BASE:-}
        [[ -n $base ]] || { base=$(local_base) && pull=(--pull-never); }
        buildah_ bud --isolation chroot --layers "${pull[@]}" --file Containerfile --tag "$name" \
            --build-arg "BASE=$base" --build-arg "VERSION=$tag" \
            --build-arg "SOURCES=$(sources)" --iidfile "$archive.id.part" "${secret[@]}" .
        if [[ -e $archive && -e $archive.id && $(<"$archive.id") == "$(<"$archive.id.part")" ]]; then
            rm "$archive.id.part"
            echo "$name is as it was ($SECONDS s)" >&2
            return
        fi
        rm -f "$archive.part"
        buildah_ push --quiet "$name" "oci-archive:$archive.part:$name"
        [[ ! -e $archive.id ]] || forget "$(<"$archive.id")"
        mv "$archive.id.part" "$archive.id"
    fi
    mv "$archive.part" "$archive"
    echo "$name, built with $with in $SECONDS s, $(du -h "$archive" | cut -f1) in ${archive/#"$HOME"/\~}" >&2
}

push() {
    local target=$1/mixhaul:$tag
    if [[ $(builder) == docker ]]; then
        docker tag "$name" "$target"
        docker push "$target"
    else
        buildah_ push "$name" "docker://$target"
    fi
    echo "pushed; for the chart: --set image.registry=$1" >&2
}

case ${1:-} in
    build) build ;;
    archive) echo "$archive" ;;
    load) tests/cluster/load.sh "$archive" ;;
    push) push "${2:?images.sh push REGISTRY, e.g. registry.example.com/fleet}" ;;
    *) fail "build, archive, load or push" ;;
esac
