"""What the machine says of itself; the boards' own answers are tested in tests/device."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevision.core import machine as machines
from edgevision.core.machine import Machine, arm64_features, peak_memory_mb

# AT_PAGESZ and AT_NULL stand around what is looked for.
PAGE_SIZE, END = (6, 4096), (0, 0)
CORTEX_A72 = (16, 0x8FB)
CORTEX_A76 = (16, 0x119FFB)


def vector(*entries: tuple[int, int]) -> bytes:
    return b"".join(struct.pack("<QQ", *entry) for entry in entries)


def test_the_dot_product_tells_a_cortex_a76_from_a_cortex_a72():
    assert arm64_features(vector(PAGE_SIZE, CORTEX_A72, END)) == {"asimd"}
    assert arm64_features(vector(PAGE_SIZE, CORTEX_A76, END)) == {"asimd", "asimdhp", "asimddp"}


def test_int8_matrices_are_in_the_second_word_of_capabilities():
    assert arm64_features(vector(CORTEX_A76, (26, 1 << 13), END)) == {"asimd", "asimdhp", "asimddp", "i8mm"}
    assert arm64_features(vector(CORTEX_A72, (26, 1 << 14), END)) == {"asimd", "bf16"}


@given(st.binary())
def test_any_bytes_give_known_features(garbage):
    assert arm64_features(garbage) <= {"asimd", "asimdhp", "asimddp", "i8mm", "bf16"}


@pytest.fixture
def emulated(monkeypatch, tmp_path):
    """As on arm64 where /proc/cpuinfo is that of an x86 host; the auxiliary vector is what the test gives."""

    def build(
        auxiliary_vector: bytes | None,
        machine: str = "aarch64",
        cpuinfo: str = "flags\t\t: fpu sse2 avx2 fma\n",
        answers: dict[str, bool] | None = None,
    ):
        (tmp_path / "cpuinfo").write_text(cpuinfo)
        if auxiliary_vector is not None:
            (tmp_path / "auxv").write_bytes(auxiliary_vector)
        real = machines.Path
        files = {"/proc/cpuinfo": tmp_path / "cpuinfo", "/proc/self/auxv": tmp_path / "auxv"}
        monkeypatch.setattr(machines, "Path", lambda name: files.get(name, real(name)))
        monkeypatch.setattr(machines.platform, "machine", lambda: machine)
        monkeypatch.setattr(machines, "_answers", lambda: answers or {})
        return Machine.this().features

    return build


def test_arm64_believes_the_auxiliary_vector_before_cpuinfo(emulated):
    assert emulated(vector(CORTEX_A72, END)) == ("asimd",)


def test_arm64_without_an_auxiliary_vector_reads_cpuinfo(emulated):
    assert emulated(None, cpuinfo="Features\t: fp asimd crc32 asimddp\n") == ("asimd", "asimddp")
    assert emulated(b"", cpuinfo="Features\t: fp asimd crc32 asimddp\n") == ("asimd", "asimddp")


def test_other_processors_read_cpuinfo(emulated):
    assert emulated(vector(CORTEX_A76, END), machine="x86_64") == ("avx2", "fma")


XEON = "flags\t\t: fpu ssse3 avx2 fma f16c avx512f avx512_vnni avx512_bf16 amx_int8 amx_bf16\n"
HASWELL = {"SSSE3": True, "AVX2": True, "FMA3": True, "F16C": True, "AVX512F": False, "AVX512VNNI": False}


def test_what_the_processor_denies_is_not_believed_of_cpuinfo(emulated):
    # As in qemu on a Xeon: /proc/cpuinfo is the Xeon's.
    assert emulated(None, "x86_64", XEON, HASWELL) == ("ssse3", "avx2", "fma", "f16c")
    assert emulated(None, "x86_64", XEON, {"AVX2": False, "AVX512F": False, "AVX512VNNI": False})[0] == "ssse3"
    assert emulated(None, "x86_64", XEON)[-3:] == ("avx512_bf16", "amx_int8", "amx_bf16")


def test_x86_emulated_on_arm_does_not_take_the_features_of_arm(emulated):
    arm = "Features\t: fp asimd crc32 asimddp i8mm\n"
    assert emulated(vector(CORTEX_A76, END), "x86_64", arm, HASWELL) == ("ssse3", "avx2", "fma", "f16c")


def test_without_cpuinfo_the_processor_is_asked(emulated):
    assert emulated(None, "AMD64", "", HASWELL) == ("ssse3", "avx2", "fma", "f16c")
    vnni = HASWELL | {"AVX512F": True, "AVX512VNNI": True}
    assert emulated(None, "AMD64", "", vnni) == ("ssse3", "avx2", "fma", "f16c", "avx512f", "avx512_vnni")
    assert emulated(None, "arm64", "", {"ASIMD": True, "ASIMDDP": True, "AVX2": False}) == ("asimd", "asimddp")
    assert emulated(None, "AMD64", "") == ()


def test_numpy_still_answers_for_this_processor():
    answers = machines._answers()
    assert answers.get("SSSE3") or answers.get("ASIMD")


@pytest.mark.parametrize(
    ("features", "saturate"),
    [
        ((), True),
        (("ssse3",), True),
        (("ssse3", "avx2", "avx512f"), True),
        (("ssse3", "avx2", "avx_vnni"), False),
        (("ssse3", "avx2", "avx512f", "avx512_vnni"), False),
        (("asimd",), False),
    ],
)
def test_sums_of_int8_saturate_on_x86_without_vnni(features, saturate):
    machine = Machine(processor="a CPU", cores=1, memory_gb=1.0, system="S", features=features)
    assert machine.int8_sums_saturate is saturate


@pytest.mark.parametrize(
    ("features", "kind"),
    [
        ((), "neither x86 nor arm64"),
        (("ssse3", "avx2", "fma"), "AVX2"),
        (("ssse3", "avx2", "avx_vnni"), "AVX-VNNI"),
        (("ssse3", "avx2", "avx512f"), "AVX-512 without VNNI"),
        (("ssse3", "avx2", "avx512f", "avx512_vnni", "avx512_bf16"), "AVX-512 VNNI"),
        (("ssse3", "avx2", "avx512f", "avx_vnni", "avx512_vnni", "amx_int8"), "AMX"),
        (("asimd", "asimddp"), "arm64 with dot products"),
    ],
)
def test_a_kind_of_cpu_is_named_after_the_best_that_it_has(features, kind):
    assert Machine(processor="a CPU", cores=1, memory_gb=1.0, system="S", features=features).cpu_kind == kind


def test_the_machine_knows_itself():
    machine = Machine.this()
    assert machine.processor
    assert machine.cores >= 1
    assert machine.memory_gb > 0.1
    assert Machine.from_dict(machine.to_dict()) == machine


def test_peak_memory_grows_with_what_is_held():
    before = peak_memory_mb()
    if before is None:
        pytest.skip("this system does not report it")
    held = bytearray(int((before + 64) * 2**20))
    held[::4096] = b"x" * len(held[::4096])
    after = peak_memory_mb()
    assert after is not None
    assert after >= before + 32


@pytest.mark.parametrize(("cores", "words"), [(1, "a CPU, 1 core"), (4, "a CPU, 4 cores")])
def test_a_machine_is_named_by_processor_and_cores(cores: int, words: str) -> None:
    machine = Machine(processor="a CPU", cores=cores, memory_gb=1, system="Linux")
    assert machine.processor_and_cores == words
