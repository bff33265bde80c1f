"""The page on which a person says which of two answers is better: one file, without a network, by the keyboard.

Nothing in it tells which model wrote what. What is judged is kept by the browser, so that a reload loses nothing.
"""

from __future__ import annotations

from markupsafe import Markup

from tuneloop.core.i18n import t
from tuneloop.core.page import page, paragraph
from tuneloop.data.conversation import to_messages
from tuneloop.evaluation.preferences import Pair, Row

SCRIPT = """
"use strict";
const {key, rows, words, file} = JSON.parse(document.getElementById("data").textContent);
const place = "tuneloop-preferences-" + key;
const show = (id, text) => { document.getElementById(id).textContent = text; };
let judged = load();

function load() {
  try {
    const kept = JSON.parse(localStorage.getItem(place) || "[]");
    return kept.filter((one, number) => rows[number] && one.id === rows[number].id);
  } catch { return []; }
}

function keep() {
  try { localStorage.setItem(place, JSON.stringify(judged)); }
  catch { show("note", words.unkept); }
}

function draw() {
  const row = rows[judged.length];
  show("count", words.count.replace("{done}", judged.length).replace("{all}", rows.length));
  document.getElementById("judging").hidden = !row;
  document.getElementById("done").hidden = Boolean(row);
  if (!row) return;
  const turns = row.turns.map(([role, text]) => {
    const turn = document.createElement("div");
    const name = document.createElement("b");
    turn.className = "turn";
    name.textContent = role ? role + ": " : "";
    turn.append(name, text);
    return turn;
  });
  document.getElementById("prompt").replaceChildren(...turns);
  show("left", row.left);
  show("right", row.right);
  scrollTo(0, 0);
}

function judge(choice) {
  if (judged.length === rows.length) return;
  judged.push({pair: key, id: rows[judged.length].id, choice});
  keep();
  draw();
}

function undo() {
  judged.pop();
  keep();
  draw();
}

function save() {
  const lines = judged.map(one => JSON.stringify(one) + "\\n").join("");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([lines], {type: "application/x-ndjson"}));
  link.download = file;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

const actions = {1: () => judge("left"), 2: () => judge("right"), 0: () => judge("tie"), u: undo, s: save};
addEventListener("keydown", event => {
  const action = actions[event.key.toLowerCase()];
  if (!action || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  event.preventDefault();
  action();
});
for (const button of document.querySelectorAll("button")) {
  button.addEventListener("click", () => { actions[button.dataset.key](); button.blur(); });
}
draw();
"""
"""It only ever sets text, never HTML, and keeps what was judged, in order, under the pair's key."""

STYLE = Markup(
    """<style>
.answers{display:grid;grid-template-columns:1fr 1fr;gap:1rem;margin:1rem 0}
.answers>div,#prompt{border:1px solid var(--line);border-radius:4px;padding:.6em .8em}
.answers h2{margin:0 0 .4em}.answers p,.turn{white-space:pre-wrap;overflow-wrap:anywhere;margin:.2em 0}
button{font:inherit;padding:.3em .8em;margin:0 .4em .4em 0}kbd{border:1px solid var(--line);border-radius:3px;
padding:0 .4em}[hidden]{display:none}
</style>"""
)
LAYOUT = Markup(
    """<p id="count" role="status"></p><p id="note" class="note"></p>
<div id="judging"><div id="prompt"></div>
<div class="answers"><div><h2>{left}</h2><p id="left"></p></div><div><h2>{right}</h2><p id="right"></p></div></div>
<p>{choices}</p></div>
<p id="done" class="better" hidden>{done}</p>
<p>{others}</p>"""
)


def preference_page(pair: Pair, *, most: int) -> str:
    """The page for the first `most` prompts of a pair, in the language in force."""
    words = {
        "count": t("{done} of {all} judged", done="{done}", all="{all}"),
        "unkept": t("This browser keeps nothing: save before you close the page."),
    }
    data = {"key": pair.key, "words": words, "file": f"preferences-{pair.key}.jsonl"}
    choices = [("1", t("left is better")), ("2", t("right is better")), ("0", t("both are equally good"))]
    others = [("u", t("undo")), ("s", t("save"))]
    body = LAYOUT.format(
        left=t("Left"),
        right=t("Right"),
        choices=_buttons(choices),
        others=_buttons(others),
        done=t("All are judged. Press s to save the file for tuneloop prefer --import."),
    )
    intro = t("Read the prompt and both answers, then press a key. Who wrote which is not known here, and may change.")
    return page(
        t("Which answer is better?"),
        [STYLE, paragraph(intro, "lead"), body],
        script=SCRIPT,
        data=data | {"rows": [_shown(row) for row in pair.rows[:most]]},
    )


def _shown(row: Row) -> dict[str, object]:
    """What the page knows of a row."""
    messages = to_messages(row.prompt)
    names = {"system": t("system"), "user": t("user"), "assistant": t("assistant")}
    alone = len(messages) == 1 and messages[0].role == "user"
    left, right = (row.b, row.a) if row.swapped else (row.a, row.b)
    turns = [["" if alone else names[message.role], message.content] for message in messages]
    return {"id": row.id, "turns": turns, "left": left, "right": right}


def _buttons(keys: list[tuple[str, str]]) -> Markup:
    return Markup("").join(
        Markup('<button data-key="{}"><kbd>{}</kbd> {}</button>').format(key, key, name) for key, name in keys
    )
