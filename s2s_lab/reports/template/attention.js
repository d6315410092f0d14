// Attention weights as a picture to hover.
(() => {
  const entries = lab.element("attention-entry"), sentences = lab.element("attention-sentence");
  if (!entries) return;
  const chosen = () => lab.split.attention[Number(entries.value)];

  function chart() {
    const sentence = chosen().sentences[Number(sentences.value)];
    const columns = sentence.source.map((_, place) => place), rows = sentence.target.map((_, place) => place);
    const hints = sentence.target.map((target, row) => sentence.source.map((source, column) =>
      `<b>${lab.text(target)}</b> attended to <b>${lab.text(source)}</b><br>${lab.number(sentence.weights[row][column], 3)}`));
    const ink = lab.colour("ink"), tick = { size: 12.5, color: ink };
    const wide = lab.element("attention-chart").clientWidth;
    const longest = Math.max(...sentence.target.map((token) => token.length), 2);
    const cell = Math.max(12, Math.min(44, (wide - longest * 7 - 110) / sentence.source.length));
    lab.plot("attention-chart", [{ type: "heatmap", x: columns, y: rows, z: sentence.weights, text: hints, zmin: 0, zmax: 1,
      colorscale: [[0, lab.colour("heat0")], [0.5, lab.colour("heat1")], [1, lab.colour("heat2")]], xgap: 1, ygap: 1,
      hovertemplate: "%{text}<extra></extra>",
      colorbar: { thickness: 8, len: 0.6, outlinewidth: 0, tickvals: [0, 0.5, 1], tickfont: { size: 11 } } }], {
      width: Math.min(wide, Math.round(sentence.source.length * cell + longest * 7.5 + 110)),
      height: Math.round(sentence.target.length * Math.max(22, Math.min(32, cell)) + 130),
      margin: { l: 8, r: 8, t: 8, b: 8 },
      xaxis: { side: "top", tickvals: columns, ticktext: sentence.source.map(lab.text), tickangle: -50, showgrid: false,
        automargin: true, fixedrange: true, zeroline: false, tickfont: tick, ticks: "" },
      yaxis: { autorange: "reversed", tickvals: rows, ticktext: sentence.target.map(lab.text), showgrid: false,
        automargin: true, fixedrange: true, zeroline: false, tickfont: tick, ticks: "" } });
  }

  function offer() {
    const before = sentences.value;
    lab.fill(sentences, chosen().sentences.map((sentence, place) =>
      [place, `${sentence.index + 1}. ${sentence.source.join(" ")}`]));
    if (before !== "" && Number(before) < chosen().sentences.length) sentences.value = before;
    chart();
  }

  function move(by) {
    const count = chosen().sentences.length;
    sentences.value = String((Number(sentences.value) + by + count) % count);
    chart();
  }

  entries.addEventListener("change", offer);
  sentences.addEventListener("change", chart);
  lab.element("attention-previous").addEventListener("click", () => move(-1));
  lab.element("attention-next").addEventListener("click", () => move(1));
  lab.draw(() => {
    const kept = lab.split.attention;
    lab.element("attention").hidden = kept.length === 0;
    if (!kept.length) return;
    const before = entries.value;
    lab.fill(entries, kept.map((item, place) => [place, lab.split.entries[item.entry].label]));
    if (before !== "" && Number(before) < kept.length) entries.value = before;
    offer();
  }, true);
})();
