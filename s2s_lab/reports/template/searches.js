// Searches compared: scores and lengths against the size of the beam, search errors by source length.
(() => {
  const below = { orientation: "h", x: 0, y: -0.22, xanchor: "left", yanchor: "top" };
  const SYMBOLS = ["circle", "diamond", "square", "triangle-up", "cross", "star", "hexagon", "bowtie"];
  const DASHES = ["solid", "dash", "dot", "dashdot", "longdash"];

  // Lines of several rows have their rows' colours; of one row each has its own. Marks and dashes tell them apart too.
  function looks(lines) {
    const several = new Set(lines.map((line) => line.row)).size > 1;
    return lines.map((line, place) => ({
      colour: lab.rowColour(several ? line.row : place), symbol: SYMBOLS[place % SYMBOLS.length], dash: DASHES[place % DASHES.length] }));
  }

  function against(id, lines, measured, digits, title, reference) {
    const sizes = [...new Set(lines.flatMap((line) => line.points.map((point) => point.size)))].sort((a, b) => a - b);
    const look = looks(lines), { names, height } = lab.legend(id, lines.map((line) => line.label));
    const traces = lines.map((line, place) => {
      const points = line.points.map((point) => ({ ...point, ...measured(point) })).filter((point) => point.mean !== null);
      const spread = points.some((point) => point.low !== null);
      return { type: "scatter", mode: "lines+markers", x: points.map((point) => point.size), y: points.map((point) => point.mean),
        name: names[place], line: { color: look[place].colour, width: 1.8, dash: look[place].dash },
        marker: { color: look[place].colour, size: 8, symbol: look[place].symbol },
        error_y: spread ? { type: "data", symmetric: false, thickness: 1, width: 0, color: look[place].colour,
          array: points.map((point) => (point.high ?? point.mean) - point.mean),
          arrayminus: points.map((point) => point.mean - (point.low ?? point.mean)) } : undefined,
        hovertemplate: `<b>${lab.text(line.label)}</b><br>beam size %{x}: %{y:.${digits}f}<extra></extra>` };
    });
    const low = Math.log10(sizes[0]), high = Math.log10(sizes.at(-1)), pad = Math.max(0.05, (high - low) * 0.05);
    let last = -Infinity; // sizes that would stand on each other are not all written
    const written = sizes.filter((size) => {
      const far = Math.log10(size) - last > (high - low) * 0.055;
      if (far) last = Math.log10(size);
      return far;
    });
    lab.plot(id, traces, { height, showlegend: true, legend: { ...below, y: below.y * 400 / height, font: { size: 12, color: lab.colour("ink") } },
      shapes: reference === undefined ? [] : [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: reference, y1: reference,
        line: { color: lab.colour("soft"), width: 1, dash: "dot" } }],
      xaxis: lab.axis({ title: "Beam size", type: "log", range: [low - pad, high + pad], tickvals: written, ticktext: written.map(String) }),
      yaxis: lab.axis({ title }) });
  }

  function sizes() {
    const lines = lab.split.beam_curves;
    lab.element("beam-sizes").hidden = !lines.length;
    if (!lines.length) return;
    const score = lab.score(lab.element("beam-sizes-score").value);
    const title = score.title + score.suffix + (score.higher ? "" : " (lower is better)");
    lab.element("beam-sizes-title").textContent = score.title;
    against("beam-scores-chart", lines, (point) => lab.split.entries[point.entry].scores[score.name]
      ?? { mean: null, low: null, high: null }, score.digits, title);
    against("beam-ratios-chart", lines, (point) => ({ mean: point.ratio, low: null, high: null }), 3, "Output tokens per reference token", 1);
  }

  const named = (entry) => (lab.data.rows.length > 1 ? entry.label : entry.strategy);
  const MOST_SHOWN = 6;
  const shown = new Set(); // positions of the entries whose errors are drawn
  let shownFor = -1;

  function errors() {
    const found = lab.split.search_errors;
    const positions = found.labels.map((_, place) => place);
    const entries = [...shown].filter((entry) => found.series[entry]).sort((a, b) => a - b);
    const bars = { type: "bar", x: positions, y: found.counts, yaxis: "y2", marker: { color: lab.colour("bar") }, width: 0.86,
      hovertemplate: "%{y:,} sentences<extra></extra>", showlegend: false };
    const step = Math.min(0.09, 0.7 / Math.max(1, entries.length)); // side by side, so that intervals can be told apart
    const look = looks(entries.map((entry) => lab.split.entries[entry]));
    const { names, height } = lab.legend("errors-chart", entries.map((entry) => named(lab.split.entries[entry])), 420);
    const traces = entries.map((entry, place) => {
      const series = found.series[entry], label = lab.text(named(lab.split.entries[entry])), { colour, symbol, dash } = look[place];
      return { type: "scatter", mode: "lines+markers", x: positions.map((x) => x + (place - (entries.length - 1) / 2) * step),
        y: series.share, name: names[place], line: { color: colour, width: 1.6, dash }, marker: { color: colour, size: 7, symbol },
        error_y: { type: "data", symmetric: false, thickness: 1, width: 0, color: colour,
          array: series.share.map((share, at) => series.high[at] - share),
          arrayminus: series.share.map((share, at) => share - series.low[at]) },
        text: positions.map((at) => `${found.labels[at]} source tokens: ${lab.number(series.share[at], 1)} %<br>interval `
          + `${lab.number(series.low[at], 1)} to ${lab.number(series.high[at], 1)} % of ${found.counts[at].toLocaleString("en")} sentences<br>`
          + `all lengths: ${lab.number(series.overall, 1)} %`),
        hovertemplate: `<b>${label}</b><br>%{text}<extra></extra>` };
    });
    lab.plot("errors-chart", [bars, ...traces], { height, showlegend: true, barmode: "overlay",
      legend: { ...below, y: below.y * 400 / height, font: { size: 12, color: lab.colour("ink") } },
      xaxis: lab.axis({ title: "Source tokens", tickvals: positions, ticktext: found.labels, showgrid: false }),
      yaxis: lab.axis({ title: "Sentences with a search error %", overlaying: "y2", rangemode: "tozero", tickmode: "auto" }),
      yaxis2: { range: [0, Math.max(...found.counts, 1) * 4], visible: false, fixedrange: true } });
  }

  function chips() {
    const found = lab.split.search_errors;
    lab.element("errors").hidden = !found;
    if (!found) return;
    lab.element("errors-reference").textContent = found.reference ? " and the reference" : "";
    if (shownFor !== lab.splitIndex) {
      shown.clear();
      for (const [position, series] of found.series.entries()) if (series && shown.size < MOST_SHOWN) shown.add(position);
      shownFor = lab.splitIndex;
    }
    lab.element("errors-entries").replaceChildren(...found.series.flatMap((series, position) => {
      if (!series) return [];
      const chip = lab.make("button", { type: "button", "aria-pressed": String(shown.has(position)),
        text: named(lab.split.entries[position]) });
      chip.addEventListener("click", () => {
        if (!shown.delete(position)) shown.add(position);
        chip.setAttribute("aria-pressed", String(shown.has(position)));
        errors();
      });
      return [chip];
    }));
    errors();
  }

  if (lab.element("beam-sizes-score")) lab.scoreChooser("beam-sizes-score", sizes, true);
  if (lab.element("errors-chart")) lab.draw(chips, true);
})();
