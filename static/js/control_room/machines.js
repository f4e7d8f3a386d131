// Buttons of a machine: restarts; the versions of its services; what plays now.
import { confirmed } from "./ask.js";
import { isRoom, versions } from "./room.js";
import { carryOut } from "./told.js";

let known = {};

const short = (text) => /(\d+(?:\.\d+)+)/.exec(text ?? "")?.[1] ?? text;

function showVersions() {
  for (const machine of document.querySelectorAll("[data-machine]")) {
    const services = Object.entries(known[machine.dataset.machine] ?? {});
    const words = services.map(([service, version]) => `${service} ${short(version)}`).join(" · ");
    const place = machine.querySelector("[data-versions]");
    if (place.textContent !== words) place.textContent = words;
  }
}

function showPlaying() {
  const now = document.querySelector("[data-now]");
  const words = document.querySelector("[data-playing]")?.dataset.playing;
  if (now && words && now.textContent !== words) now.textContent = words;
}

function question(machine, label) {
  const { machine: name, cluster, taking } = machine.dataset;
  const isTaking = cluster === "production" && taking;
  return {
    title: `${label[0].toUpperCase()}${label.slice(1)} on ${name}?`,
    words: cluster === "production" ? "Production." : "Playback.",
    more: isTaking ? `Data taking: ${taking}; its clients on this machine will end.` : "Clients on this machine will end.",
    verb: label[0].toUpperCase() + label.slice(1),
    cluster,
  };
}

document.addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-command]");
  if (!button) return;
  const machine = button.closest("[data-machine]");
  const { command, label } = button.dataset;
  if (!(await confirmed(question(machine, label)))) return;
  for (const one of machine.querySelectorAll("[data-command]")) one.disabled = true;
  await carryOut(`${label} on ${machine.dataset.machine}`, command, { host: machine.dataset.machine });
});

document.addEventListener("htmx:after:swap", () => {
  showVersions();
  showPlaying();
});
if (isRoom) {
  versions()
    .then((found) => {
      known = found;
      showVersions();
    })
    .catch(() => {});
}
