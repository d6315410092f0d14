// The charts of scores: dots and intervals, learning curves, quality against speed, by length, by word frequency.
(() => {
  // Whether an entry leads or is not told apart from the leader; only the monitored score is tested.
  const told = (entry, score) => score.name !== lab.split.monitor || entry.best || entry.mark !== "▼";
  const title = (score) => score.title + score.suffix + (score.higher ? "" : " (lower is better)");
  const marker = (entry, score, size) => ({
    color: told(entry, score) ? lab.rowColour(entry.row) : lab.colour("paper"), size, symbol: lab.symbol(entry),
    line: { color: lab.rowColour(entry.row), width: 2 },
  });
  const within = (score, value) => Math.max(score.low ?? -Infinity, Math.min(score.high ?? Infinity, value));
  const spread = (score, entry) => {
    const found = entry.scores[score.name];
    const value = lab.number(found.mean, score.digits) + score.suffix;
    return found.low === null ? `${value}, one seed`
      : `${value}, interval ${lab.number(found.low, score.digits)} to ${lab.number(found.high, score.digits)}`;
  };
  const below = { orientation: "h", x: 0, y: -0.24, xanchor: "left", yanchor: "top" };
  const scoreOf = (id) => lab.score(lab.element(id).value);

  function dots() {
    const score = scoreOf("dots-score");
    const entries = lab.split.entries.filter((entry) => entry.scores[score.name]);
    const ordered = [...entries].reverse().sort((a, b) => (score.higher ? 1 : -1) * (a.scores[score.name].mean - b.scores[score.name].mean));
    const traces = [];
    for (const [place, entry] of ordered.entries()) {
      const found = entry.scores[score.name];
      const base = { type: "scatter", mode: "markers", hovertemplate: "%{text}<extra></extra>" };
      if (found.low !== null) {
        traces.push({ type: "scatter", mode: "lines", x: [within(score, found.low), within(score, found.high)], y: [place, place],
          line: { color: lab.rowColour(entry.row), width: 2 }, opacity: 0.55, hoverinfo: "skip" });
      }
      if (found.values.length > 1) {
        traces.push({ ...base, x: found.values, y: found.values.map(() => place), opacity: 0.75,
          marker: { color: lab.rowColour(entry.row), size: 5 },
          text: found.values.map((value, seed) => `${lab.text(entry.label)}, seed ${lab.text(entry.seeds[seed])}: ${lab.number(value, score.digits)}${score.suffix}`) });
      }
      traces.push({ ...base, x: [found.mean], y: [place], marker: marker(entry, score, 12),
        text: [`<b>${lab.text(entry.label)}</b><br>${spread(score, entry)}`] });
    }
    const narrow = lab.narrow();
    const labels = ordered.map((entry) => lab.broken(entry.label, narrow ? 46 : 60, narrow ? 1 : 2));
    const axis = { range: [-0.6, ordered.length - (narrow ? 0.1 : 0.4)], showgrid: false, tickfont: { size: 13, color: lab.colour("ink") } };
    lab.plot("dots-chart", traces, {
      height: 70 + ordered.length * (narrow ? 48 : 34),
      annotations: narrow ? labels.map((label, place) => lab.above(label, place + 0.2)) : [],
      xaxis: lab.axis({ title: title(score) }),
      yaxis: lab.axis(narrow ? { ...axis, showticklabels: false, ticks: "" }
        : { ...axis, tickvals: ordered.map((_, place) => place), ticktext: labels }),
    });
  }

  function curves() {
    const name = lab.element("curves-name").value;
    const runs = lab.data.curves.runs.filter((run) => run.series[name]);
    const timed = runs.some((run) => run.series[name].seconds);
    const buttons = [...lab.element("curves-over").querySelectorAll("button")];
    buttons[1].disabled = !timed;
    buttons[1].title = timed ? "" : "the records of these runs do not tell the time of a step";
    const suffix = lab.data.curves.suffixes[name] ?? "";
    const over = timed && buttons[1].getAttribute("aria-pressed") === "true" ? "seconds" : "step";
    const named = new Set();
    const { names, height } = lab.legend("curves-chart", lab.data.rows);
    const traces = runs.filter((run) => run.series[name][over]).map((run) => {
      const label = lab.text(lab.data.rows[run.row]);
      const first = !named.has(run.row);
      named.add(run.row);
      const points = run.series[name];
      return { type: "scatter", mode: points.value.length < 40 ? "lines+markers" : "lines", x: points[over], y: points.value,
        name: names[run.row], legendgroup: `row${run.row}`, showlegend: first, marker: { size: 4 },
        line: { color: lab.rowColour(run.row), width: 1.8 }, opacity: 0.9,
        hovertemplate: `<b>${label}</b>, seed ${lab.text(run.seed)}<br>${over} %{x:,}: %{y:.4g}${suffix}<extra></extra>` };
    });
    lab.plot("curves-chart", traces, { height, showlegend: true,
      legend: { ...below, y: below.y * 400 / height, font: { size: 12, color: lab.colour("ink") } },
      xaxis: lab.axis({ title: over === "step" ? "Optimizer steps" : "Seconds of training", rangemode: "tozero" }),
      yaxis: lab.axis({ title: lab.text(readable(name)) + suffix }) });
  }
  const readable = (name) => name.replace("/", ": ").replace(/_/g, " ");

  function speed() {
    const score = scoreOf("speed-score");
    const entries = lab.split.entries.filter((entry) => entry.scores[score.name] && entry.speed);
    const quality = (entry) => entry.scores[score.name].mean;
    const front = lab.front(entries, (entry) => entry.speed, quality, score.higher);
    const line = { type: "scatter", mode: "lines", x: front.map((entry) => entry.speed), y: front.map(quality),
      line: { color: lab.colour("soft"), width: 1, dash: "dot" }, hoverinfo: "skip", showlegend: false };
    const hint = (entry) => `<b>${lab.text(entry.label)}</b><br>${spread(score, entry)}<br>`
      + `${lab.number(entry.speed, entry.speed < 10 ? 2 : 0)} sentences/s`;
    const traces = entries.map((entry) => ({ type: "scatter", mode: "markers", x: [entry.speed], y: [quality(entry)],
      marker: marker(entry, score, 13), name: lab.text(entry.label), text: [hint(entry)], hovertemplate: "%{text}<extra></extra>" }));
    // Names stand beside the marks, so that no legend must be matched by colour; where it is narrow a legend replaces them.
    const annotations = entries.map((entry) => ({ x: Math.log10(entry.speed), y: quality(entry), text: lab.text(entry.label),
      showarrow: false, xanchor: "left", yanchor: "middle", xshift: 10, bgcolor: lab.colour("paper"), borderpad: 1,
      font: { size: 12, color: lab.colour("ink") } }));
    const speeds = entries.map((entry) => Math.log10(entry.speed));
    const low = Math.min(...speeds), high = Math.max(...speeds), pad = Math.max(0.08, (high - low) * 0.06);
    const room = Math.max(0.35, (high - low) * (lab.narrow() ? 0.9 : 0.32));
    lab.plot("speed-chart", [line, ...traces], { height: 420, annotations: lab.narrow() ? [] : annotations,
      showlegend: lab.narrow(), legend: below,
      xaxis: lab.axis({ title: "Sentences per second", type: "log", range: [low - pad, high + (lab.narrow() ? pad : room)],
        ...lab.ticks(low - pad, high + pad) }),
      yaxis: lab.axis({ title: title(score) }) });
  }

  function grouped(id, groups, series, labels, yTitle, what, digits) {
    const positions = groups.labels.map((_, place) => place);
    const bars = { type: "bar", x: positions, y: groups.counts, yaxis: "y2", marker: { color: lab.colour("bar") }, width: 0.86,
      hovertemplate: `%{y:,} ${what}<extra></extra>`, showlegend: false };
    const lines = [], { names, height } = lab.legend(id, lab.split.entries.map((entry) => entry.label));
    for (const [place, entry] of lab.split.entries.entries()) {
      if (!series[place]) continue;
      lines.push({ type: "scatter", mode: "lines+markers", x: positions, y: series[place], name: names[place],
        line: { color: lab.rowColour(entry.row), width: 1.8, dash: lab.dash(entry) },
        marker: { color: lab.rowColour(entry.row), size: 7, symbol: lab.symbol(entry) },
        hovertemplate: `<b>${lab.text(entry.label)}</b><br>${labels}: %{text}<br>%{y:.${digits}f}<extra></extra>`,
        text: groups.labels });
    }
    const most = Math.max(...groups.counts, 1);
    lab.plot(id, [bars, ...lines], { height, showlegend: true, barmode: "overlay",
      legend: { ...below, y: below.y * (lab.narrow() ? 700 : 400) / height, font: { size: 12, color: lab.colour("ink") } },
      xaxis: lab.axis({ title: labels, tickvals: positions, ticktext: groups.labels, showgrid: false,
        tickangle: lab.narrow() ? -45 : "auto" }),
      yaxis: lab.axis({ title: yTitle, overlaying: "y2", rangemode: "tozero", tickmode: "auto" }),
      yaxis2: { range: [0, most * 4], visible: false, fixedrange: true } });
  }

  function lengths() {
    const score = scoreOf("lengths-score");
    for (const side of ["source", "reference"]) {
      const groups = lab.split.lengths[side];
      grouped(`${side}-lengths-chart`, groups, groups.series[score.name],
        side === "source" ? "Source tokens" : "Reference tokens", title(score), "sentences", score.digits);
    }
  }

  function frequency() {
    const groups = lab.split.frequency;
    lab.element("frequency").hidden = !groups;
    if (!groups) return;
    const measure = lab.element("frequency-measure").querySelector("[aria-pressed=true]").value;
    const titles = { f1: "Word F1", recall: "Word recall", precision: "Word precision" };
    grouped("frequency-chart", groups, groups.series[measure], "Occurrences in training", titles[measure], "words", 3);
  }

  if (lab.element("curves-name")) {
    lab.fill(lab.element("curves-name"), lab.data.curves.names.map((name) => [name, readable(name)]));
    lab.element("curves-name").addEventListener("change", curves);
    lab.segmented("curves-over", curves);
    lab.draw(curves);
  }
  if (lab.data.splits.length) {
    lab.scoreChooser("dots-score", dots);
    for (const [id, chart] of Object.entries({ "speed-score": speed, "lengths-score": lengths })) {
      if (lab.element(id)) lab.scoreChooser(id, chart, true);
    }
    if (lab.element("frequency-measure")) {
      lab.segmented("frequency-measure", frequency);
      lab.draw(frequency, true);
    }
  }
})();
