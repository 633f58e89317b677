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

make_postgres_home() {
    local home=$1 owner
    is_root && owner=postgres || owner=$(id -un)
    # Through a rename only: what is not ours (left or laid there by somebody else) is refused.
    [[ -d $home ]] || install -d -m 700 "$home"
    if is_root; then chown --no-dereference postgres: "$home"; fi
    [[ $(stat -c %U "$home") == "$owner" && ! -L $home ]] ||
        die "$home belongs to $(stat -c %U "$home")" "remove it"
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

# A server whose pid file of ours was lost is taken up again; a pid file of the server's that names
# no such process would keep it from starting.
adopt_postgres() {
    local lock="$1/data/postmaster.pid" pid
    [[ -e $lock ]] || return 0
    pid=$(head -n 1 "$lock")
    if tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF -- "-D $1/data "; then
        record_process postgres "$pid"
    else
        rm -f "$lock"
    fi
}

start_postgres() {
    local home bin
    bin=$(postgres_bin) || die "no PostgreSQL $POSTGRES_OLDEST or newer" "install the package postgresql"
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
