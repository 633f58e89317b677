# shellcheck shell=bash
# The services in containers by docker-compose.yml, if a container engine runs.

# The answer is kept for this run of ./dev, since asking an engine that does not run may take seconds.
compose_available() {
    if [[ -z ${COMPOSE_AVAILABLE:-} ]]; then
        COMPOSE_AVAILABLE=no
        if have docker && timeout 10 docker info && timeout 10 docker compose version; then
            COMPOSE_AVAILABLE=yes
        fi >/dev/null 2>&1
    fi
    [[ $COMPOSE_AVAILABLE == yes ]]
}

# The name separates the containers and volumes of one clone from those of another.
compose_project() { echo "tidemark-$(clone_id)"; }

compose() {
    docker compose --project-name "$(compose_project)" --file "$ROOT/docker-compose.yml" \
        --env-file "$DEV_DIR/compose.env" "$@"
}

compose_up() { compose up --detach --wait --no-deps "$1" </dev/null >"$LOG_DIR/$1.log" 2>&1 9>&-; }
