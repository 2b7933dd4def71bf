/* The kernel in a process of its own, which may be one of another processor under an emulator.
 *
 * It does what it reads from standard input, in 64-bit words: give memory, take it back, fill it,
 * show it, call a function of the kernel with words as arguments. tests/modeling/native/emulation.py is
 * the other side. */
#include <stdio.h>
#include <stdlib.h>

#include "lstm.c"

enum { ALLOCATE, FREE, WRITE, READ, CALL };

static void get(void *to, int64_t bytes) {
    if (bytes && fread(to, bytes, 1, stdin) != 1)
        exit(feof(stdin) ? 0 : 1);
}

static void put(const void *from, int64_t bytes) {
    fwrite(from, 1, bytes, stdout);
    fflush(stdout);
}

static int64_t call(int64_t function, const int64_t *a) {
    switch (function) {
    case 0: return packed_size(a[0], a[1], a[2]);
    case 1: return scratch_size(a[0]);
    case 2: use_large_pages((char *)a[0], a[1]); break;
    case 3: pack(a[0], a[1], a[2], (float *)a[3], a[4], a[5], (float *)a[6]); break;
    case 4:
        transposed_products(a[0], a[1], a[2], (int64_t *)a[3], (float *)a[4], a[5],
                            (const float **)a[6], (float **)a[7], (float *)a[8]);
        break;
    case 5: sum_rows(a[0], a[1], (int64_t *)a[2], (float *)a[3], a[4], (float *)a[5]); break;
    case 6: forward((Network *)a[0], (Chunk *)a[1], a[2], a[3]); break;
    case 7: backward((Network *)a[0], (Chunk *)a[1], a[2], a[3]); break;
    case 8: draw((Network *)a[0], (Chunk *)a[1], (float *)a[2], a[3], a[4]); break;
    case 9: evaluate(a[0], (float *)a[1], (float *)a[2], (float *)a[3], (float *)a[4]); break;
    case 10: return widens_halves();
    case 11: return has_wide_tiles();
    case 12: use_wide_tiles(a[0]); break;
    case 13:
        find_rows((Network *)a[0], a[1], (int64_t *)a[2], (int64_t *)a[3], (int64_t *)a[4],
                  (int64_t *)a[5], a[6], a[7]);
        break;
    case 14:
        sum_of_rows(a[0], a[1], (float *)a[2], (int64_t *)a[3], (float *)a[4], a[5], a[6]);
        break;
    case 15:
        adagrad(a[0], a[1], a[2], (int64_t *)a[3], (float *)a[4], float_of(a[5]), (int32_t *)a[6],
                (float *)a[7], (float *)a[8], (float *)a[9], a[10], a[11]);
        break;
    default: exit(2);
    }
    return 0;
}

int main(void) {
    for (;;) {
        int64_t order[3], arguments[12], given;
        get(order, sizeof order);
        char *memory = (char *)order[1];
        switch (order[0]) {
        case ALLOCATE:
            given = (int64_t)malloc(order[1]);
            put(&given, sizeof given);
            break;
        case FREE: free(memory); break;
        case WRITE: get(memory, order[2]); break;
        case READ: put(memory, order[2]); break;
        case CALL:
            get(arguments, sizeof arguments);
            given = call(order[1], arguments);
            put(&given, sizeof given);
            break;
        default: return 2;
        }
    }
}
