"""Tiny random checkpoints, each in its model's own format and written by its package's own code; and candles for them."""

import dataclasses
import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import torch

from nextbest.data.prices.panel import PricePanel

NAN = np.nan
NINE = [level / 10 for level in range(1, 10)]


def candles(n_assets=3, n_bars=200, *, seed=0, step=timedelta(days=1), close_AT=None) -> PricePanel:
    """Whole candles of random walks, or around these closes; a NaN close is a missing bar."""
    rng = np.random.default_rng(seed)
    if close_AT is None:
        close_AT = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, (n_assets, n_bars)), axis=1))
    close_AT = np.asarray(close_AT, float)
    n_assets, n_bars = close_AT.shape
    open_AT = close_AT * np.exp(rng.normal(0, 0.01, close_AT.shape))
    return PricePanel(
        asset_ids=tuple(f"A{row}" for row in range(n_assets)),
        time_T=np.datetime64("2024-01-01", "us") + np.arange(n_bars) * np.timedelta64(step),
        step=step,
        open_AT=open_AT,
        high_AT=np.maximum(open_AT, close_AT) * 1.01,
        low_AT=np.minimum(open_AT, close_AT) * 0.99,
        close_AT=close_AT,
        volume_AT=np.where(np.isnan(close_AT), NAN, rng.uniform(1, 2, close_AT.shape)),
    )


def changed(panel: PricePanel, **fields) -> PricePanel:
    """The panel with other arrays."""
    return dataclasses.replace(panel, **fields)


def bolt(folder: Path) -> str:
    from chronos.chronos_bolt import ChronosBoltModelForForecasting
    from transformers import T5Config

    config = T5Config(
        d_model=16,
        d_kv=4,
        d_ff=32,
        num_layers=1,
        num_decoder_layers=1,
        num_heads=4,
        vocab_size=2,
        reg_token_id=1,
        pad_token_id=0,
        decoder_start_token_id=0,
        architectures=["ChronosBoltModelForForecasting"],
        chronos_pipeline_class="ChronosBoltPipeline",
        chronos_config={
            "context_length": 128,
            "prediction_length": 24,
            "input_patch_size": 16,
            "input_patch_stride": 16,
            "quantiles": NINE,
            "use_reg_token": True,
        },
    )
    torch.manual_seed(1)
    ChronosBoltModelForForecasting(config).save_pretrained(folder)
    return str(folder)


def chronos_2(folder: Path) -> str:
    from chronos.chronos2.config import Chronos2CoreConfig
    from chronos.chronos2.model import Chronos2Model

    config = Chronos2CoreConfig(
        d_model=16,
        d_kv=4,
        d_ff=32,
        num_layers=1,
        num_heads=4,
        architectures=["Chronos2Model"],
        chronos_pipeline_class="Chronos2Pipeline",
        chronos_config={
            "context_length": 128,
            "output_patch_size": 8,
            "input_patch_size": 8,
            "input_patch_stride": 8,
            "quantiles": [0.01, *(level / 20 for level in range(1, 20)), 0.99],
            "use_reg_token": True,
            "use_arcsinh": True,
            "max_output_patches": 3,
            "time_encoding_scale": 128,
        },
    )
    torch.manual_seed(1)
    model = Chronos2Model(config)
    for weight in model.parameters():  # its own start is so near to zero that series hardly see each other
        torch.nn.init.normal_(weight, std=0.3)
    model.save_pretrained(folder)
    return str(folder)


def tirex(folder: Path) -> str:
    from tirex import TiRexZero

    block = {"embedding_dim": 16, "num_heads": 4, "num_blocks": 1, "ffn_proj_factor": 2.0}
    hyper = {
        "model_config": {
            "input_patch_size": 8,
            "output_patch_size": 8,
            "quantiles": NINE,
            "block_kwargs": block,
            "input_ff_dim": 32,
        },
        "train_ctx_len": 128,
    }
    torch.manual_seed(1)
    model = TiRexZero(backend="torch", **hyper)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    folder.mkdir()
    torch.save({"hyper_parameters": hyper, "state_dict": model.state_dict()}, folder / "model.ckpt")
    return str(folder)


def timesfm_definition():
    """TimesFM 2.5 has one architecture, 925 MB of it; this one has its shape and 32 numbers where it has 1,280."""
    from timesfm.configs import ResidualBlockConfig, StackedTransformersConfig
    from timesfm.timesfm_2p5.timesfm_2p5_base import TimesFM_2p5_200M_Definition

    def block(n_in: int, n_out: int, *, bias: bool) -> ResidualBlockConfig:
        return ResidualBlockConfig(
            input_dims=n_in, hidden_dims=16, output_dims=n_out, use_bias=bias, activation="swish"
        )

    whole = TimesFM_2p5_200M_Definition()
    layer = dataclasses.replace(
        whole.stacked_transformers.transformer, model_dims=16, hidden_dims=16, num_heads=2
    )
    return dataclasses.replace(
        whole,
        tokenizer=block(64, 16, bias=True),
        stacked_transformers=StackedTransformersConfig(num_layers=1, transformer=layer),
        output_projection_point=block(16, 1280, bias=False),
        output_projection_quantiles=block(16, 10240, bias=False),
    )


def timesfm(folder: Path) -> str:
    """To be made, and read, while the package's definition is `timesfm_definition()`."""
    from timesfm import TimesFM_2p5_200M_torch

    torch.manual_seed(1)
    TimesFM_2p5_200M_torch(torch_compile=False)._save_pretrained(folder)
    return str(folder)


def timesfm_transformers(folder: Path) -> str:
    from transformers import TimesFm2_5Config, TimesFm2_5ModelForPrediction

    config = TimesFm2_5Config(
        hidden_size=16,
        intermediate_size=16,
        head_dim=8,
        num_attention_heads=2,
        num_key_value_heads=2,
        num_hidden_layers=1,
    )
    torch.manual_seed(1)
    TimesFm2_5ModelForPrediction(config).save_pretrained(folder)
    return str(folder)


def kronos(folder: Path) -> tuple[str, str]:
    """Weights and tokenizer; dropout is on in the file, as in the published ones."""
    from nextbest.market.foundation.kronos import kronos_code

    code = kronos_code(None)
    drop = {"ffn_dropout_p": 0.3, "attn_dropout_p": 0.3, "resid_dropout_p": 0.3}
    torch.manual_seed(1)
    tokenizer = code.KronosTokenizer(
        d_in=6,
        d_model=16,
        n_heads=2,
        ff_dim=16,
        n_enc_layers=2,
        n_dec_layers=2,
        s1_bits=3,
        s2_bits=3,
        beta=0.05,
        gamma0=1.0,
        gamma=1.1,
        zeta=0.05,
        group_size=3,
        **drop,
    )
    model = code.Kronos(
        s1_bits=3,
        s2_bits=3,
        n_layers=1,
        d_model=16,
        n_heads=2,
        ff_dim=16,
        token_dropout_p=0.3,
        learn_te=True,
        **drop,
    )
    tokenizer.save_pretrained(folder / "tokenizer")
    model.save_pretrained(folder / "weights")
    return str(folder / "weights"), str(folder / "tokenizer")


def moirai(folder: Path) -> str:
    from uni2ts.model.moirai2 import Moirai2Module

    torch.manual_seed(1)
    module = Moirai2Module(
        d_model=64,
        d_ff=32,
        num_layers=1,
        patch_size=16,
        max_seq_len=64,
        attn_dropout_p=0.0,
        dropout_p=0.0,
        num_predict_token=2,
    )
    module.save_pretrained(folder)
    return str(folder)


def toto(folder: Path) -> str:
    from safetensors.torch import save_file
    from toto2 import Toto2Model
    from toto2.configuration import Toto2ModelConfig

    config = Toto2ModelConfig(
        patch_size=16,
        d_model=16,
        num_heads=2,
        num_layers=2,
        layer_group_size=2,
        num_variate_layers_per_group=1,
        variate_layer_first=False,
        residual_attn_ratio=1.5,
    )
    torch.manual_seed(1)
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(dataclasses.asdict(config)))
    save_file(Toto2Model(config).state_dict(), folder / "model.safetensors")
    return str(folder)
