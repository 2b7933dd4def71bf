/* Matrix products of row-major float32 matrices with a packed right-hand side.
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

/* ROWS of the largest tile: its accumulators take 24 of AVX-512's 32 registers, or 12 of 16. */
#if defined(__AVX512F__)
#define LANES 16
#define ROWS 12
#elif defined(__AVX__)
#define LANES 8
#define ROWS 6
#else
#define LANES 4
#define ROWS 6
#endif
#define WIDTH (2 * LANES)
#define DEPTH 256 /* of a block: its panel fits into the first-level cache */
#define SLAB 384  /* rows of a transposed matrix that are packed together, a multiple of ROWS */
#define PANEL (DEPTH * ROWS + LANES) /* floats from one of them to the next: not a power of 2 */
#define GROUP 4   /* panels in turn for all rows: they stay in the second-level cache */

#define ALWAYS_INLINE static inline __attribute__((always_inline))

typedef float Vector __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

typedef struct {
    const float *first;
    int64_t row, column; /* strides, in floats */
} Matrix;

static int64_t least(int64_t one, int64_t other) { return one < other ? one : other; }

int64_t packed_size(int64_t depth, int64_t columns) {
    return (columns + WIDTH - 1) / WIDTH * WIDTH * depth;
}

/* Pack a matrix (depth, columns), whose rows and columns may have any stride. */
void pack(int64_t depth, int64_t columns, const float *from, int64_t row, int64_t column,
          float *packed) {
    for (int64_t top = 0; top < depth; top += DEPTH, from += DEPTH * row) {
        const int64_t deep = least(depth - top, DEPTH);
        for (int64_t start = 0; start < columns; start += WIDTH, packed += deep * WIDTH) {
            const int64_t width = least(columns - start, WIDTH);
            const float *source = from + start * column;
            if (column == 1 && width == WIDTH)
                for (int64_t k = 0; k < deep; k++)
                    __builtin_memcpy(packed + k * WIDTH, source + k * row, WIDTH * sizeof(float));
            else
                for (int64_t k = 0; k < deep; k++)
                    for (int64_t j = 0; j < WIDTH; j++)
                        packed[k * WIDTH + j] = j < width ? source[k * row + j * column] : 0;
        }
    }
}

/* A tile of the product: `rows` of the left matrix by `panels` whole panels. Of `next`, unless it
 * is null, it fetches half a panel. */
ALWAYS_INLINE void tile(const int rows, const int panels, int add, int64_t depth, Matrix left,
                        const float *packed, int64_t panel, float *product, int64_t row,
                        const float *next) {
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
                sums[i * vectors + j] += left.first[i * left.row + k * left.column] * right[j];
    }
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 16
        for (int j = 0; j < vectors; j++)
            *(Vector *)(product + i * row + j * LANES) = sums[i * vectors + j];
}

/* `rows` rows of one group of panels, all of them whole. */
ALWAYS_INLINE void strip(const int rows, const int together, int64_t panels, int add,
                         int64_t depth, Matrix left, const float *packed, int64_t panel,
                         float *product, int64_t row, const float *next) {
    for (int64_t done = 0; done < panels;) {
        const float *from = packed + done * panel, *fetched = next ? next + done * panel / 2 : 0;
        float *to = product + done * WIDTH;
        if (done + together <= panels) {
            tile(rows, together, add, depth, left, from, panel, to, row, fetched);
            done += together;
        } else {
            tile(rows, 1, add, depth, left, from, panel, to, row, fetched);
            done++;
        }
    }
}

/* All rows of one group of panels, in tiles of about equal height: with ROWS 6, 32 rows are 6, 6,
 * 5, 5, 5, 5. Few rows take several panels at once, because a chain of multiply-adds waits for
 * itself unless about ten others run beside it. The first two tiles fetch the group behind this
 * one. */
ALWAYS_INLINE void group(int64_t rows, int64_t panels, int add, int64_t depth, Matrix left,
                         const float *packed, int64_t panel, float *product, int64_t row) {
    const int64_t all = (rows + ROWS - 1) / ROWS;
    for (int64_t tiles = all; tiles > 0; tiles--) {
        const int64_t high = (rows + tiles - 1) / tiles, half = panels * panel / 2;
        const float *next = all > 1 && all - tiles < 2 ? packed + (2 + all - tiles) * half : 0;
        switch (high) {
#define CASE(HIGH, TOGETHER) \
    case HIGH: \
        strip(HIGH, TOGETHER, panels, add, depth, left, packed, panel, product, row, \
              next); \
        break
            CASE(1, 4);
            CASE(2, 2);
            CASE(3, 2);
            CASE(4, 1);
            CASE(5, 1);
            CASE(6, 1);
#if ROWS > 6
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

/* Put the product of two matrices, (rows, depth) by a packed (depth, columns), into a third, or
 * `add` it to that. */
ALWAYS_INLINE void multiply(int64_t rows, int64_t columns, int add, int64_t depth, Matrix left,
                            const float *packed, float *product, int64_t row) {
    const int64_t whole = columns / WIDTH, edge = columns % WIDTH;
    const float *block = packed;
    for (int64_t k = 0; k < depth; k += DEPTH, add = 1) {
        const int64_t deep = least(depth - k, DEPTH), panel = deep * WIDTH;
        const Matrix part = {left.first + k * left.column, left.row, left.column};
        for (int64_t i = 0; i < whole; i += GROUP)
            group(rows, least(whole - i, GROUP), add, deep, part, block + i * panel, panel,
                  product + i * WIDTH, row);
        for (int64_t i = 0; edge && i < rows; i += ROWS) {
            const int64_t high = least(rows - i, ROWS);
            float *place = product + i * row + whole * WIDTH, lines[ROWS * WIDTH] = {0};
            for (int64_t j = 0; j < high; j++)
                __builtin_memcpy(lines + j * WIDTH, place + j * row, edge * sizeof(float));
            group(high, 1, add, deep, (Matrix){part.first + i * part.row, part.row, part.column},
                  block + whole * panel, panel, lines, WIDTH);
            for (int64_t j = 0; j < high; j++)
                __builtin_memcpy(place + j * row, lines + j * WIDTH, edge * sizeof(float));
        }
        block += (whole + (edge > 0)) * panel;
    }
}

/* The same where the rows of the left matrix and of the product follow one another. */
static void put_product(int64_t rows, int64_t columns, int64_t depth, const float *left,
                        const float *packed, float *product) {
    multiply(rows, columns, 0, depth, (Matrix){left, depth, 1}, packed, product, columns);
}

static void add_product(int64_t rows, int64_t columns, int64_t depth, const float *left,
                        const float *packed, float *product) {
    multiply(rows, columns, 1, depth, (Matrix){left, depth, 1}, packed, product, columns);
}

int64_t scratch_size(int64_t columns) {
    return SLAB / ROWS * PANEL + 2 * packed_size(DEPTH, columns);
}

/* Lay (depth, rows) out in panels (DEPTH, ROWS), PANEL apart; memory is read in long runs, one a
 * row, and fetched two rows ahead. */
static void pack_left(int64_t depth, int64_t rows, const float *left, int64_t stride,
                      float *panels) {
    for (int64_t k = 0; k < depth; k++, left += stride) {
        int64_t i = 0;
        float *place = panels + k * ROWS;
        for (; i + ROWS <= rows; i += ROWS, place += PANEL) {
            __builtin_memcpy(place, left + i, ROWS * sizeof(float));
            __builtin_prefetch(left + i + 2 * stride);
        }
        for (int64_t j = i; j < rows; j++)
            place[j - i] = left[j];
    }
}

/* Put the products of the transpose of `left`, (depth, rows), and one or two other matrices,
 * (depth, columns), into (rows, columns) each: the gradients of weights that read `others`. Rows
 * of `left` are `stride` apart; the second of the others may be null. */
void transposed_products(int64_t depth, int64_t rows, int64_t columns, const float *left,
                         int64_t stride, const float *others[2], float *products[2],
                         float *scratch) {
    const int64_t size = packed_size(DEPTH, columns);
    float *panels = scratch, *packed = scratch + SLAB / ROWS * PANEL;
    const int count = others[1] ? 2 : 1;
    for (int64_t k = 0; k < depth; k += DEPTH) {
        const int64_t deep = least(depth - k, DEPTH);
        for (int one = 0; one < count; one++)
            pack(deep, columns, others[one] + k * columns, columns, 1, packed + one * size);
        for (int64_t slab = 0; slab < rows; slab += SLAB) {
            const int64_t end = least(rows, slab + SLAB);
            pack_left(deep, end - slab, left + k * stride + slab, stride, panels);
            for (int one = 0; one < count; one++)
                for (int64_t j = 0; j < columns; j += WIDTH)
                    for (int64_t i = slab; i < end; i += ROWS)
                        multiply(least(end - i, ROWS), least(columns - j, WIDTH), k > 0, deep,
                                 (Matrix){panels + (i - slab) / ROWS * PANEL, 1, ROWS},
                                 packed + one * size + j * deep,
                                 products[one] + i * columns + j, columns);
        }
    }
}
