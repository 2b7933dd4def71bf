/* Products with a transposed left-hand side: gradients of the weights that read `others`. */
#pragma once
#include "matrix.h"

/* Floats of `scratch` if both other matrices have at most this many columns. */
int64_t scratch_size(int64_t columns) {
    return SLAB / ROWS * PANEL + 2 * packed_size(0, DEPTH, columns);
}

/* Copy the words of a matrix (depth, rows) of at most SLAB rows to panels (DEPTH, ROWS), PANEL
 * apart. Memory is read in long runs and prefetched two rows ahead. */
ALWAYS_INLINE void pack_left(const int mixed, int64_t depth, int64_t rows, const float *left,
                             int64_t stride, float *panels) {
    float pairs[SLAB];
    for (int64_t k = 0; k < words(mixed, depth); k++, left += (1 + mixed) * stride) {
        const float *from = mixed ? pairs : left;
        if (mixed)
            pair_rows(rows, left, 2 * k + 1 < depth ? left + stride : 0, 1, pairs);
        float *place = panels + k * ROWS;
        int64_t i = 0;
        for (; i + ROWS <= rows; i += ROWS, place += PANEL) {
            __builtin_memcpy(place, from + i, ROWS * sizeof(float));
            for (int64_t ahead = 2; ahead < 3 + mixed; ahead++)
                __builtin_prefetch(left + i + ahead * stride);
        }
        __builtin_memcpy(place, from + i, (rows - i) * sizeof(float));
    }
}

ALWAYS_INLINE void transposed(const int mixed, int64_t depth, int64_t rows,
                              const int64_t columns[2], const float *left, int64_t stride,
                              const float *others[2], float *products[2], float *scratch) {
    const int64_t block = (1 + mixed) * DEPTH;
    float *panels = scratch, *packed[2] = {scratch + SLAB / ROWS * PANEL};
    const int count = others[1] ? 2 : 1;
    packed[1] = packed[0] + packed_size(0, DEPTH, columns[0]);
    for (int64_t k = 0; k < depth; k += block) {
        const int64_t numbers = least(depth - k, block), deep = words(mixed, numbers);
        for (int one = 0; one < count; one++)
            pack(mixed, numbers, columns[one], others[one] + k * columns[one], columns[one], 1,
                 packed[one]);
        for (int64_t slab = 0; slab < rows; slab += SLAB) {
            const int64_t end = least(rows, slab + SLAB);
            pack_left(mixed, numbers, end - slab, left + k * stride + slab, stride, panels);
            for (int one = 0; one < count; one++)
                for (int64_t j = 0; j < columns[one]; j += WIDTH)
                    for (int64_t i = slab; i < end; i += ROWS)
                        multiply(mixed, least(end - i, ROWS), least(columns[one] - j, WIDTH),
                                 k > 0, deep,
                                 (Matrix){panels + (i - slab) / ROWS * PANEL, 1, ROWS},
                                 packed[one] + j * deep, products[one] + i * columns[one] + j,
                                 columns[one]);
        }
    }
}

/* Multiply the transpose of `left`, (depth, rows), by one or two other matrices, (depth, columns);
 * the products are (rows, columns). Rows of `left` are `stride` apart; the second of the others may
 * be null. */
void transposed_products(int64_t mixed, int64_t depth, int64_t rows, const int64_t columns[2],
                         const float *left, int64_t stride, const float *others[2],
                         float *products[2], float *scratch) {
    if (mixed)
        transposed(1, depth, rows, columns, left, stride, others, products, scratch);
    else
        transposed(0, depth, rows, columns, left, stride, others, products, scratch);
}

/* Add the rows of a matrix (depth, width), `stride` apart, to the rows of `sums` that `ids` gives,
 * or all of them to the first row if it is null. */
void sum_rows(int64_t depth, int64_t width, const int64_t *ids, const float *from, int64_t stride,
              float *sums) {
    for (int64_t k = 0; k < depth; k++) {
        float *to = sums + (ids ? ids[k] * stride : 0);
#pragma omp simd
        for (int64_t j = 0; j < width; j++)
            to[j] += from[k * stride + j];
    }
}
