#!/usr/bin/env bash
# Copies what the programs need to log in from the brokers' namespace to theirs: a pod can mount Secrets of its own namespace only.
# The Secrets kafka-producer and kafka-consumer get the user's name, its password and the brokers' certificate authority. Run it
# again after Strimzi has renewed the authority or a password; it says when the pods have to be replaced.
set -euo pipefail

from=kafka
to=kafka-clients

# A key of a Secret of the brokers' namespace, decoded.
key() {
  kubectl get secret "$1" --namespace "$from" --output go-template="{{index .data \"$2\" | base64decode}}"
}

for user in kafka-producer kafka-consumer; do
  # By files that only this shell sees: arguments of a process are visible to everyone on the machine.
  secret=$(kubectl create secret generic "$user" --namespace "$to" --dry-run=client --output yaml \
    --from-literal=username="$user" \
    --from-file=password=<(key "$user" password) \
    --from-file=ca.crt=<(key kafka-cluster-ca-cert ca.crt))
  kubectl apply --filename - <<<"$secret"
done

echo "If one was configured: kubectl rollout restart deployment/kafka-consumer --namespace $to"
