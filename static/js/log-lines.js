// Permalinks of the log: #L12 and #L12-L20. A click on a number chooses a line, with shift a stretch.
const RANGE = /^#L(\d+)(?:-L(\d+))?$/;

function chosen() {
  const [, first, last = first] = RANGE.exec(location.hash) ?? [];
  return first ? [Number(first), Number(last)].sort((a, b) => a - b) : null;
}

function mark() {
  const range = chosen();
  for (const line of document.querySelectorAll("[data-log-lines] li[id^=L]")) {
    const number = Number(line.id.slice(1));
    line.toggleAttribute("data-ui-chosen", Boolean(range) && number >= range[0] && number <= range[1]);
  }
  return range && document.getElementById(`L${range[0]}`);
}

function go() {
  const line = mark();
  if (!line) return;
  if (!line.checkVisibility()) document.querySelector("[data-log-errors][aria-pressed=true]")?.click();
  line.scrollIntoView({ block: "center" });
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-log-lines] li > a");
  if (!link) return;
  event.preventDefault();
  const number = Number(link.hash.slice(2));
  const range = chosen();
  const hash = event.shiftKey && range ? `#L${Math.min(range[0], number)}-L${Math.max(range[0], number)}` : `#L${number}`;
  history.replaceState(history.state, "", hash);
  mark();
});
addEventListener("hashchange", go);
document.addEventListener("htmx:after:swap", mark);
if (document.querySelector("[data-log]")) go();
