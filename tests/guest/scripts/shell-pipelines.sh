#!/bin/sh
# Pipelines, redirections and here-documents.
. "${0%/*}/helper.sh"

is "a pipeline" "$(echo hello | tr a-z A-Z)" HELLO
is "a long pipeline" "$(printf '3\n1\n2\n' | sort | sed 's/^/x/' | tr '\n' ' ' | cat | cat)" "x1 x2 x3 "
is "builtins in a pipeline" "$(echo a b c | while read -r one two rest; do echo "$rest$two$one"; done)" cba
is "a group in a pipeline" "$({ echo one; echo two; } | wc -l | tr -d ' ')" 2
is "a lot of data" "$(yes | head -n 50000 | wc -c | tr -d ' ')" 100000
is "a reader that leaves early" "$(yes | head -n 1)" y
is "status of the last command" "$(false | true; echo $?) $(true | false; echo $?)" "0 1"
is "negation" "$(! false; echo $?) $(! true; echo $?)" "0 1"
many=$(i=0; while [ $i -lt 200 ]; do echo $i | cat; i=$((i + 1)); done | wc -l | tr -d ' ')
is "two hundred pipelines in a row" "$many" 200

echo first >file
echo second >>file
is "append" "$(cat file)" "first
second"
echo third >file
is "truncate" "$(cat file)" third
is "input" "$(cat <file)" third
{ echo out; echo err >&2; } >out 2>err
is "standard output" "$(cat out)" out
is "standard error" "$(cat err)" err
is "both, in order" "$({ echo out; echo err >&2; echo out; } 2>&1)" "out
err
out"
is "only errors" "$({ echo out; echo err >&2; } 2>&1 >/dev/null)" err
exec 3>numbered
echo three >&3
exec 3>&-
is "a descriptor kept open" "$(cat numbered)" three
exec 4<file
read -r line <&4
exec 4<&-
is "a descriptor to read from" "$line" third
echo rw 1<>file
is "open for both" "$(head -n 1 file)" "rw"
set -C
(echo no >file) 2>/dev/null && is "noclobber" overwritten refused
echo yes >|file
set +C
is "clobber on request" "$(cat file)" yes
(echo x >/no/such/folder/file) 2>/dev/null
is "a redirection that fails" $(($? != 0)) 1
is "a closed standard output" "$( (echo x >&-) 2>/dev/null || echo failed)" failed
while read -r line; do last=$line; done <<END
one
two $((1 + 1)) $(echo three)
END
is "a here-document" "$last" "two 2 three"
is "a quoted here-document" "$(cat <<'END'
$HOME `no` $(no)
END
)" '$HOME `no` $(no)'
is "a here-document without tabs" "$(cat <<-END
	indented
		twice
	END
)" "indented
twice"
is "two here-documents" "$(cat <<A; cat <<B
1
A
2
B
)" "1
2"
long=$(i=0; while [ $i -lt 3000 ]; do echo "line $i of a document longer than any pipe"; i=$((i + 1)); done)
is "a long here-document" "$(cat <<END | tail -n 1
$long
END
)" "line 2999 of a document longer than any pipe"
