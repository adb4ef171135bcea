"""What the probe tells of a statement, on an empty schema that was committed before."""
import json
import subprocess

import pytest

from test.lib.stoa import BUILD
from test.server.probe_cases import CASES

TOOL = BUILD / "test" / "tool" / "stoa-probe-tool"

SCHEMA = """
CREATE TABLE customers (id bigint PRIMARY KEY, name text NOT NULL, email varchar(50), country text);
CREATE TABLE orders (
    id bigint PRIMARY KEY, customer_id bigint CONSTRAINT orders_customer REFERENCES customers, qty int,
    code varchar(10), label varchar(10), note text, amount numeric(12,2), token int, placed timestamp, region int,
    CONSTRAINT orders_qty CHECK (qty > 0), CONSTRAINT orders_code CHECK (code IS NOT NULL AND code > ''),
    CONSTRAINT orders_label CHECK (length(label) > 0), CONSTRAINT orders_token UNIQUE (token));
ALTER TABLE orders ADD CONSTRAINT orders_note CHECK (note IS NOT NULL) NOT VALID;
CREATE INDEX orders_amount ON orders (amount);
CREATE INDEX orders_placed ON orders (placed);
CREATE INDEX orders_label_plain ON orders (label);
CREATE INDEX orders_code_part ON orders (id) WHERE code > 'a';
CREATE INDEX orders_code_lower ON orders (lower(code));
CREATE UNIQUE INDEX orders_key ON orders (id, token);
CREATE UNIQUE INDEX orders_free ON orders (amount, id);
CREATE TABLE items (id bigint PRIMARY KEY, order_id bigint CONSTRAINT items_order REFERENCES orders, sku varchar(20) NOT NULL);
ALTER TABLE items ADD CONSTRAINT items_customer FOREIGN KEY (id) REFERENCES customers NOT VALID;
CREATE TABLE skus (sku varchar(20) PRIMARY KEY);
ALTER TABLE items ADD CONSTRAINT items_sku FOREIGN KEY (sku) REFERENCES skus;
CREATE VIEW order_list AS SELECT id, note FROM orders;
CREATE MATERIALIZED VIEW order_sums AS SELECT region, count(*) AS total FROM orders GROUP BY region;
CREATE UNIQUE INDEX order_sums_key ON order_sums (region);
CREATE SEQUENCE numbers;
CREATE SCHEMA other;
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN amounts AS int;
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE prices (id int PRIMARY KEY, price amounts, feeling mood);
CREATE FUNCTION dice() RETURNS float VOLATILE LANGUAGE sql AS 'SELECT random()';
CREATE FUNCTION inlined() RETURNS int VOLATILE LANGUAGE sql AS 'SELECT 7';
CREATE FUNCTION quiet() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER orders_quiet BEFORE UPDATE ON orders FOR EACH ROW EXECUTE PROCEDURE quiet();
CREATE TABLE base (id int, note text);
CREATE TABLE kid (extra int) INHERITS (base);
CREATE TABLE alone (id int, note text);
CREATE TABLE events (id int NOT NULL, at date NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE loose (id int NOT NULL, at date NOT NULL);
CREATE TABLE proved (id int NOT NULL, at date NOT NULL, CONSTRAINT proved_at CHECK (at >= '2026-01-01' AND at < '2027-01-01'));
"""
SCHEMA_11 = "CREATE TABLE events_rest PARTITION OF events DEFAULT;"

ROWS = """
INSERT INTO customers SELECT i, 'n' || i, 'e' || i, 'de' FROM generate_series(1, 500) i;
INSERT INTO skus SELECT 's' || i FROM generate_series(1, 500) i;
INSERT INTO orders SELECT i, i, i, 'c' || i, 'l' || i, 'n' || i, i, i, '2024-01-01', i FROM generate_series(1, 500) i;
INSERT INTO items SELECT i, i, 's' || i FROM generate_series(1, 500) i;
INSERT INTO prices SELECT i, i, 'sad' FROM generate_series(1, 500) i;
INSERT INTO base SELECT i, 'n' FROM generate_series(1, 500) i;
INSERT INTO kid SELECT i, 'n', i FROM generate_series(1, 500) i;
INSERT INTO alone SELECT i, 'n' FROM generate_series(1, 500) i;
INSERT INTO events SELECT i, '2024-05-05' FROM generate_series(1, 500) i;
INSERT INTO loose SELECT i, '2025-05-05' FROM generate_series(1, 500) i;
INSERT INTO proved SELECT i, '2026-05-05' FROM generate_series(1, 500) i;
REFRESH MATERIALIZED VIEW order_sums;
"""
ROWS_11 = "INSERT INTO events SELECT i, '2030-05-05' FROM generate_series(1, 500) i;"


def make(db, filled=False):
    db.run(SCHEMA + (SCHEMA_11 if db.version >= 11 else ""))
    if filled:
        db.run(ROWS + (ROWS_11 if db.version >= 11 else ""))


def probe(db, *statements, url=None):
    done = subprocess.run([TOOL, "--url", url or db.url(), *statements], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


SHORT = {"ACCESS EXCLUSIVE": "AEX", "EXCLUSIVE": "EX", "SHARE ROW EXCLUSIVE": "SRE", "SHARE": "SHARE",
         "SHARE UPDATE EXCLUSIVE": "SUE", "ROW EXCLUSIVE": "RE", "ROW SHARE": "RS", "ACCESS SHARE": "AS"}
STATEMENTS = [statement for statement, _ in CASES]


def verdict(told):
    """As probe_cases.py writes it."""
    if told["outside"]:
        assert told["error"] is None
        return "outside"
    if told["error"]:
        return "error " + told["error_state"]
    parts = [", ".join(f"{relation.replace('public.', '')} {SHORT[mode]}" for relation, mode in told["locks"])]
    if told["index_locks"]:
        parts.append("indexes " + ", ".join(f"{relation.replace('public.', '')} {SHORT[mode]}"
                                            for relation, mode in told["index_locks"]))
    parts += [f"{word} " + ", ".join(name.replace("public.", "") for name in told[field])
              for word, field in (("rewrites", "rewritten"), ("builds", "built"), ("scans", "scanned")) if told[field]]
    return "; ".join(parts)


def expected(version):
    return {statement: told if isinstance(told, str) else told[max(v for v in told if v <= version)]
            for statement, told in CASES}


def verdicts(db):
    return {told["sql"]: verdict(told) for told in probe(db, *STATEMENTS)}


def differences(left, right):
    assert left.keys() == right.keys()
    return {statement: (left[statement], right[statement]) for statement in left if left[statement] != right[statement]}


@pytest.fixture
def clone(db):
    make(db)
    return db


def one(db, statement):
    return probe(db, statement)[0]


def test_table_of_statements(clone):
    before = clone.fingerprint()
    assert differences(verdicts(clone), expected(clone.version)) == {}
    assert clone.fingerprint() == before, "nothing of a probe stays"
    assert clone.value("SELECT count(*) FROM pg_locks WHERE relation >= 16384 AND pid <> pg_backend_pid()") == 0


def test_empty_tells_what_full_tells(db):
    """E1: only errors that depend on data differ."""
    make(db, filled=True)
    assert differences(expected(db.version), verdicts(db)) == {
        "ALTER TABLE orders ADD COLUMN x int NOT NULL": ("orders AEX; scans orders", "error 23502")}


def test_scan_without_rewrite_is_told(clone):
    """E2: what a comparison of file numbers alone would call free."""
    told = one(clone, "ALTER TABLE orders ALTER qty SET NOT NULL")
    assert (told["rewritten"], told["built"], told["scanned"]) == ([], [], ["public.orders"])
    assert told["words"] == ['verifying table "orders"']
    assert one(clone, "ALTER TABLE orders ADD CONSTRAINT c CHECK (qty < 5) NOT VALID")["scanned"] == []


def test_index_made_again_over_the_same_storage_is_not_built(clone):
    """E2 and E5: the type of the column changes, its plain index gets another number and keeps its file."""
    statement = "ALTER TABLE orders ALTER label TYPE varchar(20)"
    assert one(clone, statement)["built"] == []
    look = "SELECT 'orders_label_plain'::regclass::oid, pg_relation_filenode('orders_label_plain')"
    (number, file), = clone.rows(look)
    clone.run(statement)
    (number_after, file_after), = clone.rows(look)
    assert number_after != number and file_after == file
    told = one(clone, "ALTER TABLE orders ALTER code TYPE varchar(20)")
    assert told["built"] == ["public.orders_code_lower", "public.orders_code_part"], "expression and predicate are not"


def test_a_copy_by_like_would_lie(clone):
    """E3: LIKE makes a valid check of one that is not, and the copy then proves what the table does not."""
    clone.run("CREATE TABLE copied (LIKE orders INCLUDING ALL)")
    assert one(clone, "ALTER TABLE orders ALTER note SET NOT NULL")["scanned"] == ["public.orders"]
    assert one(clone, "ALTER TABLE copied ALTER note SET NOT NULL")["scanned"] == (
        [] if clone.version >= 12 else ["public.copied"])


def test_relation_of_the_same_transaction_is_left_out(clone):
    """E3: it shows its maker's locks, whatever else is done to it."""
    told = one(clone, "CREATE TABLE fresh (id int PRIMARY KEY); ALTER TABLE fresh ADD COLUMN x int UNIQUE; "
                      "CREATE INDEX ON fresh (x); ALTER TABLE orders ALTER note SET STATISTICS 10")
    assert verdict(told) == "orders SUE"


def test_concurrent_build_that_keeps_an_invalid_index(clone):
    """E7: no probe can tell; it says that nothing was measured, and calls it neither safe nor wrong."""
    told = one(clone, "CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_amount ON orders (amount)")
    assert told["outside"] and told["error"] is None
    assert told["locks"] == told["built"] == told["scanned"] == told["rewritten"] == []


def test_names(clone):
    clone.run("""CREATE SCHEMA "Odd Shop"; CREATE TABLE "Odd Shop"."Or,der" (id int CONSTRAINT "a b" CHECK (id > 0), v int);
        CREATE TABLE "Odd Shop".orders (id int); CREATE INDEX "I x" ON "Odd Shop"."Or,der" (v)""")
    table = '"Odd Shop"."Or,der"'
    told, moved, dropped, other = probe(
        clone, f"ALTER TABLE {table} ALTER v TYPE bigint", f'ALTER TABLE {table} RENAME TO "new"; ALTER TABLE "Odd Shop"."new" '
        f'ALTER id SET NOT NULL; REINDEX INDEX "Odd Shop"."I x"', f"DROP TABLE {table}",
        'ALTER TABLE "Odd Shop".orders ALTER id SET NOT NULL; ALTER TABLE orders ADD x int')
    assert told["locks"] == [[table, "ACCESS EXCLUSIVE"]] and told["rewritten"] == [table]
    assert moved["locks"] == [[table, "ACCESS EXCLUSIVE"]] and moved["scanned"] == [table]
    assert moved["built"] == ['"Odd Shop"."I x"']
    assert dropped["locks"] == [[table, "ACCESS EXCLUSIVE"]]
    assert other["scanned"] == ['"Odd Shop".orders'], "not the other table of that name"


def test_search_path_is_the_session_s(clone):
    clone.run("CREATE SCHEMA shop; CREATE TABLE shop.orders (id int)")
    clone.admin.execute(f"ALTER ROLE {clone.owner} SET search_path = shop")
    told = one(clone, "ALTER TABLE orders ALTER id SET NOT NULL")
    assert told["locks"] == [["shop.orders", "ACCESS EXCLUSIVE"]] and told["scanned"] == ["shop.orders"]


def test_work_within_a_sub_transaction(clone):
    """A block that catches an error takes its work back, and the locks with it; another one keeps both."""
    undone, kept = probe(
        clone, "DO $$BEGIN ALTER TABLE orders ALTER qty SET NOT NULL; RAISE division_by_zero; "
               "EXCEPTION WHEN division_by_zero THEN NULL; END$$",
        "DO $$BEGIN CREATE INDEX i ON orders (qty); ALTER TABLE items ADD CONSTRAINT f FOREIGN KEY (order_id) "
        "REFERENCES orders; EXCEPTION WHEN division_by_zero THEN NULL; END$$")
    assert undone["locks"] == [] and undone["built"] == []
    assert verdict(kept) == "items SRE, orders SRE; builds i; scans items, orders"


def test_key_of_the_same_name_on_another_table_is_not_taken_for_validated(clone):
    """Only the first is read: the others come with their columns, empty, and one's name is part of the words."""
    told = one(clone, "ALTER TABLE items ADD CONSTRAINT of_f FOREIGN KEY (order_id) REFERENCES orders; "
                      "ALTER TABLE prices ADD COLUMN x varchar(20) CONSTRAINT f REFERENCES skus; "
                      "ALTER TABLE alone ADD COLUMN x bigint CONSTRAINT validating REFERENCES customers")
    assert told["scanned"] == ["public.items", "public.orders"]


def test_key_that_was_valid_is_not_taken_for_validated(clone):
    """The new one has the name of another table's."""
    told = one(clone, "ALTER TABLE alone ADD CONSTRAINT items_sku FOREIGN KEY (note) REFERENCES skus; "
                      "ALTER TABLE items ALTER sku SET STATISTICS 10")
    assert told["scanned"] == ["public.alone", "public.skus"]


def test_key_to_a_partitioned_table_reads_all_its_partitions(clone):
    if clone.version < 12:
        assert one(clone, "CREATE TABLE t (id int REFERENCES events)")["error_state"] in ("42809", "42830", "42704")
        return
    clone.run("""CREATE TABLE whole (id int PRIMARY KEY) PARTITION BY RANGE (id);
        CREATE TABLE low PARTITION OF whole FOR VALUES FROM (0) TO (10);
        CREATE TABLE high PARTITION OF whole FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (id);
        CREATE TABLE higher PARTITION OF high FOR VALUES FROM (10) TO (15)""")
    told = one(clone, "ALTER TABLE prices ADD CONSTRAINT f FOREIGN KEY (id) REFERENCES whole")
    assert told["scanned"] == ["public.higher", "public.low", "public.prices"]


def test_several_statements_are_one_transaction(clone):
    told = one(clone, "ALTER TABLE orders ADD CONSTRAINT c CHECK (qty < 5) NOT VALID; "
                      "ALTER TABLE orders VALIDATE CONSTRAINT c; REINDEX INDEX items_pkey")
    assert verdict(told) == ("orders AEX, items SHARE; indexes items_pkey AEX; builds items_pkey; scans items, orders")


def test_statement_that_ends_the_transaction(clone):
    """It would change the clone, and all that is tried on it later."""
    for statement in ("ROLLBACK", "ALTER TABLE alone ADD COLUMN y int; ROLLBACK; BEGIN"):
        done = subprocess.run([TOOL, "--url", clone.url(), statement], capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and "end the transaction" in done.stderr, done


def test_refusals_of_the_server(clone):
    role = clone.role("other")
    clone.run(f"GRANT USAGE ON SCHEMA public TO {role}")
    told, = probe(clone, "ALTER TABLE orders ADD COLUMN x int", url=clone.url(role))
    assert told["error_state"] == "42501" and "owner" in told["error"] and not told["outside"]
    told, after = probe(clone, "ALTER TABLE orders ALTER qty SET NOT NULL; ALTER TABLE orders DROP COLUMN none",
                        "ALTER TABLE orders ADD COLUMN x int")
    assert told["error_state"] == "42703" and told["locks"] == []
    assert told["words"] == ['verifying table "orders"'], "what was said until then"
    assert verdict(after) == "orders AEX", "the session goes on"


def test_server_that_counts_nothing(clone):
    """Without track_counts the server's words stand for the count."""
    clone.admin.execute(f"ALTER DATABASE {clone.name} SET track_counts = off")
    for statement in ("ALTER TABLE orders ALTER qty SET NOT NULL", "ALTER TABLE orders ADD COLUMN x int UNIQUE",
                      "ALTER TABLE orders ALTER qty TYPE bigint", "ALTER TABLE orders VALIDATE CONSTRAINT orders_note",
                      "ALTER TABLE items ADD CONSTRAINT f FOREIGN KEY (order_id) REFERENCES orders",
                      "ALTER TABLE orders ADD COLUMN x int", "CREATE INDEX i ON orders (qty)"):
        assert verdict(one(clone, statement)) == expected(clone.version)[statement]


def test_earlier_reads_of_the_session_do_not_count(clone):
    """The server hands its counters on about once a second; what is left of the last probe is not of this one."""
    told = probe(clone, *["SELECT count(*) FROM orders", "ALTER TABLE orders ADD COLUMN x int"] * 10)
    assert [t["scanned"] for t in told] == [["public.orders"], []] * 10


def test_words_are_the_same_each_time(clone):
    statements = [s for s in STATEMENTS if "TYPE" in s or "TRUNCATE" in s or "LIKE" in s]
    first, second = ([told["words"] for told in probe(clone, *statements)] for _ in range(2))
    assert first == second and any(first)


def test_only_what_may_run_alone_is_outside(clone):
    """The same SQLSTATE 25001 in a block or for a late SET TRANSACTION is an error like others."""
    alone, block, late, partitioned = probe(
        clone, "VACUUM orders", "DO $$BEGIN DROP INDEX CONCURRENTLY orders_amount; END$$",
        "SELECT 1; SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "REINDEX DATABASE " + clone.name)
    assert alone["outside"] and partitioned["outside"]
    assert not block["outside"] and block["error_state"] == "25001"
    assert not late["outside"] and late["error_state"] == "25001"
    if clone.version >= 14:
        assert one(clone, "REINDEX TABLE events")["outside"]
