// Buttons, the dialog behind each, and the token: it is kept for this tab, and sent in a header only.
import {fill, find, h, say} from "./dom.js";
import {moment} from "./format.js";
import {consequence, fieldsOf, forceOf, isGrave, LABELS, verbsOf} from "./consequence.js";

const KEY = "stoa-token";

const token = {
  get: () => {
    try {
      return sessionStorage.getItem(KEY) || "";
    } catch {
      return "";
    }
  },
  set: (text) => {
    try {
      if (text) sessionStorage.setItem(KEY, text);
      else sessionStorage.removeItem(KEY);
    } catch { /* asked for again each time */ }
  },
};

export const hasToken = () => token.get() !== "";
export const forgetToken = () => token.set("");

const verbOf = (verb) => (verb === "limits" ? "resume" : verb);

class Ask {
  constructor(verb, change, asked) {
    Object.assign(this, {verb, change, asked, error: null, busy: false, needsToken: !hasToken()});
    this.dialog = find("ask");
    this.form = find("ask-form");
    this.form.onsubmit = (event) => {
      event.preventDefault();
      this.send();
    };
    this.opener = document.activeElement;
    this.dialog.onclose = () => {
      fill(this.form, []);
      this.opener?.isConnected && this.opener.focus();
    };
    this.draw();
    this.dialog.showModal();
    (this.form.querySelector("input:not([type=checkbox])") || this.form.querySelector("#ask-cancel")).focus();
  }

  draw() {
    const {verb, change} = this, force = forceOf(verb, change), fields = fieldsOf(verb);
    fill(this.form, [
      h("h2", {id: "ask-title"}, LABELS[verb], " ", h("bdi", {class: "name"}, change.name), "?"),
      h("div", {class: "said"}, consequence(verb, change)),
      fields.length ? h("fieldset", null, h("legend", null, verb === "limits" ? "New limits" : "Limits"), h("p", {class: "dim"}, "What is left empty stays as it is."),
        h("div", {class: "fields"}, fields.map((field) => h("label", {key: field.name}, field.label, h("input", {name: field.name, type: "text", autocomplete: "off", spellcheck: "false", placeholder: `like ${field.hint}`}))))) : null,
      force ? h("label", {class: "check"}, h("input", {type: "checkbox", name: "force"}), force.label) : null,
      this.needsToken ? h("label", {class: "token", key: "token"}, "Token", h("input", {id: "ask-token", type: "password", autocomplete: "off", "aria-describedby": "ask-token-note"}),
        h("span", {class: "dim", id: "ask-token-note"}, "The one that this server was started with. It is kept until this tab is closed.")) : null,
      h("p", {class: "problem", role: "alert", key: "problem"}, this.error),
      h("div", {class: "buttons", key: "buttons"},
        h("button", {type: "button", id: "ask-cancel", onclick: () => this.dialog.close()}, "Cancel"),
        h("button", {type: "submit", id: "ask-go", class: isGrave(verb) ? "grave" : "main", disabled: this.busy}, this.busy ? "Asking…" : LABELS[verb])),
    ]);
  }

  fail(text, focus) {
    this.error = text;
    this.busy = false;
    this.draw();
    focus && this.form.querySelector(focus)?.focus();
  }

  arguments() {
    const given = {};
    for (const field of fieldsOf(this.verb)) {
      const text = this.form.elements[field.name].value.trim();
      if (text) given[field.name] = text;
    }
    if (this.form.elements.force?.checked) given.force = true;
    return given;
  }

  async send() {
    if (this.busy) return;
    const typed = this.form.querySelector("#ask-token")?.value.trim(), body = this.arguments();
    if (this.needsToken && !typed) return this.fail("Without the token this cannot be asked for.", "#ask-token");
    if (forceOf(this.verb, this.change)?.needed && !body.force) return this.fail("Say first that no application relies on it.", "[name=force]");
    if (this.verb === "limits" && Object.keys(body).length === 0) return this.fail("No limit is given.", "input");
    this.busy = true;
    this.error = null;
    this.draw();
    let answer, told;
    try {
      answer = await fetch(`api/v1/changes/${encodeURIComponent(this.change.name)}/${verbOf(this.verb)}`, {
        method: "POST", cache: "no-store", body: JSON.stringify(body), headers: {"Authorization": `Bearer ${typed || token.get()}`, "Content-Type": "application/json"}});
      told = await answer.json().catch(() => ({}));
    } catch {
      return this.fail("The server did not answer, so nobody knows whether it heard this. Look at the state before you ask again.");
    }
    if (answer.status === 202) {
      if (typed) token.set(typed);
      this.dialog.close();
      say(`${LABELS[this.verb]} was asked for.`);
      return this.asked();
    }
    if (answer.status === 401) {
      token.set("");
      this.needsToken = true;
      return this.fail("The server does not take this token.", "#ask-token");
    }
    const {message, hint} = told.error || {};
    return this.fail(`${message || `It answers ${answer.status}.`}${hint ? ` Hint: ${hint}` : ""}`);
  }
}

export function buttons(change, status, asked) {
  const verbs = verbsOf(change);
  if (!status.has_token) return verbs.length ? [h("p", {class: "dim"}, "This server only shows: it was started without a token.")] : [];
  return verbs.map((verb, at) => h("button", {
    type: "button", key: verb, class: isGrave(verb) ? (verb === "complete" ? "main" : "grave-quiet") : at === 0 ? "main" : null, "aria-haspopup": "dialog", "data-verb": verb,
    onclick: () => new Ask(verb, change, asked)}, LABELS[verb], verb === "limits" ? "…" : null));
}

const BECAME = {running: "under way", done: "done", failed: "refused or failed"};

// What was asked for over this server, and what became of it.
export function actTable(acts, name) {
  const own = acts.filter((act) => act.change === name);
  if (own.length === 0) return null;
  return h("section", {class: "card", key: "acts", "aria-labelledby": "acts-title"},
    h("h3", {id: "acts-title"}, "Asked for from here"),
    h("div", {class: "scroll", tabindex: "0", role: "region", "aria-labelledby": "acts-title"}, h("table", {class: "lines"},
      h("thead", null, h("tr", null, h("th", {scope: "col"}, "At"), h("th", {scope: "col"}, "What"), h("th", {scope: "col"}, "What became of it"))),
      h("tbody", null, own.map((act) => h("tr", {key: `${act.asked_at} ${act.verb}`},
        h("td", {class: "time"}, moment(act.asked_at)), h("td", null, act.verb),
        h("td", {class: "text"}, h("span", {class: `tone ${{running: "", done: "good", failed: "bad"}[act.state]}`}, BECAME[act.state] || act.state), act.error ? h("bdi", {class: "target"}, act.error) : null)))))));
}
