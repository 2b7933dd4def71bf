/* Matrix products of row-major float32 matrices with a packed right-hand side.
 *
 * Both sides consist of words of 32 bits along the depth: a word is a float, or in a `mixed`
 * product two numbers rounded to bfloat16, whose products are summed up in float32.
 *
 * Every element of a product is one chain of multiply-adds over the depth, in ascending order,
 * whatever stands beside it. A row of a product therefore has the same bits however many rows
 * there are and however they are shared out among threads.
 *
 * The right-hand side is packed in the order in which it is read: blocks of DEPTH, in each of
 * them panels of WIDTH columns, filled up with zeros (Goto & van de Geijn 2008). A tile of the
 * product stays in registers meanwhile. While a group of panels is in use, the one behind it is
 * fetched into the second-level cache, so that weights larger than that cost little.
 */
#include <stdint.h>
#if defined(__AVX512F__) || defined(__F16C__)
#include <immintrin.h>
#endif

/* ROWS of the largest tile: its accumulators take 24 of AVX-512's 32 registers, or 12 of 16. A wide
 * tile has as many in half the rows and twice the columns: fewer loads, less of each in the first-
 * level cache. Which is faster depends on the processor; the sums are the same chains. */
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
#define DEPTH 256 /* words of a block: its panel fits into the first-level cache */
#define SLAB 384  /* rows of a transposed matrix that are packed together, a multiple of ROWS */
#define PANEL (DEPTH * ROWS + LANES) /* floats from one of them to the next: not a power of 2 */
#define GROUP 4   /* panels in turn for all rows: they stay in the second-level cache */

#define ALWAYS_INLINE static inline __attribute__((always_inline))

typedef float Vector __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef uint32_t Bits __attribute__((vector_size(4 * LANES)));

typedef struct {
    const float *first;
    int64_t row, column; /* strides, in words */
} Matrix;

static int64_t least(int64_t one, int64_t other) { return one < other ? one : other; }

/* Whether this processor widens half precision as fast as it reads it. */
#if defined(__AVX512F__) || defined(__F16C__) && defined(__AVX__)
int64_t widens_halves(void) { return 1; }
#else
int64_t widens_halves(void) { return 0; }
#endif

/* Whether there are two kinds of tiles to choose from. */
#ifdef WIDE_ROWS
int64_t has_wide_tiles(void) { return 1; }
#else
#define WIDE_ROWS ROWS
int64_t has_wide_tiles(void) { return 0; }
#endif

static int64_t tile_rows = ROWS;

void use_wide_tiles(int64_t wide) { tile_rows = wide ? WIDE_ROWS : ROWS; }

/* Words of a depth, the last one filled up with a zero. */
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

/* Round two rows to one of words; the second may be null, for zeros. */
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

/* Add to each of the sums the product of a word on the left and its word on the right. */
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

/* A tile of the product: `rows` of the left matrix by `panels` whole panels. Of `next`, unless it
 * is null, it fetches half a panel. */
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

/* `rows` rows of one group of panels, all of them whole. */
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

/* All rows of one group of panels, in tiles of about equal height: of 6 at most, 32 rows are 6, 6,
 * 5, 5, 5, 5. Few rows take several panels at once, because a chain of multiply-adds waits for
 * itself unless about ten others run beside it. The first two tiles fetch the group behind this
 * one. */
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

/* Compiling tiles takes most of the compiler's time, so each kind of `group` is compiled once, out
 * of line: with left matrices whose columns are 1 apart, or transposed, rows 1 and columns ROWS. */
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

/* Put the product of two matrices, (rows, depth) by a packed (depth, columns), into a third, or
 * `add` it to that; the depth is counted in words. Strides of the left one as above. */
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

/* The same for all of a left matrix whose rows follow one another. */
static void multiply_rows(int64_t mixed, int64_t rows, int64_t columns, int add, int64_t depth,
                          const float *left, const float *packed, float *product) {
    const Matrix matrix = {left, words(mixed, depth), 1};
    if (mixed)
        multiply(1, rows, columns, add, matrix.row, matrix, packed, product, columns);
    else
        multiply(0, rows, columns, add, matrix.row, matrix, packed, product, columns);
}

/* LANES numbers of half precision, which float32 holds exactly. */
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

/* One row by `panels` panels of half precision; the last one may stick out of the product. */
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

/* `multiply_rows` for one row: reading the weights is most of its work, and in half precision they
 * take half the room in the caches. Each sum is the same chain of multiply-adds. Packed in panels
 * of WIDTH columns and the whole depth. */
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

/* Floats of `scratch` for two other matrices of so many columns at most. */
int64_t scratch_size(int64_t columns) {
    return SLAB / ROWS * PANEL + 2 * packed_size(0, DEPTH, columns);
}

/* Lay the words of (depth, rows), at most SLAB rows, out in panels (DEPTH, ROWS), PANEL apart;
 * memory is read in long runs and fetched two rows ahead. */
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

/* Put the products of the transpose of `left`, (depth, rows), and one or two other matrices,
 * (depth, columns), into (rows, columns) each: the gradients of weights that read `others`. Rows
 * of `left` are `stride` apart; the second of the others may be null. */
void transposed_products(int64_t mixed, int64_t depth, int64_t rows, const int64_t columns[2],
                         const float *left, int64_t stride, const float *others[2],
                         float *products[2], float *scratch) {
    if (mixed)
        transposed(1, depth, rows, columns, left, stride, others, products, scratch);
    else
        transposed(0, depth, rows, columns, left, stride, others, products, scratch);
}
