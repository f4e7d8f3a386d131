// Decides when a partial is fetched: htmx listens to mirror:refresh. A hidden tab waits and then fetches once.
import { tellTime } from "./clock.js";

const POLL_MS = 5000;
const etags = new WeakMap();
let wanted; // the event that the next answer must have seen
let isPending = false;
let polling;
let retry;

function refresh() {
  if (document.hidden) {
    isPending = true;
    return;
  }
  isPending = false;
  document.dispatchEvent(new CustomEvent("mirror:refresh"));
}

function concerns(root, { run, runs, newest, kind }) {
  const shown = Number(root.dataset.run);
  if (kind === "alarm" || "rows" in root.dataset) return false; // timeline/rows.js fetches the one row
  if (!shown || run === shown || runs?.includes(shown)) return true;
  if (run === null && !runs) return true; // a host, or more runs than were named
  return newest !== Number(root.dataset.newest) && root.dataset.newest !== undefined;
}

function poll(isOn) {
  clearInterval(polling);
  polling = isOn ? setInterval(refresh, POLL_MS) : undefined;
}

document.addEventListener("mirror:change", ({ detail }) => {
  const root = document.querySelector("[data-refresh]");
  if (!root || !concerns(root, detail)) return;
  wanted = detail.after ?? wanted;
  refresh();
});
document.addEventListener("mirror:reload", refresh);
document.addEventListener("mirror:lost", () => polling ?? poll(true));
document.addEventListener("mirror:beat", () => poll(false));
document.addEventListener("visibilitychange", () => isPending && refresh());

// The request carries what the URL says now (the filter may have changed it) and which copy is there already.
document.addEventListener("htmx:config:request", ({ detail: { ctx } }) => {
  const { body, headers } = ctx.request;
  if (wanted) body.set("after", wanted);
  if (!ctx.sourceElement.matches("[data-refresh]")) return;
  const url = new URLSearchParams(location.search);
  for (const name of ["state", "q", "errors"]) if (url.get(name)) body.set(name, url.get(name));
  const etag = etags.get(ctx.sourceElement);
  if (etag) headers["If-None-Match"] = etag;
  ctx.request.cache = "no-store"; // each ?after= is an address of its own: kept copies would only pile up
});

document.addEventListener("htmx:after:request", ({ detail: { ctx } }) => {
  const { status, headers } = ctx.response;
  const unavailableSince = headers.get("Database-Unavailable-Since");
  if (unavailableSince) document.dispatchEvent(new CustomEvent("mirror:unavailable", { detail: unavailableSince }));
  if (status >= 400) return again();
  tellTime(Date.parse(headers.get("Date") ?? ""), { exact: false });
  if (status === 200 && headers.get("ETag")) etags.set(ctx.sourceElement, headers.get("ETag"));
  document.dispatchEvent(new CustomEvent("mirror:fetched"));
});
document.addEventListener("htmx:error", () => again());

function again() {
  clearTimeout(retry);
  retry = setTimeout(refresh, POLL_MS);
}
