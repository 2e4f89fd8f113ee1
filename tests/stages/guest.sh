# Boot archives with tests inside, in QEMU. Source it after tap.sh.

# guest_build NAME BUILD…: one test for each architecture and build: the boot archive NAME and its kernel are made.
guest_build() {
    local name=$1 arch build
    shift
    for arch in $ARCHS; do
        for build in "$@"; do
            tap_case "$arch, $build: guest tests build ($name)" run_make ARCH="$arch" BUILD="$build" "guest-$name"
        done
    done
    tap_end || exit 1
}

# guest_run NAME ARCH BUILD CPUS [OPTION…]: forwards the TAP of one run. A run that ends before its plan is a failed test, and so is a
# data race that the kernel reports. With TEST_CPU the CPUs are of that model, and lack what tests skip; otherwise one that skips failed.
# TEST_NAME tells one machine from another. As many CPUs must run as were asked for, or TEST_ONLINE; with SMP= that many, but where
# instructions are counted: there QEMU has one CPU wait for another's spinning.
guest_run() {
    local name=$1 arch=$2 build=$3 cpus=$4 folder log label status skips='/ # SKIP /s/^ok/not ok/'
    shift 4
    local TEST_SMP=${TEST_SMP:-}
    [[ "$*" != *-icount* ]] || TEST_SMP=
    folder=$BUILD_ROOT/$arch/$build
    log=$folder/guest/$name/log-$cpus
    label="$arch, $build, ${TEST_SMP:-$cpus} CPUs"
    if [ -n "${TEST_CPU:-}" ]; then
        log+=-$TEST_CPU label+=", $TEST_CPU" skips=
        set -- --qemu "-cpu $TEST_CPU" "$@"
    fi
    [ -z "${TEST_NAME:-}" ] || { log+=-$TEST_NAME label+=", $TEST_NAME"; }
    echo "# $label"
    tools/run --arch "$arch" --kernel "$folder/kernel.elf" --archive "$folder/guest/$name/boot.img" --log "$log" --smp "${TEST_SMP:-$cpus}" \
        --mem "${TEST_MEM:-128M}" --command guest --stall 120 "$@" </dev/null >/dev/null 2>"$log.errors"
    status=$?
    tr -d '\r' <"$log" | grep -aE '^(not )?ok [0-9]+ - |^1\.\.|^# ' | sed -E "s/^((not )?ok [0-9]+ - )/\1$label: /; $skips"
    if ! grep -aq '^1\.\.' "$log"; then
        echo "not ok - $label: ended early, status $status"
        tail -n 30 "$log" | sed 's/^/# /'
        echo "1..$(($(grep -acE '^(not )?ok ' "$log") + 1))"
    fi
    if ! grep -aqE "\\] ${TEST_ONLINE:-${TEST_SMP:-$cpus}} CPUs?"$'\r?$' "$log"; then
        echo "not ok - $label: not all CPUs run"
    fi
    if [ "$build" = kcsan ]; then
        tap_case "$label: no data race" guest_is_free_of_races "$log"
        tap_end
    fi
}

guest_is_free_of_races() {
    ! grep -a 'KCSAN:' "$1"
}
