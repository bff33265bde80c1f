function shown(reply) {
  const urgent = reply.kind === "emergency";
  return el("div", { class: urgent ? "card alert" : "card", ...(urgent ? { role: "alert" } : {}) },
    el("p", urgent ? { style: "font-weight:bold" } : {}, reply.text), ...sources(reply.citations), el("small", {}, reply.disclaimer));
}

main.append(el("h1", {}, say({ en: "Health questions", zh: "健康问答" })),
  el("p", { class: "card alert" }, say({ en: "General information, no medical advice. In an emergency, call your emergency number at once.", zh: "一般信息，不是医疗建议。紧急情况请立即拨打急救电话。" })),
  ...conversation({
    label: say({ en: "Your question", zh: "您的问题" }), button: say({ en: "Ask", zh: "提问" }), most: 1000,
    reply: async (text) => shown(await ask("/api/question", { text })),
    comfort: say({ en: "In an emergency, call your emergency number.", zh: "紧急情况请拨打急救电话。" }),
  }));
