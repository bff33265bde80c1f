const picked = new Map();
let waiting;
const [chips, found, fresh] = [0, 1, 2].map(() => el("div", { class: "row", "aria-live": "polite" }));
const results = el("ol", { "aria-live": "polite", style: "display:flex;flex-direction:column;gap:.6rem;padding-left:1.4rem" });
const title = el("input", { "aria-label": say({ en: "A film that you like", zh: "您喜欢的电影" }), placeholder: say({ en: "Toy Story, Fargo, ...", zh: "Toy Story、Fargo……（英文片名）" }), maxlength: 100 });
const text = el("input", { "aria-label": say({ en: "What you look for, in a few words", zh: "想看什么，几个词即可" }), placeholder: say({ en: "a funny adventure in space", zh: "a funny adventure in space（英文）" }), maxlength: 500 });
const SAME = { series: { en: "the same series", zh: "同一系列" }, directed_by: { en: "same director", zh: "同一导演" } };

function why(film) {
  const because = film.because, parts = [];
  if (because) {
    parts.push(...because.same.map((name) => say(SAME[name])));
    if (because.genres.length) parts.push(say({ en: "same genre: ", zh: "同类型：" }) + because.genres.join(", "));
    if (because.people) parts.push(say({ en: `liked together by ${because.people} people`, zh: `${because.people} 人同时喜欢` }));
  }
  const told = parts.length ? [say({ en: `Because you liked ${because.film}: `, zh: `因为您喜欢《${because.film}》：` }) + parts.join(" · ")] : [];
  if (film.near_text) told.push(say({ en: "Near to what you wrote", zh: "接近您写的内容" }));
  if (!told.length) told.push(say({ en: `Liked by ${film.likes} people`, zh: `${film.likes} 人喜欢` }));
  return told.join(" · ");
}
const card = (film, tag) => el(tag, { class: "card" }, el("strong", {}, `${film.title} (${film.year})`), " ",
  el("div", { class: "row" }, ...film.genres.map((name) => el("span", { class: "chip" }, name))), el("div", { style: "font-size:.85rem" }, why(film)));

function draw() {
  chips.replaceChildren(...[...picked].map(([id, name]) => el("button", { type: "button", "aria-label": say({ en: `Remove ${name}`, zh: `移除 ${name}` }),
    on: { click: () => { picked.delete(id); draw(); } } }, `${name} ×`)));
}

async function search() {
  if (title.value.trim().length < 2) return found.replaceChildren();
  const films = await ask(`/api/films?title=${encodeURIComponent(title.value.trim())}`);
  found.replaceChildren(...films.map((film) => el("button", { type: "button",
    on: { click: () => { picked.set(film.id, film.title); title.value = ""; found.replaceChildren(); draw(); title.focus(); } } }, `+ ${film.title} (${film.year})`)));
}

async function recommend(event) {
  event.preventDefault();
  try {
    const told = await ask("/api/recommend", { liked: [...picked.keys()], text: text.value });
    results.replaceChildren(...told.films.map((film) => card(film, "li")));
    fresh.replaceChildren(el("h2", { style: "flex-basis:100%" }, say({ en: "New, not rated by anybody yet", zh: "新片，还没有人评分" })), ...told.new.map((film) => card(film, "div")));
  } catch (error) {
    results.replaceChildren(el("li", { class: "card alert", role: "alert" }, error.message));
  }
}

title.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(search, 150); });
main.append(el("h1", {}, say({ en: "What to watch", zh: "看什么" })),
  el("label", {}, say({ en: "Films that you like", zh: "您喜欢的电影" })), title, found, chips,
  el("form", { class: "line", on: { submit: recommend } }, text, el("button", { class: "main" }, say({ en: "Recommend", zh: "推荐" }))), results, fresh);
