// One change: what it is, its phases as a track, and how far it is.
import {h} from "./dom.js";
import {brief, count, figure, moment, percent, plural, range, seconds, size} from "./format.js";
import {isOver, pill, stateOf} from "./list.js";

export function phasesOf(change) {
  const phases = [];
  for (const step of change.steps) {
    let phase = phases.find((one) => one.name === step.phase);
    if (!phase) phases.push(phase = {name: step.phase, steps: []});
    phase.steps.push(step);
  }
  for (const phase of phases) {
    const states = phase.steps.map((step) => step.state);
    phase.done = states.filter((state) => state === "done").length;
    phase.state = states.every((state) => state === "done") ? "done"
      : states.every((state) => state === "undone") ? "undone"
      : states.includes("running") ? "now"
      : phase.done > 0 && !isOver(change) ? "now" : "open";
    if (phase.state === "now" && ["failed", "ambiguous"].includes(change.state)) phase.state = "failed";
  }
  return phases;
}

const PHASE_WORDS = {done: "done", now: "under way", open: "to come", undone: "undone", failed: "stopped here"};

export function track(change) {
  return h("ol", {class: "track", "aria-label": "Phases"}, phasesOf(change).map((phase) =>
    h("li", {class: phase.state, "aria-current": phase.state === "now" || phase.state === "failed" ? "step" : null},
      h("span", {class: "phase"}, phase.name),
      h("span", {class: "phase-state"}, phase.name === "contract" && phase.state === "open" && !isOver(change) ? "by complete"
        : phase.state === "now" && phase.steps.length > 1 ? `${phase.done} of ${phase.steps.length}` : PHASE_WORDS[phase.state]))));
}

function stat(label, value, note, tone) {
  return h("div", {class: tone ? `stat ${tone}` : "stat"}, h("dt", null, label), h("dd", null, value, note ? h("span", {class: "note"}, note) : null));
}

function leftStat(change) {
  if (change.eta_s) return stat("Time left", range(change.eta_s.low, change.eta_s.high), change.throttled_by ? "once it goes on" : "of the backfill");
  if (change.ready_at) return stat("Ready since", moment(change.ready_at));
  if (change.ended_at) return stat("Ended", moment(change.ended_at));
  if (["failed", "ambiguous"].includes(change.state)) return null;
  return stat("Time left", "–", change.state === "paused" ? "while it rests" : change.throttled_by ? "while it is held back" : "not known yet");
}

// What the rows that were written anew have cost in room: the size by that of before.
function growth(change, label, part) {
  const sized = Object.values(change.measured || {}).map((step) => step.bytes).filter((bytes) => bytes && bytes[`${part}_before`] > 0);
  if (sized.length === 0) return null;
  const sum = (key) => sized.reduce((all, bytes) => all + bytes[key], 0), before = sum(`${part}_before`), now = sum(part);
  return stat(`${label} on disk`, `${figure(now / before)}×`, `${size(before)} before, ${size(now)} now`, now > 2 * before ? "warn" : null);
}

export function progress(change, rate) {
  const part = change.rows_total > 0 ? Math.min(1, change.rows_done / change.rows_total) : null;
  const current = change.steps.find((step) => step.state === "running");
  const working = ["running", "waiting"].includes(change.state);
  const filling = change.rows_total > 0 || change.rows_done > 0;
  return [
    current && !isOver(change) ? h("p", {class: "current", key: "current"}, h("span", {class: "dim"}, `Step ${current.ordinal} of ${change.steps.length}: `), h("bdi", null, current.title)) : null,
    filling ? h("progress", {key: "bar", class: stateOf(change).tone, max: 1, value: part ?? 0, "aria-label": "Rows filled"}) : null,
    h("dl", {class: "stats", key: "stats"},
      filling ? stat("Rows", part === null ? count(change.rows_done) : percent(part), part === null ? null : part >= 1 ? plural(change.rows_done, "row")
        : `${count(change.rows_done)} of about ${count(change.rows_total)}`)
        : stat("Steps done", `${change.steps.filter((step) => step.state === "done").length} of ${change.steps.length}`),
      filling ? stat("Rate", `${brief(working && rate !== null ? rate : change.rows_per_s)} rows/s`, working && rate !== null ? `${brief(change.rows_per_s)} without rests` : "without rests") : null,
      leftStat(change),
      change.hot_ratio !== null && change.hot_ratio !== undefined
        ? stat("HOT updates", percent(change.hot_ratio), change.hot_ratio >= 0.5 ? "little new index space" : "indexes grow", change.hot_ratio < 0.3 ? "warn" : null) : null,
      growth(change, "Table", "heap"), growth(change, "Indexes", "indexes")),
  ];
}

function failure(change) {
  if (!change.error || !["failed", "ambiguous", "paused", "aborted"].includes(change.state)) return null;
  const bad = change.state !== "paused";
  return h("div", {class: bad ? "notice bad" : "notice warn", key: "failure"},
    h("strong", null, change.state === "ambiguous" ? "A person has to look: " : change.state === "aborted" ? "It was given up: " : bad ? "It stopped: " : "It rests: "), h("bdi", null, change.error));
}

function heldBack(change) {
  if (!change.throttled_by || isOver(change) || change.state === "ready" || change.state === "paused") return null;
  return h("div", {class: "notice warn", key: "held"}, h("strong", null, "Held back: "), h("bdi", null, change.throttled_by));
}

function broken(change) {
  const lost = change.broken || [];
  if (lost.length === 0) return null;
  return h("div", {class: "notice bad", key: "broken"}, h("strong", null, "The way back has lost values: "),
    lost.map((one) => h("div", null, h("bdi", null, `${one.table}.${one.column}`), one.count > 0 ? `, ${plural(one.count, "time")}` : "", ", the first one ", moment(one.at), ": ", h("bdi", null, one.message))),
    "A revert is refused.");
}

function fact(label, value) {
  return value ? h("div", null, h("dt", null, label), h("dd", null, value)) : null;
}

export function head(change, buttons) {
  const tables = (change.tables || []).map((table) => (typeof table === "string" ? table : `${table.schema}.${table.name}`));
  return [
    h("div", {class: "title", key: "title"}, h("h2", {id: "change-title", title: change.name}, h("bdi", null, change.name)), pill(change)),
    h("dl", {class: "facts", key: "facts"},
      fact(tables.length > 1 ? "Tables" : "Table", tables.length ? tables.map((table, at) => [at ? ", " : "", h("bdi", null, table)]) : null),
      fact("Strategy", change.strategy), fact("Owner", change.owner && h("bdi", null, change.owner)),
      fact("Carried out by", change.runner ? h("bdi", null, change.runner) : isOver(change) || change.state === "ready" ? null : "nobody"),
      fact("Begun", moment(change.created_at)),
      fact("Plan", change.plan_digest && h("code", {title: change.plan_digest}, change.plan_digest.replace("sha256:", "").slice(0, 12))),
      change.state === "ready" ? fact("Way back", change.no_revert ? ["none: ", h("bdi", null, change.no_revert)] : "revert") : null),
    failure(change), heldBack(change), broken(change),
    buttons.length ? h("div", {class: "buttons", key: "buttons", role: "group", "aria-label": "What can be asked for"}, buttons) : null,
  ];
}
