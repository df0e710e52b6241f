# Makes a C table of the kernel calls from neutrino/abi/src/calls.rs: numbers, types of the arguments,
# and the errnos that the rows document. `As CALL` means CALL's errnos, too.
/^ *\/\/\/ / { doc = doc " " $0; next }
/^ *0x1[0-9a-f]+ [A-Z]/ {
    name = $2
    row = $0
    sub(/^[^{]*{ */, "", row)
    sub(/ *}.*/, "", row)
    types = ""
    count = split(row, arguments, /, */)
    for (i = 1; i <= count; i++)
        if (split(arguments[i], part, /: */) == 2)
            types = types " " part[2]
    errnos = ""
    rest = doc
    while (match(rest, /[^A-Z_]E[A-Z0-9]+[^A-Z_]/)) {
        found = substr(rest, RSTART + 1, RLENGTH - 2)
        if (length(found) > 3)
            errnos = errnos ", " found
        rest = substr(rest, RSTART + RLENGTH - 1)
    }
    rest = doc
    while (match(rest, /[Aa]s `[A-Za-z]+`/)) {
        other = substr(rest, RSTART + 4, RLENGTH - 5)
        errnos = errnos known[other]
        rest = substr(rest, RSTART + RLENGTH)
    }
    known[name] = errnos
    printf "{ %s, \"%s\", \"%s\", { EINVAL, ENOSYS%s } },\n", $1, name, types, errnos
    doc = ""
    next
}
{ doc = "" }
