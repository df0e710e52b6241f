# Read by the script tests with `. "${0%/*}/helper.sh"`.

me=${0##*/}
failed=0
# Messages go here, also from where a test throws away standard error.
exec 9>&2

# is WHAT GOT WANTED
is() {
    if [ "$2" != "$3" ]; then
        printf '%s: %s: got "%s", expected "%s"\n' "$me" "$1" "$2" "$3" >&9
        failed=1
    fi
}

# status WANTED COMMAND...: the command's exit code.
status() {
    status_wanted=$1
    shift
    status_got=0
    "$@" || status_got=$?
    is "exit code of: $*" "$status_got" "$status_wanted"
}

# A folder of the script's own, which goes with it.
scratch=/tmp/guest-script-$$
finish() {
    finish_code=$?
    trap - EXIT
    cd /
    rm -rf "$scratch"
    [ $finish_code -eq 0 ] || exit $finish_code
    exit $failed
}
trap finish EXIT
mkdir "$scratch" && cd "$scratch" || exit 1
