"""A corpus so easy that a tiny network learns it in a few steps: names and numbers have characters of their own."""

import random

from data.corpus.document import Document, to_jsonl
from data.spans import Span

OTHERS = "天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往秋收冬藏闰余成岁律吕调阳云腾致雨露结为霜"
CHARACTERS = {"name": "甲乙丙丁戊己庚辛", "mobile": "0123456789"}


def easy_documents(count, seed):
    """Documents of some 30 characters with two names and two numbers each."""
    draw = random.Random(seed)
    documents = []
    for number in range(count):
        text, spans = "", []
        for category, length in draw.sample([("name", 3), ("mobile", 5)] * 2, 4):
            text += "".join(draw.choices(OTHERS, k=draw.randint(2, 5)))
            spans.append(Span(category, len(text), len(text) + length - 1))
            text += "".join(draw.choices(CHARACTERS[category], k=length))
        text += "".join(draw.choices(OTHERS, k=3))
        documents.append(Document(str(number), text, tuple(spans)))
    return documents


def write_easy_corpus(path, documents):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(to_jsonl(documents), encoding="utf-8")
    return path
