// Keeps pages fresh and quick to use. Every page works without it; it decides nothing and stores nothing.

const $ = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// Times: the same words as the server's.
const lasting = (s) => s < 90 ? `${s} s` : s < 5400 ? `${Math.floor(s / 60)} min` :
  s < 129600 ? `${Math.floor(s / 3600)} h` : `${Math.floor(s / 86400)} d`;
const distance = (at) => {
  const secs = Math.trunc((at - Date.now()) / 1000);
  return secs === 0 ? "now" : secs > 0 ? `in ${lasting(secs)}` : `${lasting(-secs)} ago`;
};
const times = () => all("time[data-relative]").forEach((time) => {
  const text = distance(Date.parse(time.dateTime));
  if (time.textContent !== text) time.textContent = text;
});
setInterval(times, 1000);

// What arrived is said once, to those who do not see it.
const say = (text) => { const said = $("#said"); if (said) said.textContent = text; };

// Copying.
const buttons = () => all("button[data-copy]").forEach((button) => { button.hidden = !navigator.clipboard; });
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  say("Copied");
  button.textContent = "Copied";
});

// Live parts: elements with an id and `data-live="question records"`. When one of these happens, the page is
// asked for again as it is, and those parts of it are exchanged.
const keys = (part) => new Set(all("[data-key]", part).map((row) => row.dataset.key));
const busy = (part) => all("textarea, input", part).some((field) => field.value !== field.defaultValue) ||
  (part.contains(document.activeElement) && document.activeElement.matches("input, textarea, select, button"));
let asking = null;
let again = false;
const refresh = async (happened) => {
  const parts = all("[data-live]").filter((part) => part.dataset.live.split(" ").some((name) => happened.has(name)));
  if (parts.length === 0) return;
  // The header says that nobody pressed anything: being shown fresh rows is no sign of a person.
  const headers = { accept: "text/html", "x-remit-refresh": "1" };
  const response = await fetch(location.href, { headers, cache: "no-store" });
  if (response.redirected) { location.reload(); return; }
  if (!response.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  document.title = fresh.title;
  for (const part of parts) {
    const next = fresh.getElementById(part.id);
    if (!next || busy(part) || part.innerHTML === next.innerHTML) continue;
    const before = keys(part);
    const focused = document.activeElement?.closest("[data-key]")?.dataset.key;
    const open = new Set(all("details[open][id]", part).map((details) => details.id));
    part.replaceChildren(...next.childNodes);
    all("details[id]", part).forEach((details) => { if (open.has(details.id)) details.open = true; });
    const arrived = all("[data-key]", part).filter((row) => !before.has(row.dataset.key));
    arrived.forEach((row) => row.classList.add("arrived"));
    if (arrived.length && part.dataset.arrivals) say(`${arrived.length} ${part.dataset.arrivals}`);
    if (focused) $(`[data-key="${CSS.escape(focused)}"] a`, part)?.focus();
  }
  times();
  buttons();
};
const happened = new Set();
const soon = (name) => {
  happened.add(name);
  if (asking) { again = true; return; }
  asking = (async () => {
    await new Promise((done) => setTimeout(done, 120));
    do {
      again = false;
      const now = new Set(happened);
      happened.clear();
      try { await refresh(now); } catch { /* the stream comes again, and with it the next look */ }
      await new Promise((done) => setTimeout(done, 400));
    } while (again);
    asking = null;
  })();
};
let stream = null;
const listen = () => {
  const wanted = !document.hidden && $("[data-live]");
  if (!wanted) { stream?.close(); stream = null; return; }
  if (stream) return;
  stream = new EventSource("/console/live");
  for (const name of ["question", "authority", "records"]) stream.addEventListener(name, () => soon(name));
  // What happened while nobody listened is looked up once.
  stream.addEventListener("open", () => { for (const name of ["question", "authority", "records"]) soon(name); });
};
document.addEventListener("visibilitychange", listen);

// Keys: j and k walk through a list, Enter opens, / filters, ? explains.
const help = () => {
  let dialog = $("dialog#keys");
  if (!dialog) {
    dialog = document.createElement("dialog");
    dialog.id = "keys";
    dialog.innerHTML = "<h2>Keys</h2><dl class=\"facts\"><dt><kbd>j</kbd> <kbd>k</kbd></dt><dd>next, previous</dd>" +
      "<dt><kbd>Enter</kbd></dt><dd>open</dd><dt><kbd>/</kbd></dt><dd>filter</dd>" +
      "<dt><kbd>w</kbd></dt><dd>what waits</dd><dt><kbd>?</kbd></dt><dd>this</dd></dl>" +
      "<form method=\"dialog\"><button class=\"main\">Close</button></form>";
    document.body.append(dialog);
  }
  dialog.showModal();
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea, select")) return;
  if ($("dialog[open]")) return;
  const links = all("[data-key] a").filter((link, at, list) =>
    list.findIndex((other) => other.closest("[data-key]") === link.closest("[data-key]")) === at);
  const at = links.findIndex((link) => link.closest("[data-key]").contains(document.activeElement));
  const walk = { j: at + 1, k: Math.max(at - 1, 0) }[event.key];
  if (walk !== undefined) links[Math.min(walk, links.length - 1)]?.focus();
  else if (event.key === "/") $("form.filters input, form.filters select")?.focus();
  else if (event.key === "w") location.assign("/console");
  else if (event.key === "?") help();
  else return;
  event.preventDefault();
});

// Filters apply when they are changed.
document.addEventListener("change", (event) => {
  if (event.target.matches("form.filters select, form.filters input[type=checkbox]")) event.target.form.requestSubmit();
});

// On a phone the row of pages is longer than the screen; where one is shall be seen.
const here = $("nav [aria-current]");
const row = here?.closest("nav");
if (row) row.scrollLeft += here.getBoundingClientRect().left - row.getBoundingClientRect().left - (row.clientWidth - here.offsetWidth) / 2;

buttons();
listen();
