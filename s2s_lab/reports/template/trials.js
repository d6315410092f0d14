// A search for settings: its trials in their order, their validations, two objectives against each other, and slices.
(() => {
  if (!lab.element("trials")) return;
  const chosen = (id) => Number(lab.element(id).value || 0);
  const search = () => lab.data.searches[chosen("trials-search")];
  const objective = () => search().objectives[chosen("trials-objective")];
  const named = (each) => each.title + each.suffix + (each.higher ? "" : " (lower is better)");
  const short = (value) => (value === null ? "–" : value.toLocaleString("en", { maximumSignificantDigits: 5 }));
  const told = (trial) => `trial ${trial.number}: ${lab.text(trial.outcome ?? "open")}<br>${lab.broken(trial.words, 60, 6)}`;
  const hover = (each) => `<b>%{y}${each.suffix}</b><br>%{text}<extra></extra>`;

  // A trial's value: its own, or the last validation of one that was stopped early, where the search watched it.
  function valued() {
    const at = chosen("trials-objective");
    return search().trials.map((trial) => {
      const stopped = trial.outcome === "stopped" && search().objectives.length === 1;
      return { ...trial, value: trial.values ? trial.values[at] : stopped ? trial.validations.at(-1) ?? null : null };
    }).filter((trial) => trial.value !== null);
  }
  function marks(trials, x, each = objective()) {
    return { type: "scatter", mode: "markers", x: trials.map(x), y: trials.map((trial) => trial.value), text: trials.map(told),
      hovertemplate: hover(each), marker: { size: trials.map((trial) => (trial.best ? 12 : 8)),
        line: { width: 1.5, color: trials.map((trial) => lab.colour(trial.best ? "c1" : "c0")) },
        symbol: trials.map((trial) => (trial.best ? "star" : "circle")),
        color: trials.map((trial) => (trial.values ? lab.colour(trial.best ? "c1" : "c0") : "rgba(0,0,0,0)")) } };
  }

  function history() {
    const trials = valued(), better = (a, b) => (objective().higher ? a > b : a < b);
    const x = [], y = [];
    for (const trial of trials) {
      if (!trial.values) continue;
      x.push(trial.number);
      y.push(y.length && !better(trial.value, y.at(-1)) ? y.at(-1) : trial.value);
    }
    const line = { type: "scatter", mode: "lines", x, y, hoverinfo: "skip", line: { color: lab.colour("c1"), width: 2, shape: "hv" } };
    lab.plot("trials-history", [line, marks(trials, (trial) => trial.number)], { height: 340,
      xaxis: lab.axis({ title: "Trial" }), yaxis: lab.axis({ title: lab.text(named(objective())) }) });
    const counts = new Map();
    const shown = new Set(trials.map((trial) => trial.number));
    for (const trial of search().trials) if (!shown.has(trial.number)) counts.set(trial.outcome, (counts.get(trial.outcome) ?? 0) + 1);
    lab.element("trials-note").textContent = counts.size
      ? `Not shown, without a value: ${[...counts].map(([outcome, count]) => `${count} ${outcome ?? "open"}`).join(", ")}.` : "";
  }

  function courses() {
    const trials = search().objectives.length === 1 ? search().trials.filter((trial) => trial.steps.length) : [];
    lab.element("trials-courses-figure").hidden = !trials.length;
    if (!trials.length) return;
    lab.plot("trials-courses", trials.map((trial) => ({ type: "scatter", mode: "lines", x: trial.steps, y: trial.validations,
      text: trial.steps.map(() => told(trial)), hovertemplate: hover(objective()), opacity: trial.best ? 1 : 0.55,
      line: { color: lab.colour(trial.best ? "c1" : "c0"), width: trial.best ? 2.5 : 1.2, dash: trial.outcome === "stopped" ? "dot" : "solid" } })),
    { height: 340, xaxis: lab.axis({ title: "Steps" }), yaxis: lab.axis({ title: lab.text(named(objective())) }) });
  }

  function front() {
    const [first, second] = search().objectives;
    lab.element("trials-front-figure").hidden = !second;
    if (!second) return;
    const trials = search().trials.filter((trial) => trial.values && trial.values[0] !== null && trial.values[1] !== null)
      .map((trial) => ({ ...trial, value: trial.values[1] }));
    const best = trials.filter((trial) => trial.best).sort((a, b) => a.values[0] - b.values[0]);
    lab.element("trials-front-title").textContent = `${first.title} and ${second.title.toLowerCase()}`;
    const line = { type: "scatter", mode: "lines", x: best.map((trial) => trial.values[0]), y: best.map((trial) => trial.value),
      hoverinfo: "skip", line: { color: lab.colour("c1"), width: 1.5 } };
    lab.plot("trials-front", [line, marks(trials, (trial) => trial.values[0], second)], { height: 340,
      xaxis: lab.axis({ title: lab.text(named(first)) }), yaxis: lab.axis({ title: lab.text(named(second)) }) });
  }

  function slice() {
    const at = chosen("trials-dimension"), trials = valued().filter((trial) => trial.params[at] !== null && trial.params[at] !== undefined);
    const values = trials.map((trial) => trial.params[at]), numeric = values.length > 0 && values.every((value) => typeof value === "number");
    const wide = numeric && Math.min(...values) > 0 && Math.max(...values) / Math.min(...values) >= 20;
    const powers = wide ? [Math.log10(Math.min(...values)), Math.log10(Math.max(...values))] : [];
    const axis = wide ? { type: "log", ...lab.ticks(powers[0] - 0.1, powers[1] + 0.1) } : { type: numeric ? "linear" : "category" };
    lab.plot("trials-slice", [marks(trials, (trial) => (numeric ? trial.params[at] : lab.broken(String(trial.params[at]), 16, 2)))], { height: 320,
      xaxis: lab.axis({ title: lab.text(search().dimensions[at] ?? ""), ...axis }), yaxis: lab.axis({ title: lab.text(named(objective())) }) });
  }

  function importance() {
    const shares = search().importance[chosen("trials-objective")];
    lab.element("trials-importance-figure").hidden = !shares;
    if (!shares) return;
    const sorted = Object.entries(shares).sort((a, b) => a[1] - b[1]);
    lab.plot("trials-importance", [{ type: "bar", orientation: "h", x: sorted.map(([, share]) => 100 * share),
      y: sorted.map(([name]) => lab.broken(name, 24, 2)), marker: { color: lab.colour("c0") }, hovertemplate: "%{y}: %{x:.1f} %<extra></extra>",
      text: sorted.map(([, share]) => `${short(Math.round(100 * share))} %`), textposition: "outside", cliponaxis: false }],
    { height: 60 + 34 * sorted.length, xaxis: lab.axis({ visible: false, rangemode: "tozero" }), yaxis: lab.axis({ showgrid: false }), margin: { l: 8, r: 48, t: 8, b: 8 } });
  }

  function values() {
    history(); courses(); front(); slice(); importance();
  }
  function all() {
    lab.fill(lab.element("trials-objective"), search().objectives.map((each, place) => [place, each.title]));
    lab.element("trials-objectives").hidden = search().objectives.length < 2;
    lab.fill(lab.element("trials-dimension"), search().dimensions.map((name, place) => [place, name]));
    values();
  }
  lab.fill(lab.element("trials-search"), lab.data.searches.map((each, place) => [place, each.name]));
  lab.element("trials-search").addEventListener("change", all);
  lab.element("trials-objective").addEventListener("change", values);
  lab.element("trials-dimension").addEventListener("change", slice);
  let filled = false;
  lab.draw(() => {
    if (filled) values();
    else all();
    filled = true;
  });
})();
