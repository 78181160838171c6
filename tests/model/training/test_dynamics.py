"""What a network thinks of its own training documents is written after every epoch but the first."""

from data.processed import load_processed
from data.spans import Span
from model.reading.tagger import Tagger
from model.reading.vote_files import judge_documents, read_votes
from model.run_folder import dynamics_files, fold_folder, load_parts


def test_every_epoch_but_the_first_judges_the_training_documents(run):
    config, _ = run("dynamics", "train.dynamics=true", "train.epochs=3", "train.select=last")
    files = dynamics_files(fold_folder(config.run_folder, 0), 3)
    assert [path.name for path in files] == ["epoch2.jsonl", "epoch3.jsonl"] and all(path.exists() for path in files)
    processed = load_processed(config)
    votes = [dict(read_votes(path)) for path in files]
    documents = [one for one, part in zip(processed.documents, processed.parts, strict=True)
                 if part == "train" and one.id in votes[0]]  # fmt: skip
    assert len(documents) == len(votes[0]) > 0 and votes[0].keys() == votes[1].keys()
    # The network of the last epoch, read from its weights, thinks the same.
    parts = load_parts(config.run_folder)
    (reader,) = Tagger(parts).readers
    judged = judge_documents(reader, documents, parts.vocabulary, parts.lexicon)
    for document, own in zip(documents, judged, strict=True):
        recorded = {span: (found, probability) for span, found, probability in votes[1][document.id]}
        assert recorded == {Span(*one[:3]): (one.found, round(one.probability, 6)) for one in own}
        assert {span for span in document.spans if span.end - span.begin < config.data.max_len} <= recorded.keys()
    assert votes[0] != votes[1]


def test_a_network_that_is_not_watched_writes_nothing(plain_run):
    config, _ = plain_run
    assert not (fold_folder(config.run_folder, 0) / "dynamics").exists()
