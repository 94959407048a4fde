"use strict";

// Everything works without this script: it only saves clicks.

const live = document.getElementById("live");
if (live) keepLive(live, document.getElementById("pause"));

const rows = document.getElementById("rows");
if (rows) countSelected(rows);

for (const link of document.querySelectorAll("a[data-largest]")) {
  if (Number(link.dataset.size) > Number(link.dataset.largest)) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      downloadInParts(link);
    });
  }
}

// An action is reported once: a reload shows the page and does not act again.
if (document.querySelector(".report")) history.replaceState(null, "", location.href);

// An image that can't be shown leaves the letters of its type in the list, and its type and size in
// place of the preview.
for (const image of document.images) {
  // A drawing may have no size of its own.
  if (image.complete && image.currentSrc && !image.naturalWidth && !image.matches(".vector")) removeImage(image);
}
addEventListener("error", (event) => {
  if (event.target instanceof HTMLImageElement) removeImage(event.target);
}, true);

prepareCopying(document);

/** Shows the buttons that copy, which need this script. */
function prepareCopying(within) {
  for (const button of within.querySelectorAll("button.copy")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button));
  }
}

/** Copies what a button names, and shows that it did. */
async function copy(button) {
  const text = button.dataset.copy;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without TLS, or without the right, there is only the old way.
    const field = document.createElement("textarea");
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
    button.focus();
  }
  const label = button.title;
  button.classList.add("done");
  button.setAttribute("aria-label", "Copied");
  button.title = "Copied";
  setTimeout(() => {
    button.classList.remove("done");
    button.setAttribute("aria-label", label);
    button.title = label;
  }, 2000);
}

/** Removes an image that can't be shown. */
function removeImage(image) {
  if (image.closest(".thumb")) image.remove();
  if (image.matches(".shot")) {
    image.parentElement.nextElementSibling.hidden = false;
    image.parentElement.remove();
  }
}

/** Refreshes the dashboard at intervals, and says so when what it shows is old. */
function keepLive(section, button) {
  const note = document.getElementById("stale");
  const paused = () => button.getAttribute("aria-pressed") === "true";
  let fresh = Date.now();
  let reason = "";
  const show = () => {
    const old = Date.now() - fresh > section.dataset.stale * 1000;
    note.hidden = !old && !paused();
    section.classList.toggle("stale", old || paused());
    const time = new Date(fresh).toISOString().slice(11, 19);
    const text = paused() ? `Refresh is paused. Shown is ${time} UTC` : `Not updated since ${time} UTC${reason}`;
    if (!note.hidden && note.textContent !== text) note.textContent = text;
  };
  const refresh = async () => {
    if (paused() || document.hidden) return;
    try {
      const signal = AbortSignal.timeout(section.dataset.seconds * 900);
      const response = await fetch(section.dataset.url, { headers: { accept: "application/json" }, signal });
      if (response.status === 401) return location.reload();
      if (!response.ok) throw new Error(`the server answered ${response.status}`);
      replace(section, await response.text());
      fresh = Date.now();
      reason = "";
    } catch (error) {
      reason = error instanceof TypeError ? ": no connection" : error.name === "TimeoutError" ? ": no answer in time" : `: ${error.message}`;
    }
    show();
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    button.setAttribute("aria-pressed", String(!paused()));
    button.textContent = paused() ? "Resume refresh" : "Pause refresh";
    show();
    refresh();
  });
  // What is seen again after a while is refreshed at once, and shown as old until then.
  document.addEventListener("visibilitychange", () => {
    show();
    refresh();
  });
  setInterval(refresh, section.dataset.seconds * 1000);
  setInterval(show, 1000);
  openChart(section);
  readChart(section);
}

/** Lets the tab key reach the newest step of the chart; the arrow keys reach the others. */
function openChart(section) {
  [...section.querySelectorAll(".drawing a")].pop()?.setAttribute("tabindex", "0");
}

/** Replaces the content of a section; what has the focus or the cross-hair keeps it. */
function replace(section, html) {
  const active = section.contains(document.activeElement) ? document.activeElement : null;
  const place = active && [...section.querySelectorAll("a, button")].indexOf(active);
  const href = active?.getAttribute("href");
  section.innerHTML = html;
  prepareCopying(section);
  openChart(section);
  if (!active) return;
  const same = href && [...section.querySelectorAll("a")].find((link) => link.getAttribute("href") === href);
  (same || section.querySelectorAll("a, button")[place])?.focus({ preventScroll: true });
}

/** Shows the values of the step of the chart that is pointed at, or reached by the arrow keys. */
function readChart(section) {
  const step = (node) => node instanceof Element && node.closest(".drawing a");
  const read = (link) => {
    const line = document.getElementById("readout");
    line.dataset.summary ||= line.textContent;
    line.textContent = link ? link.getAttribute("aria-label") : line.dataset.summary;
    line.classList.toggle("read", Boolean(link));
  };
  section.addEventListener("pointerover", (event) => read(step(event.target) || step(document.activeElement)));
  section.addEventListener("pointerleave", () => read(step(document.activeElement)));
  section.addEventListener("focusin", (event) => read(step(event.target)));
  section.addEventListener("focusout", () => read(null));
  section.addEventListener("keydown", (event) => {
    const links = [...section.querySelectorAll(".drawing a")];
    const at = links.indexOf(step(document.activeElement));
    const next = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: links.length - 1 }[event.key];
    if (at < 0 || next === undefined) return;
    event.preventDefault();
    links[Math.min(Math.max(next, 0), links.length - 1)].focus();
  });
}

/** Lets one checkbox select all rows, and shows how many are selected. */
function countSelected(form) {
  const all = document.getElementById("all");
  const every = document.getElementById("every");
  const boxes = [...form.querySelectorAll("input[name=id]")];
  const label = document.getElementById("selected");
  const buttons = form.querySelectorAll("button[name=action]");
  const count = () => {
    const selected = boxes.filter((box) => box.checked).length;
    all.checked = selected > 0 && selected === boxes.length;
    all.indeterminate = selected > 0 && selected < boxes.length;
    label.textContent = every?.checked ? "All selected" : `${selected} selected`;
    for (const button of buttons) button.disabled = selected === 0 && !every?.checked;
  };
  all.disabled = boxes.length === 0;
  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
    count();
  });
  form.addEventListener("change", count);
  count();
}

/** Downloads a file that is too large for one response: in ranges of one version, put together. */
async function downloadInParts(link) {
  const label = link.textContent;
  const parts = [];
  const size = Number(link.dataset.size);
  let have = 0;
  let version = null;
  try {
    while (have < size) {
      const response = await fetch(link.href, { headers: { range: `bytes=${have}-`, ...(version && { "if-range": version }) } });
      if (response.status !== 206) throw new Error(`status ${response.status}`);
      version = response.headers.get("etag");
      const part = await response.blob();
      parts.push(part);
      have += part.size;
      link.textContent = `${Math.floor((100 * have) / size)} %`;
    }
    const whole = document.createElement("a");
    whole.href = URL.createObjectURL(new Blob(parts));
    whole.download = link.download;
    whole.click();
    setTimeout(() => URL.revokeObjectURL(whole.href), 60_000);
    link.textContent = label;
  } catch (error) {
    link.textContent = `Download failed: ${error.message}`;
  }
}
