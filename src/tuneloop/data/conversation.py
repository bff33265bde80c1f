from __future__ import annotations
import json
from typing import NamedTuple
class Message(NamedTuple):
    role: str
    content: str
def to_text(messages):
    if len(messages)==1 and messages[0].role=="user": return messages[0].content
    return json.dumps([m._asdict() for m in messages], ensure_ascii=False)
def to_messages(text):
    if text.startswith("["):
        try: return [Message(m["role"],m["content"]) for m in json.loads(text)]
        except Exception: pass
    return [Message("user", text)]
def parse_messages(raw):
    return [Message(m["role"],m["content"]) for m in raw]
