// Every run with every strategy: quality against speed with the Pareto front, and the table of the same numbers.
(() => {
  const chooser = lab.element("decoders-score");
  if (!chooser) return;
  const SYMBOLS = ["circle", "diamond", "square", "triangle-up", "cross", "star", "hexagon", "bowtie"];
  const several = () => new Set(lab.split.decoders.rows.map((row) => row.run)).size > 1;
  // What stands beside a mark: of runs that share their name what differs, its keys left out and cut before the strategy is.
  function named(row, most) {
    const runs = lab.split.decoders.rows.map((each) => each.run), start = row.run.indexOf(" (") + 2;
    const shared = start > 1 && runs.every((run) => run.startsWith(row.run.slice(0, start)));
    const whole = shared ? row.run.slice(start).replace(")", "") : row.run, room = Math.max(8, most - row.strategy.length - 3);
    const run = whole.length > room ? whole.replace(/\w+=/g, "") : whole;
    const text = several() ? `${run.length > room ? `${run.slice(0, room - 1)}…` : run} · ${row.strategy}` : row.strategy;
    return text.length > most ? `${text.slice(0, most - 1)}…` : text;
  }
  const rate = (value) => lab.number(value, value !== null && value < 10 ? 2 : 0);
  const value = (row, score) => row.scores[score.name]?.[0] ?? null;
  const chosenScore = () => lab.split.decoders.scores.find((score) => score.name === chooser.value);
  const drawable = (score) => lab.split.decoders.rows.filter((row) => row.speed && value(row, score) !== null);
  const front = (score) => lab.front(drawable(score), (row) => row.speed, (row) => value(row, score), score.higher);

  const lines = (signature) => { // signatures are long: they are broken between fields
    const made = [""];
    for (const field of signature.split("|")) {
      if (made.at(-1).length + field.length > 56) made.push("");
      made[made.length - 1] += (made.at(-1) ? " | " : "") + field;
    }
    return made.slice(0, 12).map(lab.text).join("<br>");
  };

  // Names stand beside their marks where none covers another; those of the front are placed first.
  function names(rows, first, score, ranges, size) {
    const pixel = (row) => [
      (Math.log10(row.speed) - ranges.x[0]) / (ranges.x[1] - ranges.x[0]) * size[0],
      (ranges.y[1] - value(row, score)) / (ranges.y[1] - ranges.y[0]) * size[1]];
    const taken = rows.map((row) => { const [x, y] = pixel(row); return [x - 8, y - 8, x + 8, y + 8]; });
    const made = [];
    for (const row of [...first, ...rows.filter((row) => !first.includes(row))]) {
      const [x, y] = pixel(row), text = named(row, lab.narrow() ? 24 : 52);
      const wide = text.length * 6.4 + 4;
      const beside = [["left", x + 11, y - 8, 11, 0], ["right", x - 11 - wide, y - 8, -11, 0]];
      const above = [["left", x - 6, y - 27, -6, 18], ["right", x + 6 - wide, y - 27, 6, 18]];
      const under = [["left", x - 6, y + 11, -6, -18], ["right", x + 6 - wide, y + 11, 6, -18]];
      const places = first.includes(row) ? [...above, ...beside, ...under] : [...beside, ...under, ...above]; // off the line
      const free = places.find(([, left, top]) => left >= 0 && left + wide <= size[0] && top >= 0 && top + 16 <= size[1]
        && !taken.some((box) => left < box[2] && left + wide > box[0] && top < box[3] && top + 16 > box[1]));
      if (!free) continue;
      const [anchor, left, top, xshift, yshift] = free;
      taken.push([left, top, left + wide, top + 16]);
      made.push({ x: Math.log10(row.speed), y: value(row, score), text: lab.text(text), showarrow: false, xanchor: anchor,
        yanchor: "middle", xshift, yshift, bgcolor: lab.colour("paper"), borderpad: 0, font: { size: 12, color: lab.colour(first.includes(row) ? "ink" : "soft") } });
    }
    return made;
  }

  function chart() {
    const score = chosenScore(), rows = drawable(score), best = front(score);
    const axisTitle = score.title + score.suffix + (score.higher ? "" : " (lower is better)");
    const said = (row) => `${lab.number(row.scores[score.name][0], score.digits)}${score.suffix}${row.scores[score.name][1] === null ? ""
      : `, interval ${lab.number(row.scores[score.name][1], score.digits)} to ${lab.number(row.scores[score.name][2], score.digits)}`}`;
    const hint = (row) => `<b>${lab.text(row.run)} · ${lab.text(row.strategy)}</b><br>${lab.text(score.title)} ${said(row)}<br>`
      + `${rate(row.speed)} sentences/s${row.tokens === null ? "" : `, ${rate(row.tokens)} tokens/s`}`
      + `${row.errors === null ? "" : `<br>${lab.number(row.errors, 1)} % known search errors`}`
      + `${best.includes(row) ? "<br>on the Pareto front" : ""}<br>${lines(row.signature)}`;
    const traces = [{ type: "scatter", mode: "lines", x: best.map((row) => row.speed), y: best.map((row) => value(row, score)),
      line: { color: lab.colour("soft"), width: 1.5, dash: "dot" }, hoverinfo: "skip" }];
    for (const row of rows) {
      const [mean, low, high] = row.scores[score.name], colour = lab.rowColour(row.row);
      traces.push({ type: "scatter", mode: "markers", x: [row.speed], y: [mean],
        error_y: low === null ? undefined : { type: "data", symmetric: false, array: [high - mean], arrayminus: [mean - low],
          color: `${colour}70`, thickness: 1.2, width: 0 },
        marker: { size: best.includes(row) ? 13 : 10, symbol: SYMBOLS[row.symbol % SYMBOLS.length],
          color: best.includes(row) ? colour : lab.colour("paper"), line: { color: colour, width: 1.8 } },
        text: [hint(row)], hovertemplate: "%{text}<extra></extra>" });
    }
    const speeds = rows.map((row) => Math.log10(row.speed));
    const ends = rows.flatMap((row) => row.scores[score.name].filter((end) => end !== null));
    const padded = (low, high, share, least) => { const pad = Math.max((high - low) * share, least); return [low - pad, high + pad]; };
    const ranges = { x: padded(Math.min(...speeds), Math.max(...speeds), lab.narrow() ? 0.12 : 0.09, 0.08),
      y: padded(Math.min(...ends), Math.max(...ends), 0.08, 0.02 * Math.max(...ends.map(Math.abs)) || 1) };
    const height = 440, size = [lab.element("decoders-chart").clientWidth - 76, height - 76];
    lab.plot("decoders-chart", traces, { height, annotations: rows.length ? names(rows, best, score, ranges, size) : [],
      xaxis: lab.axis({ title: "Sentences per second", type: "log", range: ranges.x, ...lab.ticks(...ranges.x) }),
      yaxis: lab.axis({ title: axisTitle, range: ranges.y }) });
    const absent = lab.split.decoders.rows.length - rows.length;
    lab.element("decoders-note").textContent = absent ? ` ${absent} without a recorded speed or score ${absent === 1 ? "is" : "are"} in the table only.` : "";
  }

  function table() {
    const { scores, rows } = lab.split.decoders, best = front(chosenScore());
    const head = (text, kind, better) => lab.make("th", { scope: "col", class: kind }, [lab.make("button", { type: "button" },
      [text, ...(better === undefined ? [] : [" ", lab.make("span", { class: "better", text: better ? "↑" : "↓" })])])]);
    const number = (text, key, spread = "") => {
      const made = lab.make("td", key === null ? {} : { "data-key": key }, [text]);
      if (spread) made.append(lab.make("span", { class: "spread", text: ` ± ${spread}` }));
      return made;
    };
    const body = rows.map((row) => {
      const star = lab.make("span", { class: "star", text: best.includes(row) ? "★" : "" });
      if (best.includes(row)) star.setAttribute("title", "on the Pareto front");
      return lab.make("tr", best.includes(row) ? { class: "on-front" } : {}, [
        lab.make("th", { scope: "row", class: "text sticky", title: row.signature }, [lab.swatch(row.row), row.strategy, " ", star]),
        ...(several() ? [lab.make("td", { class: "text", text: row.run })] : []),
        ...scores.map((score) => {
          const [mean, low, high] = row.scores[score.name] ?? [null, null, null];
          return number(lab.number(mean, score.digits), mean, low === null ? "" : lab.number((high - low) / 2, score.digits));
        }),
        number(rate(row.speed), row.speed), number(rate(row.tokens), row.tokens),
        number(row.errors === null ? "–" : lab.number(row.errors, 1), row.errors)]);
    });
    const made = lab.make("table", {}, [
      lab.make("thead", {}, [lab.make("tr", {}, [head("Strategy", "text sticky"), ...(several() ? [head("Run", "text")] : []),
        ...scores.map((score) => head(score.title + score.suffix, "", score.higher)), head("Sentences/s", "", true),
        head("Tokens/s", "", true), head("Known search errors %", "", false)])]),
      lab.make("tbody", {}, body)]);
    lab.element("decoders-table").replaceChildren(made);
    lab.sortable(made);
    lab.fit();
  }

  const both = () => { chart(); table(); };
  chooser.addEventListener("change", both);
  lab.draw(() => {
    const found = lab.split.decoders;
    lab.element("speed").hidden = !found?.scores.length;
    if (!found?.scores.length) return;
    const before = chooser.value, has = (name) => found.scores.some((score) => score.name === name);
    lab.fill(chooser, found.scores.map((score) => [score.name, score.title]));
    chooser.value = has(before) ? before : has(lab.split.monitor) ? lab.split.monitor : found.scores[0].name;
    both();
  }, true);
})();
