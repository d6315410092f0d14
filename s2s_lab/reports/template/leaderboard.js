// Sorting of the tables by a click on a heading, and the colours of the leaderboard's rows.
// Headings of class text sort as text, others by the cells' data-key, cells without one last.
lab.sortable = (part) => {
  const body = part.querySelector("tbody");
  for (const [column, head] of [...part.querySelectorAll("thead th")].entries()) {
    head.querySelector("button").addEventListener("click", () => {
      const text = head.classList.contains("text");
      const before = head.getAttribute("aria-sort");
      const lower = head.querySelector(".better")?.textContent === "↓";
      const first = text || lower ? "ascending" : "descending";
      const order = before === null ? first : before === "ascending" ? "descending" : "ascending";
      for (const other of part.querySelectorAll("thead th")) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      const lines = [...body.rows].map((line) => {
        const cell = line.cells[column];
        return { line, key: text ? cell.textContent : cell.dataset.key === undefined ? null : Number(cell.dataset.key) };
      });
      lines.sort((a, b) => {
        if (a.key === null || b.key === null) return (a.key === null) - (b.key === null);
        return sign * (text ? a.key.localeCompare(b.key, "en", { numeric: true }) : a.key - b.key);
      });
      body.append(...lines.map((item) => item.line));
    });
  }
};
(() => {
  for (const [index, board] of [...document.querySelectorAll(".board")].entries()) {
    for (const [position, line] of [...board.querySelector("tbody").rows].entries()) {
      const row = lab.data.splits[index].entries[position].row;
      line.querySelector(".swatch").style.background = `var(--c${row % 8})`;
    }
    lab.sortable(board);
  }
})();
