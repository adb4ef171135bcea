// Buttons of a change, and what stands in the dialog behind each.
import {Dialog} from "./dialog.js";
import {h} from "./dom.js";
import {moment} from "./format.js";
import {consequence, fieldsOf, forceOf, isGrave, LABELS, verbsOf} from "./consequence.js";

const verbOf = (verb) => (verb === "limits" ? "resume" : verb);

class Ask extends Dialog {
  constructor(verb, change, asked) {
    super(asked);
    Object.assign(this, {verb, change});
    this.open();
  }

  title() {
    return [LABELS[this.verb], " ", h("bdi", {class: "name"}, this.change.name), "?"];
  }

  label() {
    return LABELS[this.verb];
  }

  tone() {
    return isGrave(this.verb) ? "grave" : "main";
  }

  path() {
    return `api/v1/changes/${encodeURIComponent(this.change.name)}/${verbOf(this.verb)}`;
  }

  content() {
    const {verb, change} = this, force = forceOf(verb, change), fields = fieldsOf(verb);
    return [
      h("div", {class: "said"}, consequence(verb, change)),
      fields.length ? h("fieldset", null, h("legend", null, verb === "limits" ? "New limits" : "Limits"), h("p", {class: "dim"}, "What is left empty stays as it is."),
        h("div", {class: "fields"}, fields.map((field) => h("label", {key: field.name}, field.label, h("input", {name: field.name, type: "text", autocomplete: "off", spellcheck: "false", placeholder: `like ${field.hint}`}))))) : null,
      force ? h("label", {class: "check"}, h("input", {type: "checkbox", name: "force"}), force.label) : null,
    ];
  }

  request() {
    const body = {};
    for (const field of fieldsOf(this.verb)) {
      const text = this.form.elements[field.name].value.trim();
      if (text) body[field.name] = text;
    }
    if (this.form.elements.force?.checked) body.force = true;
    if (forceOf(this.verb, this.change)?.needed && !body.force) return {missing: "Say first that no application relies on it.", focus: "[name=force]"};
    if (this.verb === "limits" && Object.keys(body).length === 0) return {missing: "No limit is given.", focus: "input"};
    return {body};
  }
}

export function buttons(change, status, asked) {
  const verbs = verbsOf(change);
  if (status.reads_only) return verbs.length ? [h("p", {class: "dim"}, "This server only shows: its role may read the journal, and not write it.")] : [];
  if (!status.has_token) return verbs.length ? [h("p", {class: "dim"}, "This server only shows: it was started without a token.")] : [];
  return verbs.map((verb, at) => h("button", {
    type: "button", key: verb, class: isGrave(verb) ? (verb === "complete" ? "main" : "grave-quiet") : at === 0 ? "main" : null, "aria-haspopup": "dialog", "data-verb": verb,
    onclick: () => new Ask(verb, change, asked)}, LABELS[verb], verb === "limits" ? "…" : null));
}

const BECAME = {running: "under way", done: "done", failed: "refused or failed"};

// What was asked for over this server, and what became of it; a plan is approved before there is a change.
export function actTable(acts, name) {
  const own = acts.filter((act) => act.change === name || act.verb === "approve");
  if (own.length === 0) return null;
  return h("section", {class: "card", key: "acts", "aria-labelledby": "acts-title"},
    h("h3", {id: "acts-title"}, "Asked for from here"),
    h("div", {class: "scroll", tabindex: "0", role: "region", "aria-labelledby": "acts-title"}, h("table", {class: "lines"},
      h("thead", null, h("tr", null, h("th", {scope: "col"}, "At"), h("th", {scope: "col"}, "What"), h("th", {scope: "col"}, "What became of it"))),
      h("tbody", null, own.map((act) => h("tr", {key: `${act.asked_at} ${act.verb}`},
        h("td", {class: "time"}, moment(act.asked_at)), h("td", null, act.verb, act.change === name ? null : [" ", h("bdi", {class: "name"}, act.change)]),
        h("td", {class: "text"}, h("span", {class: `tone ${{running: "", done: "good", failed: "bad"}[act.state]}`}, BECAME[act.state] || act.state), act.error ? h("bdi", {class: "target"}, act.error) : null)))))));
}
