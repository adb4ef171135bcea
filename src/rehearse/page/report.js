// The charts of a report: what was measured at each size, and what that predicts for all rows.
(() => {
  const report = JSON.parse(document.getElementById("report").textContent);
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const ways = [{way: "plan", label: "stoa apply", color: "--ours", fill: "--fill", told: report.prediction},
    {way: "plain", label: "as usually written", color: "--theirs", fill: "--their-fill", told: report.naive || {}}];
  const count = (value) => Number(value).toLocaleString("en", {maximumFractionDigits: 3});
  // Of a logarithmic axis 1, 2 and 5 of each decade are named.
  const decade = (value) => ([1, 2, 5].includes(Number(value.toExponential(6).split("e")[0])) ? count(value) : "");

  function axis(title, shown) {
    return {type: "logarithmic", title: {display: true, text: title, color: css("--dim")}, grid: {color: css("--line")},
      ticks: {color: css("--dim"), maxRotation: 0, autoSkip: false, callback: shown}};
  }

  function options(x, y, extra) {
    return {animation: false, maintainAspectRatio: false, parsing: true,
      scales: {x, y}, plugins: {legend: {position: "bottom", labels: {color: css("--text"), boxWidth: 14, boxHeight: 14, filter: (item) => !item.text.endsWith(", predicted")}}}, ...extra};
  }

  // Points where it was measured, and a bar from the least to the most that is predicted for all rows.
  function bySize(id, key, times, unit) {
    const sets = [];
    for (const {way, label, color, fill, told} of ways) {
      const points = report.runs.filter((run) => run.way === way && run[key] > 0).map((run) => ({x: run.rows, y: run[key] * times}));
      const range = told[key];
      sets.push({label: `${label}, measured`, data: points, backgroundColor: css(color), borderColor: css(color), pointRadius: 4, showLine: false});
      if (range && range.high > 0) {
        const low = Math.max(range.low, range.high / 1e4) * times;
        sets.push({label: `${label}, predicted`, data: [{x: report.rows, y: low}, {x: report.rows, y: range.high * times}], showLine: true,
          borderColor: css(color), backgroundColor: css(fill), borderWidth: 8, pointRadius: 0, pointHitRadius: 8});
      }
    }
    new Chart(document.getElementById(id), {type: "scatter", data: {datasets: sets},
      options: options({...axis("rows", decade), min: report.sizes[0] / 1.5, max: report.rows * 1.5}, axis(unit, decade), {})});
  }

  function steps(id) {
    const list = report.steps.filter((step) => step.seconds && step.seconds.high > 0);
    const most = Math.max(...list.map((step) => step.seconds.high), 0.01);
    new Chart(document.getElementById(id), {type: "bar",
      data: {labels: list.map((step) => `${step.ordinal} ${step.title}`.slice(0, 42)),
        datasets: [{label: "seconds, predicted for all rows", backgroundColor: css("--ours"),
          data: list.map((step) => [Math.max(step.seconds.low, most / 1e4), Math.max(step.seconds.high, most / 1e4 * 1.2)])}]},
      options: options(axis("seconds", decade), {grid: {display: false}, ticks: {color: css("--dim"), autoSkip: false, font: {size: 11}}}, {indexAxis: "y"})});
  }

  function stalls(id) {
    const ours = report.application, theirs = (report.naive || {}).application;
    if (!ours || !theirs) {
      document.getElementById(id).closest("figure").hidden = true;
      return;
    }
    const rows = [["p50", "p50_ms"], ["p99", "p99_ms"], ["longest", "max_ms"]];
    const set = (label, from, color) => ({label, backgroundColor: color, data: rows.map(([, key]) => Math.max(from[key], 0.01))});
    new Chart(document.getElementById(id), {type: "bar",
      data: {labels: rows.map(([name]) => name), datasets: [set("before", ours.before, css("--dim")), set("stoa apply", ours.during, css("--ours")),
        set("as usually written", theirs.during, css("--theirs"))]},
      options: options({grid: {display: false}, ticks: {color: css("--dim")}}, axis("milliseconds", decade), {})});
  }

  bySize("time-chart", "seconds", 1, "seconds");
  bySize("log-chart", "wal_bytes", 1 / 1048576, "MB");
  steps("steps-chart");
  stalls("stall-chart");
})();
