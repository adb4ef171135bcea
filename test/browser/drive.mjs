// Drives a headless Chromium for the tests: a JSON array [command, arguments] a line in, {"value"} or {"error"} a line out.
// node drive.mjs FOLDER, where playwright-core and axe-core are under FOLDER/node_modules.
import {createRequire} from "node:module";
import {readFileSync, writeFileSync} from "node:fs";
import {createInterface} from "node:readline";

const require = createRequire(`${process.argv[2]}/`);
const {chromium} = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const browser = await chromium.launch({executablePath: process.argv[3], args: ["--disable-gpu", "--disable-dev-shm-usage", "--force-color-profile=srgb"]});
let context = null, page = null, problems = [], requests = [];

// "button:Pause" by role and name, else a CSS selector.
function at(where) {
  const match = /^(button|link|heading|dialog|textbox|checkbox|combobox|table|region|searchbox):(.*)$/.exec(where);
  return match ? page.getByRole(match[1], match[2] ? {name: match[2]} : {}) : page.locator(where);
}

const commands = {
  async open(url, {noStream, ...options}) {
    await context?.close();
    problems = [];
    requests = [];
    context = await browser.newContext({viewport: {width: 1280, height: 900}, locale: "en-GB", timezoneId: "UTC", ...options});
    await context.addInitScript(() => addEventListener("securitypolicyviolation", (event) => console.error(`CSP violation: ${event.violatedDirective} ${event.blockedURI}`)));
    if (noStream) await context.route("**/api/v1/events*", (route) => (route.request().headers().accept?.includes("event-stream") ? route.abort() : route.continue()));
    page = await context.newPage();
    page.setDefaultTimeout(20000);
    page.on("console", (message) => ["error", "warning"].includes(message.type()) && problems.push(message.text()));
    page.on("pageerror", (error) => problems.push(`uncaught: ${error.stack}`));
    page.on("dialog", (dialog) => {
      problems.push(`a dialog opened: ${dialog.message()}`);
      return dialog.dismiss();
    });
    page.on("request", (request) => requests.push({method: request.method(), url: request.url(), authorization: request.headers().authorization || null}));
    await page.goto(url);
  },
  reload: () => page.reload(),
  click: (where) => at(where).first().click(),
  fill: (where, text) => at(where).fill(text),
  select: (where, value) => at(where).selectOption(value),
  choose: (where, path) => at(where).setInputFiles(path),
  check: (where) => at(where).check(),
  press: (key) => page.keyboard.press(key),
  type: (text) => page.keyboard.type(text),
  count: (where) => at(where).count(),
  text: (where) => at(where).first().innerText(),
  texts: (where) => at(where).allInnerTexts(),
  attribute: (where, name) => at(where).first().getAttribute(name),
  visible: (where) => at(where).first().isVisible(),
  evaluate: (code) => page.evaluate(code),
  wait: async (code, ms) => {
    const end = Date.now() + ms; // not waitForFunction(), which the page's policy would stop
    while (!(await page.evaluate(code))) {
      if (Date.now() > end) throw new Error(`not within ${ms} ms: ${code}`);
      await new Promise((done) => setTimeout(done, 50));
    }
  },
  media: (options) => page.emulateMedia(options),
  size: (width, height) => page.setViewportSize({width, height}),
  offline: (is) => context.setOffline(is),
  async picture(path, whole) { // WebP, which page.screenshot() cannot make
    const session = await context.newCDPSession(page);
    const [width, height] = await page.evaluate("[innerWidth, document.documentElement.scrollHeight]");
    const clip = whole ? {clip: {x: 0, y: 0, width, height, scale: 1}, captureBeyondViewport: true} : {};
    writeFileSync(path, Buffer.from((await session.send("Page.captureScreenshot", {format: "webp", quality: 82, ...clip})).data, "base64"));
    await session.detach();
  },
  screenshot: (path) => page.screenshot({path}),
  problems: () => problems,
  requests: () => requests,
  async axe() {
    await page.evaluate(axe);
    const told = await page.evaluate(() => window.axe.run(document, {resultTypes: ["violations"]}));
    return told.violations.map(({id, impact, help, nodes}) => ({id, impact, help, nodes: nodes.slice(0, 3).map((node) => `${node.html} ${node.failureSummary}`)}));
  },
};

for await (const line of createInterface({input: process.stdin})) {
  const [command, args] = JSON.parse(line);
  let answer;
  try {
    answer = {value: (await commands[command](...args)) ?? null};
  } catch (error) {
    answer = {error: String(error.message || error)};
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
