// The score of every seed, row by row: of the runs, and of a study's measurements.
(() => {
  const within = (unit, value) => Math.max(unit.low ?? -Infinity, Math.min(unit.high ?? Infinity, value));

  // rows: {label, colour, seeds, values, mean, low, high}; unit: {title, suffix, digits, higher, low, high}
  function scatter(id, rows, unit) {
    const ordered = [...rows].reverse().sort((a, b) => (unit.higher ? 1 : -1) * (a.mean - b.mean));
    const narrow = lab.narrow(), traces = [], room = [], names = [];
    let top = 0;
    for (const row of ordered) {
      const count = row.values.length, height = Math.max(narrow ? 0.5 : 1, 0.42 * count + 0.3), middle = top + height / 2;
      const name = lab.broken(row.label, narrow ? 46 : 44, narrow ? 1 : 3);
      room.push(middle);
      top += height;
      if (narrow) { // there the name stands above its row
        names.push(lab.above(name, top));
        top += 0.75;
      } else names.push(name);
      if (row.low !== null) {
        traces.push({ type: "scatter", mode: "lines", x: [within(unit, row.low), within(unit, row.high)], y: [middle, middle],
          line: { color: row.colour, width: 3 }, opacity: 0.25, hoverinfo: "skip" });
      }
      traces.push({ type: "scatter", mode: "lines", x: [row.mean, row.mean], y: [middle - height * 0.38, middle + height * 0.38],
        line: { color: row.colour, width: 2 }, hoverinfo: "skip" });
      traces.push({ type: "scatter", mode: "markers+text", x: row.values, textposition: "middle center",
        y: row.values.map((_, place) => middle + ((count - 1) / 2 - place) * 0.4),
        marker: { color: lab.colour("paper"), size: 15, line: { color: row.colour, width: 1.5 } },
        text: row.seeds.map((seed) => lab.text(seed.length > 3 ? "" : seed)), textfont: { size: 9.5, color: lab.colour("ink") },
        hovertext: row.values.map((value, place) => `<b>${lab.text(row.label)}</b>, seed ${lab.text(row.seeds[place])}<br>`
          + `${lab.number(value, unit.digits)}${unit.suffix}, ${value < row.mean ? "−" : "+"}`
          + `${lab.number(Math.abs(value - row.mean), unit.digits)} from the mean`),
        hovertemplate: "%{hovertext}<extra></extra>" });
    }
    const axis = { range: [-0.2, top + 0.2], showgrid: false, tickfont: { size: 13, color: lab.colour("ink") } };
    lab.plot(id, traces, {
      height: 76 + top * 36, annotations: narrow ? names : [],
      xaxis: lab.axis({ title: unit.title + (unit.higher ? "" : " (lower is better)") }),
      yaxis: lab.axis(narrow ? { ...axis, showticklabels: false, ticks: "" } : { ...axis, tickvals: room, ticktext: names }),
    });
  }

  function ofRuns() {
    const score = lab.score(lab.element("seeds-score").value);
    const alone = new Set(lab.split.entries.map((entry) => entry.strategy)).size < 2;
    const rows = lab.split.entries.filter((entry) => entry.scores[score.name]).map((entry) => ({
      ...entry.scores[score.name], label: alone ? lab.data.rows[entry.row] : entry.label, seeds: entry.seeds,
      colour: lab.rowColour(entry.row) }));
    scatter("seeds-chart", rows, { ...score, title: score.title + score.suffix });
  }

  function ofStudy() {
    const group = lab.data.study[Number(lab.element("study-group").value)];
    scatter("study-chart", group.rows.map((row, place) => ({ ...row, colour: lab.rowColour(place) })), group);
  }

  if (lab.element("seeds-score")) lab.scoreChooser("seeds-score", ofRuns);
  if (lab.element("study-group")) {
    lab.fill(lab.element("study-group"), lab.data.study.map((group, place) => [place, group.title]));
    lab.element("study-group").addEventListener("change", () => { ofStudy(); tables(); });
    const tables = () => {
      for (const table of document.querySelectorAll("[data-group]")) table.hidden = table.dataset.group !== lab.element("study-group").value;
      lab.fit();
    };
    lab.draw(ofStudy);
    tables();
  }
})();
