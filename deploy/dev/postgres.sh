# shellcheck shell=bash
# PostgreSQL from the machine's own binaries: a cluster of our own below .dev/, never the system's.

POSTGRES_OLDEST=15

# The directory of the newest server binaries that are new enough.
postgres_bin() {
    local dir
    for dir in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -t/ -k5 -rn); do
        if [[ -x $dir/initdb && $(basename "$(dirname "$dir")") -ge $POSTGRES_OLDEST ]]; then
            echo "$dir"
            return
        fi
    done
    return 1
}

# The server refuses to run as root: then it runs as the user that its package made.
AS_POSTGRES=()
if is_root; then AS_POSTGRES=(setpriv --reuid=postgres --regid=postgres --init-groups); fi

# .dev/postgres, unless the server's user cannot get there or the path is too long for a socket
# (107 bytes): then a directory in /var/tmp, with .dev/postgres pointing to it.
postgres_home() {
    local home="$DEV_DIR/postgres"
    if ((${#home} > 80)) || ! (cd / && "${AS_POSTGRES[@]}" test -x "$DEV_DIR"); then
        home="/var/tmp/tidemark-$(clone_id)"
    fi
    echo "$home"
}

# What lies there already must be the server's user's: in /var/tmp anybody may have laid it.
make_postgres_home() {
    local home=$1 owner=postgres
    is_root || owner=$(id -un)
    if [[ ! -e $home && ! -L $home ]]; then install -d -m 700 -o "$owner" "$home"; fi
    [[ ! -L $home && $(stat -c %U "$home") == "$owner" ]] || die "$home is not $owner's own directory" "remove it"
    if [[ $home != "$DEV_DIR/postgres" ]]; then ln -sfn "$home" "$DEV_DIR/postgres"; fi
}

# Made aside and renamed when whole, so that an interrupted one is simply made again.
init_postgres() {
    local home=$1 bin=$2
    [[ ! -d $home/data ]] || return 0
    say "making a PostgreSQL cluster in .dev/postgres"
    rm -rf "$home/data.new"
    (cd / && "${AS_POSTGRES[@]}" "$bin/initdb" --pgdata="$home/data.new" --username=postgres --encoding=UTF8 \
        --locale=C.UTF-8 --data-checksums --auth=trust) >"$LOG_DIR/initdb.log" 2>&1 9>&- ||
        die "initdb failed: $(tail -n 1 "$LOG_DIR/initdb.log")" "see $LOG_DIR/initdb.log"
    # The socket lies in a directory of mode 0700: whoever reaches it owns the cluster.
    printf '%s\n' 'local all all trust' 'host all all 127.0.0.1/32 scram-sha-256' >"$home/data.new/pg_hba.conf"
    mv "$home/data.new" "$home/data"
}

# Whether a process of this cluster lives: each has the data directory as its working directory.
postgres_remains() { find /proc/[0-9]*/cwd -maxdepth 0 -lname "$1/data" 2>/dev/null | grep -q .; }

# A server whose pid file of ours was lost is taken up again. One that was killed leaves lock files
# that may by now name another process and keep the next from starting: they go, but never before
# its last backend has gone.
adopt_postgres() {
    local lock="$1/data/postmaster.pid" pid deadline=$((SECONDS + STOP_SECONDS))
    [[ -e $lock ]] || return 0
    pid=$(head -n 1 "$lock")
    if [[ $(readlink "/proc/$pid/cwd") == "$1/data" ]]; then
        record_process postgres "$pid"
        return
    fi
    while postgres_remains "$1"; do
        ((SECONDS < deadline)) || die "processes of a PostgreSQL that was killed are still there" "try again in a while"
        sleep 0.2
    done
    rm -f "$lock" "$1"/.s.PGSQL.*
}

start_postgres() {
    local home bin
    bin=$(postgres_bin) || die "no PostgreSQL $POSTGRES_OLDEST or newer" "install the package postgresql"
    if is_root && ! id postgres >/dev/null 2>&1; then
        die "there is no user postgres, and the server refuses to run as root" "install the package postgresql, or be another user"
    fi
    home=$(postgres_home)
    if ! is_running postgres; then
        make_postgres_home "$home"
        init_postgres "$home" "$bin"
        adopt_postgres "$home"
    fi
    if ! is_running postgres; then
        free_port "$POSTGRES_PORT" TIDEMARK_DEV_POSTGRES_PORT
        install -m 644 "$ROOT/deploy/postgres/postgresql.conf" "$home/data/tidemark.conf"
        start_process postgres "${AS_POSTGRES[@]}" "$bin/postgres" -D "$home/data" -c config_file="$home/data/tidemark.conf" \
            -c listen_addresses="$HOST" -c port="$POSTGRES_PORT" \
            -c unix_socket_directories="$home" -c unix_socket_permissions=0700
    fi
    wait_for postgres "$SERVICE_START_SECONDS" "$bin/pg_isready" -q -U postgres -h "$home" -p "$POSTGRES_PORT" ||
        die "PostgreSQL did not start" "see $LOG_DIR/postgres.log; './dev reset' forgets all data and begins again"
    make_roles "$home"
}

stop_postgres() { stop_process postgres INT; } # INT: do not wait for clients to leave

# make_roles HOST: over the socket the superuser needs no password, so lost secrets lock nobody out.
make_roles() {
    POSTGRES_PASSWORD=$(secret postgres) \
        TIDEMARK_OWNER_PASSWORD=$(secret tidemark_owner) \
        TIDEMARK_APPEND_PASSWORD=$(secret tidemark_append) \
        TIDEMARK_RELAY_PASSWORD=$(secret tidemark_relay) \
        TIDEMARK_PROJECT_PASSWORD=$(secret tidemark_project) \
        TIDEMARK_READ_PASSWORD=$(secret tidemark_read) \
        psql -X -q -v ON_ERROR_STOP=1 -h "$1" -p "$POSTGRES_PORT" -U postgres -d postgres \
        -f "$ROOT/deploy/postgres/roles.sql" || die "the database roles could not be made"
}
