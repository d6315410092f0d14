"use strict";
// What all parts of the page share: the data, the chosen split, colours, and drawing.
const lab = {
  data: JSON.parse(document.getElementById("data").textContent),
  splitIndex: 0,
  draws: [], // functions that draw for the current split and theme

  get split() { return lab.data.splits[lab.splitIndex]; },
  element(id) { return document.getElementById(id); },
  colour(name) { return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim(); },
  rowColour(row) { return lab.colour("c" + (row % 8)); },
  symbol(entry) { return ["circle", "diamond", "square", "triangle-up", "cross", "star", "hexagon", "bowtie"][entry.symbol % 8]; },
  dash(entry) { return ["solid", "dash", "dot", "dashdot", "longdash"][entry.symbol % 5]; },
  narrow() { return window.innerWidth < 640; },

  // Plotly reads a little HTML in its texts, so that text from data must be escaped.
  text(value) { return String(value).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;"); },
  number(value, digits) {
    return value === null || value === undefined ? "–"
      : value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  },
  // Long names are broken after a separator, and cut off where that does not help.
  broken(label, most, lines) {
    const made = [""];
    for (const piece of label.split(/(?<=[ ,·\[(])/u)) {
      if (made.at(-1) && (made.at(-1) + piece).trimEnd().length > most) made.push("");
      made[made.length - 1] += piece;
    }
    const kept = made.slice(0, lines).map((line) => (line.length > most + 1 ? `${line.slice(0, most)}…` : line));
    return kept.map(lab.text).join("<br>") + (made.length > lines ? "…" : "");
  },
  // Names for the legend of a chart, broken where they would be cut, and the chart's height with so many below it.
  legend(id, labels, height = 400) {
    const room = lab.element(id).clientWidth - 60, most = Math.max(16, Math.floor((room - 44) / 6.8));
    const names = labels.map((label) => lab.broken(label, most, 3));
    const longest = Math.min(most, Math.max(0, ...labels.map((label) => label.length)));
    const columns = Math.max(1, Math.floor(room / (44 + 6.8 * longest)));
    const lines = names.reduce((sum, name) => sum + name.split("<br>").length, 0) / columns;
    return { names, height: height + Math.max(0, Math.min(30, Math.ceil(lines)) - 6) * 28 };
  },
  // On a narrow page the name of a row stands above it, not beside it.
  above(name, y) {
    return { text: name, x: 0, xref: "paper", xanchor: "left", y, yanchor: "bottom", showarrow: false, align: "left",
      font: { size: 12.5, color: lab.colour("ink") }, borderpad: 0 };
  },
  score(name) { return lab.split.scores.find((score) => score.name === name); },

  make(tag, options = {}, children = []) {
    const made = document.createElement(tag);
    for (const [key, value] of Object.entries(options)) {
      if (key === "text") made.textContent = value;
      else if (key === "class") made.className = value;
      else made.setAttribute(key, value);
    }
    made.append(...children);
    return made;
  },
  // The same for a drawing: what an svg element is made of.
  shape(tag, attributes = {}, children = []) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  },
  swatch(row) {
    const made = lab.make("i", { class: "swatch", "aria-hidden": "true" });
    made.style.background = `var(--c${row % 8})`;
    return made;
  },
  // A choice of the split's scores that draws a chart; the chosen score is kept where another split has it too.
  scoreChooser(id, chart, ofOutputs = false) {
    lab.element(id).addEventListener("change", chart);
    lab.draw(() => {
      const chosen = lab.element(id).value;
      lab.fill(lab.element(id), lab.split.scores.map((score) => [score.name, score.title]));
      lab.element(id).value = lab.score(chosen) ? chosen : lab.split.monitor ?? lab.split.scores[0]?.name;
      if (lab.element(id).value) chart();
    }, ofOutputs);
  },
  fill(select, options) {
    select.replaceChildren(...options.map(([value, text]) => lab.make("option", { value, text })));
  },
  segmented(id, change) {
    const buttons = [...lab.element(id).querySelectorAll("button")];
    for (const button of buttons) {
      button.addEventListener("click", () => {
        for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
        change(button.value);
      });
    }
    return buttons;
  },

  axis(more) {
    return {
      gridcolor: lab.colour("grid"), linecolor: lab.colour("line"), zeroline: false, automargin: true, fixedrange: true,
      tickfont: { size: 12 }, ...more, title: { text: more && more.title, font: { size: 12.5 }, standoff: 10 },
    };
  },
  // Ticks at 1, 2 and 5 times powers of ten, written out; fewer where they would crowd, equally far apart where hardly
  // any of them lies within. From and to as powers.
  ticks(low, high) {
    const steps = high - low > 2.5 ? [1] : [1, 2, 5];
    const values = [];
    for (let power = Math.floor(low); power <= high; power += 1) {
      values.push(...steps.map((step) => step * 10 ** power).filter((value) => Math.log10(value) >= low && Math.log10(value) <= high));
    }
    if (values.length < 3) {
      const from = 10 ** low, to = 10 ** high, most = (to - from) / 3, power = 10 ** Math.floor(Math.log10(most));
      const step = power * [5, 2, 1].find((factor) => factor * power <= most * (1 + 1e-9)), places = [];
      for (let place = Math.ceil(from / step); place * step <= to; place += 1) places.push(Number((place * step).toPrecision(12)));
      const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
      return { tickvals: places, ticktext: places.map((value) => lab.number(value, digits)) };
    }
    return { tickvals: values, ticktext: values.map((value) => value.toLocaleString("en", { maximumSignificantDigits: 2 })) };
  },
  // Those of the points that no other beats in both; x is better the greater, y as told. From the least x to the greatest.
  front(points, x, y, higher) {
    const better = (a, b) => (higher ? a > b : a < b);
    return points.filter((point) => !points.some((other) => other !== point && x(other) >= x(point)
      && !better(y(point), y(other)) && (x(other) > x(point) || better(y(other), y(point)))))
      .sort((a, b) => x(a) - x(b));
  },
  plot(id, traces, layout) {
    const ink = lab.colour("ink");
    const font = { family: getComputedStyle(document.body).fontFamily, size: 13, color: lab.colour("soft") };
    Plotly.react(lab.element(id), traces, {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font, hovermode: "closest", dragmode: false,
      margin: { l: 8, r: 16, t: 12, b: 8 }, showlegend: false,
      legend: { orientation: "h", x: 0, y: 1.02, xanchor: "left", yanchor: "bottom", font: { color: ink }, itemclick: "toggle" },
      hoverlabel: { bgcolor: lab.colour("panel"), bordercolor: lab.colour("line"), align: "left",
        font: { ...font, color: ink } },
      ...layout,
    }, { responsive: true, displaylogo: false, displayModeBar: false, scrollZoom: false });
  },
  // Draws now and whenever split or theme change; what is drawn of outputs, only for splits that were decoded.
  draw(function_, ofOutputs = false) { lab.draws.push({ function_, ofOutputs }); },
  redraw() {
    const decoded = lab.split?.decoded ?? false;
    for (const part of document.querySelectorAll("[data-decoded]")) part.hidden = !decoded;
    for (const { function_, ofOutputs } of lab.draws) if (decoded || !ofOutputs) function_();
    lab.fit();
  },
  // A table that is too wide writes its intervals below the means.
  fit() {
    for (const part of document.querySelectorAll(".scroll")) {
      part.classList.remove("stacked");
      part.classList.toggle("stacked", part.scrollWidth > part.clientWidth + 1);
    }
  },
};
