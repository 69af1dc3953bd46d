import numpy as np
import pytest

from mmcount.datasets.cells import CellOptions, make_cell_scene

#: No cell, no uneven light, no mottle: what is left is what a test looks at.
PLAIN = dict(
    canvas=(96, 96), brightfield_prob=0, debris_prob=0, haze_prob=0, light_ramp=0, vignette=0, background_mottle=0,
    saturated_prob=0, exposure=0.8, photons=1e9, read_noise=0, denoise_prob=0, gamma=1, jpeg_prob=0, texture_prob=0,
)  # fmt: skip


def image(seed=0, **options):
    return make_cell_scene(CellOptions(**(PLAIN | options)), seed).image.max(axis=2).astype(float)


def test_an_empty_image_shows_its_background():
    np.testing.assert_allclose(image(empty_prob=1, background=0.25), 0.25 * 0.8 * 255, atol=1)


def test_an_empty_bright_field_shows_its_exposure():
    np.testing.assert_allclose(image(empty_prob=1, brightfield_prob=1, background=0), 0.8 * 255, atol=1)


def test_cells_are_bright_in_fluorescence_and_dark_in_bright_field():
    options = dict(empty_prob=0, coverage=0.3, radius=8, background=0.1, blur=0.5, strong_blur_prob=0, min_distance=2)
    for prob, sign in ((0, 1), (1, -1)):
        scene = make_cell_scene(CellOptions(**(PLAIN | options | {'brightfield_prob': prob})), 1)
        grey = scene.image.astype(float).min(axis=2) if prob else scene.image.astype(float).max(axis=2)
        x, y = np.rint(scene.points).astype(int).T
        assert scene.brightfield is bool(prob)
        assert sign * (grey[y, x].mean() - np.median(grey)) > 30


@pytest.mark.parametrize(('option', 'value'), [('photons', 50), ('read_noise', 0.05)])
def test_noise_has_the_asked_strength(option, value):
    noisy = image(empty_prob=1, background=0.5, **{option: value})
    light = 0.5 * 0.8
    expected = np.sqrt(light / 50) if option == 'photons' else 0.05
    assert noisy.std() / 255 == pytest.approx(expected, rel=0.08)


def test_uneven_light_darkens_one_side_and_the_corners():
    ramp = image(empty_prob=1, background=0.5, light_ramp=0.5)
    assert ramp.min() / ramp.max() == pytest.approx(0.5, abs=0.15)
    assert np.ptp(image(empty_prob=1, background=0.5, vignette=0.4)) > 20


def test_blur_softens_edges():
    options = dict(empty_prob=0, coverage=0.3, radius=10, edge=0.02, strong_blur_prob=0, profile_weights=(1, 0, 0))

    def sharpness(blur):
        return np.abs(np.diff(image(blur=blur, **options), axis=1)).max()

    assert sharpness(3.0) < 0.5 * sharpness(0)


def test_gamma_and_compression_change_the_picture_only():
    plain, curved = image(empty_prob=1, background=0.5), image(empty_prob=1, background=0.5, gamma=2)
    np.testing.assert_allclose(curved, (plain / 255) ** 2 * 255, atol=2)
    options = dict(empty_prob=0, coverage=0.3)
    assert not np.array_equal(image(**options), image(jpeg_prob=1, jpeg_quality=60, **options))


def test_debris_is_drawn_and_not_counted():
    scene = make_cell_scene(CellOptions(**(PLAIN | dict(empty_prob=1, debris_prob=1, debris_density=10))), 0)
    assert len(scene.points) == 0
    assert scene.image.max() > 60
