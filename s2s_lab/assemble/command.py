"""The shell of every Hydra command: quick help, one-line errors, exit codes 0 done, 1 failed, 2 wrong request."""

import importlib.metadata
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from s2s_lab.faults import RequestError, RunError, os_fault, was_told


def run_command(
    name: str,
    program: str,
    about: str,
    task: Callable[..., None],
    check: Callable[..., None] | None = None,
    plugins: Callable[[], None] | None = None,
    *,
    at_once: bool = False,
) -> NoReturn:
    """Runs a Hydra command from sys.argv and ends the process.

    Args:
        name: the primary configuration: train, evaluate or translate.
        program: the command's name, for help and errors.
        about: what `--help` says first.
        task: gets one composed configuration (DictConfig, with Hydra's node) for each job; raises RequestError for a
            wrong request and RunError for a run that failed.
        check: gets the composed configurations of all jobs before the first one starts; raises RequestError.
        plugins: makes Hydra know launchers and sweepers of ours.
        at_once: whether `task` gets the list of all jobs' configurations, in one call.
    """
    words = sys.argv[1:]
    if "--help" in words or "-h" in words:
        _print_help(name, program, about)
        sys.exit(0)
    if "--version" in words:
        print(f"{program} {importlib.metadata.version('s2s-lab')}")
        sys.exit(0)
    try:
        if at_once:
            _run_at_once(name, program, task, check, plugins, words)
        else:
            _run(name, program, task, check, plugins, words)
    except RequestError as error:
        _end(program, error, 2)
    except RunError as error:
        _end(program, error, 1)
    except KeyboardInterrupt:
        _end(program, RunError("interrupted"), 128 + signal.SIGINT)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)  # as the shell says of a program that the closed pipe ended
    sys.exit(0)


def _run_at_once(
    name: str,
    program: str,
    task: Callable[..., None],
    check: Callable[..., None] | None,
    plugins: Callable[[], None] | None,
    words: list[str],
) -> None:
    """Lets Hydra say whether there is something to do, then does all jobs together."""
    asked: list[Any] = []
    jobs = _run(name, program, asked.append, check, plugins, words)
    if asked:  # nothing where the configuration was only to be shown
        task(jobs)


def _run(
    name: str,
    program: str,
    task: Callable[..., None],
    check: Callable[..., None] | None,
    plugins: Callable[[], None] | None,
    words: list[str],
) -> list[Any]:
    import hydra
    from hydra._internal.utils import get_args_parser

    from s2s_lab.assemble.configuration import compose_jobs
    from s2s_lab.assemble.options import conf_folder

    arguments = _parser(get_args_parser(), program).parse_args(words)
    for option in ("config_name", "config_path", "experimental_rerun"):
        if getattr(arguments, option):
            raise RequestError(f"--{option.replace('_', '-')} is not supported; --config-dir DIR adds your own options")
    if arguments.multirun and (arguments.cfg or arguments.info):
        raise RequestError("-m: --cfg and --info show one job; leave -m and the values with commas out")
    if arguments.shell_completion:
        _check_completion(arguments.overrides)
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises what a job raised instead of ending the process itself
    jobs: list[Any] = []
    if not arguments.shell_completion:
        jobs = compose_jobs(name, arguments.overrides, multirun=arguments.multirun, folder=arguments.config_dir)
        if check is not None and not (arguments.cfg or arguments.info):
            check(jobs)
    faults: list[BaseException] = []

    def kept_going(configuration: Any) -> None:
        """Runs one job; a fault is told at once and ends this job alone, an interrupt or a closed pipe the sweep."""
        if any(isinstance(fault, KeyboardInterrupt | BrokenPipeError) for fault in faults):
            return
        try:
            task(configuration)
        except (RequestError, RunError, KeyboardInterrupt, MemoryError, OSError) as error:
            known = isinstance(error, RequestError | RunError | KeyboardInterrupt | BrokenPipeError)
            line = os_fault(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
            fault = error if known else RunError(line)
            faults.append(fault)
            told = isinstance(fault, KeyboardInterrupt | BrokenPipeError) or was_told(fault)
            if len(jobs) > 1 and not told:
                print(f"{program}: {one_line(fault)}", file=sys.stderr, flush=True)

    kept_going.prepare = getattr(task, "prepare", None)  # for launchers that freeze all jobs before the first starts
    kept_going.higher_is_better = getattr(task, "higher_is_better", None)  # for searches
    if plugins is not None:
        plugins()
    hydra.main(config_path=str(conf_folder()), config_name=name, version_base="1.3")(kept_going)()
    if faults:
        kind = next((type(fault) for fault in faults if not isinstance(fault, RequestError)), RequestError)
        fault = next(fault for fault in faults if isinstance(fault, kind))
        raise (
            kind(f"{len(faults)} of {len(jobs)} jobs failed; one of them: {one_line(fault)}")
            if len(jobs) > 1
            else fault
        )
    return jobs


def _check_completion(words: list[str]) -> None:
    """Looks that Hydra is told what to do about a shell's completion.

    Raises:
        RequestError: it is told nothing, or something else.
    """
    action, _, shell = words[0].partition("=") if len(words) == 1 else ("", "", "")
    if action not in ("install", "uninstall", "query") or shell not in ("bash", "zsh", "fish"):
        raise RequestError(
            "--shell-completion: one word is expected, install=SHELL or uninstall=SHELL of bash, zsh, fish"
        )
    if action == "query" and "COMP_LINE" not in os.environ:
        raise RequestError("--shell-completion query is what an installed completion asks; install=SHELL installs it")


def _parser(parser: Any, program: str) -> Any:
    """Hydra's parser, which tells a wrong flag on one line."""

    def error(message: str) -> NoReturn:
        raise RequestError(f"{message}; {program} --help tells what it takes")

    parser.error = error
    return parser


def _end(program: str, error: BaseException, code: int) -> NoReturn:
    if not was_told(error):
        print(f"{program}: {one_line(error)}", file=sys.stderr)
    sys.exit(code)


def one_line(error: BaseException) -> str:
    """The message of an error without line breaks."""
    return " ".join(str(error).split())


def _print_help(name: str, program: str, about: str) -> None:
    from s2s_lab.assemble.options import groups_of

    print(f"{about}\n\nusage: {program} [-m] [GROUP=OPTION ...] [KEY=VALUE ...] [--config-dir DIR] [--cfg job]\n")
    print("groups and their options:")
    known = groups_of(name)
    width = max(map(len, known)) + 2
    for group, options in known.items():
        print(f"  {group:{width}}{', '.join(options)}")
    print("\n-m sweeps over values with commas (seed=1,2,3); --cfg job prints the composed configuration and ends.")
    print("--config-dir DIR adds your own folder of options, laid out like conf/.")
