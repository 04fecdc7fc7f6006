#!/usr/bin/env bash
# The package as a stranger's project meets it: package_test.sh CHECK, with the settings that packaging.cmake gives.
set -euo pipefail
: "${SOURCE:?}" "${BUILD:?}" "${OUT:?}" "${CMAKE:?}" "${GENERATOR:?}" "${CXX:?}" "${VERSION:?}"

prefix="$OUT/prefix"
here="$SOURCE/tests/packaging"
skipped=77

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# configure FOLDER BUILD-FOLDER [ARGUMENT...]: from nothing, with no flags but those of the arguments.
configure() {
    local from=$1 to=$2
    shift 2
    rm -rf "$to"
    env -u CXXFLAGS -u CPPFLAGS -u LDFLAGS "$CMAKE" -S "$from" -B "$to" -G "$GENERATOR" -DCMAKE_CXX_COMPILER="$CXX" \
        -DCMAKE_EXPORT_COMPILE_COMMANDS=ON "$@"
}

# compiled_by_its_own_flags BUILD-FOLDER: our programs are hardened, those of a project that uses us as it likes.
compiled_by_its_own_flags() {
    grep -q '\.cpp' "$1/compile_commands.json" || fail "expected the commands of the compiler in $1"
    if grep -E 'FORTIFY|-fstack|-fcf-protection|-fPIE|-pie|_GLIBCXX_ASSERTIONS' "$1/compile_commands.json" "$1/build.ninja"; then
        fail "flags of our own programs must not reach other projects"
    fi
}

# accepts/refuses NAME TEXT [ARGUMENT...]: find_package succeeds, or fails with TEXT in its message.
accepts() {
    local name=$1
    shift
    configure "$here/find" "$OUT/find_$name" -DCMAKE_PREFIX_PATH="$prefix" "$@" >"$OUT/find_$name.log" 2>&1 ||
        { cat "$OUT/find_$name.log" >&2 && fail "$name: find_package should have succeeded"; }
    echo "accepted: $name"
}

refuses() {
    local name=$1 text=$2
    shift 2
    if configure "$here/find" "$OUT/find_$name" -DCMAKE_PREFIX_PATH="$prefix" "$@" >"$OUT/find_$name.log" 2>&1; then
        fail "$name: find_package should have failed"
    fi
    tr '\n' ' ' <"$OUT/find_$name.log" | tr -s ' ' | grep -qF "$text" ||
        { cat "$OUT/find_$name.log" >&2 && fail "$name: the message lacks '$text'"; }
    echo "refused: $name"
}

mkdir -p "$OUT"
case "${1:?which check?}" in
    install)
        rm -rf "$prefix"
        "$CMAKE" --install "$BUILD" --prefix "$prefix"
        diff <(cd "$SOURCE/include" && find gru4rec -type f -exec cksum {} + | sort -k3) \
            <(cd "$prefix/include" && find gru4rec -type f -exec cksum {} + | sort -k3) ||
            fail "the installed headers differ from those of the source"
        ;;
    find_package)
        configure "$SOURCE/examples/cmake_project" "$OUT/consumer" -DCMAKE_PREFIX_PATH="$prefix" \
            -DCMAKE_BUILD_TYPE=Debug
        compiled_by_its_own_flags "$OUT/consumer"
        "$CMAKE" --build "$OUT/consumer"
        "$OUT/consumer/shop"
        ;;
    no_strong_symbols)
        command -v nm >/dev/null || exit $skipped
        # Upper case: visible to other files. T, D, B, R: a second one of the name is an error of the linker.
        objects=$(find "$OUT/consumer" -name '*.o')
        [ "$(wc -l <<<"$objects")" -ge 2 ] || fail "expected the objects of two files"
        # shellcheck disable=SC2086
        if nm -C --defined-only $objects | grep -E ' [TDBR] gru4rec::'; then
            fail "these would be defined twice where two files include the header"
        fi
        ;;
    versions)
        accepts "same" -DWANTED="$VERSION"
        accepts "same_minor" -DWANTED="${VERSION%.*}"
        accepts "any"
        refuses "version_99" 'requested version "99"' -DWANTED=99
        refuses "next_minor" "requested version" -DWANTED="${VERSION%%.*}.99"
        refuses "next_patch" "requested version" -DWANTED="${VERSION%.*}.99"
        ;;
    components)
        refuses "unknown_component" "no component 'nonsense'" -DCOMPONENTS=nonsense
        refuses "former_component" "no component 'io'" -DCOMPONENTS=io
        accepts "compiled" -DCOMPONENTS=compiled
        accepts "optional_component" -DOPTIONAL=nonsense
        ;;
    pkg_config)
        command -v pkg-config >/dev/null || exit $skipped
        export PKG_CONFIG_PATH="$prefix/share/pkgconfig"
        pkg-config --exact-version="$VERSION" gru4rec || fail "pkg-config does not find gru4rec $VERSION"
        # shellcheck disable=SC2046
        "$CXX" -std=c++20 "$here/model_file.cpp" $(pkg-config --cflags --libs gru4rec) -o "$OUT/model_file"
        (cd "$OUT" && ./model_file)
        ;;
    add_subdirectory)
        configure "$here/subproject" "$OUT/subproject" -DGRU4REC_SOURCE="$SOURCE" -DCMAKE_BUILD_TYPE=Debug
        compiled_by_its_own_flags "$OUT/subproject"
        "$CMAKE" --build "$OUT/subproject"
        (cd "$OUT/subproject" && ./model_file)
        ;;
    compiled)
        # -mno-avx changes the namespace of the library's functions wherever -march=native stands for more than SSE.
        library_flags=-march=native other_flags=-mno-avx
        abi_of() {
            echo 'GRU4REC_ABI' | "$CXX" "$@" -E -P -include "$SOURCE/include/gru4rec/version.hpp" -x c++ - 2>/dev/null | tail -n 1
        }
        abi=$(abi_of $library_flags) || library_flags=
        configure "$here/compiled" "$OUT/$1" -DCMAKE_PREFIX_PATH="$prefix" -DEXAMPLES="$SOURCE/examples" -DCMAKE_BUILD_TYPE=None \
            -DCMAKE_DISABLE_FIND_PACKAGE_nlohmann_json=ON -DLIBRARY_FLAGS="$library_flags" -DOTHER_FLAGS="$other_flags"
        "$CMAKE" --build "$OUT/$1"
        "$OUT/$1/shop"
        (cd "$OUT/$1" && ./model_file)
        if other=$(abi_of $library_flags $other_flags) && [ "$other" != "$abi" ]; then
            if "$CMAKE" --build "$OUT/$1" --target mismatch >"$OUT/$1.log" 2>&1; then
                fail "a program with other vector instructions than gru4rec_compiled should not link"
            fi
            grep -q "undefined reference.*$other" "$OUT/$1.log" || { cat "$OUT/$1.log" >&2 && fail "expected an error of the linker"; }
        fi
        ;;
    *) fail "no check named $1" ;;
esac
