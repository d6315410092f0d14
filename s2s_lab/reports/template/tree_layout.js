// Where the nodes of a search tree stand: steps from left to right, each path on a lane of its own as far as it goes.
// A node's most promising continuation stays on its lane; others go to the nearest free lanes below.
lab.treeLayout = (tree, visible) => {
  const children = tree.parent.map(() => []);
  for (const [place, parent] of tree.parent.entries()) {
    if (parent !== null && visible(place)) children[parent].push(place);
  }
  const byStep = tree.parent.map((_, place) => place).filter(visible).sort((a, b) => tree.step[b] - tree.step[a]);
  const reach = tree.step.slice(), rank = tree.parent.map(() => Infinity); // furthest step, best returned hypothesis below
  for (const [position, end] of tree.best.entries()) {
    if (end !== null) rank[end] = Math.min(rank[end], position);
  }
  for (const place of byStep) { // the last steps first
    for (const child of children[place]) {
      reach[place] = Math.max(reach[place], reach[child]);
      rank[place] = Math.min(rank[place], rank[child]);
    }
  }
  const score = (place) => tree.score[place] ?? -Infinity;
  const order = (a, b) => (rank[a] === rank[b] ? reach[b] - reach[a] || score(b) - score(a) : rank[a] - rank[b]);
  const lanes = tree.parent.map(() => -1), taken = []; // of each lane [first, last] columns
  const free = (lane, first, last) => (taken[lane] ??= []).every(([from, to]) => last < from || first > to);

  const root = tree.parent.indexOf(null), waiting = [[root, 0]];
  while (waiting.length) {
    const [start, least] = waiting.pop();
    const chain = [start];
    while (children[chain.at(-1)].length) chain.push(children[chain.at(-1)].sort(order)[0]);
    const first = tree.step[start], last = tree.step[chain.at(-1)] + (rank[chain.at(-1)] < Infinity ? 1 : 0);
    let lane = least;
    while (!free(lane, first, last)) lane += 1;
    taken[lane].push([first, last]);
    for (const place of chain) lanes[place] = lane;
    // Taken from the end: late branches are placed first and stay near, early ones go around them.
    for (const place of chain) {
      for (const child of children[place].slice(1).reverse()) waiting.push([child, lane + 1]);
    }
  }
  return { lanes, children, rank, count: taken.length, last: Math.max(...byStep.map((place) => tree.step[place])) };
};
