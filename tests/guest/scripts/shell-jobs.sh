#!/bin/sh
# Background jobs, wait, traps, signals and exit codes.
. "${0%/*}/helper.sh"

status 0 true
status 1 false
status 7 sh -c 'exit 7'
status 127 sh -c '/no/such/program 2>/dev/null'
status 127 sh -c 'no-such-command 2>/dev/null'
: >plain
status 126 sh -c './plain 2>/dev/null'
status 2 sh -c 'if' 2>/dev/null
status 143 sh -c 'kill -TERM $$' 2>/dev/null
status 137 sh -c 'sh -c "kill -KILL \$\$"; exit $?' 2>/dev/null
status 3 sh -c '(exit 3)'
status 4 sh -c 'set -e; (exit 4); exit 0'
status 0 sh -c 'set -e; if false; then :; fi; false || true'
status 5 sh -c 'trap "exit 5" TERM; kill -TERM $$; sleep 1'

sleep 0 &
wait $!
is "wait for a job" $? 0
(exit 9) &
wait $!
is "exit code of a job" $? 9
sh -c 'kill -KILL $$' &
wait $! 2>/dev/null
is "signal of a job" $? 137
wait 999999 2>/dev/null
is "wait for no child" $? 127

for i in 1 2 3 4 5 6 7 8 9 10; do (sleep 0; echo $i >job$i) & done
wait
is "ten jobs" "$(cat job* | sort -n | tr '\n' ' ')" "1 2 3 4 5 6 7 8 9 10 "
for f in /etc/*; do [ -f "$f" ] && [ -r "$f" ] && wc -l <"$f"; done | sort -n >counted
is "a loop into sort" "$(sort -n counted)" "$(cat counted)"

sleep 100 &
job=$!
kill -0 $job
is "a job is alive" $? 0
kill $job
wait $job 2>/dev/null
is "a killed job" $? 143
kill -0 $job 2>/dev/null
is "a dead job is gone" $? 1
sleep 100 &
job=$!
kill -STOP $job && kill -CONT $job && kill -TERM $job
wait $job 2>/dev/null
is "stopped, continued, killed" $? 143
# In a script a background job ignores the keyboard's signals.
sh -c 'sleep 100 & sleep 0.2; kill -INT $!; sleep 0.2; kill -TERM $!; wait $!' 2>/dev/null
is "background ignores SIGINT" $? 143

is "trap EXIT" "$(sh -c 'trap "echo bye" EXIT; echo hello')" "hello
bye"
is "trap a signal" "$(sh -c 'trap "echo caught" USR1; kill -USR1 $$; echo after')" "caught
after"
is "ignore a signal" "$(sh -c 'trap "" TERM; kill -TERM $$; echo alive')" alive
is "ignored is inherited" "$(sh -c 'trap "" TERM; sh -c "kill -TERM \$\$; echo alive"')" alive
is "reset a trap" "$(exec 2>/dev/null; sh -c 'trap "echo no" TERM; trap - TERM; kill -TERM $$; echo alive' 2>/dev/null; echo $?)" 143
is "a trap interrupts wait" "$(sh -c 'trap "echo caught" USR1; (sleep 0; kill -USR1 $$) & sleep 3 & wait $!; echo $?' 2>/dev/null | head -n 1)" caught
is "a trap in a loop" "$(sh -c 'n=0; trap "n=\$((n + 1))" USR1; for i in 1 2 3; do kill -USR1 $$; done; echo $n')" 3
is "SIGPIPE ends a writer" "$( (sh -c 'while :; do echo x; done'; echo $? >code) | head -n 1; cat code)" "x
141"

i=0
while [ $i -lt 300 ]; do
    (:) || is "fork $i" failed ok
    i=$((i + 1))
done
is "exec replaces the shell" "$(sh -c 'exec echo replaced; echo never')" replaced
is "pids" "$(sh -c 'echo $$ $PPID' | { read -r own parent; [ "$own" -gt 1 ] && [ "$parent" -gt 0 ] && [ "$own" != "$parent" ] && echo ok; })" ok
is "time out of a read" "$(echo | sh -c 'read -r x; echo "[$x]"; read -r y || echo end')" "[]
end"
cat >looped <<'END'
#!/bin/sh
echo "$0 $#" "$@"
exit 6
END
chmod +x looped
is "a script by its first line" "$(./looped one 'two three'; echo $?)" "./looped 2 one two three
6"
