"""The project's two images."""

from pathlib import Path

from devcluster.images import Image

ROOT = Path(__file__).parents[1]
OPERATOR = Image("localhost/labelplane/operator:dev", ROOT / "operator/Containerfile", ROOT / "operator/requirements.lock", ROOT)
JOB = Image("localhost/labelplane/labeljob:dev", ROOT / "labeljob_image/Containerfile", ROOT / "labeljob_image/requirements.lock", ROOT)
IMAGES = (OPERATOR, JOB)
