# shellcheck shell=bash
# The services in containers, where an engine runs. docker-compose.yml says what they are.

# Asked once a run: an engine that is there answers at once, one that is not may take a while.
compose_available() {
    if [[ -z ${COMPOSE_AVAILABLE:-} ]]; then
        COMPOSE_AVAILABLE=no
        if have docker && timeout 10 docker info && timeout 10 docker compose version; then
            COMPOSE_AVAILABLE=yes
        fi >/dev/null 2>&1
    fi
    [[ $COMPOSE_AVAILABLE == yes ]]
}

# Each clone has containers and volumes of its own.
compose_project() { echo "tidemark-$(clone_id)"; }

compose() {
    docker compose --project-name "$(compose_project)" --file "$ROOT/docker-compose.yml" \
        --env-file "$DEV_DIR/compose.env" "$@"
}

compose_up() { compose up --detach --wait --no-deps "$1" </dev/null >"$LOG_DIR/$1.log" 2>&1 9>&-; }
