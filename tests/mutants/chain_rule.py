"""Mutants of the chapter on the chain rule."""

from tools.proof.mutants import Mutant

MUTANTS = [
    Mutant(
        cell="448efd76", old="lr=0.005", new="lr=0.02", check="9dfe0e0e", law="reproduce chain-rule-critical"
    ),
    Mutant(
        cell="3ce96e31",
        old="gain=3.0, clip=1.0",
        new="gain=1.0, clip=1.0",
        check="9dfe0e0e",
        law="reproduce chain-rule-clipped",
    ),
]
