# shellcheck shell=bash
# Mutants: faults that cargo-mutants makes in the code, one at a time, to see whether a test notices. Which faults
# it makes is in .cargo/mutants.toml.

MUTANTS_VERSION=27.1.0
# The share of the faults that tests must notice, in percent.
MUTANTS_CAUGHT_MIN=90
# How long the tests of one fault may take. Tests that hang have noticed it.
MUTANT_SECONDS=300

# The faults are made in a copy, so that nobody's work is touched. The copy stays, so that only what a fault has
# changed is compiled.
MUTANTS_DIR="$DEV_DIR/mutants"
MUTANTS_TREE="$MUTANTS_DIR/tree"

copy_for_mutants() {
    mkdir -p "$MUTANTS_TREE"
    find "$MUTANTS_TREE" -mindepth 1 -maxdepth 1 ! -name target -exec rm -rf {} +
    git -C "$ROOT" ls-files -z --cached --others --exclude-standard |
        tar -C "$ROOT" --null -T - -cf - | tar -C "$MUTANTS_TREE" -xf - || die "the sources could not be copied"
    # The programs in the package of the scenarios would be linked anew for each fault.
    sed -i '/^\[\[bin\]\]$/,/^$/d' "$MUTANTS_TREE/tests/Cargo.toml"
}

# mutate FILES TESTS...: makes those faults in these files (a regular expression) that no test has noticed yet, and
# lets these tests look for each.
mutate() {
    local where=$1 out="$MUTANTS_DIR/mutants.out" status=0
    shift
    say "faults in $where, and the tests: $*"
    cargo mutants --in-place --iterate --output "$MUTANTS_DIR" --timeout "$MUTANT_SECONDS" --re "$where" "$@" || status=$?
    # 2: a fault was not noticed. 3: tests took too long.
    case $status in 0 | 2 | 3) ;; *) die "cargo-mutants failed" "its messages are above" ;; esac
    cat "$out/caught.txt" "$out/timeout.txt" >>"$MUTANTS_DIR/caught"
    cat "$out/unviable.txt" >>"$MUTANTS_DIR/unviable"
}

# Prints how many of the faults were noticed, and which were not.
report_mutants() {
    local all caught missed
    all=$(cargo mutants --list | sort -u)
    caught=$(sort -u "$MUTANTS_DIR/caught" | comm -12 - <(echo "$all") | wc -l)
    missed=$(sort -u "$MUTANTS_DIR/caught" "$MUTANTS_DIR/unviable" | comm -13 - <(echo "$all"))
    if [[ -n $missed ]]; then warn $'no test notices:\n'"$missed"; fi
    missed=$(grep -c . <<<"$missed" || true)
    say "$caught faults caught, $missed missed: $((100 * caught / (caught + missed))) % caught"
    ((100 * caught >= MUTANTS_CAUGHT_MIN * (caught + missed))) || die "fewer than $MUTANTS_CAUGHT_MIN % are caught"
}

# A fault that was caught is not made again until its line has changed or --anew is given.
run_mutants() {
    local scenarios=(--test-package tidemark-tests -- --test all -- --test-threads=8)
    if [[ ${1:-} == --anew ]]; then rm -rf "$MUTANTS_DIR"/{mutants.out,mutants.out.old,caught,unviable}; fi
    enter_test_environment
    cargo install --quiet --locked --root "$DEV_DIR/tools" "cargo-mutants@$MUTANTS_VERSION" ||
        die "cargo-mutants could not be installed"
    export PATH="$DEV_DIR/tools/bin:$PATH" CARGO_PROFILE_DEV_DEBUG=0
    copy_for_mutants
    cd "$MUTANTS_TREE" || exit
    # Scenarios start these beside the code that has the fault.
    cargo build --workspace --bins || die "the build failed" "the compiler's message is above"
    # First the tests of the crate itself, which take seconds, and then those that need more of the others.
    mutate '^event-store/' -- --lib
    mutate '^(domain|platform|projector)/' -- --lib
    mutate '^(event-store/src/lease|read-models)' --test-package tidemark-projector -- --lib
    mutate '^event-store/src/(append|idempotency)' "${scenarios[@]}" log::idempotency log::contention log::expiry
    mutate '^event-store/src/(lease|relay)' "${scenarios[@]}" log::kafka::relay log::kafka::terms
    mutate '^platform/src/auth' "${scenarios[@]}" identity::
    report_mutants
}
