// The search of one sentence as a tree to explore.
(() => {
  const frame = lab.element("trees-frame");
  if (!frame) return;
  const { shape } = lab;
  const KEPT = 0, FINISHED = 1, CUT = 2, RECOMBINED = 3;
  const NAMES = ["kept", "finished", "cut", "recombined", "limit"];
  const SAYS = ["lived on", "finished", "cut: not among the best of its step", "recombined with a better one", "alive at the length limit"];
  const ACROSS = 88, DOWN = 40, LEFT = 46, TOP = 34, LONGEST = 12;
  const strategies = lab.element("trees-strategy"), sentences = lab.element("trees-sentence"), tip = lab.element("trees-tip");
  let zoom = 1, drawn = null; // what stands in the frame: tree, layout, nodes by place

  const chosen = () => lab.split.beam_trees.strategies[Number(strategies.value)];
  const shortened = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
  const label = (token) => token.replaceAll("\u2581", "·") || "∅";

  // Each fate has its own shape, so that none is told by colour alone.
  const SIGNS = [
    () => shape("circle", { r: 4.5 }),
    () => shape("rect", { x: -5.5, y: -5.5, width: 11, height: 11, rx: 1.5 }),
    () => shape("path", { d: "M-4-4L4 4M-4 4L4-4" }),
    () => shape("path", { d: "M0-6.5L6.5 0L0 6.5L-6.5 0Z" }),
    () => shape("path", { d: "M-5-6L6 0L-5 6Z" }),
  ];

  function before(tree, place) { // from the root to the node
    const path = [];
    for (let at = place; at !== null; at = tree.parent[at]) path.push(at);
    return path.reverse();
  }
  function said(tree, place) { // the tokens up to a node, without start and end
    const tokens = before(tree, place).slice(1, tree.fate[place] === FINISHED ? -1 : undefined).map((at) => tree.token[at]);
    return tokens.some((token) => token.includes("\u2581")) ? tokens.join("").replaceAll("\u2581", " ").trim() : tokens.join(" ");
  }
  const minus = (value, digits) => (value === null ? "unknown" : lab.number(value, digits).replace("-", "−"));
  function facts(tree, place) {
    const parent = tree.parent[place], rank = tree.best.indexOf(place), into = tree.into[place];
    if (parent === null) return ["start of the search"];
    const own = tree.log_prob[place] === null || tree.log_prob[parent] === null ? null : tree.log_prob[place] - tree.log_prob[parent];
    return [
      (rank >= 0 ? `returned as number ${rank + 1}, ` : "") + SAYS[tree.fate[place]],
      ...(tree.fate[place] === RECOMBINED && into !== null ? [`into: ${said(tree, into)}`] : []),
      `log-probability ${minus(tree.log_prob[place], 3)}, of this token ${minus(own, 3)}`,
      `score ${minus(tree.score[place], 3)}, step ${tree.step[place] + 1}`,
    ];
  }

  function draw() {
    const tree = chosen().sentences[Number(sentences.value)];
    const cuts = tree.fate.filter((fate) => fate === CUT).length, showCut = lab.element("trees-cut").checked;
    const visible = (place) => showCut || tree.fate[place] !== CUT;
    const layout = lab.treeLayout(tree, visible);
    const width = LEFT + (layout.last + 1) * ACROSS + 96, height = TOP + layout.count * DOWN;
    const at = (place) => [LEFT + (tree.step[place] + 1) * ACROSS, TOP + layout.lanes[place] * DOWN];
    const places = tree.parent.map((_, place) => place).filter(visible);
    const ways = tree.parent.map(() => Infinity); // the best returned hypothesis that goes through a node
    for (const [rank, end] of tree.best.entries()) { // an end that is not kept in the page has no path
      for (const place of before(tree, end)) ways[place] = Math.min(ways[place], rank);
    }
    const way = (place) => (ways[place] === 0 ? " best" : ways[place] < Infinity ? " returned" : "");
    const picture = shape("svg", { viewBox: `0 0 ${width} ${height}`, class: "tree", role: "tree",
      "aria-label": "Search tree; arrow keys move along it" });
    const edges = shape("g", { class: "edges", "aria-hidden": "true" }), marks = shape("g", {});
    const nodes = new Map();
    for (const place of [...places].sort((a, b) => ways[b] - ways[a])) { // the best path last, above the others
      const [x, y] = at(place), parent = tree.parent[place];
      if (parent !== null) {
        const [x0, y0] = at(parent), bend = (x - x0) * 0.5;
        const edge = shape("path", { d: y === y0 ? `M${x0} ${y0}H${x}` : `M${x0} ${y0}C${x0 + bend} ${y0} ${x - bend * 0.9} ${y} ${x} ${y}`,
          class: `edge ${NAMES[tree.fate[place]]}${way(place)}` });
        edges.append(edge);
        nodes.set(place, { edge });
      } else nodes.set(place, {});
      if (tree.into[place] !== null && visible(tree.into[place])) {
        const [x1, y1] = at(tree.into[place]);
        nodes.get(place).link = shape("path", { d: `M${x} ${y}C${x + 26} ${y} ${x1 + 26} ${y1} ${x1} ${y1}`, class: "edge into" });
        edges.append(nodes.get(place).link);
      }
    }
    for (const place of [...places].sort((a, b) => tree.step[a] - tree.step[b] || layout.lanes[a] - layout.lanes[b])) {
      const [x, y] = at(place), rank = tree.best.indexOf(place);
      const text = shape("text", { y: -11, "text-anchor": "middle" }, [shortened(label(tree.token[place]), LONGEST)]);
      const node = shape("g", { class: `node ${NAMES[tree.fate[place]]}${way(place)}`, transform: `translate(${x} ${y})`, role: "treeitem",
        tabindex: "-1", "aria-level": tree.step[place] + 2, "aria-label": `${label(tree.token[place])}: ${facts(tree, place).join("; ")}` },
        [shape("circle", { r: 15, class: "target" }), SIGNS[tree.fate[place]](), text]);
      if (rank >= 0) {
        node.append(shape("text", { x: 13, y: 4.5, class: "rank" }, [`${rank + 1}.  ${minus(tree.score[place], 2)}`]));
      }
      node.addEventListener("pointerenter", () => show(place));
      node.addEventListener("pointerleave", () => hide());
      node.addEventListener("focus", () => { settle(place); show(place); });
      node.addEventListener("blur", () => hide());
      nodes.get(place).node = node;
      marks.append(node);
    }
    picture.append(edges, marks);
    picture.classList.toggle("crowded", edges.querySelectorAll(".into").length > 30);
    drawn = { tree, layout, nodes, picture, width, height };
    frame.replaceChildren(picture);
    settle(places.find((place) => tree.parent[place] === null));
    hide();
    scale();
    describe(tree, cuts, places.length);
  }

  function describe(tree, cuts, count) {
    const box = lab.element("trees-cut");
    box.disabled = cuts === 0;
    lab.element("trees-cut-label").textContent = cuts ? `Show the ${cuts.toLocaleString("en")} candidates that were cut` : "No candidates that were cut";
    const steps = Math.max(...tree.step) + 1;
    lab.element("trees-note").textContent = `${tree.source.join(" ")}: ${count.toLocaleString("en")} nodes in ${steps} steps`
      + `${tree.left_out ? `; ${tree.left_out.toLocaleString("en")} less promising ones are not kept in the page` : ""}.`;
    lab.element("trees-returned").replaceChildren(...tree.best.flatMap((end, rank) => {
      if (end === null) return [];
      const line = lab.make("button", { type: "button" }, [lab.make("span", { text: `${rank + 1}.` }), lab.make("span", {}, [
        lab.make("span", { class: "said", dir: "auto", text: said(tree, end) || "(empty)" }),
        lab.make("span", { class: "spread", text: ` log-probability ${minus(tree.log_prob[end], 3)}, score ${minus(tree.score[end], 3)}` })])]);
      line.addEventListener("click", () => drawn.nodes.get(end).node.focus());
      line.addEventListener("pointerenter", () => trace(end));
      line.addEventListener("pointerleave", () => hide());
      return [lab.make("li", {}, [line])];
    }));
  }

  // One node alone is reached by the tab key; arrows go on from there.
  function settle(place) {
    for (const { node } of drawn.nodes.values()) node.setAttribute("tabindex", "-1");
    drawn.nodes.get(place).node.setAttribute("tabindex", "0");
    drawn.current = place;
  }
  function trace(place) {
    for (const part of drawn.picture.querySelectorAll(".on")) part.classList.remove("on");
    drawn.picture.classList.add("chosen");
    drawn.nodes.get(place)?.link?.classList.add("on");
    drawn.nodes.get(drawn.tree.into[place])?.node.classList.add("on");
    for (const at of before(drawn.tree, place)) {
      drawn.nodes.get(at)?.node.classList.add("on");
      drawn.nodes.get(at)?.edge?.classList.add("on");
    }
  }
  function show(place) {
    trace(place);
    const { tree } = drawn;
    tip.replaceChildren(lab.make("strong", { text: label(tree.token[place]) }), ...facts(tree, place).map((text) => lab.make("span", { text })),
      lab.make("span", { class: "so-far", text: said(tree, place), dir: "auto" }));
    tip.hidden = false;
    const box = drawn.nodes.get(place).node.querySelector(".target").getBoundingClientRect(), around = tip.parentElement.getBoundingClientRect();
    const x = box.left - around.left, y = box.bottom - around.top + 6;
    tip.style.left = `${Math.max(0, Math.min(around.width - tip.offsetWidth, x))}px`;
    tip.style.top = `${y}px`;
  }
  function hide() {
    tip.hidden = true;
    drawn?.picture.classList.remove("chosen");
  }

  function scale() {
    drawn.picture.setAttribute("width", Math.round(drawn.width * zoom));
    drawn.picture.setAttribute("height", Math.round(drawn.height * zoom));
  }
  function change(kind) {
    if (kind === "fit") zoom = Math.max(0.3, Math.min(1.2, (frame.clientWidth - 4) / drawn.width));
    else zoom = Math.max(0.3, Math.min(2.5, zoom * (kind === "in" ? 1.25 : 0.8)));
    scale();
  }

  function neighbour(key) {
    const { tree, layout, nodes, current } = drawn;
    if (key === "ArrowLeft") return tree.parent[current];
    if (key === "ArrowRight") return layout.children[current][0];
    const beside = [...nodes.keys()].filter((place) => tree.step[place] === tree.step[current])
      .sort((a, b) => layout.lanes[a] - layout.lanes[b]);
    if (key === "Home") return tree.parent.indexOf(null);
    if (key === "End") return tree.best[0];
    return beside[beside.indexOf(current) + (key === "ArrowDown" ? 1 : -1)];
  }
  frame.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const sized = { "+": "in", "=": "in", "-": "out", 0: "fit" }[event.key];
    if (sized) change(sized);
    else if (["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"].includes(event.key)) {
      const next = neighbour(event.key);
      if (next !== null && next !== undefined) {
        drawn.nodes.get(next).node.focus({ preventScroll: true });
        drawn.nodes.get(next).node.scrollIntoView({ block: "nearest", inline: "center" });
        show(next);
      }
    } else if (event.key === "Escape") hide();
    else return;
    event.preventDefault();
  });
  frame.addEventListener("scroll", () => (frame.contains(document.activeElement) ? show(drawn.current) : hide()));
  for (const button of lab.element("trees-zoom").querySelectorAll("button")) button.addEventListener("click", () => change(button.value));
  lab.element("trees-cut").addEventListener("change", draw);
  sentences.addEventListener("change", draw);

  function offer() {
    const kept = sentences.selectedOptions[0]?.dataset.index; // the same sentence of another strategy
    const found = chosen().sentences;
    lab.fill(sentences, found.map((tree, place) => [place, `${tree.index + 1}. ${tree.source.join(" ")}`]));
    for (const [place, option] of [...sentences.options].entries()) option.dataset.index = found[place].index;
    const same = found.findIndex((tree) => String(tree.index) === kept);
    sentences.value = String(Math.max(0, same));
    draw();
  }
  strategies.addEventListener("change", offer);
  lab.element("trees-legend").replaceChildren(...NAMES.map((name, fate) => lab.make("li", {}, [
    shape("svg", { width: 18, height: 18, viewBox: "-9 -9 18 18", class: "tree", "aria-hidden": "true" }, [shape("g", { class: `node ${name}` }, [SIGNS[fate]()])]),
    ["lived on", "finished", "cut", "recombined", "at the limit"][fate]])), lab.make("li", {}, [
    shape("svg", { width: 34, height: 18, viewBox: "-17 -9 34 18", class: "tree", "aria-hidden": "true" }, [
      shape("path", { d: "M-17 0H17", class: "edge kept best" }), shape("g", { class: "node kept best" }, [SIGNS[KEPT]()])]),
    "returned"]));
  lab.draw(() => {
    const found = lab.split.beam_trees;
    lab.element("trees").hidden = !found?.strategies.length;
    if (!found?.strategies.length) return;
    const previous = strategies.value;
    lab.fill(strategies, found.strategies.map((item, place) => 
      [place, lab.data.rows.length > 1 ? lab.split.entries[item.entry].label : lab.split.entries[item.entry].strategy]));
    if (previous !== "" && Number(previous) < found.strategies.length) strategies.value = previous;
    zoom = 1;
    offer();
    if (drawn.width < frame.clientWidth * 1.25) change("fit");
  }, true);
})();
