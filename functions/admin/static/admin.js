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

for (const button of document.querySelectorAll("button.copy")) {
  button.hidden = false;
  button.addEventListener("click", () => copy(button));
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

/** Refreshes the dashboard at intervals, unless it is paused or in a hidden tab. */
function keepLive(section, button) {
  const paused = () => button.getAttribute("aria-pressed") === "true";
  button.hidden = false;
  button.addEventListener("click", () => {
    button.setAttribute("aria-pressed", String(!paused()));
    button.textContent = paused() ? "Resume refresh" : "Pause refresh";
  });
  const refresh = async () => {
    if (!paused() && !document.hidden) {
      try {
        const response = await fetch(section.dataset.url, { headers: { accept: "application/json" } });
        if (response.status === 401) return location.reload();
        // It stays as it is while a link in it has the focus.
        if (response.ok && !section.contains(document.activeElement)) section.innerHTML = await response.text();
      } catch {
        // The network is down: the next refresh tries again.
      }
    }
    setTimeout(refresh, section.dataset.seconds * 1000);
  };
  setTimeout(refresh, section.dataset.seconds * 1000);
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
