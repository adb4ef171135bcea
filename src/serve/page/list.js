// All changes, as a list of links.
import {h} from "./dom.js";
import {count, percent, plural} from "./format.js";

const OVER = new Set(["completed", "aborted", "reverted"]);
export const isOver = (change) => OVER.has(change.state);

// What is under way stands first, then what waits for somebody, then what is over; the newest of each first.
const RANK = {failed: 0, ambiguous: 0, running: 1, waiting: 1, paused: 2, planned: 2, ready: 3};
export function inOrder(changes) {
  return changes.map((change, at) => ({change, at}))
    .sort((a, b) => (RANK[a.change.state] ?? 4) - (RANK[b.change.state] ?? 4) || b.at - a.at)
    .map(({change}) => change);
}

// The newest of a name; names of changes that are over may be taken again.
export function byName(changes, name) {
  return changes.filter((change) => change.name === name).pop() || null;
}

export const linkTo = (name) => `#change=${encodeURIComponent(name)}`;

// The state as it is told everywhere: "running", or why it is not as it seems.
export function stateOf(change) {
  if (change.state === "waiting" || (change.state === "running" && change.throttled_by)) return {word: "held back", tone: "warn"};
  if (change.state === "running" && !change.runner) return {word: "nobody at work", tone: "warn"};
  const tones = {running: "live", planned: "plain", paused: "warn", ready: "good", completed: "done", failed: "bad", ambiguous: "bad", aborted: "done",
    reverted: "done"};
  return {word: change.state, tone: tones[change.state] || "plain"};
}

export function pill(change) {
  const {word, tone} = stateOf(change);
  return h("span", {class: `pill ${tone}`}, word);
}

function below(change) {
  const part = change.rows_total > 0 ? change.rows_done / change.rows_total : 0;
  if (["running", "waiting", "paused"].includes(change.state) && change.phase === "backfill" && part > 0) return `backfill, ${percent(part)}`;
  if (isOver(change) || change.state === "ready") return change.rows_done > 0 ? `${plural(change.rows_done, "row")} filled` : `${change.steps.length} steps`;
  return change.phase || `${count(change.steps.length)} steps`;
}

function item(change, chosen) {
  return h("li", {key: `${change.name} ${change.created_at}`},
    h("a", {href: linkTo(change.name), class: "change-link", "aria-current": chosen ? "true" : null},
      h("bdi", {class: "name"}, change.name), pill(change), h("span", {class: "below"}, below(change))));
}

// `seen` are only the newest of each name: an older one has no address of its own.
export function changeList(changes, chosen) {
  const ordered = inOrder(changes.filter((change) => byName(changes, change.name) === change));
  const open = ordered.filter((change) => !isOver(change)), over = ordered.filter(isOver);
  return [
    open.length ? h("ul", {class: "list", key: "open"}, open.map((change) => item(change, change === chosen)))
      : changes.length ? h("p", {class: "dim", key: "none"}, "No change is under way.") : h("p", {class: "dim", key: "none"}, "There are none yet."),
    over.length ? h("details", {key: "over", class: "over", open: open.length === 0 || over.includes(chosen) || null}, h("summary", null, `Over (${count(over.length)})`),
      h("ul", {class: "list"}, over.map((change) => item(change, change === chosen)))) : null,
  ];
}
