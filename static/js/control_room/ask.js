// The question before something is changed: what, where, `production` typed, the password where it is old.
import { session, stepUp } from "./room.js";

const dialog = document.querySelector("[data-ask]");
const part = (name) => dialog.querySelector(`[data-ask-${name}]`);
const put = (name, text) => (part(name).textContent = text);

function showProblem(text) {
  put("problem", text);
  part("problem").hidden = !text;
}

function check() {
  const isTyped = part("production").hidden || part("typed").value === "production";
  const isGiven = part("password").hidden || part("secret").value !== "";
  part("do").disabled = !(isTyped && isGiven);
}

async function agree(event) {
  event.preventDefault();
  check();
  if (part("do").disabled) return;
  part("do").disabled = true;
  const problem = part("password").hidden ? "" : await stepUp(part("secret").value).catch(() => "No answer came.");
  part("secret").value = "";
  if (!problem) return dialog.close("yes");
  showProblem(problem);
  check();
  part("secret").focus();
}

function fill({ title, words, more = "", verb, cluster }, hasSteppedUp) {
  put("title", title);
  put("words", words);
  put("more", more);
  put("do", verb);
  showProblem("");
  dialog.dataset.cluster = cluster;
  part("production").hidden = cluster !== "production";
  part("password").hidden = hasSteppedUp;
  for (const name of ["typed", "secret"]) part(name).value = "";
  check();
}

// Whether the reader says yes. `cluster` decides about the frame and about what must be typed.
export async function confirmed(question) {
  const state = await session().catch(() => null);
  if (!state) return false;
  fill(question, state.has_stepped_up);
  dialog.returnValue = "";
  dialog.showModal();
  const first = ["production", "password"].find((name) => !part(name).hidden);
  (first ? part(first).querySelector("input") : part("cancel")).focus();
  await new Promise((closed) => dialog.addEventListener("close", closed, { once: true }));
  part("secret").value = "";
  return dialog.returnValue === "yes";
}

if (dialog) {
  part("form").addEventListener("submit", agree);
  part("form").addEventListener("input", check);
  part("cancel").addEventListener("click", () => dialog.close());
}
