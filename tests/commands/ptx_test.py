"""`equinorm ptx coverage` and `equinorm ptx run`."""
import json
import os
import struct
import subprocess
import tempfile

EQUINORM = os.environ["EQUINORM"]
KERNELS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "vgpu", "kernels")


def run(*arguments):
    return subprocess.run([EQUINORM, "ptx", *arguments], capture_output=True, text=True)


def expect(condition, what, result):
    if not condition:
        raise SystemExit(f"{what}: exit code {result.returncode}\n{result.stdout}{result.stderr}")


KERNEL = """.version 8.0
.target sm_80
.address_size 64
.visible .entry scale(.param .u64 x, .param .f32 by, .param .u32 count)
{
.reg .pred %p<2>; .reg .b32 %r<4>; .reg .f32 %f<5>; .reg .b64 %rd<4>;
ld.param.u64 %rd1, [x]; ld.param.f32 %f1, [by]; ld.param.u32 %r2, [count];
mov.u32 %r1, %tid.x; setp.ge.u32 %p1, %r1, %r2; @%p1 ret;
mul.wide.u32 %rd2, %r1, 4; add.s64 %rd3, %rd1, %rd2;
ld.global.f32 %f2, [%rd3]; mul.f32 %f3, %f2, %f1; add.f32 %f4, %f3, %f2; st.global.f32 [%rd3], %f4;
ret;
}
"""

with tempfile.TemporaryDirectory() as folder:
    source, buffer, out = (os.path.join(folder, name) for name in ("scale.ptx", "buffer.bin", "coverage.json"))
    with open(source, "w") as file:
        file.write(KERNEL)

    # coverage
    result = run("coverage", os.path.join(KERNELS, "triton_decode.sm_90.ptx"))
    expect(result.returncode == 0 and " of " in result.stdout, "everything runs", result)
    unknown = os.path.join(folder, "unknown.ptx")
    with open(unknown, "w") as file:
        file.write(KERNEL.replace("mul.f32 %f3", "mul.frob.f32 %f3"))
    result = run("coverage", unknown, "--json", out)
    expect(result.returncode == 3 and "mul.frob.f32" in result.stdout and ":10:" in result.stdout, "an unknown instruction is named by line", result)
    with open(out) as file:
        listed = json.load(file)
    expect(listed["unsupported"][0]["opcode"] == "mul.frob.f32" and listed["unsupported"][0]["line"] == 10, "JSON", result)
    expect(run("coverage", os.path.join(folder, "none.ptx")).returncode == 2, "no such file", result)
    result = run("run", unknown, "scale")
    expect(result.returncode == 2 and "unsupported instruction" in result.stderr, "an unknown instruction is refused before launch", result)

    # run
    def write(values):
        with open(buffer, "wb") as file:
            file.write(struct.pack(f"{len(values)}f", *values))

    write([1.0, 2.0, 3.0])
    common = ("run", source, "scale", "--block", "4", "--arg", f"inout:{buffer}", "--arg", "f32:0.5", "--arg")
    result = run(*common, "u32:3", "--contraction", "both", "--shadows")
    expect(result.returncode == 0 and "1 sums may take in a product" in result.stdout and "the same" in result.stdout, "a right launch", result)
    with open(buffer, "rb") as file:
        expect(struct.unpack("3f", file.read()) == (1.5, 3.0, 4.5), "the buffer is written back", result)
    for kind in ("double", "double-double", "ball", "arbitrary"):
        write([1.0, 2.0, 3.1])
        result = run(*common, "u32:3", "--shadows", kind, "--threads", "2")
        expect(result.returncode == 0 and "3 binary32 numbers with shadows" in result.stdout, f"shadows of kind {kind}", result)
        expect(("radius" in result.stdout) == (kind in ("ball", "arbitrary")), f"a radius, of rigorous kinds alone: {kind}", result)
    result = run(*common, "u32:3", "--shadows", "quad")
    expect(result.returncode == 2 and "arbitrary" in result.stderr, "an unknown kind of shadows is refused", result)
    result = run(*common, "u32:3", "--approximation", "interval")
    expect(result.returncode == 2 and "ball" in result.stderr, "intervals need balls", result)
    result = run(*common, "u32:4")
    expect(result.returncode == 1 and "out of bounds" in result.stdout, "a finding is exit code 1", result)
    for bad in ("u32:x", "u32:-1", "q:1", "in:" + os.path.join(folder, "none")):
        result = run(*common, bad)
        expect(result.returncode == 2 and len(result.stderr.splitlines()) == 1, f"--arg {bad} is refused", result)
    expect(run("run", source, "nothing").returncode == 2, "no such kernel", result)

    # Outputs are written whole, under their own name at the end: a link, device or pipe is not replaced, an input that fails stays.
    link, kept = os.path.join(folder, "link"), os.path.join(folder, "kept")
    with open(kept, "w") as file:
        file.write("kept")
    os.symlink(kept, link)
    for path, word in ((link, "link, device, pipe or socket"), (folder, "folder"), (os.path.join(folder, "none", "out"), "no folder")):
        result = run("run", source, "scale", "--block", "4", "--arg", f"out:16:{path}", "--arg", "f32:0.5", "--arg", "u32:0")
        expect(result.returncode == 2 and word in result.stderr and len(result.stderr.splitlines()) == 1, f"out:16:{path} is refused", result)
    with open(kept) as file:
        expect(os.path.islink(link) and file.read() == "kept", "what a link leads to stays", result)
    target = os.path.join(folder, "target.bin")
    with open(target, "w") as file:
        file.write("before")
    identity = os.stat(target).st_ino
    result = run("run", source, "scale", "--block", "4", "--arg", f"out:16:{target}", "--arg", "f32:0.5", "--arg", "u32:0")
    expect(os.path.getsize(target) == 16 and os.stat(target).st_ino != identity, "the finished file takes the place of the old one", result)
    expect(not [name for name in os.listdir(folder) if name.endswith(".tmp")], "no temporary file stays", result)
print("ptx: passed")
