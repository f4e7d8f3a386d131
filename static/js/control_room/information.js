// Commands that only read: the answer stands below as text, whatever it is.
import { ask } from "./room.js";

const place = document.querySelector("[data-answer]");
const buttons = () => document.querySelectorAll("[data-information]");

document.addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-information]");
  if (!button) return;
  for (const one of buttons()) one.removeAttribute("aria-current");
  button.setAttribute("aria-current", "true");
  place.hidden = false;
  place.textContent = "asking DQM²…";
  const parameters = "printable" in button.dataset ? { format: "1" } : {};
  const text = await ask(button.dataset.information, parameters).catch((error) => error.message);
  if (button.hasAttribute("aria-current")) place.textContent = text || "DQM² says nothing.";
});
