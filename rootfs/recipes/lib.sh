# shellcheck shell=sh
# Shared by the recipes; a `build` script reads it with `. "$RECIPE_LIB"`.
#
# Everything third-party comes through the machine's own apt: the same archive addresses, the
# same keyrings and proxies, apt's signature checks. The package lists are private to the build,
# so that nothing in the user's apt configuration changes and root is not needed.
#
#   RECIPE_WORK   scratch folder of this recipe; `log` in it has the output of every step
#   RECIPE_OUT    where the finished files go, with `version` and `sha256`
#   RECIPE_APT    private apt state, shared by all recipes (default: beside the recipes' folders)

umask 022
export LC_ALL=C
mkdir -p "$RECIPE_WORK" "$RECIPE_OUT"
RECIPE_WORK=$(cd "$RECIPE_WORK" && pwd)
RECIPE_OUT=$(cd "$RECIPE_OUT" && pwd)
RECIPE_NAME=${RECIPE_NAME:-$(basename "$(dirname "$0")")}
RECIPE_APT=${RECIPE_APT:-$(cd "$RECIPE_WORK/../.." && pwd)/apt}
RECIPE_LOG=$RECIPE_WORK/log
# Package lists older than this are fetched again.
LISTS_AGE_MINUTES=720

# fail SENTENCE: the one line a user sees when a recipe stops.
fail() {
    printf '%s: %s\n' "$RECIPE_NAME" "$*" >&2
    exit 1
}

# step WHAT COMMAND...: runs COMMAND with its output in the log; WHAT names it if it fails.
step() {
    step_what=$1
    shift
    printf '+ %s\n' "$*" >>"$RECIPE_LOG"
    "$@" >>"$RECIPE_LOG" 2>&1 </dev/null || fail "$step_what failed; see $RECIPE_LOG"
}

# need PROGRAM DEBIAN_PACKAGE: stops early where a tool is missing.
need() {
    command -v "$1" >/dev/null 2>&1 || fail "$1 is missing; install Debian's package $2"
}

# begin: empties the scratch and output folders, so that no run sees an older one's files, and
# a failed build does not look finished.
begin() {
    trap 'recipe_status=$?; [ $recipe_status -eq 0 ] || rm -f "$RECIPE_OUT/sha256"' EXIT
    rm -rf "${RECIPE_WORK:?}"/* "${RECIPE_OUT:?}"/*
    : >"$RECIPE_LOG"
}

# fetch_source PACKAGE: Debian's source, patched as Debian builds it, in $RECIPE_WORK/source.
fetch_source() {
    need dpkg-source dpkg-dev
    mkdir -p "$RECIPE_WORK/fetch"
    with_lists download source "$1"
    set -- "$RECIPE_WORK"/fetch/*.dsc
    step "unpacking $(basename "$1")" dpkg-source --no-check -x "$1" "$RECIPE_WORK/source"
    sed -n 's/^Version: //p' "$1" | head -n 1 >"$RECIPE_OUT/version"
    record_fetched
}

# fetch_binary PACKAGE: Debian's package, unpacked in $RECIPE_WORK/root.
fetch_binary() {
    mkdir -p "$RECIPE_WORK/fetch"
    with_lists download binary "$1"
    set -- "$RECIPE_WORK"/fetch/*.deb
    step "unpacking $(basename "$1")" dpkg-deb -x "$1" "$RECIPE_WORK/root"
    dpkg-deb -f "$1" Version >"$RECIPE_OUT/version"
    record_fetched
}

# fetch_kernel PACKAGE: the kernel of the package that Debian's package PACKAGE depends on.
fetch_kernel() {
    fetch_binary "$1"
    set -- "$RECIPE_WORK"/fetch/*.deb
    fetch_binary "$(dpkg-deb -f "$1" Depends | sed 's/[ ,].*//')"
    cp "$RECIPE_WORK"/root/boot/vmlinuz-* "$RECIPE_OUT/vmlinuz"
}

# install_program FROM NAME: a program that the recipe built, stripped.
install_program() {
    step "stripping $2" strip -o "$RECIPE_OUT/$2" "$1"
    chmod 755 "$RECIPE_OUT/$2"
    check_static "$2"
}

# install_shipped FROM NAME: a program as Debian ships it, byte for byte.
install_shipped() {
    [ -f "$RECIPE_WORK/root/$1" ] || fail "Debian's package no longer has /$1"
    cp "$RECIPE_WORK/root/$1" "$RECIPE_OUT/$2"
    chmod 755 "$RECIPE_OUT/$2"
    check_static "$2"
}

# A dynamic binary can come out of a build without any complaint; it would not start on the image.
check_static() {
    need readelf binutils
    if readelf -lW "$RECIPE_OUT/$1" | grep -q INTERP; then
        fail "$1 came out dynamically linked"
    fi
}

record_fetched() {
    (cd "$RECIPE_WORK/fetch" && sha256sum -- *) >"$RECIPE_OUT/sha256"
}

# with_lists COMMAND...: runs COMMAND under the lock with fresh enough lists. If it fails with
# older lists, the archive may have moved on since: once more with new ones.
with_lists() {
    need apt-get apt
    need flock util-linux
    mkdir -p "$RECIPE_APT"
    (
        flock 9
        if lists_are_fresh && "$@"; then
            exit 0
        fi
        update_lists
        "$@" || fail "apt cannot download the $2 package $3 from this machine's sources; see $RECIPE_LOG"
    ) 9>"$RECIPE_APT/lock" || exit 1
}

lists_are_fresh() {
    [ -n "$(find "$RECIPE_APT/updated" -mmin "-$LISTS_AGE_MINUTES" 2>/dev/null)" ]
}

# download KIND PACKAGE: into the folder `fetch`, in which a failed attempt may have left parts.
download() {
    rm -rf "${RECIPE_WORK:?}/fetch"/*
    case $1 in
    source) set -- apt-get source --download-only "$2" ;;
    binary) set -- apt-get download "$2" ;;
    esac
    (cd "$RECIPE_WORK/fetch" && apt_private "$@") >>"$RECIPE_LOG" 2>&1
}

# The exit code of `update` also covers other people's repositories and hooks of the machine's
# apt configuration; whether what is needed can be had is seen at the download.
update_lists() {
    derive_sources
    apt_private apt-get update >>"$RECIPE_LOG" 2>&1 || :
    if ls "$RECIPE_APT"/state/lists/*_Sources* >/dev/null 2>&1; then
        : >"$RECIPE_APT/updated"
    fi
}

# apt_private COMMAND...: apt with its own sources, lists and cache; all else is the machine's.
apt_private() {
    apt_command=$1
    shift
    "$apt_command" -q -y \
        -o Dir::Etc::sourcelist="$RECIPE_APT/debian.sources" \
        -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::Etc::preferences="$RECIPE_APT/preferences" \
        -o Dir::Etc::preferencesparts=/dev/null \
        -o Dir::State="$RECIPE_APT/state" \
        -o Dir::State::lists="$RECIPE_APT/state/lists" \
        -o Dir::State::status="$RECIPE_APT/state/status" \
        -o Dir::Cache="$RECIPE_APT/cache" \
        -o Dir::Cache::pkgcache=pkgcache.bin \
        -o Dir::Cache::srcpkgcache=srcpkgcache.bin \
        -o APT::Architecture=amd64 \
        -o APT::Architectures=amd64 \
        -o APT::Sandbox::User="$(id -un)" \
        -o APT::Get::Only-Source=true \
        -o Acquire::Languages=none \
        -o Acquire::Retries=3 \
        "$@"
}

# Writes the private source list and preferences.
derive_sources() {
    mkdir -p "$RECIPE_APT/state/lists/partial" "$RECIPE_APT/cache/archives/partial"
    # As if nothing were installed, so that what is here does not decide which version is taken.
    : >"$RECIPE_APT/state/status"
    printf 'Package: *\nPin: release o=Debian\nPin-Priority: 990\n' >"$RECIPE_APT/preferences"
    derive_codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    [ -n "$derive_codename" ] || fail "/etc/os-release names no Debian release"
    eval "$(apt-config shell derive_list Dir::Etc::sourcelist/f derive_parts Dir::Etc::sourceparts/d)"
    derive_parts=${derive_parts%/}
    {
        for derive_file in "$derive_list" "$derive_parts"/*.list; do
            if [ -f "$derive_file" ]; then one_line_to_stanzas "$derive_file"; fi
        done
        for derive_file in "$derive_parts"/*.sources; do
            if [ -f "$derive_file" ]; then normal_stanzas "$derive_file"; fi
        done
    } | debian_stanzas "$derive_codename" >"$RECIPE_APT/debian.sources"
    [ -s "$RECIPE_APT/debian.sources" ] ||
        fail "this machine's apt sources have no entry for Debian $derive_codename main"
}

# `deb [key=value ...] uri suite component...` becomes a stanza; the same option names are
# fields there, with blanks for commas.
one_line_to_stanzas() {
    awk '
        { sub(/#.*/, "") }
        $1 != "deb" && $1 != "deb-src" { next }
        {
            line = $0
            sub(/^[ \t]*deb(-src)?[ \t]+/, "", line)
            options = ""
            if (line ~ /^\[/) {
                options = substr(line, 2, index(line, "]") - 2)
                line = substr(line, index(line, "]") + 1)
            }
            count = split(line, word, " ")
            if (count < 3) next
            print "URIs: " word[1]
            print "Suites: " word[2]
            components = word[3]
            for (i = 4; i <= count; i++) components = components " " word[i]
            print "Components: " components
            count = split(options, option, " ")
            for (i = 1; i <= count; i++) {
                at = index(option[i], "=")
                value = substr(option[i], at + 1)
                gsub(",", " ", value)
                if (at > 1) print substr(option[i], 1, at - 1) ": " value
            }
            print ""
        }' "$1"
}

# Comments out, and an empty line at the end so that files can be joined.
normal_stanzas() {
    sed -e '/^#/d' -e 's/^[[:blank:]]*$//' "$1"
    echo
}

# Keeps the stanzas (and in them the suites) of this Debian release, main only, as both deb and
# deb-src. The other fields, like Signed-By with a whole key in it, pass unchanged.
debian_stanzas() {
    awk -v codename="$1" '
        function finish(    i, count, suite, suites) {
            count = split(value["suites"], suite, " ")
            suites = ""
            for (i = 1; i <= count; i++)
                if (suite[i] ~ wanted) suites = suites " " suite[i]
            if (suites != "" && enabled && main && !disc) {
                key = value["uris"] suites
                if (!(key in seen)) {
                    seen[key] = 1
                    print "Types: deb deb-src"
                    print "URIs:" value["uris"]
                    print "Suites:" suites
                    print "Components: main"
                    print "Architectures: amd64"
                    printf "%s\n", kept
                }
            }
            split("", value)
            kept = name = ""
            enabled = 1
            main = disc = 0
        }
        BEGIN {
            wanted = "^(" codename "|stable|oldstable)(-updates|-security|/updates)?$"
            finish()
        }
        /^$/ { finish(); next }
        /^[^ \t:]+:/ {
            at = index($0, ":")
            name = tolower(substr($0, 1, at - 1))
            text = substr($0, at + 1)
        }
        /^[ \t]/ { text = $0 }
        name == "types" || name == "architectures" || name == "arch" { next }
        name == "languages" || name == "targets" || name ~ /^(lang|target)[+-]?$/ { next }
        name == "enabled" { if (tolower(text) ~ /no|false|off|0/) enabled = 0; next }
        name == "uris" || name == "suites" { value[name] = value[name] " " text }
        name == "uris" { if (text ~ /cdrom:/) disc = 1; next }
        name == "suites" { next }
        name == "components" { if ((" " text " ") ~ /[ \t]main[ \t]/) main = 1; next }
        { kept = kept $0 "\n" }
        END { finish() }'
}
