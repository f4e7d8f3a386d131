// Arrow keys walk through the cells: one of them is in the tab order, as in any grid.
const table = document.querySelector("[data-timeline]");
const rows = () => [...table.tBodies[0].querySelectorAll("[data-run]")];
const focusable = (cell) => cell?.querySelector("a") ?? cell;
let current; // what the tab key comes to

function take(element) {
  if (current && current !== element) current.tabIndex = -1;
  current = element;
  if (current.tabIndex !== 0) current.tabIndex = 0;
}

function place() {
  for (const link of table.querySelectorAll(".t-run a")) if (link !== current) link.tabIndex = -1;
  const kept = current?.isConnected && table.contains(current) ? current : focusable(rows()[0]?.cells[0]);
  if (kept) take(kept);
}

function go(row, column) {
  const target = focusable(row?.cells[Math.max(0, Math.min(column, row.cells.length - 1))]);
  if (!target) return;
  take(target);
  target.focus();
  target.scrollIntoView({ block: "nearest", inline: "nearest" });
}

function cellBelow(all, at, { key, ctrlKey }) {
  const [row, column, end] = [all.indexOf(at.parentElement), at.cellIndex, at.parentElement.cells.length - 1];
  const last = all.length - 1;
  const page = Math.max(1, Math.floor(table.parentElement.clientHeight / at.parentElement.offsetHeight) - 4);
  return {
    ArrowLeft: [row, column - 1],
    ArrowRight: [row, column + 1],
    ArrowUp: [row - 1, column],
    ArrowDown: [row + 1, column],
    Home: [ctrlKey ? 0 : row, 0],
    End: [ctrlKey ? last : row, end],
    PageUp: [Math.max(0, row - page), column],
    PageDown: [Math.min(last, row + page), column],
  }[key];
}

table.addEventListener("keydown", (event) => {
  const at = event.target.closest("td, th");
  if (!at?.closest("[data-run]") || event.altKey || event.metaKey) return;
  const all = rows();
  const target = cellBelow(all, at, event);
  if (!target) return;
  event.preventDefault();
  if (target[0] >= 0 && target[0] < all.length) go(all[target[0]], target[1]);
  else if (target[0] >= all.length) document.querySelector("#timeline-more a")?.focus();
});
table.addEventListener("focusin", ({ target }) => {
  if (target.closest("[data-run]")) take(target);
});
document.addEventListener("htmx:after:swap", place);
place();
