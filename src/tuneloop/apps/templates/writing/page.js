const NAMES = {
  rewrite: { en: "Rewrite", zh: "改写" }, correct: { en: "Correct", zh: "纠错" }, continue: { en: "Continue", zh: "续写" },
  summarise: { en: "Summarise", zh: "摘要" }, tone: { en: "Change tone", zh: "改变语气" },
  friendly: { en: "friendly", zh: "友好" }, formal: { en: "formal", zh: "正式" }, plain: { en: "plain", zh: "平实" },
};
const text = el("textarea", { rows: 6, maxlength: 4000, "aria-label": say({ en: "Your text (English)", zh: "您的文本（英文）" }) });
const choice = (names, label) => el("select", { "aria-label": label }, ...names.map((name) => el("option", { value: name }, say(NAMES[name]))));
const action = choice(["rewrite", "correct", "continue", "summarise", "tone"], say({ en: "What to do", zh: "做什么" }));
const tone = choice(["friendly", "formal", "plain"], say({ en: "Tone", zh: "语气" }));
const go = el("button", { class: "main" }, say({ en: "Write", zh: "写" }));
const stop = el("button", { type: "button", disabled: "" }, say({ en: "Stop", zh: "停止" }));
const answer = el("div", { class: "card", role: "status", style: "white-space:pre-wrap" });
const notes = el("div", { "aria-live": "polite" });
const take = el("button", { type: "button", hidden: "" }, say({ en: "Use this text", zh: "采用此文本" }));
let running = null;

/** Reads the pieces of an answer as they come. */
async function stream(body, signal) {
  const reply = await fetch("/v1/chat/completions", { method: "POST", signal, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  if (!reply.ok) throw new Error((await reply.json()).error.message);
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = "", part = await reader.read(); !part.done; part = await reader.read()) {
    const lines = (rest + part.value).split("\n");
    rest = lines.pop();
    for (const line of lines.filter((each) => each.startsWith("data: {"))) {
      const told = JSON.parse(line.slice(6));
      if (told.error) throw new Error(told.error.message);
      answer.append(told.choices[0]?.delta.content ?? "");
    }
  }
}

function show(told) {
  answer.replaceChildren(...told.differences.map(([kind, part]) => (kind === "same" ? part : el(kind, {}, part))));
  const said = [];
  if (told.refused) said.push(say({ en: "Do not use this unread: it changes numbers or names, or is empty.", zh: "请勿直接使用：它改变了数字或名称，或为空。" }));
  if (told.lost.length) said.push(say({ en: "Left out: ", zh: "遗漏：" }) + told.lost.join(", "));
  if (told.made_up.length) said.push(say({ en: "Not in your text: ", zh: "原文没有：" }) + told.made_up.join(", "));
  notes.replaceChildren(...said.map((line) => el("p", { class: told.refused ? "alert" : "" }, line)));
  take.hidden = told.refused;
  take.onclick = () => { text.value = told.differences.filter(([kind]) => kind !== "del").map(([, part]) => part).join(""); take.hidden = true; };
}

async function write(event) {
  event.preventDefault();
  const wish = { action: action.value, text: text.value, tone: tone.value };
  if (!wish.text.trim() || running) return;
  running = new AbortController();
  [go.disabled, stop.disabled, take.hidden] = [true, false, true];
  notes.replaceChildren();
  answer.replaceChildren();
  try {
    if (wish.action === "correct") return show(await ask("/api/write", wish));
    await stream(await ask("/api/prepare", wish), running.signal).catch((error) => { if (error.name !== "AbortError") throw error; });
    show(await ask("/api/check", { ...wish, answer: answer.textContent }));
  } catch (error) {
    notes.replaceChildren(el("p", { class: "alert", role: "alert" }, error.message));
  } finally {
    [running, go.disabled, stop.disabled] = [null, false, true];
  }
}

stop.addEventListener("click", () => running?.abort());
action.addEventListener("change", () => { tone.hidden = action.value !== "tone"; });
tone.hidden = true;
main.append(el("h1", {}, say({ en: "Writing", zh: "写作" })), el("form", { style: "display:flex;flex-direction:column;gap:.6rem", on: { submit: write } },
  text, el("div", { class: "row" }, action, tone, go, stop)), answer, notes, take);
