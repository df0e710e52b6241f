# Run in the guest's dash by `cargo xtask run --exec`; one line for each test.
is() { # NAME EXPECTED ACTUAL
	if [ "$2" = "$3" ]; then echo "trace: ok $1"; else echo "trace: FAILED $1: not '$2' but '$3'"; fi
}
has() { # NAME PATTERN: whether a line of the printed trace matches
	if grep -q "$2" /tmp/t.txt; then echo "trace: ok $1"; else echo "trace: FAILED $1: no line like $2"; fi
}
tracelogger -f /tmp/t.kev &
tracectl -w
cat /etc/rc >/dev/null
tracectl -i 7 1 2
tracelogger -f /tmp/other.kev 2>/dev/null
is a_second_logger_is_refused 1 $?
tracectl -s
wait
traceprinter /tmp/t.kev >/tmp/t.txt
has a_message_is_told_with_its_type_and_server ' SEND  *cat\[[0-9]*\]  *IO_READ to fs-boot\[[0-9]*\] chid'
has its_receipt_is_told ' RECEIVE  *fs-boot\[[0-9.]*\]  *IO_READ from cat'
has its_answer_is_told ' REPLY  *fs-boot\[[0-9.]*\]  *to cat\[[0-9]*\], status [1-9]'
has a_kernel_call_is_told_with_its_result ' CALL_EXIT  *cat\[[0-9]*\]  *MemMap = [0-9]'
has a_state_is_told_with_what_is_waited_for ' STATE  *cat\[[0-9]*\]  *REPLY on fs-boot'
has a_process_is_told ' PROCESS_NAME  *cat\['
has an_inserted_event_is_told ' USER  *tracectl.* code 7: 0x1, 0x2'
is every_message_of_cat_is_received "$(grep -c ' SEND  *cat' /tmp/t.txt)" "$(grep -c ' RECEIVE .* from cat' /tmp/t.txt)"
is nothing_is_lost 0 "$(grep -c '^#' /tmp/t.txt)"
is times_ascend "$(cut -c1-14 /tmp/t.txt)" "$(cut -c1-14 /tmp/t.txt | sort -n)"

tracelogger -f /tmp/f.kev -F kercall,4 -F process &
tracectl -w
cat /etc/rc >/dev/null
tracectl -s
wait
traceprinter -f /tmp/f.kev >/tmp/f.txt
is filters_leave_classes_out 0 "$(grep -c -e ' CALL' -e ' STATE ' -e ' PROCESS' /tmp/f.txt)"
is filters_leave_the_others_in yes "$(grep -q ' SEND ' /tmp/f.txt && echo yes)"

tracelogger -f /tmp/r.kev -M ring &
tracectl -w
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do ls -lR /sbin /etc >/dev/null; done
tracectl -s
wait
traceprinter /tmp/r.kev >/tmp/r.txt
is a_ring_keeps_as_much_as_it_holds 16384 "$(grep -vc '^#' /tmp/r.txt)"
is a_ring_keeps_the_last yes "$(tail -1 /tmp/r.txt | grep -q ' STOP ' && echo yes)"

tracectl -s 2>/dev/null
is no_trace_can_be_ended_twice 1 $?
