const LABELS = ["negative", "neutral", "positive"];
const NAMES = { negative: { en: "negative", zh: "负面" }, neutral: { en: "neutral", zh: "中性" }, positive: { en: "positive", zh: "正面" } };
const COLOURS = { negative: "#ff725c", neutral: "#9aa0a6", positive: "#4269d0" };
const when = (at) => new Date(at * 1000).toISOString().slice(0, 16).replace("T", " ");
const part = (...children) => el("section", {}, ...children);
let company = "", hours = 48, shown = "";

const period = el("select", { "aria-label": say({ en: "Period", zh: "时段" }), on: { change: () => { hours = Number(period.value); look(); } } },
  ...[[48, { en: "2 days", zh: "2 天" }], [168, { en: "7 days", zh: "7 天" }], [720, { en: "30 days", zh: "30 天" }]].map(([value, text]) => el("option", { value }, say(text))));
const status = el("div", { role: "status" });
const alarms = el("div"), table = el("div", { style: "overflow-x:auto" }), chart = el("div"), latest = el("div");

const cell = (label, count) => el("td", { style: "text-align:right" }, String(count ?? 0));

function companies(all) {
  const choose = (id) => () => { company = company === id ? "" : id; look(); };
  return el("table", {}, el("thead", {}, el("tr", {}, el("th", {}, say({ en: "company", zh: "公司" })), ...LABELS.map((label) => el("th", {}, say(NAMES[label]))))),
    el("tbody", {}, ...all.map((one) => el("tr", {}, el("td", {}, el("button", { "aria-pressed": String(company === one.id), on: { click: choose(one.id) } }, one.name)), ...LABELS.map((label) => cell(label, one[label]))))));
}

function bars(all, step) {
  const most = Math.max(1, ...all.map((bar) => LABELS.reduce((sum, label) => sum + (bar[label] ?? 0), 0)));
  const column = (bar) => el("div", { title: `${when(bar.start)}: ${LABELS.map((label) => `${say(NAMES[label])} ${bar[label] ?? 0}`).join(", ")}`, style: "flex:1;display:flex;flex-direction:column;justify-content:flex-end" },
    ...[...LABELS].reverse().map((label) => el("div", { style: `height:${(100 * (bar[label] ?? 0)) / most}%;background:${COLOURS[label]}` })));
  const told = say({ en: `Items over time, ${all.length} bars of ${step / 3600} h, ${most} at most`, zh: `随时间的条数，${all.length} 根柱，每根 ${step / 3600} 小时，最多 ${most} 条` });
  const legend = LABELS.map((label) => el("span", { class: "chip", style: `border-left:.6rem solid ${COLOURS[label]}` }, say(NAMES[label])));
  return part(el("div", { role: "img", "aria-label": told, style: "display:flex;gap:1px;height:9rem;border-bottom:1px solid var(--line)" }, ...all.map(column)), el("div", { class: "row" }, ...legend, el("small", {}, told)));
}

function item(one) {
  const right = el("select", { "aria-label": say({ en: "Right answer", zh: "正确答案" }), on: { change: async () => {
    await ask("/v1/feedback", { event: one.asked, label: right.value, key: crypto.randomUUID() });
    right.replaceWith(say({ en: "Thank you.", zh: "谢谢。" }));
  } } }, el("option", { value: "" }, say({ en: "wrong? it is …", zh: "有误？应为…" })), ...LABELS.map((label) => el("option", { value: label }, say(NAMES[label]))));
  return el("div", { class: "card", style: `border-left:.35rem solid ${COLOURS[one.label]}` }, el("small", {}, `${when(one.at)} · ${one.source}`), el("p", {}, one.text),
    el("div", { class: "row" }, el("b", {}, say(NAMES[one.label])), ...one.about.map((name) => el("span", { class: "chip" }, name)),
      el("small", {}, one.why ? say({ en: `rule ${one.why}`, zh: `规则 ${one.why}` }) : say({ en: `model, ${one.confidence.toFixed(2)}`, zh: `模型，${one.confidence.toFixed(2)}` })), right));
}

function draw(state) {
  status.replaceChildren(say({ en: `${state.items} items, the newest of ${when(state.newest)} UTC.`, zh: `共 ${state.items} 条，最新一条 ${when(state.newest)} UTC。` }),
    ...Object.entries(state.problems).map(([file, problem]) => el("div", { class: "alert" }, `${file}: ${problem}`)));
  alarms.replaceChildren(...(state.alarms.length ? state.alarms.map((one) => el("div", { class: "card alert" }, el("b", {}, one.company),
    say({ en: `: ${one.hits} negative items since ${when(one.since)}, about ${one.expected} were to be expected. Told at ${when(one.at)}.`, zh: `：自 ${when(one.since)} 起 ${one.hits} 条负面，预期约 ${one.expected} 条。警报时间 ${when(one.at)}。` })))
    : [say({ en: "No burst of bad news.", zh: "没有负面消息的突增。" })]));
  table.replaceChildren(companies(state.companies));
  chart.replaceChildren(bars(state.bars, state.step_s));
  latest.replaceChildren(...state.latest.map(item));
}

async function look() {
  try {
    const state = await ask(`/api/state?hours=${hours}&company=${encodeURIComponent(company)}`);
    const next = JSON.stringify([state, company, hours]);
    if (next !== shown && !latest.contains(document.activeElement)) draw(state), (shown = next);
  } catch (error) {
    status.replaceChildren(el("div", { class: "alert" }, error.message));
    shown = "";
  }
}

latest.style = "display:flex;flex-direction:column;gap:.6rem";
main.append(el("h1", {}, say({ en: "Opinion monitor", zh: "舆情监控" })), status,
  part(el("h2", {}, say({ en: "Alarms", zh: "警报" })), alarms), part(el("h2", {}, say({ en: "Companies", zh: "公司" })), period, table),
  chart, part(el("h2", {}, say({ en: "Newest items", zh: "最新条目" })), latest));
look();
setInterval(look, 2000);
