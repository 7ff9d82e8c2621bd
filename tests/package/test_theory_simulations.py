"""The laws of `blowup.theory` against random nets and random matrices: seeded, within 4 standard errors."""

import math

import pytest
import torch
import torch.nn.functional as F

from blowup.activations import NAMES, activation, slope_of
from blowup.theory import batch_norm_growth, critical_sigma_w, lyapunov_exponents, mean_field


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def simulate(name, sigma_w, sigma_b, q, slope=0.01, depth=5, width=300, nets=24):
    """Random nets that start from preactivations of variance `q`: growth of the squared gradient per layer,
    its standard error, and the mean variance of the preactivations at the end."""
    generator = torch.Generator().manual_seed(7)

    def normal(*shape):
        return torch.randn(*shape, generator=generator)

    z = math.sqrt(q) * normal(nets, 1, width)
    layers = []
    for _ in range(depth):
        weights = normal(nets, width, width) * (sigma_w / math.sqrt(width))
        layers.append((z, weights))
        z = activation(name, slope)(z) @ weights + sigma_b * normal(nets, 1, width)
    delta = normal(nets, 1, width)
    end = delta.square().sum((1, 2))
    for z_before, weights in reversed(layers):
        delta = slope_of(name, slope)(z_before) * (delta @ weights.mT)
    product = delta.square().sum((1, 2)) / end  # (nets,): its mean is the product of the layers' growths
    growth = product.mean().item() ** (1 / depth)
    error = product.std().item() / math.sqrt(nets) / product.mean().item() * growth / depth
    return growth, error, z.square().mean().item()


def holds(simulated, field):
    growth, error, _ = simulated
    return abs(growth - field.chi) < 4 * error


@pytest.mark.parametrize(
    "name, sigma_w, sigma_b",
    [
        ("tanh", 1.5, 0.0),
        ("tanh", 2.5, 0.0),
        ("tanh", math.sqrt(1.76), math.sqrt(0.05)),
        ("erf", 2.0, 0.0),
        ("selu", 1.0, 0.0),
        ("elu", 1.2, 0.5),
        ("sigmoid", 12.0, 1.0),
        ("silu", 1.3, 1.0),
        ("gelu", 1.405, 0.45),
        ("relu", 1.0, 1.0),
    ],
)
def test_chi_and_q_at_the_fixed_point(name, sigma_w, sigma_b):
    field = mean_field(name, sigma_w, sigma_b)
    simulated = simulate(name, sigma_w, sigma_b, field.q)
    assert holds(simulated, field), (simulated, field)
    assert simulated[2] == pytest.approx(field.q, rel=0.08)


def test_the_simulation_tells_neighbors_apart():
    """The tolerance is no rubber stamp: a theory 8 % off fails it."""
    field = mean_field("tanh", 1.5)
    for factor in (0.92, 1.08):
        assert not holds(simulate("tanh", 1.5, 0.0, field.q), field._replace(chi=field.chi * factor))


@pytest.mark.parametrize("share", [0.8, 1.0, 1.4])
@pytest.mark.parametrize("name", NAMES)
def test_critical_gain(name, share):
    sigma_w = share * critical_sigma_w(name, slope=0.3)
    field = mean_field(name, sigma_w, slope=0.3)
    q = {0.0: 1e-10, math.inf: 1e10}.get(field.q, 1.0 if math.isnan(field.q) else field.q)
    simulated = simulate(name, sigma_w, 0.0, q, slope=0.3, nets=12, width=250)
    assert holds(simulated, field), (simulated, field)
    if share == 1:
        assert field.chi == pytest.approx(1, abs=1e-9)
    else:
        assert (field.chi > 1) == (share > 1)


@pytest.mark.parametrize("name", ["gelu", "silu"])
def test_small_signals_vanish_where_standardized_ones_explode(name):
    sigma_w = 1.8
    for q, start in ((1e-3, None), (sigma_w**2, sigma_w**2)):
        *_, end = simulate(name, sigma_w, 0.0, q, depth=8, nets=8)
        field = mean_field(name, sigma_w, start=start)
        assert (end < q / 3 and field.q == 0) or (end > q * 3 and field.q == math.inf)
        far = {0.0: 1e-10, math.inf: 1e10}[field.q]
        assert holds(simulate(name, sigma_w, 0.0, far), field)


@pytest.mark.parametrize("sigma_b", [0.1, 0.3])
def test_the_jump_of_gelu_happens_in_nets(sigma_b):
    """Below the critical gain the variance settles; a little above it leaves, with no chi = 1 in between."""
    critical = critical_sigma_w("gelu", sigma_b)
    ends = [
        simulate("gelu", share * critical, sigma_b, sigma_b**2, depth=60, width=200, nets=6)[2]
        for share in (0.9, 1.15)
    ]
    assert ends[0] == pytest.approx(mean_field("gelu", 0.9 * critical, sigma_b).q, rel=0.15)
    assert ends[1] > 100 * ends[0]


@pytest.mark.parametrize("width, scale", [(1, 1.0), (2, 1.0), (5, 1.2)])
def test_lyapunov_spectrum_of_gaussian_products(width, scale):
    generator = torch.Generator().manual_seed(3)
    chains, factors = 400, 60
    frame = torch.eye(width, dtype=torch.float64).expand(chains, -1, -1)
    logs = torch.zeros(chains, width, dtype=torch.float64)
    for _ in range(factors):
        step = torch.randn(chains, width, width, generator=generator, dtype=torch.float64)
        frame, triangle = torch.linalg.qr(step * (scale / math.sqrt(width)) @ frame)
        logs += triangle.diagonal(dim1=1, dim2=2).abs().log() / factors
    error = logs.std(0) / math.sqrt(chains)  # (width,)
    theory = torch.from_numpy(lyapunov_exponents(width, scale))
    assert ((logs.mean(0) - theory).abs() < 4 * error).all(), (logs.mean(0), theory, error)
    assert (error < 0.012).all()


def test_lyapunov_exponents_sum_to_the_mean_log_determinant():
    generator = torch.Generator().manual_seed(4)
    logs = torch.linalg.slogdet(
        torch.randn(3000, 12, 12, generator=generator) * 1.3 / math.sqrt(12)
    ).logabsdet
    error = logs.std() / math.sqrt(len(logs))
    assert abs(logs.mean() - lyapunov_exponents(12, 1.3).sum()) < 4 * error


@pytest.mark.parametrize("batch", [8, 16, 64])
def test_batch_norm_growth_in_nets(batch):
    """Ten layers of linear → batch norm → ReLU, differentiated by torch; growth over the inner seven."""
    torch.manual_seed(5)
    width, depth, rates = 200, 10, []
    for _ in range(30):
        x = torch.randn(batch, width)
        layers = []
        for _ in range(depth):
            x = x @ (torch.randn(width, width) * 3 / math.sqrt(width)).requires_grad_()
            x.retain_grad()
            layers.append(x)
            x = F.batch_norm(x, None, None, training=True, eps=1e-12).relu()
        (x * torch.randn_like(x)).sum().backward()
        norms = torch.stack([z.grad.square().sum() for z in layers])
        rates.append((norms[1] / norms[8]).log() / 7)
    rates = torch.stack(rates)
    error = rates.std() / math.sqrt(len(rates))
    assert abs(rates.mean() - math.log(batch_norm_growth(batch))) < 4 * error < 0.04
    if batch == 64:  # precise enough to tell the batch's growth from the limit's
        assert rates.mean() - math.log(batch_norm_growth()) > 4 * error


@pytest.mark.parametrize("batch", [4, 5, 8])
def test_batch_norm_growth_at_small_batches(batch):
    """The inverse variance has no finite spread at 4 and 5, so a plain average of nets would not settle. Its
    mean over a chi-square is exact; the rest, a preactivation's direction over the batch, is simulated."""
    generator = torch.Generator().manual_seed(6)
    units = 400_000

    def centered(v):
        return v - v.mean(1, keepdim=True)

    def uniform():
        v = centered(torch.randn(units, batch, generator=generator))
        return v / v.norm(dim=1, keepdim=True)  # uniform on the sphere of centered vectors, (units, batch)

    u, delta = (
        uniform(),
        uniform(),
    )  # batch norm's output over sqrt(batch); an upstream gradient, centered too
    forward = batch * centered(u.relu()).square().sum(1) / (batch - 1)  # variance per centered direction
    back = centered((u > 0) * delta)
    back = (back - u * (u * back).sum(1, keepdim=True)).square().sum(1)
    growth = batch * back.mean() / (forward.mean() * (batch - 3))
    error = growth * ((back.std() / back.mean()) ** 2 + (forward.std() / forward.mean()) ** 2).sqrt()
    assert abs(growth - batch_norm_growth(batch)) < 4 * error / math.sqrt(units)


def test_why_batches_of_two_and_three_are_refused():
    x = torch.randn(2, 1000, generator=torch.Generator().manual_seed(8), dtype=torch.float64).requires_grad_()
    y = F.batch_norm(x, None, None, training=True, eps=1e-14)
    assert y.abs().allclose(torch.ones_like(y))
    (y * torch.randn_like(y)).sum().backward()
    assert x.grad.abs().median() < 1e-10
    # At 3 the mean of the inverse variance does not settle: it grows with the logarithm of what is cut off.
    v = torch.randn(2_000_000, 3, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    inverse = 1 / (v - v.mean(1, keepdim=True)).square().sum(1)
    means = [inverse.clamp(max=cut).mean().item() for cut in (1e1, 1e3, 1e5)]
    assert means[1] - means[0] == pytest.approx(math.log(100) / 2, rel=0.05)
    assert means[2] - means[1] == pytest.approx(math.log(100) / 2, rel=0.2)
