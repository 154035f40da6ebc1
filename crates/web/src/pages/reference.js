// Sends what the forms of this page say to the server that it came from, and shows what comes back. Credentials are in the
// fields alone: nothing is stored.
"use strict";

const texts = {
  es: {
    noAnswer: "No hubo respuesta: ",
    signedIn: "Sesión iniciada. El token está solo en la memoria de esta página.",
    ended: "Parado.",
    headers: "Cabeceras",
    empty: "(sin cuerpo)",
    tooMuch: "… (hay más)",
    inside: "Un campo de la dirección está vacío.",
  },
  en: {
    noAnswer: "There was no answer: ",
    signedIn: "Signed in. The token is in this page's memory alone.",
    ended: "Stopped.",
    headers: "Headers",
    empty: "(no body)",
    tooMuch: "… (there is more)",
    inside: "A field of the address is empty.",
  },
}[document.documentElement.lang];

/** Of a stream no more is kept than this, in characters. */
const MOST = 100_000;
/** Where the server is reached may have a path of its own. */
const base = location.pathname.replace(/\/docs$/, "");
const field = (id) => document.getElementById(id);

document.documentElement.classList.add("scripted");
field("credentials").addEventListener("submit", (event) => event.preventDefault());
for (const form of document.querySelectorAll(".try form")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form);
  });
}

function requestOf(form) {
  const { method, path, credentials, type } = form.dataset;
  const headers = new Headers();
  const query = new URLSearchParams();
  let filled = path;
  for (const input of form.querySelectorAll("input")) {
    const { value, name } = input;
    if (input.dataset.place === "path") {
      // Such a segment would mean another address.
      if (value === "" || value === "." || value === "..") throw new Error(texts.inside);
      filled = filled.replace(`{${name}}`, () => encodeURIComponent(value));
    } else if (value !== "") {
      if (input.dataset.place === "query") query.set(name, value);
      else headers.set(name, value);
    }
  }
  const token = field("token").value.trim();
  if (credentials === "bearer" && token) headers.set("Authorization", `Bearer ${token}`);
  const [service, secret] = [field("service").value, field("secret").value];
  if (credentials === "service" && service) {
    const bytes = new TextEncoder().encode(`${encodeURIComponent(service)}:${encodeURIComponent(secret)}`);
    headers.set("Authorization", `Basic ${btoa(String.fromCharCode(...bytes))}`);
  }
  let body = form.querySelector("textarea")?.value.trim() || undefined;
  if (body !== undefined) headers.set("Content-Type", type);
  if (body !== undefined && type === "application/x-www-form-urlencoded") {
    body = new URLSearchParams(Object.entries(JSON.parse(body)).map(([key, value]) => [key, String(value)])).toString();
  }
  const address = base + filled + (query.size > 0 ? `?${query}` : "");
  return [address, { method, headers, body, credentials: "omit", cache: "no-store", redirect: "error" }];
}

async function send(form) {
  const output = form.querySelector(".answer");
  const stop = form.querySelector(".stop");
  const controller = new AbortController();
  output.hidden = false;
  output.replaceChildren();
  if (stop) {
    stop.hidden = false;
    stop.onclick = () => controller.abort();
  }
  try {
    const [address, init] = requestOf(form);
    const begun = performance.now();
    const answer = await fetch(address, { ...init, signal: controller.signal });
    const took = Math.round(performance.now() - begun);
    add(output, "p", `${answer.status} ${answer.statusText} · ${took} ms`, answer.ok ? "status" : "status failed");
    const headers = add(output, "details", "");
    add(headers, "summary", texts.headers);
    add(headers, "pre", [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n"));
    if ("streams" in form.dataset && answer.ok) await follow(answer, add(output, "pre", ""));
    else show(await answer.text(), output);
  } catch (error) {
    const stopped = controller.signal.aborted;
    add(output, "p", stopped ? texts.ended : texts.noAnswer + error.message, stopped ? "status" : "status failed");
  } finally {
    if (stop) stop.hidden = true;
  }
}

function show(text, output) {
  let shown = text;
  try {
    const value = JSON.parse(text);
    shown = JSON.stringify(value, null, 2);
    if (typeof value?.data?.token === "string") {
      field("token").value = value.data.token;
      field("token-note").textContent = texts.signedIn;
    }
  } catch {
    // It is shown as it came.
  }
  add(output, "pre", shown === "" ? texts.empty : shown.length > MOST ? shown.slice(0, MOST) + texts.tooMuch : shown);
}

async function follow(answer, into) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    into.textContent = (into.textContent + value).slice(-MOST);
    into.scrollTop = into.scrollHeight;
  }
}

function add(output, name, text, kind = "") {
  const element = document.createElement(name);
  element.textContent = text;
  if (kind) element.className = kind;
  if (name === "pre") element.tabIndex = 0;
  output.append(element);
  return element;
}
