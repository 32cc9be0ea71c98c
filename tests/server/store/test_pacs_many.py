"""Two hundred studies in a PACS: the list, the memory of the server and its cache when all images were wanted once."""

import os
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from pneumoscreen.ct.phantoms.phantom import PhantomSpec, generate_phantom

from ..conftest import copied_models
from ..on_pacs import image_id_of, needs_orthanc, orthanc_with, serving_pacs

STUDIES = 200
CACHE_GB = 0.01
GROWTH = 1.2
"""Most that the memory may grow while nine tenths of the images are fetched."""


@needs_orthanc
@pytest.mark.slow
def test_two_hundred_studies(model_root: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    volume = generate_phantom(3, "covid19", PhantomSpec(matrix=64, slices=20)).volume
    volumes = {f"patient-{number}": replace(volume, case_id=f"study-{number}") for number in range(1, STUDIES + 1)}
    names = [image_id_of(one) for one in volumes.values()]
    models = copied_models(model_root, tmp_path / "models")
    with (
        orthanc_with(tmp_path, volumes) as orthanc,
        serving_pacs(
            orthanc.dicomweb, tmp_path / "state", models, tmp_path_factory, "--cache-gb", str(CACHE_GB)
        ) as server,
    ):
        assert server.client.wait_until_offered(names, 600)
        took = []
        for _ in range(5):
            start = time.perf_counter()
            assert server.client.get("/pneumoscreen/cases?limit=1000").json()["total"] == STUDIES
            took.append(time.perf_counter() - start)
        memory, sizes = [], []
        for number, name in enumerate(names, 1):
            assert server.client.get(f"/datastore/image?image={name}").content.startswith(b"NRRD")
            if number % (STUDIES // 10) == 0:
                memory.append(psutil.Process(server.process.pid).memory_info().rss / 1e6)
                sizes.append(_fetched_bytes(server.studies) / 1e6)
        print(f"list of {STUDIES}: {', '.join(f'{seconds:.3f}' for seconds in took)} s")
        print(f"memory in MB: {', '.join(f'{size:.0f}' for size in memory)}")
        print(f"cache in MB: {', '.join(f'{size:.1f}' for size in sizes)}")
    assert max(sizes) <= CACHE_GB * 1e3
    assert max(memory) < GROWTH * memory[0]


def _fetched_bytes(state: Path) -> int:
    files = [*state.glob("study-*/*.dcm"), *state.glob(".pneumoscreen/images/*")]
    return sum(os.stat(path).st_size for path in files)
