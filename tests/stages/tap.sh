# TAP for stages written in shell: source it, call tap_case for each test, end with tap_end.
# The stage's own messages go to stderr or behind "# ".
#
# Most of what runs in QEMU leaves a CPU idle: such runs go side by side. beside begins each, with a stream of TAP of its own (tap_alone makes
# one of a test), and together prints their streams one after another.

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

# tap_skip NAME REASON: a test that cannot be made here.
tap_skip() {
    tap_count=$((tap_count + 1))
    echo "ok $tap_count - $1 # SKIP $2"
}

# Prints the plan, and begins a new stream; the status of the one that ends.
tap_end() {
    local failed=$tap_failed
    echo "1..$tap_count"
    tap_count=0 tap_failed=0
    [ "$failed" -eq 0 ]
}

# tap_alone NAME COMMAND…: a stream of one test.
tap_alone() {
    tap_count=0 tap_failed=0
    tap_case "$@"
    tap_end
}

: "${BUILD_ROOT:=build}" "${ARCH:=x86_64}" "${ARCHS:=$ARCH}" "${MAKE:=make}" "${JOBS:=$(nproc)}"

beside_jobs=()
beside_folder=$BUILD_ROOT/test/$(basename "$0").beside

# beside COMMAND…: begins COMMAND as soon as fewer than LANES (as many as there are CPUs, unless said otherwise) run of those before it.
beside() {
    mkdir -p "$beside_folder"
    while [ "$(jobs -rp | wc -l)" -ge "${LANES:-$JOBS}" ]; do
        wait -n
    done
    beside_run "$beside_folder/${#beside_jobs[@]}" "$@" &
    beside_jobs+=($!)
}

# What ends without a plan is a failed test.
beside_run() { # OUTPUT COMMAND…
    local output=$1 status
    shift
    "$@" >"$output" 2>&1 </dev/null
    status=$?
    grep -aq '^1\.\.' "$output" || {
        echo "not ok - $*: ended without a plan, status $status"
        echo "1..$(($(grep -acE '^(not )?ok\b' "$output") + 1))"
    } >>"$output"
}

# Prints what those beside each other say, in the order in which they began.
together() {
    local job
    for job in "${!beside_jobs[@]}"; do
        wait "${beside_jobs[job]}" 2>/dev/null
        cat "$beside_folder/$job"
    done
    rm -rf "$beside_folder"
    beside_jobs=()
}

# make with the settings of this run; BUILD= and ARCH= may follow.
run_make() {
    env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u CMD -u BUILD -u SMP -u MEM "$MAKE" --no-print-directory -j"$JOBS" BUILD_ROOT="$BUILD_ROOT" ARCH="$ARCH" "$@"
}

# system_test ARCH[, BUILD] TEST [OPTION…]: the stream of tests/system/TEST.py on ARCH, which stands before each name as it is given.
system_test() {
    local on=$1 test=$2
    shift 2
    ARCH=${on%%,*} python3 "tests/system/$test.py" "$@" | sed -E "s/^((not )?ok [0-9]+ - )/\1$on: /"
}

# front_door ARCH [VARIABLE=VALUE…]: `make run` as it is typed: what CMD says reaches the shell as it is, its output comes out and nothing
# else, and make fails as it did.
front_door() {
    local output status arch=$1
    shift
    output=$(env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL "$MAKE" --no-print-directory BUILD_ROOT="$BUILD_ROOT" ARCH="$arch" "$@" run \
        CMD='for i in 1 2; do echo "$i" '"'x'"'; done; exit 3' 2>/dev/null)
    status=$?
    [ "$output" = $'1 x\n2 x' ] && [ "$status" -ne 0 ] || { echo "status $status, output: $output"; return 1; }
}
