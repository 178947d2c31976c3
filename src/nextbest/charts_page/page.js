// Draws the charts of the document that the page holds; words, numbers and colours by language and theme.
"use strict";
(() => {
  const root = document.documentElement;
  const source = JSON.parse(document.getElementById("document").textContent);
  const darkness = matchMedia("(prefers-color-scheme: dark)");
  const boxes = [...document.querySelectorAll(".chart")];
  const drawn = new Map();
  let printing = false;

  const list = (value) => (value === undefined ? [] : Array.isArray(value) ? value : [value]);
  const at = (pointer) =>
    pointer.split("/").slice(1).reduce((node, key) => node[key.replace(/~1/g, "/").replace(/~0/g, "~")], source);
  const safe = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
  const locale = () => (root.lang === "ru" ? "ru-RU" : "en-US");

  function number(value, unit, short) {
    if (typeof value !== "number" || !Number.isFinite(value)) return "\u2014";
    const size = Math.abs(value);
    const places = short ? (size >= 10 || size === 0 ? 0 : 2) : size >= 1000 ? 0 : size >= 0.1 || size === 0 ? 2 : 4;
    const form = { maximumFractionDigits: places };
    if (unit === "tenths") Object.assign(form, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
    if (short && size >= 1e4 && unit !== "percent") Object.assign(form, { notation: "compact", maximumFractionDigits: 1 });
    const text = new Intl.NumberFormat(locale(), form).format(value).replace(/^-/, "\u2212").replace(/^\u2212(?=[0.,]*$)/, "");
    if (unit === "percent") return text + (root.lang === "ru" ? "\u00a0%" : "%");
    return !short && /^[A-Z]{3}$/.test(unit) ? `${text}\u00a0${unit}` : text;
  }

  function day(value) {
    const when = new Date(value);
    const two = (n) => String(n).padStart(2, "0");
    const [y, m, d] = [when.getFullYear(), two(when.getMonth() + 1), two(when.getDate())];
    return root.lang === "ru" ? `${d}.${m}.${y}` : `${y}-${m}-${d}`;
  }

  function translated(node, words) {
    if (typeof node === "string") return Object.hasOwn(words, node) ? words[node] : node;
    if (Array.isArray(node)) return node.map((part) => translated(part, words));
    if (node === null || typeof node !== "object") return node;
    return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, translated(value, words)]));
  }

  // One point of a scatter or a cell of a heat map: its name, then a line for each axis that measures something.
  function item(option, about) {
    return (point) => {
      const value = list(point.value);
      if (point.seriesType === "heatmap") {
        const [x, y] = [list(option.xAxis)[0].data[value[0]], list(option.yAxis)[0].data[value[1]]];
        return `${safe(x)} ${safe(y)}<br><b>${number(value[2], about.unit)}</b>`;
      }
      const axes = [list(option.xAxis)[0], list(option.yAxis)[0]];
      const lines = axes.map((axis, i) => `${safe(axis.name || "")}: <b>${number(value[i], axis.unit || about.unit)}</b>`);
      return `${safe(point.name || point.seriesName)}<br>${lines.join("<br>")}`;
    };
  }

  function prepared(pointer, width) {
    const { about, ...raw } = at(pointer);
    const option = translated(raw, (about.words || {})[root.lang] || {});
    const narrow = width < 520;
    option.animation = false;
    option.aria = { enabled: true, label: { description: (about.title || {})[root.lang] } };
    for (const axis of [...list(option.xAxis), ...list(option.yAxis)]) {
      const label = (axis.axisLabel = { hideOverlap: true, ...axis.axisLabel });
      const unit = axis.unit || about.unit;
      if (axis.type === "value") {
        label.formatter = (value) => number(value, unit, true);
        axis.axisPointer = { label: { formatter: (at) => number(at.value, unit) } };
      }
      if (axis.type === "time") axis.axisPointer = { label: { formatter: (at) => day(at.value) } };
      if (axis.type === "category" && narrow && label.narrow) Object.assign(label, label.narrow);
    }
    const tooltip = (option.tooltip = { confine: true, ...option.tooltip });
    if (tooltip.trigger === "axis") tooltip.valueFormatter = (value) => number(Array.isArray(value) ? value.at(-1) : value, about.unit);
    else tooltip.formatter = item(option, about);
    for (const series of list(option.series)) {
      if (series.label && series.label.show) {
        series.label.formatter = (point) =>
          series.type === "scatter" ? point.name : number(list(point.value).at(-1), about.labels || about.unit, narrow);
        if (narrow && series.type === "heatmap") series.label.fontSize = 8;
      }
    }
    return option;
  }

  const colours = (ink, soft, line, card) => ({
    backgroundColor: "transparent",
    textStyle: { color: ink, fontFamily: 'system-ui, "Segoe UI", "DejaVu Sans", sans-serif' },
    legend: { textStyle: { color: ink }, inactiveColor: line, pageTextStyle: { color: ink }, pageIconColor: soft },
    tooltip: { backgroundColor: card, borderColor: line, textStyle: { color: ink } },
    ...Object.fromEntries(
      ["categoryAxis", "valueAxis", "timeAxis"].map((kind) => [
        kind,
        {
          axisLine: { lineStyle: { color: soft } },
          axisTick: { lineStyle: { color: soft } },
          axisLabel: { color: soft },
          nameTextStyle: { color: soft },
          splitLine: { lineStyle: { color: line } },
        },
      ]),
    ),
    markLine: { label: { color: ink } },
  });
  echarts.registerTheme("nb-light", colours("#1c2530", "#55616e", "#dde2e7", "#ffffff"));
  echarts.registerTheme("nb-dark", colours("#e6ebf0", "#a3b0bd", "#2f3842", "#1a2027"));

  function draw(box) {
    drawn.get(box)?.dispose();
    const theme = darkness.matches && !printing ? "nb-dark" : "nb-light";
    const chart = echarts.init(box, theme, { renderer: "svg", locale: root.lang === "ru" ? "RU" : "EN" });
    chart.setOption(prepared(box.dataset.path, box.clientWidth));
    drawn.set(box, chart);
  }
  const drawAll = () => boxes.forEach(draw);

  function speak(language) {
    root.lang = language;
    for (const button of document.querySelectorAll("[data-language]"))
      button.setAttribute("aria-pressed", String(button.dataset.language === language));
    const title = document.querySelector(`h1 [lang="${language}"]`);
    if (title) document.title = title.textContent;
    drawAll();
  }

  // Paper is white and has its own width, whatever the screen was.
  function print(begins) {
    printing = begins;
    for (const details of document.querySelectorAll("details")) details.open = begins || details.dataset.open === "true";
    drawAll();
  }

  for (const button of document.querySelectorAll("[data-language]"))
    button.addEventListener("click", () => speak(button.dataset.language));
  for (const details of document.querySelectorAll("details"))
    details.addEventListener("toggle", () => { if (!printing) details.dataset.open = String(details.open); });
  darkness.addEventListener("change", drawAll);
  addEventListener("beforeprint", () => print(true));
  addEventListener("afterprint", () => print(false));
  const widths = new Map();
  const watcher = new ResizeObserver((entries) => {
    for (const { target, contentRect } of entries) {
      if (Math.round(contentRect.width) !== widths.get(target)) {
        widths.set(target, Math.round(contentRect.width));
        if (drawn.has(target)) draw(target);
      }
    }
  });
  const asked = new URLSearchParams(location.search).get("lang");
  speak(asked === "ru" || asked === "en" ? asked : root.lang);
  boxes.forEach((box) => { widths.set(box, Math.round(box.clientWidth)); watcher.observe(box); });
})();
