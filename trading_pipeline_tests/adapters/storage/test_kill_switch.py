"""The kill switch as a file."""

from trading_pipeline.adapters.storage.kill_switch import KillSwitchFile


def test_it_is_engaged_while_the_file_exists(tmp_path):
    switch = KillSwitchFile(tmp_path / "folder" / "KILL")
    assert switch.is_engaged() is False
    switch.engage("by hand")
    assert switch.is_engaged() is True
    assert switch.path.read_text() == "by hand"
    switch.release()
    switch.release()
    assert switch.is_engaged() is False


def test_any_file_of_that_name_engages_it(tmp_path):
    switch = KillSwitchFile(tmp_path / "KILL")
    switch.path.touch()
    assert switch.is_engaged() is True


def test_a_path_that_cannot_be_read_is_unknown(tmp_path):
    (tmp_path / "file").touch()
    assert KillSwitchFile(tmp_path / "file" / "KILL").is_engaged() is None
