"""The device to compute on: choosing it, naming it, its free memory."""

import os
import platform
from pathlib import Path

import torch

from modeling.errors import DeviceError

DEVICE_FORMS = "auto, cpu, cuda, cuda:N, mps"


def choose_device(name: str = "auto") -> torch.device:
    """Find a device by name; "auto" is the first of CUDA, MPS and CPU that is available.

    Raises:
        DeviceError: the name has none of the known forms, or there is no such device.
    """
    present = _present()
    if name == "auto":
        return torch.device(present[0])
    kind, _, index = name.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (index and not (kind == "cuda" and index.isdigit())):
        raise DeviceError(f"unknown device {name!r}; known: {DEVICE_FORMS}")
    if name not in present and f"{name}:0" not in present:
        raise DeviceError(f"no device {name!r} here; this machine has: {', '.join(present)}")
    return torch.device(name if index or kind != "cuda" else "cuda:0")


def use_tensor_cores() -> None:
    """Allow float32 products on a GPU to round their inputs to TF32 (10-bit mantissa)."""
    torch.set_float32_matmul_precision("high")


def _present() -> list[str]:
    cuda = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    mps = ["mps"] * torch.backends.mps.is_available()
    return [*cuda, *mps, "cpu"]


def describe_device(device: torch.device) -> str:
    """Name a device for people: "AMD EPYC 7763, 2 threads" or "NVIDIA H100, 80 GB"."""
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        return f"{properties.name}, {properties.total_memory / 1e9:.0f} GB"
    if device.type == "mps":
        return f"{processor_name()} GPU"
    threads = torch.get_num_threads()
    return f"{processor_name()}, {threads} thread{'s' * (threads != 1)}"


def processor_name() -> str:
    """Name the CPU for people: "AMD EPYC 7763 64-Core Processor"."""
    names = Path("/proc/cpuinfo")
    if names.exists():
        for line in names.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def free_bytes(device: torch.device) -> int:
    """Memory available for new tensors, in bytes."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        reserved = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return free + reserved
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
