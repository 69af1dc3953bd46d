import builtins

import numpy as np
import pytest

from mmcount.datasets.lego.background import background_bank, draw_background, pink_noise


@pytest.mark.parametrize('kind', ['photo', 'noise', 'black'])
@pytest.mark.parametrize('shape', [(16, 24), (700, 500), (1, 1)])
def test_patch_has_the_shape_and_stays_under_the_level(kind, shape):
    patch = draw_background(kind, shape, 0.4, np.random.default_rng(0))
    assert patch.shape == shape
    assert patch.dtype == np.uint8
    assert patch.max() <= 102
    assert (patch.max() >= 100) == (kind != 'black' and shape != (1, 1))


def test_bank_is_never_written_to():
    before = [picture.copy() for picture in background_bank('photo')]
    draw_background('photo', (64, 64), 1.0, np.random.default_rng(1))[:] = 7
    for old, new in zip(before, background_bank('photo'), strict=True):
        np.testing.assert_array_equal(old, new)


def test_pink_noise_has_amplitude_that_falls_with_frequency():
    field = pink_noise(256).astype(float)
    amplitude = np.abs(np.fft.rfft2(field - field.mean()))
    frequency = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.rfftfreq(256)[None, :]) * 256
    low, high = (amplitude[(frequency > f) & (frequency < 1.5 * f)].mean() for f in (8, 64))
    assert low / high == pytest.approx(8, rel=0.25)


def test_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="'photo', 'noise', 'black'"):
        background_bank('blue')


def test_missing_photos_fall_back_to_noise_with_a_warning(monkeypatch):
    real_import = builtins.__import__

    def no_sklearn(name, *args, **kwargs):
        if name.startswith('sklearn'):
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, '__import__', no_sklearn)
    with pytest.warns(UserWarning, match='1/f noise'):
        bank = background_bank.__wrapped__('photo')
    np.testing.assert_array_equal(bank[0], pink_noise())
