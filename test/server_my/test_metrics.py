"""/metrics on MariaDB and MySQL: a column computed in place, and a copied table, killed and gone on with."""
import json

import pytest

from test.lib.http import Serving
from test.lib.metrics import Scraper, agree_with_status, labels_of, one, total, until_told, values_of
from test.lib.servers import until
from test.server_my.test_plan import stoa  # noqa: F401


@pytest.fixture
def web(my, stoa):  # noqa: F811
    serving = Serving(my.url("shop")).ready()
    yield serving
    serving.close()


def count(my):
    return my.query("SELECT COUNT(*) FROM shop.orders")[0][0]


def grow(my, rows):
    while count(my) < rows:
        my.query("INSERT INTO shop.orders (customer, amount) SELECT customer, amount FROM shop.orders")
    my.query("ANALYZE TABLE shop.orders")
    return count(my)


def engine_of(my):
    return "mariadb" if my.is_mariadb else "mysql"


def killed_and_gone_on_with(my, stoa, web, rows, failpoint, *args):  # noqa: F811
    scraper = Scraper(web)
    running = stoa.start("apply", *args, "--name", "m", "--yes", env={"STOA_FAILPOINT": f"{failpoint}=pause:6"})
    until(lambda: running.is_stopped, 60, lambda: f"nothing is filled: {running.partial()}")
    running.kill()
    until_told(web, "m", "backfilling")
    until(lambda: stoa("resume", "m", code=None).code == 0, 60, "it does not go on")  # the lease may have to run out
    told = json.loads(stoa("status", "m", "--json").out)["changes"][0]
    wanted = {"ready": "flag_ready", "completed": "done"}[told["state"]]
    until(lambda: scraper.wrong or scraper.watch.phases[-1:] == [("m", wanted)], 20, "the end is not collected")
    watch = scraper.stop()
    values = until_told(web, "m", wanted)
    agree_with_status(values, told)
    assert watch.takes > 5 and ("m", "backfilling") in watch.phases, watch.phases
    assert all(labels["engine"] == engine_of(my) and labels["database"] == "shop" for labels in labels_of(values, "stoa_migration_info"))
    assert total(values, "stoa_backfill_rows_updated_total", migration="m") >= rows
    assert total(values, "stoa_backfill_batches_total", migration="m", result="ok") > 5
    assert total(values, "stoa_backfill_wal_bytes_total", migration="m") > 0
    assert total(values, "stoa_lock_attempts_total", migration="m", result="acquired") > 0
    assert not any(name == "stoa_backfill_hot_rows_total" for name, _ in values)
    return values


def test_in_place(my, stoa, web):  # noqa: F811
    rows = grow(my, 100000)
    values = killed_and_gone_on_with(my, stoa, web, rows, "wave_after_commit", "ALTER TABLE orders ADD COLUMN extra INT", "--backfill",
                                     "orders.extra = amount + 1", "--strategy", "in-place")
    assert one(values, "stoa_backfill_rows_updated_total", migration="m") == rows
    assert one(values, "stoa_environment_ready", migration="m", column="extra") == 1


def test_shadow(my, stoa, web):  # noqa: F811
    rows = grow(my, 200000)
    values = killed_and_gone_on_with(my, stoa, web, rows, "copy_after", "ALTER TABLE orders MODIFY COLUMN amount BIGINT DEFAULT 0 COMMENT 'cents'", "--strategy", "shadow")
    assert total(values, "stoa_lock_hold_seconds_count", migration="m", kind="swap") == 1


def test_throttled_by_load(my, stoa, web):  # noqa: F811
    grow(my, 10000)
    running = stoa.start("apply", "ALTER TABLE orders ADD COLUMN extra INT", "--backfill", "orders.extra = amount + 1", "--strategy",
                         "in-place", "--name", "m", "--yes", "--max-load", "threads-running=0")
    values = until_told(web, "m", "held")
    assert one(values, "stoa_throttle_active", migration="m", reason="threads_running") == 1
    assert total(values, "stoa_throttle_active", migration="m") == 1
    until(lambda: total(values_of(web), "stoa_throttled_seconds_total", migration="m", reason="threads_running") > 1, 20, "it is not counted")
    running.kill()
