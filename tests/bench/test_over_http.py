"""The measurement of commands over HTTP measures."""

import pytest

from bench import over_http


@pytest.mark.bench
def test_every_row_is_measured(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(over_http, "ROWS", ((4, 1), (4, 2)))
    over_http.main(40)
    assert "Commands over HTTP" in capsys.readouterr().out
