"""A headless Chromium, driven by test/browser/drive.mjs over playwright-core."""
import json
import pathlib
import subprocess

from test.lib.servers import CACHE, ROOT

FOLDER = CACHE / "browser"
CHROMIUM = pathlib.Path("/usr/bin/chromium")
SERIOUS = {"serious", "critical"}


class Browser:
    """One browser with one page at a time; open() begins with a clean profile. A place is a CSS selector, or a role and a
    name, "button:Pause"."""

    def __init__(self):
        if not CHROMIUM.exists() or not (FOLDER / "node_modules" / "playwright-core").exists():
            raise RuntimeError("there is no browser to test with: run script/bootstrap --browser")
        self.process = subprocess.Popen(["node", ROOT / "test" / "browser" / "drive.mjs", FOLDER, CHROMIUM], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def __getattr__(self, command):
        return lambda *args: self._do(command, args)

    def _do(self, command, args):
        self.process.stdin.write(json.dumps([command, args]) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the browser ended: exit {self.process.wait(10)}"
        answer = json.loads(line)
        if "error" in answer:
            raise AssertionError(f"{command}{args}: {answer['error']}\n{self._shown() if command != 'text' else ''}")
        return answer["value"]

    def _shown(self):
        try:
            return f"The page shows:\n{self.text('body')[:3000]}\nproblems: {self.problems()}"
        except AssertionError:
            return ""

    def open(self, url, **options):
        return self._do("open", [url, options])

    def wait(self, code, seconds=20):
        """Until the JavaScript expression is true."""
        return self._do("wait", [code, seconds * 1000])

    def shows(self, text, where="body", seconds=20):
        """Waits until the text can be read there."""
        self.wait(f"document.querySelector({json.dumps(where)})?.innerText.includes({json.dumps(text)})", seconds)

    def focus(self):
        """What has the focus, in words: "button: Pause"."""
        return self.evaluate("(() => { const e = document.activeElement; return e.localName + ': ' + (e.getAttribute('aria-label') || e.innerText || e.name || e.id || '').trim(); })()")

    def tab_to(self, what, most=60):
        """Presses Tab until that has the focus."""
        seen = []
        for _ in range(most):
            self.press("Tab")
            seen.append(self.focus())
            if seen[-1] == what:
                return
        raise AssertionError(f'Tab does not come to "{what}", but to {seen}')

    def no_problems(self, allowed=()):
        """Nothing in the console, no CSP violation, nothing uncaught, but for texts that hold one of `allowed`."""
        bad = [text for text in self.problems() if not any(part in text for part in allowed)]
        assert not bad, bad

    def is_accessible(self):
        bad = [one for one in self.axe() if one["impact"] in SERIOUS]
        assert not bad, json.dumps(bad, indent=1)

    def fits(self):
        """Nothing makes the page scroll sideways."""
        wide = self.evaluate("""[document.documentElement.scrollWidth, innerWidth,
            ...[...document.querySelectorAll("body *")].filter((e) => !e.closest(".scroll, pre, .unseen, .skip") && e.getBoundingClientRect().right > innerWidth + 1)
            .slice(0, 5).map((e) => e.outerHTML.slice(0, 150))]""")
        assert wide[0] <= wide[1] and len(wide) == 2, wide

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
