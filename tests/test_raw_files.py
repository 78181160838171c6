"""Files as other projects publish or export them: from the raw file to a trained tagger, through the command lines."""

import json
import random

import pytest

import main
import preprocess

pytestmark = pytest.mark.slow

NAMES = [family + given for family in "陆林沈顾韩" for given in ("晓岚", "如霜", "小满", "怀远", "子默", "一舟")]
COMPANIES = ["云帆软件公司", "青石物流", "北山电子厂", "半亩园茶社"]
SENTENCES = [
    "请联系{PER}，他在{ORG}上班。",
    "听说{PER}离开了{ORG}。",
    "{ORG}的{PER}昨天来过。",
    "今天下雨，{PER}没有出门。",
]


def sentences(count, seed):
    """Texts and their spans: (begin, end exclusive, category)."""
    draw = random.Random(seed)
    for _ in range(count):
        text, spans = "", []
        for piece in draw.choice(SENTENCES).replace("{", "\0{").replace("}", "}\0").split("\0"):
            if piece in ("{PER}", "{ORG}"):
                name = draw.choice(NAMES if piece == "{PER}" else COMPANIES)
                spans.append((len(text), len(text) + len(name), piece[1:-1]))
                piece = name
            text += piece
        yield text, spans


def golden_horse(corpus):
    """A character with its place in its word, a tab and its tag, a line; every two characters are a word here."""
    lines = []
    for text, spans in corpus:
        tags = ["O"] * len(text)
        for begin, end, category in spans:
            tags[begin:end] = [f"B-{category}.NAM"] + [f"I-{category}.NAM"] * (end - begin - 1)
        lines += [
            f"{character}{place % 2}\t{tag}" for place, (character, tag) in enumerate(zip(text, tags, strict=True))
        ]
        lines.append("")
    return "\n".join(lines)


def label_studio(corpus):
    """An export as JSON, with the fields that a project has."""
    tasks = []
    for number, (text, spans) in enumerate(corpus, start=1):
        results = [
            {"value": {"start": begin, "end": end, "text": text[begin:end], "labels": [category]},
             "id": f"r{number}-{begin}", "from_name": "label", "to_name": "text", "type": "labels", "origin": "manual"}
            for begin, end, category in spans
        ]  # fmt: skip
        annotation = {
            "id": number, "completed_by": 1, "result": results, "was_cancelled": False, "ground_truth": False,
            "created_at": "2024-05-06T07:08:09Z", "lead_time": 4.2, "prediction": {}, "result_count": 0,
        }  # fmt: skip
        tasks.append({"id": number, "annotations": [annotation], "file_upload": "texts.json", "drafts": [],
                      "predictions": [], "data": {"正文": text}, "meta": {}, "project": 1})  # fmt: skip
    return json.dumps(tasks, ensure_ascii=False)


def doccano(corpus):
    """An export as JSONL with relations: entities beside them, and comments."""
    lines = []
    for number, (text, spans) in enumerate(corpus, start=1):
        entities = [{"id": number * 10 + place, "label": category, "start_offset": begin, "end_offset": end}
                    for place, (begin, end, category) in enumerate(spans)]  # fmt: skip
        record = {"id": number, "text": text, "entities": entities, "relations": [], "Comments": []}
        lines.append(json.dumps(record, ensure_ascii=False))
    return "\n".join(lines)


SHAPES = {"golden-horse": (golden_horse, "train.conll"), "labelstudio": (label_studio, "export.json"),
          "doccano": (doccano, "admin.jsonl")}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_a_tagger_learns_from_the_raw_file(tmp_path, capsys, name):
    write, filename = SHAPES[name]
    paths = {}
    for part, count in (("train", 240), ("dev", 40)):
        paths[part] = tmp_path / part / filename
        paths[part].parent.mkdir()
        paths[part].write_text(write(sentences(count, part)), encoding="utf-8")
    settings = [
        f"data.train={paths['train']}", f"data.dev={paths['dev']}", f"data.processed={tmp_path}/processed",
        f"run.folder={tmp_path}/runs", "run.name=raw", "run.threads=1", "encoder.name=scratch", "encoder.hidden=32",
        "encoder.heads=2", "encoder.depth=1", "encoder.feed_forward=32", "flat.hidden=16", "flat.heads=2",
        "flat.feed_forward=16", "lexicon.dimension=8", "train.epochs=12", "train.encoder_rate=1e-3",
        "train.other_rate=1e-3", "train.crf_rate=1e-2",
    ]  # fmt: skip
    chosen = [word for setting in settings for word in ("--set", setting)]
    config = tmp_path / "empty.yaml"
    config.write_text("{}")
    assert preprocess.main(["--config", str(config), *chosen]) == 0
    assert "dropped nothing" in capsys.readouterr().out
    assert main.main(["--mode", "train", *chosen]) == 0
    capsys.readouterr()
    assert main.main(["--mode", "eval", *chosen]) == 0
    micro = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("micro"))
    assert float(micro.split()[3]) > 0.95, micro
