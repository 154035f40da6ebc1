"use strict";
// The administrators' pages work without this. On a telephone it shows the rows of tables as sheets, each value under its name,
// and it puts sessions that end on top of their table, as they end.
const live = document.querySelector("#live");
const table = document.querySelector("#endings");
const MOST_ROWS = 200;

const stack = (row, names) => {
  row.setAttribute("role", "row");
  for (const [at, cell] of Array.from(row.cells).entries()) {
    cell.setAttribute("role", "cell");
    if (cell.colSpan === 1) cell.dataset.label = names[at];
  }
};
const namesOf = (frame) => Array.from(frame.querySelectorAll("thead th"), (head) => head.textContent);
for (const frame of document.querySelectorAll(".table:not(.cards)")) {
  // Shown otherwise, browsers take them for no tables any more, unless they are told.
  frame.querySelector("table").setAttribute("role", "table");
  for (const group of frame.querySelectorAll("thead, tbody")) group.setAttribute("role", "rowgroup");
  for (const head of frame.querySelectorAll("thead th")) head.setAttribute("role", "columnheader");
  frame.querySelector("thead tr").setAttribute("role", "row");
  for (const row of frame.querySelectorAll("tbody tr")) stack(row, namesOf(frame));
  frame.classList.add("stacked");
}

const text = (name, words, more) => {
  const element = document.createElement(name);
  element.textContent = words;
  if (more) Object.assign(element, more);
  return element;
};

// How pages.js writes times.
const zoned = new Intl.DateTimeFormat(
  navigator.languages.find((one) => one.split("-")[0] === document.documentElement.lang) ?? document.documentElement.lang,
  { dateStyle: "medium", timeStyle: "medium" },
);

const person = (number, words) => {
  const link = text("a", "", { href: live.dataset.people + encodeURIComponent(number) });
  // No name turns the direction of what stands beside it.
  link.append(text("bdi", words));
  return link;
};

const cells = (row) => {
  const when = document.createElement("td");
  when.append(text("time", zoned.format(new Date(row.at)), { dateTime: row.at, title: row.moment }));
  const whose = text("td", "", { className: "whom" });
  whose.append(row.whose ? person(row.whose, row.name || row.whose) : row.name);
  if (row.whose && row.email) whose.append(text("bdi", row.email, { className: "under" }));
  const by = text("td", row.by);
  if (row.by_id) by.append(" ", person(row.by_id, row.by_id));
  return [when, whose, text("td", row.why), by, text("td", row.device || "–"), text("td", row.place || "–", { className: "ip" })];
};

const MOST_SENT = 35;
let first = true;

// The page itself says whether it may still be seen.
const again = async () => {
  const page = await fetch(location.href, { redirect: "manual" }).catch(() => null);
  if (page && !page.ok) location.reload();
  else follow();
};

const follow = () => {
  const source = new EventSource(live.dataset.events);
  source.addEventListener("open", () => {
    live.textContent = live.dataset.live;
    live.classList.add("on");
  });
  source.addEventListener("rows", (event) => {
    const { rows, left_out } = JSON.parse(event.data);
    const known = new Set(Array.from(table.rows, (row) => row.dataset.key));
    // After a break nothing joins on to what is there: some may be missing in between.
    const gap = !first && known.size > 0 && rows.length >= MOST_SENT && !rows.some((row) => known.has(row.key));
    for (const row of rows.toReversed()) {
      if (known.has(row.key)) continue;
      table.querySelector("#none")?.remove();
      const line = document.createElement("tr");
      line.dataset.key = row.key;
      // What came while the page was on its way is no news.
      if (!first) line.className = "new";
      line.append(...cells(row));
      stack(line, namesOf(table.closest(".table")));
      table.prepend(line);
    }
    first = false;
    while (table.rows.length > MOST_ROWS) table.rows[table.rows.length - 1].remove();
    if (left_out || gap) live.textContent = live.dataset.more;
  });
  source.addEventListener("ended", () => {
    source.close();
    location.reload();
  });
  source.addEventListener("error", () => {
    live.classList.remove("on");
    live.textContent = live.dataset.broken;
    // Browsers try again by themselves, but not after an answer that is no stream.
    if (source.readyState === EventSource.CLOSED) setTimeout(again, 15_000);
  });
};

if (live && table) follow();
