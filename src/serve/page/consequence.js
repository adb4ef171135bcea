// What can be asked for, and what that would do to this change, in plain words.
import {h} from "./dom.js";
import {plural} from "./format.js";
import {isOver} from "./list.js";

const LOOKS = new Set(["quiet", "evidence"]); // steps of contract that take nothing away

const contract = (change) => change.steps.filter((step) => step.phase === "contract");
const removed = (change) => contract(change).filter((step) => !LOOKS.has(step.kind));
const hasBegunContract = (change) => removed(change).some((step) => step.state !== "pending");
const isReverting = (change) => change.steps.some((step) => step.phase === "revert");

// The verbs that make sense now; `limits` is a resume of what is running.
export function verbsOf(change) {
  if (isOver(change)) return [];
  const atWork = ["running", "waiting", "planned"].includes(change.state) && change.runner;
  if (isReverting(change)) return atWork ? ["pause"] : ["revert"];
  if (change.ready || change.state === "ready") {
    if (hasBegunContract(change)) return ["complete"];
    return ["complete", ...(change.no_revert ? [] : ["revert"]), "abort"];
  }
  return [...(atWork ? ["pause", "limits"] : change.state === "running" || change.state === "waiting" ? ["resume", "pause"] : ["resume"]), "abort"];
}

export const LABELS = {pause: "Pause", resume: "Resume", limits: "Change limits", complete: "Complete", abort: "Abort", revert: "Revert"};
export const isGrave = (verb) => ["complete", "abort", "revert"].includes(verb);

function stepList(steps) {
  return h("ul", {class: "will"}, steps.map((step) => h("li", null, h("bdi", null, step.title), step.lock ? h("span", {class: "target"}, `lock: ${step.lock.toLowerCase()}`) : null)));
}

function toCome(change) {
  return change.steps.filter((step) => step.state !== "done" && step.phase !== "contract" && step.phase !== "revert");
}

const SAID = {
  pause: (change) => [
    h("p", null, change.runner ? ["It finishes the chunk that it is at, within moments, and waits for a resume. The process (", h("bdi", null, change.runner), ") stays."]
      : "Nobody is carrying it out now. Whoever takes it up waits for a resume."),
    h("p", null, "Nothing is undone and no lock is held. The sync trigger goes on keeping written rows in step, so nothing is lost by a long pause."),
  ],
  resume: (change) => {
    const steps = toCome(change), locks = steps.filter((step) => step.lock);
    return [
      h("p", null, steps.length ? ["It goes on with step ", String(steps[0].ordinal), ", ", h("bdi", null, `“${steps[0].title}”`), `, and ${plural(steps.length, "step")} until ready.`]
        : "It goes on where the journal says it stopped."),
      locks.length ? [h("p", null, `${plural(locks.length, "step")} to come ${locks.length === 1 ? "takes a lock" : "take locks"}, each waiting no longer than the maximal stall:`), stepList(locks.slice(0, 6)),
        locks.length > 6 ? h("p", {class: "dim"}, `and ${locks.length - 6} more`) : null] : null,
    ];
  },
  limits: () => [h("p", null, "The process that carries it out takes the new limits within a moment, and goes on. It is not stopped."), h("p", null, "If it was paused meanwhile, it is resumed.")],
  complete: (change) => {
    const steps = removed(change).filter((step) => step.state !== "done");
    return [
      steps.length ? [h("p", null, "This removes for good what only the old application needs:"), stepList(steps)] : h("p", null, "Nothing is left to remove; the change is closed."),
      h("p", null, "There is no way back from it: afterwards neither abort nor revert is possible. An application that still uses the old shape will fail."),
      contract(change).some((step) => LOOKS.has(step.kind)) ? h("p", null, "Before anything is removed it looks whether an old application was still seen, and refuses if one was.") : null,
    ];
  },
  abort: (change) => {
    const steps = change.steps.filter((step) => ["done", "running"].includes(step.state) && step.phase !== "verify" && step.phase !== "ready").reverse();
    return [
      change.ready ? h("p", {class: "tone bad"}, "The change is ready: applications may already rely on what this removes.") : null,
      steps.length ? [h("p", null, `This undoes, in this order, what ${plural(steps.length, "step")} did:`), stepList(steps)] : h("p", null, "No step was done yet, so nothing has to be undone."),
      change.rows_done > 0 ? h("p", null, `Work on ${plural(change.rows_done, "row")} is thrown away; beginning anew takes as long again. The old columns keep their values.`) : null,
      h("p", null, "Of the change only its entries in the journal stay."),
    ];
  },
  revert: (change) => [
    h("p", null, "This goes back to the old shape. What either application wrote meanwhile stays, in the old columns."),
    h("p", null, "The sync trigger and the new columns are removed: an application that already uses them will fail. The old one has to be deployed again first."),
    (change.broken || []).length ? h("p", {class: "tone bad"}, "Values were lost on the way back, so it will be refused.") : null,
  ],
};

export const consequence = (verb, change) => SAID[verb](change);

// What may be given with it: [{name, label, hint}]. Empty fields change nothing.
export function fieldsOf(verb) {
  if (verb !== "resume" && verb !== "limits") return [];
  return [
    {name: "max-lag", label: "Max lag of replicas", hint: "2s"}, {name: "max-stall", label: "Max stall", hint: "200ms"},
    {name: "chunk-time", label: "Time of a chunk", hint: "100ms"}, {name: "lock-wait", label: "Lock wait", hint: "10m"},
  ];
}

// {label, needed}: what somebody has to say to be sure.
export function forceOf(verb, change) {
  if (verb === "complete") return {label: "Go on although an old application was seen, or nothing tells whether there is one", needed: false};
  if (verb === "abort" && change.ready) return {label: "No application relies on it", needed: true};
  return null;
}
