// The page: looks at what the link knows, and draws it.
import {actTable, buttons} from "./actions.js";
import {approve} from "./approve.js";
import * as charts from "./charts.js";
import {head, progress, track} from "./change.js";
import {forgetToken, hasToken} from "./dialog.js";
import {fill, find, h, say} from "./dom.js";
import {eventLog, lockTable} from "./events.js";
import {engine, instant, percent, seconds} from "./format.js";
import {History, throttles} from "./history.js";
import {Link} from "./link.js";
import {byName, changeList, inOrder, stateOf} from "./list.js";
import {signalTable, throttleTable} from "./signals.js";
import {stepTable} from "./steps.js";

const STALE_MS = 5000, FAILING_MS = 1200;

const link = new Link(draw);
const history = new History();
let taken = null, drawn = "", logged = null, told = {}, logOwn = true, logText = "";

function chosenName() {
  const match = /^#change=(.*)$/.exec(location.hash);
  try {
    return match ? decodeURIComponent(match[1]) : null;
  } catch {
    return null;
  }
}

function chosen(changes) {
  const name = chosenName();
  return (name !== null && byName(changes, name)) || inOrder(changes)[0] || null;
}

function drawTop(status, age) {
  find("theme").textContent = window.stoaTheme.now() === "dark" ? "Light" : "Dark";
  find("theme").setAttribute("aria-label", `Switch to ${window.stoaTheme.now() === "dark" ? "light" : "dark"} colours`);
  find("token").hidden = !hasToken();
  find("token").textContent = "Forget token";
  find("approve").hidden = !(status?.takes_approvals && status.has_token && !status.reads_only);
  if (!status) return;
  fill(find("where"), [
    h("bdi", {class: "database"}, status.database || "database"), status.engine ? h("span", null, `${engine(status.engine)} ${status.server}`) : null,
    status.environment ? h("span", {class: `pill ${/^prod/i.test(status.environment) ? "bad" : "plain"}`}, h("bdi", null, status.environment)) : null]);
  const old = link.problem || status.failed || age < 0 || age > STALE_MS;
  fill(find("fresh"), h("span", {class: old ? "dot old" : "dot"}, age < 0 ? "no picture yet" : old ? `picture ${seconds(age / 1000)} old` : link.streaming ? "live" : "live, by polling"));
  fill(find("foot"), h("p", null, `Stoa ${status.stoa}. Picture ${status.picture}${status.system ? ` of server ${status.system}` : ""}.`));
}

// The sentence is said once; the seconds beside it are for those who see them.
function drawBanner(status, age) {
  let text = null, more = null;
  if (link.problem && (!status || performance.now() - link.failing > FAILING_MS)) {
    text = `No connection to the server at ${location.host}: ${link.problem}. Trying again…`;
    more = status ? "What you see is the last that was known. The change itself does not depend on this page." : null;
  } else if (status?.failed) {
    text = `The database cannot be looked at: ${status.failed}`;
    more = status.age_ms < 0 ? "Nothing was seen yet." : "What you see is the last that was known.";
  } else if (age > STALE_MS) {
    text = "The picture is stale: the journal was not looked at for too long.";
  }
  fill(find("banner"), text ? h("div", {class: "banner"}, h("strong", null, text), more ? h("span", null, ` ${more}`) : null,
    age > 0 ? h("span", {"aria-hidden": "true", class: "since"}, ` ${seconds(age / 1000)} old.`) : null) : []);
}

function wholePage(status) {
  if (!status) {
    return link.problem ? h("div", {class: "empty"}, h("h2", null, "Stoa cannot be reached"), h("p", null, "This page asks again every second and goes on by itself."))
      : h("div", {class: "empty", "aria-busy": "true"}, h("h2", null, "Looking at the journal…"), h("div", {class: "bones", "aria-hidden": "true"}, h("span"), h("span"), h("span")));
  }
  if (status.age_ms < 0) return h("div", {class: "empty"}, h("h2", null, "Nothing was seen yet"), h("p", null, "The server is up, and has not been able to look at the database."));
  if (status.changes.length > 0) return [];
  return h("div", {class: "empty"}, h("h2", null, "No change yet"),
    h("p", null, "As soon as one is carried out in this database it appears here, with its phases, its progress and what slows it down."),
    h("pre", {tabindex: "0"}, h("code", null, "stoa apply 'ALTER TABLE orders ADD COLUMN amount_cents bigint NOT NULL' \\\n    --backfill 'orders.amount_cents = (amount * 100)::bigint'")),
    h("p", {class: "dim"}, "stoa plan shows what it would do, without doing it."), actTable(status.acts, null));
}

function drawChange(change, status) {
  const own = history.of(change), now = Date.now(), since = performance.now() - own.toldAt;
  const last = own.samples[own.samples.length - 1];
  fill(find("head"), head(change, buttons(change, status, () => link.ask())));
  fill(find("track"), track(change));
  fill(find("progress"), progress(change, last && !last.seeded ? last.rate : null));
  const curves = `${change.name} ${status.picture} ${own.samples.length} ${window.stoaTheme.now()}`;
  if (curves !== drawn) charts.drawAll(own, now, ["running", "waiting"].includes(change.state));
  drawn = curves;
  const until = instant(change.ready_at || change.ended_at) || now;
  const held = throttles(link.events, change.name, until);
  fill(find("slow"), [signalTable(change, since), throttleTable(held, instant(change.created_at), until)]);
  fill(find("steps"), stepTable(change, now));
  fill(find("locks"), lockTable(change, link.events) || []);
  fill(find("acts"), actTable(status.acts, change.name) || []);
}

function drawLog(change) {
  find("log-card").hidden = link.events.length === 0 && !change;
  fill(find("log-change"), [change ? h("option", {value: "own"}, "this one") : null, h("option", {value: "all"}, "all")]);
  find("log-change").value = logOwn && change ? "own" : "all";
  const events = `${link.events.length} ${link.lastEvent} ${logOwn && change ? change.name : ""} ${logOwn} ${logText}`;
  if (events === logged) return;
  logged = events;
  fill(find("log"), eventLog(link.events, logOwn && change ? change.name : null, logText));
}

// What is new is said once, politely.
function tellNews(change, status) {
  const word = change ? `${change.name}: ${stateOf(change).word}${change.throttled_by ? `, ${change.throttled_by.replace(/[\d.]+/g, "")}` : ""}` : "";
  if (change && told.name === change.name && told.word !== word) say(`${change.name} is ${stateOf(change).word}.`);
  const act = status.acts[0], became = act ? `${act.asked_at} ${act.verb} ${act.state}` : "";
  if (told.act !== undefined && told.act !== became && act && act.state !== "running") say(`${act.verb} of ${act.change}: ${act.state === "done" ? "done" : `failed. ${act.error || ""}`}`);
  told = {name: change?.name, word, act: became};
}

function titleOf(change) {
  if (!change) return "Stoa";
  const part = change.phase === "backfill" && change.rows_total > 0 ? ` ${percent(change.rows_done / change.rows_total)}` : "";
  return `${change.name}: ${stateOf(change).word}${part} – Stoa`;
}

function draw() {
  const status = link.status, age = link.age();
  drawTop(status, age);
  drawBanner(status, age);
  fill(find("whole"), wholePage(status));
  const seen = status && status.age_ms >= 0 && status.changes.length > 0;
  const change = seen ? chosen(status.changes) : null;
  find("changes").hidden = !seen;
  find("parts").hidden = !change;
  if (status && status !== taken) {
    for (const one of status.changes) if (one === byName(status.changes, one.name) && status.failed === null && !link.problem) history.take(one, Date.now() - Math.max(0, status.age_ms));
    taken = status;
    tellNews(change, status);
  }
  if (seen) fill(find("list"), changeList(status.changes, change));
  if (change) drawChange(change, status);
  drawLog(change);
  const title = titleOf(change);
  if (document.title !== title) document.title = title;
}

find("theme").addEventListener("click", () => {
  window.stoaTheme.set(window.stoaTheme.now() === "dark" ? "light" : "dark");
  charts.forget();
  draw();
});
find("approve").addEventListener("click", () => approve(() => link.ask()));
find("token").addEventListener("click", () => {
  forgetToken();
  say("The token is forgotten.");
  draw();
  find("theme").focus();
});
find("log-change").addEventListener("change", (event) => {
  logOwn = event.target.value === "own";
  draw();
});
find("log-text").addEventListener("input", (event) => {
  logText = event.target.value;
  draw();
});
matchMedia("(prefers-color-scheme: light)").addEventListener("change", () => {
  charts.forget();
  draw();
});
window.addEventListener("hashchange", () => {
  charts.forget();
  draw();
  window.scrollTo(0, 0);
});
window.addEventListener("DOMContentLoaded", draw);
draw();
link.start();
