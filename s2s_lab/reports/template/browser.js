// Outputs of the rows side by side, with a filter.
(() => {
  const list = lab.element("outputs-list");
  if (!list) return;
  const SAME = 0, EXTRA = 1, STEP = 20, MOST_SHOWN = 6;
  const shown = new Set(); // positions of the entries shown
  let matching = [], drawn = 0;

  const said = (pieces) => pieces.filter(([kind]) => kind <= EXTRA).map(([, words]) => words).join(" ");
  // Outputs of the chosen seed: 0 stands for the same as the first seed that the entry has.
  const seedPlace = () => Number(lab.element("outputs-seed").value);
  const has = (entry) => lab.split.browser.outputs[entry][seedPlace()] !== null;
  function output(entry, place) {
    const seeds = lab.split.browser.outputs[entry];
    return seeds[seedPlace()][place] || seeds.find((lines) => lines !== null)[place];
  }
  const right = (pieces) => pieces.every(([kind]) => kind === SAME);

  function select() {
    const { browser } = lab.split;
    const needle = lab.element("outputs-filter").value.trim().toLocaleLowerCase();
    const differ = lab.element("outputs-differ").checked, wrong = lab.element("outputs-wrong").checked;
    const visible = [...shown].filter(has);
    matching = browser.indices.map((_, place) => place).filter((place) => {
      const outputs = visible.map((entry) => output(entry, place));
      if (differ && new Set(outputs.map(said)).size < 2) return false;
      if (wrong && outputs.every(right)) return false;
      if (!needle) return true;
      return [browser.sources[place], ...browser.references[place], ...outputs.map(said)]
        .some((text) => text.toLocaleLowerCase().includes(needle));
    });
    const { total, indices } = browser;
    const sample = indices.length < total ? `, a sample evenly spaced over the ${total.toLocaleString("en")} of the split` : "";
    lab.element("outputs-count").textContent =
      `${matching.length.toLocaleString("en")} of ${indices.length.toLocaleString("en")} sentences${sample}.`;
    const missing = [...shown].filter((entry) => !has(entry)).map((entry) => lab.split.entries[entry].label);
    const later = browser.left_out ? ` ${browser.left_out} more are not kept in the page.` : "";
    lab.element("outputs-seed-note").textContent = `Seed ${browser.seeds[seedPlace()]}${
      missing.length ? `, which ${missing.join(", ")} ${missing.length === 1 ? "does" : "do"} not have` : ""}.${later}`;
    lab.element("outputs-case").textContent = browser.folded ? " Case does not count, as in the score that ranks." : "";
    list.replaceChildren();
    drawn = 0;
    more();
  }

  function more() {
    const next = matching.slice(drawn, drawn + STEP);
    list.append(...next.map(sentence));
    drawn += next.length;
    lab.element("outputs-more").hidden = drawn >= matching.length;
  }

  function sentence(place) {
    const { browser, entries } = lab.split;
    const cells = [
      lab.make("div", { class: "who", text: `Source ${browser.indices[place] + 1}` }),
      lab.make("div", { class: "said", text: browser.sources[place], dir: "auto" }),
    ];
    for (const reference of browser.references[place]) {
      cells.push(lab.make("div", { class: "who", text: "Reference" }),
        lab.make("div", { class: "said reference", text: reference, dir: "auto" }));
    }
    const groups = new Map(); // equal outputs stand once
    for (const entry of [...shown].filter(has).sort((a, b) => a - b)) {
      const pieces = output(entry, place), key = said(pieces);
      if (!groups.has(key)) groups.set(key, { pieces, names: [] });
      groups.get(key).names.push(lab.make("span", {}, [lab.swatch(entries[entry].row), entries[entry].label]));
    }
    for (const { pieces, names } of groups.values()) {
      cells.push(lab.make("div", { class: "who" }, names), marked(pieces));
    }
    return lab.make("article", { class: "sentence" }, cells);
  }

  function marked(pieces) {
    const made = lab.make("div", { class: "said", dir: "auto" });
    if (!said(pieces)) made.append(lab.make("span", { class: "empty", text: "(empty) " }));
    for (const [kind, words] of pieces) {
      if (kind === SAME) made.append(`${words} `);
      else made.append(lab.make(kind === EXTRA ? "ins" : "del", { text: words }), " ");
    }
    if (right(pieces)) made.append(lab.make("span", { class: "right", text: "✓", title: "matches the reference" }));
    return made;
  }

  function chips() {
    const { seeds, outputs } = lab.split.browser;
    lab.fill(lab.element("outputs-seed"), seeds.map((seed, place) => [place, seed]));
    const held = seeds.map((_, place) => outputs.filter((entry) => entry[place] !== null).length);
    lab.element("outputs-seed").value = String(held.indexOf(Math.max(...held)));
    shown.clear();
    const seen = new Set();
    for (const [position, entry] of lab.split.entries.entries()) {
      if (!seen.has(entry.row) && seen.size < MOST_SHOWN) shown.add(position); // the best strategy of each of the best rows
      seen.add(entry.row);
    }
    lab.element("outputs-entries").replaceChildren(...lab.split.entries.map((entry, position) => {
      const chip = lab.make("button", { type: "button", "aria-pressed": String(shown.has(position)) },
        [lab.swatch(entry.row), entry.label]);
      chip.addEventListener("click", () => {
        if (!shown.delete(position)) shown.add(position);
        chip.setAttribute("aria-pressed", String(shown.has(position)));
        select();
      });
      return chip;
    }));
    select();
  }

  let waiting = 0;
  lab.element("outputs-filter").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(select, 120);
  });
  for (const id of ["outputs-differ", "outputs-wrong"]) lab.element(id).addEventListener("change", select);
  lab.element("outputs-seed").addEventListener("change", select);
  lab.element("outputs-more").addEventListener("click", more);
  let drawnFor = -1;
  lab.draw(() => {
    if (drawnFor !== lab.splitIndex) chips();
    drawnFor = lab.splitIndex;
  }, true);
})();
