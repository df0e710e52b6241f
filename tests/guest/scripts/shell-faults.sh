#!/bin/sh
# What a shell says of programs that die, and that it goes on. Needs `faults` beside it.
home=$(cd "${0%/*}" && pwd)
. "${0%/*}/helper.sh"

# dies DEED CODE MESSAGE
dies() {
    message=$( (sh -c "$home/faults $1; exit \$?") 2>&1)
    is "exit code after $1" $? "$2"
    case $message in
    *"$3"*) ;;
    *) is "message after $1" "$message" "$3" ;;
    esac
}
dies read_null 139 "Segmentation fault"
dies call_kernel 139 "Segmentation fault"
dies call_stack 139 "Segmentation fault"
dies divide_by_zero 136 exception
dies undefined_instruction 132 "Illegal instruction"
dies call_abort 134 "Aborted"
is "the shell goes on" "$(echo alive)" alive
