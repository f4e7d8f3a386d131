// What this browser keeps. The origin is shared with other applications of CMSWEB: prefixed names, no secrets.
const PREFIX = "dqmsquare.";

export function read(name, fallback) {
  try {
    return localStorage.getItem(PREFIX + name) ?? fallback;
  } catch {
    return fallback;
  }
}

export function write(name, value) {
  try {
    localStorage.setItem(PREFIX + name, value);
  } catch {
    // It then holds for this page only.
  }
}
