import pytest
from PIL import Image

from edgevision.core.errors import InputError, OutputError
from edgevision.runtime.files.inputs import PictureInput, expand_inputs
from edgevision.runtime.files.outputs import make_folders, plan_outputs


@pytest.fixture
def photos(tmp_path):
    for name in ("a.jpg", "b.png", "deep/a.jpg"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (2, 2)).save(tmp_path / "photos" / name)
    return tmp_path / "photos"


def planned(words, output=None, **options):
    words = words if isinstance(words, list) else [words]
    return plan_outputs(expand_inputs([str(word) for word in words]), output, **({"name_suffix": "denoised"} | options))


def targets(*arguments, **options):
    return [job.target for job in planned(*arguments, **options)]


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("a.jpg", "a-denoised.jpg"),
        ("b.JPEG", "b-denoised.JPEG"),
        ("c.tif", "c-denoised.tif"),
        ("d.png", "d-denoised.png"),
    ],
)
def test_without_a_place_the_result_lies_beside_the_picture_in_its_format(tmp_path, name, result, caplog):
    Image.new("RGB", (2, 2)).save(tmp_path / name)
    assert targets(tmp_path / name) == [tmp_path / result]
    assert caplog.messages == []


def test_without_a_place_a_format_that_can_only_be_read_becomes_png_and_that_is_said(tmp_path, caplog):
    caplog.set_level("INFO", "edgevision")
    Image.new("RGB", (2, 2)).save(tmp_path / "a.gif")
    assert targets(tmp_path / "a.gif") == [tmp_path / "a-denoised.png"]
    assert caplog.messages == ["pictures in .gif are read only: their results are PNG"]
    assert targets(tmp_path / "a.gif", tmp_path / "b.png") == [tmp_path / "b.png"]
    assert len(caplog.messages) == 1


@pytest.mark.parametrize("name", ["result.png", "result.JPG", "result.webp"])
def test_a_file_name_is_taken_as_it_is(photos, tmp_path, name):
    assert targets(photos / "a.jpg", tmp_path / name) == [tmp_path / name]


def test_a_folder_gets_a_single_picture_under_its_own_name(photos, tmp_path):
    (tmp_path / "results").mkdir()
    assert targets(photos / "a.jpg", tmp_path / "results") == [tmp_path / "results/a.jpg"]


def test_a_folder_mirrors_the_tree(photos, tmp_path):
    jobs = planned(photos, tmp_path / "results", compare=tmp_path / "both")
    assert [job.target.relative_to(tmp_path).as_posix() for job in jobs] == [
        "results/a.jpg",
        "results/b.png",
        "results/deep/a.jpg",
    ]
    assert [job.compare.relative_to(tmp_path).as_posix() for job in jobs] == [
        "both/a.png",
        "both/b.png",
        "both/deep/a.png",
    ]


def test_folders_are_made_when_the_work_starts_and_not_before(photos, tmp_path):
    jobs = planned(photos, tmp_path / "new/results", compare=tmp_path / "both")
    assert not (tmp_path / "new").exists()
    make_folders(jobs)
    assert all(job.target.parent.is_dir() and job.compare.parent.is_dir() for job in jobs)


def test_a_glob_mirrors_what_comes_after_its_fixed_part(photos, tmp_path):
    assert targets([f"{photos}/*/*.jpg", f"{photos}/*.png"], tmp_path / "results") == [
        tmp_path / "results/deep/a.jpg",
        tmp_path / "results/b.png",
    ]


def test_a_format_that_can_only_be_read_becomes_png(photos, tmp_path, caplog):
    caplog.set_level("INFO", "edgevision")
    for name in ("c.gif", "d.ppm"):
        Image.new("RGB", (2, 2)).save(photos / name)
    found = targets([photos / "c.gif", photos / "d.ppm"], tmp_path / "results")
    assert found == [tmp_path / "results/c.png", tmp_path / "results/d.png"]
    assert caplog.messages == ["pictures in .gif, .ppm are read only: their results are PNG"]


@pytest.mark.parametrize("name", ["result.gif", "result.txt"])
def test_a_file_of_a_format_that_cannot_be_written_is_refused(photos, tmp_path, name):
    with pytest.raises(OutputError, match="does not end in a format that can be written"):
        planned(photos / "a.jpg", tmp_path / name)


def test_a_name_without_an_ending_is_refused_with_a_remedy(photos, tmp_path):
    with pytest.raises(OutputError, match=r"end it in \.png for a file"):
        planned(photos / "a.jpg", tmp_path / "result")


def test_several_pictures_need_a_place(photos):
    with pytest.raises(InputError, match="name the folder for the results with -o"):
        planned(photos)


def test_standard_input_needs_a_place(tmp_path):
    with pytest.raises(InputError, match="name the folder for the results with -o"):
        plan_outputs([PictureInput("-", b"bytes")], None, name_suffix="denoised")
    (job,) = plan_outputs([PictureInput("-", b"bytes")], tmp_path / "result.png", name_suffix="denoised")
    assert job.target == tmp_path / "result.png"


def test_two_pictures_of_one_name_are_refused(photos, tmp_path):
    with pytest.raises(
        OutputError, match=r"'.*photos/a\.jpg' and '.*deep/a\.jpg' would both be written to '.*results/a\.jpg'"
    ):
        planned([photos / "a.jpg", photos / "deep/a.jpg"], tmp_path / "results")


def test_a_result_and_a_comparison_of_one_name_are_refused(photos, tmp_path):
    with pytest.raises(OutputError, match="would both be written"):
        planned(photos / "a.jpg", tmp_path / "r.png", compare=tmp_path / "r.png")


def test_two_formats_of_one_stem_do_not_get_in_each_others_way(photos, tmp_path):
    Image.new("RGB", (2, 2)).save(photos / "a.png")
    assert len(targets([photos / "a.jpg", photos / "a.png"], tmp_path / "results")) == 2


@pytest.mark.parametrize("options", [{}, {"force": True}, {"resume": True}])
@pytest.mark.parametrize("place", ["output", "compare"])
def test_an_input_is_never_overwritten(photos, tmp_path, options, place):
    places = {"output": tmp_path / "result.png", "compare": None} | {place: photos / "b.png"}
    for picture in (photos / "b.png", photos / "deep/../b.png"):
        with pytest.raises(OutputError, match="is an input, which is never overwritten; choose another -o"):
            planned(picture, **places, **options)


def test_an_input_is_not_overwritten_through_a_link(photos, tmp_path):
    (tmp_path / "link").symlink_to(photos)
    with pytest.raises(OutputError, match="never overwritten"):
        planned(photos / "b.png", tmp_path / "link/b.png", force=True)


@pytest.mark.parametrize("force", [False, True])
def test_what_exists_is_overwritten_by_force_only(photos, tmp_path, force):
    (tmp_path / "old.png").touch()
    for places in ({"output": tmp_path / "old.png"}, {"output": tmp_path / "new.png", "compare": tmp_path / "old.png"}):
        if force:
            assert len(planned(photos / "a.jpg", **places, force=True)) == 1
        else:
            with pytest.raises(OutputError, match=r"old\.png' exists already; --force overwrites it"):
                planned(photos / "a.jpg", **places)


def test_to_resume_is_to_leave_out_what_is_there(photos, tmp_path, caplog):
    caplog.set_level("INFO", "edgevision")
    (tmp_path / "results").mkdir()
    (tmp_path / "results/b.png").touch()
    assert targets(photos, tmp_path / "results", resume=True) == [
        tmp_path / "results/a.jpg",
        tmp_path / "results/deep/a.jpg",
    ]
    assert caplog.messages == ["skipping 1 of 3 pictures, which are done already"]


def test_results_inside_the_folder_of_the_inputs_are_not_restored_again(photos):
    (photos / "results/deep").mkdir(parents=True)
    Image.new("RGB", (2, 2)).save(photos / "results/deep/a.jpg")
    found = targets(photos, photos / "results", force=True)
    assert found == [photos / "results" / name for name in ("a.jpg", "b.png", "deep/a.jpg")]


def test_the_folder_of_a_single_file_is_made_too(photos, tmp_path):
    jobs = planned(photos / "a.jpg", tmp_path / "new/result.png")
    make_folders(jobs)
    assert (tmp_path / "new").is_dir()


def test_a_file_where_a_folder_is_needed_is_refused(photos, tmp_path):
    (tmp_path / "results").touch()
    with pytest.raises(OutputError, match="does not exist"):
        planned([photos / "a.jpg", photos / "b.png"], tmp_path / "results")


def test_a_name_that_ends_in_a_slash_is_a_folder(edgevision, write_restorer, photos, tmp_path):
    model = write_restorer("denoise")
    code, _, err = edgevision("run", "denoise", photos / "a.jpg", "-m", model, "-o", f"{tmp_path}/new/", "-q")
    assert (code, err) == (0, "")
    assert (tmp_path / "new/a.jpg").is_file()


@pytest.mark.parametrize("words", [["photos"], ["photos/b.png"], ["photos/a.jpg", "photos/b.png"]])
def test_a_folder_of_inputs_as_the_place_of_the_results_is_refused(photos, words):
    with pytest.raises(OutputError, match="never overwritten"):
        planned([photos.parent / word for word in words], photos)


def test_a_named_picture_in_the_folder_of_the_results_is_not_passed_over(photos):
    (photos / "other").mkdir()
    Image.new("RGB", (2, 2)).save(photos / "other/c.png")
    with pytest.raises(OutputError, match="never overwritten"):
        planned([photos / "b.png", photos / "other/c.png"], photos / "other")
