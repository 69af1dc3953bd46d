import subprocess
import sys

from mmcount.version import __version__


def test_help_lists_commands_and_exit_codes(run):
    result = run('--help')
    assert result.exit_code == 0
    for word in ('count', 'train', 'test', 'zoo', 'Exit codes: 0 done, 1 some images failed, 2 wrong use'):
        assert word in result.stdout


def test_the_version_is_printed(run):
    assert run('--version').stdout.strip() == f'mmcount {__version__}'


def test_slips_of_the_pen_are_corrected(run):
    result = run('cuont')
    assert result.exit_code == 2
    assert "Did you mean 'count'?" in result.stderr
    result = run('count', 'x', '--modle', 'y')
    assert result.exit_code == 2
    assert '--model' in result.stderr


def test_help_imports_nothing_of_the_stack():
    code = (
        'import sys; from mmcount.cli.main import main\n'
        "sys.argv = ['mmcount', 'count', '--help']\n"
        'try:\n    main()\nexcept SystemExit:\n    pass\n'
        "print([name for name in ('torch', 'mmcv', 'mmdet', 'cv2', 'scipy') if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == '[]'


def test_the_module_runs_the_command():
    out = subprocess.run([sys.executable, '-m', 'mmcount', '--version'], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == f'mmcount {__version__}'
