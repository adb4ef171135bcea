// Curves over the time that the page is open. Each says in words, too, what it shows.
import {find} from "./dom.js";
import {brief, figure, plural, seconds, timeOf} from "./format.js";

const POINTS = 360, SERIES = 6;
const COLORS = ["--series-1", "--series-2", "--series-3", "--series-4", "--series-5", "--series-6"];
const DASHES = [[], [6, 3], [2, 3], [8, 3, 2, 3], [3, 2], [10, 4]];
const charts = new Map();

// A replica may be known by its whole address: its host tells it apart.
const placeOf = (target) => /^[a-z]+:\/\/(?:[^@/]*@)?([^/?]+)/.exec(target)?.[1] || target || "replica";

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Every so many points, and the last one always.
function thin(points) {
  const every = Math.ceil(points.length / POINTS);
  return every <= 1 ? points : points.filter((point, at) => at % every === 0 || at === points.length - 1 || point.y === null);
}

function options(unit, legend) {
  const grid = {color: css("--line"), drawBorder: false, tickLength: 4}, ticks = {color: css("--dim"), font: {size: 11, family: css("--font")}, maxRotation: 0};
  return {
    animation: false, parsing: false, normalized: true, maintainAspectRatio: false, events: ["mousemove", "mouseout"],
    interaction: {mode: "nearest", axis: "x", intersect: false},
    elements: {point: {radius: 0, hoverRadius: 3}, line: {borderWidth: 1.75, tension: 0}},
    scales: {
      x: {type: "linear", grid: {...grid, display: false}, ticks: {...ticks, maxTicksLimit: 5, callback: (value) => timeOf(value)}},
      y: {beginAtZero: true, grid, ticks: {...ticks, maxTicksLimit: 4, callback: (value) => (unit === "rows/s" ? brief(value) : figure(value))}},
    },
    plugins: {
      legend: {display: legend, position: "bottom", align: "start", onClick: null, labels: {color: css("--text"), boxWidth: 18, boxHeight: 0, font: {size: 12, family: css("--font")}}},
      tooltip: {animation: false, callbacks: {title: (items) => (items.length ? timeOf(items[0].parsed.x) : ""),
        label: (item) => ` ${item.dataset.label}: ${unit === "rows/s" ? brief(item.parsed.y) : figure(item.parsed.y)} ${unit}`.trimEnd()}},
    },
  };
}

function draw(id, unit, series, from, to) {
  const legend = series.length > 1;
  let chart = charts.get(id);
  if (chart && chart.legendShown !== legend) {
    chart.destroy();
    chart = null;
  }
  if (!chart) {
    chart = new window.Chart(find(id), {type: "line", data: {datasets: []}, options: options(unit, legend)});
    chart.legendShown = legend;
    charts.set(id, chart);
  }
  chart.data.datasets = series.map((one, at) => ({
    label: one.label, data: thin(one.points), borderColor: css(one.limit ? "--warn" : COLORS[at % COLORS.length]), backgroundColor: css("--fill"),
    borderDash: one.limit ? [4, 4] : DASHES[at % DASHES.length], borderWidth: one.limit ? 1.25 : 1.75, fill: series.length === 1, stepped: false, spanGaps: false}));
  chart.options.scales.x.min = from;
  chart.options.scales.x.max = Math.max(to, from + 10000);
  chart.update("none");
}

// After a change of theme everything is drawn anew.
export function forget() {
  for (const chart of charts.values()) chart.destroy();
  charts.clear();
}

function show(name, shown) {
  find(`${name}-card`).hidden = !shown;
  return shown;
}

function tell(name, what, text) {
  find(`${name}-chart`).setAttribute("aria-label", `${what}. ${text}`);
  if (find(`${name}-text`).textContent !== text) find(`${name}-text`).textContent = text;
}

function drawRate(own, now, working) {
  const known = own.samples.filter((sample) => sample.rate !== null);
  if (!show("rate", known.length > 1 && (working || known.some((sample) => !sample.seeded)))) return;
  const rates = known.map((sample) => sample.rate), from = own.samples[0].at;
  draw("rate-chart", "rows/s", [{label: "filled", points: own.samples.map((sample) => ({x: sample.at, y: sample.rate}))}], from, now);
  const last = own.samples[own.samples.length - 1].rate;
  const guessed = own.samples.some((sample) => sample.seeded) ? " Before the page was opened: the average." : "";
  tell("rate", "Rows filled a second, over time", `${last === null ? "Nothing is filled now" : `Now ${brief(last)} rows/s`}, at most ${brief(Math.max(...rates))} in ${seconds((now - from) / 1000)}.${guessed}`);
}

function drawLag(own, now) {
  const replicas = [...own.signals.entries()].filter(([, values]) => values[0].name === "replica-lag");
  if (!show("lag", replicas.length > 0)) return;
  const limit = replicas[0][1][replicas[0][1].length - 1].limit, from = Math.min(...replicas.map(([, values]) => values[0].at));
  const series = replicas.slice(0, SERIES).map(([, values]) => ({label: placeOf(values[0].target), points: values.map((one) => ({x: one.at, y: one.value}))}));
  if (limit !== null) series.push({label: "limit", limit: true, points: [{x: from, y: limit}, {x: now, y: limit}]});
  draw("lag-chart", "s", series, from, now);
  const last = replicas.map(([, values]) => `${placeOf(values[0].target)} ${values[values.length - 1].value === null ? "has no value" : seconds(values[values.length - 1].value)}`);
  tell("lag", "Lag of replicas in seconds, over time", `Now ${last.join(", ")}${limit === null ? "" : `; limit ${figure(limit)} s`}.`);
}

function drawLoad(own, now) {
  const limited = [...own.signals.entries()].filter(([, values]) => values[0].name !== "replica-lag" && values.some((one) => one.limit > 0));
  if (!show("load", limited.length > 0)) return;
  const part = (one) => (one.value === null || !(one.limit > 0) ? null : one.value / one.limit);
  const peak = ([, values]) => Math.max(...values.map((one) => part(one) ?? 0));
  const shown = limited.sort((a, b) => peak(b) - peak(a)).slice(0, SERIES - 1), from = Math.min(...shown.map(([, values]) => values[0].at));
  const series = shown.map(([key, values]) => ({label: key, points: values.map((one) => ({x: one.at, y: part(one)}))}));
  series.push({label: "limit", limit: true, points: [{x: from, y: 1}, {x: now, y: 1}]});
  draw("load-chart", "of its limit", series, from, now);
  const last = shown.map(([key, values]) => [key, part(values[values.length - 1])]);
  const above = last.filter(([, value]) => value > 1).map(([key]) => key);
  tell("load", "Signals as parts of their limits, over time", above.length ? `Above its limit now: ${above.join(", ")}.`
    : `${plural(last.length, "signal")} with a limit, none above it now.`);
}

export function drawAll(own, now, working) {
  if (!window.Chart) return;
  drawRate(own, now, working);
  drawLag(own, now);
  drawLoad(own, now);
}
