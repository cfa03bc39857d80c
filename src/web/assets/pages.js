"use strict";
// Shows moments in the reader's own time zone. Every page also works without this file.
function showMoments(part) {
  for (const time of part.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    if (!Number.isNaN(moment.getTime())) {
      time.title = time.textContent;
      time.textContent = moment.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
    }
  }
}
showMoments(document);

// Counts down to the end of what is still running.
for (const end of document.querySelectorAll("time[data-clock]")) {
  const left = document.createElement("span");
  end.after(" ", left);
  const show = () => {
    const seconds = Math.max(0, Math.round((new Date(end.dateTime) - Date.now()) / 1000));
    const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
    left.textContent = `(${parts.map((part) => String(part).padStart(2, "0")).join(":")} left)`;
  };
  show();
  setInterval(show, 1000);
}
