// A sweep: one line a row across the settings that differ to its score, and how much each setting matters.
(() => {
  const chart = lab.element("sweep-chart");
  if (!chart) return;
  const BEST = "best", { shape } = lab;
  const shortened = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
  const plain = (value) => (typeof value === "number"
    ? value.toLocaleString("en", { maximumSignificantDigits: 4, useGrouping: value >= 10000 }) : value);

  // Axes by weight, the most important one nearest to the score.
  function chosenAxes(most) {
    const shares = lab.split.importance?.shares;
    const places = lab.data.axes.map((_, place) => place);
    if (shares) places.sort((a, b) => shares[b] - shares[a] || a - b);
    return places.slice(0, most).reverse();
  }

  // Gives each axis: its label, its ticks [position 0 to 1, text], and the position of each row.
  function settingAxis(axis) {
    if (!axis.numeric) {
      const at = (value) => (axis.levels.length < 2 ? 0.5 : axis.levels.indexOf(value) / (axis.levels.length - 1));
      return { label: axis.label, hint: axis.keys.join(", "), at: (row) => at(axis.values[row]), text: (row) => axis.values[row],
        ticks: axis.levels.map((level) => [at(level), level]) };
    }
    const scale = axis.log ? Math.log : (value) => value;
    const low = scale(axis.levels[0]), high = scale(axis.levels.at(-1));
    const at = (value) => (high > low ? (scale(value) - low) / (high - low) : 0.5);
    return { label: axis.label, hint: axis.keys.join(", ") + (axis.log ? " (logarithmic)" : ""), at: (row) => at(axis.values[row]),
      text: (row) => plain(axis.values[row]), ticks: spaced(round(axis).map((level) => [at(level), plain(level)])) };
  }
  // Few different numbers are written themselves, of many the ends and round ones between them.
  function round(axis) {
    const { levels } = axis, low = levels[0], high = levels.at(-1);
    if (levels.length <= 7) return levels;
    const made = [];
    if (axis.log) {
      const steps = high / low > 300 ? [1] : [1, 2, 5];
      for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1) made.push(...steps.map((step) => step * 10 ** power));
    } else {
      const rough = (high - low) / 5, power = 10 ** Math.floor(Math.log10(rough));
      const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
      for (let value = Math.ceil(low / step) * step; value < high; value += step) made.push(Number(value.toPrecision(12)));
    }
    return [low, ...made.filter((value) => value > low && value < high), high];
  }
  // Leaves out ticks that would stand on each other; the ends stay.
  function spaced(ticks) {
    const kept = [], least = lab.narrow() ? 0.13 : 0.07;
    for (const [place, tick] of ticks.entries()) {
      const last = place === ticks.length - 1;
      while (last && kept.length > 1 && tick[0] - kept.at(-1)[0] < least) kept.pop();
      if (last || !kept.length || tick[0] - kept.at(-1)[0] >= least) kept.push(tick);
    }
    return kept;
  }
  function scoreAxis(score, lines) {
    const values = lines.map((line) => line.value), low = Math.min(...values), high = Math.max(...values);
    const at = (value) => (high > low ? (value - low) / (high - low) : 0.5);
    const steps = high > low ? [0, 0.25, 0.5, 0.75, 1] : [0.5];
    return { label: score.title + score.suffix, hint: "", score: true, ofLine: (line) => at(line.value),
      ticks: steps.map((step) => [step, lab.number(low + step * (high - low), score.digits)]) };
  }

  function linesOf(score, strategy) {
    const seen = new Set(), lines = [];
    for (const entry of lab.split.entries) { // best first
      if (!entry.scores[score.name] || (strategy !== BEST && entry.strategy !== strategy)) continue;
      if (strategy === BEST && seen.has(entry.row)) continue;
      seen.add(entry.row);
      lines.push({ entry, row: entry.row, value: entry.scores[score.name].mean });
    }
    return lines;
  }

  // Lines through one value lie side by side, the better further along the axis: pixels for each line.
  function fanned(order, axis) {
    const groups = new Map(), shifts = new Map();
    for (const line of order) {
      const at = axis.at(line.row);
      if (!groups.has(at)) groups.set(at, []);
      groups.get(at).push(line);
    }
    for (const group of groups.values()) {
      const step = Math.min(2.6, 18 / group.length);
      for (const [place, line] of group.entries()) shifts.set(line, (place - (group.length - 1) / 2) * step);
    }
    return shifts;
  }

  function parallel() {
    const score = lab.score(lab.element("sweep-score").value);
    const lines = linesOf(score, lab.element("sweep-strategy").value);
    const narrow = lab.narrow(), width = chart.clientWidth;
    const axes = chosenAxes(Math.max(3, narrow ? 8 : Math.floor(width / 120) - 1)).map((place) => settingAxis(lab.data.axes[place]));
    axes.push(scoreAxis(score, lines));
    const left = 14, right = narrow ? 14 : 104, top = narrow ? 26 : 52, bottom = narrow ? 34 : 16;
    const gap = narrow ? 78 : (width - left - right) / (axes.length - 1);
    const height = narrow ? top + bottom + gap * (axes.length - 1) : 380;
    const span = narrow ? width - left - right : height - top - bottom;
    const point = (axis, position) => (narrow ? [left + position * span, top + axis * gap]
      : [left + axis * gap, top + (1 - position) * span]);
    const picture = shape("svg", { width, height, viewBox: `0 0 ${width} ${height}`, class: "parallel" });

    const order = [...lines].reverse().sort((a, b) => (score.higher ? 1 : -1) * (a.value - b.value)); // the best drawn last
    const values = lines.map((line) => line.value), low = Math.min(...values), high = Math.max(...values);
    const tip = lab.element("sweep-tip");
    const shifts = axes.map((axis) => (axis.score ? null : fanned(order, axis)));
    for (const line of order) {
      const positions = axes.map((axis, place) => {
        const [x, y] = point(place, axis.score ? axis.ofLine(line) : axis.at(line.row));
        const shift = shifts[place]?.get(line) ?? 0;
        return narrow ? [x + shift, y] : [x, y - shift];
      });
      let path = `M${positions[0].map((value) => value.toFixed(1)).join(" ")}`;
      for (let place = 1; place < positions.length; place += 1) {
        const [x0, y0] = positions[place - 1], [x1, y1] = positions[place];
        const bend = narrow ? [x0, y0 + gap * 0.4, x1, y1 - gap * 0.4] : [x0 + gap * 0.4, y0, x1 - gap * 0.4, y1];
        path += `C${[...bend, x1, y1].map((value) => value.toFixed(1)).join(" ")}`;
      }
      const share = high > low ? (score.higher ? line.value - low : high - line.value) / (high - low) : 1;
      const drawn = shape("path", { d: path, class: "line" });
      drawn.style.stroke = `color-mix(in oklab, var(--accent) ${Math.round(share * 100)}%, var(--soft))`;
      drawn.style.strokeOpacity = String(0.4 + 0.6 * share);
      drawn.style.strokeWidth = String(1.1 + 1.3 * share);
      const target = shape("path", { d: path, class: "target" });
      const group = shape("g", { class: "row" }, [drawn, target]);
      const show = (event) => {
        picture.classList.add("chosen");
        for (const other of picture.querySelectorAll(".row.on")) other.classList.remove("on");
        group.classList.add("on");
        tip.replaceChildren(lab.make("strong", { text: line.entry.label }), lab.make("span", {
          text: `${score.title} ${lab.number(line.value, score.digits)}${score.suffix}` }), ...axes.filter((axis) => !axis.score)
          .map((axis) => lab.make("span", { text: `${axis.label}: ${axis.text(line.row)}` })));
        tip.hidden = false;
        const box = chart.getBoundingClientRect();
        const x = event.clientX - box.left, y = event.clientY - box.top;
        tip.style.left = `${Math.max(0, Math.min(width - tip.offsetWidth, x > width / 2 ? x - tip.offsetWidth - 14 : x + 14))}px`;
        tip.style.top = `${Math.max(0, Math.min(height - tip.offsetHeight, y + 14))}px`;
      };
      const hide = () => {
        picture.classList.remove("chosen");
        group.classList.remove("on");
        tip.hidden = true;
      };
      target.addEventListener("pointermove", show);
      target.addEventListener("pointerleave", hide);
      picture.append(group);
    }
    for (const [place, axis] of axes.entries()) {
      const [x0, y0] = point(place, 0), [x1, y1] = point(place, 1);
      const made = shape("g", { class: axis.score ? "axis score" : "axis" }, [shape("line", { x1: x0, y1: y0, x2: x1, y2: y1 })]);
      const last = place === axes.length - 1;
      const label = shape("text", { x: narrow ? left - 6 : x0 - 2, y: narrow ? y0 - 9 : top - 16, class: "label" });
      const most = narrow ? 44 : Math.floor((last ? right : gap) / 7.6), dot = axis.score ? -1 : axis.label.lastIndexOf(".");
      if (!narrow && dot > 0) { // the group above the name
        label.append(shape("tspan", { x: x0 - 2, dy: -14, class: "group" }, [shortened(axis.label.slice(0, dot), most)]),
          shape("tspan", { x: x0 - 2, dy: 14 }, [shortened(axis.label.slice(dot + 1), most)]));
      } else label.append(shortened(axis.label, most));
      label.append(shape("title", {}, [axis.hint || axis.label]));
      for (const [position, text] of axis.ticks) {
        const [x, y] = point(place, position);
        const tick = narrow ? shape("text", { x, y: y + 16, "text-anchor": position < 0.04 ? "start" : position > 0.96 ? "end" : "middle" })
          : shape("text", { x: x + 9, y: y + 4 });
        if (narrow && position < 0.04) tick.setAttribute("x", x - 6);
        if (narrow && position > 0.96) tick.setAttribute("x", x + 6);
        const longest = narrow ? Math.max(4, Math.floor(span / axis.ticks.length / 6.8)) : 18;
        tick.textContent = shortened(String(text), longest);
        tick.append(shape("title", {}, [String(text)]));
        made.append(shape("circle", { cx: x, cy: y, r: 2 }), tick);
      }
      made.append(label);
      picture.append(made);
    }
    const left_out = lab.data.axes.length - axes.length + 1;
    lab.element("sweep-note").textContent = left_out > 0
      ? ` ${left_out} more ${left_out === 1 ? "setting differs" : "settings differ"}; the table of differences has all.` : "";
    tip.hidden = true;
    chart.replaceChildren(picture);
    for (const text of picture.querySelectorAll(".axis > text:not(.label)")) { // no line of a row crosses a tick's text
      const box = text.getBBox();
      text.before(shape("rect", { x: box.x - 3, y: box.y, width: box.width + 6, height: box.height, rx: 3, class: "behind" }));
    }
  }

  function importance() {
    const found = lab.split.importance, figure = lab.element("importance");
    figure.hidden = !found;
    if (!found) return;
    const places = found.shares.map((_, place) => place).sort((a, b) => found.shares[a] - found.shares[b] || b - a).slice(-12);
    const names = places.map((place) => lab.data.axes[place].label);
    lab.plot("importance-chart", [{ type: "bar", orientation: "h", x: places.map((place) => 100 * found.shares[place]),
      y: places.map((_, position) => position), marker: { color: lab.colour("accent") }, width: 0.62,
      text: places.map((place) => (found.shares[place] > 0 && found.shares[place] < 0.01 ? "< 1 %" : `${lab.number(100 * found.shares[place], 0)} %`)), textposition: "outside", cliponaxis: false,
      textfont: { color: lab.colour("ink"), size: 12.5 },
      hovertext: places.map((place) => lab.text(lab.data.axes[place].keys.join(", "))), hovertemplate: "%{hovertext}<extra></extra>" }], {
      height: 60 + 32 * places.length, margin: { l: 8, r: 54, t: 4, b: 8 },
      xaxis: lab.axis({ title: "Share of importance (%)", range: [0, 100], dtick: 20 }),
      yaxis: lab.axis({ tickvals: names.map((_, position) => position), showgrid: false, range: [-0.6, names.length - 0.4],
        ticktext: names.map((name) => lab.text(shortened(name, lab.narrow() ? 24 : 48))), tickfont: { size: 13, color: lab.colour("ink") } }) });
    lab.element("importance-note").textContent =
      `How far the ${found.best} best of ${found.runs} runs (seeds one by one, ${found.strategy}, by ${found.score}) depart from all of them in each setting.`;
  }

  lab.draw(() => {
    const before = lab.element("sweep-strategy").value;
    const strategies = [...new Set(lab.split.entries.map((entry) => entry.strategy))];
    lab.fill(lab.element("sweep-strategy"), [[BEST, "best of each row"], ...strategies.map((strategy) => [strategy, strategy])]);
    lab.element("sweep-strategy").value = strategies.includes(before) ? before : BEST;
    lab.element("sweep-strategy").closest(".control").hidden = strategies.length < 2;
    importance();
  });
  lab.scoreChooser("sweep-score", parallel);
  lab.element("sweep-strategy").addEventListener("change", parallel);
  let width = 0;
  new ResizeObserver(() => {
    if (width && Math.abs(chart.clientWidth - width) > 1 && chart.clientWidth) parallel();
    width = chart.clientWidth;
  }).observe(chart);
})();
