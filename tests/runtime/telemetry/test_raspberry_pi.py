import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevision.runtime.telemetry.raspberry_pi import (
    RaspberryPi,
    parse_clock,
    parse_power,
    parse_temperature,
    parse_throttled,
    throttled_now,
    throttled_since_start,
)
from edgevision.runtime.telemetry.reading import power_covers

ADC = """ 3V7_WL_SW_A current(0)=0.10000000A
    1V8_SYS_A current(2)=0.50000000A
   VDD_CORE_A current(7)=3.00000000A
  3V7_WL_SW_V volt(8)=3.70000000V
    1V8_SYS_V volt(10)=1.80000000V
   VDD_CORE_V volt(15)=0.80000000V
      EXT5V_V volt(24)=5.10000000V
"""
WATTS = 0.37 + 0.9 + 2.4


class FakePi:
    """Answers as vcgencmd does, counts the questions, and has a clock of its own."""

    def __init__(self, **answers):
        self.answers = {"get_throttled": "throttled=0x0\n", "measure_clock arm": "frequency(0)=2400023808\n"} | answers
        self.asked = []
        self.now = 0.0

    def __call__(self, arguments):
        if arguments[0] != "vcgencmd":
            return None
        self.asked.append(" ".join(arguments[1:]))
        return self.answers.get(self.asked[-1])

    def clock(self):
        return self.now


@pytest.mark.parametrize(
    ("bits", "now", "since_start"),
    [
        (0x0, (), ()),
        (0x50005, ("under-voltage", "throttled"), ("under-voltage", "throttled")),
        (0x20002, ("frequency capped",), ("frequency capped",)),
        (0xE0008, ("soft temperature limit",), ("frequency capped", "throttled", "soft temperature limit")),
        (0x10000, (), ("under-voltage",)),
    ],
)
def test_the_bits_are_told_apart(bits, now, since_start):
    assert parse_throttled(f"throttled={bits:#x}\n") == bits
    assert throttled_now(bits) == now
    assert throttled_since_start(bits) == since_start


def test_temperature_clock_and_power_are_read():
    assert parse_temperature("temp=55.3'C\n") == 55.3
    assert parse_clock("frequency(48)=1500398464\n") == pytest.approx(1500.398464)
    assert parse_clock("frequency(0)=600000000") == 600
    assert parse_power(ADC) == pytest.approx({"3V7_WL_SW": 0.37, "1V8_SYS": 0.9, "VDD_CORE": 2.4})


def test_a_refusal_is_no_answer():
    for text in ("", "VCHI initialization failed\n", 'error=1 error_msg="Command not registered"\n', "throttled=\n"):
        assert parse_throttled(text) is None
        assert parse_temperature(text) is None
        assert parse_clock(text) is None
        assert parse_power(text) == {}


def test_a_pi_5_tells_its_power_and_what_that_leaves_out(tmp_path):
    fake = FakePi(pmic_read_adc=ADC, measure_temp="temp=55.3'C\n")
    reading = RaspberryPi(tmp_path, fake, cores=4, clock=fake.clock).read()
    assert reading.total_power_w == pytest.approx(WATTS)
    assert reading.temperatures == {"cpu": 55.3}
    assert reading.cpu_mhz == (2400.023808,) * 4
    assert "USB" in power_covers(reading.power_w)


def test_the_tool_is_asked_every_two_seconds_and_the_clock_is_not_repeated(tmp_path):
    fake = FakePi()
    source = RaspberryPi(tmp_path, fake, cores=4, clock=fake.clock)
    assert source.read().cpu_mhz
    fake.answers["get_throttled"] = "throttled=0xe0008\n"
    asked = len(fake.asked)
    fake.now = 1.9
    between = source.read()
    assert (between.cpu_mhz, between.throttled) == ((), ())
    assert len(fake.asked) == asked
    fake.now = 2.0
    assert source.read().throttled == ("soft temperature limit",)
    fake.now = 2.5
    assert source.read().throttled == ("soft temperature limit",)
    assert source.read().occurred == ("frequency capped", "throttled", "soft temperature limit")
    fake.answers["get_throttled"] = "throttled=0xe0000\n"
    source.expire()
    assert source.read().throttled == ()


def test_where_the_kernel_has_the_temperature_the_tool_is_not_asked_for_it(tmp_path, board):
    fake = FakePi(measure_temp="temp=1.0'C\n")
    root = board({"sys/class/thermal/thermal_zone0/temp": "50000\n"})
    RaspberryPi(root, fake, clock=fake.clock).read()
    assert "measure_temp" not in fake.asked


def test_without_the_tool_the_kernels_alarm_is_believed(board):
    hwmon = "sys/class/hwmon/hwmon2"
    root = board({f"{hwmon}/name": "rpi_volt\n", f"{hwmon}/in0_lcrit_alarm": "0\n"})
    source = RaspberryPi(root, lambda arguments: None)
    assert not source.present
    assert source.read().throttled == ()
    board({f"{hwmon}/in0_lcrit_alarm": "1\n"})
    assert source.read().throttled == ("under-voltage",)
    source.close()


def test_recorded_answers_are_read(recordings):
    folder = recordings / "vcgencmd"
    bits = {path.stem: parse_throttled(path.read_text()) for path in folder.glob("get_throttled*")}
    assert bits == {
        "get_throttled_ok": 0,
        "get_throttled_now_undervoltage": 0x50005,
        "get_throttled_past_thermal": 0xE0000,
        "get_throttled_past_undervoltage": 0x50000,
        "get_throttled_soft_temp_now": 0xE0008,
    }
    assert parse_temperature((folder / "measure_temp_42_2.txt").read_text()) == 42.2
    assert parse_temperature((folder / "measure_temp_82_7.txt").read_text()) == 82.7
    assert parse_clock((folder / "measure_clock_arm_pi4.txt").read_text()) == pytest.approx(1677.427712)
    assert parse_clock((folder / "measure_clock_core.txt").read_text()) == 250
    assert parse_temperature((folder / "measure_volts_core.txt").read_text()) is None
    idle = parse_power((folder / "pmic_read_adc_pi5_idle.txt").read_text())
    assert len(idle) == 12
    assert "EXT5V" not in idle
    assert idle["VDD_CORE"] == pytest.approx(0.9465799 * 0.7209762)
    assert sum(idle.values()) == pytest.approx(1.90, abs=0.02)
    loaded = parse_power((folder / "pmic_read_adc_pi5_loaded_partial.txt").read_text())
    assert loaded["VDD_CORE"] == pytest.approx(5.03652 * 0.8936988)
    assert "DDR_VDD2" not in loaded


ANSWERS = ("throttled=0x50005", "temp=61.8'C", "frequency(48)=1500398464", ADC)


@given(st.data())
def test_damaged_answers_never_raise(data):
    text = data.draw(st.sampled_from(ANSWERS))
    at = data.draw(st.integers(0, len(text)))
    damaged = text[:at] + data.draw(st.text(max_size=20)) + text[data.draw(st.integers(at, len(text))) :]
    bits = parse_throttled(damaged)
    assert bits is None or set(throttled_now(bits)) <= set(throttled_now(0xF))
    assert all(watts >= 0 for watts in parse_power(damaged).values())
    for value in (parse_temperature(damaged), parse_clock(damaged)):
        assert value is None or abs(value) < 1e7
