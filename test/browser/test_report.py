"""The page that "stoa rehearse --format html" writes: charts without any network, and names that would be code elsewhere."""
import json

import pytest

HOSTILE = '<img src=x onerror=alert(1)></script><script>alert(2)</script>'


@pytest.fixture
def report(db, stoa, tmp_path):
    """A report of an index with a hostile name."""
    db.run("CREATE TABLE t (id bigint PRIMARY KEY, v int); INSERT INTO t SELECT i, i % 7 FROM generate_series(1, 3000) i")
    db.admin.execute("VACUUM ANALYZE")
    told = stoa("rehearse", f'CREATE INDEX "{HOSTILE}" ON t (v)', "--rows", 1000, "--rate", 50, "--sample", "100ms", "--format", "html",
                "--faults", seconds=450)
    file = tmp_path / "report.html"
    file.write_text(told.out)
    return file


@pytest.mark.timeout(600)
def test_report(browser, report):
    browser.open(report.as_uri())
    browser.wait("[...document.querySelectorAll('canvas')].every((canvas) => window.Chart.getChart(canvas))")
    drawn = browser.evaluate("""[...document.querySelectorAll('canvas')].map((canvas) => {
        const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        let seen = 0;
        for (let at = 3; at < pixels.length; at += 4) seen += pixels[at] > 0;
        return seen;
    })""")
    assert len(drawn) == 4 and all(count > 500 for count in drawn), drawn
    browser.no_problems()
    assert [one["url"] for one in browser.requests()] == [report.as_uri()]
    assert browser.count("img") == 0 and browser.count("script") == 3
    # the title is cut to a cell, as every text
    browser.shows(HOSTILE[:25])
    told = json.loads(browser.evaluate("document.getElementById('report').textContent"))
    assert any(HOSTILE[:25] in step["title"] for step in told["steps"])
    browser.shows("Killed, and gone on with")
    browser.is_accessible()
    browser.fits()
