/**
 * Buttons that save a field's text as a file: data-download names the field, data-filename the file. The text goes
 * straight from the page to the disk: an address that held it would stay in the browser's list of downloads.
 */

function save(text, filename) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  link.download = filename;
  link.click();
  URL.revokeObjectURL(link.href);
}

document.querySelectorAll("[data-download]").forEach((button) => {
  button.hidden = false;
  button.addEventListener("click", () => {
    save(document.getElementById(button.dataset.download).value, button.dataset.filename);
  });
});
