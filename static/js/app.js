// Everything a page may need; each module looks for its own data-… attributes and does nothing without them.
import "./settings.js";
import "./times.js";
import "./push.js";
import "./refresh.js";
import "./freshness.js";
import "./title.js";
import "./links.js";
import "./filter.js";
import "./rows.js";
import "./shortcuts.js";
import "./charts.js";
import "./readout.js";
import "./log.js";
import "./log-find.js";
import "./log-lines.js";
import "./alarms.js";
import "./alarm-settings.js";

document.documentElement.dataset.ready = "";
