// What handlers call and what is compiled only once. Private to the room.
#pragma once

#include "vgpu/device.hpp"
#include "vgpu/handler.hpp"

namespace equinorm::vgpu {

// Arithmetic that is not worth vectorising (arithmetic.cpp).

/// The number that the bits of a floating-point type stand for.
double read_float(u64 bits, Type type);

enum class DirectedOp : u8 { add, sub, mul, div, fma };
/// One binary32 operation rounded down, up or toward zero.
float directed(DirectedOp op, Rounding rounding, float a, float b, float c);

enum class Transcendental : u8 { sqrt, rsqrt, ex2, lg2, sin, cos, tanh };
/// The function's value correctly rounded to binary32.
float correctly_rounded(Transcendental function, float x);
/// The function rounded to binary64 with an error below 2^-48 relative; exact results exact.
double nearly(Transcendental function, double x);

enum class HalfOp : u8 { add, sub, mul, fma, min, max, abs, neg, ex2, tanh };
/// One fp16 or bf16 operation, correctly rounded, with the instruction's .ftz, .sat, .relu and .NaN.
u16 half_operation(HalfOp op, bool is_bf16, u16 a, u16 b, u16 c, const Decoded& instruction);

/// cvt: the bits of a number of type `from` as type `to`, zero- or sign-extended to 64 bits. `to_integer` says that a float is to be
/// rounded to an integral value in its own format. NaN becomes the canonical NaN of the format, or 0 for integers up to 32 bits.
u64 convert(u64 bits, Type from, Type to, Rounding rounding, bool ftz, bool sat, bool relu, bool to_integer, bool has_rounding);

/// Whether ex2.approx and its like shall be moved off the correctly rounded result, and by which seed.
bool is_perturbed(const Warp& warp, u64& seed);

// Findings (findings.cpp).
void report(Warp& warp, const Decoded& instruction, FindingKind kind, int lane, u64 address, u32 bytes, Space space,
            const char* detail = "");
/// A lane's access of `bytes` bytes that is not all right: says why. Returns false if nothing of it may be done.
bool report_access(Warp& warp, const Decoded& instruction, int lane, const View& view, u64 offset, u32 bytes, bool is_write, Space space);

// Memory (access.cpp).

/// Where a generic, local or param address lies. A view without data: nowhere.
struct Spot {
  View view;
  u64 offset = 0;
  Space space = Space::generic;
};
Spot locate(Warp& warp, const Decoded& instruction, int lane, Space space, u64 address);
/// Checks one lane's access and tells the race detector; returns the bytes, or null if it must not be made.
std::byte* access(Warp& warp, const Decoded& instruction, int lane, const Spot& spot, u32 bytes, bool is_write);
/// Lanes' accesses to shared memory, already checked, for the race detector.
void note_shared(Warp& warp, const Decoded& instruction, u32 mask, const u64* offsets, u32 bytes, bool is_write);

/// Of an access of global memory, all inside it, before it is made: where the warp has a journal (journal.cpp).
void note_global(Warp& warp, u64 offset, u64 bytes, bool is_write);

void start_copy(Warp& warp, const Decoded& instruction, int lane, u64 to, u64 from, u32 bytes, u32 filled);
void finish_copies(Warp& warp, int lane, u64 groups_left, bool open_too);
void close_group(Warp& warp, int lane);

/// Applies an atomic operation in memory and returns the old bits.
u64 atomic(Warp& warp, const Decoded& instruction, int lane, u64 address, u64 operand, u64 swap, bool is_compare);

/// Orders what the lanes of the mask did before what they do after.
void order_warp(Warp& warp, u32 mask);

}  // namespace equinorm::vgpu
