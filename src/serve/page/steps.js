// The plan's steps: what was predicted, and what it took.
import {h} from "./dom.js";
import {instant, moment, range, seconds} from "./format.js";

function predicted(step) {
  const {low, high} = step.estimate_ms || {};
  if (high === undefined || high === null) return "–";
  return high < 1000 ? "under 1 s" : range(Math.max(low, 1) / 1000, high / 1000);
}

function taken(step, now, change) {
  const from = instant(step.started_at);
  if (Number.isNaN(from) || step.state === "pending" || rests(step, change)) return null;
  const to = step.state === "running" ? now : instant(step.ended_at);
  return Number.isNaN(to) ? null : Math.max(0, to - from);
}

// Nobody is at it: then it is not under way, whatever the journal says of it.
const rests = (step, change) => step.state === "running" && (!change.runner || ["failed", "ambiguous"].includes(change.state));

// What the server says of a statement that runs long.
function doing(step, change) {
  const [stage] = step.state === "running" && !rests(step, change) ? Object.entries(change.measured?.[step.ordinal]?.stage || {}) : [];
  return stage ? h("span", {class: "target"}, h("bdi", null, stage[0]), stage[1] > 0 ? `, ${Math.floor(stage[1] / 10)} %` : "") : null;
}

const WORDS = {pending: "to come", running: "under way", done: "done", undone: "undone"};

function row(step, now, change) {
  const ms = taken(step, now, change), high = step.estimate_ms?.high ?? null;
  const late = ms !== null && high !== null && ms > Math.max(1000, 2 * high);
  return h("tr", {key: String(step.ordinal), class: step.state},
    h("td", {class: "number", "data-label": "Step"}, String(step.ordinal)),
    h("td", {"data-label": "Phase"}, step.phase),
    h("th", {scope: "row", class: "text"}, h("bdi", null, step.title), step.lock ? h("span", {class: "target"}, `lock: ${step.lock.toLowerCase()}`) : null,
      step.error ? h("bdi", {class: "tone bad target"}, step.error) : null),
    h("td", {"data-label": "State"}, h("span", {class: `step ${step.state}`}, rests(step, change) ? "stopped" : WORDS[step.state] || step.state), doing(step, change), step.attempts > 1 ? h("span", {class: "target"}, `${step.attempts} attempts`) : null),
    h("td", {class: "number", "data-label": "Predicted"}, predicted(step)),
    h("td", {class: late ? "number tone warn" : "number", "data-label": "Took", title: step.started_at ? `begun ${moment(step.started_at)}` : null}, ms === null ? "–" : seconds(ms / 1000),
      late ? h("span", {class: "target"}, "longer than predicted") : null));
}

export function stepTable(change, now) {
  return h("section", {class: "card", key: "steps", "aria-labelledby": "steps-title"},
    h("h3", {id: "steps-title"}, "Steps"),
    h("div", {class: "scroll", tabindex: "0", role: "region", "aria-labelledby": "steps-title"}, h("table", {class: "steps stack"},
      h("thead", null, h("tr", null, h("th", {scope: "col", class: "number"}, h("abbr", {title: "number"}, "#")), h("th", {scope: "col"}, "Phase"), h("th", {scope: "col"}, "Step"),
        h("th", {scope: "col"}, "State"), h("th", {scope: "col", class: "number"}, "Predicted"), h("th", {scope: "col", class: "number"}, "Took"))),
      h("tbody", null, change.steps.map((step) => row(step, now, change))))));
}
