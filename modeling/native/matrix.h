/* Matrix products of row-major float32 matrices with a packed right-hand side (`packing.h`).
 *
 * Every element of a product is one chain of multiply-adds over the depth, in ascending order. So a
 * row of a product has the same bits however many rows there are and however they are divided among
 * threads.
 *
 * The sums of a tile of the product stay in registers. While a group of panels is in use, the next
 * one is prefetched into the second-level cache, so that weights larger than it cost little.
 */
#pragma once
#include "packing.h"

/* Add the products of a word on the left with the words on the right to the sums. */
ALWAYS_INLINE Vector multiply_add(const int mixed, Vector sums, const float *left, Vector right) {
    if (!mixed)
        return sums + *left * right;
    const uint32_t word = bits_of(*left);
#ifdef __AVX512BF16__
    return (Vector)_mm512_dpbf16_ps((__m512)sums, (__m512bh)_mm512_set1_epi32(word),
                                    (__m512bh)right);
#else
    sums += float_of(word << 16) * (Vector)((Bits)right << 16);
    return sums + float_of(word & 0xffff0000) * (Vector)((Bits)right & 0xffff0000);
#endif
}

/* Compute a tile of the product: `rows` of the left matrix by `panels` whole panels. Prefetch half
 * a panel of `next`, unless it is null. */
ALWAYS_INLINE void tile(const int mixed, const int rows, const int panels, int add, int64_t depth,
                        Matrix left, const float *packed, int64_t panel, float *product,
                        int64_t row, const float *next) {
    Vector sums[2 * ROWS];
    const int vectors = 2 * panels;
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 16
        for (int j = 0; j < vectors; j++)
            sums[i * vectors + j] =
                add ? *(Vector *)(product + i * row + j * LANES) : (Vector){0};
    for (int64_t k = 0; k < depth; k++) {
        if (next)
            __builtin_prefetch(next + k * LANES, 0, 2);
        Vector right[8];
#pragma GCC unroll 16
        for (int j = 0; j < vectors; j++)
            right[j] = *(Vector *)(packed + j / 2 * panel + k * WIDTH + j % 2 * LANES);
#pragma GCC unroll 16
        for (int i = 0; i < rows; i++)
#pragma GCC unroll 16
            for (int j = 0; j < vectors; j++)
                sums[i * vectors + j] =
                    multiply_add(mixed, sums[i * vectors + j],
                                 left.first + i * left.row + k * left.column, right[j]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 16
        for (int j = 0; j < vectors; j++)
            *(Vector *)(product + i * row + j * LANES) = sums[i * vectors + j];
}

/* Compute `rows` rows of one group of whole panels. */
ALWAYS_INLINE void strip(const int mixed, const int rows, const int together, int64_t panels,
                         int add, int64_t depth, Matrix left, const float *packed, int64_t panel,
                         float *product, int64_t row, const float *next) {
    for (int64_t done = 0; done < panels;) {
        const float *from = packed + done * panel, *fetched = next ? next + done * panel / 2 : 0;
        float *to = product + done * WIDTH;
        if (done + together <= panels) {
            tile(mixed, rows, together, add, depth, left, from, panel, to, row, fetched);
            done += together;
        } else {
            tile(mixed, rows, 1, add, depth, left, from, panel, to, row, fetched);
            done++;
        }
    }
}

/* Compute all rows of one group of panels, in tiles of about equal height: with at most 6 rows, 32
 * are divided into 6, 6, 5, 5, 5, 5. Tiles of few rows use several panels at once, because a chain
 * of multiply-adds has a latency of about ten independent ones. The first two tiles prefetch the
 * next group. */
ALWAYS_INLINE void group(const int mixed, int64_t rows, int64_t panels, int add, int64_t depth,
                         Matrix left, const float *packed, int64_t panel, float *product,
                         int64_t row) {
    const int64_t all = (rows + tile_rows - 1) / tile_rows;
    for (int64_t tiles = all; tiles > 0; tiles--) {
        const int64_t high = (rows + tiles - 1) / tiles, half = panels * panel / 2;
        const float *next = all > 1 && all - tiles < 2 ? packed + (2 + all - tiles) * half : 0;
        switch (high) {
#define CASE(HIGH, TOGETHER) \
    case HIGH: \
        strip(mixed, HIGH, TOGETHER, panels, add, depth, left, packed, panel, product, row, \
              next); \
        break
            CASE(1, 4);
            CASE(2, 2);
            CASE(3, 2);
#if ROWS == 6
            CASE(4, 1);
            CASE(5, 1);
            CASE(6, 1);
#else
            CASE(4, 2);
            CASE(5, 2);
            CASE(6, 2);
            CASE(7, 1);
            CASE(8, 1);
            CASE(9, 1);
            CASE(10, 1);
            CASE(11, 1);
            CASE(12, 1);
#endif
#undef CASE
        }
        left.first += high * left.row;
        product += high * row;
        rows -= high;
    }
}

/* Compiling tiles takes most of the compile time, so each kind of `group` is compiled once and not
 * inlined: for left matrices with column stride 1, or transposed ones with row stride 1 and column
 * stride ROWS. */
#define GROUP_OF(NAME, MIXED, ROW, COLUMN) \
    __attribute__((noinline)) static void NAME(int64_t rows, int64_t panels, int add, \
                                               int64_t depth, Matrix left, const float *packed, \
                                               int64_t panel, float *product, int64_t row) { \
        group(MIXED, rows, panels, add, depth, (Matrix){left.first, ROW, COLUMN}, packed, panel, \
              product, row); \
    }
GROUP_OF(group_of_floats, 0, left.row, 1)
GROUP_OF(group_of_pairs, 1, left.row, 1)
GROUP_OF(transposed_group_of_floats, 0, 1, ROWS)
GROUP_OF(transposed_group_of_pairs, 1, 1, ROWS)
#undef GROUP_OF

/* Store the product of two matrices, (rows, depth) by a packed (depth, columns), in a third, or
 * `add` it to the third; the depth is in words. Strides of the left matrix are as above. */
ALWAYS_INLINE void multiply(const int mixed, int64_t rows, int64_t columns, int add, int64_t depth,
                            Matrix left, const float *packed, float *product, int64_t row) {
    const int64_t whole = columns / WIDTH, edge = columns % WIDTH;
    const int across = left.column != 1;
    void (*const one)(int64_t, int64_t, int, int64_t, Matrix, const float *, int64_t, float *,
                      int64_t) =
        mixed ? (across ? transposed_group_of_pairs : group_of_pairs)
              : (across ? transposed_group_of_floats : group_of_floats);
    const float *block = packed;
    for (int64_t k = 0; k < depth; k += DEPTH, add = 1) {
        const int64_t deep = least(depth - k, DEPTH), panel = deep * WIDTH;
        const Matrix part = {left.first + k * left.column, left.row, left.column};
        for (int64_t i = 0; i < whole; i += GROUP)
            one(rows, least(whole - i, GROUP), add, deep, part, block + i * panel, panel,
                product + i * WIDTH, row);
        for (int64_t i = 0; edge && i < rows; i += ROWS) {
            const int64_t high = least(rows - i, ROWS);
            float *place = product + i * row + whole * WIDTH, lines[ROWS * WIDTH] = {0};
            for (int64_t j = 0; j < high; j++)
                __builtin_memcpy(lines + j * WIDTH, place + j * row, edge * sizeof(float));
            one(high, 1, add, deep, (Matrix){part.first + i * part.row, part.row, part.column},
                block + whole * panel, panel, lines, WIDTH);
            for (int64_t j = 0; j < high; j++)
                __builtin_memcpy(place + j * row, lines + j * WIDTH, edge * sizeof(float));
        }
        block += (whole + (edge > 0)) * panel;
    }
}

/* The same for a whole left matrix with contiguous rows. */
static void multiply_rows(int64_t mixed, int64_t rows, int64_t columns, int add, int64_t depth,
                          const float *left, const float *packed, float *product) {
    const Matrix matrix = {left, words(mixed, depth), 1};
    if (mixed)
        multiply(1, rows, columns, add, matrix.row, matrix, packed, product, columns);
    else
        multiply(0, rows, columns, add, matrix.row, matrix, packed, product, columns);
}
