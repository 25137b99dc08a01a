# shellcheck shell=bash
# Finds the container engine, docker or podman (ENGINE chooses), and tells kind. Read by up.sh and down.sh.
engine=${ENGINE:-}
if [ -z "$engine" ]; then
  for engine in docker podman; do
    "$engine" info >/dev/null 2>&1 && break
  done
fi
"$engine" info >/dev/null 2>&1 || { echo "neither docker nor podman answers: start one of them" >&2; exit 1; }
export KIND_EXPERIMENTAL_PROVIDER=$engine
