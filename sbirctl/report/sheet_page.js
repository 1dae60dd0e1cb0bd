"use strict";
const search = document.getElementById("search");
const sections = [...document.querySelectorAll("section")];
search.addEventListener("input", () => {
  const wanted = search.value.trim().toLowerCase();
  let shown = 0;
  for (const section of sections) {
    section.hidden = !section.dataset.search.includes(wanted);
    if (!section.hidden) shown += 1;
  }
  document.getElementById("count").value = `${shown} of ${sections.length} queries`;
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== search) {
    event.preventDefault();
    search.focus();
  } else if (event.key === "Escape" && document.activeElement === search) {
    search.value = "";
    search.dispatchEvent(new Event("input"));
  } else if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
    const step = event.key === "ArrowRight" ? "nextElementSibling" : "previousElementSibling";
    const photo = document.activeElement.closest("li")?.[step];
    if (photo) {
      event.preventDefault();
      photo.focus();
    }
  }
});
