"""Judge a Python function with equinorm.

    from equinorm_kernel import kernel

    @kernel(path="absorbed", stages=["score", "softmax", "value"], outputs={"u": "fp32", "lse": "fp32"})
    def run(c, alpha_k, q_tilde, problem, **others):
        ...
        return {"u": u, "lse": lse}

and then `equinorm check mine.py`, or by hand `python3 equinorm_kernel.py mine.py describe`. The function is called once per problem. Its
parameters are tensors by name (`equinorm list tensors CASE`; the table of a paged tensor c is `c_block_table`; a tensor declared strided
is a view with gaps), and `problem`, the problem file as a dictionary whose keys are attributes too (problem.heads, problem.mask.kind), with `scale`, `softcap` and `norm.eps` as
floats and `splits`, `tile` and `threads` added. A parameter with a default may be missing from a problem; **others takes what is not named.

Tensors are numpy arrays, or with framework="torch", "triton" or "jax" that framework's. bfloat16 is ml_dtypes.bfloat16 where ml_dtypes is
installed, else float32 that holds the same numbers. JAX, and numpy without ml_dtypes for bfloat16, have contiguous copies of strided
tensors. Outputs are rounded once to their declared dtype. `raise Unsupported(why)` for a
problem that is none of the kernel's own. Needs numpy and the standard library; the protocol stands in PROCESS.md.
"""
import importlib.util
import inspect
import json
import mmap
import os
import struct
import sys
import time
import traceback
import types

__all__ = ["kernel", "Unsupported"]

FORMATS = {"F16": "float16", "F32": "float32", "F64": "float64", "I64": "int64", "I32": "int32"}  # and BF16, which numpy has not
FRAMEWORK_PACKAGES = {"numpy": ["numpy"], "torch": ["numpy", "torch"], "triton": ["numpy", "torch", "triton"], "jax": ["numpy", "jax"]}
SPEAKS_PROTOCOL = "EQUINORM_PROCESS"  # set in the environment of a child of equinorm


class Unsupported(Exception):
    """Raised by a kernel: the problem is none of its own, and is reported as skipped."""


class Record(dict):
    """A JSON object whose keys are attributes too."""

    def __getattr__(self, key):
        try:
            return self[key]
        except KeyError:
            raise AttributeError(f"no {key}; there are {', '.join(self)}") from None


# ---- numbers and files -----------------------------------------------------------------------------------------------------------------


def bf16_type():
    """ml_dtypes.bfloat16 as a numpy dtype, or None."""
    import numpy as np
    try:
        import ml_dtypes
    except ImportError:
        return None
    return np.dtype(ml_dtypes.bfloat16)


def bf16_bits(values):
    """Bits of the nearest bfloat16 (ties to even) of an array of any floating dtype; exact ones, NaN with payload included, keep theirs."""
    import numpy as np
    values = np.asarray(values)
    narrow = bf16_type()
    if narrow is not None and values.dtype == narrow:  # old numpy takes None for float64
        return values.view(np.uint16)
    with np.errstate(over="ignore", invalid="ignore"):
        single = np.asarray(values, dtype=np.float32)
    bits = single.view(np.uint32)
    if values.dtype == np.float64:
        # Rounded to odd on the way, so that the second rounding does not see a tie that is none.
        bits = bits - (np.abs(single) > np.abs(values)).astype(np.uint32)
        bits |= (single != values) & ~np.isnan(values)
    nearest = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16
    nearest = np.where(np.isnan(single), bits >> 16 | 0x40, nearest)
    return np.where(bits & 0xFFFF == 0, bits >> 16, nearest).astype(np.uint16)


def bf16_values(bits):
    """float32 array of bfloat16 bits."""
    import numpy as np
    return (bits.astype(np.uint32) << 16).view(np.float32)


def encode(array, dtype):
    """Contiguous array of the bits that a file holds for `array` in `dtype`."""
    import numpy as np
    with np.errstate(over="ignore", invalid="ignore"):
        bits = bf16_bits(array) if dtype == "BF16" else np.asarray(array, dtype=FORMATS[dtype])
    return np.ascontiguousarray(bits).reshape(bits.shape)  # it makes one axis of none


def same_bits(a, b):
    """Whether two arrays of one size hold the same bits."""
    import numpy as np
    flat = [np.ascontiguousarray(part).reshape(-1).view(np.uint8) for part in (a, b)]
    even = flat[0].size // 8 * 8
    return np.array_equal(*(part[:even].view(np.uint64) for part in flat)) and np.array_equal(*(part[even:] for part in flat))


class Tensor:
    """A tensor of a safetensors file: its bits in memory of our own, which a kernel may harm, and the file's."""

    def __init__(self, dtype, shape, own, file, strides=None):
        """`strides` in elements, of a tensor whose file holds its buffer."""
        self.dtype, self.shape, self.strides = dtype, shape, strides
        self.buffer, self.file_buffer = (part.view("uint16" if dtype == "BF16" else FORMATS[dtype]) for part in (own, file))
        self.bits, self.file_bits = self.placed(self.buffer), self.placed(self.file_buffer)

    def placed(self, buffer):
        if self.strides is None:
            return buffer.reshape(self.shape)
        from numpy.lib.stride_tricks import as_strided
        last = sum((n - 1) * stride for n, stride in zip(self.shape, self.strides))
        if any(stride < 0 for stride in self.strides) or 0 not in self.shape and last >= buffer.size:
            raise ValueError(f"strides {self.strides} of a tensor {self.shape} leave its buffer of {buffer.size} elements")
        return as_strided(buffer, self.shape, [stride * buffer.itemsize for stride in self.strides])

    def values(self):
        if self.dtype != "BF16":
            return self.bits
        return bf16_values(self.bits) if bf16_type() is None else self.placed(self.buffer.view(bf16_type()))

    def differs(self, array):
        """Whether `array` holds other bits than the file, or the gaps between a strided tensor's elements do."""
        if array.shape != self.file_bits.shape:
            return True
        if self.strides is not None and not same_bits(self.buffer, self.file_buffer):
            return True
        return not same_bits(encode(array, self.dtype), self.file_bits)


def read_safetensors(path, strided=None):
    """name -> Tensor. Pages of the file are shared until written to. `strided`: the request's."""
    import numpy as np
    with open(path, "rb") as file:
        own = np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY), np.uint8)
        kept = np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)
    (size,) = struct.unpack("<Q", kept[:8].tobytes())
    header = json.loads(kept[8:8 + size].tobytes())
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = (8 + size + offset for offset in entry["data_offsets"])
            placed = (strided or {}).get(name, entry)
            tensors[name] = Tensor(entry["dtype"], placed["shape"], own[begin:end], kept[begin:end], placed.get("strides"))
    return tensors


def write_safetensors(path, tensors):
    """tensors: name -> (array, dtype)."""
    coded = sorted(((name, dtype, encode(array, dtype)) for name, (array, dtype) in tensors.items()), key=lambda item: -item[2].itemsize)
    header, begin = {}, 0
    for name, dtype, bits in coded:
        header[name] = {"dtype": dtype, "shape": list(bits.shape), "data_offsets": [begin, begin + bits.nbytes]}
        begin += bits.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, _, bits in coded:
            file.write(bits.reshape(-1).view("uint8").data)


# ---- frameworks ------------------------------------------------------------------------------------------------------------------------


class Numpy:
    def __init__(self, device, threads):
        pass

    def take(self, tensor):
        return tensor.values()

    def back(self, value):
        import numpy as np
        return np.asarray(value)

    def wait(self):
        pass


class Torch:
    def __init__(self, device, threads):
        import torch
        if device == "cuda" and not torch.cuda.is_available():
            raise Unsupported("PyTorch finds no CUDA device")
        self.torch, self.device = torch, "cuda" if device == "cuda" else "cpu"
        torch.set_num_threads(threads)

    def take(self, tensor):
        narrow = tensor.dtype == "BF16"
        buffer = self.torch.from_numpy(tensor.buffer.view("int16") if narrow else tensor.buffer).to(self.device)
        buffer = buffer.view(self.torch.bfloat16) if narrow else buffer
        return buffer.reshape(tensor.shape) if tensor.strides is None else buffer.as_strided(tensor.shape, tensor.strides)

    def back(self, value):
        if not isinstance(value, self.torch.Tensor):
            return Numpy.back(self, value)
        value = value.detach().cpu().contiguous()
        return bf16_values(value.view(self.torch.int16).numpy().view("uint16")) if value.dtype == self.torch.bfloat16 else value.numpy()

    def wait(self):
        if self.device == "cuda":
            self.torch.cuda.synchronize()


class Jax(Numpy):
    def __init__(self, device, threads):
        import jax
        jax.config.update("jax_enable_x64", True)  # float64 would become float32 without a word
        if device == "cuda" and jax.default_backend() != "gpu":
            raise Unsupported("JAX finds no CUDA device")
        self.jax = jax

    def take(self, tensor):
        array = self.jax.numpy.asarray(tensor.values())
        return array.astype(self.jax.numpy.bfloat16) if tensor.dtype == "BF16" else array

    def wait(self):
        self.jax.effects_barrier()


# ---- the kernel ------------------------------------------------------------------------------------------------------------------------


class Kernel:
    def __init__(self, function, framework, packages, declaration):
        self.function, self.framework = function, framework
        self.packages = [*packages, *FRAMEWORK_PACKAGES[framework]]
        self.declaration = declaration

    def __call__(self, *arguments, **named):
        return self.function(*arguments, **named)

    def arguments(self, tensors, problem):
        """What the function's parameters stand for, by name."""
        offered = {name.replace(".", "_"): value for name, value in tensors.items()}
        offered["problem"] = problem
        parameters = inspect.signature(self.function).parameters.values()
        missing = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.default is p.empty and p.name not in offered]
        if missing:
            raise TypeError(f"the function needs {', '.join(missing)}; this problem passes {', '.join(sorted(offered))}")
        takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters)
        return offered if takes_all else {name: offered[name] for name in (p.name for p in parameters) if name in offered}

    def run(self, request):
        """Carries a request out; returns what the answer says beside its status."""
        missing = [package for package in self.packages if importlib.util.find_spec(package) is None]
        if missing:
            raise Unsupported(f"package {missing[0]} is not installed")
        problem = Record(request["problem"], splits=request["splits"], tile=request["tile"], threads=request["threads"])
        problem.update(scale=request["scalars"]["scale"], softcap=request["scalars"]["softcap"])
        frame = {"numpy": Numpy, "torch": Torch, "triton": Torch, "jax": Jax}[self.framework](self.declaration.get("device"), problem.threads)
        read = read_safetensors(request["inputs"], request.get("strided"))
        given = {name: frame.take(tensor) for name, tensor in read.items()}
        arguments = self.arguments(given, problem)
        frame.wait()
        start = time.perf_counter()
        outputs = self.function(**arguments)
        if self.framework == "jax":
            outputs = frame.jax.block_until_ready(outputs)
        frame.wait()
        seconds = time.perf_counter() - start
        if not isinstance(outputs, dict):
            raise TypeError(f"the function returned {type(outputs).__name__}; allowed: a dictionary of its outputs")
        expected = request["expect"]
        write_safetensors(request["outputs"], {
            name: (frame.back(value), expected[name]["dtype"] if name in expected else "F32") for name, value in outputs.items()})
        changed = [name for name, tensor in read.items() if tensor.differs(frame.back(given[name]))]
        return {"seconds": seconds, "changed": changed}

    def answer(self, request):
        try:
            answer = {"status": "ok", "message": "", **self.run(request)}
        except Unsupported as reason:
            answer = {"status": "unsupported", "message": str(reason)}
        except Exception as error:  # whatever it is, it is the kernel's failure and has to be said
            traceback.print_exc()
            answer = failure(error)
        return {"id": request.get("id"), **answer}


def failure(error):
    text = " ".join(str(error).split())
    return {"status": "failed", "message": f"{type(error).__name__}: {text}"[:500]}


registered = []


def kernel(*, path, stages, outputs, name=None, inputs=None, framework="numpy", packages=(), **declared):
    """Declares a function as a kernel. The keys are those of DECLARATION.md; a tensor may be given as its dtype alone. `packages` are
    those without which the kernel answers `unsupported`."""
    if framework not in FRAMEWORK_PACKAGES:
        raise ValueError(f"framework is {framework!r}; allowed: {', '.join(FRAMEWORK_PACKAGES)}")

    def whole(tensors):
        return {key: {"dtype": value} if isinstance(value, str) else value for key, value in tensors.items()}

    def decorate(function):
        declaration = {"equinorm": 1, "name": name or function.__name__, "path": path, "stages": list(stages), "outputs": whole(outputs)}
        if inputs:
            declaration["inputs"] = whole(inputs)
        declared_kernel = Kernel(function, framework, packages, {**declaration, **declared})
        registered.append(declared_kernel)
        if function.__module__ == "__main__" and not launched and (SPEAKS_PROTOCOL in os.environ or sys.argv[1:2] in (["describe"], ["run"])):
            # The script was started by itself: start again from here, so that the streams are ours before anything of it runs.
            os.execv(sys.executable, [sys.executable, __file__, *sys.argv])
        return declared_kernel

    return decorate


# ---- the protocol ----------------------------------------------------------------------------------------------------------------------

launched = False


def claim_streams():
    """Requests and replies on descriptors of their own: what the script or a library prints goes to stderr, and it reads nothing."""
    requests, replies = os.fdopen(os.dup(0), "r", encoding="utf-8"), os.fdopen(os.dup(1), "w", encoding="utf-8")
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return requests, replies


def load(script):
    """Runs the script as __main__ and returns its kernel."""
    module = types.ModuleType("__main__")
    module.__file__ = script
    sys.modules["__main__"] = module
    sys.argv, sys.path[0] = [script], os.path.dirname(os.path.abspath(script))
    with open(script, "rb") as file:
        exec(compile(file.read(), script, "exec"), module.__dict__)
    own = [each for each in registered if each.function.__module__ == "__main__"]
    if len(own) != 1:
        raise ValueError(f"{script} has {len(own)} functions with @kernel; allowed: one. A program that speaks the protocol by itself is an "
                         "executable whose name does not end in .py")
    return own[0]


def main(arguments):
    global launched
    launched = True
    sys.path.insert(1, os.path.dirname(os.path.abspath(__file__)))
    requests, replies = claim_streams()

    def reply(answer):
        print(json.dumps(answer), file=replies, flush=True)

    try:
        script, mode = load(arguments[0]), arguments[1:2]
    except (Exception, SystemExit) as error:  # the script's own, for the one who opens it
        traceback.print_exc()
        reply(failure(error))
        return 1
    if SPEAKS_PROTOCOL not in os.environ:
        if mode == ["run"] and len(arguments) == 3:
            with open(arguments[2], encoding="utf-8") as file:
                reply(script.answer(json.load(file, object_hook=Record)))
        else:
            reply(script.declaration)
        return 0
    for line in requests:
        request = json.loads(line, object_hook=Record)
        if request.request == "exit":
            break
        reply({**script.declaration, "process": "persistent"} if request.request == "describe" else script.answer(request))
    return 0


if __name__ == "__main__":
    import equinorm_kernel  # the copy that the script imports: this one is its __main__
    sys.exit(equinorm_kernel.main(sys.argv[1:]))
