# %% [markdown]
# # Lab: data normalization
#
# The chapter's pixels all had one unit, and one division cured them. A table of measurements is different: here is one of 457 proteins, with a length in the hundreds beside shares of a few hundredths. You compute from the data which learning rate it allows, scale it without peeking at the test set, write a test that catches others who peek, and predict how long gradient descent needs. At the end you train sixteen networks on three versions of the table, at six learning rates each, and see that no learning rate replaces what you did.
#
# | | |
# |---|---|
# | **Time** | 80 minutes |
# | **You need** | the chapters on the chain rule and on data normalization; torch and the book's package, which the next cell fetches where it is missing |
# | **You hand in** | this notebook, all cells run |
#
# A cell that you complete says `raise NotImplementedError`: put your code in its place. The cell after it checks your answer and says ✓ or ✗. Marking also runs tests that you do not see here, on other numbers, so write what is right and not what passes.

# %%
import math

import matplotlib.pyplot as plt
import torch

from blowup.checks import exercise, needs
from blowup.data import load
from blowup.data.real import AMINO_ACIDS, protein_records
from blowup.figures import CURED, ILL, INK, OTHER, label, plot_band, style
from blowup.networks import MLP
from blowup.training import train

style()
proteins = load("proteins")
y_train, y_test = proteins.y_train, proteins.y_test  # the family, 0 to 9

# %% [markdown]
# ## The table
#
# A protein is a chain of amino acids, written with twenty letters. Each row of the table describes one: its length, its net charge (each K and R counts +1, each D and E −1), the number of letters that are none of the twenty, and the shares of nineteen letters. (The twentieth share is what is missing to 1.) That makes 22 columns. The split into 342 training and 115 test proteins is the chapter's, by similarity.


# %%
def describe(sequence):
    """One row of the table, a list of 22 numbers."""
    n = {letter: sequence.count(letter) for letter in AMINO_ACIDS}
    charge = n["K"] + n["R"] - n["D"] - n["E"]
    unknown = len(sequence) - sum(n.values())
    return [len(sequence), charge, unknown] + [n[letter] / len(sequence) for letter in AMINO_ACIDS[:-1]]


columns = ["length", "charge", "unknown", *AMINO_ACIDS[:-1]]
table = {
    side: torch.tensor([describe(s) for *_, where, s in protein_records() if where == side], dtype=torch.float64)
    for side in ("train", "test")
}
raw, raw_test = table["train"], table["test"]  # (342, 22) and (115, 22)
for k in (0, 1, 2, 3, 11):
    print(f"{columns[k]:>8}: mean {raw[:, k].mean():9.4f}, standard deviation {raw[:, k].std():9.4f}")

# %% [markdown]
# ## 1. The gradient of least squares
#
# Curvature sets the limit of the learning rate, and the model with the simplest curvature is linear. Give every row a last entry of 1, so that the last row of $W$ is the bias, and call the result $A$. With targets $t$ (1 in the place of the family, 0 elsewhere) the loss is
#
# $$L = \frac{1}{2n}\,\lVert A W - t\rVert^2 .$$
#
# **Derive its gradient by $W$.** One entry first: how does $L$ change with $W_{jk}$? The sum over all rows is then a matrix product.


# %%
def with_ones(x):
    """The rows x (n, columns) with a last entry of 1, (n, columns + 1)."""
    return torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], 1)


targets = torch.eye(10, dtype=torch.float64)[y_train]  # (342, 10)


# %% nbgrader={"grade_id": "gradient", "solution": true}
def gradient(W, A, t):
    """dL/dW of L = ‖AW − t‖² / 2n, a tensor like W; W (columns, classes), A (n, columns), t (n, classes)."""
    ### BEGIN SOLUTION
    return A.T @ (A @ W - t) / len(A)
    ### END SOLUTION


# %% nbgrader={"grade_id": "gradient_check", "grade": true, "points": 2}
def check_gradient(check, n, wide, classes):
    rng = torch.Generator().manual_seed(n)
    A, W = (torch.randn(rows, k, generator=rng, dtype=torch.float64) for rows, k in ((n, wide), (wide, classes)))
    t = torch.randn(n, classes, generator=rng, dtype=torch.float64)
    leaf = W.clone().requires_grad_()
    (expected,) = torch.autograd.grad((A @ leaf - t).square().sum() / (2 * n), leaf)
    check.close(gradient(W, A, t), expected, f"the gradient for {n} rows", hint="the 2 cancels, the n stays")


with exercise("gradient") as check:
    W, A, t = torch.tensor([[2.0]]), torch.tensor([[1.0], [3.0]]), torch.tensor([[1.0], [4.0]])
    check.close(gradient(W, A, t), [[3.5]], "the gradient for two rows", hint="(1·(2 − 1) + 3·(6 − 4)) / 2")
    check_gradient(check, n=5, wide=3, classes=2)
### BEGIN HIDDEN TESTS
with exercise("gradient, other sizes") as check:
    for sizes in ((7, 4, 3), (20, 1, 5), (3, 6, 1)):
        check_gradient(check, *sizes)
### END HIDDEN TESTS

# %% [markdown]
# ## 2. The largest learning rate
#
# The second derivatives of this loss are $H = A^\top A/n$, the same at every $W$. Along each eigenvector of $H$ a step multiplies the error by $1 - \eta\lambda$. **Up to which learning rate does none of these errors grow?** Compute this limit from the data. `torch.linalg.eigvalsh(H)` gives all eigenvalues.


# %% nbgrader={"grade_id": "largest_rate", "solution": true}
def largest_rate(A):
    """The learning rate at which gradient descent on the rows A (n, columns) stops being stable."""
    ### BEGIN SOLUTION
    return 2 / torch.linalg.eigvalsh(A.T @ A / len(A)).max()
    ### END SOLUTION


# %% [markdown]
# Predict, then run: the check takes 300 steps on the raw table at 0.98 and at 1.02 times your limit.


# %% nbgrader={"grade_id": "largest_rate_check", "grade": true, "points": 3}
def grows(A, lr, steps=300):
    """Whether gradient descent on the rows A, with targets 0, ends further from 0 than it began."""
    H = A.T @ A / len(A)
    w = torch.linalg.eigh(H).eigenvectors.sum(1)  # a little of every direction
    end = w.clone()
    for _ in range(steps):
        end = end - lr * (H @ end)
    return bool(end.norm() > w.norm())


with exercise("largest_rate") as check:
    small = torch.tensor([[1.0], [3.0]])
    check.close(largest_rate(small), 0.4, "the limit for two rows, 1 and 3", hint="the curvature is (1 + 9)/2")
    limit = float(largest_rate(with_ones(raw)))
    print(f"predicted limit on the raw table: {limit:.3g}")
    check.true(not grows(with_ones(raw), 0.98 * limit), "just below your limit the error shrinks")
    check.true(grows(with_ones(raw), 1.02 * limit), "just above your limit the error grows")
### BEGIN HIDDEN TESTS
with exercise("largest_rate, other tables") as check:
    rng = torch.Generator().manual_seed(2)
    for n, wide, size in ((50, 3, 1.0), (9, 12, 20.0), (200, 6, 0.01)):
        A = size * (torch.randn(n, wide, generator=rng, dtype=torch.float64) + 0.7)
        expected = 2 * n / torch.linalg.matrix_norm(A, 2) ** 2
        check.close(largest_rate(A), expected, f"the limit for {n} rows of {wide}")
### END HIDDEN TESTS

# %% [markdown]
# ## 3. How sure is that limit?
#
# It was computed from 342 proteins. With another 342 it would come out a little differently. How much? You have no others, but you can draw 342 rows *with replacement* from your own, some twice, some not at all, compute the number again, and do that many times. The standard deviation of the results estimates the standard error of the number: the **bootstrap**.
#
# Write it for any statistic. Draw whole rows, and draw with `rng`. Do not divide by the root of the number of draws: more draws make the estimate steadier, not the error smaller.


# %% nbgrader={"grade_id": "bootstrap_error", "solution": true}
def bootstrap_error(x, statistic, draws, rng):
    """The standard deviation of statistic(rows) over `draws` samples of len(x) rows of x with replacement.

    x (n, columns); statistic maps a tensor (n, columns) to a number; rng is a torch.Generator.
    """
    ### BEGIN SOLUTION
    values = []
    for _ in range(draws):
        chosen = torch.randint(len(x), (len(x),), generator=rng)
        values.append(float(statistic(x[chosen])))
    return torch.tensor(values).std()
    ### END SOLUTION


# %% nbgrader={"grade_id": "bootstrap_error_check", "grade": true, "points": 3}
def check_bootstrap(check, n, spread, noise, draws=400):
    """Two columns that rise and fall together: the error of a mean is known, s/√n."""
    rng = torch.Generator().manual_seed(n)
    first = spread * torch.randn(n, generator=rng, dtype=torch.float64)
    x = torch.stack([first, first + noise * torch.randn(n, generator=rng, dtype=torch.float64)], 1)
    for name, number in (("the mean", lambda s: s[:, 0]), ("the mean difference", lambda s: s[:, 1] - s[:, 0])):
        known = number(x).std().item() / n**0.5
        found = bootstrap_error(x, lambda s: number(s).mean(), draws, torch.Generator().manual_seed(1))
        hint = "with replacement, whole rows, as many as x has"
        check.between(found, 0.8 * known, 1.2 * known, f"the error of {name} of {n} rows", hint=hint)


with exercise("bootstrap_error") as check:
    check_bootstrap(check, n=100, spread=1.0, noise=0.1)
    error = float(bootstrap_error(with_ones(raw), largest_rate, 100, torch.Generator().manual_seed(3)))
    print(f"the limit on the raw table: ({1e6 * limit:.2f} ± {1e6 * error:.2f}) · 10⁻⁶")
### BEGIN HIDDEN TESTS
with exercise("bootstrap_error, other samples") as check:
    check_bootstrap(check, n=40, spread=5.0, noise=0.2)
    check_bootstrap(check, n=300, spread=0.1, noise=0.03, draws=300)
### END HIDDEN TESTS

# %% [markdown]
# A few percent: enough rows to trust the limit, and no reason to write down six digits of it.
#
# ## 4. Standardize
#
# Subtract from each column its mean, divide by its standard deviation. These are fitted numbers, so they come from the training set, and the test set is transformed with the *same* ones. One column of your table is a trap: no protein here has an unknown letter. A column that never varies in the training set is divided by 1.


# %% nbgrader={"grade_id": "standardize", "solution": true}
def standardize(train, test):
    """Both tables scaled column by column with the training set's mean and standard deviation: two tensors.

    train (n, columns), test (m, columns). A column that is constant in train is divided by 1. The standard
    deviation may have n or n − 1 under its root. train and test themselves stay as they are.
    """
    ### BEGIN SOLUTION
    center, size = train.mean(0), train.std(0)
    size = torch.where(size > 0, size, torch.ones_like(size))
    return (train - center) / size, (test - center) / size
    ### END SOLUTION


# %% nbgrader={"grade_id": "standardize_check_tools", "locked": true}
# For the check below.
def check_standardize(check, train, test):
    given, given_test = train.clone(), test.clone()
    z, z_test = standardize(given, given_test)
    check.close(given, train, "the training table that you were given", hint="train - …, not train -= …")
    check.close(given_test, test, "the test table that you were given", hint="leave it as it is, too")
    center, size = train.mean(0), train.std(0)
    varies, n = size > 0, len(train)
    size = torch.where(varies, size, 1.0)
    zero = torch.zeros(train.shape[1])
    check.close(z.mean(0), zero, "the mean of each training column", atol=1e-6, hint="a column that never varies gives 0/0")
    # With n under the root the columns are a little wider than with n − 1; both are right.
    most = (n / (n - 1)) ** 0.5 + 1e-6
    check.between(z.std(0)[varies], 1 - 1e-6, most, "the deviation of a training column", hint="column by column")
    check.close(z.std(0)[~varies], zero[~varies], "the deviation of a constant column", atol=1e-6)
    wide = torch.where(varies, z.std(0), 1.0)
    expected = (test - center) / size * wide
    check.close(z_test, expected, "the test table", atol=1e-6, hint="the training set's numbers, and 1 if constant")


# %% nbgrader={"grade_id": "standardize_check", "grade": true, "points": 4}
with exercise("standardize") as check:
    train_rows = torch.tensor([[1.0, 300.0, 5.0], [3.0, 100.0, 5.0], [5.0, 200.0, 5.0]])
    check_standardize(check, train_rows, torch.tensor([[3.0, 400.0, 6.0]]))
    check_standardize(check, raw, raw_test)
### BEGIN HIDDEN TESTS
with exercise("standardize, other tables") as check:
    rng = torch.Generator().manual_seed(4)
    for n, m, wide in ((12, 5, 4), (60, 1, 7), (5, 40, 2)):
        size = torch.logspace(-3, 4, wide, dtype=torch.float64)
        rows = size * (torch.randn(n + m, wide, generator=rng, dtype=torch.float64) + 2)
        rows[:n, wide // 2] = -3.0
        rows[n:] *= 1.5
        check_standardize(check, rows[:n], rows[n:])
### END HIDDEN TESTS

# %% [markdown]
# ## 5. Catch a leak
#
# A colleague sends you a function `scale(train, test)` and says that it is clean. Do not read it, test it. The scaled training rows must not depend on the test set. And a test row must be scaled the same whatever *other* test rows are in its company: when the model is in use, they come one at a time.
#
# So scale twice, with something changed in between, and look at what should not have moved. Write that test.


# %% nbgrader={"grade_id": "leaks", "solution": true}
def leaks(scale, train, test):
    """True if scale(train, test) lets test rows into the scaled training rows, or into other test rows.

    train (n, columns), test (m, columns) with m ≥ 2; scale returns the two scaled tables.
    """
    ### BEGIN SOLUTION
    changed = test.clone()
    changed[1:] = 3 * changed[1:] + 7
    (z, z_test), (again, again_test) = scale(train, test), scale(train, changed)
    return not (torch.allclose(z, again) and torch.allclose(z_test[0], again_test[0]))
    ### END SOLUTION


# %% nbgrader={"grade_id": "leaks_check", "grade": true, "points": 3}
def own_statistics(train, test):
    return tuple((x - x.mean(0)) / (x.std(0) + 1e-9) for x in (train, test))


def half_the_length(train, test):
    return train / 2, test / 2


with exercise("leaks") as check:
    rng = torch.Generator().manual_seed(5)
    some, more = (torch.randn(n, 4, generator=rng, dtype=torch.float64) * 3 + 1 for n in (20, 8))
    hint = "change all test rows but one, and look at that one"
    check.equal(bool(leaks(own_statistics, some, more)), True, "the verdict on a test set with its own mean", hint=hint)
    check.equal(bool(leaks(half_the_length, some, more)), False, "the verdict on a scaler that halves every number")
### BEGIN HIDDEN TESTS
with exercise("leaks, other scalers") as check:

    def by(statistics_of):
        """A scaler that subtracts and divides by what statistics_of(train, test) says, for (train, test)."""

        def scale(train, test):
            (c, s), (c_test, s_test) = statistics_of(train, test)
            return (train - c) / s, (test - c_test) / s_test

        return scale

    def moments(x):
        return x.mean(0), x.std(0)

    def extent(x):
        return x.amin(0), x.amax(0) - x.amin(0)

    def both(train, test):
        return torch.cat([train, test])

    scalers = {
        "the training set's moments": (False, by(lambda a, b: (moments(a), moments(a)))),
        "the training set's range": (False, by(lambda a, b: (extent(a), extent(a)))),
        "the moments of all rows": (True, by(lambda a, b: (moments(both(a, b)), moments(both(a, b))))),
        "the range of all rows": (True, by(lambda a, b: (extent(both(a, b)), extent(both(a, b))))),
        "each set by its own range": (True, by(lambda a, b: (extent(a), extent(b)))),
        "the training rows alone by all rows": (True, by(lambda a, b: (moments(both(a, b)), moments(a)))),
        "the test rows alone by all rows": (True, by(lambda a, b: (moments(a), moments(both(a, b))))),
        "each row by its own length": (False, lambda a, b: (a / a.norm(dim=1)[:, None], b / b.norm(dim=1)[:, None])),
        "nothing": (False, lambda a, b: (a.clone(), b.clone())),
    }
    rng = torch.Generator().manual_seed(6)
    for n, m in ((30, 9), (12, 6)):
        a, b = torch.randn(n, 8, generator=rng).double() + 2, 4 * torch.randn(m, 8, generator=rng).double() + 1
        for name, (expected, scale) in scalers.items():
            check.equal(bool(leaks(scale, a.clone(), b.clone())), expected, f"the verdict on a scaler that uses {name}")
### END HIDDEN TESTS

# %%
with needs("standardize", "leaks"):
    print("your own standardize leaks:", leaks(standardize, raw, raw_test))

# %% [markdown]
# ## 6. How many steps?
#
# Now there are three tables: raw, divided by its largest number (one factor for all, as with pixels), and yours. **Which of the three allows the largest learning rate, do you think, and which will be learned fastest?**

# %%
with needs("largest_rate", "standardize"):
    largest = raw.max()
    mine, mine_test = standardize(raw, raw_test)
    tables = {"raw": (raw, raw_test), "one factor": (raw / largest, raw_test / largest), "yours": (mine, mine_test)}
    for name, (x, _) in tables.items():
        print(f"{name:>10}: stable below a learning rate of {float(largest_rate(with_ones(x))):.3g}")

# %% [markdown]
# One division raised the limit three hundred thousand times, yours less than a third as much. But a large rate is no aim in itself. Along an eigenvector with curvature $\lambda$ each step multiplies the error by $1 - \eta\lambda$. **After how many steps has that error fallen to one half?** Mind that $1 - \eta\lambda$ may be negative: then the error changes its sign at every step, and it is its size that counts. Answer with a float, not rounded.


# %% nbgrader={"grade_id": "steps_to_halve", "solution": true}
def steps_to_halve(curvature, lr):
    """The number of steps, a float, that halve the size of the error; 0 < lr·curvature < 2, and not 1."""
    ### BEGIN SOLUTION
    return math.log(0.5) / math.log(abs(1 - lr * curvature))
    ### END SOLUTION


# %% [markdown]
# The check runs gradient descent with your `gradient`, on your table, along single eigenvectors, and counts.


# %% nbgrader={"grade_id": "steps_to_halve_check", "grade": true, "points": 3}
def counted_steps(A, direction, lr):
    """Steps until the error along an eigenvector of AᵀA/n, (columns,), is at most half of what it was."""
    W, t, steps = direction[:, None].clone(), torch.zeros(len(A), 1, dtype=A.dtype), 0
    while (direction @ W).abs() > 0.5:
        W, steps = W - lr * gradient(W, A, t), steps + 1
    return steps


with exercise("steps_to_halve") as check:
    check.close(steps_to_halve(1.0, 0.5), 1.0, "the steps when each one halves", hint="(1/2)ⁿ = 1/2")
    check.close(steps_to_halve(1.0, 1.5), 1.0, "the steps when each one halves and turns", hint="take the size")
    A = with_ones(mine)
    values, vectors = torch.linalg.eigh(A.T @ A / len(A))
    for k, share in ((1, 0.5), (2, 0.5), (-2, 0.1)):  # the eigenvalue at place 0 belongs to the constant column
        lr = share * float(largest_rate(A))
        counted, prediction = counted_steps(A, vectors[:, k], lr), steps_to_halve(values[k].item(), lr)
        print(f"curvature {values[k]:6.3f}: predicted {prediction:6.1f} steps, counted {counted}")
        check.between(prediction, counted - 1.001, counted + 0.001, "the predicted number of steps")
### BEGIN HIDDEN TESTS
with exercise("steps_to_halve, other curvatures") as check:
    for curvature, lr in ((3.0, 0.1), (0.02, 0.7), (40.0, 0.049), (1.9, 1.0), (1e-6, 10.0)):
        n = steps_to_halve(curvature, lr)
        left = abs(1 - lr * curvature) ** float(n)
        check.close(left, 0.5, f"the error after the steps for λ = {curvature}", rtol=1e-3)
### END HIDDEN TESTS

# %% [markdown]
# Every table runs at half its own limit. One step then settles the steepest direction, and no stable rate is more than twice as large. How long does the slowest direction take? (The constant column never learns, and need not.)

# %%
with needs("gradient", "largest_rate", "standardize", "steps_to_halve"):
    fig, ax = plt.subplots()
    for (name, (x, _)), color, line in zip(tables.items(), (ILL, OTHER, CURED), ("--", "-.", "-")):
        A = with_ones(x)
        lr, W, losses = float(largest_rate(A)) / 2, torch.zeros(23, 10, dtype=torch.float64), []
        for _ in range(2000):
            losses.append((A @ W - targets).square().sum().item() / (2 * len(A)))
            W = W - lr * gradient(W, A, targets)
        slowest = torch.linalg.eigvalsh(A.T @ A / len(A)).clamp(min=0).sort().values[1].item()
        print(f"{name:>10}: the slowest direction halves in {steps_to_halve(slowest, lr):.2g} steps")
        ax.plot(range(1, 2001), losses, line, color=color, label=name)
    trained = W
    label(ax, "At half the limit, only your table is learned", "step", "least-squares loss", log="x", ylim=(0, 0.52))
    plt.show()

# %% [markdown]
# Tens or hundreds of billions of steps, for the raw table and for the divided one. One factor changes the eigenvalues of all columns alike: it moves the limit and leaves their ratio as it was. (Only the column of ones stays as it is.) What standardizing mends is that *ratio*. `trained` is what the last of the three runs learned, the one on your table, and you are about to use it.
#
# ## 7. Give the model back its units
#
# You have trained $W$ on standardized rows. Somebody wants to use it on raw ones, without your means and deviations. Can they? The model says $\sum_j \frac{x_j - m_j}{s_j} W_j + c$, where $c$ is the last row of $W$. **Sort this by $x_j$**: it is another linear model, in raw units. Write down its weights and its bias.


# %% nbgrader={"grade_id": "fold", "solution": true}
def fold(W, mean, sd):
    """The weights for raw rows that answer as W does for standardized ones, a tensor like W.

    W (columns + 1, classes), the last row is the bias; mean and sd (columns,).
    """
    ### BEGIN SOLUTION
    slopes = W[:-1] / sd[:, None]
    return torch.cat([slopes, W[-1:] - mean[None] @ slopes])
    ### END SOLUTION


# %% nbgrader={"grade_id": "fold_check", "grade": true, "points": 4}
def check_fold(check, n, wide, classes):
    rng = torch.Generator().manual_seed(n)
    W = torch.randn(wide + 1, classes, generator=rng, dtype=torch.float64)
    mean, sd = (torch.rand(2, wide, generator=rng, dtype=torch.float64) + 0.1) * torch.logspace(-2, 3, wide)
    x = mean + sd * torch.randn(n, wide, generator=rng, dtype=torch.float64)
    expected = with_ones((x - mean) / sd) @ W
    folded = fold(W.clone(), mean, sd)
    check.close(folded[:-1], W[:-1] / sd[:, None], f"the weights for {wide} columns", hint="what stands beside x_j?")
    check.close(with_ones(x) @ folded, expected, f"the answers for {wide} columns", hint="the means go to the bias")


with exercise("fold") as check:
    folded = fold(torch.tensor([[6.0], [1.0]]), torch.tensor([10.0]), torch.tensor([2.0]))
    check.close(folded, [[3.0], [-29.0]], "the model 6·(x − 10)/2 + 1 in raw units", hint="3·x and a bias")
    check_fold(check, n=4, wide=3, classes=2)
### BEGIN HIDDEN TESTS
with exercise("fold, other models") as check:
    for sizes in ((6, 5, 3), (11, 2, 10), (3, 8, 1)):
        check_fold(check, *sizes)
### END HIDDEN TESTS

# %%
with needs("gradient", "largest_rate", "standardize", "steps_to_halve", "fold"):
    sd = torch.where(raw.std(0) > 0, raw.std(0) / mine.std(0), 1.0)  # what you divided by, n or n − 1
    answers = {"your table": with_ones(mine_test) @ trained}
    answers["the raw table"] = with_ones(raw_test) @ fold(trained, raw.mean(0), sd)
    for name, logits in answers.items():
        print(f"on {name}: {100 * (logits.argmax(1) == y_test).double().mean():.0f} % of the test proteins right")

# %% [markdown]
# So the raw table *has* a good model, one that gives the very answers of yours. Gradient descent does not find it there. Standardizing adds no information; it changes what a step can reach.
#
# ## 8. Before and after
#
# Linear models are done; now networks: two tanh layers of 32, sixteen seeds. To be fair to every table, each is trained at six learning rates from $10^{-5}$ to 1, and may pick its own.

# %%
network = MLP(inputs=22, classes=10, depth=2, width=32, activation="tanh")
rates = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0]


def sweep(x, x_test):
    """Training loss at the end (rates, seeds); test accuracy (rates, seeds, records), every 25 steps."""
    runs = train(
        network, x.float(), y_train, x_test=x_test.float(), y_test=y_test, steps=150, every=25, progress=False,
        seeds=[seed for _ in rates for seed in range(16)], lr=[lr for lr in rates for _ in range(16)],
    )
    loss, accuracy = torch.as_tensor(runs.loss), torch.as_tensor(runs.accuracy)
    return loss[:, -1].view(6, 16), accuracy.view(6, 16, -1)


with needs("largest_rate", "standardize"):
    sweeps = {"raw": sweep(*tables["raw"])}

# %%
with needs("largest_rate", "standardize"):
    sweeps["one factor"] = sweep(*tables["one factor"])

# %%
with needs("largest_rate", "standardize"):
    sweeps["yours"] = sweep(*tables["yours"])

# %% [markdown]
# Which rate is a table's best? Choosing by the *test* accuracy would be a leak, too. So choose by the training loss at the end: the rate with the lowest median over the sixteen seeds. A loss that is `nan` or `inf` is the worst there is; a rate at which most seeds fail must not win because of it, and one failed seed must not spoil a good rate.


# %% nbgrader={"grade_id": "best_rate", "solution": true}
def best_rate(losses):
    """The place (an int) of the rate with the lowest median loss; losses (rates, seeds), inf and nan are worst."""
    ### BEGIN SOLUTION
    ranked = torch.where(losses.isfinite(), losses, torch.full_like(losses, math.inf))
    return int(ranked.median(1).values.argmin())
    ### END SOLUTION


# %% nbgrader={"grade_id": "best_rate_check", "grade": true, "points": 2}
with exercise("best_rate") as check:
    made_up = torch.tensor([[2.0, 2.1, 2.2], [0.5, math.nan, 0.6], [math.nan, math.inf, 0.1]])
    hint = "replace what is not finite by inf, then take medians over the seeds"
    check.equal(best_rate(made_up), 1, "the best of three rates", hint=hint)
    ends = {}
    for name, (loss, accuracy) in sweeps.items():
        chosen = best_rate(loss)
        ends[name] = 100 * accuracy[chosen, :, -1].median().item()
        print(f"{name:>10}: best rate {rates[chosen]:g}, median test accuracy {ends[name]:.0f} %")
    check.true(ends["yours"] > ends["raw"] + 40, "your table beats the raw one by 40 points")
    check.true(ends["yours"] > ends["one factor"] + 10, "your table beats one factor by 10 points")
### BEGIN HIDDEN TESTS
with exercise("best_rate, other sweeps") as check:
    rng = torch.Generator().manual_seed(7)
    for count, best in ((4, 2), (7, 0), (5, 4)):
        losses = 1 + 0.1 * torch.rand(count, 9, generator=rng)
        losses[best] -= 0.5
        losses[best, :3] = torch.tensor([math.nan, 1e6, math.inf])
        other = (best + 1) % count
        losses[other, :6] = math.nan
        losses[other, 6:] = 0.001
        losses[(best + 2) % count, 0] = 1e-6
        check.equal(best_rate(losses), best, f"the best of {count} rates")
### END HIDDEN TESTS

# %%
with needs("largest_rate", "standardize", "best_rate"):
    fig, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.8))
    for (name, (loss, accuracy)), color, line in zip(sweeps.items(), (ILL, OTHER, CURED), ("--", "-.", "-")):
        chosen = best_rate(loss)
        look = {"color": color, "linestyle": line, "label": name}
        plot_band(left, rates, 100 * accuracy[:, :, -1].T, **look)
        plot_band(right, range(0, 151, 25), 100 * accuracy[chosen], **look)
        left.plot(rates[chosen], 100 * accuracy[chosen, :, -1].median(), "o", color=color)
    largest_family = 100 * (y_test == y_train.mode().values).double().mean()
    left.axhline(largest_family, color=INK, linestyle=":", linewidth=1, label="one family")
    label(left, "No learning rate saves the raw table", "learning rate", "test accuracy, %", log="x", ylim=(0, 100))
    label(right, "Each at its best rate", "step", "test accuracy, %", ylim=(0, 100), legend=False)
    plt.show()

# %% [markdown]
# On the raw table, even at its best rate, a typical network gives every protein to the largest family. That is right for 17 % of the test set, the dotted line.
#
# ## 9. In a few sentences
#
# A friend adds a column to the table, the mass of each protein in dalton (about 110 times its length), and divides everything by the largest mass. Say in three to six sentences what her division does to the largest stable learning rate and to the number of steps, why standardizing the columns helps where one factor does not, and which trouble of her new column standardizing does *not* remove.

# %% [markdown] nbgrader={"grade_id": "paragraph", "solution": true, "grade": true, "points": 3}
# The division multiplies all eigenvalues of the curvature by one number (but for the column of ones), so the stable learning rate rises by the inverse of that number, by many powers of ten. But a step at the new limit does what a step did at the old one, so it takes about as many steps as before. Gradient descent is slow when the eigenvalues are far apart, and here they are, because a length varies by hundreds and a share by hundredths. Standardizing gives each column the same spread, so the shares are learned at the same pace as the length. But mass and length say nearly the same thing: after standardizing, the two columns are almost copies, and the direction in which they differ has a curvature close to 0. That eigenvalue remains small, and whatever depends on the difference is learned slowly; dropping one of the two, or rotating to uncorrelated columns, would help. (One point each for: one factor scales limit and curvature alike, so no fewer steps; equal spreads bring the eigenvalues together; correlated columns stay ill-conditioned.)
