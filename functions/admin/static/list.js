"use strict";

// The list, failures, actions and export. Everything works without this script: it only saves clicks.

relativeTimes(document);
const table = document.getElementById("rows");
if (table && document.querySelector(".list")) {
  keyboard(table);
  sessionStorage.setItem("list", location.pathname + location.search);
}
for (const back of document.querySelectorAll("a[data-back]")) {
  const list = sessionStorage.getItem("list");
  if (list) back.href = list;
}
for (const field of document.querySelectorAll("[data-apply]")) {
  // A date that is being typed is complete only when it is left.
  field.addEventListener(field.type.startsWith("date") ? "blur" : "change", () => {
    if (field.value !== (field.type.startsWith("date") ? field.defaultValue : null)) apply(field.form);
  });
}
const filters = document.getElementById("filters");
if (filters) filters.addEventListener("submit", (event) => { event.preventDefault(); apply(filters); });
const searching = document.querySelector("[data-search-on]");
if (searching) searchOn(searching);
const action = document.getElementById("action");
if (action) follow(action);
const exporting = document.getElementById("export");
if (exporting) exportWhole(exporting);

/** Opens the list with a form's filters, without the empty ones in its address. */
function apply(form) {
  const given = [...new FormData(form)].filter(([, value]) => value !== "");
  const query = new URLSearchParams(given).toString();
  location.assign(query ? `${form.action}?${query}` : form.action);
}

/** Shows times relative to now, and exactly, in the viewer's zone, on hover. */
function relativeTimes(part) {
  if (!document.querySelector("[data-utc]")) return;
  const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });
  const exact = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "long" });
  for (const time of part.querySelectorAll("main time, time")) {
    const moment = new Date(time.dateTime);
    const seconds = (moment - Date.now()) / 1000;
    const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
    const [unit, length] = units.find(([, size]) => Math.abs(seconds) >= size) ?? units[3];
    time.title = exact.format(moment);
    time.textContent = Math.abs(seconds) > 30 * 86400
      ? moment.toLocaleDateString("en-GB", { dateStyle: "medium" })
      : relative.format(Math.trunc(seconds / length), unit);
  }
  for (const note of part.querySelectorAll("[data-utc]")) note.hidden = true;
}

/** Moves through the rows by keys, and selects ranges of them. */
function keyboard(form) {
  const rows = [...form.querySelectorAll("tbody tr:not(.none)")];
  const boxes = rows.map((row) => row.querySelector("input[name=id]"));
  const every = document.getElementById("every");
  const help = document.getElementById("help");
  const keys = document.getElementById("keys");
  let here = -1;
  let last = -1;
  keys.hidden = false;
  keys.addEventListener("click", () => help.showModal());
  const move = (to) => {
    if (!rows.length) return;
    rows[here]?.classList.remove("here");
    here = Math.max(0, Math.min(rows.length - 1, to));
    rows[here].classList.add("here");
    rows[here].scrollIntoView({ block: "nearest" });
    rows[here].querySelector(".name a").focus({ preventScroll: true });
  };
  const select = (index, checked, whole) => {
    const [from, to] = whole && last >= 0 ? [Math.min(last, index), Math.max(last, index)] : [index, index];
    for (let at = from; at <= to; at++) boxes[at].checked = checked;
    last = index;
    form.dispatchEvent(new Event("change", { bubbles: true }));
  };
  boxes.forEach((box, index) => box.addEventListener("click", (event) => select(index, box.checked, event.shiftKey)));
  for (const [index, row] of rows.entries()) {
    row.addEventListener("focusin", () => {
      rows[here]?.classList.remove("here");
      here = index;
      row.classList.add("here");
    });
  }
  if (every) {
    every.addEventListener("change", () => {
      for (const box of [...boxes, document.getElementById("all")]) box.disabled = every.checked;
    });
  }
  const bar = form.querySelector(".bulk");
  new ResizeObserver(() => form.style.setProperty("--bulk", `${bar.offsetHeight - 1}px`)).observe(bar);
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input:not([type=checkbox]), select, textarea, dialog");
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const press = {
      j: () => move(here + 1),
      k: () => move(here - 1),
      x: () => here >= 0 && select(here, !boxes[here].checked, false),
      X: () => here >= 0 && select(here, true, true),
      "/": () => document.getElementById("q").select(),
      "?": () => help.showModal(),
      Enter: () => here >= 0 && event.target === document.body && rows[here].querySelector(".name a").click(),
    }[event.key];
    if (!press) return;
    if (event.key !== "Enter") event.preventDefault();
    press();
  });
}

/** Goes on with a search that has found nothing yet, until it finds something or has read all. */
async function searchOn(note) {
  let next = note.dataset.searchOn;
  const stop = document.createElement("button");
  stop.type = "button";
  stop.className = "quiet";
  stop.textContent = "Stop";
  let stopped = false;
  stop.addEventListener("click", () => { stopped = true; stop.remove(); });
  note.after(stop);
  while (next && !stopped) {
    const response = await fetch(next).catch(() => null);
    if (!response?.ok) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const state = page.getElementById("search-state");
    if (page.querySelector("tbody tr:not(.none)")) return location.replace(next);
    next = state?.dataset.searchOn;
    if (!state) return;
    note.replaceChildren(...state.childNodes);
    relativeTimes(note);
  }
  stop.remove();
}

/** Refreshes an action's page while it runs, and lets the server go on with it. */
function follow(section) {
  const refresh = async () => {
    const running = section.querySelector("[data-running]");
    if (!running) return;
    if (!document.hidden && !section.contains(document.activeElement)) {
      const on = document.getElementById("go-on");
      if (on) {
        const form = new URLSearchParams(new FormData(on.form, on));
        await fetch(on.form.action, { method: "POST", body: form, redirect: "manual" }).catch(() => null);
      }
      const response = await fetch(section.dataset.url, { headers: { accept: "application/json" } }).catch(() => null);
      if (response?.status === 401) return location.reload();
      if (response?.ok) {
        section.innerHTML = await response.text();
        relativeTimes(section);
      }
    }
    setTimeout(refresh, section.dataset.seconds * 1000);
  };
  relativeTimes(section);
  setTimeout(refresh, section.dataset.seconds * 1000);
}

/** Downloads all parts of an export as one file. */
function exportWhole(bar) {
  const note = bar.querySelector("[aria-live]");
  bar.hidden = false;
  for (const button of bar.querySelectorAll("[data-export]")) {
    button.addEventListener("click", async () => {
      button.disabled = true;
      let next = button.dataset.export;
      const json = next.includes("objects.json");
      const parts = [];
      let objects = 0;
      try {
        while (next) {
          const response = await fetch(next);
          if (!response.ok) throw new Error(`status ${response.status}`);
          if (json) {
            const document_ = await response.json();
            next = document_.next;
            objects += document_.objects.length;
            parts.push(...document_.objects);
          } else {
            next = /<([^>]+)>; rel="next"/.exec(response.headers.get("link") ?? "")?.[1];
            parts.push(await response.blob());
          }
          note.textContent = json ? `${objects} objects` : `${parts.length} ${parts.length === 1 ? "part" : "parts"}`;
        }
        const whole = json ? [JSON.stringify(parts)] : parts;
        const link = document.createElement("a");
        link.href = URL.createObjectURL(new Blob(whole));
        link.download = json ? "objects.json" : "objects.csv";
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
      } catch (error) {
        note.textContent = `Export failed: ${error.message}`;
      }
      button.disabled = false;
    });
  }
}
