// Sound and desktop notification, where this browser has them switched on and is not snoozing.
import { read } from "./preferences.js";

const TONES = [[880, 0], [660, 0.22], [880, 0.44]]; // Hz, and when in s
const HELD_MS = 5000; // of several tabs the first one sounds
let audio;

export const isOn = (name) => read(name, "off") === "on";
export const snoozedUntil = () => Math.max(Number(read("alarm-snooze", "0")) || 0, 0);
const isSnoozed = () => snoozedUntil() > Date.now();

// Browsers let a page sound only after somebody has clicked on it or pressed a key.
export function allowSound() {
  if (!isOn("alarm-sound")) return;
  audio ??= new AudioContext();
  if (audio.state !== "running") audio.resume();
}
export const isSoundAllowed = () => audio?.state === "running" || navigator.userActivation?.hasBeenActive;

function ring() {
  for (const [frequency, at] of TONES) {
    const [oscillator, gain, start] = [audio.createOscillator(), audio.createGain(), audio.currentTime + at];
    oscillator.frequency.value = frequency;
    gain.gain.setValueAtTime(0, start);
    gain.gain.linearRampToValueAtTime(0.25, start + 0.02);
    gain.gain.exponentialRampToValueAtTime(0.001, start + 0.2);
    oscillator.connect(gain).connect(audio.destination);
    oscillator.start(start);
    oscillator.stop(start + 0.21);
  }
  document.dispatchEvent(new CustomEvent("mirror:rang"));
}

async function sound(key) {
  allowSound();
  if (audio?.state !== "running") return;
  if (!navigator.locks) return ring();
  await navigator.locks.request(`dqmsquare.alarm.${key}`, { ifAvailable: true }, (lock) => {
    if (!lock) return undefined;
    ring();
    return new Promise((done) => setTimeout(done, HELD_MS));
  });
}

function notify({ key, title, words }, url) {
  if (typeof Notification === "undefined" || Notification.permission !== "granted") return;
  try {
    // The tag makes one of those of several tabs.
    const shown = new Notification(title, { body: words, tag: `dqmsquare.${key}` });
    shown.addEventListener("click", () => {
      focus();
      if (url) location.assign(url);
    });
  } catch {
    // Android's browsers know only those of service workers; the sound and the page remain.
  }
}

export function signal(alarm, { isTest = false } = {}) {
  if (isSnoozed() && !isTest) return;
  if (isOn("alarm-sound")) sound(isTest ? `test-${Date.now()}` : alarm.key);
  if (isOn("alarm-notify")) notify(alarm, alarm.url);
}
