# shellcheck shell=bash
# Postgres, Redis and Kafka. Each is had in one of four ways, which .dev/way/<service> records:
#   environment   the environment names one that answers; it is used, but never started or stopped
#   compose       a container by docker-compose.yml, if a container engine runs
#   own           the machine's own program, with data in .dev/
#   none: REASON  only for Kafka: there is no broker, and projectors read the log from Postgres

POSTGRES_VARIABLES=(TIDEMARK_DATABASE__{OWNER,APPEND,RELAY,PROJECT,READ}_URL)
SERVICE_VARIABLES=("${POSTGRES_VARIABLES[@]}" TIDEMARK_REDIS__URL TIDEMARK_KAFKA__BROKERS)

way_of() { cat "$DEV_DIR/way/$1" 2>/dev/null || true; }

set_way() { echo "$2" >"$DEV_DIR/way/$1"; }

kafka_missing() { [[ $(way_of kafka) == none:* ]]; }

# Unsets the variables that name our own services, as they do in a shell that has sourced .dev/env. Those were not
# chosen by the user.
forget_own_variables() {
    local name ours
    [[ -e $DEV_DIR/env ]] || return 0
    for name in "${SERVICE_VARIABLES[@]}"; do
        # shellcheck source=/dev/null
        ours=$(. "$DEV_DIR/env" && printf '%s' "${!name:-}")
        if [[ -n ${!name:-} && ${!name} == "$ours" && $(way_of "$(service_of "$name")") != environment ]]; then
            unset "$name"
        fi
    done
}

service_of() {
    case $1 in
        TIDEMARK_REDIS__URL) echo redis ;;
        TIDEMARK_KAFKA__BROKERS) echo kafka ;;
        *) echo postgres ;;
    esac
}

# reachable URL PORT: whether a server listens at a URL, or at the first of a list of brokers. PORT is the default.
reachable() {
    local address=${1#*://} host port
    address=${address##*@}
    address=${address%%[/?,]*}
    host=${address%:*}
    [[ $address == *:* ]] && port=${address##*:} || port=$2
    # shellcheck disable=SC2016
    timeout 5 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$host" "$port" 2>/dev/null
}

# named_by_environment SERVICE: whether the environment names a server of this kind, and it answers.
named_by_environment() {
    local url port name
    case $1 in
        postgres)
            for name in "${POSTGRES_VARIABLES[@]}"; do [[ -n ${!name:-} ]] || return 1; done
            url=$TIDEMARK_DATABASE__OWNER_URL port=5432
            ;;
        redis) url=${TIDEMARK_REDIS__URL:-} port=6379 ;;
        kafka) url=${TIDEMARK_KAFKA__BROKERS:-} port=9092 ;;
    esac
    [[ -n $url ]] || return 1
    reachable "$url" "$port" || {
        warn "the environment names a $1 that does not answer: ./dev uses its own"
        return 1
    }
}

choose_way() {
    if named_by_environment "$1"; then
        set_way "$1" environment
    elif is_running "$1"; then
        set_way "$1" own
    elif [[ $1 == kafka && -n ${TIDEMARK_DEV_WITHOUT_KAFKA:-} ]]; then
        set_way kafka "none: TIDEMARK_DEV_WITHOUT_KAFKA is set"
    elif compose_available; then
        set_way "$1" compose
    else
        set_way "$1" own
    fi
}

# Prints the packages that the chosen ways need. Those of a service are not needed if it runs elsewhere.
needed_packages() {
    local package service
    for package in "${PACKAGES[@]}"; do
        case $package in
            postgresql) service=postgres ;;
            redis-server) service=redis ;;
            default-jre-headless | maven) service=kafka ;;
            *) service= ;;
        esac
        if [[ -z $service || $(way_of "$service") == own ]]; then echo "$package"; fi
    done
}

# What runs keeps its ports until it is stopped, so other ones would be waited for in vain.
keep_ports() {
    local name port kept
    for name in "${PORTS[@]}"; do
        port=${name}_PORT kept=$(kept_port "$name")
        if [[ -n $kept && $kept != "${!port}" ]] && anything_runs; then
            die "TIDEMARK_DEV_$port is ${!port}, and what runs was started with $kept" "first: ./dev down"
        fi
    done
    for name in "${PORTS[@]}"; do
        port=${name}_PORT
        echo "$name=${!port}"
    done >"$DEV_DIR/ports"
}

anything_runs() {
    local name
    for name in postgres redis kafka "${PROCESSES[@]}"; do
        if is_running "$name"; then return; fi
    done
    return 1
}

start_services() {
    local service packages
    keep_ports
    forget_own_variables
    for service in postgres redis kafka; do choose_way "$service"; done
    mapfile -t packages < <(needed_packages)
    need_packages "${packages[@]}"
    say "starting Postgres, Redis and Kafka"
    write_environment
    for service in postgres redis; do
        case $(way_of "$service") in
            own) "start_$service" ;;
            compose) compose_up "$service" || die "$service did not start in its container" "see: ./dev logs $service" ;;
        esac
        report_service "$service"
    done
    if [[ $(way_of postgres) == compose ]]; then
        compose run --rm --no-deps roles </dev/null 9>&- || die "the database roles could not be made"
    fi
    start_broker
    report_service kafka
    write_environment
}

start_broker() {
    local problem=
    case $(way_of kafka) in
        own) start_kafka || problem=$KAFKA_PROBLEM ;;
        compose) compose_up kafka || problem="its container did not start (see ./dev logs kafka)" ;;
    esac
    [[ -z $problem ]] || set_way kafka "none: $problem"
    ! kafka_missing || warn "there is no Kafka: $(way_of kafka | cut -c7-). Projectors read the log from Postgres."
}

report_service() {
    case $(way_of "$1") in
        own) note "$1 runs on $HOST:$(port_of "$1")" ;;
        compose) note "$1 runs in a container on $HOST:$(port_of "$1")" ;;
        environment) note "$1 is the one that the environment names" ;;
    esac
}

port_of() {
    case $1 in
        postgres) echo "$POSTGRES_PORT" ;;
        redis) echo "$REDIS_PORT" ;;
        kafka) echo "$KAFKA_PORT" ;;
        command-api) echo "$COMMAND_API_PORT" ;;
        query-api) echo "$QUERY_API_PORT" ;;
        projector) echo "$PROJECTOR_PORT" ;;
    esac
}

stop_services() {
    if grep -qs '^compose$' "$DEV_DIR"/way/*; then
        compose stop </dev/null 9>&- || warn "the containers could not be stopped"
    fi
    stop_kafka
    stop_redis
    stop_postgres
}

# Removes everything that ./dev ever wrote, including secrets. Services that the environment names keep their data.
forget_services() {
    if grep -qs '^compose$' "$DEV_DIR"/way/*; then compose down --volumes </dev/null 9>&-; fi
    if [[ -L $DEV_DIR/postgres ]]; then rm -rf "$(readlink "$DEV_DIR/postgres")"; fi
    # This command itself holds the lock.
    find "$DEV_DIR" -mindepth 1 -maxdepth 1 ! -name lock -exec rm -rf {} +
}
