"""Votes on disk, and counted."""

import random

import pytest

from data.corpus.document import Document
from data.spans import JudgedSpan, Span
from experiments.denoising.votes import Ballot, Tally, count_votes
from model.reading.vote_files import write_votes
from utils.errors import UserError

TEXT = "天地玄黄宇宙洪荒日月盈昃"


def test_votes_are_counted_by_document_category_begin_and_end(tmp_path):
    draw = random.Random(3)
    documents = [Document(str(number), TEXT) for number in range(4)]
    files, slow = [], {}
    for voter in range(5):
        read = [document for document in documents if draw.random() < 0.7]
        candidates = []
        for document in read:
            own = {(draw.choice("ab"), begin, begin + draw.randrange(2)) for begin in draw.sample(range(8), 4)}
            candidates.append([JudgedSpan(*span, draw.random(), draw.random() < 0.5) for span in sorted(own)])
            for one in candidates[-1]:
                slow.setdefault((document.id, *one[:3]), []).append(one)
        files.append(tmp_path / f"{voter}.jsonl")
        write_votes(files[-1], read, candidates)
        for document in read:
            slow.setdefault(document.id, []).append(voter)
    ballots = count_votes(files)
    assert set(ballots) == {document.id for document in documents if document.id in slow}
    for identity, ballot in ballots.items():
        voters = len(slow[identity])
        assert ballot.voters == voters
        assert {(identity, *span) for span in ballot.spans} == {key for key in slow if key[0] == identity and key[1:]}
        for span, tally in ballot.spans.items():
            ones = slow[(identity, *span)]
            assert tally.votes == sum(one.found for one in ones)
            assert tally.voters == voters
            assert tally.probability == pytest.approx(sum(one.probability for one in ones) / voters, abs=1e-5)
            assert tally.share == tally.votes / voters


def test_votes_of_two_documents_never_mix(tmp_path):
    """Earlier code counted without the document: the same span in two documents added up."""
    span = ("a", 2, 3)
    write_votes(tmp_path / "0", [Document("0", TEXT), Document("1", TEXT)], [[JudgedSpan(*span, 0.9, True)], []])
    write_votes(tmp_path / "1", [Document("0", TEXT), Document("1", TEXT)], [[], [JudgedSpan(*span, 0.7, True)]])
    ballots = count_votes([tmp_path / "0", tmp_path / "1"])
    assert ballots["0"].of(Span(*span)) == Tally(1, 2, 0.45)
    assert ballots["1"].of(Span(*span)) == Tally(1, 2, 0.35)
    assert ballots["1"].of(Span("b", 2, 3)) == Tally(0, 2, 0)


def test_a_document_of_which_nothing_is_thought_has_its_voter(tmp_path):
    write_votes(tmp_path / "0", [Document("0", TEXT)], [[]])
    assert count_votes([tmp_path / "0"]) == {"0": Ballot(1, {})}


@pytest.mark.parametrize("content", ["{", '{"id": "0"}\n', '{"id": "0", "candidates": [{}]}\n', "[]\n", None])
def test_a_file_that_holds_no_votes_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "0").write_text(content)
    with pytest.raises(UserError, match="cannot be read as votes"):
        count_votes([tmp_path / "0"])
