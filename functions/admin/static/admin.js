"use strict";

// Everything works without this file: it only saves clicks.

const live = document.getElementById("live");
if (live) keepLive(live, document.getElementById("pause"));

const rows = document.getElementById("rows");
if (rows) countChosen(rows);

for (const link of document.querySelectorAll("a[data-piece]")) {
  if (Number(link.dataset.size) > Number(link.dataset.piece)) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      saveInPieces(link);
    });
  }
}

// What an action did is told once: a reload shows the page, and does not act again.
if (document.querySelector(".report")) history.replaceState(null, "", location.href);

// A picture that cannot be made small leaves the letters of its type to be seen, and a preview
// that cannot be shown its type and size.
for (const image of document.images) {
  if (image.complete && image.currentSrc && !image.naturalWidth) without(image);
}
addEventListener("error", (event) => {
  if (event.target instanceof HTMLImageElement) without(event.target);
}, true);

/** Takes away a picture that cannot be shown. */
function without(image) {
  if (image.closest(".thumb")) image.remove();
  if (image.matches(".shot")) {
    image.parentElement.nextElementSibling.hidden = false;
    image.parentElement.remove();
  }
}

/** Fetches the dashboard again and again, unless it is paused or out of sight. */
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
        const answer = await fetch(section.dataset.url, { headers: { accept: "application/json" } });
        if (answer.status === 401) return location.reload();
        // While somebody is on a link in it, it stays as it is.
        if (answer.ok && !section.contains(document.activeElement)) section.innerHTML = await answer.text();
      } catch {
        // The network is away: the next turn tries again.
      }
    }
    setTimeout(refresh, section.dataset.seconds * 1000);
  };
  setTimeout(refresh, section.dataset.seconds * 1000);
}

/** Lets one box select all rows, and tells how many are selected. */
function countChosen(form) {
  const all = document.getElementById("all");
  const boxes = [...form.querySelectorAll("input[name=id]")];
  const told = document.getElementById("chosen");
  const buttons = form.querySelectorAll("button[name=action]");
  const tell = () => {
    const chosen = boxes.filter((box) => box.checked).length;
    all.checked = chosen > 0 && chosen === boxes.length;
    all.indeterminate = chosen > 0 && chosen < boxes.length;
    told.textContent = `${chosen} selected:`;
    for (const button of buttons) button.disabled = chosen === 0;
  };
  all.disabled = boxes.length === 0;
  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
    tell();
  });
  form.addEventListener("change", tell);
  tell();
}

/** Saves a file that is larger than one answer may be: in ranges of one version, put together. */
async function saveInPieces(link) {
  const label = link.textContent;
  const pieces = [];
  const size = Number(link.dataset.size);
  let have = 0;
  let version = null;
  try {
    while (have < size) {
      const answer = await fetch(link.href, { headers: { range: `bytes=${have}-`, ...(version && { "if-range": version }) } });
      if (answer.status !== 206) throw new Error(`answer ${answer.status}`);
      version = answer.headers.get("etag");
      const piece = await answer.blob();
      pieces.push(piece);
      have += piece.size;
      link.textContent = `${Math.floor((100 * have) / size)} %`;
    }
    const whole = document.createElement("a");
    whole.href = URL.createObjectURL(new Blob(pieces));
    whole.download = link.download;
    whole.click();
    setTimeout(() => URL.revokeObjectURL(whole.href), 60_000);
    link.textContent = label;
  } catch (error) {
    link.textContent = `Not saved: ${error.message}`;
  }
}
