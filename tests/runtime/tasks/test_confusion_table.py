from edgevision.runtime.tasks.confusion_table import WIDEST, confusion_table


def test_names_stand_whole_over_their_columns():
    lines = confusion_table("taken for", ["Platelets", "nothing"], ["Platelets", "missed"], [["12", "3"], ["", ""]])
    assert [line.split() for line in lines] == [
        ["taken", "for", "Platelets", "missed"],
        ["Platelets", "12", "3"],
        ["nothing"],
    ]
    assert len({len(line) for line in lines}) == 1


def test_where_names_are_too_wide_columns_are_numbered_and_rows_say_by_what():
    names = [f"a class with a long name {index}" for index in range(11)]
    cells = [[str(10 * row + column) for column in range(12)] for row in range(12)]
    lines = confusion_table("taken for", [*names, "nothing"], [*names, "missed"], cells)
    assert lines[0].split() == ["taken", "for", *map(str, range(1, 12)), "missed"]
    assert lines[3].startswith(" 3 a class with a long name 2 ")
    assert lines[-1].startswith("nothing ")
    assert max(map(len, lines)) <= WIDEST
