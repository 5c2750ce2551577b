"use strict";
(() => {
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue("--" + name).trim();
  const points = result.timeline;
  const column = (of) => points.map(of);
  const number = (v) => (v == null ? "–" : v >= 1e6 ? (v / 1e6).toFixed(v % 1e6 ? 1 : 0) + "M"
    : v >= 1e4 ? (v / 1e3).toFixed(v % 1e3 ? 1 : 0) + "k" : String(Math.round(v * 100) / 100));
  const millis = (v) => (v == null ? "–" : v >= 1000 ? Math.round(v / 10) / 100 + " s" : Number(v.toPrecision(3)) + " ms");
  const seconds = (v) => (v == null ? "–" : Math.round(v * 10) / 10 + " s");
  const percent = (v) => (v == null ? "–" : "p" + Number((100 - 100 / v).toFixed(4)));
  const drawn = [];

  // chart draws lines over x; each line is {label, data, color, show, fill, scale}.
  function chart(id, x, lines, options) {
    const at = document.getElementById(id);
    if (!at) return;
    const make = () => {
      const axis = (more) => ({
        stroke: color("dim"), font: "12px system-ui, sans-serif", ticks: { show: false },
        grid: { stroke: color("grid"), width: 1 }, ...more,
      });
      const plot = new uPlot({
        width: at.clientWidth, height: 230, legend: { live: true },
        cursor: { points: { size: 6 }, sync: options.x ? undefined : { key: "time" } },
        scales: { x: { time: false, ...(options.x || {}) }, ...(options.scales || { y: { range: (_, lo, hi) => [0, (hi || 1) * 1.08] } }) },
        axes: [
          axis({ values: (_, vs) => vs.map((v) => (v == null ? "" : (options.xv || seconds)(v))), grid: { show: false }, ...(options.xaxis || {}) }),
          axis({ size: 58, values: (_, vs) => vs.map((v) => (v == null ? "" : options.value(v))), ...(options.yaxis || {}) }),
          ...(options.right ? [axis({ side: 1, size: 44, scale: "right", grid: { show: false }, values: (_, vs) => vs.map(number) })] : []),
        ],
        series: [
          { label: options.xlabel || "at", value: (_, v) => (options.xv || seconds)(v) },
          ...lines.map((l) => ({
            label: l.label, scale: l.scale || "y", stroke: color(l.color), width: 2, points: { show: x.length < 3 }, spanGaps: false,
            fill: l.fill ? color(l.color) + "22" : undefined, value: (_, v) => (l.value || options.value)(v),
          })),
        ],
      }, [x, ...lines.map((l) => l.data)], at);
      return plot;
    };
    drawn.push({ at, make, plot: make() });
  }

  const t = column((p) => p.t);
  const over = (of, key) => column((p) => (of(p).count ? of(p)[key] : null));
  const quantiles = (of) => [
    { label: "p50", data: over(of, "p50_ms"), color: "a" },
    { label: "p90", data: over(of, "p90_ms"), color: "d" },
    { label: "p99", data: over(of, "p99_ms"), color: "b" },
    { label: "max", data: over(of, "max_ms"), color: "c" },
  ];
  // Times differ by powers of ten: the axis shows the whole ones.
  const powers = (lo, hi) => [10 ** Math.floor(Math.log10(lo)), 10 ** Math.ceil(Math.log10(hi))];
  const log = { y: { distr: 3, range: (_, lo, hi) => (lo > 0 ? powers(lo, hi === lo ? hi * 10 : hi) : [0.1, 100]) } };
  const whole = { filter: (_, vs) => vs.map((v) => (Math.abs(Math.log10(v) - Math.round(Math.log10(v))) < 1e-9 ? v : null)) };

  chart("open", t, [
    { label: "open", data: column((p) => p.open), color: "a", fill: true },
    { label: "failed so far", data: column((p) => p.failed), color: "b" },
    { label: "closed so far", data: column((p) => p.closed), color: "c" },
  ], { value: number });
  chart("rate", t, [{ label: "delivered/s", data: column((p) => p.delivered_per_second), color: "a", fill: true }], { value: number });
  chart("latency", t, quantiles((p) => p.delivery), { value: millis, scales: log, yaxis: whole });
  chart("ping", t, quantiles((p) => p.ping), { value: millis, scales: log, yaxis: whole });
  chart("tool", t, [
    { label: "descriptors", data: column((p) => p.fds), color: "a" },
    { label: "CPUs", data: column((p) => p.cpu), color: "b", scale: "right" },
  ], { value: number, right: true, scales: {
    y: { range: (_, lo, hi) => [0, (hi || 1) * 1.08] }, right: { range: (_, lo, hi) => [0, Math.max(1, hi) * 1.08] },
  } });

  // Percentiles stand at 1/(1-p), so that each nine is as wide as the last.
  function distribution(id, quantiles, name) {
    const shown = quantiles.filter(([p]) => p < 100).map(([p, ms]) => [100 / (100 - p), ms]);
    if (!shown.length && quantiles.length) shown.push([1, quantiles[0][1]]);
    const end = Math.max(100, ...shown.map(([p]) => p));
    chart(id, shown.map(([p]) => p), [{ label: name, data: shown.map(([, ms]) => ms), color: "a", fill: true }], {
      value: millis, xv: percent, xlabel: "percentile",
      x: { distr: 3, range: () => [1, 10 ** Math.ceil(Math.log10(end) - 0.01)] },
      xaxis: { ...whole, space: 30 },
    });
  }
  distribution("connect", result.connect, "connect");
  distribution("delivery", result.delivery, "delivery");

  const redraw = () => drawn.forEach((d) => { d.plot.destroy(); d.plot = d.make(); });
  let timer;
  addEventListener("resize", () => { clearTimeout(timer); timer = setTimeout(redraw, 100); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
})();
