"use strict";
// Pages work without this. It shows times as the reader's clock has them, and what was typed into a password's field.
const { lang } = document.documentElement;
const words = lang === "es" ? ["Mostrar", "Ocultar"] : ["Show", "Hide"];

const format = new Intl.DateTimeFormat(navigator.languages.find((one) => one.split("-")[0] === lang) ?? lang, {
  dateStyle: "medium",
  timeStyle: document.body.classList.contains("admin") ? "medium" : "short",
});
for (const time of document.querySelectorAll("time")) {
  time.title = time.textContent;
  time.textContent = format.format(new Date(time.dateTime));
}

for (const input of document.querySelectorAll('input[type="password"]')) {
  const label = document.querySelector(`label[for="${input.id}"]`)?.textContent ?? "";
  const button = document.createElement("button");
  button.type = "button";
  button.setAttribute("aria-controls", input.id);
  const show = (visible) => {
    input.type = visible ? "text" : "password";
    button.textContent = words[Number(visible)];
    button.setAttribute("aria-label", `${words[Number(visible)]}: ${label}`);
  };
  button.addEventListener("click", () => show(input.type === "password"));
  // What is sent is a password again, so that browsers keep it as one.
  input.form?.addEventListener("submit", () => show(false));
  const frame = document.createElement("div");
  frame.className = "secret";
  input.replaceWith(frame);
  frame.append(input, button);
  input.autocapitalize = "none";
  input.spellcheck = false;
  show(false);
}
