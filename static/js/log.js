// The log's buttons: first error, end, errors only, wrap, follow.
import { read, write } from "./preferences.js";

const lines = () => document.querySelector("[data-log-lines]");
const press = (button, isOn) => button?.setAttribute("aria-pressed", String(isOn));
const isPressed = (button) => button?.getAttribute("aria-pressed") === "true";

function wrap(isOn) {
  lines()?.toggleAttribute("data-ui-wrap", isOn);
  press(document.querySelector("[data-log-wrap]"), isOn);
}

function onlyErrors(isOn) {
  const url = new URL(location.href);
  if (isOn) url.searchParams.set("errors", "1");
  else url.searchParams.delete("errors");
  history.replaceState(history.state, "", url);
  lines().toggleAttribute("data-errors", isOn);
  press(document.querySelector("[data-log-errors]"), isOn);
  document.dispatchEvent(new CustomEvent("mirror:log-lines"));
}

function toEnd() {
  document.getElementById("log-end")?.scrollIntoView({ block: "end" });
}

function toFirstError() {
  const hash = document.querySelector("[data-log-first]")?.hash;
  if (hash) document.querySelector(hash).scrollIntoView({ block: "center" });
}

const actions = {
  "[data-log-first]": toFirstError,
  "[data-log-last]": toEnd,
  "[data-log-errors]": (button) => onlyErrors(!isPressed(button)),
  "[data-log-wrap]": (button) => {
    write("wrap", isPressed(button) ? "off" : "on");
    wrap(!isPressed(button));
  },
  "[data-log-follow]": (button) => {
    press(button, !isPressed(button));
    if (isPressed(button)) toEnd();
  },
};

document.addEventListener("click", (event) => {
  for (const [selector, act] of Object.entries(actions)) {
    const button = event.target.closest(selector);
    if (!button) continue;
    event.preventDefault();
    act(button);
  }
});
document.addEventListener("keydown", (event) => {
  const button = event.target.closest?.("[role=button][data-log-errors]");
  if (event.key !== " " || !button) return;
  event.preventDefault(); // a link that is a button answers to the space bar too
  button.click();
});
document.addEventListener("mirror:key", ({ detail: key }) => key === "e" && toFirstError());
document.addEventListener("htmx:after:swap", () => isPressed(document.querySelector("[data-log-follow]")) && toEnd());
if (lines() && read("wrap", "off") === "on") wrap(true);
