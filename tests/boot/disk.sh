# Run in the guest's dash by `cargo xtask run --exec` with an edu device and two disks: the first has
# an MBR and partition 2 outside it, the second a GPT. One line for each test.
is() { # NAME EXPECTED ACTUAL
	if [ "$2" = "$3" ]; then echo "disk: ok $1"; else echo "disk: FAILED $1: not '$2' but '$3'"; fi
}
nobody() { su -s /bin/sh nobody -c "$1" 2>&1 | sed 's/.*: //'; }

is pci_finds_a_function_by_its_number 1 "$(pci -q 1234:11e8 | wc -l)"
is pci_says_when_there_is_none 1 "$(pci -q ffff:1 >/dev/null; echo $?)"
is configuration_space_can_be_read '3412 e811' "$(od -An -tx1 -N4 /dev/pci/$(pci -q 1234:11e8) | sed 's/ \(..\) \(..\) \(..\) \(..\)/\1\2 \3\4/')"
is only_root_takes_a_function 'Permission denied' "$(nobody ": >>/dev/pci/$(pci -q 1234:11e8)")"
edu &
waitfor /dev/edu
is an_interrupt_tells_that_the_device_is_done 120 "$(echo 5 >/dev/edu; cat /dev/edu)"
is the_device_reads_and_writes_memory 'by DMA' "$(echo 'some by DMA' >/dev/edu.buffer; tail -c +6 /dev/edu.buffer | head -n 1)"
is a_function_has_one_driver 'edu: cannot serve /dev/edu: EBUSY 1' "$(echo $(edu $(pci -q 1234:11e8) 2>&1; echo $?))"
is a_driver_is_a_user_that_nobody_else_is 65536 "$(pid=$(pidin | awk '$3 == "edu" { print $1 }'); echo $(($(awk '/^Uid/ { print $3 }' /proc/$pid/status) - pid)))"
is a_killed_driver_leaves_the_device_to_the_next 720 "$(slay -s KILL edu >/dev/null; sleep 0.2; edu >/dev/null 2>&1 & waitfor /dev/edu; echo 6 >/dev/edu; cat /dev/edu)"

is partitions_have_the_numbers_of_the_table '/dev/hd0 /dev/hd0.1 /dev/hd0.3 /dev/hd0.5 /dev/hd1 /dev/hd1.1 /dev/hd1.4' "$(echo /dev/hd*)"
is a_partition_outside_the_disk_is_not_there no "$([ -e /dev/hd0.2 ] || echo no)"
is a_disk_is_a_block_device 'block special file' "$(stat -c %F /dev/hd0)"
is ioctls_tell_the_sizes '33554432 4194304 8192 512' "$(echo $(blockdev --getsize64 /dev/hd0) $(blockdev --getsize64 /dev/hd0.1) $(blockdev --getsz /dev/hd0.1) $(blockdev --getss /dev/hd0))"
is a_partition_begins_where_the_table_says 'part one guid four' "$(head -c 8 /dev/hd0.1) $(head -c 9 /dev/hd1.4)"
is others_do_not_read_a_disk 'Permission denied' "$(nobody "cat /dev/hd0")"
seq 200000 >/tmp/numbers
dd if=/tmp/numbers of=/dev/hd0.1 bs=64k conv=fsync 2>/dev/null
is what_was_written_is_read_back same "$(cmp -n $(stat -c %s /tmp/numbers) /tmp/numbers /dev/hd0.1 && echo same)"
is writes_in_odd_pieces_are_read_back same "$(dd if=/tmp/numbers of=/dev/hd0.3 bs=999 seek=7 2>/dev/null; dd if=/dev/hd0.3 bs=999 skip=7 2>/dev/null | cmp -n $(stat -c %s /tmp/numbers) - /tmp/numbers && echo same)"
is readers_at_once_read_the_same 1 "$(for i in 1 2 3 4 5 6; do md5sum </dev/hd0.1 & done | sort -u | wc -l)"
is writes_end_where_the_partition_ends 'No space left on device' "$(cat /dev/zero 2>/dev/null | dd of=/dev/hd0.5 bs=64k 2>&1 | sed -n 's/.*: No/No/p')"
is its_neighbour_is_as_it_was same "$(cmp -n $(stat -c %s /tmp/numbers) /tmp/numbers /dev/hd0.1 && echo same)"
is the_end_of_a_disk_is_the_end 0 "$(tail -c +33554433 /dev/hd0 | wc -c)"
is a_few_bytes_in_the_middle_are_all_that_changes 'ab-short-z 26' "$(printf abcdefghijklmnopqrstuvwxyz | dd of=/dev/hd0.5 bs=26 2>/dev/null; printf -- '-short-' | dd of=/dev/hd0.5 bs=1 seek=2 conv=notrunc 2>/dev/null; printf z | dd of=/dev/hd0.5 bs=1 seek=9 2>/dev/null; head -c 10 /dev/hd0.5) $(head -c 26 /dev/hd0.5 | wc -c)"
is a_few_bytes_of_a_new_block_are_read 'aabb' "$(dd if=/dev/hd1 bs=4 skip=127 count=1 2>/dev/null | od -An -tx1 | sed 's/ 00 00 55 aa/aabb/')"
sum=$(md5sum </dev/hd0)
slay -s KILL devb-virtio >/dev/null
sleep 0.2
devb-virtio $(pci -q 1af4:1042 1af4:1001 | head -n 1) 2>/tmp/complaint &
waitfor /dev/hd0
is a_driver_started_again_finds_what_was_written "$sum" "$(md5sum </dev/hd0)"
is it_says_which_partition_is_left_out "devb-virtio: /dev/hd0: partition 2 (blocks 60000 to 119999) is not within the disk's 65536 blocks: it is left out" "$(cat /tmp/complaint)"
printf 'written last' | dd of=/dev/hd0.3 conv=fsync 2>/dev/null
