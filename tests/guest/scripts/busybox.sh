#!/bin/sh
# The everyday commands, as busybox has them.
. "${0%/*}/helper.sh"

mkdir tree tree/one tree/one/two tree/empty
i=0
while [ $i -lt 40 ]; do
    echo "file $i holds needle $((i % 7))" >tree/one/file$i
    i=$((i + 1))
done
echo deep >tree/one/two/deep.txt
ln -s deep.txt tree/one/two/link
ln tree/one/file0 tree/hard

# Archives.
is "tar through gzip and back" "$(cd tree && tar c . | gzip | gunzip | tar t | sort | tail -n 2 | tr '\n' ' ')" \
    "./one/two/deep.txt ./one/two/link "
is "number of entries" "$(cd tree && tar c . | gzip -9 | gunzip | tar t | wc -l | tr -d ' ')" 47
tar czf tree.tgz tree && mkdir copy && tar xzf tree.tgz -C copy
is "unpacked alike" "$(diff -r tree copy/tree && echo same)" same
is "a link stays a link" "$(readlink copy/tree/one/two/link)" deep.txt
is "modes stay" "$(chmod 751 tree/empty; tar cf - tree | (cd copy && tar xf -); stat -c %a copy/tree/empty)" 751

# Finding.
is "find by name" "$(find tree -name 'file1?' | wc -l | tr -d ' ')" 10
is "find by type" "$(find tree -type d | wc -l | tr -d ' ')" 4
is "find and execute" "$(find tree -name deep.txt -exec cat {} \;)" deep
is "find into xargs" "$(find tree -type f -name 'file*' -print0 | xargs -0 cat | wc -l | tr -d ' ')" 40
is "find in /" "$(find / -maxdepth 1 -name etc)" /etc
is "grep recursively" "$(grep -r 'needle 3' tree | wc -l | tr -d ' ')" 6
is "grep with a pattern" "$(grep -rhoE 'file (1|2)[0-9] ' tree | sort | head -n 1)" "file 10 "
is "grep -c and -v" "$(printf 'a\nb\na\n' | grep -c a) $(printf 'a\nb\n' | grep -v a)" "2 b"

# Text.
is "sed" "$(printf 'one two\nthree\n' | sed -e 's/\(o\)\(n\)/\2\1/' -e '/three/d')" "noe two"
is "sed in place" "$(echo old >s && sed -i 's/old/new/' s && cat s)" new
is "awk sums" "$(awk '{ sum += $5 } END { print sum, NR }' tree/one/file*)" "115 40"
is "awk arrays and functions" "$(echo 'a b a c a' | awk '
    function double(x) { return 2 * x }
    { for (i = 1; i <= NF; i++) n[$i]++ }
    END { printf "%d %s\n", double(n["a"]), toupper("ok") }')" "6 OK"
is "sort" "$(printf '10\n9\n2\n' | sort -n | tr '\n' ' ')$(printf 'b 1\na 2\n' | sort -k2 | head -n 1)" "2 9 10 b 1"
is "a large sort" "$(seq 20000 | sort -rn | head -n 1) $(seq 20000 | sort | uniq | wc -l | tr -d ' ')" "20000 20000"
is "uniq and cut" "$(printf 'a:1\na:1\nb:2\n' | uniq -c | head -n 1 | tr -s ' ') $(echo a:b:c | cut -d: -f2)" " 2 a:1 b"
is "tr, rev, tac" "$(echo abc | tr a-c x-z) $(echo abc | rev) $(printf '1\n2\n' | tac | head -n 1)" "xyz cba 2"
is "head and tail" "$(seq 100 | head -n 3 | tail -n 1) $(seq 100 | tail -n +99 | tr '\n' ' ')" "3 99 100 "
is "wc" "$(printf 'one two\nthree\n' | wc | tr -s ' ' | sed 's/^ //')" "2 3 14"
is "expr and seq" "$(expr 6 \* 7) $(seq -s, 1 2 7)" "42 1,3,5,7"
is "od" "$(printf 'AZ' | od -An -tx1 | tr -d ' ')" 415a
is "diff" "$(printf '1\n2\n' >d1; printf '1\n3\n' >d2; diff -u d1 d2 | grep -c '^[+-][0-9]')" 2

# Files.
dd if=/dev/zero of=zeros bs=1M count=16 2>/dev/null
is "md5sum of 16 MiB" "$(md5sum <zeros | cut -d' ' -f1)" 2c7ab85a893283e98c931e9511add182
is "sha256sum" "$(printf abc | sha256sum | cut -c1-16)" ba7816bf8f01cfea
is "dd of a part" "$(printf 0123456789 | dd bs=1 skip=3 count=4 2>/dev/null)" 3456
seq 200000 >numbers
is "copy and compare" "$(cp numbers numbers2 && cmp numbers numbers2 && echo equal)" equal
is "compress a large file" "$(gzip -c numbers | gunzip | cmp - numbers && echo equal)" equal
is "mv and rm" "$(mv numbers2 moved && [ ! -e numbers2 ] && rm moved && ls moved 2>&1 | grep -c 'No such')" 1
is "ls -l" "$(ls -l tree/one/file0 | awk '{ print $1, $2, $5 }')" "-rw-r--r-- 2 22"
is "ls -R" "$(ls -laR tree | grep -c '^tree')" 4
is "cp -a" "$(cp -a tree again && diff -r tree again && [ -L again/one/two/link ] && echo same)" same
is "touch -d" "$(touch -d '2001-02-03 04:05:06' t && stat -c %y t | cut -c1-19)" "2001-02-03 04:05:06"
is "du and df" "$(du -s tree | awk '{ print ($1 > 0) }') $(df /tmp | awk 'END { print (NF >= 5) }')" "1 1"
is "rm -r" "$(rm -rf again copy && [ ! -e again ] && echo gone)" gone
is "mktemp" "$(f=$(mktemp) && [ -f "$f" ] && rm "$f" && echo made)" made
is "base names" "$(basename /a/b.c .c) $(dirname /a/b.c) $(realpath tree/../tree | sed 's/.*\///')" "b /a tree"
is "vi edits and saves" "$(printf 'one\ntwo\n' >v; { sleep 1; printf 'ddithree\033'; sleep 0.5; printf ':wq\r'; } | vi v >/dev/null 2>&1; cat v)" threetwo

# Processes and system.
is "ps sees this shell" "$(ps | awk -v pid=$$ '$1 == pid { found = 1 } END { print found + 0 }')" 1
# Not PID: that would find this grep in the list, too.
is "top" "$(top -b -n1 | head -n 7 | grep -c '[P]ID')" 1
is "uname and id" "$(uname -m) $(id -u)" "x86_64 $(awk '/^Uid:/ { print $3 }' /proc/self/status)"
is "date" "$(date -u -d @1000000000 '+%Y-%m-%d %H:%M:%S')" "2001-09-09 01:46:40"
is "env" "$(env -i A=1 env)" A=1
is "timeout" "$(exec 2>/dev/null; timeout 1 sleep 20; echo $(($? != 0)))" 1
is "true in many processes" "$(seq 100 | xargs -n 1 true; echo $?)" 0
