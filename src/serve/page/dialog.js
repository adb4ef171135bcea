// The dialog behind whatever acts, and the token: it is kept for this tab, and sent in a header only.
import {fill, find, h, say} from "./dom.js";

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

// What extends it says title(), content(), label(), tone() and path(), and in request() what is sent, or what is missing.
export class Dialog {
  constructor(asked) {
    Object.assign(this, {asked, error: null, busy: false, needsToken: !hasToken()});
    this.dialog = find("ask");
    this.form = find("ask-form");
  }

  open() {
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
    fill(this.form, [
      h("h2", {id: "ask-title"}, this.title()),
      ...this.content(),
      this.needsToken ? h("label", {class: "token", key: "token"}, "Token", h("input", {id: "ask-token", type: "password", autocomplete: "off", "aria-describedby": "ask-token-note"}),
        h("span", {class: "dim", id: "ask-token-note"}, "The one that this server was started with. It is kept until this tab is closed.")) : null,
      h("p", {class: "problem", role: "alert", key: "problem"}, this.error),
      h("div", {class: "buttons", key: "buttons"},
        h("button", {type: "button", id: "ask-cancel", onclick: () => this.dialog.close()}, "Cancel"),
        h("button", {type: "submit", id: "ask-go", class: this.tone(), disabled: this.busy}, this.busy ? "Asking…" : this.label())),
    ]);
  }

  fail(text, focus) {
    this.error = text;
    this.busy = false;
    this.draw();
    focus && this.form.querySelector(focus)?.focus();
  }

  async send() {
    if (this.busy) return;
    const typed = this.form.querySelector("#ask-token")?.value.trim(), {body, missing, focus} = this.request();
    if (this.needsToken && !typed) return this.fail("Without the token this cannot be asked for.", "#ask-token");
    if (missing) return this.fail(missing, focus);
    this.busy = true;
    this.error = null;
    this.draw();
    let answer, told;
    try {
      answer = await fetch(this.path(), {
        method: "POST", cache: "no-store", body: JSON.stringify(body), headers: {"Authorization": `Bearer ${typed || token.get()}`, "Content-Type": "application/json"}});
      told = await answer.json().catch(() => ({}));
    } catch {
      return this.fail("The server did not answer, so nobody knows whether it heard this. Look at the state before you ask again.");
    }
    if (answer.status === 202) {
      if (typed) token.set(typed);
      this.dialog.close();
      say(`${this.label()} was asked for.`);
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
