#!/usr/bin/env bash
# Takes down what up.sh made. The registry stays, with its images, because other clusters of kind may use it too: --registry
# removes it as well. May be run again.
set -euo pipefail
cd "$(dirname "$0")"

cluster=kafka-clients
registry=kind-registry

case ${1:-} in
  '' | --registry) ;;
  *) echo "usage: $0 [--registry]" >&2; exit 2 ;;
esac

# 1. Find the container engine, and tell kind.
. ./engine.sh

# 2. Delete the cluster with all that is in it; also its entry in the kubeconfig.
kind delete cluster --name "$cluster"

# 3. Remove the registry, if asked to.
if [ "${1:-}" = --registry ] && [ -n "$("$engine" ps --all --quiet --filter "name=^$registry\$")" ]; then
  "$engine" rm --force --volumes "$registry"
fi
