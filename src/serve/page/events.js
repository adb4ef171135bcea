// The event log, and what of it is about locks.
import {h} from "./dom.js";
import {moment, plural} from "./format.js";

const SHOWN = 200, LOCKS_SHOWN = 8;
const TONES = {failed: "bad", alarm: "bad", back_broken: "bad", drift: "bad", throttled: "warn", lock_blocked: "warn", retry: "warn", conn_lost: "warn", stopped: "warn",
  pause_requested: "warn", ready: "good", completed: "good", step_done: "good", released: "good", verified: "good"};
const LOCKS = new Set(["lock_blocked", "retry"]);

export const wordOf = (kind) => (kind || "").replaceAll("_", " ");

function line(event, withChange) {
  return h("tr", {key: String(event.id)},
    h("td", {class: "time"}, h("time", {datetime: event.at}, moment(event.at))),
    h("td", null, h("span", {class: `tone ${TONES[event.event] || ""}`}, wordOf(event.event))),
    withChange ? h("td", {class: "text"}, h("bdi", null, event.change || "")) : null,
    h("td", {class: "text"}, h("bdi", null, event.text || ""), event.step > 0 ? h("span", {class: "target"}, `step ${event.step}`) : null));
}

export function eventLog(events, name, words) {
  const wanted = words.trim().toLowerCase();
  const fitting = events.filter((event) => (!name || event.change === name) &&
    (!wanted || `${wordOf(event.event)} ${event.text || ""} ${event.change || ""}`.toLowerCase().includes(wanted)));
  if (fitting.length === 0) return h("p", {class: "dim", key: "none"}, events.length ? "No event fits." : "Nothing has happened yet.");
  const shown = fitting.slice(-SHOWN).reverse();
  return [
    h("div", {class: "scroll log", tabindex: "0", role: "region", "aria-labelledby": "log-title", key: "log"}, h("table", {class: "lines"},
      h("thead", null, h("tr", null, h("th", {scope: "col"}, "At"), h("th", {scope: "col"}, "Event"), name ? null : h("th", {scope: "col"}, "Change"), h("th", {scope: "col"}, "What happened"))),
      h("tbody", null, shown.map((event) => line(event, !name))))),
    h("p", {class: "dim", key: "count"}, fitting.length > SHOWN ? `The last ${SHOWN} of ${plural(fitting.length, "event")}; stoa history tells all.` : plural(fitting.length, "event")),
  ];
}

export function lockTable(change, events) {
  const about = events.filter((event) => event.change === change.name && LOCKS.has(event.event));
  const again = change.steps.filter((step) => step.attempts > 1);
  if (about.length === 0 && again.length === 0) return null;
  const blocked = about.filter((event) => event.event === "lock_blocked").length;
  return h("section", {class: "card", key: "locks", "aria-labelledby": "locks-title"},
    h("h3", {id: "locks-title"}, "Lock attempts and blockers"),
    h("p", {class: "dim"}, [blocked ? `Somebody was in the way ${plural(blocked, "time")}.` : "", again.length ? ` ${again.map((step) => `Step ${step.ordinal} took ${step.attempts} attempts.`).join(" ")}` : ""]),
    about.length ? h("div", {class: "scroll", tabindex: "0", role: "region", "aria-labelledby": "locks-title"}, h("table", {class: "lines"},
      h("thead", null, h("tr", null, h("th", {scope: "col"}, "At"), h("th", {scope: "col"}, "Event"), h("th", {scope: "col"}, "Who, and what for"))),
      h("tbody", null, about.slice(-LOCKS_SHOWN).reverse().map((event) => line(event, false))))) : null);
}

