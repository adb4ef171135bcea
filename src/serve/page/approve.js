// An approval that somebody signed with "stoa approve --to": shown before it is sent.
import {Dialog} from "./dialog.js";
import {h} from "./dom.js";

const COMMAND = "stoa approve --bundle review.json --sign KEY --to approval.json";

// "at: 2026-11-30T13:05:00Z" in what was signed.
const fieldOf = (paper, name) => paper.text.split("\n").find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) || "";

class Approve extends Dialog {
  constructor(asked) {
    super(asked);
    this.paper = null;
    this.open();
  }

  title() {
    return "Approve a plan?";
  }

  label() {
    return "Approve";
  }

  tone() {
    return "main";
  }

  path() {
    return "api/v1/approvals";
  }

  request() {
    return this.paper ? {body: this.paper} : {missing: "No signed approval is chosen.", focus: "input[type=file]"};
  }

  async choose(input) {
    const file = input.files[0];
    this.paper = null;
    try {
      const paper = file ? JSON.parse(await file.text()) : null;
      if (paper && typeof paper.text === "string" && typeof paper.signature === "string" && Array.isArray(paper.bundle?.plan?.steps)) this.paper = paper;
    } catch { /* told below */ }
    this.fail(file && !this.paper ? "This file is no signed approval." : null);
  }

  content() {
    const {paper} = this;
    return [
      h("div", {class: "said"}, h("p", null, "A signed approval is noted in the event log of this database, if the signature is that of somebody who may approve. Where enough have, ",
        h("code", null, "stoa apply"), " carries out that plan and no other.")),
      h("label", {class: "file", key: "file"}, "Signed approval", h("input", {type: "file", accept: ".json,application/json", onchange: (event) => this.choose(event.target), "aria-describedby": "file-note"}),
        h("span", {class: "dim", id: "file-note"}, "Made by ", h("code", null, COMMAND))),
      paper ? h("div", {class: "said", key: "paper"},
        h("p", null, "Change ", h("bdi", {class: "name"}, fieldOf(paper, "change")), ", plan ", h("code", null, fieldOf(paper, "plan-digest")), ", until ", fieldOf(paper, "expires"), "."),
        h("ol", {class: "planned"}, paper.bundle.plan.steps.map((step) => h("li", {key: step.ordinal}, h("bdi", null, `${step.phase}: ${step.title}`))))) : null,
    ];
  }
}

export const approve = (asked) => new Approve(asked);
