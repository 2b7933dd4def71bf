/* Elementwise functions: exp, sigmoid and tanh in float32, gates, LayerNorm, softmax.
 *
 * All loops vectorise; the order of a sum over a row depends only on its length.
 *
 * Relative errors against float64, with fused multiply-adds: exp 9e-8 within +-87, sigmoid 2e-7
 * within +-43 and 3e-19 absolute beyond, tanh 1.7e-7. NaN gives NaN; larger arguments are
 * clamped to 87 or 43. -ffast-math would break this.
 */
#include <math.h>
#include <stdint.h>

#define NORMAL 87.0f    /* exp(x) and exp(-x) are normal numbers up to here */
#define SATURATED 43.0f /* (1 + exp(43))^2 is still finite in float32 */

typedef union {
    float number;
    int32_t bits;
} Word;

typedef struct {
    float scale, rest;
} Exponential; /* exp(x) = scale * (1 + rest) */

/* x = n log 2 + r with |r| <= log(2) / 2: scale is 2^n, rest is exp(r) - 1 by Taylor's series. */
static inline Exponential exponential(float x, float bound) {
    x = x > bound ? bound : x; /* NaN passes */
    x = x < -bound ? -bound : x;
    Word shifted = {x * 1.44269504f + 12582912.0f}; /* adding 1.5 * 2^23 rounds to an integer */
    const float n = shifted.number - 12582912.0f;
    const float r = (x - n * 0.693145752f) - n * 1.42860677e-6f; /* log 2 in two parts */
    float rest = 1.0f / 5040;
    rest = rest * r + 1.0f / 720;
    rest = rest * r + 1.0f / 120;
    rest = rest * r + 1.0f / 24;
    rest = rest * r + 1.0f / 6;
    rest = rest * r + 0.5f;
    rest = rest * r * r + r;
    Word scale;
    scale.bits = (int32_t)((uint32_t)(shifted.bits - 0x4B400000 + 127) << 23);
    return (Exponential){scale.number, rest};
}

static inline float fast_exp(float x, float bound) {
    const Exponential e = exponential(x, bound);
    return e.scale * e.rest + e.scale;
}

/* 1 + exp(-x), whose inverse is the sigmoid. */
static inline float sigmoid_inverse(float x) {
    return 1 + fast_exp(-x, SATURATED);
}

/* exp(2x) - 1, accurate near 0; tanh(x) is this divided by this plus 2. */
static inline float tanh_dividend(float x) {
    const Exponential e = exponential(2 * x, 20); /* tanh(10) is 1 in float32 */
    return e.scale * e.rest + (e.scale - 1);
}

static inline float fast_tanh(float x) {
    const float dividend = tanh_dividend(x);
    return dividend / (dividend + 2);
}

typedef struct {
    float first, second;
} Pair;

/* The inverses of two numbers by one division, which takes as long as ten multiplications. */
static inline Pair inverses(float first, float second) {
    const float inverse = 1 / (first * second);
    return (Pair){second * inverse, first * inverse};
}

/* Evaluate all three functions for `count` numbers, to measure their errors. */
void evaluate(int64_t count, const float *x, float *exponentials, float *sigmoids,
              float *tangents) {
#pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        exponentials[i] = fast_exp(x[i], NORMAL);
        sigmoids[i] = inverses(sigmoid_inverse(x[i]), sigmoid_inverse(-x[i])).first;
        tangents[i] = fast_tanh(x[i]);
    }
}

/* Gates, cell and hidden state of one stream from the sums without `bias`; `cell` may equal
 * `before`. */
static void activate(int64_t h, float *gates, const float *bias, const float *before, float *cell,
                     float *hidden) {
#pragma omp simd
    for (int64_t j = 0; j < h; j++) {
        const float dividend = tanh_dividend(gates[2 * h + j] + bias[2 * h + j]);
        const Pair one = inverses(sigmoid_inverse(gates[j] + bias[j]),
                                  sigmoid_inverse(gates[h + j] + bias[h + j]));
        const Pair two =
            inverses(dividend + 2, sigmoid_inverse(gates[3 * h + j] + bias[3 * h + j]));
        const float i = one.first, f = one.second, g = dividend * two.first, o = two.second;
        const float c = f * before[j] + i * g;
        gates[j] = i, gates[h + j] = f, gates[2 * h + j] = g, gates[3 * h + j] = o;
        cell[j] = c;
        hidden[j] = o * fast_tanh(c);
    }
}

/* Replace gates by their gradients, given that of the hidden state, and compute the gradient of the
 * previous cell (Hochreiter & Schmidhuber 1997, with forget gates). */
static void activate_backward(int64_t h, float *gates, const float *before, const float *cell,
                        const float *hidden_gradient, float *cell_gradient) {
#pragma omp simd
    for (int64_t j = 0; j < h; j++) {
        const float i = gates[j], f = gates[h + j], g = gates[2 * h + j], o = gates[3 * h + j];
        const float squashed = fast_tanh(cell[j]), gradient = hidden_gradient[j];
        const float c = cell_gradient[j] + gradient * o * (1 - squashed * squashed);
        gates[j] = c * g * i * (1 - i);
        gates[h + j] = c * before[j] * f * (1 - f);
        gates[2 * h + j] = c * i * (1 - g * g);
        gates[3 * h + j] = gradient * squashed * o * (1 - o);
        cell_gradient[j] = c * f;
    }
}

/* LayerNorm (Ba et al. 2016) without gain and shift; returns 1 / standard deviation. */
static float normalise(int64_t h, const float *values, float *normed) {
    float sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t j = 0; j < h; j++)
        sum += values[j];
    const float mean = sum / h;
#pragma omp simd reduction(+ : squares)
    for (int64_t j = 0; j < h; j++)
        squares += (values[j] - mean) * (values[j] - mean);
    const float rstd = 1 / sqrtf(squares / h + 1e-5f);
#pragma omp simd
    for (int64_t j = 0; j < h; j++)
        normed[j] = (values[j] - mean) * rstd;
    return rstd;
}

/* Replace the gradient of a LayerNorm's output by that of its input. */
static void normalise_backward(int64_t h, const float *gain, const float *normed, float rstd,
                             float *gradient, float *gain_gradient, float *shift_gradient) {
    float sum = 0, along = 0;
#pragma omp simd reduction(+ : sum, along)
    for (int64_t j = 0; j < h; j++) {
        gain_gradient[j] += gradient[j] * normed[j];
        shift_gradient[j] += gradient[j];
        gradient[j] *= gain[j];
        sum += gradient[j];
        along += gradient[j] * normed[j];
    }
#pragma omp simd
    for (int64_t j = 0; j < h; j++)
        gradient[j] = rstd * (gradient[j] - sum / h - normed[j] * (along / h));
}

/* The logit with which an id has, at a temperature below 1, the probability that it has at 1, or its
 * own logit if that is lower. `unsharpened` in writing.py does the same in torch. */
static float unsharpened(int64_t count, const float *logits, int64_t id, float temperature) {
    float top = -INFINITY, sum = 0, sharpened = 0;
    for (int64_t j = 0; j < count; j++)
        top = j != id && logits[j] > top ? logits[j] : top;
    for (int64_t j = 0; j < count; j++) {
        const float below = j == id ? -INFINITY : logits[j] - top;
        sum += expf(below);
        sharpened += expf(below / temperature);
    }
    const float logit = top + temperature * (logits[id] - top + logf(sharpened / sum));
    return logit < logits[id] ? logit : logits[id];
}

/* Return -log of the probability of the target; with `keep`, replace logits by their gradients. */
static float negative_log_probability(int64_t count, float *logits, int64_t target, int64_t keep) {
    float top = -INFINITY, sum = 0;
#pragma omp simd reduction(max : top)
    for (int64_t j = 0; j < count; j++)
        top = logits[j] > top ? logits[j] : top;
    const float chosen = target < 0 ? 0 : logits[target] - top;
    if (target < 0 && !keep)
        return 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t j = 0; j < count; j++)
        sum += logits[j] = fast_exp(logits[j] - top, NORMAL);
    for (int64_t j = 0; keep && j < count; j++)
        logits[j] = target < 0 ? 0 : logits[j] / sum - (j == target);
    return target < 0 ? 0 : logf(sum) - chosen;
}
