/* Products of single rows with matrices in half precision.
 *
 * Reading the weights is most of the work for a single row, and in half precision they occupy half
 * as much cache.
 */
#pragma once
#include "packing.h"

/* Convert LANES numbers from half precision, exactly. */
ALWAYS_INLINE Vector widened(const uint16_t *halves) {
#if defined(__AVX512F__)
    return (Vector)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)halves));
#elif defined(__F16C__) && defined(__AVX__)
    return (Vector)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)halves));
#else
    (void)halves;
    __builtin_unreachable();
#endif
}

/* Multiply one row by `panels` panels; the last panel may extend beyond the product. */
ALWAYS_INLINE void half_strip(const int panels, int64_t width, int add, int64_t depth,
                              const float *left, const uint16_t *packed, float *product) {
    float line[8 * WIDTH / 2] = {0};
    Vector sums[8];
    if (add)
        __builtin_memcpy(line, product, width * sizeof(float));
    const int vectors = 2 * panels;
#pragma GCC unroll 8
    for (int j = 0; j < vectors; j++)
        sums[j] = *(Vector *)(line + j * LANES);
    for (int64_t k = 0; k < depth; k++)
#pragma GCC unroll 8
        for (int j = 0; j < vectors; j++)
            sums[j] += left[k] * widened(packed + (j / 2 * depth + k) * WIDTH + j % 2 * LANES);
#pragma GCC unroll 8
    for (int j = 0; j < vectors; j++)
        *(Vector *)(line + j * LANES) = sums[j];
    __builtin_memcpy(product, line, width * sizeof(float));
}

/* `multiply_rows` for one row. Each sum is the same chain of multiply-adds. The matrix is packed in
 * panels of WIDTH columns and the whole depth. */
static void multiply_halves(int64_t columns, int add, int64_t depth, const float *left,
                            const uint16_t *packed, float *product) {
    for (int64_t done = 0; done < columns; done += 4 * WIDTH, packed += 4 * WIDTH * depth) {
        const int64_t width = least(columns - done, 4 * WIDTH);
        switch ((width + WIDTH - 1) / WIDTH) {
#define CASE(PANELS) \
    case PANELS: \
        half_strip(PANELS, width, add, depth, left, packed, product + done); \
        break
            CASE(1);
            CASE(2);
            CASE(3);
            CASE(4);
#undef CASE
        }
    }
}
