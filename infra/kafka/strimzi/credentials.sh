#!/usr/bin/env bash
# Copies what the programs need to log in from the brokers' namespace to theirs: a pod can mount Secrets of its own namespace only.
# The Secrets kafka-producer and kafka-consumer get the user's name, its password and the brokers' certificate authority. Run it
# again after Strimzi has renewed one of them.
set -euo pipefail

from=kafka
to=kafka-clients

# A key of a Secret of the brokers' namespace, decoded.
key() {
  kubectl get secret "$1" --namespace "$from" --output go-template="{{index .data \"$2\" | base64decode}}"
}

authority=$(key kafka-cluster-ca-cert ca.crt)
for user in kafka-producer kafka-consumer; do
  password=$(key "$user" password)
  # By files that only this shell sees: the arguments of a process are visible to everyone on the machine. And by the server, as a
  # client would keep what it applied in an annotation.
  kubectl create secret generic "$user" --namespace "$to" --dry-run=client --output yaml \
    --from-literal=username="$user" \
    --from-file=password=<(printf '%s' "$password") \
    --from-file=ca.crt=<(printf '%s\n' "$authority") |
    kubectl apply --server-side --force-conflicts --field-manager=credentials --filename -
done

echo "Pods read them when they start: kubectl rollout restart deployment/kafka-consumer --namespace $to"
