# What 10-format and 20-lint look for in shell, for stages to source; 35-rules gives them faults to find. Each takes the files to look at.

no_match() { # PATTERN FILE…: fails, showing them, if lines match, and if there is no file to look at or one cannot be read
    local pattern=$1
    shift
    [ $# -gt 0 ] || { echo "no files"; return 1; }
    grep -nHIE -e "$pattern" -- "$@"
    [ $? -eq 1 ]
}
no_space_at_ends() {
    no_match '[[:space:]]+$' "$@"
}
no_tabs() {
    no_match $'\t' "$@"
}
no_unfinished_work() {
    no_match '\b(TODO|FIXME|XXX|HACK|[Pp]laceholder|[Ss]imulated|[Nn]ot (yet )?implemented|[Ff]or now|[Ii]n a real)\b' "$@"
}
pythons_parse() {
    local file
    for file; do
        python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read(), sys.argv[1])' "$file" || return 1
    done
}
shells_parse() {
    local file
    for file; do
        bash -n "$file" || return 1
    done
}
# At most 2 #if per 1,000 lines.
few_conditions() {
    local text lines conditions
    text=$(cat -- "$@") || return 1
    lines=$(wc -l <<<"$text")
    conditions=$(grep -cE '^\s*#\s*(if|ifdef|ifndef)\b' <<<"$text")
    echo "$conditions in $lines lines"
    [ $((conditions * 1000)) -le $((lines * 2 + 1000)) ]
}
# What PAGE, docs/porting.md, names of the interface is what arch.h lists; headers are there as files.
porting_is_true() {
    diff <({ grep -ohE '\b(arch|ARCH)_[A-Za-z0-9_]+\b' kernel/include/arch.h; basename -s .h kernel/arch/host/include/arch_*.h lib/os/arch/*/include/arch_*.h; } | sort -u) \
        <(grep -ohE '\b(arch|ARCH)_[A-Za-z0-9_]+\b' "$1" | sort -u)
}
