"""The documents against the code: links, sizes, commands and settings.

Commands in fenced blocks are parsed: their flags, configs and settings must exist. Words in capitals, such as FOLDER or
the C of `configs/C_small.yaml`, are placeholders. Blocks of the guides that need no real corpus stand below
`<!-- run -->` and are run, on a smaller sample with a tiny network.
"""

import io
import itertools
import re
import shlex
import shutil
import subprocess
from contextlib import chdir, redirect_stdout, suppress
from functools import cache
from pathlib import Path

import pytest
import yaml

from config import Config, load_config, systems, to_dict
from experiments.comparison import comparison
from main import main
from preprocess import COMMANDS
from preprocess import main as preprocess_main
from tests.experiments.in_process import run_script

ROOT = Path(__file__).parents[1]
LIMITS = {"README.md": 8192, "README.zh-CN.md": 8192, "RESULTS.md": 12288}  # bytes
HISTORY = ("CHANGELOG.md", "docs/results/")  # say what was set then, and may name settings that were removed
FILE_ENDINGS = {"bmes", "csv", "gz", "html", "ipynb", "json", "jsonl", "log", "md", "npy", "png", "py", "safetensors",
                "svg", "tsv", "txt", "yaml", "zip"}  # fmt: skip
SETTINGS = to_dict(Config())
FENCE = re.compile(r"^(<!-- run -->\n)?```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PLACEHOLDER = re.compile(r"(?<![A-Za-z0-9])[A-Z]+(?![A-Za-z0-9])|\$")
NAME = re.compile(rf"(?<![\w./-])(?:{'|'.join(SETTINGS)})(?:\.\w+)+")


def tracked_files():
    """Paths of all files that belong to the project, relative to its root."""
    with suppress(OSError, subprocess.CalledProcessError):
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
        if present := [name for name in listed.split("\0") if name and (ROOT / name).is_file()]:
            return present
    left_out = {"runs", "out", "origin", "addition", "processed", "vectors"}
    return [
        str(path.relative_to(ROOT))
        for path in ROOT.rglob("*")
        if path.is_file() and not any(part[0] == "." or part in left_out for part in path.relative_to(ROOT).parts[:-1])
    ]


DOCUMENTS = sorted(name for name in tracked_files() if name.endswith(".md"))
every_document = pytest.mark.parametrize("name", DOCUMENTS)


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


@cache
def removed_settings():
    """`section.key` of all rows of the tables in CHANGELOG."""
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", read("CHANGELOG.md"), re.MULTILINE)
    return {f"{section}.{key}" for section, keys in rows for key in INLINE.findall(keys)}


def is_known(setting, name):
    """Whether a document may name `section.key`, perhaps with more dotted names behind it."""
    section, key, *_ = setting.split(".")
    return key in SETTINGS.get(section, ()) or (name.startswith(HISTORY) and f"{section}.{key}" in removed_settings())


def prose(text):
    """A document without its fenced blocks."""
    return FENCE.sub("", text)


# -------------------------------------------------------------------------------------------------------------- links


def anchors(text):
    """The anchors that GitHub gives the headings of a document."""
    found, seen = set(), {}
    for heading in re.findall(r"^#+ +(.+?) *$", prose(text), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if slug in seen else slug)
        seen[slug] = seen.get(slug, 0) + 1
    return found


def broken_links(name):
    for link in LINK.findall(INLINE.sub("", prose(read(name)))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            yield link


def test_anchors_are_those_of_github():
    text = "# Wrong labels, on request!\n## `a.b` and [c](d)\n## 目录 结构\n## `a.b` and c\n```\n# no heading\n```\n"
    assert anchors(text) == {"wrong-labels-on-request", "ab-and-c", "目录-结构", "ab-and-c-1"}


@every_document
def test_links_lead_somewhere(name):
    assert list(broken_links(name)) == []


def test_both_readmes_have_the_same_links_and_blocks():
    one, other = (
        (sorted(set(LINK.findall(prose(text)))), [block for _, language, block in FENCE.findall(text) if language])
        for text in (read("README.md").replace("README.zh-CN.md", "README.md"), read("README.zh-CN.md"))
    )
    assert one == other


@pytest.mark.parametrize(("name", "limit"), LIMITS.items())
def test_front_pages_are_short(name, limit):
    assert (ROOT / name).stat().st_size <= limit


# ----------------------------------------------------------------------------------------------------------- commands


def commands(text):
    """The words of every command in the shell blocks of a document, from the script on."""
    for _, language, block in FENCE.findall(text):
        if language in ("", "bash", "console", "sh"):
            for line in block.replace("\\\n", " ").splitlines():
                if match := re.search(r"(?:^|\s)(?:python|bash) ((?:\w+/)*\w+\.(?:py|sh)\b.*)", line):
                    yield shlex.split(match[1], comments=True)


def values_of(words, flag):
    """What is given after a flag, however often: words up to the next flag."""
    for place, word in enumerate(words):
        if word == flag:
            yield from itertools.takewhile(lambda one: not one.startswith("--"), words[place + 1 :])
        elif word.startswith(f"{flag}="):
            yield word.partition("=")[2]


def expanded(word):
    """The words that the shell makes of `a{b,c}d`."""
    match = re.search(r"\{([^{}]*,[^{}]*)\}", word)
    if match is None:
        return [word]
    return [word[: match.start()] + one + word[match.end() :] for one in match[1].split(",")]


def shipped(words, flag):
    """Files of `configs/` that a flag names; without placeholders, and without the one that git ignores."""
    named = itertools.chain.from_iterable(map(expanded, values_of(words, flag)))
    return [one for one in named if one.startswith("configs/") and one != "configs/local.yaml"
            and not PLACEHOLDER.search(Path(one).stem)]  # fmt: skip


@cache
def flags_of(script, command):
    """The flags that a command line shows in the help of one of its commands, or in its own if the command is empty."""
    run = main if script == "main.py" else preprocess_main
    shown = io.StringIO()
    with redirect_stdout(shown), suppress(SystemExit):
        run([*command.split(), "--help"])
    assert shown.getvalue(), f"{script}: no command {command}"
    return {*re.findall(r"--[a-z][a-z-]*", shown.getvalue()), "--help", *command.split()[:1]}


def command_of(script, arguments):
    """The words that choose a command, such as `--mode train`."""
    if script == "main.py":
        return " ".join(["--mode", mode] if (mode := next(iter(values_of(arguments, "--mode")), "")) else [])
    return next((words for words in COMMANDS if words in {one.partition("=")[0] for one in arguments}), "")


def pairs_to_load(words, name):
    """The settings of `--set`, all of which must be known; without placeholders as values, and without removed ones."""
    for pair in values_of(words, "--set"):
        key, equals, value = pair.partition("=")
        if pair.startswith("$"):
            continue
        assert equals and "." in key and is_known(key, name), f"--set {pair}"
        of_today = is_known(key, "README.md")
        if of_today and not (re.fullmatch(r"[A-Z]+|\.\.\.", value) or "$" in value):
            yield pair


def check_command(words, name="README.md"):
    """Raise AssertionError, or what refuses the settings, unless a document may give this command."""
    script, *arguments = words
    assert (ROOT / script).is_file(), script
    if script == "set_env.sh":
        assert all(re.search(rf"^ *{re.escape(word)}\)", read(script), re.MULTILINE) for word in arguments), words
        return
    files = {flag: shipped(arguments, flag) for flag in ("--config", "--configs", "--grid")}
    assert [one for named in files.values() for one in named if not (ROOT / one).is_file()] == []
    pairs = list(pairs_to_load(arguments, name))
    for system in files["--configs"] or [None]:
        load_config([ROOT / one for one in [*files["--config"], *filter(None, [system])]], pairs)
    if script in ("main.py", "preprocess.py"):
        given = {word.partition("=")[0] for word in arguments if word.startswith("--")}
        assert given - flags_of(script, command_of(script, arguments)) == set(), words


@every_document
def test_commands_are_what_the_code_takes(name):
    for words in commands(read(name)):
        check_command(words, name)


@pytest.mark.parametrize(
    "command",
    [
        "main.py --mode train --config configs/dmo.yaml",
        "main.py --mode train --config configs/demo.yaml --set train.epoch=3",
        "main.py --mode train --config configs/demo.yaml --set train.epochs=many",
        "main.py --mode train --set train.epoch=N",
        "main.py --mode trein",
        "main.py --mode train --cofnig configs/demo.yaml",
        "preprocess.py --smaple 8",
        "main.py --mode compare --configs configs/systems/{flat,flatt}.yaml",
        "benchmarks/nothing.py",
        "set_env.sh dmeo",
    ],
)
def test_a_mistaken_command_is_noticed(command):
    with pytest.raises(Exception):  # noqa: B017 -- an assertion, or the refusal of the settings
        check_command(command.split())


@pytest.mark.parametrize(
    "command",
    [
        "main.py --mode train --config configs/C_small.yaml --config configs/local.yaml $CCF --set run.seed=S",
        "main.py --mode compare --configs configs/systems/{flat,mrc_C}.yaml --config configs/demo.yaml --seeds 3",
        "set_env.sh",
    ],
)
def test_placeholders_are_no_mistakes(command):
    check_command(command.split())


def blocks_to_run():
    for name in DOCUMENTS:
        for number, (marked, _, block) in enumerate(FENCE.findall(read(name))):
            if marked:
                yield pytest.param(block, id=f"{name}-{number}")


# What makes the commands of the documents short enough for a test.
SMALLER = {"--sample 600": "--sample 24", "FOLDER": "data/origin/sample/test_data", "--seeds 3 --jobs 2": "--seeds 1"}
TINY = {
    "encoder": {"name": "scratch", "hidden": 16, "heads": 2, "depth": 1, "feed_forward": 32},
    "flat": {"hidden": 16, "heads": 2, "feed_forward": 32},
    "train": {"epochs": 5, "batch_size": 32, "precision": "float32"},
    "run": {"threads": 1},
}
DEMO = """```
python preprocess.py --sample 600 --config configs/demo.yaml
python main.py --mode train --config configs/demo.yaml --resume
python main.py --mode eval --config configs/demo.yaml --split test
```
"""


def run_commands(text):
    """Run the commands of a document in this process."""
    for old, new in SMALLER.items():
        text = text.replace(old, new)
    for script, *arguments in commands(text):
        with suppress(SystemExit):  # after --help
            assert {"main.py": main, "preprocess.py": preprocess_main}[script](arguments) == 0, (script, *arguments)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the configurations, the demo's made tiny, in which commands may write; with the demo's trained run."""
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "configs", folder / "configs")
    for name in ("demo", "dictionary_demo"):
        path = folder / "configs" / f"{name}.yaml"
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
        changed = {section: settings.get(section, {}) | values for section, values in TINY.items()}
        path.write_text(yaml.safe_dump(settings | changed), encoding="utf-8")
    with chdir(folder):
        run_commands(DEMO)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("block", list(blocks_to_run()))
def test_marked_blocks_run(block, copy, monkeypatch):
    monkeypatch.chdir(copy)
    monkeypatch.setattr(comparison, "run_script", run_script)
    run_commands(f"```\n{block}```\n")


def test_every_block_of_the_guides_that_needs_no_corpus_is_run():
    real = re.compile(r"set_env\.sh|configs/(?!demo|dictionary_demo|grids|systems|encoders)|runs/[A-Z]\b")
    guides = [name for name in DOCUMENTS if not name.startswith("docs/results/")]
    unmarked = [block for name in guides for marked, _, block in FENCE.findall(read(name))
                if not marked and list(commands(f"```\n{block}```\n")) and not real.search(block)]  # fmt: skip
    assert unmarked == []


def test_the_demo_is_the_one_that_the_script_runs():
    ran = re.findall(r"(?:python|bin/python) (.*)", read("set_env.sh")[read("set_env.sh").index("demo()") :])[:3]
    assert [line.replace('"$config"', "configs/demo.yaml") for line in ran] == [
        " ".join(words) for words in commands(DEMO)
    ]


# ----------------------------------------------------------------------------------------------------------- settings


def unknown_settings(text, name):
    for code in INLINE.findall(prose(text)):
        for setting in NAME.findall(code):
            if setting.rpartition(".")[2] not in FILE_ENDINGS and not is_known(setting, name):
                yield setting


@every_document
def test_settings_are_known(name):
    assert list(unknown_settings(read(name), name)) == []


def test_a_removed_setting_belongs_to_history():
    assert "averaging.every" in removed_settings()
    assert is_known("averaging.never_there", "docs/results/speed.md") is False
    assert is_known("averaging.every", "CHANGELOG.md")


def test_unknown_settings_are_noticed():
    text = "`train.epoch` `--set mix.wieghts.A=2` `train.epochs` `train.log` `train.char.bmes` `data/train.json`"
    assert list(unknown_settings(text, "README.md")) == ["train.epoch", "mix.wieghts.A"]


@every_document
def test_settings_given_in_prose_load(name):
    for code in INLINE.findall(prose(read(name))):
        if code.startswith("--set ") and not code.startswith("--set section.key"):
            load_config([], list(pairs_to_load(shlex.split(code), name)))


@every_document
def test_yaml_blocks_load(name, tmp_path, monkeypatch):
    names = [*systems(), *re.findall(r"^# model/networks/(\w+)\.py$", read(name), re.MULTILINE)]
    monkeypatch.setattr("config.systems", lambda: names)  # with those that the document adds
    for _, language, block in FENCE.findall(read(name)):
        if language != "yaml":
            continue
        values = yaml.safe_load(block)
        if set(values) <= set(SETTINGS):
            path = tmp_path / "block.yaml"
            path.write_text(block, encoding="utf-8")
            load_config([path])
        else:  # a grid: the settings of each system
            for changes in values.values():
                load_config([ROOT / "configs/demo.yaml"], [f"{key}={value}" for key, value in (changes or {}).items()])
