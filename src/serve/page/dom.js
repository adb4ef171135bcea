// Nodes from plain objects, and as few changes to the document as it takes: what has the focus keeps it.
// Text only ever becomes a text node; there is no way from a string to markup here.

// h("td", {class: "number"}, "12"): attributes that are null or false are left out, functions are listeners,
// `style` is an object of custom properties and goes through the style's own interface.
export function h(tag, attributes, ...children) {
  return {tag, attributes: attributes || {}, children: children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false && child !== "")};
}

const PROPERTIES = new Set(["value", "checked", "disabled", "hidden", "max"]);
const listeners = new WeakMap();

function setListener(node, name, listener) {
  let own = listeners.get(node);
  if (!own) listeners.set(node, own = {});
  if (!(name in own)) node.addEventListener(name.slice(2), (event) => own[name]?.(event));
  own[name] = listener;
}

function setAttributes(node, next) {
  const before = node.given || {};
  for (const name of Object.keys(before)) {
    if (name in next && next[name] !== null && next[name] !== false) continue;
    if (PROPERTIES.has(name)) node[name] = false;
    else if (typeof before[name] === "function") setListener(node, name, null);
    else node.removeAttribute(name);
  }
  for (const [name, value] of Object.entries(next)) {
    if (value === null || value === undefined || value === false || name === "key") continue;
    if (typeof value === "function") setListener(node, name, value);
    else if (name === "style") for (const [key, text] of Object.entries(value)) node.style.setProperty(key, text);
    else if (before[name] === value) continue;
    else if (PROPERTIES.has(name)) node[name] = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.given = next;
}

function fits(node, wanted) {
  if (typeof wanted !== "object") return node.nodeType === Node.TEXT_NODE;
  return node.nodeType === Node.ELEMENT_NODE && node.localName === wanted.tag && (node.given?.key ?? null) === (wanted.attributes.key ?? null);
}

function make(wanted) {
  if (typeof wanted !== "object") return document.createTextNode(String(wanted));
  const node = document.createElement(wanted.tag);
  patch(node, wanted);
  return node;
}

function patch(node, wanted) {
  if (typeof wanted !== "object") {
    if (node.data !== String(wanted)) node.data = String(wanted);
    return;
  }
  setAttributes(node, wanted.attributes);
  fill(node, wanted.children);
}

// Makes `children` the children of `parent`.
export function fill(parent, children) {
  const wanted = [children].flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false && child !== "");
  let at = parent.firstChild;
  for (const child of wanted) {
    let node = at;
    while (node && !fits(node, child)) node = child.attributes?.key !== undefined ? node.nextSibling : null;
    if (!node) {
      parent.insertBefore(make(child), at);
      continue;
    }
    if (node === at) at = at.nextSibling;
    else parent.insertBefore(node, at);
    patch(node, child);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

export const find = (id) => document.getElementById(id);

// For those who do not see it: one sentence, when something became different.
export function say(text) {
  find("said").textContent = text;
}
