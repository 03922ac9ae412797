// Draws the table that says the same: <table data-chart="line" data-chart-label="…">, or "bars", or "stacked".
// The column whose head has data-along says what stands along the axis, those whose heads have data-drawn are
// drawn, and each of their cells has its figure in data-value. data-reversed: the newest row is the first.
"use strict";
{
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--cxc-${name}`).trim();
  const COLOURS = ["blue", "green", "amber", "red", "quiet"];
  const drawn = new Map();

  const read = (table) => {
    const heads = [...table.tHead.rows[0].cells];
    const rows = [...table.tBodies[0].rows];
    if ("reversed" in table.dataset) rows.reverse();
    const along = heads.findIndex((head) => "along" in head.dataset);
    const series = heads.flatMap((head, column) => ("drawn" in head.dataset ? [{ head, column }] : []));
    return {
      labels: rows.map((row) => row.cells[along].textContent.trim()),
      series: series.map(({ head, column }) => ({
        label: head.textContent.trim(),
        colour: head.dataset.drawn,
        data: rows.map((row) => Number(row.cells[column].dataset.value)),
      })),
    };
  };

  const draw = (table) => {
    const { labels, series } = read(table);
    if (labels.length < 2) return;
    const kind = table.dataset.chart;
    const stacked = kind === "stacked";
    const place = document.createElement("div");
    place.className = "drawn";
    const canvas = document.createElement("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", table.dataset.chartLabel);
    place.append(canvas);
    (table.closest(".table-responsive") ?? table).before(place);
    const money = table.dataset.chartUnit
      && { style: "currency", currency: table.dataset.chartUnit, maximumFractionDigits: 0 };
    const number = new Intl.NumberFormat(document.documentElement.lang, money || undefined);
    Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
    Chart.defaults.font.size = 13;
    Chart.defaults.color = colour("quiet");
    Chart.defaults.borderColor = colour("line");
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    drawn.set(table, new Chart(canvas, {
      type: kind === "bars" ? "bar" : "line",
      data: {
        labels,
        datasets: series.map(({ label, data, colour: named }, at) => {
          const own = colour(named || COLOURS[at % COLOURS.length]);
          return {
            label, data, borderColor: own, backgroundColor: stacked || kind === "bars" ? own : "transparent",
            fill: stacked ? (at ? "-1" : "origin") : false, stepped: stacked, borderWidth: 2, pointRadius: 0, pointHitRadius: 12,
          };
        }),
      },
      options: {
        animation: still ? false : { duration: 300 },
        maintainAspectRatio: false,
        interaction: { mode: "index", intersect: false },
        scales: {
          x: { ticks: { maxRotation: 0, autoSkipPadding: 24 }, grid: { display: false } },
          y: { stacked, beginAtZero: true, ticks: { callback: (value) => number.format(value) } },
        },
        plugins: {
          legend: { position: "bottom", labels: { usePointStyle: true, pointStyle: "rect" } },
          tooltip: { callbacks: { label: ({ dataset, raw }) => ` ${dataset.label}: ${number.format(raw)}` } },
        },
      },
    }));
  };

  const drawAll = () => {
    for (const [table, chart] of drawn) {
      const place = chart.canvas?.parentElement;
      chart.destroy();
      place?.remove();
      drawn.delete(table);
    }
    for (const table of document.querySelectorAll("table[data-chart]")) draw(table);
  };

  document.addEventListener("DOMContentLoaded", drawAll);
  document.addEventListener("htmx:afterSettle", drawAll);
  new MutationObserver(drawAll).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
}
