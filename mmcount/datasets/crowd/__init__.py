"""Crowd data sets, each read from its original files as downloaded.

=============  ====================  ====================================  ==========================================
class          data set              files                                 what it has beyond points
=============  ====================  ====================================  ==========================================
NWPUCrowd      NWPU-Crowd            JSON or .mat, lists of the parts      boxes, luminance, scene level, sigmas
ShanghaiTechA  ShanghaiTech part A   .mat
ShanghaiTechB  ShanghaiTech part B   .mat
UCFQNRF        UCF-QNRF              .mat
JHUCrowd       JHU-Crowd++           text, labels of the images            boxes, occlusion, blur, scene, weather
FDST           FDST (videos)         JSON of an annotation tool            boxes, video, frame
=============  ====================  ====================================  ==========================================

``crowd_dataset.py`` has what they share, ``seeded_val.py`` the validation images of sets that were published without
any, ``checks.py`` what is done about heads outside of their image, duplicates and other flaws; the parsers are in
``mmcount/datasets/formats/crowd_points.py`` and ``mat.py``.
"""

from .crowd_dataset import CrowdDataset
from .fdst import FDST
from .jhu import JHUCrowd
from .nwpu import NWPUCrowd
from .qnrf import UCFQNRF
from .shanghaitech import ShanghaiTechA, ShanghaiTechB

__all__ = ['FDST', 'UCFQNRF', 'CrowdDataset', 'JHUCrowd', 'NWPUCrowd', 'ShanghaiTechA', 'ShanghaiTechB']
