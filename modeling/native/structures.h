/* The structures that Python passes to the kernel; `library.py` declares the same ones.
 *
 * Shapes: see `lstm.c`.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct {
    int64_t vocabulary, hidden, layers;
    int64_t norm, skip;        /* LayerNorm before the output; layers add their input */
    int64_t mixed;             /* round factors of products to bfloat16 */
    const float *table;        /* R x 4H: added to the gates of layer 0, with its bias; R is 1 if
                                * layer 0 has another input, else V */
    const float *biases;       /* L-1 x 4H */
    const float *gain, *shift; /* H: of the LayerNorm */
    const float *output_bias;  /* V */
    const float *forward;      /* packed: hh of layer 0; ih, hh of each other; output */
    const float *backward;     /* the same, transposed */
    const uint16_t *halves;    /* `forward` in half precision, for single rows, or null */
    /* Weights of the other input of layer 0; null if it only reads the table. */
    int64_t embedding;           /* E */
    const float *input;          /* packed E x 4H */
    const uint16_t *input_halves;
    const float *input_backward; /* the same, transposed */
    /* Weights from that input to the output, past the layers; null if there are none. */
    const float *direct; /* packed E x V */
    const uint16_t *direct_halves;
    const float *direct_backward; /* the same, transposed */
    /* That input, unless a chunk contains it: the sum of a character and n-grams to look up. */
    int64_t order, rows;     /* N; rows per order */
    const float *characters; /* V x E */
    const float *ngrams;   /* (N-1) rows x E: orders 2 to N */
    const int64_t *codes;  /* V: number of an id in hashes */
    const int64_t *powers; /* N: factor by distance */
    const int64_t *kinds;  /* V: of the layout, or null; its rows follow those of order N */
} Network;

typedef struct {
    int64_t streams, length;
    int64_t mark;            /* this id resets the state to 0; none if negative */
    int64_t keep;            /* every time step has its own memory, for `backward` */
    int64_t *ids;            /* T x B: rows of the table, or characters; `draw` writes them */
    int64_t *before;         /* B x N-1: the last characters, newest first */
    int64_t *lines;          /* B x 2: state of the layout */
    int64_t *runs;           /* B x 2: last id, and how often it was written in a row */
    float *vectors;          /* B x E: sums of a character and its n-grams */
    const float *embedded;   /* T x B x E: input of layer 0; null to look n-grams up */
    float *embedded_gradients;
    int64_t *targets;        /* T x B; negative ones are not trained */
    const float *masks;      /* L x T x B x H: dropout factors, or null */
    float *gates;            /* L x T x B x 4H; `backward` overwrites them with gradients */
    float *cells;            /* L x T+1 x B x H, beginning with the state before */
    float *hiddens;          /* the same */
    float *inputs;           /* L-1 x T x B x H: what layers 1 and up read */
    float *normed;           /* T x B x H: before gain and shift */
    float *rstd;             /* T x B: 1 / standard deviation */
    float *features;         /* T x B x H: what the output layer reads */
    float *logits;           /* T x B x V; `backward` overwrites them with gradients */
    float *nats;             /* T x B: -log of the probability of the target */
    float *values;           /* B x H: passed from layer to layer */
    float *words;            /* B x room: rounded input of a mixed product */
    int64_t room;            /* words of the widest row */
    float *hidden_gradients; /* L x B x H: gradients of the state, initially 0 */
    float *cell_gradients;   /* the same */
    float *input_gradients;  /* B x H */
    float *gain_gradients;   /* B x H: per stream, initially 0 */
    float *shift_gradients;  /* the same */
    float scale;             /* gradient of the sum of all nats */
    float temperature;       /* of `draw`: below 1, it does not sharpen long runs */
} Chunk;

/* Names and offsets of all fields, a line each, which Python compares with its declarations. */
const char *structure_layout(void) {
    static char text[2048];
    static const struct {
        const char *name;
        size_t offset;
    } fields[] = {
#define FIELD(STRUCTURE, NAME) {#NAME, offsetof(STRUCTURE, NAME)}
        FIELD(Network, vocabulary), FIELD(Network, hidden), FIELD(Network, layers),
        FIELD(Network, norm), FIELD(Network, skip), FIELD(Network, mixed), FIELD(Network, table),
        FIELD(Network, biases), FIELD(Network, gain), FIELD(Network, shift),
        FIELD(Network, output_bias), FIELD(Network, forward), FIELD(Network, backward),
        FIELD(Network, halves), FIELD(Network, embedding), FIELD(Network, input),
        FIELD(Network, input_halves), FIELD(Network, input_backward), FIELD(Network, direct),
        FIELD(Network, direct_halves), FIELD(Network, direct_backward), FIELD(Network, order),
        FIELD(Network, rows), FIELD(Network, characters), FIELD(Network, ngrams), FIELD(Network, codes),
        FIELD(Network, powers), FIELD(Network, kinds), FIELD(Chunk, streams), FIELD(Chunk, length), FIELD(Chunk, mark),
        FIELD(Chunk, keep), FIELD(Chunk, ids), FIELD(Chunk, before), FIELD(Chunk, lines), FIELD(Chunk, runs), FIELD(Chunk, vectors),
        FIELD(Chunk, embedded), FIELD(Chunk, embedded_gradients), FIELD(Chunk, targets),
        FIELD(Chunk, masks), FIELD(Chunk, gates), FIELD(Chunk, cells), FIELD(Chunk, hiddens),
        FIELD(Chunk, inputs), FIELD(Chunk, normed), FIELD(Chunk, rstd), FIELD(Chunk, features),
        FIELD(Chunk, logits), FIELD(Chunk, nats), FIELD(Chunk, values), FIELD(Chunk, words),
        FIELD(Chunk, room), FIELD(Chunk, hidden_gradients), FIELD(Chunk, cell_gradients),
        FIELD(Chunk, input_gradients), FIELD(Chunk, gain_gradients),
        FIELD(Chunk, shift_gradients), FIELD(Chunk, scale), FIELD(Chunk, temperature),
#undef FIELD
    };
    int used = 0;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        used += snprintf(text + used, sizeof text - used, "%s %zu\n", fields[i].name,
                         fields[i].offset);
    return text;
}
