"""The page in each of its states: what it shows, that all can read it, that it fits. STOA_SCREENSHOTS=1 keeps pictures of them
in docs/screenshots."""
import os

import pytest

from test.lib.database import orders
from test.lib.servers import ROOT, Server

PICTURES = ROOT / "docs" / "screenshots"
CENTS = "ALTER TABLE orders ADD COLUMN amount_cents bigint NOT NULL"
BACKFILL = "orders.amount_cents = (amount * 100)::bigint"
CUT_OFF = ["Failed to load resource", "net::ERR"]


@pytest.fixture
def look(browser):
    """Looks at the page as it is now, wide and narrow, in both themes; every one must be readable and fit."""
    def see(name, *kinds, allowed=()):
        for kind in kinds or ("dark",):
            theme = "light" if "light" in kind else "dark"
            browser.media({"colorScheme": theme})
            browser.size(*((360, 780) if "phone" in kind else (1280, 900)))
            browser.wait(f"getComputedStyle(document.documentElement).colorScheme === '{theme}'")
            browser.is_accessible()
            browser.fits()
            if os.environ.get("STOA_SCREENSHOTS"):
                PICTURES.mkdir(parents=True, exist_ok=True)
                path = str(PICTURES / f"{name}{'' if kind == 'dark' else '-' + kind}.webp")
                browser.picture(path, name != "complete" and ("whole" in kind or "phone" in kind))
        browser.no_problems(allowed)
    return see


def test_each_state(browser, look, web, db, stoa, server, home, version, load, tmp_path):
    standby = Server(home, version, standby_of=server)
    orders(db, 120000)
    db.run("ANALYZE orders")
    db.admin.execute(f"GRANT pg_read_all_stats TO {db.owner}")
    config = tmp_path / "stoa.yaml"
    config.write_text(f"environments: {{production: {{url: '{db.url()}'}}}}\n")
    page = web("--env", "production", "--config", config).ready()
    browser.open(page.url, colorScheme="dark")
    browser.shows("No change yet")
    look("empty", "dark", "light", "phone")

    stop = tmp_path / "stop"
    application = load(rows=2000, table="customers")
    replicas = ["--replicas", standby.url(db.name, "postgres")]
    running = stoa.start("apply", CENTS, "--name", "orders-cents", "--backfill", BACKFILL, "--yes", "--nice", "6", "--stop-file", stop,
                         *replicas)
    browser.shows("orders-cents", "#head")
    browser.wait("document.querySelector('#progress progress')?.value > 0.05")
    browser.wait("document.querySelector('#rate-text')?.innerText.startsWith('Now')")
    browser.wait("document.querySelector('#lag-text')?.innerText.includes('limit')")
    look("running", "dark-whole", "light", "phone")
    stop.write_text("")
    browser.shows("Held back", "#head")
    look("throttled", "dark", "light-phone")
    stop.unlink()
    browser.wait("!document.querySelector('#head').innerText.includes('Held back')")
    stoa("pause", "orders-cents")
    browser.shows("paused", "#head")
    look("paused", "dark")
    stoa("resume", "orders-cents", "--nice", "1")
    running.wait(0)
    browser.shows("ready", "#head .pill")
    look("ready", "dark", "light-whole")
    browser.click("button:Complete")
    look("complete", "dark", "light", "phone")
    browser.click("#ask-cancel")

    ended = stoa("apply", "ALTER TABLE orders ADD COLUMN code int NOT NULL UNIQUE", "--backfill", "orders.code = customer_id", "--name",
                 "orders-code", "--yes", *replicas, code=None)
    assert "in the way" in ended.err, ended
    browser.shows("orders-code", "#list")
    browser.click("link:orders-code")
    browser.shows("It stopped", "#head")
    look("failed", "dark", "light")
    application.stop()
    page.close()
    browser.shows("No connection to the server")
    look("disconnected", "dark", "phone", allowed=CUT_OFF)
    standby.end()
