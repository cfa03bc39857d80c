"use strict";
// Keeps the part of a page that has `data-updates` up to date while the page is visible. The server says that something has
// changed; the page is read again, so that it shows what it would show if it were opened now. Every page also works without this file.
(() => {
  const note = document.querySelector("#changed");
  const part = document.querySelector("[data-updates]");
  if (!note || !part) return;
  let shown = part.innerHTML;
  let stream = null;
  let reading = Promise.resolve();

  const say = (text) => {
    const link = document.createElement("a");
    link.href = location.pathname + location.search;
    link.textContent = "Reload";
    note.replaceChildren(`${text} `, link);
  };

  // Whoever writes a comment, is about to press a button, selects text or moves through the part with the keyboard loses nothing.
  const isInUse = () => {
    const fields = [...part.querySelectorAll("textarea, input:not([type=hidden])")];
    const isEdited = (field) =>
      field.type === "checkbox" ? field.checked !== field.defaultChecked : field.value !== field.defaultValue;
    const selection = getSelection();
    return fields.some(isEdited)
      || part.contains(document.activeElement)
      || part.querySelector("button:hover, a:hover") !== null
      || (!selection.isCollapsed && part.contains(selection.anchorNode));
  };

  const read = async () => {
    const answer = await fetch(location.pathname + location.search, {
      headers: { "countersign-refresh": "1" },
      redirect: "manual",
    });
    if (!answer.ok) {
      say("This page cannot be updated.");
      return;
    }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("[data-updates]");
    if (!fresh || fresh.innerHTML === shown) return;
    if (isInUse()) {
      say("This page has changed.");
      return;
    }
    shown = fresh.innerHTML;
    part.dataset.updates = fresh.dataset.updates;
    part.replaceChildren(...fresh.childNodes);
    note.replaceChildren();
    showMoments(part);
  };

  const stop = () => {
    if (stream) stream.close();
    stream = null;
  };

  const listen = () => {
    if (document.hidden || stream) return;
    stream = new EventSource(part.dataset.updates);
    stream.addEventListener("changed", () => {
      reading = reading.then(read).catch(() => say("This page cannot be updated."));
    });
    stream.addEventListener("ended", () => {
      stop();
      say("Your sign-in has ended.");
    });
    stream.addEventListener("error", () => {
      // the browser tries again by itself unless the server has refused
      if (stream && stream.readyState === EventSource.CLOSED) {
        stop();
        say("This page does not update by itself now.");
      }
    });
  };

  document.addEventListener("visibilitychange", () => (document.hidden ? stop() : listen()));
  addEventListener("pagehide", stop);
  addEventListener("pageshow", listen);
  listen();
})();
