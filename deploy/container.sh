#!/bin/sh
# Builds the container image: container.sh VARIANT BASE TAG. With BASE=debootstrap the base is made here (Debian, as root),
# where no registry is in reach.
set -eu
variant=$1 base=$2 tag=$3
if command -v buildah >/dev/null; then
    build() { buildah bud --ignorefile deploy/Containerfile.dockerignore "$@"; }
elif command -v podman >/dev/null; then
    build() { podman build --ignorefile deploy/Containerfile.dockerignore "$@"; }
elif command -v docker >/dev/null; then
    build() { docker build "$@"; }
else
    echo "a container needs buildah, podman or docker: sudo apt-get install buildah" >&2
    exit 1
fi
if [ "$base" = debootstrap ]; then
    folder=build/debian
    [ -e "$folder/.whole" ] || {
        rm -rf "$folder"
        debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$folder" >build/debootstrap.log \
            || { tail -5 build/debootstrap.log >&2; exit 1; }
        rm -rf "$folder"/var/cache/apt/archives/*.deb "$folder"/var/lib/apt/lists/*
        touch "$folder/.whole"
    }
    made=$(buildah from scratch)
    buildah add --quiet "$made" "$folder" / >/dev/null
    base=localhost/pneumoscreen-base
    buildah commit --quiet --rm "$made" "$base" >/dev/null
fi
build --build-arg BASE="$base" --build-arg VARIANT="$variant" -t "$tag" -f deploy/Containerfile .
