"use strict";
// Asks for what changed, as long as the page is looked at.
(() => {
  const OFTEN = 1500, SELDOM = 15_000;
  let version = "", waiting = 0;

  function pulse(state, text) {
    const made = lab.element("pulse");
    made.className = state;
    if (made.textContent !== text) made.textContent = text;
  }

  async function poll() {
    clearTimeout(waiting);
    try {
      const found = await live.ask("/api/runs", version ? { since: version } : {});
      version = found.version;
      live.take(found);
      pulse("on", found.unread ? `reading, ${lab.number(found.unread, 0)} to go` : "live");
      if (!document.documentElement.dataset.ready) live.follow();
      document.documentElement.dataset.ready = "true";
    } catch (error) {
      pulse("off", error instanceof TypeError ? "the dashboard does not answer; is it still running?" : error.message);
    }
    waiting = setTimeout(poll, document.hidden ? SELDOM : OFTEN);
  }

  document.addEventListener("visibilitychange", () => { if (!document.hidden) poll(); });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => lab.redraw());
  let narrow = lab.narrow();
  window.addEventListener("resize", () => {
    if (narrow !== lab.narrow()) {
      narrow = lab.narrow();
      lab.redraw();
    }
  });
  poll();
})();
