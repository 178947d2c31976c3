from dataclasses import replace

import numpy as np
import pytest
from gguf import GGUFReader

from language_checkpoints import language_folder, language_gguf
from nextbest.errors import InputError
from nextbest.models.language.adapters import merged
from nextbest.models.language.batches import Example
from nextbest.models.language.checkpoint import open_checkpoint
from nextbest.models.language.gguf_adapter import write_gguf_adapter
from nextbest.models.language.lora import LoRAConfig, fit_text

CONFIG = LoRAConfig(rank=4, alpha=12, steps=6, validate_steps=3, learning_rate=1e-2, max_length=64)
EXAMPLES = [Example("say up", "A"), Example("say down", "B")]


def tensors(file):
    return {t.name: np.array(t.data, np.float32) for t in GGUFReader(file).tensors}


def test_base_and_adapter_in_gguf_add_up_to_the_merged_model_in_gguf(llama, tmp_path):
    tuned = fit_text(llama, EXAMPLES, CONFIG).checkpoint
    pairs = tensors(write_gguf_adapter(tuned, tmp_path / "adapter.gguf"))
    base = tensors(language_gguf(llama, tmp_path / "base.gguf"))
    whole = tensors(language_gguf(merged(tuned), tmp_path / "whole.gguf"))
    touched = {name.rsplit(".", 1)[0] for name in pairs}
    assert len(touched) == 2 * 7  # layers x matrices
    for name, weight in whole.items():
        added = 12 / 4 * pairs[f"{name}.lora_b"] @ pairs[f"{name}.lora_a"] if name in touched else 0
        np.testing.assert_allclose(base[name] + added, weight, atol=2e-3)
        assert (name in touched) == bool(np.abs(base[name] - weight).max() > 1e-4)


def test_the_file_says_what_it_is(tmp_path):
    base = open_checkpoint(language_folder(tmp_path / "g", family="gemma3"))
    tuned = fit_text(base, EXAMPLES, CONFIG).checkpoint
    reader = GGUFReader(write_gguf_adapter(tuned, tmp_path / "adapter.gguf"))
    told = {key: field.contents() for key, field in reader.fields.items()}
    assert told["general.architecture"] == "gemma3"
    assert (told["general.type"], told["adapter.type"], told["adapter.lora.alpha"]) == ("adapter", "lora", 12)


def test_what_cannot_be_written_is_refused(llama, tmp_path):
    with pytest.raises(InputError, match="no adapter"):
        write_gguf_adapter(llama, tmp_path / "a.gguf")
    tuned = fit_text(llama, EXAMPLES, CONFIG).checkpoint
    with pytest.raises(InputError, match=r"layout is known of .*adapters\.merge"):
        write_gguf_adapter(replace(tuned, family="phi"), tmp_path / "a.gguf")
    (tmp_path / "there.gguf").write_text("mine")
    with pytest.raises(InputError, match="is there already"):
        write_gguf_adapter(tuned, tmp_path / "there.gguf")
