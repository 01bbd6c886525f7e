"""What a type checker knows of a user's program; it is checked as one in test_packaging, and never run."""

from pathlib import Path
from typing import Any, assert_type

import numpy as np

import edgevision
from edgevision.imaging.pictures import Picture
from edgevision.runtime.benchmark.report import BenchmarkReport
from edgevision.runtime.compositions.follower import Follower
from edgevision.runtime.tasks.autoencoding.autoencoder import Encoder, Reconstructor
from edgevision.runtime.tasks.autoencoding.evaluation import ReconstructionReport
from edgevision.runtime.tasks.autoencoding.result import Code, Reconstruction
from edgevision.runtime.tasks.classification.classifier import Classifier
from edgevision.runtime.tasks.classification.evaluation import ClassificationReport
from edgevision.runtime.tasks.classification.result import Classification
from edgevision.runtime.tasks.detection.detector import Detector
from edgevision.runtime.tasks.detection.result import Detections
from edgevision.runtime.tasks.generation.evaluation import GenerationReport
from edgevision.runtime.tasks.generation.generator import Generator
from edgevision.runtime.tasks.generation.result import GeneratedPictures
from edgevision.runtime.tasks.keypoints.finder import KeypointFinder
from edgevision.runtime.tasks.keypoints.result import Keypoints
from edgevision.runtime.tasks.pipeline import Drawable, Pipeline, Result
from edgevision.runtime.tasks.restoration.evaluation import RestorationReport
from edgevision.runtime.tasks.restoration.inpainter import Inpainter
from edgevision.runtime.tasks.restoration.restorer import Restorer
from edgevision.runtime.tasks.segmentation.result import Segmentation
from edgevision.runtime.tasks.segmentation.segmenter import Segmenter
from edgevision.runtime.tasks.sequences.sequence_classifier import SequenceClassifier
from edgevision.runtime.tasks.stylization.stylizer import Stylizer
from edgevision.runtime.tasks.translation.translator import Translator


def models_that_ship() -> None:
    assert_type(edgevision.load("classify", color="bgr"), Classifier)
    assert_type(edgevision.load("generate", "openvino:npu"), Generator)
    assert_type(edgevision.load("inpaint", memory=1 << 28), Inpainter)
    assert_type(edgevision.load("denoise", threads=2, tile=512), Restorer)
    assert_type(edgevision.load("brighten"), Restorer)
    assert_type(edgevision.load("upscale", scale=4), Restorer)
    assert_type(edgevision.load("detect", min_score=0.5, tile="auto"), Detector)
    assert_type(edgevision.load("segment_nuclei", threshold=0.4), Segmenter)
    assert_type(edgevision.load("keypoints", detector="faces.onnx"), KeypointFinder)
    assert_type(edgevision.load("sequence"), SequenceClassifier)
    assert_type(edgevision.load("track"), Follower)


def models_of_ones_own(path: Path, name: str) -> None:
    assert_type(edgevision.load(path, task="classify"), Classifier)
    assert_type(edgevision.load(path, task="detect", iou=0.5), Detector)
    assert_type(edgevision.load(path, task="segment"), Segmenter)
    assert_type(edgevision.load(path, task="keypoints"), KeypointFinder)
    assert_type(edgevision.load(path, task="generate"), Generator)
    assert_type(edgevision.load(path, task="inpaint", tile=0), Inpainter)
    assert_type(edgevision.load(path, task="upscale"), Restorer)
    assert_type(edgevision.load(path, task="stylize", tile=0), Stylizer)
    assert_type(edgevision.load(path, task="translate"), Translator)
    assert_type(edgevision.load(path, task="encode"), Encoder)
    assert_type(edgevision.load(path, task="reconstruct"), Reconstructor)
    assert_type(edgevision.load(path), Any)
    assert_type(edgevision.load(name), Any)


def results(path: Path, picture: Picture, paths: list[Path]) -> None:
    with edgevision.load("classify") as classify, edgevision.load("inpaint") as inpaint:
        assert_type(classify("photo.jpg"), Classification)
        assert_type(classify(paths), list[Classification])
        assert_type(classify(np.zeros((2, 8, 8, 3), np.uint8)), list[Classification])
        assert_type(classify("photo.jpg").top(3), list[tuple[str, float]])
        assert_type(inpaint(path, picture.pixels > 3), Picture)
        assert_type(inpaint([picture, picture], "mask.png"), list[Picture])
    assert_type(edgevision.load("detect")(paths), list[Detections])
    assert_type(edgevision.load("segment")("photo.jpg"), Segmentation)
    assert_type(edgevision.load("keypoints")("face.jpg"), Keypoints)
    assert_type(edgevision.load("denoise")(picture), Picture)
    assert_type(edgevision.load("denoise")(("a.jpg", b"...")), list[Picture])
    assert_type(edgevision.load("generate")(4, height=64, width=96), GeneratedPictures)
    assert_type(edgevision.load("generate")(4)[0], Picture)
    assert_type(edgevision.load(path, task="encode")("a.jpg"), Code)
    assert_type(edgevision.load(path, task="reconstruct")("a.jpg"), Reconstruction)


def protocols(classify: Classifier, generate: Generator, inpaint: Inpainter, denoise: Restorer) -> None:
    pipelines: list[Pipeline] = [classify, generate, inpaint, denoise]
    answers: list[Result] = [classify("a.jpg"), generate(), inpaint("a.png"), denoise("a.jpg")]
    drawn: list[Drawable] = [generate(), denoise("a.jpg")]
    assert len(pipelines) == len(answers) > len(drawn)


def reports(path: Path, classify: Classifier, denoise: Restorer, reconstruct: Reconstructor) -> None:
    assert_type(edgevision.evaluate("classify", "photos.zip", split="test"), ClassificationReport)
    assert_type(edgevision.evaluate(classify, path).top1, float)
    assert_type(edgevision.evaluate(denoise, path, sigma=25), RestorationReport)
    assert_type(edgevision.evaluate("inpaint", path, holes="text"), RestorationReport)
    assert_type(edgevision.evaluate("generate", path, samples=500), GenerationReport)
    assert_type(edgevision.evaluate(reconstruct, path), ReconstructionReport)
    assert_type(edgevision.evaluate(path, path), Any)


def the_rest(path: Path) -> None:
    assert_type(edgevision.benchmark("classify"), BenchmarkReport)
    assert_type(edgevision.train("classify", "digits", epochs=1), Path | None)
    edgevision.export(path, path.with_suffix(".onnx"))
