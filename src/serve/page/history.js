// What was seen of each change while the page is open, and what the events tell of the time before.
import {instant} from "./format.js";

const KEPT = 2400, WINDOW_MS = 4000;

export class History {
  constructor() {
    this.changes = new Map();
  }

  of(change) {
    const key = `${change.name} ${change.created_at}`;
    if (!this.changes.has(key)) this.changes.set(key, seeded(change));
    return this.changes.get(key);
  }

  // One sample a picture. Rates are over the last seconds: single chunks come in bursts.
  take(change, at) {
    const own = this.of(change);
    const last = own.samples[own.samples.length - 1];
    if (last && at - last.at < 400) return;
    const since = own.samples.find((sample) => at - sample.at <= WINDOW_MS && !sample.seeded);
    const rate = since && at > since.at ? Math.max(0, (change.rows_done - since.rows) * 1000 / (at - since.at)) : null;
    own.samples.push({at, rows: change.rows_done, rate: ["running", "waiting"].includes(change.state) ? rate : null});
    if (own.samples.length > KEPT) own.samples.splice(0, own.samples.length - KEPT);
    const told = JSON.stringify(change.signals);
    if (own.told === told) return; // the journal keeps them for a while after the last look
    own.told = told;
    own.toldAt = performance.now();
    for (const signal of change.signals) {
      const key = signal.target ? `${signal.name} ${signal.target}` : signal.name;
      if (!own.signals.has(key)) own.signals.set(key, []);
      const values = own.signals.get(key);
      values.push({at: at - Math.min(signal.age_ms, 60000), value: signal.value, limit: signal.limit, name: signal.name, target: signal.target});
      if (values.length > KEPT) values.splice(0, values.length - KEPT);
    }
  }
}

// From the backfill's start to now with the average: a line, where nothing finer is known.
function seeded(change) {
  const own = {samples: [], signals: new Map(), told: "", toldAt: performance.now()};
  const first = change.steps.find((step) => step.phase === "backfill" && step.started_at);
  const from = instant(first?.started_at), to = instant(first?.ended_at) || Date.now();
  if (first && change.rows_done > 0 && change.rows_per_s > 0 && to > from) {
    const rate = change.rows_per_s;
    own.samples.push({at: from, rows: 0, rate, seeded: true}, {at: Math.min(to, Date.now() - 1), rows: change.rows_done, rate, seeded: true});
    if (first.ended_at) own.samples.push({at: to + 1, rows: change.rows_done, rate: null, seeded: true});
  }
  return own;
}

// The same reason with other figures is the same reason.
const kindOf = (text) => text.replace(/\d+(\.\d+)?/g, "#");

// When and why the work was held back: [{text, spans: [[from, to]], ms, count}], the longest first.
export function throttles(events, name, now) {
  const reasons = new Map();
  let open = null;
  const close = (at) => {
    if (!open) return;
    const key = kindOf(open.text);
    const reason = reasons.get(key) || {key, text: open.text, spans: [], ms: 0, count: 0};
    reason.text = open.text;
    reason.spans.push([open.at, Math.max(at, open.at)]);
    reason.ms += Math.max(0, at - open.at);
    reason.count++;
    reasons.set(key, reason);
    open = null;
  };
  for (const event of events) {
    if (event.change !== name) continue;
    const at = instant(event.at);
    if (event.event === "throttled") {
      close(at);
      open = {at, text: event.text || "no reason was given"};
    } else if (["released", "stopped", "failed", "ready", "aborted", "completed", "reverted"].includes(event.event)) {
      close(at);
    }
  }
  const held = open !== null;
  close(now);
  return {reasons: [...reasons.values()].sort((a, b) => b.ms - a.ms), held};
}
