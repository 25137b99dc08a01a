#!/usr/bin/env bash
# Runs docker-bench-security on the containers and images of both programs and writes its results, JSON, to a file: docker-bench.sh FILE.
# It looks at what runs, by the docker client: start the programs first, as with infra/compose. Its own exit code is 0 whatever it
# finds; `cargo xtask policies cis FILE` judges. DOCKER_BENCH is a folder with its sources, where they are not to be fetched.
set -euo pipefail

# The newest there is, of October 2024: no release has it. Its image is older.
commit=ff26d67f25be60fc2d82a01710ee14570b2cb9db

[ $# = 1 ] || { echo "usage: $0 FILE" >&2; exit 2; }
for tool in git docker; do
  command -v "$tool" >/dev/null || { echo "$tool is not installed" >&2; exit 1; }
done
results=$(realpath -m "$1")

# 1. Get the sources, by the commit and not by a name that may move.
sources=${DOCKER_BENCH:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -z "$sources" ]; then
  sources=$work/sources
  git init --quiet "$sources"
  git -C "$sources" fetch --quiet --depth 1 https://github.com/docker/docker-bench-security "$commit"
  git -C "$sources" checkout --quiet --detach FETCH_HEAD
fi
found=$(git -C "$sources" rev-parse HEAD)
[ "$found" = "$commit" ] || { echo "$sources is at $found, not at $commit" >&2; exit 1; }

# 2. Run it: what images and containers are like, not how this machine is set up. It has to be called in its own folder.
cd "$sources"
bash docker-bench-security.sh -b -l "$work/log" -c container_images,container_runtime -i kafka-producer,kafka-consumer >&2

# 3. Keep the results.
mkdir -p "$(dirname "$results")"
cp "$work/log.json" "$results"
