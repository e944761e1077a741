"""The scan against hand-made counts and against the brute-force oracle."""

from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import oracle
from count_cases import make_fact, numbers, write_shard
from unequal.counting.matching import MATCHERS
from unequal.counting.scan.counter import ScanCounter, ScanOptions
from unequal.counting.scan.definition import Definition
from unequal.errors import DataError

# name: documents, subject names, object names, window, the six numbers
PITFALLS = {
    "the shape A B B A B": (["A B B A B"], ["A"], ["B"], 100, (2, 3, 1, 1, 6, 2)),
    "the shape, window 1": (["A B B A B"], ["A"], ["B"], 1, (2, 3, 1, 1, 3, 2)),
    "the shape, window 0": (["A B B A B"], ["A"], ["B"], 0, (2, 3, 1, 0, 0, 0)),
    "nested names": (
        ["Equatorial Guinea and Malabo; Guinea-Bissau"],
        ["Guinea"],
        ["Malabo"],
        3,
        (2, 1, 1, 1, 2, 1),
    ),
    "subject inside object": (["In Mexico City."], ["Mexico"], ["Mexico City"], 0, (1, 1, 1, 1, 1, 1)),
    "overlapping aliases": (["Timor-Leste, Dili"], ["Timor", "Timor-Leste"], ["Dili"], 5, (1, 1, 1, 1, 1, 1)),
    "chained aliases": (["a b c x"], ["a b", "b c"], ["x"], 3, (1, 1, 1, 1, 1, 1)),
    "alias inside an alias": (["a b c"], ["a b c", "b"], ["a b c"], 3, (1, 1, 1, 0, 0, 0)),
    "adjacent aliases": (["foo.bar x"], ["foo.", "bar"], ["x"], 9, (1, 1, 1, 1, 1, 1)),
    "name over itself": (["pago pago pago x"], ["Pago Pago"], ["x"], 9, (1, 1, 1, 1, 1, 1)),
    "subject is object, once": (["Singapore"], ["Singapore"], ["Singapore"], 9, (1, 1, 1, 0, 0, 0)),
    "subject is object, twice": (
        ["Singapore, Singapore"],
        ["Singapore"],
        ["Singapore"],
        9,
        (2, 2, 1, 1, 2, 2),
    ),
    "shared alias, same stretch": (
        ["Congo and Kin"],
        ["Congo", "DRC"],
        ["Kin", "Congo"],
        9,
        (1, 2, 1, 1, 1, 1),
    ),
    "U.S.": (["the U.S. army, a U.S.-based one, the U.S.A. now"], ["U.S."], ["army"], 2, (2, 1, 1, 1, 2, 1)),
    "O'Brien": (["O'Brien met O'Brienne and xO'Brien"], ["O'Brien"], ["met"], 2, (1, 1, 1, 1, 1, 1)),
    "hyphens": (["Guinea-Bissau: Bissau"], ["Guinea-Bissau"], ["Bissau"], 9, (1, 2, 1, 1, 2, 1)),
    "digits and underscores": (
        ["Lima2 2Lima _Lima Lima_ Lima's Perus (Lima)Peru"],
        ["Peru"],
        ["Lima"],
        9,
        (1, 2, 1, 1, 2, 1),
    ),
    "case": (["PERU peru Lima LIMA"], ["Peru"], ["lima"], 9, (2, 2, 1, 1, 4, 2)),
    "NFC and NFD": (["Bogota\u0301 Bogot\u00e1 Bogota"], ["Bogot\u00e1"], ["Bogota"], 9, (2, 1, 1, 1, 2, 1)),
    "NFKC": (["Ｐａｒｉｓ ﬁn Paris"], ["Paris"], ["fin"], 9, (2, 1, 1, 1, 2, 1)),
    "sharp s": (["Gießen GIESSEN Gießener"], ["Gießen"], ["giessen"], 9, (2, 2, 1, 1, 2, 2)),
    "dotted capital i": (
        ["İzmir izmir i\u0307zmir ALİ ali"],
        ["İzmir"],
        ["Ali"],
        9,
        (2, 1, 1, 1, 2, 1),
    ),
    "marks without a letter": (["\u2764\ufe0fParis\u20e3 x"], ["Paris"], ["x"], 9, (0, 1, 0, 0, 0, 0)),
    "emoji": (["\u2764\ufe0fParis x"], ["Paris"], ["x"], 9, (1, 1, 1, 1, 1, 1)),
    "Chinese": (["我住在東京都。日本的首都是東京"], ["日本"], ["東京"], 5, (1, 2, 1, 1, 1, 1)),
    "Chinese beside Latin": (["我在Paris住, Parisian法国"], ["法国"], ["paris"], 9, (1, 1, 1, 1, 1, 1)),
    "Thai": (["กรุงเทพเป็นเมืองหลวงของประเทศไทย"], ["ไทย"], ["กรุงเทพ"], 99, (1, 1, 1, 1, 1, 1)),
    "Thai mark": (["กรุง กร"], ["กร"], ["กรุง"], 9, (1, 1, 1, 1, 1, 1)),
    "Thai distance": (["x กุกุ y"], ["x"], ["y"], 3, (1, 1, 1, 1, 1, 1)),
    "Hangul has spaces": (["서울은 서울 한국"], ["한국"], ["서울"], 9, (1, 1, 1, 1, 1, 1)),
    "Devanagari marks": (["दिल्ली में भारत, दिल"], ["भारत"], ["दिल"], 9, (1, 1, 1, 1, 1, 1)),
    "white space": (["New\n\tYork\u00a0City", "New  York"], ["new york"], ["city"], 9, (2, 1, 1, 1, 1, 1)),
    "document borders": (["New", "York x", "x New", "York"], ["New York"], ["x"], 9, (0, 2, 0, 0, 0, 0)),
    "pairs across borders": (["a", "b", "a b"], ["a"], ["b"], 9, (2, 2, 1, 1, 1, 1)),
    "empty documents": (["", "a b", "", "   ", "b a", ""], ["a"], ["b"], 1, (2, 2, 2, 2, 2, 2)),
    "nothing found": (["x y", ""], ["a"], ["b"], 1, (0, 0, 0, 0, 0, 0)),
    "no documents": ([], ["a"], ["b"], 1, (0, 0, 0, 0, 0, 0)),
    "name of punctuation": (["a ?! b", "a?! b"], ["?!"], ["b"], 1, (1, 2, 1, 1, 1, 1)),
    "repeated documents": (["a b", "a b"], ["a"], ["b"], 1, (2, 2, 2, 2, 2, 2)),
    "longer than a key": (
        ["Constantinople, Constantinopolitan"],
        ["Constantinople"],
        ["x"],
        9,
        (1, 0, 0, 0, 0, 0),
    ),
    "half surrogate": (["a \ud800 b é"], ["a"], ["b"], 1, (1, 1, 1, 1, 1, 1)),
}


# name: choices of the definition, documents, subject names, object names, window, the six numbers
CHOICES = {
    "characters": ({"window_unit": "characters"}, ["é Xy Z"], ["é"], ["Z"], 5, (1, 1, 1, 1, 1, 1)),
    "characters, too far": ({"window_unit": "characters"}, ["é Xy Z"], ["é"], ["Z"], 4, (1, 1, 1, 0, 0, 0)),
    "gap in words": ({"distance": "gap"}, ["New York x Lima"], ["New York"], ["Lima"], 1, (1, 1, 1, 1, 1, 1)),
    "gap in words, too far": (
        {"distance": "gap"},
        ["A B x y Lima"],
        ["A B"],
        ["Lima"],
        1,
        (1, 1, 1, 0, 0, 0),
    ),
    "gap of none": ({"distance": "gap"}, ["New York Lima"], ["Lima"], ["New York"], 0, (1, 1, 1, 1, 1, 1)),
    "gap inside": (
        {"distance": "gap"},
        ["New York City"],
        ["York"],
        ["New York City"],
        0,
        (1, 1, 1, 1, 1, 1),
    ),
    "gap across documents": ({"distance": "gap"}, ["a", "b"], ["a"], ["b"], 9, (1, 1, 0, 0, 0, 0)),
    "gap in characters": (
        {"distance": "gap", "window_unit": "characters"},
        ["Lima, Peru"],
        ["Peru"],
        ["Lima"],
        2,
        (1, 1, 1, 1, 1, 1),
    ),
    "longest": (
        {"nested": "longest"},
        ["Equatorial Guinea; Guinea"],
        ["Guinea"],
        ["Equatorial Guinea"],
        9,
        (1, 1, 1, 1, 1, 1),
    ),
    "longest takes from the left": (
        {"nested": "longest"},
        ["a b c b c"],
        ["a b"],
        ["b c"],
        9,
        (1, 1, 1, 1, 1, 1),
    ),
    "longest of a chain": ({"nested": "longest"}, ["a a a a a"], ["a a"], ["a"], 9, (2, 1, 1, 1, 2, 1)),
    "exact": ({"case": "exact"}, ["us US Us us"], ["US"], ["us"], 9, (1, 2, 1, 1, 2, 1)),
    "exact after marks that change places": (
        {"case": "exact"},
        ["İุ東 a"],
        ["a"],
        ["東"],
        9,
        (1, 1, 1, 1, 1, 1),
    ),
    "acronyms": (
        {"case": "acronyms"},
        ["us US Peru PERU u.s. U.S."],
        ["US", "U.S."],
        ["Peru"],
        9,
        (2, 2, 1, 1, 4, 2),
    ),
    "repeated documents once": (
        {"repeated": "once"},
        ["a b", "x", "a b", "b a"],
        ["a"],
        ["b"],
        1,
        (2, 2, 2, 2, 2, 2),
    ),
}


@pytest.fixture(params=list(MATCHERS))
def matcher(request):
    if request.param == "hyperscan":
        pytest.importorskip("hyperscan")
    return request.param


@pytest.mark.parametrize("block_size", [1, 1 << 20])
@pytest.mark.parametrize("case", PITFALLS)
def test_pitfall(scan, case, block_size, matcher):
    documents, (subject, *subjects), (object_, *objects), window, expected = PITFALLS[case]
    fact = make_fact(subject, object_, subject_aliases=subjects, object_aliases=objects)
    assert oracle.count(documents, [subject, *subjects], [object_, *objects], window) == expected
    assert scan(documents, [fact], window, block_size=block_size, matcher=matcher) == [expected]


@pytest.mark.parametrize("case", CHOICES)
def test_choice_of_definition(scan, case, matcher):
    choices, documents, (subject, *subjects), (object_, *objects), window, expected = CHOICES[case]
    fact = make_fact(subject, object_, subject_aliases=subjects, object_aliases=objects)
    assert scan(documents, [fact], window, matcher=matcher, **choices) == [expected]


def test_one_alias_may_count_only_as_written(scan):
    documents = ["Turkey and turkey, Ankara; ANKARA", "İzmir izmir İZMİR i\u0307zmir"]
    turkey = make_fact("Turkey", "Ankara", "1", case_sensitive=["Turkey"])
    both = make_fact(
        "TURKEY", "Ankara", "2", subject_aliases=["turkey", "Türkiye"], case_sensitive=["turkey"]
    )
    izmir = make_fact("İzmir", "izmir", "3", case_sensitive=["İzmir", "izmir"])
    found = scan(documents, [turkey, both, izmir])
    assert [row[:2] for row in found] == [(1, 2), (2, 2), (1, 1)]


def test_a_name_of_the_wrong_case_hides_nothing(scan):
    fact = make_fact("US Army", "army", "1", case_sensitive=["US Army"])
    assert scan(["us army, US Army"], [fact], nested="longest")[0][:2] == (1, 1)


def test_case_sensitive_names_must_be_names(scan):
    with pytest.raises(DataError, match="fact 'f': case_sensitive lists 'Turkye'"):
        scan(["a"], [make_fact("Turkey", "b", case_sensitive=["Turkye"])])


def test_facts_do_not_disturb_each_other(scan):
    documents = ["Congo, DRC, Kinshasa and Brazzaville", "Congo Brazzaville"]
    facts = [
        make_fact("DRC", "Kinshasa", "1", subject_aliases=["Congo"]),
        make_fact("Congo (Brazzaville)", "Brazzaville", "2", subject_aliases=["Congo"]),
        make_fact("DRC", "Kinshasa", "3", subject_aliases=["Congo"]),
        make_fact("DRC", "Brazzaville", "4", subject_aliases=["Congo"]),
        make_fact("Brazzaville", "DRC", "5", object_aliases=["Congo"]),
    ]
    together = scan(documents, facts)
    assert together == [scan(documents, [fact])[0] for fact in facts]
    assert together[0] == (3, 1, 1, 1, 2, 1)
    assert together[1] == (2, 2, 2, 2, 2, 2)
    assert together[2] == together[0]
    assert together[3] == (3, 2, 2, 2, 3, 2)
    assert together[4] == (2, 3, 2, 2, 3, 2)


def test_a_name_that_is_nothing_is_refused(scan):
    with pytest.raises(DataError, match="fact 'f': nothing is left of the name"):
        scan(["a"], [make_fact("\x1f", "b")])


PIECES = [
    "a", "b", "A", "B", "ab", "_", "1", ".", "-", " ", " ", "\n", "é", "É", "e\u0301", "\u0301",
    "ß", "İ", "東", "京", "ก", "ุ", "abcdefgh", "constantinople",
]  # fmt: skip
texts = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)
names = (
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=3)
    .map("".join)
    .map(str.strip)
    .filter(oracle.normal)
)
aliases = st.lists(names, min_size=1, max_size=3)


@settings(max_examples=600, deadline=None)
@given(
    documents=st.lists(texts, max_size=6),
    named=st.lists(st.tuples(aliases, aliases, st.integers(0, 6)), min_size=1, max_size=4),
    window=st.one_of(st.integers(0, 8), st.just(10**12)),
    unit=st.sampled_from(["words", "characters"]),
    distance=st.sampled_from(["start", "gap"]),
    nested=st.sampled_from(["all", "longest"]),
    case=st.sampled_from(["fold", "exact", "acronyms"]),
    repeated=st.sampled_from(["count", "once"]),
    matcher=st.sampled_from(["words", "ahocorasick"]),
    cuts=st.lists(st.integers(0, 6), max_size=3),
    block_size=st.sampled_from([1, 7, 30, 1 << 20]),
)
def test_scan_equals_the_oracle(
    tmp_path_factory,
    documents,
    named,
    window,
    unit,
    distance,
    nested,
    case,
    repeated,
    matcher,
    cuts,
    block_size,
):
    # The oracle compares case letter by letter, which needs as many before the folding as after it.
    assume(all(len(oracle.cased(text)) == len(oracle.normal(text)) for text in documents))
    folder = tmp_path_factory.mktemp("split")
    edges = [0, *sorted(min(cut, len(documents)) for cut in cuts), len(documents)]
    for number, (first, last) in enumerate(pairwise(edges)):
        write_shard(folder / f"{number}.jsonl", documents[first:last])
    asked = [([*subject], [*object_], [*subject, *object_][:n]) for subject, object_, n in named]
    facts = [
        make_fact(
            subject[0],
            object_[0],
            str(i),
            subject_aliases=subject[1:],
            object_aliases=object_[1:],
            case_sensitive=as_written,
        )
        for i, (subject, object_, as_written) in enumerate(asked)
    ]
    definition = Definition(window, unit, distance, nested, case, repeated)
    counter = ScanCounter(
        f"{folder}/*.jsonl", definition, ScanOptions(matcher=matcher, block_size=block_size, workers=1)
    )
    texts = list(dict.fromkeys(documents)) if repeated == "once" else documents
    expected = oracle.count_all(texts, asked, window, unit, distance, nested, case)
    assert [numbers(count) for count in counter.count(facts)] == expected


def test_progress_rises_to_the_size_of_the_shards(tmp_path):
    shards = [write_shard(tmp_path / f"{i}.jsonl.gz", ["a b"] * 5) for i in range(3)]
    seen = []
    counter = ScanCounter(str(tmp_path / "*.gz"), running=ScanOptions(block_size=1, workers=1))
    counter.count([make_fact("a", "b")], lambda done, total: seen.append((done, total)))
    total = sum(shard.stat().st_size for shard in shards)
    assert seen == sorted(seen)
    assert seen[-1] == (total, total)
    assert {of for _, of in seen} == {total}


@pytest.mark.parametrize(
    ("document", "subject", "n_subjects"),
    [
        ("Windrose\u2122 is made by Quillco\u2120.", "Windrose", 1),
        ("Torvale\u00b2 lies in Estland\u00b9.", "Torvale", 1),
        ("Bexley\u2460 in Norland\u24b6.", "Bexley", 1),
        ("1\u00ba Bexley\u00aa", "Bexley", 1),
        ("Ham\u00adfurt", "Hamfurt", 1),
        ("Kel\u200bburn", "Kelburn", 1),
        ("\ufeffDor\u2060vik", "Dorvik\u200e", 1),
        ("An Iran\u00adian poet", "Iran", 0),
        ("An Iran\u200dian poet", "Iran", 0),
        ("CO\u2082 and CO2", "CO2", 2),
        ("CO\u2082", "CO", 0),
        ("Jean\u2011Paul, Jean-Paul, Jean\u2013Paul, Jean Paul", "Jean\u2010Paul", 3),
        ("O'Brien, O\u2019Brien, O\u02bcBrien, O`Brien", "O\u2018Brien", 4),
        ("Guns N\u2019 Roses", "Guns N' Roses", 1),
        ("Hawai\u02bbi and Hawai'i", "Hawai\u2019i", 2),
        ("the K\u02bciche\u02bc kingdom", "K", 0),
    ],
)
def test_signs_and_invisible_characters_and_spellings(document, subject, n_subjects, scan):
    fact = make_fact(subject, "poet")
    assert scan([document], [fact])[0][0] == n_subjects
    assert oracle.count_all([document], [((subject,), ("poet",), ())])[0][0] == n_subjects


def test_exact_spelling_tells_dashes_and_apostrophes_apart(scan):
    fact = make_fact("Jean-Paul", "O\u2019Brien", case_sensitive=["O\u2019Brien"])
    documents = ["Jean\u2011Paul O'Brien", "Jean-Paul O\u2019Brien", "jean-paul o\u2019brien"]
    assert scan(documents, [fact])[0][:2] == (3, 2)
    assert scan(documents, [fact], spelling="exact")[0][:2] == (2, 1)
