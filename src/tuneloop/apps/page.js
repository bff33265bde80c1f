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

/** Quotations with the places where they stand. */
const sources = (citations) => citations.map((each) =>
  el("blockquote", {}, el("small", {}, [each.document, each.section].filter(Boolean).join(" · ")), el("br"), each.quote));

/**
 * A conversation and the field for the next message, as elements. `reply(text)` gives the element that answers;
 * what goes wrong is shown, with `comfort` behind it.
 */
function conversation({ label, button, most, reply, comfort = "" }) {
  const talk = el("div", { role: "log", "aria-live": "polite", class: "talk" });
  const field = el("input", { "aria-label": label, maxlength: most, autofocus: "" });
  async function send(event) {
    event.preventDefault();
    const text = field.value.trim();
    if (!text) return;
    field.value = "";
    talk.append(el("div", { class: "card mine" }, text));
    try {
      talk.append(await reply(text));
    } catch (error) {
      talk.append(el("div", { class: "card alert", role: "alert" }, `${error.message} ${comfort}`.trim()));
    }
    talk.lastElementChild.scrollIntoView({ block: "end" });
  }
  return [talk, el("form", { class: "line", on: { submit: send } }, field, el("button", { class: "main" }, button))];
}
