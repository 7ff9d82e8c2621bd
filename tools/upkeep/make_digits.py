"""Make ``blowup/data/digits.npz`` from the copy of the UCI digits in scikit-learn (pip install it first)."""

import numpy as np
from sklearn.datasets import load_digits

from tools import ROOT

OUTPUT = ROOT / "blowup" / "data" / "digits.npz"

if __name__ == "__main__":
    digits = load_digits()
    images, labels = digits.images.astype(np.uint8), digits.target.astype(np.uint8)
    np.savez_compressed(OUTPUT, images=images, labels=labels)
    print(f"{len(labels)} digits, {OUTPUT.stat().st_size} bytes in {OUTPUT.name}")
