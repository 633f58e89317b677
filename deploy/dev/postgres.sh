# shellcheck shell=bash
# PostgreSQL from the machine's own programs, with a cluster of its own in .dev/. It never uses the cluster of the
# system.

POSTGRES_OLDEST=15

# Prints the directory of the newest server programs, and fails if there are none that are new enough.
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

# The server refuses to run as root. For root it runs as the user that its package made.
AS_POSTGRES=()
if is_root; then AS_POSTGRES=(setpriv --reuid=postgres --regid=postgres --init-groups); fi

# Prints the directory of the cluster: .dev/postgres, unless the server's user cannot enter it or its path is too
# long for a socket (107 bytes). Then it is a directory in /var/tmp, to which .dev/postgres is a link.
postgres_home() {
    local home="$DEV_DIR/postgres"
    if ((${#home} > 80)) || ! (cd / && "${AS_POSTGRES[@]}" test -x "$DEV_DIR"); then
        home="/var/tmp/tidemark-$(clone_id)"
    fi
    echo "$home"
}

# make_postgres_home HOME: makes the directory. One that exists must belong to the server's user, because in
# /var/tmp anybody could have made it.
make_postgres_home() {
    local home=$1 owner=postgres
    is_root || owner=$(id -un)
    if [[ ! -e $home && ! -L $home ]]; then install -d -m 700 -o "$owner" "$home"; fi
    [[ ! -L $home && $(stat -c %U "$home") == "$owner" ]] || die "$home is not $owner's own directory" "remove it"
    if [[ $home != "$DEV_DIR/postgres" ]]; then ln -sfn "$home" "$DEV_DIR/postgres"; fi
}

# init_postgres HOME BIN: makes the cluster under another name and renames it when it is complete, so that after an
# interruption it is made anew.
init_postgres() {
    local home=$1 bin=$2
    [[ ! -d $home/data ]] || return 0
    say "making a PostgreSQL cluster in .dev/postgres"
    rm -rf "$home/data.new"
    (cd / && "${AS_POSTGRES[@]}" "$bin/initdb" --pgdata="$home/data.new" --username=postgres --encoding=UTF8 \
        --locale=C.UTF-8 --data-checksums --auth=trust) >"$LOG_DIR/initdb.log" 2>&1 9>&- ||
        die "initdb failed: $(tail -n 1 "$LOG_DIR/initdb.log")" "see $LOG_DIR/initdb.log"
    # The socket needs no password: its directory has mode 0700, so that only the owner of the cluster reaches it.
    printf '%s\n' 'local all all trust' 'host all all 127.0.0.1/32 scram-sha-256' >"$home/data.new/pg_hba.conf"
    mv "$home/data.new" "$home/data"
}

# postgres_remains HOME: whether a process of this cluster lives. Each of them has the data directory as its working
# directory.
postgres_remains() {
    local cwd
    for cwd in /proc/[0-9]*/cwd; do
        if [[ $(readlink "$cwd") == "$1/data" && $(cat "${cwd%/cwd}/comm" 2>/dev/null) == postgres ]]; then return 0; fi
    done
    return 1
}

# adopt_postgres HOME: finds a server that runs although our own pid file was lost. A server that was killed leaves
# lock files, which keep the next one from starting and by now may name another process. They are removed, but
# never before the last backend of the old server has ended.
adopt_postgres() {
    local lock="$1/data/postmaster.pid" pid deadline=$((SECONDS + POSTGRES_STOP_SECONDS))
    if [[ -e $lock ]]; then
        pid=$(head -n 1 "$lock")
        if [[ $(readlink "/proc/$pid/cwd") == "$1/data" ]]; then
            record_process postgres "$pid"
            return
        fi
    fi
    while postgres_remains "$1"; do
        ((SECONDS < deadline)) || die "processes of a PostgreSQL server that was killed still run" "try again in a minute"
        sleep 0.2
    done
    rm -f "$lock" "$1"/.s.PGSQL.*
}

start_postgres() {
    local home bin
    bin=$(postgres_bin) || die "no PostgreSQL $POSTGRES_OLDEST or newer" "install the package postgresql"
    if is_root && ! id postgres >/dev/null 2>&1; then
        die "there is no user postgres, and the server refuses to run as root" "install the package postgresql, or run ./dev as another user"
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
    wait_for postgres "$POSTGRES_START_SECONDS" "$bin/pg_isready" -q -U postgres -h "$home" -p "$POSTGRES_PORT" ||
        die "PostgreSQL did not start" "see $LOG_DIR/postgres.log; './dev reset' deletes all data, so that it can be made anew"
    make_roles "$home"
}

# On SIGINT the server ends its sessions; on SIGTERM it would wait for clients to leave.
stop_postgres() { stop_process postgres INT "$POSTGRES_STOP_SECONDS"; }

# make_roles HOST: makes the roles, or sets their passwords anew. Over the socket the superuser needs no password,
# so that lost secrets lock nobody out.
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
