// Which clients hltd starts on a machine: on, off, or unknown where DQM² has not said it just now.
import { confirmed } from "./ask.js";
import { drawClients, nameOf } from "./client-list.js";
import { ask, isRoom } from "./room.js";
import { carryOut } from "./told.js";

const FRESH_MS = 50_000; // the server takes a list for a minute
const list = document.querySelector("[data-clients]");
const chooser = document.querySelector("[data-clients-machine]");
const note = document.querySelector("[data-clients-note]");
const age = document.querySelector("[data-clients-age]");
let shown = { machine: "", cluster: "", clients: [], at: 0 };

const clusterOf = (machine) => document.querySelector(`[data-machine="${CSS.escape(machine)}"]`)?.dataset.cluster ?? "production";

function tell(words, isBad = false) {
  note.textContent = words;
  note.hidden = !words;
  note.toggleAttribute("data-ui-bad", isBad);
}

const draw = () => drawClients(list, shown.clients);

function makeUnknown() {
  shown.clients = shown.clients.map(([file]) => [file, null]);
  draw();
}

async function load(machine) {
  if (machine !== shown.machine) shown = { machine, cluster: clusterOf(machine), clients: [], at: 0 };
  if (!machine) return draw();
  tell(`Asking DQM² for the clients of ${machine}…`);
  try {
    const clients = JSON.parse(await ask("get_dqm_clients", { host: machine }));
    if (machine !== shown.machine) return undefined;
    shown = { ...shown, clients, at: Date.now() };
    tell(clients.length ? "" : `DQM² names no client of ${machine}.`);
    draw();
  } catch (error) {
    tell(error.message, true);
    makeUnknown();
  }
  return undefined;
}

const loadIfOld = async () => Date.now() - shown.at > FRESH_MS && load(shown.machine);

async function change(file) {
  const { machine, cluster } = shown;
  await loadIfOld();
  const isOn = shown.clients.find(([name]) => name === file)?.[1];
  if (typeof isOn !== "boolean") return;
  const wanted = isOn ? "off" : "on";
  const name = `switch ${nameOf(file)} ${wanted}`;
  const words = cluster === "production" ? "Production." : "Playback.";
  if (!(await confirmed({ title: `Switch ${nameOf(file)} ${wanted} on ${machine}?`, words, verb: `Switch ${wanted}`, cluster }))) return;
  await loadIfOld(); // the question may have stood there for long
  shown.clients = shown.clients.map((one) => (one[0] === file ? [file, null] : one));
  draw();
  await carryOut(`${name} on ${machine}`, "change_dqm_client", { host: machine, client: file, state: isOn ? "0" : "1" });
  await load(machine);
}

function showAge() {
  age.textContent = shown.at ? `as of ${Math.round((Date.now() - shown.at) / 1000)} s ago` : "";
  if (shown.at && Date.now() - shown.at > 10 * FRESH_MS) {
    shown.at = 0; // nobody knows any more
    makeUnknown();
  }
}

if (isRoom && list) {
  chooser.addEventListener("change", () => load(chooser.value));
  list.addEventListener("click", ({ target }) => {
    const file = target.closest("[data-client]")?.dataset.client;
    if (file && !target.closest("[data-client]").disabled) change(file);
  });
  setInterval(showAge, 1000);
  if (chooser.value) load(chooser.value); // chosen before this ran, or kept by the browser
}
