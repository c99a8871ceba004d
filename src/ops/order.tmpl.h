/* Orders that depend on the algorithm. PyTorch leaves it open which of equal elements topk takes and where
 * sort puts them unless it is asked for a stable one, yet a model that routes by the indices shows the
 * choice. So this does what PyTorch's CPU kernels do: quicksort with the median of three and insertion at the
 * end; for the first few a heap, or quickselect where they are not so few; step by step as in the C++
 * standard library that PyTorch is built with. Also part of kernel
 * texts. Before including: LT_FN (how a function is declared), LT_GLOBAL (where the keys are), lt_keyed. */
enum { INSERTION = 16, DEEPEST = 128 }; /* shorter ranges are left to the final insertion sort */

LT_FN void swap_keys(LT_GLOBAL lt_keyed *a, LT_GLOBAL lt_keyed *b)
{
    lt_keyed t = *a;
    *a = *b;
    *b = t;
}

/* ---- Heap: the element that goes last is on top ---- */

/* Puts `value` into the hole: the hole sinks to a leaf, the value rises from there. */
LT_FN void fill_hole(LT_GLOBAL lt_keyed *heap, int64_t hole, int64_t n, lt_keyed value)
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
LT_FN void heap_select(LT_GLOBAL lt_keyed *keys, int64_t n, int64_t end)
{
    for (int64_t parent = n / 2 - 1; parent >= 0; parent--) fill_hole(keys, parent, n, keys[parent]);
    for (int64_t i = n; i < end; i++) {
        if (keys[i].key >= keys[0].key) continue;
        lt_keyed value = keys[i];
        keys[i] = keys[0];
        fill_hole(keys, 0, n, value);
    }
}

LT_FN void heap_sort(LT_GLOBAL lt_keyed *keys, int64_t n)
{
    while (n > 1) {
        lt_keyed value = keys[--n];
        keys[n] = keys[0];
        fill_hole(keys, 0, n, value);
    }
}

/* ---- Quicksort and quickselect ---- */

/* Moves elements back until `value` stands; a smaller element is known to lie in front. */
LT_FN void insert_back(LT_GLOBAL lt_keyed *last)
{
    lt_keyed value = *last;
    for (; value.key < last[-1].key; last--) *last = last[-1];
    *last = value;
}

LT_FN void insertion_sort(LT_GLOBAL lt_keyed *keys, int64_t n)
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

LT_FN LT_GLOBAL lt_keyed *median_of_three(LT_GLOBAL lt_keyed *a, LT_GLOBAL lt_keyed *b, LT_GLOBAL lt_keyed *c)
{
    if (a->key < b->key) return b->key < c->key ? b : a->key < c->key ? c : a;
    return a->key < c->key ? a : b->key < c->key ? c : b;
}

/* Splits n >= 4 elements around a pivot; where the second part starts. */
LT_FN int64_t partition(LT_GLOBAL lt_keyed *keys, int64_t n)
{
    swap_keys(keys, median_of_three(keys + 1, keys + n / 2, keys + n - 1));
    int64_t low = 1, high = n;
    for (;;) {
        while (keys[low].key < keys[0].key) low++;
        high--;
        while (keys[0].key < keys[high].key) high--;
        if (low >= high) return low;
        swap_keys(keys + low++, keys + high);
    }
}

LT_FN int depth_limit(int64_t n)
{
    int depth = 0;
    for (; n > 1; n >>= 1) depth += 2;
    return depth;
}

/* keys[k] becomes what sorting would put there, with nothing greater in front. */
LT_FN void quickselect(LT_GLOBAL lt_keyed *keys, int64_t k, int64_t n)
{
    for (int depth = depth_limit(n); n > 3; depth--) {
        if (depth == 0) {
            heap_select(keys, k + 1, n);
            swap_keys(keys, keys + k);
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

/* Parts that wait are kept on a stack: there are no more than the depth, twice the logarithm of n, allows. */
LT_FN void quicksort(LT_GLOBAL lt_keyed *keys, int64_t all)
{
    int64_t starts[DEEPEST], sizes[DEEPEST], start = 0, n = all;
    int depths[DEEPEST], waiting = 0, depth = depth_limit(all);
    for (;;) {
        if (n > INSERTION && depth > 0) {
            int64_t cut = partition(keys + start, n);
            depth--;
            starts[waiting] = start + cut;
            sizes[waiting] = n - cut;
            depths[waiting++] = depth;
            n = cut;
            continue;
        }
        if (n > INSERTION) {
            heap_select(keys + start, n, n);
            heap_sort(keys + start, n);
        }
        if (waiting == 0) return;
        start = starts[--waiting];
        n = sizes[waiting];
        depth = depths[waiting];
    }
}

/* Sorts; where equal elements stand follows from the algorithm. */
LT_FN void sort_keys(LT_GLOBAL lt_keyed *keys, int64_t n)
{
    quicksort(keys, n);
    insertion_sort(keys, n < INSERTION ? n : INSERTION);
    for (int64_t i = INSERTION; i < n; i++) insert_back(keys + i);
}

/* Brings the k first elements to the front. */
LT_FN void select_keys(LT_GLOBAL lt_keyed *keys, int64_t n, int64_t k, bool sorted)
{
    if (k <= 0) return;
    if (k <= n / 64) {
        heap_select(keys, k, n);
        heap_sort(keys, k);
        return;
    }
    quickselect(keys, k - 1, n);
    if (sorted) sort_keys(keys, k - 1);
}
