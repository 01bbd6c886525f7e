"""The figures that pycocotools makes of annotations and results."""

import contextlib
import io


def coco_figures(annotations, results, *, pictures, classes, kind, size=(1, 1)):
    """``COCOeval``'s twelve; annotations lack ids, and ``size`` is (height, width) of the pictures."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "images": [{"id": image, "height": size[0], "width": size[1]} for image in range(pictures)],
            "categories": [{"id": index} for index in range(classes)],
            "annotations": [{"id": number} | entry for number, entry in enumerate(annotations, start=1)],
        }
        coco.createIndex()
        judged = COCOeval(coco, coco.loadRes(results), kind)
        judged.evaluate()
        judged.accumulate()
        judged.summarize()
    return judged.stats
