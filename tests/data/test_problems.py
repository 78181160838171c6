"""What readers say of what they could not use as it stands."""

from data.problems import Problems


def test_problems_are_shown_up_to_twenty_and_then_counted():
    problems = Problems(keep=30)
    assert problems.report() == "dropped nothing"
    for number in range(25):
        problems.add("empty text", f"{number}.txt")
    for number in range(10):
        problems.change("odd", "b.txt", f"{number} to 7")
    first, *middle, more, summary = problems.report().splitlines()
    assert first == "  0.txt: empty text" and len(middle) == 19 and more == "  ... and 15 more"
    assert summary == "dropped 25: empty text 25; changed 10: odd 10"
    assert len(problems.messages) == 30 and problems.messages[25] == "b.txt: odd: 0 to 7"
