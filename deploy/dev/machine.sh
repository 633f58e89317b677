# shellcheck shell=bash
# Finds the packages that the machine lacks, and installs them through apt. It never starts or changes the
# service units of the packages, because ./dev runs the services as processes of its own.

# package_present PACKAGE: looks for a command of the package, or for a file if it has no command.
package_present() {
    case $1 in
        zlib1g-dev) [[ -e /usr/include/zlib.h ]] ;;
        postgresql) postgres_bin >/dev/null ;;
        redis-server) have redis-server && have redis-cli ;;
        default-jre-headless) have java ;;
        maven) have mvn ;;
        nodejs) have node ;;
        # The Python that apt installs modules for, which need not be the first in the path.
        python3-aiosmtpd) /usr/bin/python3 -c 'import aiosmtpd' 2>/dev/null ;;
        # It stands where only the path of root leads.
        postfix) [[ -x /usr/sbin/postfix ]] ;;
        python3-venv) python3 -c 'import ensurepip' 2>/dev/null ;;
        golang-go) have go ;;
        libnbd-bin) have nbdfuse ;;
        prometheus) have promtool ;;
        *) have "$1" ;;
    esac
}

missing_packages() {
    local package
    for package in "$@"; do
        package_present "$package" || echo "$package"
    done
}

# need_packages PACKAGE...: installs what is missing. Without the right to install, it exits with the command to
# run.
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

# install_packages PACKAGE...: installs them without starting their services, which policy-rc.d forbids by the
# exit code 101.
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

# Undoes what an installation did to policy-rc.d, also after one that was interrupted.
restore_policy() {
    if grep -qs 'Written by ./dev' "$POLICY"; then rm -f "$POLICY"; fi
    if [[ -e $POLICY.before-tidemark ]]; then mv "$POLICY.before-tidemark" "$POLICY"; fi
}

need_rust() {
    have cargo || die "cargo is not on the PATH" "install Rust from https://rustup.rs"
}
