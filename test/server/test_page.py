"""The page's files: what comes with them, and that a browser keeps them."""
import pytest

from test.lib.http import Serving

TYPES = {"/": "text/html", "/page/main.js": "text/javascript", "/page/chart.js": "text/javascript", "/page/page.css": "text/css",
         "/page/icon.svg": "image/svg+xml"}


@pytest.fixture
def web(db):
    serving = Serving(db.url())
    yield serving
    serving.close()


def test_files_and_their_headers(web):
    for path, kind in TYPES.items():
        status, headers, body = web.ask(path)
        assert status == 200 and headers["Content-Type"].startswith(kind) and body
        policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == policy["frame-ancestors"] == "'none'" and policy["script-src"] == policy["style-src"] == "'self'"
        assert headers["X-Frame-Options"] == "DENY" and headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["Cache-Control"] == "no-cache"
        again, known, nothing = web.ask(path, headers={"If-None-Match": headers["ETag"]})
        assert again == 304 and nothing == "" and known["ETag"] == headers["ETag"] and "frame-ancestors" in known["Content-Security-Policy"]
        assert web.ask(path, headers={"If-None-Match": '"another"'})[0] == 200
    for path in ("/page/", "/page/none.js", "/page/../../etc/passwd", "/page/%2e%2e/main.js", "/page/main.js/", "/page/page.c"):
        assert web.ask(path)[0] == 404, path
    assert web.ask("/", "POST")[0] == 405


def test_nothing_comes_from_elsewhere(web):
    """Whatever the page names is there, and nothing is written where a policy would stop it."""
    page = web.ask("/")[2]
    for word in ("http://", "https://", "<style", " style=", "onclick", "javascript:"):
        assert word not in page
    names = [part.split('"')[0] for part in page.replace('src="', 'href="').split('href="')[1:]]
    assert len(names) >= 5
    for name in names:
        assert name.startswith("#") or web.ask("/" + name)[0] == 200, name
    for name in ("main.js", "dom.js", "change.js", "actions.js"):
        text = web.ask(f"/page/{name}")[2]
        assert "innerHTML" not in text and "insertAdjacent" not in text and "eval(" not in text
        for line in text.splitlines():
            if line.startswith("import "):
                assert web.ask("/page/" + line.split('"')[1].removeprefix("./"))[0] == 200, line
