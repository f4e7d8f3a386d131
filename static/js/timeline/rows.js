// Keeps the rows true: a run that changed is fetched alone, a new one is put on top, older ones come as one scrolls.
import { serverNow } from "../clock.js";
import { alignRows, tags } from "./columns.js";

const LATE_MS = 1000; // the server's own clock has then passed the instant, too
const MOST_ROWS = 1000;
const table = document.querySelector("[data-timeline]");
const body = table.tBodies[0];
const follows = "follows" in table.dataset;
const last = Number(table.dataset.last) || undefined;
let wanted; // the event that the next answer must have seen
const waiting = new Set(); // what a hidden tab fetches when it is looked at

const rowOf = (run) => document.getElementById(`run-${run}`);
const runs = () => [...body.querySelectorAll("[data-run]")];
const numberOf = (row) => Number(row?.dataset.run ?? 0);

function fetchInto(element, kind) {
  if (document.hidden) waiting.add([element, kind]);
  else element.dispatchEvent(new CustomEvent(kind));
}

function refreshAll() {
  fetchInto(document, "mirror:refresh");
}

function changed(run) {
  const all = runs();
  const [newest, oldest] = [numberOf(all[0]), body.querySelector(".more") || last ? numberOf(all.at(-1)) : 0];
  if (rowOf(run)) fetchInto(rowOf(run), "mirror:row");
  else if (run > newest && follows) fetchInto(table.tHead, "mirror:newer");
  else if (run > oldest && run < newest) refreshAll(); // history that came late
}

document.addEventListener("mirror:change", ({ detail: { run, runs: several, kind, after } }) => {
  if (kind === "alarm") return;
  wanted = after ?? wanted;
  if (run) changed(run);
  else if (several) several.forEach(changed);
  else if (kind === "host") body.querySelectorAll("[data-open]").forEach((row) => fetchInto(row, "mirror:row"));
  else refreshAll();
});

// A state may change by the clock alone: a row says until when it holds.
setInterval(() => {
  for (const row of document.hidden ? [] : body.querySelectorAll("[data-until]")) {
    if (Date.parse(row.dataset.until) + LATE_MS > serverNow()) continue;
    delete row.dataset.until;
    fetchInto(row, "mirror:row");
  }
}, 1000);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  const due = [...waiting];
  waiting.clear();
  for (const [element, kind] of due) if (element.isConnected) fetchInto(element, kind);
});

document.addEventListener("htmx:config:request", ({ detail: { ctx } }) => {
  const { sourceElement: source, request } = ctx;
  if (!table.contains(source)) return;
  if (wanted) request.body.set("after", wanted);
  request.body.set("columns", tags().join(","));
  if (source === table.tHead) request.body.set("above", numberOf(runs()[0]));
  if (source === body) request.body.set("n", Math.min(MOST_ROWS, Math.max(runs().length, 1)));
});
document.addEventListener("htmx:after:swap", () => {
  alignRows();
  if (last) runs().slice(last).forEach((row) => row.remove());
});
