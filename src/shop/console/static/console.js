// Keeps the page fresh: every two seconds <main> is fetched anew, unless somebody is at a form.
const busy = () => {
  const at = document.activeElement;
  const typed = [...document.querySelectorAll("main input, main select")].some(
    (field) => (field.type === "radio" ? field.checked : field.value !== (field.defaultValue ?? field.value)),
  );
  return document.hidden || typed || (at && at.closest("form"));
};

const refresh = async () => {
  if (busy()) return;
  const answer = await fetch(location.href, { headers: { accept: "text/html" } });
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
  if (fresh && !busy()) document.querySelector("main").replaceWith(fresh);
};

if (!new URLSearchParams(location.search).has("after")) {
  setInterval(() => refresh().catch(() => {}), 2000);
}
