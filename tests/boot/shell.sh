# Run in the guest's dash by `cargo xtask run --exec`; one line for each test.
is() { # NAME EXPECTED ACTUAL
	if [ "$2" = "$3" ]; then echo "shell: ok $1"; else echo "shell: FAILED $1: not '$2' but '$3'"; fi
}
is uname_names_the_system Neutrino "$(uname -s)"
is a_pipeline_of_three_passes_data 3 "$(printf 'c\na\nb\n' | sort | wc -l)"
is redirections_write_and_append 'one two' "$(cd /tmp; echo one >r; echo two >>r; echo $(cat r))"
is a_here_document_is_read 'x 1' "$(v=1; cat <<END
x $v
END
)"
is a_glob_expands_in_order '/etc/group /etc/hostname' "$(echo /etc/[gh]*)"
is a_background_job_is_waited_for 7 "$( (exit 7) & wait $!; echo $?)"
is a_trap_runs_at_a_signal caught "$(sh -c 'trap "echo caught" USR1; kill -USR1 $$')"
is exit_codes_come_back 3 "$(sh -c 'exit 3'; echo $?)"
is a_killed_child_shows_its_signal 137 "$(sh -c 'kill -9 $$' 2>/dev/null; echo $?)"
is sed_and_awk_work '6' "$(echo 1 2 3 | sed 's/ /+/g' | awk -F+ '{print $1+$2+$3}')"
is files_survive_tar_and_gzip same "$(cd /tmp; mkdir -p t; echo same >t/f; tar c t | gzip | gunzip | tar xO t/f)"
is lua_computes 55 "$(lua -e 's=0 for i=1,10 do s=s+i end print(s)')"
is sqlite_counts_rows 1000 "$(sqlite3 /tmp/d.db 'create table a(b); with recursive c(x) as (select 1 union all select x+1 from c where x<1000) insert into a select x from c; select count(*) from a;')"
is bash_static_runs 4 "$(bash -c 'a=(1 2 3 4); echo ${#a[@]}')"
is mksh_runs ok "$(mksh -c 'echo ok')"
