# shellcheck shell=bash
# The configuration of the processes: .dev/env for those on this machine, and .dev/compose.env for
# docker-compose.yml. Both hold secrets, and only their owner can read them.

ADMIN_EMAIL=admin@tidemark.example

# The variables of .dev/env that only some processes may know, as may_know tells. All processes get the others.
CONFIDENTIAL=(
    DATABASE__OWNER_URL DATABASE__APPEND_URL DATABASE__RELAY_URL DATABASE__PROJECT_URL DATABASE__READ_URL
    AUTH__SIGNING_KEY SEALING__MASTER_KEY SEALING__LOOKUP_KEY
    SERVICE_TOKENS SERVICE_TOKEN BOOTSTRAP_SECRET SMS__TOKEN
    TEST_DATABASE_URL TEST_ADMIN_PASSWORD
)

# may_know NAME: prints the confidential variables of one process.
may_know() {
    case $1 in
        command-api)
            echo DATABASE__APPEND_URL DATABASE__RELAY_URL AUTH__SIGNING_KEY \
                SEALING__MASTER_KEY SEALING__LOOKUP_KEY SERVICE_TOKENS BOOTSTRAP_SECRET SMS__TOKEN
            ;;
        query-api) echo DATABASE__READ_URL SEALING__MASTER_KEY SEALING__LOOKUP_KEY SERVICE_TOKEN ;;
        projector) echo DATABASE__PROJECT_URL SEALING__MASTER_KEY SERVICE_TOKEN SMS__TOKEN ;;
        migrate) echo DATABASE__OWNER_URL ;;
        operator) echo SERVICE_TOKEN BOOTSTRAP_SECRET ;;
        demo) echo TEST_ADMIN_PASSWORD ;;
    esac
}

# enter_environment NAME: makes this shell, usually a subshell, the environment of one process.
enter_environment() {
    local name=$1 variable
    # These control ./dev. A process refuses settings that it does not know.
    for variable in "${!TIDEMARK_DEV_@}"; do unset "$variable"; done
    # shellcheck source=/dev/null
    . "$DEV_DIR/env"
    for variable in "${CONFIDENTIAL[@]}"; do
        if [[ " $(may_know "$name") " != *" $variable "* ]]; then unset "TIDEMARK_$variable"; fi
    done
    case $name in
        query-api | projector)
            TIDEMARK_SERVICE_TOKEN=$(service_token "$name")
            export TIDEMARK_SERVICE_TOKEN
            ;;
    esac
    # Tasks may call servers on this machine, so that they can be tried out, but not these APIs.
    export TIDEMARK_TASKS__ALLOWED_PRIVATE_HOSTS=${TIDEMARK_TASKS__ALLOWED_PRIVATE_HOSTS:-$HOST,localhost}
    local apis=$HOST:$COMMAND_API_PORT,$HOST:$QUERY_API_PORT,localhost:$COMMAND_API_PORT,localhost:$QUERY_API_PORT
    export TIDEMARK_TASKS__OWN_HOSTS=${TIDEMARK_TASKS__OWN_HOSTS:-$apis}
    # Nothing is paid for texts that are files, so that they go to every country.
    if [[ -z ${TIDEMARK_SMS__PROVIDER_URL:-} ]]; then
        export TIDEMARK_SMS__ALLOWED_PREFIXES=${TIDEMARK_SMS__ALLOWED_PREFIXES:-+}
    fi
    if [[ $name == projector ]]; then
        # What the environment says of mails holds; else they are files, and so are texts, which './dev mail' shows.
        if [[ -z ${TIDEMARK_MAIL__SMTP_HOST:-} ]]; then export TIDEMARK_MAIL__FOLDER=$DEV_DIR/outbox; fi
    fi
}

service_token() { echo "$1=$(secret "service_$1")"; }

signing_key() {
    local file="$DEV_DIR/secrets/signing_key.pem"
    [[ -s $file ]] || openssl genpkey -algorithm ed25519 | write_private "$file"
    base64 -w 0 "$file"
}

verifying_key() {
    signing_key >/dev/null
    openssl pkey -in "$DEV_DIR/secrets/signing_key.pem" -pubout | base64 -w 0
}

service_tokens() { echo "$(service_token query-api),$(service_token projector),$(service_token operator)"; }

postgres_url() { echo "postgres://$1:$(secret "$1")@$HOST:$POSTGRES_PORT/$2"; }

# line NAME VALUE: prints a line of .dev/env. Values are hex, base64, addresses and URLs of these, so that none
# holds a quote.
line() { printf "export TIDEMARK_%s='%s'\n" "$1" "$2"; }

# service_line SERVICE NAME VALUE: prints a line with the value, or with the one from the environment if the
# environment names the service.
service_line() {
    local given="TIDEMARK_$2"
    if [[ $(way_of "$1") == environment ]]; then line "$2" "${!given:-}"; else line "$2" "$3"; fi
}

kafka_lines() {
    if kafka_missing; then
        line KAFKA__BROKERS ''
        line PROJECTION__FEED log
    else
        service_line kafka KAFKA__BROKERS "$HOST:$KAFKA_PORT"
    fi
}

listener_lines() {
    line "$1__LISTEN" "$HOST:$2"
    line "$1__URL" "http://$HOST:$2"
}

write_environment() {
    {
        echo "# The configuration of the processes of this clone. ./dev writes it again at each start."
        service_line postgres DATABASE__OWNER_URL "$(postgres_url tidemark_owner tidemark)"
        service_line postgres DATABASE__APPEND_URL "$(postgres_url tidemark_append tidemark)"
        service_line postgres DATABASE__RELAY_URL "$(postgres_url tidemark_relay tidemark)"
        service_line postgres DATABASE__PROJECT_URL "$(postgres_url tidemark_project tidemark)"
        service_line postgres DATABASE__READ_URL "$(postgres_url tidemark_read tidemark)"
        service_line redis REDIS__URL "redis://:$(secret redis)@$HOST:$REDIS_PORT"
        kafka_lines
        line MEDIA__PLACE "${TIDEMARK_MEDIA__PLACE:-$DEV_DIR/media}"
        listener_lines COMMAND_API "$COMMAND_API_PORT"
        listener_lines QUERY_API "$QUERY_API_PORT"
        listener_lines PROJECTOR "$PROJECTOR_PORT"
        line AUTH__ISSUER "${TIDEMARK_AUTH__ISSUER:-http://$HOST:$COMMAND_API_PORT}"
        line AUTH__SIGNING_KEY "$(signing_key)"
        line AUTH__VERIFYING_KEY "$(verifying_key)"
        line SEALING__MASTER_KEY "$(secret_key sealing_master_key)"
        line SEALING__LOOKUP_KEY "$(secret_key sealing_lookup_key)"
        line SERVICE_TOKENS "$(service_tokens)"
        line BOOTSTRAP_SECRET "$(secret bootstrap)"
        echo "# The token of the service 'operator', for the projector's command line."
        line SERVICE_TOKEN "$(service_token operator)"
        echo "# For tests and the demo only: the URL with which databases are made, and the administrator that 'up' makes."
        service_line postgres TEST_DATABASE_URL "$(postgres_url postgres postgres)"
        line TEST_ADMIN_EMAIL "$ADMIN_EMAIL"
        line TEST_ADMIN_PASSWORD "$(secret admin)"
    } | write_private "$DEV_DIR/env"
    write_compose_environment
}

write_compose_environment() {
    {
        echo "# Written by ./dev for docker-compose.yml."
        echo "COMPOSE_PROJECT_NAME=$(compose_project)"
        echo "POSTGRES_PASSWORD=$(secret postgres)"
        echo "TIDEMARK_OWNER_PASSWORD=$(secret tidemark_owner)"
        echo "TIDEMARK_APPEND_PASSWORD=$(secret tidemark_append)"
        echo "TIDEMARK_RELAY_PASSWORD=$(secret tidemark_relay)"
        echo "TIDEMARK_PROJECT_PASSWORD=$(secret tidemark_project)"
        echo "TIDEMARK_READ_PASSWORD=$(secret tidemark_read)"
        echo "REDIS_PASSWORD=$(secret redis)"
        echo "SIGNING_KEY=$(signing_key)"
        echo "VERIFYING_KEY=$(verifying_key)"
        echo "SEALING_MASTER_KEY=$(secret_key sealing_master_key)"
        echo "SEALING_LOOKUP_KEY=$(secret_key sealing_lookup_key)"
        echo "SERVICE_TOKENS=$(service_tokens)"
        echo "QUERY_API_TOKEN=$(service_token query-api)"
        echo "PROJECTOR_TOKEN=$(service_token projector)"
        echo "BOOTSTRAP_SECRET=$(secret bootstrap)"
        echo "POSTGRES_PORT=$POSTGRES_PORT"
        echo "REDIS_PORT=$REDIS_PORT"
        echo "KAFKA_PORT=$KAFKA_PORT"
        echo "COMMAND_API_PORT=$COMMAND_API_PORT"
        echo "QUERY_API_PORT=$QUERY_API_PORT"
        echo "PROJECTOR_PORT=$PROJECTOR_PORT"
    } | write_private "$DEV_DIR/compose.env"
}
