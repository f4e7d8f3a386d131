// The line that says what became of a command: queued, sent with the seconds it takes, and how it ended.
import { serverNow } from "../clock.js";
import { clockText } from "../times.js";
import { act, acted, addresses } from "./room.js";

const line = document.querySelector("[data-told]");

function tell(words, result = "") {
  line.hidden = false;
  line.className = `outcome${result ? ` r-${result}` : ""}`;
  line.textContent = words;
}

const endings = {
  done: (name) => `${name}: done.`,
  failed: (name, text) => `${name}: failed. ${text}`,
  rejected: (name, text) => `${name}: rejected. ${text}`,
  unknown: (name, text) => `${name}: unknown effect. ${text}`,
  password: (name) => `${name}: rejected. The password was given too long ago.`,
};

// Gives a command and tells of it; the result's word. `name` is what the reader knows it by.
export async function carryOut(name, what, parameters) {
  tell(`${name}: queued`);
  const sentAt = serverNow();
  const count = () => {
    const seconds = Math.round((serverNow() - sentAt) / 1000);
    tell(`${name}: sent ${clockText(sentAt)} · waiting ${seconds} s of ${addresses.deadline}`);
  };
  const counting = setInterval(count, 1000);
  const answering = act(what, parameters);
  setTimeout(acted, 300); // the row before sending is there by now
  const { result, text } = await answering;
  clearInterval(counting);
  tell((endings[result] ?? endings.rejected)(name, text), result === "password" ? "rejected" : result);
  acted();
  return result;
}
