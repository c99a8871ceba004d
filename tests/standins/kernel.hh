// What the preludes of all vocabularies share: how a kernel becomes an entry that takes its arguments as an array.
#pragma once
#include "entry.h"
#include <limits.h>

static standin_place standin_here;
static void (*standin_barrier)(void);
static void (*standin_subgroup)(void);

// What the items of a subgroup show one another: a place for each subgroup of a group. What is shown stays until the
// subgroup has met once more, so two take turns.
template <class T> struct standin_exchange {
    static T &shown(unsigned item, unsigned turn)
    {
        static T all[2][1024];
        return all[turn % 2][item];
    }
    // Shows x; gives what lane i shows.
    struct view {
        unsigned first, turn;
        T &operator[](unsigned lane) const { return shown(first + lane % STANDIN_SUBGROUP, turn); }
    };
    static view meet(const T &x)
    {
        static unsigned turns[1024];
        const standin_place &at = standin_here;
        const unsigned item = (at.item[2] * at.items[1] + at.item[1]) * at.items[0] + at.item[0];
        const unsigned turn = turns[item]++;
        shown(item, turn) = x;
        standin_subgroup();
        return {item - item % STANDIN_SUBGROUP, turn};
    }
};
static inline float standin_from_bfloat16(unsigned short bits)
{
    unsigned word = (unsigned)bits << 16;
    float x;
    __builtin_memcpy(&x, &word, sizeof x);
    return x;
}
static inline float standin_from_float16(unsigned short bits)
{
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    const float magnitude = exponent == 31 ? fraction ? __builtin_nanf("") : __builtin_inff()
                            : exponent ? __builtin_ldexpf(1024 + fraction, exponent - 25) : __builtin_ldexpf(fraction, -24);
    return bits & 0x8000 ? -magnitude : magnitude;
}
static inline unsigned standin_lane()
{
    const standin_place &at = standin_here;
    return ((at.item[2] * at.items[1] + at.item[1]) * at.items[0] + at.item[0]) % STANDIN_SUBGROUP;
}

// The memory that a group shares is static: groups run one after the other.
#define STANDIN_LOCAL static __attribute__((section("standin_local")))
extern "C" __attribute__((weak, visibility("hidden"))) char __start_standin_local[], __stop_standin_local[];

template <int... I> struct standin_sequence {};
template <int N, int... I> struct standin_indices : standin_indices<N - 1, N - 1, I...> {};
template <int... I> struct standin_indices<0, I...> {
    typedef standin_sequence<I...> type;
};

// An argument by value, by address or by reference.
template <class T> struct standin_argument {
    static T &get(void **at) { return **(T **)at; }
    static constexpr unsigned size = sizeof(T);
};
template <class T> struct standin_argument<T *> {
    static T *&get(void **at) { return **(T ***)at; }
    static constexpr unsigned size = 0;
};
template <class T> struct standin_argument<T &> {
    static T &get(void **at) { return **(T **)at; }
    static constexpr unsigned size = sizeof(T);
};

template <auto kernel> struct standin_kernel;
template <class... A, void (*kernel)(A...)> struct standin_kernel<kernel> {
    template <int... I> static void expand(void **at, standin_sequence<I...>)
    {
        kernel(standin_argument<A>::get(at + I)...);
    }
    static void call(void **at) { expand(at, typename standin_indices<sizeof...(A)>::type()); }
    static constexpr unsigned n = sizeof...(A);
    static constexpr unsigned sizes[] = {standin_argument<A>::size..., 0};
};
