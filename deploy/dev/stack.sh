# shellcheck shell=bash
# The three processes of Tidemark: building, migrating, starting, watching and stopping them.

PROCESSES=(command-api query-api projector)
# The build profile of the last `up`. Other commands use the same programs.
PROFILE=$(cat "$DEV_DIR/profile" 2>/dev/null || echo debug)

binary() { echo "${CARGO_TARGET_DIR:-$ROOT/target}/$PROFILE/$1"; }

build() {
    local flags=()
    need_rust
    if [[ $PROFILE == release ]]; then flags=(--release); fi
    say "building (the first time takes some minutes)"
    (cd "$ROOT" && SQLX_OFFLINE=true cargo build --workspace --bins "${flags[@]}") ||
        die "the build failed" "the compiler's message is above"
}

migrate() {
    say "migrating the database"
    (enter_environment migrate && "$(binary tidemark-projector)" migrate) >>"$LOG_DIR/migrate.log" 2>&1 || {
        tail -n 15 "$LOG_DIR/migrate.log" >&2
        die "the migration failed" "see $LOG_DIR/migrate.log; './dev reset' deletes all data, so that it can be made anew"
    }
}

# stamp PROGRAM: prints a hash of program and configuration. A process that runs with the same stamp need not be
# started again.
stamp() { cat "$DEV_DIR/env" "$1" | sha256sum | cut -c1-64; }

# start_tidemark NAME ARGUMENT...: starts a process, unless it already runs with this program and configuration.
start_tidemark() {
    local name=$1 program stamp
    shift
    program=$(binary "tidemark-$name")
    stamp=$(stamp "$program")
    if is_running "$name" && [[ $(cat "$RUN_DIR/$name.stamp" 2>/dev/null) == "$stamp" ]]; then return; fi
    stop_process "$name"
    free_port "$(port_of "$name")" "TIDEMARK_DEV_$(tr 'a-z-' 'A-Z_' <<<"$name")_PORT"
    (enter_environment "$name" && start_process "$name" "$program" "$@")
    echo "$stamp" >"$RUN_DIR/$name.stamp"
}

is_ready() { curl --silent --fail --max-time 2 --output /dev/null "http://$HOST:$(port_of "$1")/readyz"; }

start_stack() {
    local name
    say "starting command-api, query-api, projector"
    start_tidemark command-api
    start_tidemark query-api
    start_tidemark projector run
    for name in "${PROCESSES[@]}"; do
        wait_for "$name" "$PROCESS_READY_SECONDS" is_ready "$name" ||
            die "$name is not ready" "see: ./dev logs $name, and http://$HOST:$(port_of "$name")/readyz"
        note "$name is ready on http://$HOST:$(port_of "$name")"
    done
}

# The command API stops first, so that no new events arrive while the others finish their work.
stop_stack() {
    local name
    for name in "${PROCESSES[@]}"; do stop_process "$name"; done
}

# Makes the first administrator. At each later start there already is one.
make_admin() {
    local output
    secret admin >/dev/null
    output=$(enter_environment operator && "$(binary tidemark-projector)" create-admin \
        --email "$ADMIN_EMAIL" --password-file "$DEV_DIR/secrets/admin" 2>&1) ||
        grep -qi 'already' <<<"$output" ||
        die "the first administrator could not be made: $output" "see: ./dev logs command-api"
}

demo() {
    if ! is_running command-api || ! is_running query-api; then die "nothing is up" "run: ./dev up"; fi
    (enter_environment demo && exec "$(binary demo)" "$@")
}

seed() {
    say "loading demo data"
    demo --seed >>"$LOG_DIR/demo.log" 2>&1 9>&- || {
        tail -n 15 "$LOG_DIR/demo.log" >&2
        die "the demo data could not be loaded" "see $LOG_DIR/demo.log and ./dev status"
    }
}

bring_up() {
    migrate
    start_stack
    make_admin
    seed
}

greet() {
    local query="http://$HOST:$QUERY_API_PORT"
    say "Tidemark is up"
    note "command API  http://$HOST:$COMMAND_API_PORT   (documentation: /docs)"
    note "query API    $query   (documentation: /docs)"
    note "projector    http://$HOST:$PROJECTOR_PORT   (/readyz, /metrics)"
    note "administrator $ADMIN_EMAIL, password in .dev/secrets/admin"
    note ""
    note "see what is being sold:   curl -s $query/v1/auctions | jq"
    note "watch live auctions:      ./dev demo"
}

state_of() {
    local name=$1 pid
    if ! pid=$(pid_of "$name"); then
        echo "stopped"
    elif is_ready "$name"; then
        echo "ready      pid $pid  http://$HOST:$(port_of "$name")"
    else
        echo "not ready  pid $pid  see http://$HOST:$(port_of "$name")/readyz and ./dev logs $name"
    fi
}

service_state() {
    local way
    way=$(way_of "$1")
    case $way in
        '') echo "stopped" ;;
        own) if is_running "$1"; then echo "running    pid $(pid_of "$1")  $HOST:$(port_of "$1")"; else echo "stopped"; fi ;;
        compose) if port_open "$(port_of "$1")"; then echo "running    container  $HOST:$(port_of "$1")"; else echo "stopped"; fi ;;
        *) echo "$way" ;;
    esac
}

status() {
    local name
    if (($#)); then
        (enter_environment projector && exec "$(binary tidemark-projector)" status "$@")
        return
    fi
    say "services"
    for name in postgres redis kafka; do note "$(printf '%-12s %s' "$name" "$(service_state "$name")")"; done
    say "processes"
    for name in "${PROCESSES[@]}"; do note "$(printf '%-12s %s' "$name" "$(state_of "$name")")"; done
    if is_running projector; then
        say "read models"
        read_models
    fi
}

# Shows how far read models, reactors and the relay are behind the log, and what blocks them.
read_models() { (enter_environment projector && "$(binary tidemark-projector)" status) | sed 's/^/    /'; }

# The most mails and texts that are shown.
MAILS_MAX=5

# Shows the newest mails and texts. Their names begin with the time.
show_mails() {
    local file files
    mapfile -t files < <(find "$DEV_DIR/outbox" \( -name '*.eml' -o -name '*.txt' \) 2>/dev/null | sort | tail -n "$MAILS_MAX")
    ((${#files[@]})) || die "no mail and no text was sent yet" "somebody who registers is sent one"
    for file in "${files[@]}"; do
        say "${file##*/}"
        cat "$file"
    done
}

show_logs() {
    local files=() name
    for name in "$@"; do
        [[ -e $LOG_DIR/$name.log ]] || die "no log of '$name'" "there are: $(cd "$LOG_DIR" 2>/dev/null && echo ./*.log)"
        if [[ $(way_of "$name") == compose ]]; then compose logs --follow --tail 50 "$name"; return; fi
        files+=("$LOG_DIR/$name.log")
    done
    if ((${#files[@]} == 0)); then files=("$LOG_DIR"/*.log); fi
    exec tail -n 50 -F "${files[@]}"
}
