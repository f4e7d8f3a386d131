// Starting a playback run: the runs that DQM² has, what is configured now, and the question before it.
import { confirmed } from "./ask.js";
import { ask, isRoom } from "./room.js";
import { carryOut } from "./told.js";

const FRESH_MS = 50_000; // the server takes a list for a minute
const form = document.querySelector("[data-playback]");
const part = (name) => form.querySelector(`[data-${name}]`);
let listedAt = 0;

function option(text) {
  const element = document.createElement("option");
  element.textContent = text;
  return element;
}

function showOms() {
  const run = /^run(\d+)$/.exec(part("runs").value)?.[1];
  part("oms").hidden = !run;
  if (run) part("oms").href = `https://cmsoms.cern.ch/cms/runs/report?cms_run=${run}`;
}

async function listRuns() {
  const runs = JSON.parse(await ask("get_simulator_runs"));
  const chosen = part("runs").value;
  part("runs").replaceChildren(...runs.map(option));
  if (runs.includes(chosen)) part("runs").value = chosen;
  part("runs").disabled = !runs.length;
  if (part("start")) part("start").disabled = !runs.length;
  listedAt = Date.now();
}

async function readConfiguration() {
  const { source, run_key: runKey, number_of_ls: lumis } = JSON.parse(await ask("get_simulator_config"));
  if ([...part("runs").options].some(({ value }) => value === source)) part("runs").value = source;
  if ([...part("run-key").options].some(({ value }) => value === runKey)) part("run-key").value = runKey;
  if (Number.isInteger(lumis)) part("lumis").value = lumis;
}

async function fill() {
  try {
    await listRuns();
    await readConfiguration();
  } catch (error) {
    if (part("runs").disabled) part("runs").replaceChildren(option(error.message));
  }
  showOms();
}

async function start() {
  const fields = { run_number: part("runs").value, run_key: part("run-key").value, number_of_ls: String(Number(part("lumis").value)) };
  const what = `${fields.run_number} · ${fields.run_key} · ${fields.number_of_ls} lumisections`;
  const { host, cluster } = form.dataset;
  const question = {
    title: `Start a playback run on ${host}?`,
    words: cluster === "production" ? "Production." : "Playback.",
    more: `${what}. It replaces the run that is playing now.`,
    verb: "Start",
    cluster,
  };
  if (!(await confirmed(question))) return;
  if (Date.now() - listedAt > FRESH_MS) await listRuns().catch(() => {});
  part("start").disabled = true;
  await carryOut(`start playback run ${fields.run_number}`, "start_playback_run", fields);
  part("start").disabled = false;
}

if (isRoom && form) {
  part("runs").addEventListener("change", showOms);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    start();
  });
  fill();
}
