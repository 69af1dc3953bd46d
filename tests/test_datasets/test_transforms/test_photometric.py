import cv2
import numpy as np
import pytest

from mmcount.datasets.cells import CellOptions, make_cell_scene
from mmcount.datasets.transforms import PhotometricNormalise
from mmcount.registry import TRANSFORMS


def normalise(image, **options):
    return PhotometricNormalise(**options).transform(dict(img=image))['img']


def blobs(background, peak, shape=(128, 128), number=25, seed=0):
    """Grey image of soft discs of radius 6."""
    image = np.zeros(shape, np.float32)
    for x, y in np.random.default_rng(seed).integers(8, 120, (number, 2)).tolist():
        cv2.circle(image, (x, y), 6, 1.0, -1)
    image = cv2.GaussianBlur(image, (0, 0), 1.0)
    return np.rint(background + (peak - background) * image).astype(np.uint8)


def test_brightness_and_contrast_do_not_matter():
    bright, dim = normalise(blobs(0, 240)), normalise(blobs(20, 80))
    assert np.abs(bright.astype(int) - dim).max() <= 6
    assert abs(int(bright.max()) - 204) <= 10
    assert np.median(bright) == 0


def test_colour_does_not_matter():
    grey = blobs(10, 200)
    expected = normalise(grey)
    assert expected.shape == (128, 128, 3)
    for channel in range(3):
        image = np.zeros((*grey.shape, 3), np.uint8)
        image[..., channel] = grey
        np.testing.assert_array_equal(normalise(image), expected)


def test_dark_objects_become_bright_ones():
    bright, dark = normalise(blobs(20, 200)), normalise(blobs(235, 55))
    assert np.abs(bright.astype(int) - dark).max() <= 4


def test_polarity_can_be_fixed():
    image = blobs(235, 55)
    assert normalise(image, polarity='bright').mean() > 100
    assert normalise(image, polarity='dark').mean() < 100
    np.testing.assert_array_equal(normalise(image), normalise(image, polarity='dark'))


def test_polarity_of_generated_images_is_found():
    wrong = 0
    for seed in range(60):
        scene = make_cell_scene(CellOptions(brightfield_prob=0.5, empty_prob=0, coverage=(0.05, 0.8)), (9, seed))
        expected = normalise(scene.image, polarity='dark' if scene.brightfield else 'bright')
        wrong += not np.array_equal(normalise(scene.image), expected)
    assert wrong <= 1


def test_noise_of_an_empty_image_stays_faint():
    rng = np.random.default_rng(0)
    for level, sigma in ((10, 2), (40, 6), (120, 12)):
        image = np.clip(rng.normal(level, sigma, (128, 128)), 0, 255).astype(np.uint8)
        assert normalise(image, polarity='bright').std() < 45
        assert np.percentile(normalise(image, polarity='bright'), 99) < 130
    assert normalise(np.full((32, 32, 3), 77, np.uint8)).max() <= 8


def test_one_hot_pixel_does_not_dim_the_rest():
    image = blobs(10, 100)
    hot = image.copy()
    hot[3, 3] = 255
    np.testing.assert_array_equal(normalise(hot)[10:, 10:], normalise(image)[10:, 10:])


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'low': 50, 'high': 50}, 'rising percentiles'),
        ({'level': 300}, 'level must be'),
        ({'blur': 0}, 'blur must be > 0'),
        ({'polarity': 'white'}, "polarity must be 'auto'"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        PhotometricNormalise(**options)


def test_other_pixel_types_are_refused_with_the_name_of_the_image():
    with pytest.raises(TypeError, match=r'image a\.png has pixels of type float32'):
        PhotometricNormalise().transform(dict(img=np.zeros((4, 4), np.float32), img_path='a.png'))


def test_it_builds_from_the_registry_and_prints_its_options():
    transform = TRANSFORMS.build(dict(type='mmcount.PhotometricNormalise', level=180))
    assert 'level=180' in repr(transform)
