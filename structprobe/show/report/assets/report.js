// Starts what there is on the page of a report.

for (const table of document.querySelectorAll("table.sortable")) sortable(table);

if (byId("explorer-data")) {
  const explorer = new Explorer(readJson("explorer-data"));
  explorer.start().catch((error) => {
    byId("status").textContent = `The explorer cannot start: ${error.message}`;
  });
}
