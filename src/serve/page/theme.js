// Before anything is drawn: light, dark, or what the system says. Remembered where the browser allows it.
"use strict";
{
  const root = document.documentElement;
  let kept = null;
  try {
    kept = localStorage.getItem("stoa-theme");
  } catch { /* no storage: the system decides */ }
  if (kept === "light" || kept === "dark") root.dataset.theme = kept;
  window.stoaTheme = {
    now: () => root.dataset.theme || (matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark"),
    set: (theme) => {
      root.dataset.theme = theme;
      try {
        localStorage.setItem("stoa-theme", theme);
      } catch { /* until the page is left */ }
    },
  };
}
