// How long the session lasts, and what is left of a page when it is over: nothing.
import { serverNow } from "../clock.js";
import { isRoom, session } from "./room.js";

const clock = document.querySelector("[data-ends-at]");

function words(milliseconds) {
  const minutes = Math.ceil(milliseconds / 60_000);
  return minutes > 99 ? `${Math.floor(minutes / 60)} h left` : `${minutes} min left`;
}

function show() {
  const left = Date.parse(clock.dataset.endsAt) - serverNow();
  const text = left > 0 ? words(left) : "over";
  if (clock.textContent !== text) clock.textContent = text;
}

// The back button must not bring back what somebody saw who has logged out since.
addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
document.addEventListener("htmx:after:request", ({ detail: { ctx } }) => {
  if (ctx.response?.status === 401) location.reload();
});
document.addEventListener("mirror:acted", async () => {
  const state = isRoom && (await session().catch(() => null));
  if (state) clock.dataset.endsAt = state.ends_at;
});
if (clock) {
  show();
  setInterval(show, 1000);
}
