// Figures as people read them.

const counts = new Intl.NumberFormat("en", {maximumFractionDigits: 0});
const short = new Intl.NumberFormat("en", {notation: "compact", maximumSignificantDigits: 3});

export const count = (value) => counts.format(value);
export const plural = (value, word) => `${count(value)} ${word}${value === 1 ? "" : "s"}`;
export const brief = (value) => (Math.abs(value) < 10000 ? counts.format(value) : short.format(value));
export const percent = (part) => `${(Math.floor(part * 1000) / 10).toFixed(part >= 1 ? 0 : 1)} %`;

// A value of a signal, whose unit nobody tells: as short as it can be.
export function figure(value) {
  if (value === null || value === undefined) return "–";
  if (Math.abs(value) >= 10000) return short.format(value);
  return String(Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3)));
}

export function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"], at = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log(Math.max(bytes, 1)) / Math.log(1024))));
  return `${figure(bytes / 1024 ** at)} ${units[at]}`;
}

export function seconds(value) {
  if (value < 0.9995) return `${Math.max(1, Math.round(value * 1000))} ms`;
  if (value < 59.95) return `${value < 10 ? value.toFixed(1) : Math.round(value)} s`;
  const whole = Math.round(value);
  if (whole >= 600 && whole < 3600) return `${Math.round(whole / 60)} min`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60 ? `${whole % 60} s` : ""}`.trim();
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

// "4 – 9 min": the unit once where it is the same.
export function range(low, high) {
  const [from, to] = [seconds(low), seconds(high)];
  if (from === to) return from;
  const unit = to.match(/^[\d.]+( \w+)$/)?.[1];
  return unit && from.match(/^[\d.]+( \w+)$/)?.[1] === unit ? `${from.slice(0, -unit.length)} – ${to}` : `${from} – ${to}`;
}

export function ago(ms) {
  return ms < 1500 ? "just now" : `${seconds(Math.floor(ms / 1000))} ago`;
}

// The server writes "2026-11-30T08:33:40.123+00:00", or with a space.
export const instant = (text) => (text ? Date.parse(text.replace(" ", "T")) : NaN);

const clock = new Intl.DateTimeFormat("en-GB", {hour: "2-digit", minute: "2-digit", second: "2-digit"});
const day = new Intl.DateTimeFormat("en-GB", {day: "numeric", month: "short"});

export const timeOf = (ms) => clock.format(ms);
export function moment(text) {
  const ms = instant(text);
  if (Number.isNaN(ms)) return text || "–";
  const today = new Date(ms).toDateString() === new Date().toDateString();
  return today ? clock.format(ms) : `${day.format(ms)}, ${clock.format(ms)}`;
}

const ENGINES = {postgres: "PostgreSQL", mysql: "MySQL", mariadb: "MariaDB"};
export const engine = (name) => ENGINES[name] || name;
