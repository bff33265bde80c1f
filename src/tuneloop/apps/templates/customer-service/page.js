const session = crypto.randomUUID();
const REASONS = {
  "asked for a person": { en: "A member of staff will take over.", zh: "客服人员将为您服务。" },
  "not sure what is wanted": { en: "I am not sure what you need. A member of staff will look at it.", zh: "我不确定您需要什么，客服人员会查看。" },
  "the handbook does not say": { en: "I have no answer that I can show a source for. A member of staff will help.", zh: "我没有有出处的答案，客服人员会帮您。" },
};

const right = (reply, good) => async (event) => {
  event.target.parentElement.replaceChildren(say({ en: "Thank you.", zh: "谢谢。" }));
  await ask("/v1/feedback", { event: reply.event, good, key: crypto.randomUUID() });
};

function shown(reply) {
  const details = Object.entries(reply.details).map(([name, values]) => el("span", { class: "chip" }, `${name}: ${values.join(", ")}`));
  const asked = reply.event ? el("div", { class: "row" }, say({ en: "Is this what you meant?", zh: "我理解对了吗？" }),
    el("button", { on: { click: right(reply, true) } }, say({ en: "Yes", zh: "对" })),
    el("button", { on: { click: right(reply, false) } }, say({ en: "No", zh: "不对" }))) : null;
  return el("div", { class: reply.hand_over ? "card alert" : "card" },
    el("p", {}, reply.hand_over ? say(REASONS[reply.hand_over]) : reply.answer), ...sources(reply.citations),
    el("div", { class: "row" }, el("span", { class: "chip" }, reply.sure ? reply.intent : `${reply.intent}?`), ...details), asked);
}

main.append(el("h1", {}, say({ en: "How can we help?", zh: "有什么可以帮您？" })), ...conversation({
  label: say({ en: "Your message", zh: "您的留言" }), button: say({ en: "Send", zh: "发送" }), most: 2000,
  reply: async (text) => shown(await ask("/api/message", { text, conversation: session })),
}));
