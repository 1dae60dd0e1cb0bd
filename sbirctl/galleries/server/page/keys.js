// Keys that work wherever the focus is, unless something is being typed or a dialog is open.

const part = (id) => document.getElementById(id);

export function bindKeys(does) {
  const plain = {
    p: does.pen,
    e: does.eraser,
    "[": () => does.width(-4),
    "]": () => does.width(4),
    delete: does.clear,
    backspace: does.clear,
    o: does.load,
    d: () => part("pad").focus(),
    f: does.photos,
    g: () => part("gallery").focus(),
    "/": () => part("words").focus(),
    t: does.filters,
    "?": () => part("keys").showModal(),
    escape: does.back,
  };
  addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]") || event.altKey || event.defaultPrevented) return;
    const key = event.key.toLowerCase();
    const typing = event.target.matches("input:not([type=range]), select");
    if (typing) {
      if (key === "escape") event.target.blur();
      return;
    }
    let wanted = null;
    if (event.ctrlKey || event.metaKey) {
      if (key === "z") wanted = event.shiftKey ? does.redo : does.undo;
      if (key === "y") wanted = does.redo;
    } else {
      wanted = plain[key];
    }
    if (!wanted) return;
    event.preventDefault();
    wanted();
  });
}
