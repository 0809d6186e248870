"""Writes the study kernels' PTX, and a file with every kind of declaration, as a fuzzer's first inputs: ptx_seeds.py FOLDER."""

import pathlib
import sys

HEAD = ".version 8.0\n.target sm_80\n.address_size 64\n"
DECLARATIONS = HEAD + """.const .align 4 .u32 table[3] = {7, 8, 9};
.global .u64 where[2] = {table, generic(table)+4};
.extern .shared .align 16 .b8 dynamic[];
.extern .func (.param .b32 r) vprintf(.param .b64 a, .param .b64 b);
.section .debug_str { $L__info_string0: .b8 102,0 }
.func (.param .b32 r) twice(.param .b32 x) { .reg .b32 %r<3>; ld.param.u32 %r1, [x]; st.param.b32 [r], %r1; ret; }
.visible .entry k(.param .u64 .ptr .global .align 4 p) .maxntid 128, 2 {
.reg .b32 %r<3>; .reg .pred %q<2>; .loc 1 2 3, function_name $L__info_string0, inlined_at 1 4 5
$t: @!%q1 bra $t; { .param .b32 a; call.uni (a), twice, (a); }
setp.lt.and.s32 %q0|%q1, %r1, -5, !%q0; mov.b32 {%r1, _}, 0f3f800000; L: .branchtargets $t; brx.idx %r1, L; ret; }
"""


def main():
    folder = pathlib.Path(sys.argv[1])
    (folder / "declarations.ptx").write_text(DECLARATIONS)
    for kernel in (pathlib.Path(__file__).parent.parent / "vgpu" / "kernels").glob("*.sm_80.ptx"):
        (folder / kernel.name).write_text("".join(kernel.read_text().splitlines(keepends=True)[:150]))


if __name__ == "__main__":
    main()
