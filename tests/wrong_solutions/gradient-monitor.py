# %% [markdown]
# Wrong answers to the lab that builds a gradient monitor, as students give them; the hidden tests must refuse each.

# %% safe_norm: squares first
def safe_norm(t):
    return t.flatten(1).double().square().sum(1).sqrt()

# %% safe_norm: scales by the largest entry of all networks
def safe_norm(t):
    t = t.double().flatten(1)
    largest = t.abs().max()
    unit = largest if 0 < largest < math.inf else 1.0
    return unit * (t / unit).square().sum(1).sqrt()

# %% safe_norm: forgets that zeros have no largest entry
def safe_norm(t):
    t = t.double().flatten(1)
    largest = t.abs().amax(1)
    return largest * (t / largest[:, None]).square().sum(1) ** 0.5 * 0 + largest

# %% safe_norm: stays in float16
def safe_norm(t):
    t = t.flatten(1)
    largest = t.abs().amax(1)
    unit = torch.where((largest > 0) & largest.isfinite(), largest, torch.ones_like(largest))
    return (unit * (t / unit[:, None]).square().sum(1).sqrt()).double()

# %% safe_norm: forgets to multiply again
def safe_norm(t):
    t = t.double().flatten(1)
    largest = t.abs().amax(1)
    unit = torch.where((largest > 0) & largest.isfinite(), largest, 1.0)
    return (t / unit[:, None]).square().sum(1).sqrt()

# %% safe_norm: hides what is not finite
def safe_norm(t):
    t = t.double().flatten(1).nan_to_num(0.0, 0.0, 0.0)
    largest = t.abs().amax(1).clamp(min=1e-300)
    return largest * (t / largest[:, None]).square().sum(1).sqrt()

# %% vital_signs: counts instead of shares
def vital_signs(t):
    flat = t.flatten(1)
    return torch.stack([safe_norm(t), (~flat.isfinite()).double().sum(1), (flat == 0).double().sum(1)], 1)

# %% vital_signs: sees inf only
def vital_signs(t):
    flat = t.flatten(1)
    return torch.stack([safe_norm(t), flat.isinf().double().mean(1), (flat == 0).double().mean(1)], 1)

# %% vital_signs: one reading for all networks
def vital_signs(t):
    one = torch.stack([safe_norm(t).mean(), (~t.isfinite()).double().mean(), (t == 0).double().mean()])
    return one.expand(len(t), 3)

# %% vital_signs: the shares in the wrong order
def vital_signs(t):
    flat = t.flatten(1)
    return torch.stack([safe_norm(t), (flat == 0).double().mean(1), (~flat.isfinite()).double().mean(1)], 1)

# %% watch: every hook writes under the last name
def watch(model, kind, read):
    log, handles = {}, []
    for name, module in model.named_modules():
        if isinstance(module, kind):
            log[name] = []

            def hook(module, inputs, output):
                if output.requires_grad:
                    output.register_hook(lambda gradient: log[last].append(read(gradient)))

            handles.append(module.register_forward_hook(hook))
            last = name
    return log, handles

# %% watch: finds the outermost modules only
def watch(model, kind, read):
    log, handles = {}, []
    for name, module in model.named_children():
        if isinstance(module, kind):
            log[name] = []

            def hook(module, inputs, output, name=name):
                if output.requires_grad:
                    output.register_hook(lambda gradient: log[name].append(read(gradient)))

            handles.append(module.register_forward_hook(hook))
    return log, handles

# %% watch: an error in a forward pass without gradients
def watch(model, kind, read):
    log, handles = {}, []
    for name, module in model.named_modules():
        if isinstance(module, kind):
            log[name] = []

            def hook(module, inputs, output, name=name):
                output.register_hook(lambda gradient: log[name].append(read(gradient)))

            handles.append(module.register_forward_hook(hook))
    return log, handles

# %% watch: an error of torch's where ReLU works in place
def watch(model, kind, read):
    log, handles = {}, []
    for name, module in model.named_modules():
        if isinstance(module, kind):
            log[name] = []

            def hook(module, inputs, outputs, name=name):
                log[name].append(read(outputs[0]))

            handles.append(module.register_full_backward_hook(hook))
    return log, handles

# %% watch: clips while it watches
def watch(model, kind, read):
    log, handles = {}, []
    for name, module in model.named_modules():
        if isinstance(module, kind):
            log[name] = []

            def hook(module, inputs, output, name=name):
                def note(gradient):
                    log[name].append(read(gradient))
                    return gradient.clamp(-1, 1)

                if output.requires_grad:
                    output.register_hook(note)

            handles.append(module.register_forward_hook(hook))
    return log, handles

# %% watch: logs what goes forward
def watch(model, kind, read):
    log, handles = {}, []
    for name, module in model.named_modules():
        if isinstance(module, kind):
            log[name] = []
            note = lambda module, inputs, output, name=name: log[name].append(read(output)) if output.requires_grad else None
            handles.append(module.register_forward_hook(note))
    return log, handles

# %% watch: the hooks stay for ever
def watch(model, kind, read):
    log = {}
    for name, module in model.named_modules():
        if isinstance(module, kind):
            log[name] = []

            def hook(module, inputs, output, name=name):
                if output.requires_grad:
                    output.register_hook(lambda gradient: log[name].append(read(gradient)))

            module.register_forward_hook(hook)
    return log, []

# %% watch: the gradient of the input, not of the output
def watch(model, kind, read):
    log, handles = {}, []
    for name, module in model.named_modules():
        if isinstance(module, kind):
            log[name] = []

            def hook(module, inputs, name=name):
                given = inputs[0] if inputs[0].requires_grad else inputs[0].requires_grad_(torch.is_grad_enabled())
                if given.requires_grad:
                    given.register_hook(lambda gradient: log[name].append(read(gradient)))

            handles.append(module.register_forward_pre_hook(hook))
    return log, handles

# %% growth_per_layer: the squared norm
def growth_per_layer(g):
    return math.log(g**2 / 2), 0.0

# %% growth_per_layer: without the half of the units that is off
def growth_per_layer(g):
    return math.log(g), 0.0

# %% growth_per_layer: the weights' gradients grow as the signal does
def growth_per_layer(g):
    return math.log(g / math.sqrt(2)), math.log(g / math.sqrt(2))

# %% growth_per_layer: the way forward
def growth_per_layer(g):
    return -math.log(g / math.sqrt(2)), 0.0

# %% growth_per_layer: the factor itself
def growth_per_layer(g):
    return g / math.sqrt(2), 0.0

# %% growth: the wrong way
def growth(norms):
    d = norms.double().log().diff(dim=-1)
    d = d.where(d.isfinite(), math.nan)
    n = d.isfinite().sum(-1)
    rate = d.nanmean(-1)
    variance = (d - rate[..., None]).square().nansum(-1) / (n - 1)
    return rate.where(n > 1, math.nan), (variance / n).sqrt().where(n > 1, math.nan)

# %% growth: the standard deviation instead of the error
def growth(norms):
    d = -norms.double().log().diff(dim=-1)
    d = d.where(d.isfinite(), math.nan)
    n = d.isfinite().sum(-1)
    rate = d.nanmean(-1)
    variance = (d - rate[..., None]).square().nansum(-1) / (n - 1)
    return rate.where(n > 1, math.nan), variance.sqrt().where(n > 1, math.nan)

# %% growth: divides the variance by n
def growth(norms):
    d = -norms.double().log().diff(dim=-1)
    d = d.where(d.isfinite(), math.nan)
    n = d.isfinite().sum(-1)
    rate = d.nanmean(-1)
    variance = (d - rate[..., None]).square().nansum(-1) / n
    return rate.where(n > 1, math.nan), (variance / n).sqrt().where(n > 1, math.nan)

# %% growth: keeps what is not finite
def growth(norms):
    d = -norms.double().log().diff(dim=-1)
    return d.mean(-1), d.std(-1) / d.shape[-1] ** 0.5

# %% growth: the slope of a straight line
def growth(norms):
    y = norms.double().log()
    x = -torch.arange(y.shape[-1], dtype=torch.float64)
    x = x - x.mean()
    slope = (y * x).sum(-1) / x.square().sum()
    rest = y - y.mean(-1, keepdim=True) - slope[..., None] * x
    return slope, (rest.square().sum(-1) / (y.shape[-1] - 2) / x.square().sum()).sqrt()

# %% choose_limit: the k-th largest of all values
def choose_limit(healthy, k=1):
    return healthy.flatten().sort(descending=True).values[k - 1]

# %% choose_limit: always the largest
def choose_limit(healthy, k=1):
    return healthy.max()

# %% choose_limit: counts from the smallest
def choose_limit(healthy, k=1):
    return healthy.amax(1).sort().values[k - 1]

# %% choose_limit: one too far
def choose_limit(healthy, k=1):
    return healthy.amax(1).sort(descending=True).values[min(k, len(healthy) - 1)]

# %% false_alarms: forgets that the new run has a rank, too
def false_alarms(n, k):
    return k / n

# %% false_alarms: the k-th largest counted from zero
def false_alarms(n, k):
    return (k - 1) / (n + 1)

# %% false_alarms: the probability that it stays below
def false_alarms(n, k):
    return 1 - k / (n + 1)

# %% false_alarms: hard-coded
def false_alarms(n, k):
    return 0.5

# %% alarm: no margin for the error
def alarm(signs, limits):
    for k in range(len(signs["growth"])):
        if signs["growth"][k] > limits["product"]:
            return "product", k
        if -signs["growth"][k] > limits["vanishing"]:
            return "vanishing", k
        if signs["nonfinite"][k] > 0:
            return "overflow", k
        if signs["ratio"][k] > limits["step"]:
            return "step", k
    return "healthy", None

# %% alarm: the margin on the wrong side for vanishing
def alarm(signs, limits):
    for k in range(len(signs["growth"])):
        margin = 2 * signs["error"][k]
        if signs["growth"][k] - margin > limits["product"]:
            return "product", k
        if -(signs["growth"][k] - margin) > limits["vanishing"]:
            return "vanishing", k
        if signs["nonfinite"][k] > 0:
            return "overflow", k
        if signs["ratio"][k] > limits["step"]:
            return "step", k
    return "healthy", None

# %% alarm: asks one question for all steps before the next
def alarm(signs, limits):
    margin = 2 * signs["error"]
    rules = {
        "product": signs["growth"] - margin > limits["product"],
        "vanishing": -signs["growth"] - margin > limits["vanishing"],
        "overflow": signs["nonfinite"] > 0,
        "step": signs["ratio"] > limits["step"],
    }
    for word, broken in rules.items():
        if broken.any():
            return word, int(broken.int().argmax())
    return "healthy", None

# %% alarm: the last step decides
def alarm(signs, limits):
    margin = 2 * signs["error"]
    rules = {
        "product": signs["growth"] - margin > limits["product"],
        "vanishing": -signs["growth"] - margin > limits["vanishing"],
        "overflow": signs["nonfinite"] > 0,
        "step": signs["ratio"] > limits["step"],
    }
    for k in reversed(range(len(margin))):
        for word, broken in rules.items():
            if broken[k]:
                return word, k
    return "healthy", None

# %% alarm: consequences before causes
def alarm(signs, limits):
    for k in range(len(signs["growth"])):
        margin = 2 * signs["error"][k]
        if signs["ratio"][k] > limits["step"]:
            return "step", k
        if signs["nonfinite"][k] > 0:
            return "overflow", k
        if signs["growth"][k] - margin > limits["product"]:
            return "product", k
        if -signs["growth"][k] - margin > limits["vanishing"]:
            return "vanishing", k
    return "healthy", None

# %% alarm: takes nan for a proof
def alarm(signs, limits):
    for k in range(len(signs["growth"])):
        margin = 2 * signs["error"][k]
        if not signs["growth"][k] - margin <= limits["product"]:
            return "product", k
        if not -signs["growth"][k] - margin <= limits["vanishing"]:
            return "vanishing", k
        if signs["nonfinite"][k] > 0:
            return "overflow", k
        if signs["ratio"][k] > limits["step"]:
            return "step", k
    return "healthy", None

# %% lead: the standard deviation
def lead(alarms, losses):
    ahead = losses - alarms
    ahead = ahead[ahead.isfinite()]
    return ahead.mean(), ahead.std()

# %% lead: counts those without an alarm in its n
def lead(alarms, losses):
    ahead = losses - alarms
    return ahead.nanmean(), ahead[ahead.isfinite()].std() / len(ahead) ** 0.5

# %% lead: the wrong way
def lead(alarms, losses):
    ahead = alarms - losses
    ahead = ahead[ahead.isfinite()]
    return ahead.mean(), ahead.std() / len(ahead) ** 0.5

# %% lead: means of what each has
def lead(alarms, losses):
    ahead = losses - alarms
    ahead = ahead[ahead.isfinite()]
    return losses.nanmean() - alarms.nanmean(), ahead.std() / len(ahead) ** 0.5
