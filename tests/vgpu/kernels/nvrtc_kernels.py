"""Writes nvrtc_NAME.sm_80.ptx and .sm_90.ptx of the kernels named below with NVRTC: `python3 nvrtc_kernels.py LIBRARY INCLUDE`, the path of
libnvrtc.so and the folder of the CUDA headers. `pip install nvidia-cuda-nvrtc` has the library. Needs no GPU."""
import ctypes
import os
import re
import sys

KERNELS = ["rmsnorm", "absorbed_decode", "paged_bf16"]
# What nvcc has and NVRTC has not.
INFINITY = b"-DINFINITY=__int_as_float(0x7f800000)"

nvrtc = ctypes.CDLL(sys.argv[1])
include = sys.argv[2]
folder = os.path.dirname(os.path.abspath(__file__))


def check(status, program=None):
    if status == 0:
        return
    size = ctypes.c_size_t()
    log = b""
    if program is not None:
        nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
        buffer = ctypes.create_string_buffer(size.value)
        nvrtc.nvrtcGetProgramLog(program, buffer)
        log = buffer.value
    raise SystemExit(f"NVRTC: error {status}\n{log.decode()}")


for name in KERNELS:
    with open(os.path.join(folder, name + ".cu"), "rb") as file:
        source = file.read()
    for target in (80, 90):
        program = ctypes.c_void_p()
        check(nvrtc.nvrtcCreateProgram(ctypes.byref(program), source, (name + ".cu").encode(), 0, None, None))
        options = [b"--gpu-architecture=compute_%d" % target, b"-lineinfo", b"-std=c++17", b"-I" + include.encode(), INFINITY]
        check(nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options)), program)
        size = ctypes.c_size_t()
        check(nvrtc.nvrtcGetPTXSize(program, ctypes.byref(size)))
        buffer = ctypes.create_string_buffer(size.value)
        check(nvrtc.nvrtcGetPTX(program, buffer))
        text = re.sub(r'(\.file[^"]*")[^"]*/([^"/]*")', r"\1\2", buffer.value.decode())
        with open(os.path.join(folder, f"nvrtc_{name}.sm_{target}.ptx"), "w") as file:
            file.write(text.rstrip() + "\n")
