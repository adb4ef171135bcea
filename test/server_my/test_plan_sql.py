"""stoa plan --sql for MySQL and MariaDB: the files, carried out by the client, end where apply and complete end."""
import subprocess

import pytest

from test.server_my.test_backfill import BACKFILL
from test.server_my.test_plan import stoa  # noqa: F401

CHANGES = [
    ("ALTER TABLE orders ADD COLUMN total BIGINT", ["--backfill", f"orders.total = {BACKFILL}"]),
    ("ALTER TABLE orders ADD COLUMN x INT DEFAULT 5", []),
    ("CREATE TABLE fresh (id BIGINT PRIMARY KEY, note VARCHAR(20))", []),
]


def run_file(my, path):
    done = subprocess.run(["mariadb", "--no-defaults", "-N", "-B", f"--socket={my.socket}", "-uroot", "shop"],
                          stdin=open(path), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, (path.name, done.stderr, path.read_text())
    return done.stdout.strip()


def state(my):
    tables = [name for (name,) in my.query("SHOW TABLES FROM shop") if name in ("orders", "fresh")]
    told = [my.query(f"SHOW CREATE TABLE shop.{name}")[0][1].split(" AUTO_INCREMENT=")[0] for name in sorted(tables)]
    return told, my.query("SELECT * FROM shop.orders ORDER BY id"), my.query("SHOW TRIGGERS FROM shop")


@pytest.mark.parametrize("sql,options", CHANGES, ids=range(len(CHANGES)))
def test_files_end_where_apply_ends(my, stoa, tmp_path, sql, options):  # noqa: F811
    if my.name == "mysql-5.6":
        return
    my.query("CREATE TABLE shop.kept LIKE shop.orders")
    my.query("INSERT INTO shop.kept SELECT * FROM shop.orders")
    stoa("plan", sql, *options, "--replicas", "0", f"--sql={tmp_path / 'p'}")
    said = [(path.name, run_file(my, path)) for path in sorted((tmp_path / "p").iterdir())]
    assert all(out == "" for _, out in said), said
    by_files = state(my)
    my.query("DROP TABLE shop.orders")
    my.query("DROP TABLE IF EXISTS shop.fresh")
    my.query("RENAME TABLE shop.kept TO shop.orders")
    stoa.apply(sql, *options, "--replicas", "0", "--name", "change", "--max-stall", "2s")
    stoa("complete", "change", "--yes", "--force")
    assert state(my) == by_files


def test_shadow_tables_are_refused(my, stoa, tmp_path):  # noqa: F811
    if my.name == "mysql-5.6":
        return
    done = stoa("plan", "ALTER TABLE orders MODIFY amount BIGINT", "--strategy", "shadow", "--replicas", "0",
                f"--sql={tmp_path / 'p'}", code=4)
    assert "captured" in done.err and not (tmp_path / "p").exists()
