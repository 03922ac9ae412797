// The sum of what is ticked in a form that prepares a payment.
for (const form of document.querySelectorAll("form[data-sum]")) {
  const output = form.querySelector("[data-sum-of]");
  const words = form.querySelector("[data-sum-words]");
  const euros = new Intl.NumberFormat(output.dataset.locale, { style: "currency", currency: "EUR" });
  const boxes = [...form.querySelectorAll(`input[name="${output.dataset.sumOf}"]`)];
  const tell = () => {
    const cents = boxes
      .filter((box) => box.checked)
      .reduce((sum, box) => sum + Math.round(Number(box.dataset.amount) * 100), 0);
    output.textContent = euros.format(cents / 100);
  };
  words.hidden = false;
  form.addEventListener("change", tell);
  form.addEventListener("keyup", tell); // lists.js ticks by keyboard
  tell();
}
