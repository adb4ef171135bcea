"""The page: live, behind the token, by keyboard, with hostile names, and while server or database are gone."""
import json
import pathlib
import subprocess

from test.lib.http import TOKEN
from test.lib.servers import Server, until
from test.browser.test_states import CUT_OFF

REFUSED = ["status of 401", "status of 409", "status of 400"]
PHASE = "document.querySelector('.track .now .phase')?.innerText"


def state(page, name="w"):
    return page.get(f"/api/v1/changes/{name}")["change"]["state"]


def test_live_while_it_fills(browser, web, slow, stoa):
    page = web().ready()
    browser.open(page.url)
    browser.shows("No change yet")
    browser.evaluate("window.neverLoadedAgain = true")
    running = slow()
    browser.wait(f"{PHASE} === 'backfill'")
    browser.evaluate("""window.rowsSeen = new Set(); setInterval(() => {
        const told = document.querySelector('#progress .note')?.innerText.match(/^[0-9,]+ of/);
        if (told) rowsSeen.add(Number(told[0].replace(/[^0-9]/g, '')));
    }, 50)""")
    browser.wait("rowsSeen.size >= 4", 30)
    seen = browser.evaluate("[...rowsSeen]")
    assert seen == sorted(seen), "rows only become more"
    browser.wait("document.querySelector('#rate-text')?.innerText.startsWith('Now')")
    assert "rows/s" in browser.attribute("#rate-chart", "aria-label")
    browser.shows("Table on disk", "#progress")
    browser.wait("/Indexes on disk\\s+[0-9.]+×.*before, .* now/s.test(document.querySelector('#progress').innerText)")
    stoa("resume", "w", "--nice", "0")
    running.wait(0)
    browser.shows("ready", "#head .pill")
    browser.shows("ready: the application may rely on", "#log")
    rows = browser.texts("#steps tbody tr")
    change = page.get("/api/v1/changes/w")["change"]
    assert len(rows) == len(change["steps"]) and all(step["estimate_ms"]["high"] >= 1 for step in change["steps"])
    assert change["strategy"] == "in-place" and change["tables"] and 0 < change["hot_ratio"] <= 1
    assert "w is ready" in browser.text("#said") and browser.evaluate("window.neverLoadedAgain")
    streams = [one["url"] for one in browser.requests() if "events?after=" in one["url"]]
    assert len(streams) <= 2, f"one stream, and one question before it: {streams}"
    browser.no_problems()


def test_buttons_need_the_token(browser, web, slow, stoa):
    page = web().ready()
    running = slow()
    browser.open(page.url)
    browser.click("button:Pause")
    assert "finishes the chunk" in browser.text("dialog") and "sync trigger goes on" in browser.text("dialog")
    browser.click("dialog button:has-text('Pause')")
    browser.shows("Without the token", "dialog")
    assert not [one for one in browser.requests() if one["method"] == "POST"]
    browser.fill("#ask-token", "this is another token")
    browser.click("#ask-go")
    browser.shows("does not take this token", "dialog")
    assert browser.evaluate("sessionStorage.length") == 0
    browser.fill("#ask-token", TOKEN)
    browser.click("#ask-go")
    browser.shows("paused", "#head .pill")
    browser.shows("pause", "#acts")
    browser.wait("document.querySelector('#acts tbody').innerText.includes('done')")

    browser.click("button:Resume")
    assert browser.count("#ask-token") == 0, "it is asked for once"
    browser.fill("[name=max-lag]", "2 parsecs")
    browser.click("#ask-go")
    browser.wait("document.querySelector('#acts tbody').innerText.includes('parsecs')")
    assert state(page) == "paused"
    browser.click("button:Resume")
    browser.fill("[name=max-lag]", "1500ms")
    browser.click("#ask-go")
    browser.wait("['running', 'held back'].includes(document.querySelector('#head .pill').innerText)")
    stoa("resume", "w", "--nice", "0")
    running.wait(0)

    browser.shows("ready", "#head .pill")
    assert browser.count("button:Pause") == 0
    browser.click("button:Complete")
    said = browser.text("dialog")
    contract = [step for step in page.get("/api/v1/changes/w")["change"]["steps"] if step["phase"] == "contract"]
    for step in contract:
        assert (step["title"] in said) == (step["kind"] not in ("quiet", "evidence")), said
    assert "no way back" in said
    browser.press("Escape")
    assert not browser.visible("dialog") and browser.focus() == "button: Complete" and state(page) == "ready"
    browser.click("button:Abort")
    assert "already rely" in browser.text("dialog")
    browser.click("#ask-go")
    browser.shows("Say first", "dialog")
    browser.click("#ask-cancel")
    browser.click("button:Complete")
    browser.check("[name=force]")
    browser.click("#ask-go")
    browser.shows("completed", "#head .pill")
    assert browser.count("#head button") == 0
    kept = json.dumps([browser.evaluate("[location.href, document.cookie, JSON.stringify(localStorage)]"), [one["url"] for one in browser.requests()]])
    assert TOKEN not in kept
    sent = [one["authorization"] for one in browser.requests() if one["method"] == "POST"]
    assert sent[1:] == [f"Bearer {TOKEN}"] * len(sent[1:]) and not [one for one in browser.requests() if one["authorization"] and one["method"] != "POST"]
    browser.click("button:Forget token")
    assert browser.evaluate("sessionStorage.length") == 0
    browser.no_problems(REFUSED)


def test_a_plan_is_approved(browser, web, table, stoa, tmp_path):
    """By a file that somebody signed, before there is a change of that name."""
    key, signers, bundle, paper = (str(tmp_path / name) for name in ("alice", "signers", "review.json", "approval.json"))
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    (tmp_path / "signers").write_text(f'alice namespaces="stoa" {(tmp_path / "alice.pub").read_text()}')
    change = ("ALTER TABLE t ADD COLUMN w int NOT NULL", "--name", "w-one", "--backfill", "t.w = 1")
    stoa("plan", *change, "--bundle", bundle)
    stoa("approve", "--bundle", bundle, "--sign", key, "--to", paper, "--yes")
    stoa.apply("ALTER TABLE t ADD COLUMN other int")
    browser.open(web().ready().url)
    browser.shows("completed", "#head .pill")
    assert not browser.visible("#approve"), "nobody's signature is known there"
    browser.open(web("--allowed-signers", signers).ready().url)
    browser.wait("!document.getElementById('approve').hidden")
    browser.click("button:Approve a plan")
    browser.fill("#ask-token", TOKEN)
    browser.click("#ask-go")
    browser.shows("No signed approval is chosen", "dialog")
    browser.choose("dialog input[type=file]", signers)
    browser.shows("is no signed approval", "dialog")
    hostile = json.loads(pathlib.Path(paper).read_text())
    hostile["bundle"]["plan"]["steps"][0]["title"] = "<img src=x onerror=alert(1)>"
    browser.choose("dialog input[type=file]", stoa.file("hostile.json", json.dumps(hostile)))
    browser.shows("<img src=x", "dialog li")
    assert browser.count("dialog img") == 0
    browser.choose("dialog input[type=file]", paper)
    browser.wait("!document.querySelector('dialog').innerText.includes('<img')")
    browser.shows("w-one", "dialog .name")
    assert json.loads(pathlib.Path(bundle).read_text())["plan_digest"] in browser.text("dialog") and browser.count("dialog li") > 5
    browser.is_accessible()
    browser.click("#ask-go")
    browser.wait("document.querySelector('#acts tbody')?.innerText.includes('done')")
    assert "approve w-one" in browser.text("#acts tbody")
    stoa("apply", *change, "--yes", "--approvals", "1", "--allowed-signers", signers)
    browser.no_problems(REFUSED)


def test_a_server_that_only_shows(browser, web, table, stoa):
    stoa("apply", "ALTER TABLE t ADD COLUMN w int NOT NULL", "--name", "w", "--backfill", "t.w = 1", "--yes", "--until", "expand")
    browser.open(web(token=None).ready().url)
    browser.shows("This server only shows", "#head")
    assert browser.count("#head button") == 0
    browser.no_problems()


def test_keyboard_alone(browser, web, slow, stoa):
    page = web().ready()
    running = slow()
    browser.open(page.url)
    browser.shows("backfill", "#track")
    browser.tab_to("button: Pause")
    browser.press("Enter")
    assert browser.focus() == "input: ask-token"
    browser.type(TOKEN)
    browser.press("Enter")
    browser.shows("paused", "#head .pill")
    browser.press("Home")
    browser.evaluate("document.activeElement.blur()")
    browser.tab_to("button: Resume")
    browser.press("Space")
    assert browser.focus() == "input: max-lag"
    browser.tab_to("button: Resume", 8)
    browser.press("Enter")
    browser.wait("document.querySelector('#head .pill').innerText !== 'paused'")
    until(lambda: state(page) != "paused", 10, "it is still paused")
    stoa("resume", "w", "--nice", "0")
    running.wait(0)
    browser.no_problems()


def test_again_after_a_restart(browser, web, table, stoa):
    page = web().ready()
    browser.open(page.url)
    browser.shows("No change yet")
    browser.evaluate("window.neverLoadedAgain = true")
    page.close()
    browser.shows("No connection to the server", "#banner")
    stoa("apply", "ALTER TABLE t ADD COLUMN w int NOT NULL", "--name", "w", "--backfill", "t.w = 1", "--yes")
    web(listen=f"127.0.0.1:{page.port}").ready()
    browser.wait("document.querySelector('#banner').innerText === ''", 30)
    browser.shows("ready", "#head .pill")
    events = page.get("/api/v1/events")["events"]
    browser.wait(f"document.querySelectorAll('#log tbody tr').length === {len(events)}")
    browser.wait("document.querySelector('#fresh').innerText === 'live'", 30)
    assert browser.evaluate("window.neverLoadedAgain")
    browser.no_problems(CUT_OFF)


def test_without_a_stream(browser, web, table, stoa):
    """As behind a proxy that lets none through: the page asks instead."""
    page = web().ready()
    browser.open(page.url, noStream=True)
    browser.shows("live, by polling", "#fresh")
    stoa("apply", "ALTER TABLE t ADD COLUMN w int NOT NULL", "--name", "w", "--backfill", "t.w = 1", "--yes")
    browser.shows("ready", "#head .pill")
    events = page.get("/api/v1/events")["events"]
    browser.wait(f"document.querySelectorAll('#log tbody tr').length === {len(events)}")
    assert browser.text("#fresh") == "live, by polling" and browser.text("#banner") == ""
    browser.no_problems(CUT_OFF)


def test_who_is_in_the_way(browser, web, table, stoa):
    page = web().ready()
    browser.open(page.url)
    with table.server.connect(table.name, table.owner, autocommit=False, application_name="<b>nightly</b>") as blocker:
        blocker.execute("SELECT * FROM t LIMIT 1")
        running = stoa.start("apply", "ALTER TABLE t ADD COLUMN w int NOT NULL", "--name", "w", "--backfill", "t.w = 1", "--yes")
        browser.shows("Lock attempts and blockers", "#locks")
        browser.shows("<b>nightly</b>", "#locks")
        browser.shows(str(blocker.info.backend_pid), "#locks")
        browser.is_accessible()
    running.wait(0)
    browser.shows("ready", "#head .pill")
    browser.select("#log-change", "all")
    browser.fill("#log-text", "nightly")
    browser.wait("[...document.querySelectorAll('#log tbody tr')].every((row) => row.innerText.includes('nightly')) && document.querySelector('#log tbody tr')")
    browser.no_problems()


def test_while_the_database_is_gone(browser, web, home, version):
    server = Server(home, version)
    page = web(url=server.url()).ready()
    browser.open(page.url)
    browser.shows("No change yet")
    server.stop()
    browser.shows("The database cannot be looked at", "#banner")
    browser.shows("old", "#fresh")
    browser.is_accessible()
    server.start()
    browser.wait("document.querySelector('#banner').innerText === '' && document.querySelector('#fresh').innerText === 'live'", 30)
    browser.no_problems()
    server.end()


def test_hostile_names(browser, web, table, stoa):
    markup = '<img src=x onerror="window.hurt=1">'
    name = markup + "'\"\u202e rtl \u2066&lt;" + "x" * 300
    stoa("apply", "ALTER TABLE t ADD COLUMN w int NOT NULL", "--name", "w", "--backfill", "t.w = 1", "--yes")
    table.rows("SELECT 1")
    table.admin.execute("UPDATE stoa.changes SET name = %s, owner = %s, error = %s, state = 'failed', ready_at = NULL, throttled_by = %s",
                        [name, markup, markup, markup])
    table.admin.execute("INSERT INTO stoa.events (change_id, kind, text) SELECT id, %s, %s FROM stoa.changes", [markup, markup + "y" * 500])
    page = web().ready()
    for width in (1280, 360):
        browser.open(page.url, viewport={"width": width, "height": 800})
        browser.shows(markup, "#head h2")
        browser.shows(markup, "#log")
        browser.click("#list a")
        browser.click("button:Resume")
        browser.shows(markup, "dialog h2")
        assert browser.count("img") == 1 and not browser.evaluate("window.hurt"), "the brand's alone"
        browser.is_accessible()
        browser.fits()
        browser.click("#ask-cancel")
        browser.fits()
        assert browser.evaluate("document.querySelector('#head h2 bdi').textContent") == name
        browser.no_problems()


def test_light_and_dark(browser, web, db):
    page = web().ready()

    def ground():
        return browser.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    browser.open(page.url, colorScheme="dark")
    browser.shows("No change yet")
    dark = ground()
    browser.media({"colorScheme": "light"})
    light = ground()
    assert dark != light
    browser.click("#theme")
    assert ground() == dark and browser.evaluate("localStorage.length") == 1
    browser.reload()
    browser.shows("No change yet")
    assert ground() == dark, "the choice is remembered"
    browser.media({"reducedMotion": "reduce"})
    assert browser.evaluate("getComputedStyle(document.querySelector('#whole')).transitionDuration") == "0s"
    browser.no_problems()
