#!/usr/bin/env bash
# Builds the real peers of the differential tests (etcd, kube-apiserver, kube-controller-manager) from their Go modules
# into ${XDG_CACHE_HOME:-~/.cache}/orrery/peers. What is there already is not built again.
# Needs Go; on 2 cores with an empty cache etcd takes half a minute, kube-apiserver 3.5, kube-controller-manager 0.5.
set -euo pipefail

KUBERNETES=1.35.4
ETCD=3.6.16
bin=${XDG_CACHE_HOME:-$HOME/.cache}/orrery/peers

if ! command -v go > /dev/null; then
  echo "[skip] the peers are not built: there is no Go on this machine (https://go.dev/doc/install)"
  exit 0
fi
mkdir -p "$bin"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export GOFLAGS="-mod=mod -buildvcs=false"

build_etcd() {
  mkdir -p "$work/etcd" && cd "$work/etcd"
  printf 'module peers\ngo 1.25.0\n' > go.mod
  go get "go.etcd.io/etcd/server/v3@v$ETCD"
  go build -trimpath -ldflags '-s -w' -o "$bin/etcd" go.etcd.io/etcd/server/v3
}

# The published module refers to its staging modules by path; each is replaced by its own release.
build_kubernetes() {
  mkdir -p "$work/kubernetes" && cd "$work/kubernetes"
  go mod download "k8s.io/kubernetes@v$KUBERNETES"
  local source version=k8s.io/component-base/version
  source=$(go env GOMODCACHE)/k8s.io/kubernetes@v$KUBERNETES
  {
    echo 'module peers'
    grep -E '^go ' "$source/go.mod" | head -1
    echo "require k8s.io/kubernetes v$KUBERNETES"
    echo 'replace ('
    awk -v release="${KUBERNETES#1.}" '/=> \.\/staging/ {print "\t" $1 " => " $1 " v0." release}' "$source/go.mod"
    echo ')'
  } > go.mod
  cp "$source/go.sum" go.sum && chmod u+w go.sum
  go get "k8s.io/kubernetes/cmd/$1@v$KUBERNETES"
  go build -trimpath -ldflags "-s -w -X $version.gitVersion=v$KUBERNETES -X $version.gitMajor=1 -X $version.gitMinor=35" \
    -o "$bin/" "k8s.io/kubernetes/cmd/$1"
}

[ -x "$bin/etcd" ] || (build_etcd)
for command in kube-apiserver kube-controller-manager; do
  [ -x "$bin/$command" ] || (build_kubernetes "$command")
done
echo "The peers are in $bin."
