// Before anything is drawn: that scripts run here, and whether the reader likes it dark.
document.documentElement.classList.add("js");
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => { document.documentElement.dataset.bsTheme = dark.matches ? "dark" : "light"; };
dark.addEventListener("change", follow);
follow();
