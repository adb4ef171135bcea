// Why it is slow: signals with their limits, and what held the work when.
import {h} from "./dom.js";
import {ago, figure, plural, seconds, timeOf} from "./format.js";

const STALE_MS = 5000;

function verdict(signal) {
  if (signal.holds) return {word: "holds the work", tone: "warn"};
  if (signal.value === null) return {word: "no value", tone: "dim"};
  if (signal.limit === null) return {word: "shown only", tone: "dim"};
  return {word: signal.minimum ? "enough" : "below its limit", tone: "good"};
}

function meter(signal) {
  if (signal.value === null || !(signal.limit > 0)) return null;
  const part = Math.max(0, Math.min(1, signal.minimum ? signal.limit / Math.max(signal.value, 1) : signal.value / signal.limit));
  return h("span", {class: `meter ${signal.holds ? "warn" : ""}`, "aria-hidden": "true"}, h("span", {style: {width: `${(part * 100).toFixed(1)}%`}}));
}

export function signalTable(change, sinceMs) {
  if (change.signals.length === 0) return null;
  return h("section", {class: "card", key: "signals", "aria-labelledby": "signals-title"},
    h("h3", {id: "signals-title"}, "Signals"),
    h("div", {class: "scroll", tabindex: "0", role: "region", "aria-labelledby": "signals-title"}, h("table", {class: "stack"},
      h("thead", null, h("tr", null, h("th", {scope: "col"}, "Signal"), h("th", {scope: "col", class: "number"}, "Value"), h("th", {scope: "col", class: "number"}, "Limit"),
        h("th", {scope: "col", class: "number"}, "Pauses at"), h("th", {scope: "col"}, "Says"), h("th", {scope: "col", class: "number"}, "Measured"))),
      h("tbody", null, change.signals.map((signal) => {
        const {word, tone} = verdict(signal), age = signal.age_ms + sinceMs;
        return h("tr", {key: `${signal.name} ${signal.target}`},
          h("th", {scope: "row"}, h("bdi", null, signal.name), signal.target ? h("bdi", {class: "target"}, signal.target) : null),
          h("td", {class: "number", "data-label": "Value"}, figure(signal.value), meter(signal)),
          h("td", {class: signal.limit === null ? "number none" : "number", "data-label": "Limit"}, signal.limit === null ? "none" : figure(signal.limit)),
          h("td", {class: signal.critical === null ? "number none" : "number", "data-label": "Pauses at"}, signal.critical === null ? "–" : figure(signal.critical)),
          h("td", {class: "says", "data-label": "Says"}, h("span", {class: `tone ${tone}`}, word), signal.text ? h("bdi", {class: "target"}, signal.text) : null),
          h("td", {class: age > STALE_MS ? "number tone warn" : "number", "data-label": "Measured"}, ago(age)));
      })))));
}

// Each reason a row: when it held the work, on one line of time.
export function throttleTable(told, from, now) {
  if (told.reasons.length === 0) return null;
  const start = Math.min(from, ...told.reasons.flatMap((reason) => reason.spans.map((span) => span[0])));
  const whole = Math.max(1000, now - start);
  const all = told.reasons.reduce((sum, reason) => sum + reason.ms, 0);
  return h("section", {class: "card", key: "throttles", "aria-labelledby": "throttles-title"},
    h("h3", {id: "throttles-title"}, "Held back"),
    h("p", {class: "dim"}, `${seconds(all / 1000)} in all since ${timeOf(start)}${told.held ? ", and now" : ""}.`),
    h("div", {class: "scroll", tabindex: "0", role: "region", "aria-labelledby": "throttles-title"}, h("table", {class: "lines"},
      h("thead", null, h("tr", null, h("th", {scope: "col"}, "Reason"), h("th", {scope: "col", class: "when"}, `From ${timeOf(start)} to now`), h("th", {scope: "col", class: "number"}, "Times"),
        h("th", {scope: "col", class: "number"}, "In all"))),
      h("tbody", null, told.reasons.map((reason) => h("tr", {key: reason.key},
        h("th", {scope: "row", class: "text"}, h("bdi", null, reason.text)),
        h("td", {class: "when"}, h("span", {class: "spans", role: "img", "aria-label": `${plural(reason.count, "time")}, last at ${timeOf(reason.spans[reason.spans.length - 1][0])}`},
          reason.spans.slice(-300).map(([begin, end]) => h("span", {style: {left: `${(100 * (begin - start) / whole).toFixed(2)}%`, width: `${Math.max(0.4, 100 * (end - begin) / whole).toFixed(2)}%`}})))),
        h("td", {class: "number", "data-label": "times"}, String(reason.count)),
        h("td", {class: "number", "data-label": "in all"}, seconds(reason.ms / 1000))))))));
}
