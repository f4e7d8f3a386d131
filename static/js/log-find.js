// Searches the log: every hit is highlighted without touching a single element, n and N walk through them.
const canHighlight = typeof Highlight !== "undefined" && CSS.highlights;
const box = () => document.querySelector("[data-log-find]");
let hits = [];
let at = -1;

// The text of a line may be cut into pieces by marks: hits are found in the whole and put back onto the nodes.
function hitsInLine(line, wanted) {
  const nodes = [];
  const walker = document.createTreeWalker(line.lastElementChild, NodeFilter.SHOW_TEXT);
  let text = "";
  while (walker.nextNode()) {
    nodes.push([text.length, walker.currentNode]);
    text += walker.currentNode.data;
  }
  const lower = text.toLowerCase();
  const place = (range, end, offset) => {
    const [start, node] = nodes.findLast(([from]) => from < offset || (!end && from === offset)) ?? nodes[0];
    end ? range.setEnd(node, offset - start) : range.setStart(node, offset - start);
  };
  const found = [];
  for (let i = lower.indexOf(wanted); i >= 0; i = lower.indexOf(wanted, i + wanted.length)) {
    const range = new Range();
    place(range, false, i);
    place(range, true, i + wanted.length);
    found.push({ line, range });
  }
  return found;
}

function paint() {
  if (canHighlight) {
    CSS.highlights.set("log-hit", new Highlight(...hits.map(({ range }) => range)));
    CSS.highlights.set("log-hit-now", new Highlight(...(hits[at] ? [hits[at].range] : [])));
  }
  for (const line of document.querySelectorAll("[data-log-lines] [data-ui-hit]")) line.removeAttribute("data-ui-hit");
  for (const { line } of hits) line.setAttribute("data-ui-hit", "");
  const isAsked = Boolean(box()?.value);
  document.querySelector("[data-log-count]").textContent = !isAsked ? "" : hits.length ? `${at + 1} / ${hits.length}` : "no hit";
}

function search({ keepsPlace = false } = {}) {
  const wanted = box()?.value.toLowerCase();
  if (wanted === undefined) return;
  const lines = wanted ? [...document.querySelectorAll("[data-log-lines] li[id^=L]")].filter((line) => line.checkVisibility()) : [];
  hits = lines.flatMap((line) => hitsInLine(line, wanted));
  at = hits.length ? Math.min(keepsPlace ? Math.max(at, 0) : 0, hits.length - 1) : -1;
  paint();
}

function step(by) {
  if (!hits.length) return;
  at = (at + by + hits.length) % hits.length;
  paint();
  hits[at].line.scrollIntoView({ block: "center" });
}

document.addEventListener("input", ({ target }) => {
  if (!target.matches("[data-log-find]")) return;
  search();
  hits[0]?.line.scrollIntoView({ block: "center" });
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !event.target.matches("[data-log-find]")) return;
  event.preventDefault();
  step(event.shiftKey ? -1 : 1);
});
document.addEventListener("click", ({ target }) => {
  const by = target.closest("[data-log-step]")?.dataset.logStep;
  if (by) step(Number(by));
});
document.addEventListener("mirror:key", ({ detail: key }) => {
  if (key === "n" || key === "N") step(key === "n" ? 1 : -1);
});
for (const kind of ["htmx:after:swap", "mirror:log-lines"]) document.addEventListener(kind, () => search({ keepsPlace: true }));
