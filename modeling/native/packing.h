/* Packed matrices: the layout in which a product reads its right-hand side.
 *
 * Both sides of a product consist of words of 32 bits along the depth: a word is a float, or in a
 * `mixed` product two numbers rounded to bfloat16, whose products are summed in float32.
 *
 * The right-hand side is packed in the order in which it is read: blocks of DEPTH words, and in
 * each of them panels of WIDTH columns, padded with zeros (Goto & van de Geijn 2008).
 */
#pragma once
#include <stdint.h>
#if defined(__AVX512F__) || defined(__F16C__)
#include <immintrin.h>
#endif

/* ROWS of the largest tile: its accumulators occupy 24 of AVX-512's 32 registers, or 12 of 16. A
 * wide tile has the same number of them in half the rows and twice the columns: it needs fewer
 * loads, but reads more panels at a time. Which is faster depends on the processor; the sums are
 * the same. */
#if defined(__AVX512F__)
#define LANES 16
#define ROWS 12
#define WIDE_ROWS 6
#elif defined(__AVX__)
#define LANES 8
#define ROWS 6
#else
#define LANES 4
#define ROWS 6
#endif
#define WIDTH (2 * LANES)
#define DEPTH 256 /* words of a block: its panel fits in the first-level cache */
#define SLAB 384  /* rows of a transposed matrix that are packed together, a multiple of ROWS */
#define PANEL (DEPTH * ROWS + LANES) /* floats between packed left panels: not a power of 2 */
#define GROUP 4   /* panels used for all rows in turn: they stay in the second-level cache */

#define ALWAYS_INLINE static inline __attribute__((always_inline))

typedef float Vector __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef uint32_t Bits __attribute__((vector_size(4 * LANES)));

typedef struct {
    const float *first;
    int64_t row, column; /* strides, in words */
} Matrix;

static int64_t least(int64_t one, int64_t other) { return one < other ? one : other; }

/* Whether this processor converts half precision to float as fast as it reads it. */
#if defined(__AVX512F__) || defined(__F16C__) && defined(__AVX__)
int64_t widens_halves(void) { return 1; }
#else
int64_t widens_halves(void) { return 0; }
#endif

/* Whether there are two shapes of tiles to choose from. */
#ifdef WIDE_ROWS
int64_t has_wide_tiles(void) { return 1; }
#else
#define WIDE_ROWS ROWS
int64_t has_wide_tiles(void) { return 0; }
#endif

static int64_t tile_rows = ROWS;

void use_wide_tiles(int64_t wide) { tile_rows = wide ? WIDE_ROWS : ROWS; }

/* Words of a depth; the last one is padded with a zero. */
static int64_t words(int64_t mixed, int64_t depth) { return mixed ? (depth + 1) / 2 : depth; }

int64_t packed_size(int64_t mixed, int64_t depth, int64_t columns) {
    return (columns + WIDTH - 1) / WIDTH * WIDTH * words(mixed, depth);
}

static inline uint32_t bits_of(float number) {
    uint32_t bits;
    __builtin_memcpy(&bits, &number, 4);
    return bits;
}

static inline float float_of(uint32_t bits) {
    float number;
    __builtin_memcpy(&number, &bits, 4);
    return number;
}

/* Round two numbers to bfloat16, ties to even. */
static inline float pair(float even, float odd) {
    const uint32_t low = bits_of(even), high = bits_of(odd);
    return float_of((low + 0x7fff + (low >> 16 & 1)) >> 16 |
                    ((high + 0x7fff + (high >> 16 & 1)) & 0xffff0000));
}

/* Round two rows to one row of words; the second may be null for zeros. */
static void pair_rows(int64_t width, const float *even, const float *odd, int64_t stride,
                      float *to) {
    if (odd && stride == 1)
#pragma omp simd
        for (int64_t j = 0; j < width; j++)
            to[j] = pair(even[j], odd[j]);
    else
        for (int64_t j = 0; j < width; j++)
            to[j] = pair(even[j * stride], odd ? odd[j * stride] : 0);
}

/* Round rows of numbers to rows of words. */
static void narrow(int64_t rows, int64_t width, const float *from, float *to) {
    for (int64_t i = 0; i < rows; i++, from += width) {
#pragma omp simd
        for (int64_t j = 0; j < width / 2; j++)
            to[j] = pair(from[2 * j], from[2 * j + 1]);
        to += width / 2;
        if (width % 2)
            *to++ = pair(from[width - 1], 0);
    }
}

/* Pack a matrix (depth, columns), whose rows and columns may have any stride. */
void pack(int64_t mixed, int64_t depth, int64_t columns, const float *from, int64_t row,
          int64_t column, float *packed) {
    const int64_t all = words(mixed, depth);
    for (int64_t top = 0; top < all; top += DEPTH)
        for (int64_t start = 0; start < columns; start += WIDTH)
            for (int64_t k = top; k < least(all, top + DEPTH); k++, packed += WIDTH) {
                const int64_t width = least(columns - start, WIDTH);
                const float *source = from + start * column + (mixed ? 2 * k : k) * row;
                if (mixed)
                    pair_rows(width, source, 2 * k + 1 < depth ? source + row : 0, column, packed);
                else if (column == 1)
                    __builtin_memcpy(packed, source, width * sizeof(float));
                else
                    for (int64_t j = 0; j < width; j++)
                        packed[j] = source[j * column];
                __builtin_memset(packed + width, 0, (WIDTH - width) * sizeof(float));
            }
}
