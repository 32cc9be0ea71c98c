"""Which workers the options of a command ask for."""

from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigError
from .pool import Ask, JobT, Pool, ResultT, Work
from .ray_cluster import Wanted, require_ray


@dataclass(frozen=True)
class Workers:
    """What ``--processes`` and ``--ray`` say.

    Attributes:
        processes: of this machine; None where nothing is said.
        ray: a Ray cluster instead; None for this machine.
    """

    processes: int | None = None
    ray: Wanted | None = None

    @classmethod
    def of(
        cls,
        processes: int | None = None,
        ray: str | None = None,
        ray_cpus: float | None = None,
        ray_gpus: float | None = None,
        device: str = "auto",
    ) -> "Workers":
        """The workers of the options of these names.

        Raises:
            ConfigError: if they are wrong, or Ray is asked for and not installed.
        """
        if processes is not None and processes < 1:
            raise ConfigError(f"--processes {processes}: must be 1 or more, or left out")
        if ray is None:
            if ray_cpus is not None or ray_gpus is not None:
                raise ConfigError("--ray-cpus and --ray-gpus need --ray; give it, or leave them out")
            return cls(processes)
        wanted = Wanted(ray, processes, ray_cpus, ray_gpus, device)
        require_ray()
        return cls(processes, wanted)

    @property
    def are_elsewhere(self) -> bool:
        """Whether the command's own process does none of the jobs."""
        return self.ray is not None or (self.processes or 1) > 1

    def device_here(self, device: str) -> str:
        """The device that the command's own process uses, where ``device`` is that of the workers."""
        return device if self.ray is None or device == "cpu" else "auto"

    def pool(
        self,
        work: Work[JobT, ResultT],
        out: Path,
        device: str,
        ask: Ask | None = None,
        threads: int | None = None,
    ) -> Pool[JobT, ResultT]:
        """The workers; where nothing is asked for, the command's own process.

        Args:
            work: what they do.
            out: to which the files go that jobs write.
            device: where networks run on this machine.
            ask: what the work asks with, on the machine of the command.
            threads: of each worker; None takes its share of the cores, or what the user says.
        """
        if self.ray is not None:
            # Ray is large, and an optional package.
            from .ray_pool import RayPool

            return RayPool(work, out, self.ray, ask, threads)
        if self.are_elsewhere:
            from .processes import Processes

            return Processes(work, out, self.processes or 1, device, ask, threads)
        from .here import Here

        return Here(work, out, device, ask, threads)


UNASKED = Workers()
"""Nothing is said: the command's own process."""
