"""What ``unequal facts check`` says of names with characters that nobody sees."""

import json

from command_line import call


def check(path, *names):
    columns = {"relation": "r", "object": "Paris", "question": "q", "answer": "Paris"}
    rows = [{"fact_id": f"f{at}", "subject": name, **columns} for at, name in enumerate(names)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = call("facts", "check", str(path))
    assert result.code == 0
    return " ".join(result.out.split())


def test_invisible_characters_in_names_are_named(tmp_path):
    said = check(tmp_path / "facts.jsonl", "Dorvik\u200e", "Ham\u00adfurt\u00ad", "Oslo")
    assert "names with characters that nobody sees: 2" in said
    assert "f0" in said
    assert "U+200E" in said
    assert "U+00AD" in said
    assert "Hamfurt" in said


def test_nothing_is_said_of_names_in_plain_sight(tmp_path):
    assert "nobody sees" not in check(tmp_path / "facts.jsonl", "Oslo", "東京", "O’Brien")
