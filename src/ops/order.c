/* Orders that depend on the algorithm. PyTorch leaves it open which of equal elements topk takes and where
 * sort puts them unless it is asked for a stable one, yet a model that routes by the indices shows the
 * choice. So this does what PyTorch's CPU kernels do: quicksort with the median of three and insertion at the
 * end; for the first few a heap, or quickselect where they are not so few; step by step as in the C++
 * standard library that PyTorch is built with. */
#include "ops/order.h"

enum { INSERTION = 16 }; /* shorter ranges are left to the final insertion sort */

static void swap(lt_keyed *a, lt_keyed *b)
{
    lt_keyed t = *a;
    *a = *b;
    *b = t;
}

/* ---- Heap: the element that goes last is on top ---- */

/* Puts `value` into the hole: the hole sinks to a leaf, the value rises from there. */
static void fill_hole(lt_keyed *heap, int64_t hole, int64_t n, lt_keyed value)
{
    int64_t top = hole, child = hole;
    while (child < (n - 1) / 2) {
        child = 2 * (child + 1);
        if (heap[child].key < heap[child - 1].key) child--;
        heap[hole] = heap[child];
        hole = child;
    }
    if (n % 2 == 0 && child == (n - 2) / 2) {
        child = 2 * (child + 1);
        heap[hole] = heap[child - 1];
        hole = child - 1;
    }
    for (int64_t parent = (hole - 1) / 2; hole > top && heap[parent].key < value.key;
         parent = (hole - 1) / 2) {
        heap[hole] = heap[parent];
        hole = parent;
    }
    heap[hole] = value;
}

/* The n elements that go first, as a heap in front; `end` is the number of all. */
static void heap_select(lt_keyed *keys, int64_t n, int64_t end)
{
    for (int64_t parent = n / 2 - 1; parent >= 0; parent--) fill_hole(keys, parent, n, keys[parent]);
    for (int64_t i = n; i < end; i++) {
        if (keys[i].key >= keys[0].key) continue;
        lt_keyed value = keys[i];
        keys[i] = keys[0];
        fill_hole(keys, 0, n, value);
    }
}

static void heap_sort(lt_keyed *keys, int64_t n)
{
    while (n > 1) {
        lt_keyed value = keys[--n];
        keys[n] = keys[0];
        fill_hole(keys, 0, n, value);
    }
}

/* ---- Quicksort and quickselect ---- */

/* Moves elements back until `value` stands; a smaller element is known to lie in front. */
static void insert_back(lt_keyed *last)
{
    lt_keyed value = *last;
    for (; value.key < last[-1].key; last--) *last = last[-1];
    *last = value;
}

static void insertion_sort(lt_keyed *keys, int64_t n)
{
    for (int64_t i = 1; i < n; i++) {
        if (keys[i].key >= keys[0].key) {
            insert_back(keys + i);
            continue;
        }
        lt_keyed value = keys[i];
        for (int64_t k = i; k > 0; k--) keys[k] = keys[k - 1];
        keys[0] = value;
    }
}

static lt_keyed *median_of_three(lt_keyed *a, lt_keyed *b, lt_keyed *c)
{
    if (a->key < b->key) return b->key < c->key ? b : a->key < c->key ? c : a;
    return a->key < c->key ? a : b->key < c->key ? c : b;
}

/* Splits n >= 4 elements around a pivot; where the second part starts. */
static int64_t partition(lt_keyed *keys, int64_t n)
{
    swap(keys, median_of_three(keys + 1, keys + n / 2, keys + n - 1));
    int64_t low = 1, high = n;
    for (;;) {
        while (keys[low].key < keys[0].key) low++;
        high--;
        while (keys[0].key < keys[high].key) high--;
        if (low >= high) return low;
        swap(keys + low++, keys + high);
    }
}

static int depth_limit(int64_t n)
{
    int depth = 0;
    for (; n > 1; n >>= 1) depth += 2;
    return depth;
}

/* keys[k] becomes what sorting would put there, with nothing greater in front. */
static void quickselect(lt_keyed *keys, int64_t k, int64_t n)
{
    for (int depth = depth_limit(n); n > 3; depth--) {
        if (depth == 0) {
            heap_select(keys, k + 1, n);
            swap(keys, keys + k);
            return;
        }
        int64_t cut = partition(keys, n);
        if (cut > k) {
            n = cut;
        } else {
            keys += cut;
            k -= cut;
            n -= cut;
        }
    }
    insertion_sort(keys, n);
}

/* Recursion is as deep as `depth` allows: twice the logarithm of n. */
static void quicksort(lt_keyed *keys, int64_t n, int depth)
{
    for (; n > INSERTION; depth--) {
        if (depth == 0) {
            heap_select(keys, n, n);
            heap_sort(keys, n);
            return;
        }
        int64_t cut = partition(keys, n);
        quicksort(keys + cut, n - cut, depth - 1);
        n = cut;
    }
}

void lt_keys_sort(lt_keyed *keys, int64_t n)
{
    quicksort(keys, n, depth_limit(n));
    insertion_sort(keys, n < INSERTION ? n : INSERTION);
    for (int64_t i = INSERTION; i < n; i++) insert_back(keys + i);
}

void lt_keys_select(lt_keyed *keys, int64_t n, int64_t k, bool sorted)
{
    if (k <= 0) return;
    if (k <= n / 64) {
        heap_select(keys, k, n);
        heap_sort(keys, k);
        return;
    }
    quickselect(keys, k - 1, n);
    if (sorted) lt_keys_sort(keys, k - 1);
}
