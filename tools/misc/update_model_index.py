"""Write metafiles, the model index and the tables of the configs' READMEs from the docstrings of the configs.

Usage: python tools/misc/update_model_index.py [--check]

A config opens with a docstring: a title, remarks, and the fields ``Command``, ``Data``, ``Hardware``, ``Time``,
``Figures`` and, where weights are published, ``Weights``. Figures are ``name value, name value (conditions)`` or begin
with "none". The part of a metafile above ``Models:`` is written by hand, as is all of a README outside of the marks.
"""

import argparse
import ast
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
FIELDS = ('Command', 'Data', 'Hardware', 'Time', 'Figures', 'Weights')
REQUIRED = FIELDS[:-1]
BEGIN, END = '<!-- configs: begin -->', '<!-- configs: end -->'


@dataclass(frozen=True)
class Leaf:
    """The docstring of a config."""

    path: Path
    title: str
    fields: dict[str, str]

    @property
    def figures(self) -> dict[str, float]:
        """Names to values, without the conditions in brackets."""
        text = self.fields['Figures']
        if text.startswith(('none', 'see')):
            return {}
        pairs = [pair.rsplit(' ', 1) for pair in text.split(' (')[0].split(', ')]
        return {name: float(value) for name, value in pairs}


def read_leaf(path: Path) -> Leaf:
    """Read the docstring of a config.

    Raises:
        ValueError: There is none, a field is missing or unknown, or figures are no names and numbers.
    """
    text = ast.get_docstring(ast.parse(path.read_text(encoding='utf-8')))
    if not text:
        raise ValueError(f'{path} has no docstring; expected a title and the fields {", ".join(REQUIRED)}')
    title = text.splitlines()[0]
    found: dict[str, str] = {}
    name = ''
    for line in text.splitlines()[1:]:
        field = re.match(r'([A-Z][a-z]+): +(.*)', line)
        if field and (field[1] in FIELDS or name):
            name = field[1]
            found[name] = field[2]
        elif name and line.startswith(' '):
            found[name] += '\n' + line.strip()
    wrong = [one for one in REQUIRED if one not in found] + [one for one in found if one not in FIELDS]
    if wrong:
        raise ValueError(f'{path}: the docstring misses, or does not know, {wrong}; expected {", ".join(FIELDS)}')
    leaf = Leaf(path, title, found)
    try:
        _ = leaf.figures
    except ValueError as error:
        raise ValueError(
            f'{path}: Figures is {found["Figures"]!r}, expected "name value, name value (conditions)" or "none, ..."'
        ) from error
    return leaf


def leaves(folder: Path) -> list[Leaf]:
    """Configs of a folder; links are other names of configs elsewhere."""
    return [read_leaf(path) for path in sorted(folder.glob('*.py')) if not path.is_symlink()]


def metafile(folder: Path, root: Path) -> str:
    """Return the text of ``metafile.yml``, whose collections are kept."""
    path = folder / 'metafile.yml'
    kept = path.read_text(encoding='utf-8').split('\nModels:')[0].rstrip() + '\n'
    (collection,) = yaml.safe_load(kept)['Collections']
    models = []
    for leaf in leaves(folder):
        model: dict = {
            'Name': leaf.path.stem,
            'In Collection': collection['Name'],
            'Config': leaf.path.relative_to(root).as_posix(),
            'Metadata': {
                'Training Data': leaf.fields['Data'],
                'Training Resources': leaf.fields['Hardware'],
                'Training Time': leaf.fields['Time'],
            },
        }
        if leaf.figures:
            model['Results'] = [{'Task': 'Counting', 'Dataset': leaf.fields['Data'], 'Metrics': leaf.figures}]
        model['Weights'] = leaf.fields.get('Weights', '')
        models.append(model)
    return f'{kept}\n' + yaml.safe_dump({'Models': models}, sort_keys=False, width=110)


def table(folder: Path) -> str:
    """Return the table of a README."""
    lines = ['| config | what it is | hardware; time | figures |', '| --- | --- | --- | --- |']
    for leaf in leaves(folder):
        cost = leaf.fields['Hardware'] + ('' if leaf.fields['Time'] == 'not measured' else f'; {leaf.fields["Time"]}')
        figures = 'not run here' if leaf.fields['Figures'] == 'none, not run here' else leaf.fields['Figures']
        name = f'[{leaf.path.stem}]({leaf.path.name})'
        lines.append(f'| {name} | {leaf.title.rstrip(".")} | {cost} | {figures.removeprefix("none, ")} |')
    return '\n'.join(lines)


def readme(folder: Path) -> str:
    """Return the text of ``README.md`` with its table.

    Raises:
        ValueError: The marks around the table are missing.
    """
    path = folder / 'README.md'
    before, begin, rest = path.read_text(encoding='utf-8').partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f'{path} has no place for its table; write the lines {BEGIN} and {END}')
    return f'{before}{BEGIN}\n{table(folder)}\n{END}{after}'


def generated(root: Path) -> dict[Path, str]:
    """All files with their texts."""
    folders = sorted({path.parent for path in (root / 'configs').glob('[!_]*/*.py')})
    files = {
        root / 'model-index.yml': 'Import:\n' + ''.join(f'  - configs/{one.name}/metafile.yml\n' for one in folders)
    }
    for folder in folders:
        files[folder / 'metafile.yml'] = metafile(folder, root)
        files[folder / 'README.md'] = readme(folder)
    return files


def main() -> int:
    """Write the files, or name those that differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--check', action='store_true', help='write nothing; fail if a file is not up to date')
    args = parser.parse_args()
    texts = generated(ROOT)
    old = [path for path, text in texts.items() if not path.is_file() or path.read_text(encoding='utf-8') != text]
    for path in old:
        if not args.check:
            path.write_text(texts[path], encoding='utf-8')
        print(('not up to date: ' if args.check else 'wrote ') + str(path.relative_to(ROOT)))
    if args.check:
        if old:
            print('Fix: python tools/misc/update_model_index.py')
        return int(bool(old))
    return 0


if __name__ == '__main__':
    sys.exit(main())
