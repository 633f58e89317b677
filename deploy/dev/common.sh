# shellcheck shell=bash disable=SC2034
# What every part of ./dev uses: directories, settings, messages, secrets and background processes.

DEV_DIR="$ROOT/.dev"
LOG_DIR="$DEV_DIR/log"
RUN_DIR="$DEV_DIR/run"

# Ports other than the usual ones, so that they do not collide with services that the machine runs already.
# All of them are on loopback.
HOST=127.0.0.1
PORTS=(POSTGRES REDIS KAFKA KAFKA_CONTROLLER COMMAND_API QUERY_API PROJECTOR)

# kept_port NAME: prints the port that was chosen when something was started last, if any.
kept_port() { sed -n "s/^$1=//p" "$DEV_DIR/ports" 2>/dev/null || true; }

# choose_port NAME DEFAULT: sets NAME_PORT to what the environment says, or else to what it said last.
choose_port() {
    local given=TIDEMARK_DEV_$1_PORT kept
    kept=$(kept_port "$1")
    printf -v "$1_PORT" %s "${!given:-${kept:-$2}}"
}

choose_port POSTGRES 5442
choose_port REDIS 6389
choose_port KAFKA 9192
choose_port KAFKA_CONTROLLER 9193
choose_port COMMAND_API 7001
choose_port QUERY_API 7002
choose_port PROJECTOR 7003

# How long a service may take to answer, how long a process may take to be ready, and how long either may take
# to stop before it is killed.
SERVICE_START_SECONDS=60
# After a crash PostgreSQL first reads what it had logged, and then writes every file of every database to the disk.
POSTGRES_START_SECONDS=300
PROCESS_READY_SECONDS=120
STOP_SECONDS=25
# The server writes what it holds in memory, which may be a gigabyte on a slow disk. If it is killed meanwhile, the next one
# cannot start before that is written.
POSTGRES_STOP_SECONDS=180
# A log that is longer is renamed when its process starts again.
LOG_KEEP_BYTES=$((20 * 1024 * 1024))

# paint COLOUR TEXT: prints the text in colour if a terminal shows it.
paint() { if [[ -t 2 ]]; then printf '\033[%sm%s\033[0m' "$1" "$2"; else printf '%s' "$2"; fi; }
say() { printf '%s %s\n' "$(paint 1 '==>')" "$*"; }
note() { printf '    %s\n' "$*"; }
warn() { printf '%s %s\n' "$(paint 33 warning:)" "$*" >&2; }

# die MESSAGE [ADVICE]: prints what is wrong and what to do about it, and exits.
die() {
    printf '%s %s\n' "$(paint 31 error:)" "$1" >&2
    [[ -z ${2:-} ]] || printf '       %s\n' "$2" >&2
    exit 1
}

is_root() { [[ $(id -u) == 0 ]]; }

have() { command -v "$1" >/dev/null 2>&1; }

# Prints a short name of this clone, for places where its path may be too long.
clone_id() { printf '%s' "$ROOT" | sha256sum | cut -c1-12; }

make_dirs() {
    mkdir -p "$DEV_DIR" "$LOG_DIR" "$RUN_DIR" "$DEV_DIR/way"
    (umask 077 && mkdir -p "$DEV_DIR/secrets")
}

# locked COMMAND...: runs a command that starts or stops something, one at a time in this clone. A background
# process must close file descriptor 9, or it would hold the lock for as long as it lives.
locked() {
    make_dirs
    (
        flock --timeout 900 9 || die "another ./dev has held .dev/lock for 15 minutes" "look for it with: fuser -v .dev/lock"
        "$@"
    ) 9>"$DEV_DIR/lock"
}

# write_private FILE: writes standard input to a file that only its owner can read. The file is replaced only
# when all of it has been written.
write_private() {
    (umask 077 && cat >"$1.new") && mv "$1.new" "$1"
}

# secret NAME: prints a secret, which is made on first use. It is hex, which needs no quoting in URLs and files.
secret() {
    local file="$DEV_DIR/secrets/$1"
    [[ -s $file ]] || openssl rand -hex 32 | tr -d '\n' | write_private "$file"
    cat "$file"
}

# secret_key NAME: prints a secret of 32 random bytes as base64, which is made on first use.
secret_key() {
    local file="$DEV_DIR/secrets/$1"
    [[ -s $file ]] || openssl rand -base64 32 | tr -d '\n' | write_private "$file"
    cat "$file"
}

port_open() { (exec 3<>"/dev/tcp/$HOST/$1") 2>/dev/null; }

# free_port PORT SETTING: exits if another process listens on the port already.
free_port() {
    ! port_open "$1" || die "port $1 is taken by a process that ./dev did not start" \
        "stop that process, or choose another port: $2=<port> ./dev ..."
}

# started_at PID: prints when a process started, in clock ticks since boot. Id and start together name one
# process, so that a process that got a recycled id is never taken for ours.
started_at() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    awk '{ print $20 }' <<<"${stat##*) }"
}

# pid_of NAME: prints the id of a process that we started, and fails if it does not run any more.
pid_of() {
    local pid ticks
    read -r pid ticks 2>/dev/null <"$RUN_DIR/$1.pid" || return 1
    [[ -n $ticks && $(started_at "$pid") == "$ticks" ]] || return 1
    # A zombie has ended, and only waits for its parent to notice.
    ! grep -q '^State:[[:space:]]*Z' "/proc/$pid/status" 2>/dev/null || return 1
    echo "$pid"
}

is_running() { pid_of "$1" >/dev/null; }

record_process() { echo "$2 $(started_at "$2")" >"$RUN_DIR/$1.pid"; }

# start_process NAME COMMAND...: starts a background process in its own session, so that Ctrl-C in this terminal
# does not reach it.
start_process() {
    local name=$1 log="$LOG_DIR/$1.log"
    shift
    if [[ -e $log && $(stat -c %s "$log") -gt $LOG_KEEP_BYTES ]]; then mv "$log" "$log.1"; fi
    (
        cd /
        raise_open_files
        exec setsid "$@" </dev/null >>"$log" 2>&1 9>&-
    ) &
    record_process "$name" $!
}

# Raises the limit of open files. The usual 1024 are too few for a broker, which keeps several files of each
# partition open.
raise_open_files() {
    local hard
    hard=$(ulimit -Hn)
    if [[ $hard == unlimited || $hard -gt 65536 ]]; then hard=65536; fi
    ulimit -Sn "$hard"
}

# wait_for NAME SECONDS COMMAND...: waits until the command succeeds. If the process ends or the time is over
# before, it shows the end of the process's log and fails.
wait_for() {
    local name=$1 deadline=$((SECONDS + $2))
    shift 2
    until "$@" >/dev/null 2>&1; do
        if ! is_running "$name"; then
            explain_failure "$name" "ended before it was ready"
            return 1
        elif ((SECONDS >= deadline)); then
            explain_failure "$name" "is not ready in time"
            return 1
        fi
        sleep 0.2
    done
}

explain_failure() {
    warn "$1 $2; the end of $LOG_DIR/$1.log:"
    tail -n 15 "$LOG_DIR/$1.log" 2>/dev/null | sed 's/^/    | /' >&2 || true
}

# stop_process NAME [SIGNAL [SECONDS]]: sends the signal, waits, and kills the process if it does not stop in time. It does
# nothing if the process does not run.
stop_process() {
    local name=$1 signal=${2:-TERM} limit=${3:-$STOP_SECONDS} pid deadline
    deadline=$((SECONDS + limit))
    if pid=$(pid_of "$name"); then
        note "stopping $name (pid $pid)"
        kill -s "$signal" "$pid" 2>/dev/null || true
        while is_running "$name" && ((SECONDS < deadline)); do sleep 0.1; done
        if is_running "$name"; then
            warn "$name did not stop within $limit s: killed"
            kill -s KILL "$pid" 2>/dev/null || true
        fi
    fi
    rm -f "$RUN_DIR/$name.pid"
}
