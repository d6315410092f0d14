"use strict";
// Learning curves of the jobs chosen; drawn again when one of them wrote a row.
(() => {
  const MOST = 60, FIRST = 10;
  let asked = 0, drawn = null, over = "step";
  live.colours = new Map();

  // Until somebody chooses: the jobs that run, else the latest ones.
  function offer() {
    if (live.chosenByHand) return;
    const runs = [...live.runs.values()].filter((run) => run.step !== null);
    const running = runs.filter((run) => run.status === "running");
    const latest = (running.length ? running : runs).sort((a, b) => (b.changed ?? 0) - (a.changed ?? 0));
    live.chosen = new Set(latest.slice(0, FIRST).map((run) => run.key));
  }

  // Seeds of a row share its colour.
  function colour() {
    const rows = new Map();
    live.colours.clear();
    const runs = [...live.chosen].filter((key) => live.runs.has(key)).slice(0, MOST).map((key) => live.runs.get(key));
    runs.sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }) || (a.key < b.key ? -1 : 1));
    for (const run of runs) {
      const row = `${run.experiment} ${run.group}`;
      if (!rows.has(row)) rows.set(row, rows.size);
      live.colours.set(run.key, rows.get(row));
    }
    return runs;
  }

  async function fetchCurves() {
    const mine = asked += 1;
    const runs = colour();
    live.rewrite();
    if (!runs.length) {
      drawn = { runs: {}, names: [], name: "", suffix: "", over };
      draw();
      return;
    }
    const words = { runs: runs.map((run) => run.key).join(","), name: lab.element("curves-name").value, over };
    let found;
    try {
      found = await live.ask("/api/curves", words);
    } catch {
      return; // the next poll tells whether the server is away
    }
    if (mine !== asked) return; // a later question is on its way
    drawn = found;
    const chooser = lab.element("curves-name");
    if (found.names.join("\n") !== [...chooser.options].map((option) => option.value).join("\n")) {
      lab.fill(chooser, found.names.map((name) => [name, readable(name)]));
    }
    chooser.value = found.name;
    draw();
  }
  const readable = (name) => name.replace("/", ": ").replace(/_/g, " ");

  function draw() {
    if (!drawn) return;
    const experiments = new Set([...live.colours.keys()].map((key) => live.runs.get(key)?.experiment));
    const named = new Set(), traces = [];
    for (const [key, points] of Object.entries(drawn.runs)) {
      const run = live.runs.get(key);
      if (!run || !live.colours.has(key)) continue;
      const place = live.colours.get(key), experiment = live.experiments.get(run.experiment)?.name ?? "";
      const name = lab.text(experiments.size > 1 ? `${experiment}: ${run.name}` : run.name);
      traces.push({ type: "scatter", mode: points.x.length < 40 ? "lines+markers" : "lines", x: points.x, y: points.y,
        name: name.length > 40 ? `${name.slice(0, 39)}…` : name, legendgroup: `row${place}`, showlegend: !named.has(place), marker: { size: 4 },
        line: { color: lab.rowColour(place), width: 1.8 }, opacity: 0.9,
        hovertemplate: `<b>${name}</b>${run.seed === "" ? "" : `, seed ${lab.text(run.seed)}`}<br>${drawn.over} %{x:,}: %{y:.4g}${drawn.suffix}<extra></extra>` });
      named.add(place);
    }
    const count = live.chosen.size, limit = count > MOST ? ` The first ${MOST} of ${lab.number(count, 0)} chosen are drawn.` : "";
    lab.element("curves-note").textContent = traces.length
      ? `One line for each job chosen in the table; seeds of a row share its colour.${limit}`
      : count ? "The jobs chosen have not logged this curve yet." : "Choose jobs in the table below to see their curves.";
    lab.element("curves-chart").hidden = traces.length === 0;
    if (!traces.length) return;
    const labels = traces.filter((trace) => trace.showlegend).map((trace) => trace.name);
    const { height } = lab.legend("curves-chart", labels, lab.narrow() ? 320 : 360);
    lab.plot("curves-chart", traces, { height, showlegend: true, uirevision: `${drawn.name} ${drawn.over}`,
      xaxis: lab.axis({ title: drawn.over === "step" ? "Optimizer steps" : "Seconds of training", rangemode: "tozero" }),
      yaxis: lab.axis({ title: lab.text(readable(drawn.name)) + drawn.suffix }) });
  }

  function choose(keys) {
    live.chosenByHand = true;
    live.choose(keys);
  }

  live.listeners.push((changed) => {
    const before = [...live.chosen].join();
    offer();
    const touched = [...changed].some((key) => live.chosen.has(key));
    if (touched || !changed.size || before !== [...live.chosen].join()) fetchCurves();
  });
  lab.element("curves-name").addEventListener("change", fetchCurves);
  lab.segmented("curves-over", (value) => {
    over = value;
    fetchCurves();
  });
  lab.element("choose-running").addEventListener("click", () =>
    choose(live.shown.filter((key) => live.runs.get(key).status === "running")));
  lab.element("choose-shown").addEventListener("click", () => choose(live.shown));
  lab.element("choose-none").addEventListener("click", () => choose([]));
  lab.draw(draw);
})();
