#!/bin/bash
# Builds the image, starts it, calls it, and stops it. Skipped where no engine
# works, or where it has no way to the base image.
set -euo pipefail
cd "$1"

readonly SKIPPED=77 # how a test tells meson that it could not run
readonly BASE=docker.io/library/debian:bookworm-slim
readonly NAME=amdrpc-test-$$

skip()
{
    echo "skipped: $*"
    exit "$SKIPPED"
}

# Sets engine, and the options that building and running need under it.
choose_engine()
{
    build_options=()
    run_options=()
    if command -v docker >/dev/null && docker info >/dev/null 2>&1; then
        engine=(docker)
    elif command -v podman >/dev/null && podman info >/dev/null 2>&1; then
        engine=(podman)
        build_options=(--format docker) # the other format has no health check
        if [ "$(id -u)" -eq 0 ]; then
            # Inside another container, neither cgroups of its own nor a
            # network of its own can be had.
            engine+=(--runtime runc --cgroup-manager cgroupfs)
            build_options+=(--isolation=chroot --network=host)
            run_options=(--network=host --ulimit nofile=1024:1024 --ulimit nproc=1024:1024)
        fi
    else
        skip "no container engine"
    fi
}

# Called by the trap.
# shellcheck disable=SC2317
clean_up()
{
    "${engine[@]}" rm -f "$NAME" >/dev/null 2>&1 || true
    "${engine[@]}" rmi -f "$NAME" >/dev/null 2>&1 || true
}

call_health()
{
    "${engine[@]}" exec "$NAME" amdrpc call 127.0.0.1:50051 grpc.health.v1.Health/Check
}

wait_until_serving()
{
    local answer

    for _ in $(seq 60); do
        if answer=$(call_health 2>/dev/null) && [[ $answer == *SERVING* ]]; then
            return 0
        fi
        sleep 1
    done
    echo "the container does not serve; its log:"
    "${engine[@]}" logs "$NAME"
    return 1
}

choose_engine
"${engine[@]}" image inspect "$BASE" >/dev/null 2>&1 ||
    "${engine[@]}" pull -q "$BASE" || skip "no way to $BASE"
trap clean_up EXIT
"${engine[@]}" build "${build_options[@]}" -f docker/Dockerfile -t "$NAME" .
"${engine[@]}" run -d --name "$NAME" "${run_options[@]}" "$NAME"
wait_until_serving

[ "$("${engine[@]}" exec "$NAME" id -u)" != 0 ] || {
    echo "the daemon runs as root"
    exit 1
}
"${engine[@]}" stop -t 40 "$NAME" >/dev/null
status=$("${engine[@]}" inspect -f '{{.State.ExitCode}}' "$NAME")
[ "$status" = 0 ] || {
    echo "SIGTERM ended the daemon with status $status"
    exit 1
}
