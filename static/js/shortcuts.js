// Single keys. They can be switched off, and never take a key from somebody who is typing.
import { read } from "./preferences.js";

const dialog = document.querySelector("[data-help-dialog]");
const isTyping = (element) => element?.closest("input:not([type=radio]), textarea, select, [contenteditable]");

const actions = {
  "/": () => document.querySelector("[data-filter], [data-log-find]")?.focus(),
  "[": () => document.querySelector("a[rel=prev]")?.click(),
  "]": () => document.querySelector("a[rel=next]")?.click(),
  "?": () => dialog.showModal(),
};

document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  if (key === "Escape" && isTyping(target)) {
    if (target.matches("[data-log-find]")) event.preventDefault(); // it would be emptied, and n and N need it
    target.blur();
  }
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(target) || dialog.open) return;
  if (read("shortcuts", "on") === "off") return;
  if (actions[key]) {
    event.preventDefault();
    actions[key]();
  } else if (/^[a-zA-Z]$/.test(key)) document.dispatchEvent(new CustomEvent("mirror:key", { detail: key }));
});

document.querySelector("[data-help]")?.addEventListener("click", () => {
  document.querySelector("[data-menu]").open = false;
  dialog.showModal();
});
