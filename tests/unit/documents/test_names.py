import doctest

import pytest

from dqmsquare.documents import Release, client_name, names, split_release, stream_key, stream_label
from dqmsquare.documents.names import argument_of, config_name_of, public_tag, release_in, release_of
from tests.unit.documents.raw import PATH, SCRUBBER


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(names).failed == 0


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("beam_dqm_sourceclient-live", "beam"),
        ("l1tstage2_dqm_sourceclient-live", "l1tstage2"),
        ("hlt_dqm_clientPB-live", "hlt_dqm_clientPB-live"),
        ("visualization-live-secondInstance", "visualization-live-secondInstance"),
        ("_dqm_sourceclient-live", "_dqm_sourceclient-live"),
        ("", ""),
    ],
)
def test_clients_have_the_names_people_use(tag, name):
    assert client_name(tag) == name


@pytest.mark.parametrize(
    ("path", "release"),
    [
        (PATH, "12_4_8_39145_39162"),
        ("/x/CMSSW_14_0_6_patch1/src", "14_0_6_patch1"),
        ("/x/CMSSW_14_1_0_pre4_44000/src", "14_1_0_pre4_44000"),
        ("/x/CMSSW_12_4_8_bobs_secret/src", "12_4_8"),
        ("/x/CMSSW_12_4_8_39145_bob/src", "12_4_8_39145"),
        ("/x/CMSSW_12_4_8_39145bob/src", "12_4_8"),
        ("/x/CMSSW_12_4_X_2022-09-01-2300/src", None),
        ("/x/cmssw/src", None),
        ("", None),
    ],
)
def test_of_a_path_only_release_and_pull_requests_are_known(path, release):
    assert release_in(path) == release


@pytest.mark.parametrize(
    ("release", "parts"),
    [
        ("12_4_8_39145_39162", Release("12_4_8", (39145, 39162))),
        ("14_0_6_patch1_44000", Release("14_0_6_patch1", (44000,))),
        ("14_0_6", Release("14_0_6", ())),
        ("nonsense", Release("", ())),
        ("", Release("", ())),
    ],
)
def test_a_release_has_parts(release, parts):
    assert split_release(release) == parts


def test_an_argument_is_found_by_its_start():
    cmdline = ["cmsRun", "x_runkey=wrong", "runkey=pp_run=x", "runkey=second"]
    assert argument_of(cmdline, "runkey") == "pp_run=x"
    assert argument_of(["cmsRun"], "runkey") is None


def test_the_configuration_is_known_by_its_file_name():
    assert config_name_of(["cmsRun", "/a/tool.py", "/b/beam_dqm_sourceclient-live_cfg.py"]) == (
        "beam_dqm_sourceclient-live_cfg.py"
    )
    assert config_name_of(["cmsRun", "/a/tool.py"]) == "tool.py"
    assert config_name_of(["cmsRun", "/home/bob/my notes.py", "x=/a/b"]) is None


def test_a_command_line_has_its_first_release():
    assert release_of(["cmsRun", PATH, "x=/CMSSW_1_2_3/"]) == "12_4_8_39145_39162"
    assert release_of([]) is None


@pytest.mark.parametrize(
    ("raw", "key"),
    [
        ("streamDQM_sm-c2a11-43-01", "streamDQM"),
        ("streamDQMGPUvsCPU", "streamDQMGPUvsCPU"),
        ("_x", None),
        ("", None),
        ("a b", None),
        ("sm-c2a11-43-01", None),
        ("x" * 61, None),
    ],
)
def test_a_streams_key_loses_its_host(raw, key):
    assert stream_key(raw) == key


def test_a_stream_has_a_short_label():
    assert [stream_label(key) for key in ("streamDQM", "streamDQMCalibration", "stream", "x")] == [
        "DQM",
        "DQMCalibration",
        "stream",
        "x",
    ]


@pytest.mark.parametrize(
    ("tag", "hostname", "public"),
    [
        ("analyze_files", "bu-c2f11-09-01", "analyze_files"),
        ("analyze_files_lookarea_c2a06_05_01", "dqmrubu-c2a06-05-01.cms", "analyze_files_lookarea_dqmrubu-c2a06-.."),
        ("analyze_files_lookarea_c2a06_05_01", "other-c2a06-01-01", "analyze_files_lookarea_c2a06..01"),
        ("analyze_files_lookarea_bu_c2a06_05_01", "x", "analyze_files_lookarea_bu..01"),
        ("fu-c2f11-11-04", "x", "fu..04"),
        ("x_sm-c2a11-43-01_y", "x", "x_[host]_y"),
    ],
)
def test_a_tag_has_a_label_for_a_host(tag, hostname, public):
    assert public_tag(tag, hostname, SCRUBBER) == public
