// The timeline's own behaviour; what all pages share is in app.js.
import "./columns.js";
import "./rows.js";
import "./legend.js";
import "./keys.js";
import "./card.js";
