// The settings menu: theme, zone, shortcuts. before-paint.js applies what is kept here on the next page.
import { read, write } from "./preferences.js";

const root = document.documentElement;
const usual = { theme: "system", zone: "geneva", shortcuts: "on" };

function apply(name, value) {
  if (name === "shortcuts") return;
  if (value === usual[name]) delete root.dataset[name];
  else root.dataset[name] = value;
  document.dispatchEvent(new CustomEvent(`mirror:${name}`));
}

for (const group of document.querySelectorAll("[data-setting]")) {
  const name = group.dataset.setting;
  const kept = read(name, usual[name]);
  for (const input of group.querySelectorAll("input")) input.checked = input.value === kept;
  group.addEventListener("change", ({ target }) => {
    write(name, target.value);
    apply(name, target.value);
  });
}

// Menus close when something else is wanted.
const openMenus = () => document.querySelectorAll("details:is([data-menu], [data-alarms], .pop)[open]");
document.addEventListener("click", ({ target }) => {
  for (const menu of openMenus()) if (!menu.contains(target)) menu.open = false;
});
document.addEventListener("keydown", ({ key }) => {
  if (key !== "Escape") return;
  for (const menu of openMenus()) {
    const hadFocus = menu.contains(document.activeElement);
    menu.open = false;
    if (hadFocus) menu.querySelector("summary").focus();
  }
});
