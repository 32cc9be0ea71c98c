"use strict";
(() => {
  const page = 100;
  const rows = JSON.parse(document.getElementById("rows").textContent);
  const body = document.querySelector("#images tbody");
  const heads = [...document.querySelectorAll("#images th[data-column]")];
  const search = document.getElementById("search");
  const state = document.getElementById("state");
  const verdict = document.getElementById("verdict");
  const count = document.getElementById("count");
  const back = document.getElementById("back");
  const on = document.getElementById("on");
  let column = null, down = false, first = 0, shown = rows;

  const cell = (row, text, kind) => {
    const made = row.insertCell();
    made.textContent = text;
    if (kind) made.className = kind;
    return made;
  };
  const draw = () => {
    body.replaceChildren();
    for (const [place, what, label, infection, seconds, link, reason] of shown.slice(first, first + page)) {
      const row = body.insertRow();
      const name = cell(row, "");
      if (link) {
        const anchor = document.createElement("a");
        anchor.href = link;
        anchor.textContent = place;
        name.append(anchor);
      } else name.textContent = place;
      cell(row, what);
      cell(row, label || reason);
      cell(row, infection === null ? "–" : (100 * infection).toFixed(0) + " %", "number");
      cell(row, seconds === null ? "–" : seconds.toFixed(1) + " s", "number");
    }
    const last = Math.min(first + page, shown.length);
    count.textContent = shown.length ? `${first + 1} to ${last} of ${shown.length}` : "none";
    back.disabled = first === 0;
    on.disabled = last >= shown.length;
  };
  const order = (a, b) => {
    const [x, y] = [a[column], b[column]];
    if (x === y) return 0;
    if (x === null || x === "") return 1;
    if (y === null || y === "") return -1;
    return (x < y ? -1 : 1) * (down ? -1 : 1);
  };
  const choose = () => {
    const words = search.value.toLowerCase();
    shown = rows.filter((row) =>
      (!state.value || row[1] === state.value) && (!verdict.value || row[2] === verdict.value) &&
      (!words || row[0].toLowerCase().includes(words) || row[6].toLowerCase().includes(words)));
    if (column !== null) shown.sort(order);
    first = 0;
    draw();
  };
  for (const head of heads) head.querySelector("button").addEventListener("click", () => {
    const chosen = Number(head.dataset.column);
    down = chosen === column ? !down : chosen >= 3;
    column = chosen;
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    choose();
  });
  for (const field of [search, state, verdict]) field.addEventListener("input", choose);
  back.addEventListener("click", () => { first -= page; draw(); });
  on.addEventListener("click", () => { first += page; draw(); });
  draw();
})();
