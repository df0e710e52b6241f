#!/bin/sh
# sqlite3 with a hundred thousand rows: table, index, join, transactions, WAL, integrity.
. "${0%/*}/helper.sh"

sql() {
    sqlite3 -batch -bail data.db "$@"
}

is "a hundred thousand rows" "$(sql "
    CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT NOT NULL, kind INTEGER, price INTEGER);
    WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 100000)
        INSERT INTO item SELECT n, 'item ' || n, n % 100, (n * 7919) % 1000 FROM number;
    SELECT count(*), sum(price), min(name), max(id) FROM item;")" "100000|49950000|item 1|100000"
is "an index" "$(sql "
    CREATE INDEX item_kind ON item(kind, price);
    CREATE INDEX item_name ON item(name);
    SELECT count(*), sum(price) FROM item WHERE kind = 42;
    SELECT id FROM item WHERE name = 'item 77777';")" "1000|548000
77777"
is "a join" "$(sql "
    CREATE TABLE kind(id INTEGER PRIMARY KEY, title TEXT);
    INSERT INTO kind SELECT DISTINCT kind, 'kind ' || kind FROM item;
    SELECT k.title, count(*), max(i.id) FROM item i JOIN kind k ON k.id = i.kind
        WHERE i.price < 500 GROUP BY k.id ORDER BY k.id LIMIT 2;")" "kind 0|500|100000
kind 1|500|99901"
is "a transaction undone" "$(sql "
    BEGIN; DELETE FROM item WHERE id > 10; SELECT count(*) FROM item; ROLLBACK;
    SELECT count(*) FROM item;")" "10
100000"
is "an update" "$(sql "
    UPDATE item SET price = price + 1 WHERE kind < 50;
    DELETE FROM item WHERE id % 10 = 0;
    SELECT count(*), sum(price) FROM item;")" "90000|45045000"
is "a sort without an index" "$(sql "
    SELECT id FROM item ORDER BY price * 31 % 97, id DESC LIMIT 3;" | wc -l | tr -d ' ')" 3
is "integrity" "$(sql "PRAGMA integrity_check;")" ok
is "vacuum" "$(sql "VACUUM; PRAGMA integrity_check; SELECT count(*) FROM item;")" "ok
90000"
is "from a script and into a file" "$(printf '.mode csv\n.output rows.csv\nSELECT id, name FROM item WHERE id < 100;\n.output\n' |
    sql && wc -l <rows.csv | tr -d ' ')" 90
is "dump and load" "$(sql ".dump kind" | sqlite3 copy.db && sqlite3 copy.db "SELECT count(*) FROM kind;")" 100
is "write-ahead log" "$(sql "PRAGMA journal_mode = WAL; INSERT INTO kind VALUES(1000, 'new'); SELECT count(*) FROM kind;")" "wal
101"
is "functions" "$(sql "SELECT upper('abc'), round(2.5), substr('hello', 2, 3), json_extract('{\"a\":[1,2]}', '\$.a[1]'), date(0, 'unixepoch');")" "ABC|3.0|ell|2|1970-01-01"

# A writer in the middle of its transaction keeps another process out.
mkfifo gate 2>/dev/null && {
    sql <gate >/dev/null &
    exec 3>gate
    echo "BEGIN IMMEDIATE; INSERT INTO kind VALUES(2000, 'held');" >&3
    sleep 1
    is "locked by another process" "$(sql "INSERT INTO kind VALUES(2001, 'no');" 2>&1 | grep -c locked)" 1
    echo "COMMIT;" >&3
    exec 3>&-
    wait
    is "and then not" "$(sql "SELECT title FROM kind WHERE id = 2000;")" held
}
