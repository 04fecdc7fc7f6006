# What the scripts share that build and run tests in several legs: dependencies.sh, instruction_sets.sh, platforms.sh
# and sanitizers.sh.
# shellcheck shell=bash disable=SC2034,SC2154
#
# They define `usage`, and work in the project's folder. run_legs and print_table need `folder`, where everything goes.
# With run_legs a leg may fail while the others go on. Bash ignores `set -e` in functions whose failure is caught: hence
# `|| return` after each step of a leg.

# The status of a leg whose packages cannot be had.
readonly missing=3

jobs=$(nproc 2>/dev/null || echo 2)

# fail MESSAGE
fail() {
    echo "tests/$(basename "$0"): $1" >&2
    exit 2
}

# take_option ARGUMENT...: acts on the first argument if it is an option that all of the scripts have, else fails.
# `taken` is then how many arguments that were.
take_option() {
    taken=1
    case "$1" in
        --no-install) export GRU4REC_NO_INSTALL=1 ;;
        --jobs)
            [[ "${2:-}" =~ ^[1-9][0-9]*$ ]] || fail "--jobs needs a number, 1 or more"
            jobs=$2
            taken=2
            ;;
        -h | --help)
            usage
            exit 0
            ;;
        *) return 1 ;;
    esac
}

# refuse ARGUMENT
refuse() {
    usage >&2
    fail "unknown argument '$1'"
}

# Makes `folder`, or a temporary one that is removed at the end if it is empty, and its name absolute.
use_folder() {
    if [ -z "$folder" ]; then
        folder=$(mktemp -d)
        trap 'rm -rf "$folder"' EXIT
    fi
    mkdir -p "$folder"
    folder=$(cd "$folder" && pwd)
}

# build_tests BUILD FOLDER...: configures with the array `options` and builds the programs of these folders of tests/.
build_tests() {
    local build=$1 targets
    shift
    targets=("${@/#/gru4rec_}")
    targets=("${targets[@]/%/_tests}")
    [[ " $* " != *" unit "* ]] || targets+=(gru4rec_timeline_tests)  # it has the label, too
    cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DGRU4REC_BUILD_TESTS=ON -DGRU4REC_TESTS_PER_UNIT=12 \
        -DGRU4REC_BUILD_EXAMPLES=OFF "${options[@]}" || return
    cmake --build "$build" --parallel "$jobs" --target "${targets[@]}" -- -k 0 || return
}

# run_tests BUILD FOLDER...: prints what ctest prints.
run_tests() {
    local build=$1
    shift
    ctest --test-dir "$build" --parallel "$jobs" --output-on-failure --no-tests=error \
        --label-regex "^($(IFS='|' && echo "$*"))\$"
}

# version_of FILE WORD: what a test program prints after WORD, up to a comma.
version_of() {
    if [ -f "$1" ]; then
        sed -nE "s/\\r//; s/^$2 +([^,]*).*/\\1/p" "$1" | head -n 1
    fi
}

# passed_tests FILE: `12 of 12`, from what ctest printed.
passed_tests() {
    local counts
    if [ -f "$1" ]; then
        counts=$(sed -nE 's/^[0-9]+% tests passed, ([0-9]+) tests? failed out of ([0-9]+)/\1 \2/p' "$1")
        [ -z "$counts" ] || echo "$((${counts#* } - ${counts% *})) of ${counts#* }"
    fi
}

# run_legs LEG...: calls `run_leg LEG` for each, which may write what a test program and ctest print to
# $folder/LEG.versions and $folder/LEG.tests. $folder/rows then holds a row for each leg. Fails if a leg has failed, or
# if the packages of one are missing and skip_missing is not 1.
run_legs() {
    local leg status result failed=0
    : >"$folder/rows"
    for leg in "$@"; do
        rm -f "$folder/$leg.versions" "$folder/$leg.tests"
        status=0
        run_leg "$leg" || status=$?
        case $status in
            0) result=passed ;;
            "$missing") result=MISSING ;;
            *) result=FAILED ;;
        esac
        if [ $status -ne 0 ] && ! { [ $status -eq $missing ] && [ "${skip_missing:-0}" = 1 ]; }; then
            failed=1
        fi
        printf '%-10s %-8s %-10s %-12s %-8s %s\n' "$leg" "$(version_of "$folder/$leg.versions" Eigen)" \
            "$(version_of "$folder/$leg.versions" TBB)" "$(passed_tests "$folder/$leg.tests")" "$result" \
            "$(version_of "$folder/$leg.versions" compiler)" >>"$folder/rows"
    done
    return $failed
}

print_table() {
    printf '\n%-10s %-8s %-10s %-12s %-8s %s\n' leg Eigen oneTBB tests result compiler
    cat "$folder/rows"
}

# unpack_debs TO ARCHITECTURE PACKAGE...: Debian packages, without those that they depend on, unpacked to TO/root.
# Nothing of the system is changed.
unpack_debs() {
    local to=$1 architecture=$2 package apt
    shift 2
    apt=(apt-get -q -o "APT::Architectures::=$(dpkg --print-architecture)" -o "APT::Architectures::=$architecture"
        -o "Dir::State::Lists=$to/lists" -o "Dir::Cache=$to/cache" -o "APT::Sandbox::User=root")
    if [ -d "$to/root" ]; then
        return
    fi
    rm -rf "$to"
    mkdir -p "$to/lists/partial" "$to/cache/archives/partial" "$to/new" || return
    "${apt[@]}" update || echo "apt-get update failed; trying with the lists that it has got" >&2
    (cd "$to" && "${apt[@]}" download "${@/%/:$architecture}") || return $missing
    for package in "$to"/*.deb; do
        dpkg -x "$package" "$to/new" || return
    done
    mv "$to/new" "$to/root"
}

# unpack_source TO PACKAGE: the original source of a Debian package, unpacked to TO/source.
unpack_source() {
    local to=$1 package=$2 apt
    apt=(apt-get -q -o "Dir::Etc::SourceList=/dev/null" -o "Dir::Etc::SourceParts=$to/lists.d"
        -o "Dir::State::Lists=$to/lists" -o "Dir::Cache=$to/cache" -o "APT::Sandbox::User=root")
    if [ -d "$to/source" ]; then
        return
    fi
    rm -rf "$to"
    mkdir -p "$to/lists/partial" "$to/cache/archives/partial" "$to/lists.d" "$to/new" || return
    # The system's places of packages, as places of sources.
    cp /etc/apt/sources.list /etc/apt/sources.list.d/{debian,ubuntu}.sources "$to/lists.d/" 2>/dev/null || true
    sed -i 's/^Types:.*/Types: deb-src/; s/^deb /deb-src /' "$to/lists.d"/* || return
    "${apt[@]}" update || echo "apt-get update failed; trying with the lists that it has got" >&2
    (cd "$to" && "${apt[@]}" source --download-only "$package") || return $missing
    tar -xf "$to"/*.orig.tar.* --strip-components=1 -C "$to/new" || return
    mv "$to/new" "$to/source"
}
