# shellcheck shell=bash
# Commands for work on the code: tests, benchmarks, fault tests, and the checked queries in .sqlx.

# The database against which queries are checked. It is made anew each time, and nothing else uses it.
CHECK_DATABASE=tidemark_prepare

# with_database URL NAME: prints the URL with the database replaced.
with_database() {
    local url=${1%%\?*} options=
    if [[ $1 == *\?* ]]; then options="?${1#*\?}"; fi
    echo "${url%/*}/$2$options"
}

run_sql() { psql -X -q -v ON_ERROR_STOP=1 "$@" </dev/null; }

# Makes the database from the migrations, and prints its URL.
make_check_database() {
    local admin owner file
    # shellcheck source=/dev/null
    admin=$(. "$DEV_DIR/env" && echo "$TIDEMARK_TEST_DATABASE_URL")
    # shellcheck source=/dev/null
    owner=$(. "$DEV_DIR/env" && with_database "$TIDEMARK_DATABASE__OWNER_URL" "$CHECK_DATABASE")
    [[ -n $admin ]] || die "TIDEMARK_TEST_DATABASE_URL is not set" "give the superuser's URL of the Postgres that the environment names"
    PGOPTIONS='-c client_min_messages=warning' run_sql "$admin" -c "drop database if exists $CHECK_DATABASE with (force)" >&2
    run_sql "$admin" -c "create database $CHECK_DATABASE owner tidemark_owner" >&2
    for file in "$ROOT"/migrations/*.sql; do
        run_sql "$owner" --single-transaction -f "$file" >&2 || die "$file failed"
    done
    with_database "$admin" "$CHECK_DATABASE"
}

# Cargo does not know that a query depends on the database. It expands queries again only in a library, program
# or test of which a file is newer, so this touches every file that holds a checked query.
touch_query_files() {
    local manifest
    for manifest in "$ROOT"/*/Cargo.toml; do
        grep -rlEZ --include='*.rs' 'query[a-z_]*!' "$(dirname "$manifest")" || true
    done | xargs -0 --no-run-if-empty touch
}

# describe_queries DIRECTORY: writes what the database says about every checked query, in the form of .sqlx.
describe_queries() {
    local url
    need_rust
    have psql || need_packages postgresql-client
    url=$(make_check_database)
    touch_query_files
    rm -rf "$1"
    mkdir -p "$1"
    say "checking every query against the migrated database"
    (cd "$ROOT" && SQLX_OFFLINE=false SQLX_OFFLINE_DIR=$1 DATABASE_URL=$url cargo check --workspace --all-targets) ||
        die "the code does not compile against the migrated database" "the compiler's message is above"
}

prepare() {
    local new="$DEV_DIR/sqlx"
    describe_queries "$new"
    if [[ ${1:-} == --check ]]; then
        diff -r "$ROOT/.sqlx" "$new" >&2 || die ".sqlx differs from what the database says" "run ./dev prepare and commit .sqlx"
        say ".sqlx is up to date"
    else
        rm -rf "$ROOT/.sqlx"
        mv "$new" "$ROOT/.sqlx"
        say "wrote .sqlx ($(find "$ROOT/.sqlx" -name '*.json' | wc -l) queries): commit it"
    fi
}

# Checks every shell script of the repository. Those that a first line tells are programs. The others, which end in .sh, are
# parts: they use what other parts set, so they are checked as the programs source them.
lint_shell() {
    local first_line='FNR == 1 { if (/^#!.*sh$/) print FILENAME; nextfile }' programs part
    mapfile -t programs < <(git ls-files -z | xargs --null awk "$first_line")
    shellcheck --external-sources --check-sourced "${programs[@]}" || die "the shell scripts have faults"
    git ls-files '*.sh' | while read -r part; do
        grep --quiet --fixed-strings --line-regexp "# shellcheck source=$part" "${programs[@]}" || die "no program sources $part"
    done
}

# Checks the files that nothing compiles.
lint() {
    need_packages git shellcheck docker-compose
    locked write_environment
    cd "$ROOT" || exit
    lint_shell
    docker-compose --env-file "$DEV_DIR/compose.env" --profile obs config --quiet || die "docker-compose.yml has faults"
}

# Makes this shell the environment of tests, which make databases of their own.
enter_test_environment() {
    need_rust
    # shellcheck source=/dev/null
    . "$DEV_DIR/env"
    [[ -n $TIDEMARK_TEST_DATABASE_URL ]] ||
        die "TIDEMARK_TEST_DATABASE_URL is not set" "give the superuser's URL of the Postgres that the environment names"
    export SQLX_OFFLINE=true
    cd "$ROOT" || exit
}

# Builds the benchmark, and the processes that it measures as they would be deployed.
run_benchmarks() {
    local binary variable targets=()
    enter_test_environment
    for binary in tidemark-command-api tidemark-projector tidemark-query-api; do
        targets+=(--package "$binary" --bin "$binary")
    done
    cargo build --release --package tidemark-tests --bin bench "${targets[@]}" || die "the build failed" "the compiler's message is above"
    # These control ./dev. A process refuses settings that it does not know.
    for variable in "${!TIDEMARK_DEV_@}"; do unset "$variable"; done
    # Each client of live updates needs an open file in the benchmark and one in the query API.
    raise_open_files
    "${CARGO_TARGET_DIR:-target}/release/bench" "$@"
}

# chaos_home: prints the directory for the data of the fault tests' servers. The user that runs PostgreSQL must
# be able to enter it.
chaos_home() {
    if (cd / && "${AS_POSTGRES[@]}" test -x "$DEV_DIR"); then
        echo "$DEV_DIR/chaos"
    else
        echo "/var/tmp/tidemark-$(clone_id)-chaos"
    fi
}

# build_beside DIRECTORY PROFILE FEATURE PROGRAM...: builds programs with a feature, and moves them to a directory of
# their own, so that what is built next is without it.
build_beside() {
    local directory=$1 profile=$2 feature=$3 program flags=()
    shift 3
    if [[ $profile == release ]]; then flags=(--release); fi
    for program in "$@"; do flags+=(--bin "tidemark-$program"); done
    cargo build --workspace "${flags[@]}" --features "$feature" ||
        die "the build failed" "the compiler's message is above"
    rm -rf "$directory" && mkdir -p "$directory"
    for program in "$@"; do mv "${CARGO_TARGET_DIR:-target}/$profile/tidemark-$program" "$directory/"; done
}

# The packages that some faults need. Without them these faults are skipped, each with its reason.
CHAOS_PACKAGES=(strace faketime nbdkit libnbd-bin)
# Those that the faults of --ci need.
CHAOS_CI_PACKAGES=(strace faketime)

# The fault tests start servers of their own. From ./dev they need the installed programs, the jars of Kafka and
# the secrets. With --ci they use the debug build, which CI has already; meaningful times need a release build.
run_chaos() {
    local flags=(--release) profile=release packages=("${CHAOS_PACKAGES[@]}") variable
    if [[ " $* " == *' --ci '* ]]; then flags=() profile=debug packages=("${CHAOS_CI_PACKAGES[@]}"); fi
    need_rust
    need_packages "${PACKAGES[@]}" python3-aiosmtpd
    if is_root && have apt-get; then need_packages "${packages[@]}"; fi
    locked fetch_kafka || die "Maven could not fetch Kafka" "see $LOG_DIR/maven.log"
    locked write_environment
    cd "$ROOT" || exit
    export SQLX_OFFLINE=true
    local built="${CARGO_TARGET_DIR:-target}/$profile"
    # No release may have crash points. This is a debug build, which --ci has no time for.
    if [[ $profile == release ]]; then
        build_beside "$built/failpoints" debug tidemark-platform/failpoints command-api projector
    fi
    build_beside "$built/next-build" "$profile" tidemark-read-models/next-build projector query-api
    cargo build --workspace --bins "${flags[@]}" || die "the build failed" "the compiler's message is above"
    # These control ./dev. A process refuses settings that it does not know.
    for variable in "${!TIDEMARK_DEV_@}"; do unset "$variable"; done
    # shellcheck source=/dev/null
    . "$DEV_DIR/env"
    raise_open_files
    exec "$built/chaos" --postgres-bin "$(postgres_bin)" \
        --kafka-libs "$KAFKA_HOME/libs" --deploy "$ROOT/deploy" --directory "$(chaos_home)" "$@"
}

# The packages of the tools that generate clients, and of the languages of the clients.
CLIENT_PACKAGES=(curl nodejs npm python3-venv golang-go)

run_clients() {
    need_packages "${CLIENT_PACKAGES[@]}"
    enter_test_environment
    cargo build --workspace --bins || die "the build failed" "the compiler's message is above"
    CLIENTS_DIR="$DEV_DIR/clients" "${CARGO_TARGET_DIR:-target}/debug/clients"
}

# The beginnings of the names of all tests that need a broker.
NEED_KAFKA=(log::kafka:: projection::repeated_records::)

# Names the tests that are skipped without a broker. In CI none may be skipped.
skip_kafka() {
    local reason name
    reason=$(way_of kafka | cut -c7-)
    [[ ${CI:-} != true ]] || die "there is no Kafka: $reason" "in CI every test must run"
    for name in "${NEED_KAFKA[@]}"; do
        cargo test --quiet --package tidemark-tests --test all -- --list "$name"
    done | sed -n 's/: test$//p' | while read -r name; do
        warn "skipped: $name: there is no Kafka: $reason"
    done
}

run_tests() {
    local skips=()
    enter_test_environment
    # The mail servers that scenarios send mails to.
    need_packages python3-aiosmtpd postfix
    # promtool checks the metrics and the alerts. Without it, and outside of CI, these checks are left out.
    if [[ ${CI:-} == true ]]; then need_packages prometheus; fi
    command -v promtool >/dev/null || warn "skipped: what promtool checks of metrics and alerts: it is not installed"
    # The scenarios start the real programs, and 'cargo test' alone does not build those.
    cargo build --workspace --bins || die "the build failed" "the compiler's message is above"
    if kafka_missing; then
        skip_kafka
        if [[ " $* " != *' -- '* ]]; then skips=(--); fi
        skips+=("${NEED_KAFKA[@]/#/--skip=}")
    fi
    cargo test --workspace "$@" "${skips[@]}"
}
