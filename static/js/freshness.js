// The pill, the red line across the top, and each host's age. Ages are the server's, counted on from the last beat.
import { serverNow, tellTime } from "./clock.js";
import { span } from "./spans.js";
import { clockText } from "./times.js";

const MISSED_S = 15; // three beats
const SILENT_S = 60; // a host that was not polled for so long is named
const root = document.documentElement;
const pill = document.querySelector("[data-pill]");
const pillText = document.querySelector("[data-pill-text]");
const banner = document.querySelector("[data-banner]");
let heardAt = performance.now();
let ages = {};
let isPolling = false;
let unavailableSince = null;

const put = (element, text) => element.textContent !== text && (element.textContent = text);
const sinceHeard = () => (performance.now() - heardAt) / 1000;
const labelOf = (id) => document.getElementById(`host-${id}`)?.dataset.label ?? "1 host";
const short = (seconds) => (seconds < 10 ? `${seconds.toFixed(1)} s` : span(seconds));

function liveWords() {
  const now = Object.entries(ages).map(([id, age]) => [id, age === null ? Infinity : age > SILENT_S ? age + sinceHeard() : age]);
  const silent = now.filter(([, age]) => age > SILENT_S).sort((a, b) => b[1] - a[1]);
  if (silent.length) {
    const [id, age] = silent[0];
    const words = age === Infinity ? `${labelOf(id)} was never heard` : `${labelOf(id)} silent for ${span(age)}`;
    return ["warn", silent.length > 1 ? `${words} · ${silent.length - 1} more` : words];
  }
  if (isPolling) return ["warn", "asking every 5 s"];
  if (!now.length) return ["waiting", "connecting"];
  return ["live", `live · ${short(Math.max(...now.map(([, age]) => age)))} behind P5`];
}

function complaint() {
  if (sinceHeard() > MISSED_S) {
    const since = clockText(serverNow() - sinceHeard() * 1000);
    return [`no news for ${span(sinceHeard())}`, `Nothing has come from the mirror since ${since}. What stands here may be wrong by now.`];
  }
  if (!unavailableSince) return null;
  const since = clockText(Date.parse(unavailableSince));
  return ["database unavailable", `Database unavailable since ${since}. This is the last there was.`];
}

function show() {
  const problem = complaint();
  const [mood, text] = problem ? ["lost", problem[0]] : liveWords();
  pill.dataset.mood = mood;
  put(pillText, text);
  put(banner, problem ? problem[1] : "");
  if (("stale" in root.dataset) !== Boolean(problem)) {
    root.toggleAttribute("data-stale", Boolean(problem));
    document.dispatchEvent(new CustomEvent("mirror:stale"));
  }
  for (const [id, age] of Object.entries(ages)) showHost(id, age);
}

function showHost(id, age) {
  const element = document.getElementById(`host-${id}`)?.querySelector("[data-host-age]");
  if (!element) return;
  const isLate = age === null || age > SILENT_S;
  put(element, age === null ? "never polled" : isLate ? `silent ${span(age + sinceHeard())}` : `${short(age)} behind`);
  element.toggleAttribute("data-ui-late", isLate);
}

function hear() {
  heardAt = performance.now();
  show();
}

document.addEventListener("mirror:beat", ({ detail }) => {
  if (detail.now) tellTime(detail.now * 1000);
  [ages, isPolling, unavailableSince] = [detail.hosts, false, detail.unavailable_since];
  hear();
});
document.addEventListener("mirror:lost", () => (isPolling = true));
document.addEventListener("mirror:unavailable", ({ detail }) => (unavailableSince = detail));
document.addEventListener("mirror:fetched", () => {
  if (isPolling) [ages, unavailableSince] = [{}, null];
  hear();
});
document.addEventListener("htmx:after:swap", show);
if (document.querySelector("[data-after]")) setInterval(show, 1000);
