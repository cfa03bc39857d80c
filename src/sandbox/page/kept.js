// What this pane remembers until its tab is closed. Two panes of one tab share the storage, so each has its own names.

const pane = new URLSearchParams(location.search).get("pane") ?? "";

export const isSecondPane = pane !== "";
export const kept = (key) => sessionStorage.getItem(`sandbox${pane} ${key}`);
export const keep = (key, value) => sessionStorage.setItem(`sandbox${pane} ${key}`, value);

/** A set of texts that survives a reload. */
export function keptSet(key) {
  const values = new Set(JSON.parse(kept(key) ?? "[]"));
  return {
    has: (value) => values.has(value),
    size: () => values.size,
    add(value) {
      if (values.has(value)) return false;
      values.add(value);
      keep(key, JSON.stringify([...values]));
      return true;
    },
  };
}
