"""Task files of a folder run no code that nobody allowed by name, whichever way they would."""

import py_compile
import shutil

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from command_line import call
from unequal.errors import ConfigError, DataError, UserError
from unequal.lm_eval_bridge.export import LOADER
from unequal.lm_eval_bridge.trust import check_task_folder, without_code

pytest.importorskip("lm_eval")

TASK = """task: mine
dataset_path: json
dataset_kwargs: {data_files: {test: rows.jsonl}}
test_split: test
output_type: generate_until
doc_to_text: "{{q}}"
doc_to_target: "{{a}}"
metric_list: [{metric: exact_match}]
"""
CODE = "from pathlib import Path\nPath(__file__).with_name('ran').touch()\ndef f(*x, **y): return x[0]\n"

refused = pytest.mark.fault(
    "a task file of lm-eval comes with code of its own, or a template that reaches for it",
    "it is refused in one sentence, and not run, unless the folder is allowed by its very name",
)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "tasks" / "below").mkdir(parents=True)
    (tmp_path / "tasks" / "code.py").write_text(CODE)
    (tmp_path / "outside.yaml").write_text("process_docs: !function tasks.code.f\n")
    return tmp_path / "tasks"


def sentence(folder):
    with pytest.raises(ConfigError) as caught:
        check_task_folder(folder)
    message = str(caught.value)
    assert f"allow the folder by name: UNEQUAL_TRUST_REMOTE_CODE={folder}" in message
    assert not list(folder.parent.rglob("ran"))
    assert "\n" not in message
    return message


CASES = {
    "a function beside the file": ("process_docs: !function code.f", "names the function code.f"),
    "a function of Python's own": ("process_docs: !function os.system", "names the function os.system"),
    "a function deep inside": ("x: [{y: [!function code.f]}]", "names the function code.f"),
    "a function for a key": ("? !function code.f\n: 1", "names the function"),
    "a class": ("class: !function code.Task", "names the function code.Task"),
    "a function in other words": ("process_docs: !<!function> code.f", "names the function code.f"),
    "a metric": ("metric_list: [{metric: !function code.f}]", "names the function code.f"),
    "a filter": ("filter_list: [{filter: [{function: custom, filter_fn: !function code.f}]}]", "code.f"),
    "a sampler": ("fewshot_config: {sampler: !function code.f}", "names the function code.f"),
    "the loader by another name": ("custom_dataset: !function below.load", "names the function below.load"),
    "a Python object": ("x: !!python/object/apply:os.system [id]", "make a Python object"),
    "a Python name": ("x: !!python/name:os.system ''", "make a Python object"),
    "a data script": ("dataset_path: ./reads.py", "the script ./reads.py"),
    "pickled data": ("dataset_path: pandas", "the script pandas"),
    "trust for what is fetched": ("dataset_kwargs: {trust_remote_code: true}", "sets trust_remote_code"),
    "trust in an inline task": ("task: [{task: x, dataset_kwargs: {trust_remote_code: yes}}]", "sets trust"),
    "a metric of the library evaluate": (
        "metric_list: [{metric: bleu, hf_evaluate: true}]",
        "library evaluate",
    ),
    "a metric that is a file": ("metric_list: [{metric: ./code.py}]", "none of lm-eval's own"),
    "a file outside": ("include: ../outside.yaml", "outside the folder"),
    "a file anywhere": ("include: /etc/hostname", "outside the folder"),
    "one of several files": ("include: [below/plain, ../outside.yaml]", "outside the folder"),
    "an included file": ("include: below/function", "names the function"),
}


@refused
@pytest.mark.parametrize(("line", "words"), CASES.values(), ids=CASES)
def test_code_is_found_before_it_runs(folder, line, words):
    (folder / "below" / "plain").write_text("num_fewshot: 0\n")
    (folder / "below" / "function").write_text("process_docs: !function code.f\n")
    (folder / "below" / "mine.yaml").write_text(TASK)
    check_task_folder(folder)
    (folder / "below" / "other.yaml").write_text(line + "\n")
    if "include" in line:
        (folder / "other.yaml").write_text(line + "\n")
        (folder / "below" / "other.yaml").unlink()
    assert words in sentence(folder)


@refused
def test_a_folder_with_a_script_of_its_name_is_code(folder, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "data.py").write_text(CODE)
    (folder / "mine.yaml").write_text(f"task: mine\ndataset_path: {tmp_path / 'data'}\n")
    assert "the script" in sentence(folder)


@refused
def test_a_tag_by_a_handle_is_the_same_tag(folder):
    (folder / "mine.yaml").write_text("%TAG !e! !func\n---\nprocess_docs: !e!tion code.f\n")
    assert "names the function code.f" in sentence(folder)


@refused
def test_a_link_that_leads_outside_is_refused(folder):
    (folder / "mine.yaml").symlink_to(folder.parent / "outside.yaml")
    assert "outside the folder" in sentence(folder)


@refused
def test_the_loader_that_is_written_by_us_is_known_and_no_other(folder):
    (folder / "mine.yaml").write_text("task: mine\ncustom_dataset: !function load.load\n")
    assert "names the function load.load" in sentence(folder)  # one of that name could be importable
    (folder / "load.py").write_text(LOADER)
    check_task_folder(folder)
    (folder / "load.py").write_text(LOADER + CODE)
    assert "names the function load.load" in sentence(folder)


@refused
def test_compiled_code_beside_the_loader_is_not_taken_for_it(folder):
    from lm_eval.tasks._yaml_loader import load_yaml

    (folder / "mine.yaml").write_text("task: mine\ncustom_dataset: !function load.load\n")
    (folder / "load.py").write_text(CODE + "load = f\n")
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compiled = py_compile.compile(str(folder / "load.py"), doraise=True, invalidation_mode=mode)
    (folder / "load.py").write_text(LOADER)
    with without_code(folder):
        assert load_yaml(folder / "mine.yaml")["custom_dataset"].__code__.co_varnames[0] == "file"
    assert not (folder / "ran").exists() and compiled


@refused
@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ cycler.__init__.__globals__.os.system('id') }}",
        "{{ self.__init__.__globals__ }}",
        "{% set x = q.__init__ %}{{ x.__globals__ }}",
        "{{ q | attr('__class__') }}{{ (q | attr('__class__')).__mro__ }}",
        "{{ '%s'.__mod__.__class__ }}",
        "{{ lipsum.__globals__ }}",
    ],
)
def test_a_template_does_not_reach_into_python(folder, template):
    from jinja2.exceptions import TemplateError
    from lm_eval import utils

    before = utils.env
    with without_code(folder):
        assert utils.apply_template("{{q}} {{ q | regex_replace('a', 'b') }} {{ [q] + [1] }}", {"q": "a"})
        with pytest.raises(TemplateError):
            utils.apply_template(template, {"q": "a"})
    assert utils.env is before


def test_what_is_allowed_by_name_runs(folder, monkeypatch):
    from lm_eval import utils

    (folder / "mine.yaml").write_text("task: mine\nprocess_docs: !function code.f\n")
    monkeypatch.setenv("UNEQUAL_TRUST_REMOTE_CODE", f"{folder.parent},{folder}x")
    sentence(folder)
    monkeypatch.setenv("UNEQUAL_TRUST_REMOTE_CODE", f"other,{folder}")
    check_task_folder(folder)
    free = utils.env
    with without_code(folder):
        assert utils.env is free


@refused
def test_the_command_refuses_before_it_looks_at_the_model(folder):
    (folder / "mine.yaml").write_text(TASK + "process_docs: !function code.f\n")
    result = call("lm-eval", "--model", folder / "no model", "--tasks", "mine", "--task-dir", folder)
    assert (result.code, result.out) == (2, "")
    assert "code of their own, which is not run" in result.err and result.err.count("\n") == 1
    assert not (folder / "ran").exists()


@pytest.mark.parametrize(
    "text",
    ["task: [", "task: !unknown x", "\x00", "a: 1\n---\nb: 2", "[" * 5000, "include: {a: 1}",
     "include: gone.yaml", "include: below", "x: 2024-99-99", "? {a: 1}\n: 2", "&a [*a, *b]",
     "process_docs: !function [a]"],
    ids=lambda text: ascii(text[:20]),
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_named_in_one_sentence(folder, text):
    (folder / "mine.yaml").write_text(text + "\n")
    with pytest.raises(UserError, match=r"mine\.yaml|gone\.yaml|below"):
        check_task_folder(folder)


def test_a_file_that_grows_without_bound_or_holds_itself_is_read_in_no_time(folder):
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)]
    (folder / "mine.yaml").write_text("\n".join(lines) + "\nself: &self {me: *self}\n")
    check_task_folder(folder)


@settings(suppress_health_check=list(HealthCheck), max_examples=60)
@given(
    st.text(alphabet="!<>functio py/:[]{}&*?-,%TAG\n'\"a1")
    | st.binary(max_size=60).map(lambda b: b.decode("latin-1"))
)
def test_any_file_is_read_or_refused(folder, text):
    shutil.rmtree(folder / "below", ignore_errors=True)
    (folder / "mine.yaml").write_text(text, encoding="utf-8")
    try:
        check_task_folder(folder)
    except (ConfigError, DataError):
        return
    yaml.load(text.encode(), Loader=yaml.CSafeLoader)  # which builds nothing but plain data
