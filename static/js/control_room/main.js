// The Control Room's behaviours; each module looks for its own data-… attributes and does nothing without them.
import "./session.js";
import "./machines.js";
import "./clients.js";
import "./playback.js";
import "./information.js";
