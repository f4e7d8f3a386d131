// Keeps the lists of alarms fresh and has a new alarm told. A hidden tab fetches nothing: the event says it all.
import { count, tell } from "./alarm-told.js";
import { signal } from "./alarm-signals.js";

const POLL_MS = 15000;
const bell = document.querySelector("[data-alarms]");
const known = new Map(); // key -> whether it stands
const etags = new WeakMap();
let isFirst = true; // what the first list has, happened before somebody looked
let wanted; // the event that the next list must have seen
let isPending = false;
let polling;
let retry;

function fetchLists() {
  isPending = document.hidden;
  if (!isPending) document.dispatchEvent(new CustomEvent("mirror:alarms"));
}

function hear(alarm) {
  const stands = !alarm.resolved_at;
  if (known.get(alarm.key) === stands || (!stands && !known.has(alarm.key))) return;
  known.set(alarm.key, stands);
  const told = { ...alarm, stands, url: bell.dataset.home + alarm.path.slice(1) };
  tell(told);
  if (stands) signal(told);
}

function read(list) {
  for (const item of list.querySelectorAll("[data-alarm]")) {
    const [key, stands] = [item.dataset.alarm, "stands" in item.dataset];
    const link = item.querySelector(".alarm-words");
    const path = link.getAttribute("href").slice(bell.dataset.home.length - 1);
    const title = item.querySelector(".alarm-title").textContent;
    if (isFirst) known.set(key, known.get(key) ?? stands);
    else hear({ key, path, title, words: link.textContent, resolved_at: !stands });
  }
  isFirst = false;
  count(bell, list.querySelectorAll("[data-stands]").length);
}

function begin() {
  document.addEventListener("mirror:change", ({ detail }) => {
    if (detail.kind !== "alarm") return;
    wanted = detail.after ?? wanted;
    detail.alarms.forEach(hear);
    fetchLists();
  });
  document.addEventListener("mirror:reload", fetchLists);
  document.addEventListener("mirror:lost", () => (polling ??= setInterval(fetchLists, POLL_MS)));
  document.addEventListener("mirror:beat", () => (polling = clearInterval(polling)));
  document.addEventListener("visibilitychange", () => isPending && fetchLists());
  document.addEventListener("htmx:config:request", ({ detail: { ctx } }) => {
    if (!ctx.sourceElement.matches("[data-alarm-list]")) return;
    const { body, headers } = ctx.request;
    if (wanted) body.set("after", wanted);
    else body.delete("after");
    const etag = etags.get(ctx.sourceElement);
    if (etag) headers["If-None-Match"] = etag;
    ctx.request.cache = "no-store";
  });
  document.addEventListener("htmx:after:request", ({ detail: { ctx } }) => {
    if (!ctx.sourceElement.matches("[data-alarm-list]")) return;
    const { status, headers } = ctx.response;
    clearTimeout(retry);
    if (status >= 400) retry = setTimeout(fetchLists, POLL_MS);
    if (status === 200 && headers.get("ETag")) etags.set(ctx.sourceElement, headers.get("ETag"));
  });
  document.addEventListener("htmx:after:swap", () => {
    const list = document.querySelector("#alarm-list");
    if (list.childElementCount) read(list);
  });
  if (document.readyState === "complete") fetchLists();
  else addEventListener("load", fetchLists, { once: true }); // htmx has found the lists by then
}

if (bell) begin();
