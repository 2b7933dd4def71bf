/* A character LSTM on the CPU: forward, backward, sampling; and its table of n-grams (`ngrams.h`).
 *
 * The streams of a chunk are independent, down to the bits of every result: a call computes the
 * streams [first, last), and any number of threads may divide a chunk among themselves. Gradients
 * of weights are products over the whole chunk (`transposed_products`), divided among threads by
 * rows of the weight, so they do not depend on the number of threads either.
 *
 * Shapes: B streams, T characters, V ids, R rows of the table, E embedding, H hidden, L layers, N
 * highest order of n-grams. Gates are in torch's order (input, forget, candidate, output), 4H. All
 * matrices are float32, row-major, time before streams unless stated otherwise.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "halves.h"
#include "ngrams.h"
#include "pointwise.h"
#include "structures.h"
#include "transposed.h"

/* Request large pages for memory that has not been written yet: a time step accesses more memory
 * than a processor's translation buffer covers with small pages. */
void use_large_pages(char *memory, int64_t bytes) {
#ifdef MADV_HUGEPAGE
    const uintptr_t page = sysconf(_SC_PAGESIZE), first = ((uintptr_t)memory + page - 1) & -page;
    if ((uintptr_t)memory + bytes > first)
        madvise((void *)first, (uintptr_t)memory + bytes - first, MADV_HUGEPAGE);
#else
    (void)memory, (void)bytes;
#endif
}

/* Position of a time step; without `keep`, all steps share one. */
static int64_t place(const Chunk *c, int64_t layer, int64_t t) {
    return c->keep ? (layer * c->length + t) * c->streams : layer * c->streams;
}

/* The same for states, of which there is one more than steps. */
static int64_t state(const Chunk *c, int64_t layer, int64_t t) {
    return c->keep ? (layer * (c->length + 1) + t) * c->streams : layer * c->streams;
}

/* The packed weight `index`: 2l for the state of layer l, 2l-1 for its input. */
static const float *weight(const Network *n, const float *packed, int64_t index, int transposed) {
    const int64_t h = n->hidden;
    return packed + index * (transposed ? packed_size(n->mixed, 4 * h, h)
                                        : packed_size(n->mixed, h, 4 * h));
}

static const uint16_t *half_weight(const Network *n, int64_t index) {
    return n->halves ? n->halves + index * packed_size(0, n->hidden, 4 * n->hidden) : 0;
}

/* Rows of the streams from `first` on, rounded if the product is mixed. */
static const float *rounded(const Network *n, const Chunk *c, int64_t first, int64_t rows,
                            int64_t width, const float *from) {
    if (!n->mixed)
        return from;
    narrow(rows, width, from, c->words + first * c->room);
    return c->words + first * c->room;
}

/* Multiply rows of the streams from `first` on by a weight. */
static void apply(const Network *n, const Chunk *c, int64_t first, int64_t rows, int64_t columns,
                  int add, int64_t depth, const float *from, const float *packed,
                  const uint16_t *halves, float *product) {
    if (rows == 1 && halves)
        multiply_halves(columns, add, depth, from, halves, product);
    else
        multiply_rows(n->mixed, rows, columns, add, depth,
                      rounded(n, c, first, rows, depth, from), packed, product);
}

/* Copy, applying dropout if there is any. */
static void drop(const Chunk *c, int64_t mask, int64_t count, const float *from, float *to) {
    const float *factors = c->masks ? c->masks + mask : 0;
#pragma omp simd
    for (int64_t j = 0; j < count; j++)
        to[j] = factors ? from[j] * factors[j] : from[j];
}

/* The input of layer 0 other than the table, from the stream `first` on. */
static const float *embedded(const Network *n, const Chunk *c, int64_t t, int64_t first) {
    return (c->embedded ? c->embedded + t * c->streams * n->embedding : c->vectors) +
           first * n->embedding;
}

/* Reset a stream to the state before a document. */
static void reset(const Network *n, const Chunk *c, int64_t t, int64_t row) {
    if (n->order)
        __builtin_memset(c->before + row * (n->order - 1), 0, (n->order - 1) * sizeof(int64_t));
    c->lines[2 * row] = c->lines[2 * row + 1] = 0;
    for (int64_t l = 0; l < n->layers; l++) {
        const int64_t start = (state(c, l, t) + row) * n->hidden;
        __builtin_memset(c->hiddens + start, 0, n->hidden * sizeof(float));
        __builtin_memset(c->cells + start, 0, n->hidden * sizeof(float));
    }
}

static void step_layer(const Network *n, const Chunk *c, int64_t l, int64_t t, int64_t first,
                       int64_t last) {
    const int64_t h = n->hidden, rows = last - first, width = 4 * h;
    const int64_t before = (state(c, l, t) + first) * h, after = (state(c, l, t + 1) + first) * h;
    float *gates = c->gates + (place(c, l, t) + first) * width, *values = c->values + first * h;
    if (l) {
        float *inputs = c->inputs + (place(c, l - 1, t) + first) * h;
        drop(c, (((l - 1) * c->length + t) * c->streams + first) * h, rows * h, values, inputs);
        apply(n, c, first, rows, width, 0, h, inputs, weight(n, n->forward, 2 * l - 1, 0),
              half_weight(n, 2 * l - 1), gates);
    }
    if (!l && n->input) {
        for (int64_t row = first; !c->embedded && row < last; row++)
            look_up(n, c->ids[t * c->streams + row], c->before + row * (n->order - 1),
                    c->lines + 2 * row, c->vectors + row * n->embedding);
        apply(n, c, first, rows, width, 0, n->embedding, embedded(n, c, t, first), n->input,
              n->input_halves, gates);
    }
    apply(n, c, first, rows, width, l || n->input, h, c->hiddens + before,
          weight(n, n->forward, 2 * l, 0), half_weight(n, 2 * l), gates);
    for (int64_t r = 0; r < rows; r++)
        activate(h, gates + r * width,
                 l ? n->biases + (l - 1) * width
                   : n->table + (n->input ? 0 : c->ids[t * c->streams + first + r] * width),
                 c->cells + before + r * h, c->cells + after + r * h, c->hiddens + after + r * h);
    const float *written = c->hiddens + after;
    const int add = n->skip && l;
#pragma omp simd
    for (int64_t j = 0; j < rows * h; j++)
        values[j] = add ? values[j] + written[j] : written[j];
}

/* Read one character of each stream: compute states and logits. */
static void step(const Network *n, const Chunk *c, int64_t t, int64_t first, int64_t last) {
    const int64_t h = n->hidden, v = n->vocabulary;
    for (int64_t row = first; row < last; row++)
        if (c->ids[t * c->streams + row] == c->mark)
            reset(n, c, t, row);
    for (int64_t l = 0; l < n->layers; l++)
        step_layer(n, c, l, t, first, last);
    for (int64_t row = first; row < last; row++) {
        const int64_t at = place(c, 0, t) + row;
        float *values = c->values + row * h, *features = c->features + at * h;
        if (n->norm) {
            c->rstd[at] = normalise(h, values, c->normed + at * h);
#pragma omp simd
            for (int64_t j = 0; j < h; j++)
                values[j] = c->normed[at * h + j] * n->gain[j] + n->shift[j];
        }
        drop(c, (((n->layers - 1) * c->length + t) * c->streams + row) * h, h, values, features);
        __builtin_memcpy(c->logits + at * v, n->output_bias, v * sizeof(float));
    }
    const int64_t start = place(c, 0, t) + first;
    apply(n, c, first, last - first, v, 1, h, c->features + start * h,
          weight(n, n->forward, 2 * n->layers - 1, 0), half_weight(n, 2 * n->layers - 1),
          c->logits + start * v);
    if (n->direct)
        apply(n, c, first, last - first, v, 1, n->embedding, embedded(n, c, t, first), n->direct,
              n->direct_halves, c->logits + start * v);
}

/* Read a chunk of the streams [first, last); compute the nats of its targets if there are any. */
void forward(const Network *n, const Chunk *c, int64_t first, int64_t last) {
    for (int64_t t = 0; t < c->length; t++) {
        step(n, c, t, first, last);
        for (int64_t row = first; c->targets && row < last; row++)
            c->nats[t * c->streams + row] = negative_log_probability(
                n->vocabulary, c->logits + (place(c, 0, t) + row) * n->vocabulary,
                c->targets[t * c->streams + row], c->keep);
    }
}

/* Backward through the output layer: gradients of the last layer's output, in `values`, and those of
 * the input that come directly from the output. */
static void output_backward(const Network *n, const Chunk *c, int64_t t, int64_t first,
                        int64_t last) {
    const int64_t h = n->hidden, v = n->vocabulary, rows = last - first;
    const int64_t start = place(c, 0, t) + first;
    float *values = c->values + first * h, *logits = c->logits + start * v;
    for (int64_t j = 0; j < rows * v; j++)
        logits[j] *= c->scale;
    const float *left = rounded(n, c, first, rows, v, logits);
    multiply_rows(n->mixed, rows, h, 0, v, left, weight(n, n->backward, 2 * n->layers - 1, 1),
                  values);
    if (n->direct)
        multiply_rows(n->mixed, rows, n->embedding, 0, v, left, n->direct_backward,
                      c->embedded_gradients + (t * c->streams + first) * n->embedding);
    drop(c, (((n->layers - 1) * c->length + t) * c->streams + first) * h, rows * h, values,
         values);
    for (int64_t r = 0; n->norm && r < rows; r++)
        normalise_backward(h, n->gain, c->normed + (start + r) * h, c->rstd[start + r],
                         values + r * h, c->gain_gradients + (first + r) * h,
                         c->shift_gradients + (first + r) * h);
}

/* Backward through one layer and one character: from `values` to `values`, and to the state. */
static void layer_backward(const Network *n, const Chunk *c, int64_t l, int64_t t, int64_t first,
                       int64_t last) {
    const int64_t h = n->hidden, rows = last - first, size = rows * h;
    const int64_t before = (state(c, l, t) + first) * h, after = (state(c, l, t + 1) + first) * h;
    float *gates = c->gates + (place(c, l, t) + first) * 4 * h, *values = c->values + first * h;
    float *gradients = c->hidden_gradients + (l * c->streams + first) * h;
    float *cell_gradients = c->cell_gradients + (l * c->streams + first) * h;
#pragma omp simd
    for (int64_t j = 0; j < size; j++)
        gradients[j] += values[j];
    for (int64_t r = 0; r < rows; r++)
        activate_backward(h, gates + r * 4 * h, c->cells + before + r * h, c->cells + after + r * h,
                    gradients + r * h, cell_gradients + r * h);
    const float *left = rounded(n, c, first, rows, 4 * h, gates);
    multiply_rows(n->mixed, rows, h, 0, 4 * h, left, weight(n, n->backward, 2 * l, 1),
                  gradients);
    if (!l && n->input)
        multiply_rows(n->mixed, rows, n->embedding, n->direct != 0, 4 * h, left, n->input_backward,
                      c->embedded_gradients + (t * c->streams + first) * n->embedding);
    if (!l)
        return;
    float *inputs = c->input_gradients + first * h;
    multiply_rows(n->mixed, rows, h, 0, 4 * h, left, weight(n, n->backward, 2 * l - 1, 1),
                  inputs);
    drop(c, (((l - 1) * c->length + t) * c->streams + first) * h, size, inputs, inputs);
#pragma omp simd
    for (int64_t j = 0; j < size; j++)
        values[j] = n->skip ? values[j] + inputs[j] : inputs[j];
}

/* After `forward` with `keep`: replace gates and logits by their gradients. */
void backward(const Network *n, const Chunk *c, int64_t first, int64_t last) {
    for (int64_t t = c->length - 1; t >= 0; t--) {
        output_backward(n, c, t, first, last);
        for (int64_t l = n->layers - 1; l >= 0; l--)
            layer_backward(n, c, l, t, first, last);
    }
}

/* Write T characters of each stream, starting from its current logits: each time the id with the
 * largest sum of logit and noise, B x T x V. */
void draw(const Network *n, const Chunk *c, const float *noise, int64_t first, int64_t last) {
    const int64_t v = n->vocabulary, is_long = 3;
    for (int64_t t = 0; t < c->length; t++) {
        for (int64_t row = first; row < last; row++) {
            const float *added = noise + (row * c->length + t) * v;
            float *logits = c->logits + row * v;
            int64_t best = 0, *run = c->runs + 2 * row;
            if (c->temperature < 1 && run[1] >= is_long)
                logits[run[0]] = unsharpened(v, logits, run[0], c->temperature);
            for (int64_t j = 1; j < v; j++)
                best = logits[j] + added[j] > logits[best] + added[best] ? j : best;
            run[1] = best == run[0] ? run[1] + 1 : 1, run[0] = best;
            c->ids[t * c->streams + row] = best;
        }
        step(n, c, t, first, last);
    }
}
