"""Bars for the jobs that run now, on a terminal only; a log file gets the lines alone."""

from collections.abc import Iterable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from labelplane.cluster.local_jobs import JobProgress


def bars(console: Console) -> Progress:
    """An empty display; it vanishes at the end."""
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TextColumn("rows"), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def show(display: Progress, running: Iterable[JobProgress]) -> None:
    """Bring the display up to date: a bar for each job that runs."""
    bars_by_job = {task.fields["job"]: task.id for task in display.tasks}
    for one in running:
        bar = bars_by_job.pop(one.job, None)
        if bar is None:
            bar = display.add_task("", total=None, job=one.job)
        display.update(bar, description=f"{one.job}: {one.phase}", completed=one.done, total=one.total)
    for gone in bars_by_job.values():
        display.remove_task(gone)
