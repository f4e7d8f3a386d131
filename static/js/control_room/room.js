// What the page was told by the server, and how its requests are sent: with the page's token, never kept.
const root = document.querySelector("[data-control-room]");

export const isRoom = Boolean(root);
export const addresses = root?.dataset ?? {};

async function send(path, fields) {
  const options = { credentials: "same-origin", cache: "no-store", redirect: "error" };
  if (fields) {
    options.method = "POST";
    options.headers = { "X-CSRF-Token": addresses.token };
    options.body = new URLSearchParams(fields);
  }
  const answer = await fetch(path, options);
  if (answer.status === 401 && !answer.headers.get("Dqm-Result") && !fields?.password) {
    location.reload(); // the session is over: the form stands at this address
  }
  return { status: answer.status, result: answer.headers.get("Dqm-Result"), text: await answer.text() };
}

// A sentence of the server's comes with an error's number in a second line.
const sentence = (text) => text.split("\nError ")[0].trim();

// What a reading command is answered, as text. Throws an Error with a sentence for people.
export async function ask(what, parameters = {}) {
  const { status, text } = await send(`${addresses.exe}?${new URLSearchParams({ what, ...parameters })}`);
  if (status !== 200) throw new Error(sentence(text));
  return text;
}

// The result of a changing command: done, failed, rejected, unknown, or password where that is wanted first.
export async function act(what, parameters) {
  try {
    const { result, text } = await send(addresses.exe, { what, ...parameters });
    return { result: result ?? "rejected", text: sentence(text) };
  } catch {
    return { result: "unknown", text: "The connection broke before an answer came. The activity list will tell." };
  }
}

export async function session() {
  const { status, text } = await send(addresses.session);
  return status === 200 ? JSON.parse(text) : null;
}

// Gives the password again; "" or a sentence that says why it was not taken.
export async function stepUp(password) {
  const { status, text } = await send(addresses.stepUp, { password });
  return status === 200 ? "" : sentence(text);
}

export const versions = async () => JSON.parse((await send(addresses.versions)).text);

// A command was given or has ended: lists are fetched again.
export const acted = () => document.dispatchEvent(new CustomEvent("mirror:acted"));
