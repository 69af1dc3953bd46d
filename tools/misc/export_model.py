"""Write a trained model into one file: weights, config and card.

    python tools/misc/export_model.py CONFIG CHECKPOINT CARD.json OUT.safetensors [--precision float16]

The card is JSON with the entries of `mmcount.zoo.ModelCard`; figures in it should be measured with the exported file
(`benchmarks/zoo.py`). `--into-package` writes the file of the card's name below `mmcount/zoo/weights` instead, with its
checksum in `mmcount/zoo/models.json`.
"""

import argparse
import json
from pathlib import Path

from mmengine.config import Config

from mmcount import zoo
from mmcount.zoo.export import export_checkpoint


def main() -> None:
    """Parse arguments and export."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file that the model was trained with')
    parser.add_argument('checkpoint', help='its checkpoint')
    parser.add_argument('card', help='JSON file of the card')
    parser.add_argument('out', nargs='?', help='file to write')
    parser.add_argument('--into-package', action='store_true', help='write into this package')
    parser.add_argument('--precision', choices=zoo.PRECISIONS, default='float16', help='type of the stored weights')
    parser.add_argument(
        '--uncalibrated', action='store_true', help='leave out the line and interval fitted on validation images'
    )
    args = parser.parse_args()
    if (args.out is None) != args.into_package:
        parser.error('give either OUT or --into-package')
    card = zoo.ModelCard.from_dict(json.loads(Path(args.card).read_text(encoding='utf-8')))
    folder = Path(zoo.__file__).parent
    out = folder / 'weights' / f'{card.name}.safetensors' if args.into_package else Path(args.out)
    cfg = Config.fromfile(args.config)
    sha256 = export_checkpoint(cfg, args.checkpoint, card, out, args.precision, not args.uncalibrated)
    if args.into_package:
        catalogue = folder / 'models.json'
        entries = json.loads(catalogue.read_text(encoding='utf-8'))
        entries[card.name] = {'file': out.name, 'sha256': sha256}
        catalogue.write_text(json.dumps(dict(sorted(entries.items())), indent=2) + '\n', encoding='utf-8')
    print(f'{out}: {out.stat().st_size:,} bytes, SHA-256 {sha256}')


if __name__ == '__main__':
    main()
