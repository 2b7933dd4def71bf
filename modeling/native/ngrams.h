/* The table of n-grams and places in the line: looking rows up, and learning them.
 *
 * `NgramEmbedding`, `Layout` and `RowwiseAdagrad` do the same in torch.
 *
 * Shapes: see `lstm.c`; P rows are read for a character: N - 1, or N with a layout. M vectors are
 * each the sum of P rows.
 */
#pragma once
#include "structures.h"
#include <math.h>

#define PRIME 2147483647
#define BASE 1103515245
#define MOST_ROWS 32 /* the largest P, by `ModelConfig` */
#define AHEAD 4      /* vectors whose rows are requested from memory in advance */

#define TEXT 0 /* kinds of characters in a layout; any other is a blank */
#define BREAK 2

/* The row of a part of the table that a number is hashed to. */
static int64_t hashed(const Network *n, int64_t part, int64_t number) {
    const int64_t hash = (number ^ number >> 15) * BASE % PRIME;
    return part * n->rows + hash % n->rows;
}

/* Follow the lines of a stream, and return a number for the place in the line. */
static int64_t place_in_line(int64_t kind, int64_t repeated, int64_t *line) {
    const int64_t most = 79, near = 8;
    int64_t column = line[0] + 1, indent = line[1];
    if (kind == BREAK) {
        column = 0;
        indent = indent < 0 ? -1 - indent : indent;
    } else if (kind == TEXT && indent >= 0) {
        indent = -column;
    }
    line[0] = column, line[1] = indent;
    int64_t inside = repeated ? most + 1 + repeated : 0;
    if (indent >= 0 && column <= indent + near)
        inside = (indent < most ? indent : most) + 1;
    return (most + 1) * inside + (column < most ? column : most);
}

/* Find the P rows for `id`, then put it in front of `before`, newest first. Returns P. */
static int64_t find(const Network *n, int64_t id, int64_t *before, int64_t *line, int64_t *rows) {
    int64_t sum = n->codes[id] * n->powers[0], parts = n->order - 1;
    for (int64_t part = 0; part < n->order - 1; part++) {
        sum += n->codes[before[part]] * n->powers[part + 1];
        rows[part] = hashed(n, part, sum % PRIME);
    }
    if (n->kinds) {
        const int64_t repeated = id == before[0] && id == before[1] ? n->codes[id] : 0;
        rows[parts] = hashed(n, parts, place_in_line(n->kinds[id], repeated, line));
        parts++;
    }
    __builtin_memmove(before + 1, before, (n->order - 2) * sizeof(int64_t));
    before[0] = id;
    return parts;
}

/* Add rows of a table to a vector. */
static void add_rows(int64_t width, int64_t count, const float *table, const int64_t *rows,
                     float *vector) {
    for (int64_t i = 0; i < count; i++) {
        const float *row = table + rows[i] * width;
#pragma omp simd
        for (int64_t j = 0; j < width; j++)
            vector[j] += row[j];
    }
}

/* Sum the vectors of `id` and of the n-grams that end there. */
static void look_up(const Network *n, int64_t id, int64_t *before, int64_t *line, float *vector) {
    int64_t rows[MOST_ROWS];
    const int64_t count = find(n, id, before, line, rows);
    __builtin_memcpy(vector, n->characters + id * n->embedding, n->embedding * sizeof(float));
    add_rows(n->embedding, count, n->ngrams, rows, vector);
}

/* Find the rows, B x T x P, for the characters of the streams [first, last), B x T; `before` and
 * `lines`, as in a chunk, advance. */
void find_rows(const Network *n, int64_t length, const int64_t *ids, int64_t *before,
               int64_t *lines, int64_t *rows, int64_t first, int64_t last) {
    const int64_t count = n->order - 1 + (n->kinds != 0);
    for (int64_t at = first * length; at < last * length; at++)
        find(n, ids[at], before + at / length * (n->order - 1), lines + at / length * 2,
             rows + at * count);
}

static void prefetch(int64_t width, const float *row) {
    for (int64_t j = 0; j < width; j += 16)
        __builtin_prefetch(row + j);
}

/* Compute the vectors [first, last), M x E, from the rows that each is the sum of, M x P. */
void sum_of_rows(int64_t width, int64_t count, const float *table, const int64_t *rows,
                 float *vectors, int64_t first, int64_t last) {
    for (int64_t m = first; m < last; m++) {
        for (int64_t i = 0; m + AHEAD < last && i < count; i++)
            prefetch(width, table + rows[(m + AHEAD) * count + i] * width);
        __builtin_memset(vectors + m * width, 0, width * sizeof(float));
        add_rows(width, count, table, rows + m * count, vectors + m * width);
    }
}

/* Adagrad with one sum of squares per row, for the rows [first, last) of a table, given the
 * gradients, M x E, of the sums of `rows`, M x P. `sums`, M P x E, is scratch memory: the gradient
 * of a row is summed where the row is listed first. `firsts` has a number for each row of the
 * table: that place plus 1 while this runs, 0 before and after. */
void adagrad(int64_t width, int64_t vectors, int64_t count, const int64_t *rows,
             const float *gradients, float rate, int32_t *firsts, float *sums, float *squares,
             float *table, int64_t first, int64_t last) {
    for (int64_t at = 0; at < vectors * count; at++) {
        const int64_t row = rows[at];
        if (row < first || row >= last)
            continue;
        const int is_first = !firsts[row];
        if (is_first) {
            firsts[row] = at + 1;
            prefetch(width, table + row * width);
        }
        const float *gradient = gradients + at / count * width;
        float *sum = sums + (firsts[row] - 1) * width;
#pragma omp simd
        for (int64_t j = 0; j < width; j++)
            sum[j] = is_first ? gradient[j] : sum[j] + gradient[j];
    }
    for (int64_t at = 0; at < vectors * count; at++) {
        const int64_t row = rows[at];
        if (row < first || row >= last || firsts[row] != at + 1)
            continue;
        const float *sum = sums + at * width;
        float square = 0;
#pragma omp simd reduction(+ : square)
        for (int64_t j = 0; j < width; j++)
            square += sum[j] * sum[j];
        squares[row] += square / width;
        const float factor = rate / (sqrtf(squares[row]) + 1e-8f);
#pragma omp simd
        for (int64_t j = 0; j < width; j++)
            table[row * width + j] -= factor * sum[j];
        firsts[row] = 0;
    }
}
