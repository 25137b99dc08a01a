#!/usr/bin/env bash
# Makes a Kubernetes on this machine with kind, and a registry at localhost:5000 that it pulls from. Needs kind 0.33 or newer,
# kubectl, and docker or podman (ENGINE=podman to choose). May be run again: each step does only what is still to do.
set -euo pipefail
cd "$(dirname "$0")"

cluster=kafka-clients
context=kind-$cluster
registry=kind-registry
registry_image=docker.io/library/registry:3.1.2@sha256:ddf754342cfc8acc51a56d5d0ab6af06826461864460636d8bd5c546dab2a7b8
# The manifests name images by this port. On macOS the AirPlay receiver may hold it: switch that off.
port=5000

# 1. Find the container engine, and tell kind.
. ./engine.sh
for tool in kind kubectl; do
  command -v "$tool" >/dev/null || { echo "$tool is not installed" >&2; exit 1; }
done

# 2. Make the cluster, which makes the network called kind as well.
if kind get clusters 2>/dev/null | grep -qx "$cluster"; then
  echo "cluster $cluster is there"
else
  kind create cluster --config cluster.yaml --wait 180s
fi

# 3. Start the registry, for this machine only, in the cluster's network. Another cluster of kind may have made it before.
if [ -z "$("$engine" ps --all --quiet --filter "name=^$registry\$")" ]; then
  "$engine" run --detach --restart=always --name "$registry" --network kind --publish "127.0.0.1:$port:5000" "$registry_image"
elif [ "$("$engine" inspect --format '{{.State.Running}}' "$registry")" != true ]; then
  "$engine" start "$registry"
fi
# shellcheck disable=SC2016 # The engine's template, not the shell's.
networks=$("$engine" inspect --format '{{range $name, $_ := .NetworkSettings.Networks}}{{println $name}}{{end}}' "$registry")
grep -qx kind <<<"$networks" || "$engine" network connect kind "$registry"

# 4. Tell the nodes. In a node localhost is the node itself, so containerd is told where localhost:5000 really is.
# https://github.com/containerd/containerd/blob/main/docs/hosts.md
hosts=/etc/containerd/certs.d/localhost:$port
for node in $(kind get nodes --name "$cluster"); do
  "$engine" exec "$node" mkdir -p "$hosts"
  printf '[host."http://%s:5000"]\n' "$registry" | "$engine" exec --interactive "$node" cp /dev/stdin "$hosts/hosts.toml"
done

# 5. Tell tools that look for a local registry (KEP-1755).
kubectl --context "$context" apply --filename - <<YAML
apiVersion: v1
kind: ConfigMap
metadata:
  name: local-registry-hosting
  namespace: kube-public
data:
  localRegistryHosting.v1: |
    host: "localhost:$port"
    help: "https://kind.sigs.k8s.io/docs/user/local-registry/"
YAML

cat <<TEXT

kubectl now talks to $context. Next:
  $engine push localhost:$port/kafka-producer:1.0.0 (and kafka-consumer), then
  kubectl apply -f infra/kafka/single/
  kubectl apply -f infra/k8s/
TEXT
