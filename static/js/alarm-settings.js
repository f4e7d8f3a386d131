// The bell's settings: sound, desktop notification, test and snooze. All of it holds for this browser alone.
import { allowSound, isOn, isSoundAllowed, signal, snoozedUntil } from "./alarm-signals.js";
import { read, write } from "./preferences.js";
import { clockText } from "./times.js";

const groups = document.querySelectorAll("[data-alarm-setting]");
const note = document.querySelector("[data-alarm-note]");
let wakes;

function words() {
  const until = snoozedUntil();
  if (until > Date.now()) return `Quiet until ${clockText(until)}.`;
  if (isOn("alarm-notify") && globalThis.Notification?.permission !== "granted") {
    return "This browser does not let the page notify: allow it in the browser's settings for this site.";
  }
  if (isOn("alarm-sound") && !isSoundAllowed()) return "There is no sound before you have clicked somewhere on the page.";
  return "";
}

function show() {
  for (const group of groups) {
    const kept = read(group.dataset.alarmSetting, "off");
    for (const input of group.querySelectorAll("input")) input.checked = input.value === kept;
  }
  const left = snoozedUntil() - Date.now();
  for (const button of document.querySelectorAll("[data-alarm-snooze]")) {
    button.hidden = (button.dataset.alarmSnooze === "0") !== left > 0;
  }
  clearTimeout(wakes);
  if (left > 0) wakes = setTimeout(show, left + 50);
  if (note.textContent !== words()) note.textContent = words();
}

async function change({ currentTarget: group, target }) {
  write(group.dataset.alarmSetting, target.value);
  allowSound();
  if (isOn("alarm-notify") && globalThis.Notification?.permission === "default") await Notification.requestPermission();
  show();
}

function begin() {
  for (const group of groups) group.addEventListener("change", change);
  document.querySelector("[data-alarm-test]").addEventListener("click", () => {
    allowSound();
    signal({ key: "test", title: "Test", words: "This is how an alarm of the DQM² Mirror reaches you." }, { isTest: true });
    const isAnyOn = isOn("alarm-sound") || isOn("alarm-notify");
    note.textContent = isAnyOn ? words() || "Sent." : "Sound and notification are both off.";
  });
  for (const button of document.querySelectorAll("[data-alarm-snooze]")) {
    button.addEventListener("click", () => {
      const minutes = Number(button.dataset.alarmSnooze);
      write("alarm-snooze", minutes ? Date.now() + minutes * 60000 : 0);
      show();
    });
  }
  addEventListener("storage", show); // another tab changed it
  for (const kind of ["pointerdown", "keydown"]) {
    document.addEventListener(kind, () => {
      allowSound();
      show();
    }, { once: true });
  }
  show();
}

if (note) begin();
