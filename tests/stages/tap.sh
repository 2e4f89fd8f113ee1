# TAP for stages written in shell: source it, call tap_case for each test, end with tap_end.
# The stage's own messages go to stderr or behind "# ".

tap_count=0
tap_failed=0

# tap_case NAME COMMAND…: one test, passed if COMMAND succeeds; what it prints is shown if it does not.
tap_case() {
    local name=$1 output
    shift
    tap_count=$((tap_count + 1))
    if output=$("$@" 2>&1 </dev/null); then
        echo "ok $tap_count - $name"
    else
        tap_failed=$((tap_failed + 1))
        echo "not ok $tap_count - $name"
        tail -n 50 <<<"$output" | sed 's/^/# /'
    fi
}

# Prints the plan; the status of the stage.
tap_end() {
    echo "1..$tap_count"
    [ "$tap_failed" -eq 0 ]
}

: "${BUILD_ROOT:=build}" "${ARCH:=x86_64}" "${ARCHS:=$ARCH}" "${MAKE:=make}" "${JOBS:=$(nproc)}"

# make with the settings of this run; BUILD= and ARCH= may follow.
run_make() {
    env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u CMD -u BUILD -u SMP -u MEM "$MAKE" --no-print-directory -j"$JOBS" BUILD_ROOT="$BUILD_ROOT" ARCH="$ARCH" "$@"
}
