# shellcheck shell=bash
# What the machine must have: finds what is missing and installs it through apt. Never starts or
# touches the units of the packages: the services of ./dev are processes of its own.

# The commands that show that a package is there, or a file where it brings no command.
package_present() {
    case $1 in
        zlib1g-dev) [[ -e /usr/include/zlib.h ]] ;;
        postgresql) postgres_bin >/dev/null ;;
        redis-server) have redis-server && have redis-cli ;;
        default-jre-headless) have java ;;
        maven) have mvn ;;
        libnbd-bin) have nbdfuse ;;
        *) have "$1" ;;
    esac
}

missing_packages() {
    local package
    for package in "$@"; do
        package_present "$package" || echo "$package"
    done
}

# need_packages PACKAGE...: makes sure of them, or stops with the line to run.
need_packages() {
    local missing
    mapfile -t missing < <(missing_packages "$@")
    ((${#missing[@]})) || return 0
    have apt-get || die "missing: ${missing[*]}" "install them with this system's package manager"
    is_root || die "missing: ${missing[*]}" "run: sudo apt-get install --no-install-recommends -y ${missing[*]}"
    say "installing ${missing[*]}"
    install_packages "${missing[@]}"
    mapfile -t missing < <(missing_packages "$@")
    ((${#missing[@]} == 0)) || die "still missing after the installation: ${missing[*]}" "see $LOG_DIR/apt.log"
}

POLICY=/usr/sbin/policy-rc.d

# Packages start their services when they are installed, unless policy-rc.d says no (101).
install_packages() (
    restore_policy
    trap restore_policy EXIT
    [[ ! -e $POLICY ]] || mv "$POLICY" "$POLICY.before-tidemark"
    printf '#!/bin/sh\n# Written by ./dev for the time of an installation.\nexit 101\n' >"$POLICY"
    chmod 755 "$POLICY"
    export DEBIAN_FRONTEND=noninteractive
    {
        apt-get update && apt-get install --no-install-recommends -y "$@"
    } </dev/null >"$LOG_DIR/apt.log" 2>&1 9>&- || {
        tail -n 15 "$LOG_DIR/apt.log" >&2
        die "apt-get could not install: $*" "see $LOG_DIR/apt.log"
    }
)

# Also after an installation that was interrupted.
restore_policy() {
    if grep -qs 'Written by ./dev' "$POLICY"; then rm -f "$POLICY"; fi
    if [[ -e $POLICY.before-tidemark ]]; then mv "$POLICY.before-tidemark" "$POLICY"; fi
}

need_rust() {
    have cargo || die "cargo is not on the PATH" "install Rust from https://rustup.rs"
}
