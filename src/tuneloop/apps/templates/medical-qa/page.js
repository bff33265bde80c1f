const talk = el("div", { role: "log", "aria-live": "polite", style: "display:flex;flex-direction:column;gap:.6rem" });
const field = el("input", { "aria-label": say({ en: "Your question", zh: "您的问题" }), maxlength: 1000, autofocus: "" });

function shown(reply) {
  const sources = reply.citations.map((each) =>
    el("blockquote", {}, el("small", {}, [each.document, each.section].filter(Boolean).join(" · ")), el("br"), each.quote));
  const urgent = reply.kind === "emergency";
  return el("div", { class: urgent ? "card alert" : "card", ...(urgent ? { role: "alert" } : {}) },
    el("p", urgent ? { style: "font-weight:bold" } : {}, reply.text), ...sources, el("small", {}, reply.disclaimer));
}

async function send(event) {
  event.preventDefault();
  const text = field.value.trim();
  if (!text) return;
  field.value = "";
  talk.append(el("div", { class: "card mine" }, text));
  try {
    talk.append(shown(await ask("/api/question", { text })));
  } catch (error) {
    talk.append(el("div", { class: "card alert", role: "alert" }, error.message,
      say({ en: " In an emergency, call your emergency number.", zh: " 紧急情况请拨打急救电话。" })));
  }
  talk.lastElementChild.scrollIntoView({ block: "end" });
}

main.append(el("h1", {}, say({ en: "Health questions", zh: "健康问答" })),
  el("p", { class: "card alert" }, say({ en: "General information, no medical advice. In an emergency, call your emergency number at once.", zh: "一般信息，不是医疗建议。紧急情况请立即拨打急救电话。" })),
  talk, el("form", { class: "line", on: { submit: send } }, field, el("button", { class: "main" }, say({ en: "Ask", zh: "提问" }))));
