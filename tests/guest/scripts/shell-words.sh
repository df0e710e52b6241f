#!/bin/sh
# Globs, substitutions, expansions, control flow and functions.
. "${0%/*}/helper.sh"

mkdir dir dir/sub
: >a1 && : >a2 && : >b1 && : >.hidden && : >'with space' && : >dir/x.c && : >dir/sub/y.c
is "star" "$(echo a*)" "a1 a2"
is "question mark" "$(echo ?1)" "a1 b1"
is "set" "$(echo [ab]1) $(echo [!a]1) $(echo [a-b]2)" "a1 b1 b1 a2"
is "no match stays" "$(echo z*)" "z*"
is "hidden files" "$(echo .h*)" ".hidden"
is "folders" "$(echo dir/*) $(echo */*.c) $(echo */*/*.c)" "dir/sub dir/x.c dir/x.c dir/sub/y.c"
is "quoted is no pattern" "$(echo "a*") $(echo 'a*') $(echo a\*)" "a* a* a*"
count=0
for name in *; do count=$((count + 1)); done
is "names with blanks are one word" $count 5
set -f
is "globbing off" "$(echo a*)" "a*"
set +f
case file.tar.gz in *.gz) matched=gz ;; *.tar*) matched=tar ;; *) matched=none ;; esac
is "case" $matched gz
is "etc" "$(cd /etc && echo pass*)" "$(cd /etc && for f in pass*; do printf '%s ' "$f"; done | sed 's/ $//')"

is "command substitution" "$(echo "$(echo nested $(echo deeper))")" "nested deeper"
is "backquotes" "`echo old \`echo style\``" "old style"
is "trailing newlines go" "$(printf 'x\n\n\n')" x
is "exit code of a substitution" "$(x=$(exit 3); echo $?)" 3
is "a large substitution" "$(x=$(yes 0123456789 | head -n 20000); echo ${#x})" 219999
unset u
v=value.tar.gz
is "default" "${u-default} ${u:-default} ${v-default}" "default default value.tar.gz"
is "alternative" "${u+set}${v+set}" set
is "assign" "${u:=assigned}$u" assignedassigned
is "length" ${#v} 12
is "suffix" "${v%.*} ${v%%.*}" "value.tar value"
is "prefix" "${v#*.} ${v##*.}" "tar.gz gz"
(: "${none:?message}") 2>/dev/null
is "unset is an error on request" $(($? != 0)) 1
is "arithmetic" "$((1 + 2 * 3)) $((7 / 2)) $((7 % 3)) $((1 << 10)) $((0x1f)) $((5 > 3 ? 10 : 20))" "7 3 1 1024 31 10"
is "positional" "$(set -- a 'b c' d; echo $# "$2" "$*"; shift; echo "$1")" "3 b c a b c d
b c"
is "field splitting" "$(IFS=:; set -- $(echo a:b:c); echo $#)" 3
is "quotes" "$(printf '%s|' a"b c"d 'e"f' "g'h" i\ j)" "ab cd|e\"f|g'h|i j|"
is "tilde" "$(HOME=/some/home; echo ~ ~/x)" "/some/home /some/home/x"

factorial() {
    if [ "$1" -le 1 ]; then echo 1; else echo $(($1 * $(factorial $(($1 - 1))))); fi
}
is "a recursive function" "$(factorial 10)" 3628800
sum=0
for i in 1 2 3 4 5 6; do
    [ $i -eq 2 ] && continue
    [ $i -eq 5 ] && break
    sum=$((sum + i))
done
is "for, continue, break" $sum 8
i=0
until [ $i -ge 5000 ]; do i=$((i + 1)); done
is "until" $i 5000
local_test() { local x=inside; echo $x; }
x=outside
is "local" "$(local_test) $x" "inside outside"
is "eval" "$(name=v; eval "echo \$$name")" value.tar.gz
is "environment" "$(EXPORTED=yes sh -c 'echo $EXPORTED') ${EXPORTED-no}" "yes no"
export EXPORTED=kept
is "export" "$(sh -c 'echo $EXPORTED')" kept
is "printf" "$(printf '%05d %x %s %c %%\n' 42 255 str c)" "00042 ff str c %"
is "test" "$([ -f a1 ] && [ -d dir ] && [ ! -e none ] && [ -s /etc/passwd ] && [ a != b ] && echo ok)" ok
is "subshell keeps its changes" "$( (cd dir && x=changed && pwd) | sed 's/.*\///') $x" "dir outside"
. ./a1
echo 'sourced=$1yes' >script
. ./script
is "dot" "$sourced" yes
is "umask" "$(umask 077; : >private; ls -l private | cut -c1-10)" "-rw-------"
