"use strict";
const chinese = navigator.language.toLowerCase().startsWith("zh");
document.documentElement.lang = chinese ? "zh-CN" : "en";
const main = document.querySelector("main");

/** The sentence in the reader's language. */
const say = ({ en, zh }) => (chinese ? zh : en);

/** An element; strings among the children are text, never markup. `on` holds listeners. */
function el(tag, { on = {}, ...attributes } = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  for (const [name, listener] of Object.entries(on)) made.addEventListener(name, listener);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** What a route of the server answers; throws an Error that says what is wrong and what to do. */
async function ask(path, body, headers = {}) {
  const sent = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  const answer = await fetch(path, { ...sent, headers: { "Content-Type": "application/json", ...headers } });
  const told = await answer.json();
  if (!answer.ok) throw new Error([told.detail, told.hint].filter(Boolean).join(" "));
  return told;
}
