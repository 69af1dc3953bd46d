"""What the counts of CLCNet add to a training step of the detector that it extends.

Both detectors are built from their configs at full size and have the same weights, so that they sample the same boxes
of one image of 1333 x 800 px, noise with 38 boxes, the mean of Locount. A step is forward and backward. The difference
of two long steps is within the noise of a busy machine, so the branch is measured alone as well: the count layers of
all stages and their losses, forward and backward, on features of 512 boxes.

Times are medians of interleaved rounds; process time counts all threads and is the one to read on a busy machine.

    python benchmarks/clcnet.py --threads 1 --rounds 3 --out benchmarks/results
"""

import argparse
import copy
import csv
import io
import os
import platform
from collections.abc import Callable
from pathlib import Path

import torch
from ilc import commit, measure, processor
from mmdet.models.task_modules.samplers import SamplingResult
from mmengine.config import Config
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmcount.registry import MODELS
from mmcount.structures import CountDataSample
from mmcount.utils import register_all_modules
from mmcount.utils.atomic import write_atomic

CONFIGS = Path(__file__).resolve().parents[1] / 'configs' / 'clcnet'
FIELDS = ['name', 'cpu_ms', 'wall_ms', 'peak_mb', 'parameters', 'cpu_share', 'wall_share']
BOXES, MAX_COUNT = 38, 56


def build(name: str, device: torch.device) -> nn.Module:
    """The detector of a config with random weights."""
    cfg = Config.fromfile(CONFIGS / name)
    cfg.model.backbone.init_cfg = None
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    return model.to(device).train()


def image_of(width: int, height: int) -> dict:
    """A raw batch of one image of noise with boxes and counts."""
    generator = torch.Generator().manual_seed(0)
    scale = torch.tensor([width, height] * 2)
    corners = torch.rand(BOXES, 2, generator=generator) * 0.85
    sizes = 0.03 + 0.1 * torch.rand(BOXES, 2, generator=generator)
    sample = CountDataSample(metainfo=dict(img_id='noise', img_shape=(height, width), scale_factor=(1.0, 1.0)))
    sample.gt_instances = InstanceData(
        bboxes=torch.cat([corners, corners + sizes], dim=1) * scale,
        labels=torch.randint(0, 140, (BOXES,), generator=generator),
        counts=torch.randint(1, MAX_COUNT + 1, (BOXES,), generator=generator),
    )
    image = torch.randint(0, 255, (3, height, width), dtype=torch.uint8, generator=generator)
    return dict(inputs=[image], data_samples=[sample])


def step_of(model: nn.Module, batch: dict) -> Callable[[], None]:
    """Forward and backward."""

    def step() -> None:
        torch.manual_seed(0)
        data = model.data_preprocessor(copy.deepcopy(batch), True)
        total, _ = model.parse_losses(model(**data, mode='loss'))
        model.zero_grad()
        total.backward()

    return step


def branch_of(model: nn.Module, device: torch.device, boxes: int = 512) -> Callable[[], None]:
    """The count layers and their losses at all stages, forward and backward, a quarter of the boxes positive."""
    features = [torch.rand(boxes, 1024, device=device, requires_grad=True) for _ in model.roi_head.bbox_head]
    sampled = SamplingResult.random(rng=0, num_preds=boxes, num_gts=BOXES)
    positive = boxes // 4
    sampled.pos_priors = torch.zeros(positive, 4, device=device)
    sampled.neg_priors = torch.zeros(boxes - positive, 4, device=device)
    sampled.pos_gt_labels = torch.zeros(positive, dtype=torch.long, device=device)
    sampled.pos_gt_counts = torch.arange(positive, device=device) % MAX_COUNT + 1

    def branch() -> None:
        losses: list[Tensor] = []
        for head, feature in zip(model.roi_head.bbox_head, features, strict=True):
            head.fc_cnt.zero_grad()
            feature.grad = None
            losses.append(head.count_loss(head.fc_cnt(feature), [sampled])['loss_cnt'])
        torch.stack(losses).sum().backward()

    return branch


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--device', default='cpu', help='cpu, cuda or cuda:1 ...')
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--branch-rounds', type=int, default=9, help='repeats of the count branch alone')
    parser.add_argument('--scale', type=int, nargs=2, default=(1333, 800), metavar=('WIDTH', 'HEIGHT'))
    parser.add_argument('--plain', default='cascade-rcnn_r50_fpn_1x_locount.py', help='config of the detector')
    parser.add_argument('--clcnet', default='clcnet-s3-cls2_r50_fpn_1x_locount.py', help='config of the cascade')
    parser.add_argument('--out', type=Path, help='folder of the CSV file')
    args = parser.parse_args()
    register_all_modules()
    torch.set_num_threads(args.threads)
    device = torch.device(args.device)
    machine = torch.cuda.get_device_name(device) if device.type == 'cuda' else processor()
    conditions = dict(
        device=machine, cores=str(os.cpu_count()), threads=str(args.threads), load_at_start=f'{os.getloadavg()[0]:.1f}',
        scale=f'{args.scale[0]}x{args.scale[1]}', torch=torch.__version__, python=platform.python_version(),
        commit=commit(), rounds=str(args.rounds), branch_rounds=str(args.branch_rounds),
    )  # fmt: skip
    print('  '.join(f'{key}={value}' for key, value in conditions.items()))
    plain, counting = build(args.plain, device), build(args.clcnet, device)
    counting.load_state_dict(plain.state_dict(), strict=False)
    batch = image_of(*args.scale)
    results = measure({'plain': step_of(plain, batch), 'CLCNet': step_of(counting, batch)}, args.rounds, device)
    results |= measure({'count branch alone': branch_of(counting, device)}, args.branch_rounds, device)
    parameters = [sum(p.numel() for p in model.parameters()) for model in (plain, counting)]
    parameters.append(parameters[1] - parameters[0])
    rows = []
    for (name, (cpu, wall, peak)), number in zip(results.items(), parameters, strict=True):
        row = dict(name=name, cpu_ms=round(cpu, 2), wall_ms=round(wall, 2), peak_mb=round(peak), parameters=number)
        # Of the whole step of CLCNet beyond the plain one, or of the branch, as a part of the plain step.
        above = (results['plain'][0], results['plain'][1]) if name == 'CLCNet' else (0.0, 0.0)
        row.update(cpu_share=f'{(cpu - above[0]) / results["plain"][0]:.4f}')
        row.update(wall_share=f'{(wall - above[1]) / results["plain"][1]:.4f}')
        rows.append(row)
        print('  '.join(f'{key}={value}' for key, value in row.items()))
    if args.out:
        text = io.StringIO(newline='')
        text.writelines(f'# {key}: {value}\n' for key, value in conditions.items())
        writer = csv.DictWriter(text, FIELDS, lineterminator='\n')
        writer.writeheader()
        writer.writerows(rows)
        words = ''.join(one if one.isalnum() else '-' for one in machine.lower())
        path = args.out / f'clcnet_{words}{"" if device.type == "cuda" else f"_{args.threads}t"}.csv'
        write_atomic(path, text.getvalue())
        print(f'wrote {path}')


if __name__ == '__main__':
    main()
