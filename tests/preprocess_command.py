"""What tests of preprocess.py share; the fixture that runs it is in conftest.py."""

from data.corpus.document import to_json


def write_jsonl(path, documents):
    path.write_text("".join(to_json(document) + "\n" for document in documents), encoding="utf-8")
    return path


def left_over(workspace):
    """What a failed run must not leave behind."""
    return sorted(str(path) for path in workspace.folder.rglob(".*"))


def refused(run, workspace, *overrides, arguments=()):
    """The one line of a refused run, which leaves nothing half-written."""
    status, out, err = run(*overrides, arguments=arguments)
    assert status == 2
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("preprocess.py: ")
    assert "Traceback" not in err
    assert left_over(workspace) == []
    return err
