// Runs before the first paint, so that nothing changes colour or shape afterwards: preferences onto <html>.
(() => {
  const root = document.documentElement;
  const preferred = (name, values) => {
    try {
      const value = localStorage.getItem(`dqmsquare.${name}`);
      return values.includes(value) ? value : null;
    } catch {
      return null; // storage may be forbidden
    }
  };
  root.dataset.js = "";
  const theme = preferred("theme", ["light", "dark"]);
  if (theme) root.dataset.theme = theme;
  const zone = preferred("zone", ["utc", "local"]);
  if (zone) Object.assign(root.dataset, { zone, movesZone: "" });
})();
