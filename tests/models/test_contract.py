"""Every model keeps the contract, in its default form and in the ones that take another road."""

from typing import ClassVar

from contracts.recommender import RecommenderContract


class TestPopularity(RecommenderContract):
    kind = "popularity"
    knows_likeness = is_personal = False


class TestPopularityOfDifferentUsersLately(RecommenderContract):
    kind = "popularity"
    config: ClassVar = {"count": "users", "window_days": 1.0, "half_life_days": 0.1}
    knows_likeness = is_personal = False


class TestItemKNN(RecommenderContract):
    kind = "item_knn"


class TestItemKNNTfidfByWeight(RecommenderContract):
    kind = "item_knn"
    config: ClassVar = {"weighting": "tfidf", "values": "weight", "n_neighbours": 3, "shrinkage": 2.0}


class TestItemKNNBM25(RecommenderContract):
    kind = "item_knn"
    config: ClassVar = {"weighting": "bm25"}


class TestTransitions(RecommenderContract):
    kind = "transitions"


class TestTransitionsSymmetricByWeight(RecommenderContract):
    kind = "transitions"
    config: ClassVar = {
        "backward": 1.0,
        "values": "weight",
        "n_neighbours": None,
        "window": 2,
        "history_length": None,
    }


class TestEASE(RecommenderContract):
    kind = "ease"
    config: ClassVar = {"regularization": 2.0}


class TestEASEByWeight(RecommenderContract):
    kind = "ease"
    config: ClassVar = {"values": "weight"}


class TestALS(RecommenderContract):
    kind = "als"
    config: ClassVar = {"embedding_dim": 6, "n_iterations": 5}


class TestALSSmallerThanHistories(RecommenderContract):
    kind = "als"
    config: ClassVar = {"embedding_dim": 2, "n_iterations": 3, "keep_user_vectors": False, "alpha": 4.0}


class TestTruncatedSVD(RecommenderContract):
    kind = "svd"
    config: ClassVar = {"embedding_dim": 5}


class TestTruncatedSVDOfFullRank(RecommenderContract):
    kind = "svd"
    config: ClassVar = {"embedding_dim": 500, "values": "weight", "item_power": 0.5}
