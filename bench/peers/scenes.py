"""PySceneDetect with one of its detectors and its defaults: `scenes.py FILE DETECTOR`."""

import sys

import scenedetect
from common import Clock

detector = {"content": scenedetect.ContentDetector, "adaptive": scenedetect.AdaptiveDetector}[sys.argv[2]]()
clock = Clock()
manager = scenedetect.SceneManager()
manager.add_detector(detector)
manager.detect_scenes(scenedetect.open_video(sys.argv[1]))
scenes = manager.get_scene_list()
clock.tell(cuts=[start.seconds for start, _ in scenes[1:]])
