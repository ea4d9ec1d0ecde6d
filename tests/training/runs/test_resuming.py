"""Which runs can be resumed."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnncli.diagnostics import CnncliError
from cnncli.training.data.dataset import Dataset, Split
from cnncli.training.runs.resuming import check_resumable
from tests.training.support import SPEC, begin, few_digits, settings


def test_only_the_epochs_may_change(tmp_path: Path) -> None:
    run = begin(tmp_path / "run", settings())
    check_resumable(
        run, spec=SPEC, settings=settings(epochs=99, data="folder:elsewhere"), dataset=few_digits()
    )
    whole = few_digits()
    other = Dataset(
        whole.name, whole.classes, whole.train, Split(whole.test.images[:9], whole.test.labels[:9])
    )
    with pytest.raises(CnncliError) as caught:
        check_resumable(run, spec=SPEC + "#", settings=settings(lr=0.1, seed=8), dataset=other)
    messages = [each.message for each in caught.value.diagnostics]
    assert len(messages) == 3
    assert "the spec is not the one" in messages[0]
    assert "lr: 0.05, not 0.1, seed: 7, not 8" in messages[1]
    assert "the data is not the data" in messages[2]
