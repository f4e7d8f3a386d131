// <time data-age> counts on, <time data-clock> shows the chosen zone. The server wrote the full time for the hover.
import { serverNow } from "./clock.js";
import { span } from "./spans.js";

const ZONES = { geneva: "Europe/Zurich", utc: "UTC", local: undefined };
let formats;

function chooseZone() {
  const zone = document.documentElement.dataset.zone ?? "geneva";
  const timeZone = ZONES[zone];
  const format = (options) => new Intl.DateTimeFormat("en-GB", { timeZone, hourCycle: "h23", ...options });
  formats = {
    time: format({ hour: "2-digit", minute: "2-digit", second: "2-digit" }),
    day: format({ day: "numeric", month: "short", year: "numeric" }),
  };
}

export const clockText = (instant) => formats.time.format(instant);

function textOf(element, instant) {
  if (element.dataset.clock === "minute") {
    return `${formats.day.format(instant)}, ${formats.time.format(instant).slice(0, 5)}`;
  }
  if (element.dataset.age === undefined) {
    const isToday = formats.day.format(instant) === formats.day.format(serverNow());
    return isToday ? formats.time.format(instant) : formats.day.format(instant);
  }
  const age = span((serverNow() - instant) / 1000, element.dataset.age === "short");
  return element.dataset.age === "ago" ? `${age} ago` : age;
}

function write(element) {
  const text = textOf(element, Date.parse(element.dateTime));
  if (element.textContent !== text) {
    if (element.firstChild) element.firstChild.data = text;
    else element.textContent = text;
  }
  if (!("uiSet" in element.dataset)) element.dataset.uiSet = "";
}

export function writeTimes(root = document) {
  root.querySelectorAll("time[data-age], time[data-clock]").forEach(write);
}

chooseZone();
writeTimes();
setInterval(() => document.hidden || writeTimes(), 1000);
document.addEventListener("visibilitychange", () => document.hidden || writeTimes());
document.addEventListener("htmx:after:swap", () => writeTimes());
document.addEventListener("mirror:zone", () => {
  chooseZone();
  writeTimes();
});
