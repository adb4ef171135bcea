"""200 databases on one server: in waves, with one in the middle that fails, and what each of them costs."""
import os
import pathlib

import pytest

from test.lib.database import Database, orders
from test.lib.stoa import Stoa

pytestmark = pytest.mark.long

COUNT = int(os.environ.get("STOA_TEST_DATABASES", "200"))
BAD = COUNT * 97 // 200
SQL = "\n-- stoa: name noted\nALTER TABLE orders ALTER COLUMN note SET NOT NULL;\nALTER TABLE orders ADD COLUMN paid boolean NOT NULL DEFAULT false;"


@pytest.fixture
def tenants(server):
    template = Database(server)
    orders(template, 100)
    with server.connect() as conn:
        conn.execute(f"ALTER ROLE {template.owner} CREATEDB")
        for number in range(COUNT):
            conn.execute(f"CREATE DATABASE tenant_{number:03} OWNER {template.owner} TEMPLATE {template.name}")
    yield template
    with server.connect() as conn:
        for name, in conn.execute("SELECT datname FROM pg_database WHERE datname ~ '^(tenant_|stoa_scratch_)'").fetchall():
            conn.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    template.drop()


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_two_hundred(server, tenants, capsys):
    stoa = Stoa("")
    try:
        run(stoa, server, tenants, capsys)
    finally:
        stoa.close()


def server_cpu_ms(server):
    """Of the postmaster and all its ended processes."""
    with server.connect() as conn:
        data = conn.execute("SHOW data_directory").fetchone()[0]
    pid = pathlib.Path(data, "postmaster.pid").read_text().splitlines()[0]
    words = pathlib.Path("/proc", pid, "stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, words[11:15])) * 1000 // os.sysconf("SC_CLK_TCK")


def run(stoa, server, tenants, capsys):
    bad = f"tenant_{BAD:03}"
    at = ("--config", stoa.file("stoa.yaml", f"environments:\n  prod: {{url: '{tenants.url()}', databases: 'tenant_*', parallel: 4}}\n"))
    args = ("apply", SQL, "--yes", "--env", "prod", "--json", *at)
    with server.connect(bad, tenants.owner) as conn:
        conn.execute("UPDATE orders SET note = NULL WHERE id = 50")
    before_ms = server_cpu_ms(server)
    first = stoa(*args, code=None, seconds=3000).events[-1]["summary"]
    server_ms = server_cpu_ms(server) - before_ms
    by_name = {one["database"]: one for one in first["databases"]}
    assert first["failed"] == 1 and by_name[bad]["exit_code"] not in (0, None), first
    assert all(one["exit_code"] == 0 for one in first["databases"][:BAD])
    assert first["not_begun"] == COUNT - first["done"] - 1 and first["not_begun"] > 0
    with server.connect(bad, tenants.owner) as conn:
        conn.execute("UPDATE orders SET note = '' WHERE note IS NULL")
    second = stoa(*args, seconds=3000).events[-1]["summary"]
    assert (second["done"], second["failed"], second["not_begun"]) == (COUNT, 0, 0)
    already = [one for one in second["databases"] if one["already_done"]]
    assert len(already) == first["done"]
    for number in (0, BAD, COUNT - 1):
        with server.connect(f"tenant_{number:03}") as conn:
            assert conn.execute("SELECT count(*) FROM orders WHERE note IS NULL OR paid").fetchone()[0] == 0
            assert conn.execute("SELECT state FROM stoa.changes WHERE state <> 'aborted'").fetchall() in ([("ready",)], [("completed",)])
    table = stoa("status", "noted", "--env", "prod", *at, seconds=600)
    assert table.out.count("tenant_") == COUNT
    with server.connect() as conn:
        scratch = conn.execute("SELECT count(*) FROM pg_database WHERE datname LIKE 'stoa_scratch_%'").fetchone()[0]
    assert 1 <= scratch <= 8  # alike databases are tried out once
    begun = [one for one in first["databases"] if one.get("exit_code") == 0]
    with capsys.disabled():
        print(f"\n{len(begun)} databases in {first['total_ms'] / 1000:.1f} s: "
              f"{first['total_ms'] / len(begun):.0f} ms wall and {sum(one['cpu_ms'] for one in begun) / len(begun):.0f} ms CPU each, {server_ms / len(begun):.0f} ms of the server's; "
              f"one alone {begun[0]['total_ms']} ms; done already: "
              f"{sum(one['total_ms'] for one in already) / len(already):.0f} ms, "
              f"{sum(one['cpu_ms'] for one in already) / len(already):.1f} ms CPU; status of all {table.seconds:.1f} s; "
              f"{scratch} scratch databases")
