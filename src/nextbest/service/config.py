"""Limits and intervals of one service, in one frozen model; the same for every worker."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, NonNegativeFloat, PositiveFloat, PositiveInt, SecretStr

from nextbest.portfolio.plan.advice import AdviceConfig

ProductNames = Literal["seed", "corrected", "code"]
"""How POST /predict names products: as its first contract did, rightly, or by their ids."""


class ServiceConfig(BaseModel, frozen=True, extra="forbid"):
    """What one worker accepts, how long it waits and how often it looks for a newer model."""

    default_k: PositiveInt = 10
    """Items in an answer when the request names no `k`."""
    max_k: PositiveInt = 500
    """Most items one answer may hold."""
    max_users: PositiveInt = 1000
    """Most users in one POST /recommendations."""
    max_history: PositiveInt = 5000
    """Most events in a history that a request brings along."""
    max_ids: PositiveInt = 10_000
    """Most ids in one allow or deny list."""
    max_events: PositiveInt = 1000
    """Most events in one POST /events."""
    max_clients: PositiveInt = 1000
    """Most clients in one POST /products/recommendations."""
    product_names: ProductNames = "seed"
    """Names in the answer of POST /predict when the request doesn't choose."""
    needs_panel: bool = True
    """Whether a service of bank products without a panel is unready; False where profiles alone are asked."""
    decision_log: Path | None = None
    """Folder where offers of POST /products/recommendations are kept (`DecisionLog`), one for all workers; None: they
    are not."""
    advice: AdviceConfig | None = None
    """The house's list, which switches individual recommendations in POST /plans on; None: they are refused."""
    forecasters: tuple[str, ...] = (
        *("rw_hist_sim", "rw_gauss", "rw_ewma", "rw_garch_t", "drift", "seasonal_naive", "har"),
        *("auto_ets", "auto_theta", "lgbm_quantile"),
    )
    """Forecasters that may be asked, the first where a request names none; those that are fitted in seconds."""
    forecast_bars: PositiveInt = 5_000
    """Newest bars of the workspace that a forecaster is fitted on."""
    max_horizon: PositiveInt = 500
    """Farthest horizon of a forecast, bars."""
    max_candles: PositiveInt = 10_000
    """Most candles that one POST /forecasts brings along."""
    max_forecasts_pending: PositiveInt = 64
    """Questions about prices waiting in one worker; past them a request is refused with 503."""
    chat_threads: PositiveInt = 4
    """Threads on which one worker's assistant answers; a model elsewhere is waited for on one."""
    max_chats_pending: PositiveInt = 64
    """Questions in words waiting or being answered in one worker; past them a request is refused with 503."""
    clerk_token: SecretStr | None = None
    """Bearer token of requests to POST /chat that may name other clients; None: nobody may."""
    chat_provider: str | None = None
    """The model that words answers of POST /chat, as `nextbest chat --provider`; None: the phrasebook."""
    conversations: str | None = None
    """Folder or Redis URL that keeps conversations; None: they are kept in the worker and gone with it."""
    max_body_bytes: PositiveInt = 1 << 20
    """Largest request body; a larger one is refused with 413."""
    body_budget_bytes: PositiveInt = 128 << 20
    """Bytes of request bodies that one worker holds at a time; past them a request is refused with 503."""
    body_timeout_s: PositiveFloat = 15.0
    """Longest time a client may take to send its body, seconds; then 408."""
    max_batch: PositiveInt = 64
    """Most queries answered by one matrix product."""
    max_pending: PositiveInt = 4096
    """Queries waiting for an answer in one worker; past them a request is refused with 503."""
    queue_timeout_s: PositiveFloat = 5.0
    """A query that waited longer than this, seconds, is refused with 503 instead of computed."""
    retry_after_s: PositiveInt = 1
    """`Retry-After` of a refusal, seconds."""
    max_clock_skew_s: NonNegativeFloat = 300.0
    """How far in the future the time of a posted event may lie, seconds."""
    watch_interval_s: PositiveFloat = 2.0
    """Pause between two looks at the model folder, seconds."""
    broken_retry_s: PositiveFloat = 30.0
    """Pause before a model folder that failed to load is tried again unchanged, seconds."""
    health_cache_s: NonNegativeFloat = 1.0
    """A health report is at most this old, seconds, so that asking often costs little."""
    health_timeout_s: PositiveFloat = 5.0
    """Longest time a health probe may take, seconds."""
