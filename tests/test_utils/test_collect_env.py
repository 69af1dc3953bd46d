import builtins

import mmcount
from mmcount.utils.collect_env import collect_env, main


def test_report_names_versions_devices_and_operators():
    facts = collect_env()
    assert facts['mmcount'].startswith(mmcount.__version__)
    assert {'Python', 'torch', 'GPUs', 'mmcv operators', 'mmcount operators', 'problems'} <= set(facts)
    assert all(isinstance(value, str) and value for value in facts.values())


def test_report_survives_a_torch_that_cannot_be_imported(monkeypatch):
    original = builtins.__import__

    def broken(name, *args, **kwargs):
        if name == 'torch':
            raise OSError('libtorch.so: not found')
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, '__import__', broken)
    facts = collect_env()
    assert 'libtorch.so: not found' in facts['torch']


def test_report_is_printed_one_fact_a_line(capsys):
    main()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(collect_env())
