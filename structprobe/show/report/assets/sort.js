// Tables that sort by a click on, or Enter in, the head of a column.

function sortable(table) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = head.querySelector("button");
    if (!button) return;
    button.addEventListener("click", () => {
      const numbers = head.classList.contains("number");
      const now = head.getAttribute("aria-sort");
      const upwards = now ? now === "descending" : !numbers;
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", upwards ? "ascending" : "descending");
      const rows = [...body.rows];
      rows.sort((a, b) => {
        const [one, other] = [valueOf(a.cells[column]), valueOf(b.cells[column])];
        // What is not there stays at the end, whichever way.
        if (one === null || other === null) return (one === null) - (other === null);
        const order = numbers ? one - other : one.localeCompare(other, undefined, { numeric: true });
        return upwards ? order : -order;
      });
      body.append(...rows);
    });
  });
}

function valueOf(cell) {
  if (!cell.dataset.value) return cell.classList.contains("number") ? null : cell.textContent;
  return Number(cell.dataset.value);
}
