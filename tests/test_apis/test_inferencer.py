import csv
import os
import shutil
import socket

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import MODELS, DefaultScope
from PIL import Image

from mmcount.apis import CountInferencer, list_inputs
from mmcount.apis.build_model import prepared
from mmcount.apis.model_info import build_pipeline, dataset_meta
from mmcount.apis.weights import file_sha256
from mmcount.datasets.transforms import LoadImage
from mmcount.registry import INFERENCERS

NAMES = ['b.png', 'x/a.jpg', 'x/broken.png', 'y/a.jpg']


@pytest.fixture(scope='module')
def counter(counter_files):
    config, weights = counter_files
    return CountInferencer(config, weights, device='cpu', show_progress=False)


@pytest.fixture(scope='module')
def detector(detector_files):
    config, weights = detector_files
    return CountInferencer(config, weights, device='cpu', show_progress=False)


def image(height=20, width=30):
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)


def rows_of(path):
    with open(path, encoding='utf-8', newline='') as stream:
        return list(csv.DictReader(stream))


def test_an_array_is_counted_as_the_model_counts_it(counter):
    result = counter(image())[0]
    packed = counter.pipeline(counter.loader(dict(img=image(), img_id='x')))
    with torch.no_grad():
        expected = counter.model.test_step(pseudo_collate([packed]))[0]
    assert result.count_float == pytest.approx(float(expected.pred_counts.sum()))
    assert list(result.counts) == ['cell']
    assert result.density.sum() == pytest.approx(result.count_float, rel=1e-4)
    assert result.interval is None  # nothing was fitted
    assert set(result.timings) == {'load', 'predict'}
    assert (result.width, result.height, result.path, result.error) == (30, 20, None, None)
    assert result.points.shape == (len(result.labels), 2)


def test_a_file_and_its_pixels_give_one_count(counter, photos):
    file = counter(photos / 'b.png')[0]
    array = counter(cv2.imread(str(photos / 'b.png')))[0]
    assert file.count_float == pytest.approx(array.count_float)
    assert (file.image, file.path) == ('b.png', str(photos / 'b.png'))


def test_a_bad_image_ends_nothing(counter, photos):
    results = counter(photos, batch_size=2)
    assert [result.image for result in results] == NAMES
    assert [result.error is None for result in results] == [True, True, False, True]
    assert 'broken.png' in results[2].error
    assert results[2].counts == {}
    single = [result.count_float for result in counter.iterate(photos)]
    assert [result.count_float for result in results] == pytest.approx(single, rel=1e-4)


def test_an_image_that_the_model_refuses_does_not_fail_its_batch(counter, monkeypatch):
    step = counter.model.test_step

    def refuse(data):
        if any(one.shape[-1] == 31 for one in data['inputs']):
            raise RuntimeError('out of\nmemory')
        return step(data)

    monkeypatch.setattr(counter.model, 'test_step', refuse)
    results = counter([image(), image(width=31), image()], batch_size=3)
    assert [result.error for result in results] == [None, 'RuntimeError: out of memory', None]
    assert results[1].width == 31


def test_iterate_runs_one_batch_at_a_time(counter, monkeypatch):
    seen = []
    forward = counter.predictor.forward
    monkeypatch.setattr(counter.predictor, 'forward', lambda data, **kwargs: seen.append(1) or forward(data, **kwargs))
    stream = counter.iterate([image()] * 4, batch_size=2)
    assert len(seen) == 0
    next(stream)
    assert len(seen) == 1


def test_overlays_keep_the_folders_and_are_not_counted_again(counter, photos):
    out = counter(photos, overlay=photos / 'vis', return_vis=True)
    written = sorted(path.relative_to(photos / 'vis').as_posix() for path in (photos / 'vis').rglob('*.png'))
    assert written == ['b.png.png', 'x/a.jpg.png', 'y/a.jpg.png']
    assert [picture is None for picture in out['visualization']] == [False, False, True, False]
    np.testing.assert_array_equal(cv2.imread(str(photos / 'vis' / 'b.png.png'))[..., ::-1], out['visualization'][0])
    assert [item.name for item in counter.list_inputs(photos, photos / 'vis')] == NAMES
    with pytest.raises(ValueError, match='a folder of their own'):
        counter(photos, overlay=photos)


def test_csv_has_a_row_per_image_and_is_continued(counter, counter_files, photos, tmp_path):
    path, objects = tmp_path / 'counts.csv', tmp_path / 'objects.csv'
    counter(photos, csv=path, objects_csv=objects)
    complete = rows_of(path)
    assert [row['image'] for row in complete] == NAMES
    assert complete[0]['weights_sha256'] == file_sha256(counter_files[1])
    assert complete[0]['model'] == 'tiny-counter'
    assert complete[2]['count'] == ''
    assert 'broken.png' in complete[2]['error']
    path.unlink()
    stream = counter.iterate(photos, csv=path)
    assert next(stream).image == 'b.png'
    stream.close()
    assert not path.exists()
    rest = counter(photos, csv=path, resume=True)
    assert [result.image for result in rest] == NAMES[1:]
    assert rows_of(path) == complete


def test_data_samples_are_returned_on_request_beside_the_results(counter, photos):
    results = counter(photos, return_datasamples=True)
    samples = results['predictions']
    assert samples[2] is None
    assert samples[0].img_id == 'b.png'
    assert samples[0].pred_counts.shape == (1,)
    assert results[0].count_float == pytest.approx(float(samples[0].pred_counts))


def test_results_offer_what_inferencers_of_the_family_return(counter):
    results = counter([image(), image()])
    assert results['predictions'] is results
    assert results['visualization'] == []
    assert [one.image for one in results[:1]] == ['array-000000']
    with pytest.raises(KeyError, match='predictions'):
        results['counts']


def test_calibrated_counts(counter_files):
    config, weights = counter_files
    inferencer = CountInferencer(config, weights, device='cpu', show_progress=False)
    inferencer.model.calibration.fitted.fill_(True)
    inferencer.model.calibration.offset.fill_(7.0)
    inferencer.model.calibration.scale.fill_(0.0)
    assert inferencer(image(), calibrated=True)[0].counts == {'cell': 7.0}


def test_calibrated_counts_of_a_model_without_a_fit_are_refused(counter):
    with pytest.raises(ValueError, match='tiny-counter has no line fitted on labelled images'):
        counter(image(), calibrated=True)


def test_tiles_give_the_same_count(counter, counter_files):
    picture = image(60, 50)
    whole, tiled = counter(picture)[0], counter(picture, tile=24)[0]
    assert tiled.count_float == pytest.approx(whole.count_float, rel=1e-4)
    default = CountInferencer(*counter_files, device='cpu', show_progress=False, tile=24)
    assert default(picture)[0].count_float == pytest.approx(tiled.count_float, rel=1e-6)
    assert counter(picture, tile='auto')[0].count_float == pytest.approx(whole.count_float, rel=1e-4)


def test_images_of_different_sizes_run_in_one_batch_as_they_run_alone(counter):
    pictures = [image(20, 30), image(41, 17), image(20, 30), image(33, 33)]
    alone = [counter(one)[0].count_float for one in pictures]
    assert [one.count_float for one in counter(pictures, batch_size=4)] == pytest.approx(alone, rel=1e-5)


def test_fp32_is_prepared_and_equals_the_trained_model(counter, counter_files):
    cfg = Config.fromfile(counter_files[0])
    with DefaultScope.overwrite_default_scope('mmcount'):
        model = MODELS.build(cfg.model).eval()
    model.load_state_dict(torch.load(counter_files[1], weights_only=True)['state_dict'])
    packed = counter.pipeline(counter.loader(dict(img=image(), img_id='x')))
    with torch.no_grad():
        expected = model.test_step(pseudo_collate([packed]))[0]
    assert not any(isinstance(one, torch.nn.BatchNorm2d) for one in counter.model.modules())
    assert counter(image())[0].count_float == pytest.approx(float(expected.pred_counts), rel=1e-5)


def test_bf16_moves_the_count_a_little_and_says_so_in_the_name(counter, counter_files, tmp_path):
    fast = CountInferencer(*counter_files, device='cpu', show_progress=False, precision='bf16')
    exact, moved = counter(image())[0].count_float, fast(image(), csv=tmp_path / 'c.csv')[0].count_float
    assert exact != moved
    assert moved == pytest.approx(exact, rel=0.05)
    assert rows_of(tmp_path / 'c.csv')[0]['model'] == 'tiny-counter@bf16'


def test_precisions_that_a_model_cannot_have_are_refused(counter_files):
    with pytest.raises(ValueError, match="precision must be 'fp32' or 'bf16', got 'int8'"):
        CountInferencer(*counter_files, device='cpu', precision='int8')
    with pytest.raises(ValueError, match=r'Identity cannot run in bf16: expected a model with a backbone'):
        prepared(torch.nn.Identity(), 'bf16')
    identity = torch.nn.Identity()
    assert prepared(identity, 'fp32') is identity


def test_a_scaled_image_has_its_places_in_pixels_of_the_original(counter):
    small = image(24, 32)
    large = np.repeat(np.repeat(small, 2, axis=0), 2, axis=1)
    expected, scaled = counter(small)[0], counter(large, scale=0.5)[0]
    assert scaled.count_float == pytest.approx(expected.count_float, rel=1e-4)
    np.testing.assert_allclose(scaled.points, (expected.points + 0.5) * 2 - 0.5, atol=1e-3)
    assert scaled.extent == pytest.approx([(one + 0.5) * 2 - 0.5 for one in expected.extent])
    assert (scaled.width, scaled.height, scaled.scale) == (64, 48, 0.5)


def test_a_scale_without_effect_or_reference_is_refused(counter, detector):
    with pytest.raises(ValueError, match=r'resizes every image to \(64, 64\)'):
        detector(image(), scale=2)
    with pytest.raises(ValueError, match='does not say how large the objects were'):
        counter(image(), object_size=10)
    with pytest.raises(ValueError, match='scale must be above 0'):
        counter(image(), scale=0)
    with pytest.raises(ValueError, match='in two ways'):
        counter(image(), scale=2, object_size=10)


def test_a_result_is_drawn_from_its_file_or_its_array(counter, photos):
    file = counter(photos / 'b.png')[0]
    array = counter(cv2.imread(str(photos / 'b.png')))[0]
    drawn = np.asarray(file.plot())
    assert drawn.shape[2] == 3
    # Only the title, the name of the image, differs.
    assert (drawn == np.asarray(array.plot())).mean() > 0.98
    assert file._repr_png_().startswith(b'\x89PNG')
    assert 'data:image/png;base64,' in file._repr_html_()
    html = counter([photos / 'b.png', photos / 'x' / 'broken.png'])._repr_html_()
    assert 'b.png' in html
    assert 'FAILED' in html
    with pytest.raises(ValueError, match=r'broken\.png was not counted'):
        counter(photos / 'x' / 'broken.png')[0].plot()


def test_pil_images_count_as_their_files(counter, photos):
    path = photos / 'b.png'
    expected = counter(path)[0].count_float
    with Image.open(path) as picture:
        assert counter(picture)[0].count_float == pytest.approx(expected)
        turned = picture.convert('RGBA')
        assert counter([turned, picture])[0].count_float == pytest.approx(expected)
    grey = image()[..., 0]
    assert counter(grey)[0].count_float == pytest.approx(counter(Image.fromarray(grey))[0].count_float)
    with pytest.raises(ValueError, match="mode 'F'"):
        counter(Image.fromarray(grey.astype(np.float32)))


def test_pil_images_have_the_pixels_of_their_files(tmp_path):
    deep = Image.fromarray(np.arange(600, dtype=np.uint16).reshape(20, 30) * 6)
    cut = np.dstack([image()[:20, :30], np.zeros((20, 30), np.uint8)])
    cut[5:9, 5:9, 3] = 255
    for loader in (LoadImage(), LoadImage(value_range=(0, 9000), background=(9, 8, 7))):
        for name, picture in (('deep.png', deep), ('cut.png', Image.fromarray(cut))):
            picture.save(tmp_path / name)
            expected = loader(dict(img_path=tmp_path / name))['img']
            assert np.array_equal(list_inputs(picture, loader=loader)[0].array, expected)
    single = list_inputs(deep.convert('F'), loader=LoadImage(value_range=(0, 3600)))[0].array
    assert single.dtype == np.uint8


def test_the_loader_keeps_the_options_of_pixels_of_the_config():
    options = dict(value_range=(0, 4095), background=(1, 2, 3), plane=2)
    steps = [dict(type='mmcount.LoadImage', **options), dict(type='mmcount.PackCountInputs')]
    loader, _ = build_pipeline(Config(dict(test_pipeline=steps)))
    assert {key: getattr(loader, key) for key in options} == options


def test_the_config_is_read_from_the_weights(counter, counter_files):
    alone = CountInferencer(weights=counter_files[1], device='cpu', show_progress=False)
    assert alone.classes == ('cell',)
    assert alone(image())[0].count_float == pytest.approx(counter(image())[0].count_float)


def test_the_inferencer_is_registered(counter):
    assert INFERENCERS.get('mmcount.CountInferencer') is type(counter)


def test_boxes_of_an_mmdet_detector_are_counted(detector, photos):
    result = detector(photos / 'y' / 'a.jpg', score_thr=0.0)[0]
    assert result.error is None
    assert list(result.counts) == ['cat', 'dog']
    assert result.count == 5
    assert result.boxes.shape == (5, 4)
    # Boxes are in pixels of the file (16 x 40), not of the resized image.
    assert result.boxes[:, 2].max() <= 40
    assert result.boxes[:, 3].max() <= 16
    assert result.saturated


def test_a_list_full_of_boxes_below_the_threshold_is_not_saturated(detector):
    result = detector(image(), score_thr=0.99)[0]
    assert result.counts == {'cat': 0.0, 'dog': 0.0}
    assert not result.saturated


def test_a_detector_has_no_calibrated_counts_and_no_tiles(detector):
    with pytest.raises(ValueError, match='has no line fitted on labelled images'):
        detector(image(), calibrated=True)
    with pytest.raises(ValueError, match='needs the whole image'):
        detector(image(), tile=64)


def test_classes_come_from_the_checkpoint_then_the_config_then_are_objects():
    model = torch.nn.Module()
    model.head = torch.nn.Module()
    model.head.num_classes = 2
    cfg = Config(dict(test_dataloader=dict(dataset=dict(metainfo=dict(classes=('a', 'b'))))))
    old = dict(meta=dict(CLASSES=('c', 'd')))
    assert dataset_meta(old, cfg, model)['classes'] == ('c', 'd')
    assert dataset_meta(None, cfg, model)['classes'] == ('a', 'b')
    assert dataset_meta(dict(meta=dict(CLASSES=('one',))), Config({}), model)['classes'] == ('object-0', 'object-1')
    model.head.num_classes = 1
    assert dataset_meta(None, cfg, model)['classes'] == ('object',)


def test_a_pipeline_without_a_loader_is_refused():
    with pytest.raises(ValueError, match='loads no image'):
        build_pipeline(Config(dict(test_pipeline=[dict(type='mmcount.PackCountInputs')])))
    with pytest.raises(ValueError, match='no test_dataloader'):
        build_pipeline(Config({}))


def test_missing_files_are_named(counter_files, tmp_path):
    config, weights = counter_files
    with pytest.raises(FileNotFoundError, match=r'weights not found: .*none\.pth'):
        CountInferencer(config, tmp_path / 'none.pth', device='cpu')
    with pytest.raises(FileNotFoundError, match=r'config file not found: .*none\.py'):
        CountInferencer(tmp_path / 'none.py', weights, device='cpu')


def test_weights_of_another_model_are_refused(counter_files, detector_files):
    with pytest.raises(ValueError, match='does not fit the DenseCounter'):
        CountInferencer(counter_files[0], detector_files[1], device='cpu')


def test_random_weights_are_warned_about(counter_files):
    with pytest.warns(UserWarning, match='random'):
        inferencer = CountInferencer(counter_files[0], device='cpu')
    assert inferencer.classes == ('object',)
    assert inferencer.weights_sha256 == ''


def test_options_are_checked_before_anything_runs(counter):
    with pytest.raises(ValueError, match='batch_size'):
        counter.iterate(image(), batch_size=0)
    with pytest.raises(ValueError, match='needs csv'):
        counter.iterate(image(), resume=True)


@pytest.mark.parametrize(
    'array', [np.zeros((4, 4, 2), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)]
)
def test_an_array_that_is_no_image_is_refused(array):
    with pytest.raises(ValueError, match=r'expected an \(H, W, 3\) uint8'):
        list_inputs([array])


def test_inputs_that_give_nothing_are_named(tmp_path):
    (tmp_path / 'empty').mkdir()
    for item, message in (('gone.png', 'no such file'), ('empty', 'no image below'), ('*.png', 'no image matches')):
        with pytest.raises(FileNotFoundError, match=message) as error:
            list_inputs(tmp_path / item)
        assert item in str(error.value)
        assert '.jpg' in str(error.value)
    with pytest.raises(TypeError, match='got int'):
        list_inputs([3])


def test_files_that_are_no_images_are_left_out_by_suffix(photos):
    (photos / 'y' / 'README').write_text('')
    (photos / 'y' / 'more.TXT').write_text('')
    assert list_inputs(photos).left_out == {'.txt': 2, 'no suffix': 1}
    assert list_inputs([photos / 'b.png']).left_out == {}
    (photos / 'z').mkdir()
    (photos / 'z' / 'a.mp4').write_text('')
    with pytest.raises(FileNotFoundError, match=r'found \.mp4'):
        list_inputs(photos / 'z')


def test_pipes_and_sockets_are_named_and_never_read(photos):
    os.mkfifo(photos / 'pipe.png')
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(photos / 's.png'))
        for inputs in (photos, str(photos / '*')):
            with pytest.warns(UserWarning, match=r'left out as pipes, sockets or devices: .*pipe\.png, .*s\.png'):
                found = list_inputs(inputs)
            assert not {'pipe.png', 's.png'} & {item.name for item in found}
        for name in ('pipe.png', 's.png'):
            with pytest.raises(FileNotFoundError, match=rf'{name}. is a pipe, a socket or a device'):
                list_inputs(photos / name)


def test_names_are_relative_to_the_common_folder_and_unique(photos):
    assert [item.name for item in list_inputs(photos)] == NAMES
    assert [item.name for item in list_inputs(str(photos / '**' / 'a.*'))] == ['x/a.jpg', 'y/a.jpg']
    both = list_inputs([photos / 'x', photos / 'y' / 'a.jpg', photos / 'x' / 'a.jpg'])
    assert [item.name for item in both] == ['x/a.jpg', 'x/broken.png', 'y/a.jpg']
    arrays = list_inputs([image(), photos / 'b.png', image()])
    assert [item.name for item in arrays] == ['array-000000', 'b.png', 'array-000002']


def test_a_path_with_brackets_is_a_path(photos):
    shutil.copy(photos / 'b.png', photos / 'scan[1].png')
    assert [item.name for item in list_inputs(photos / 'scan[1].png')] == ['scan[1].png']
