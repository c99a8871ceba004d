/* Hardware counters through perf events, where the system has them and lets us. */
#include "tool_profile.h"

#ifdef __linux__

#include <linux/perf_event.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CYCLES, INSTRUCTIONS, MISSES, COUNTERS };

static const uint64_t events[COUNTERS] = {PERF_COUNT_HW_CPU_CYCLES, PERF_COUNT_HW_INSTRUCTIONS,
                                          PERF_COUNT_HW_CACHE_MISSES};

void profile_counters_open(profile_counters *counters)
{
    for (int i = 0; i < COUNTERS; i++) {
        struct perf_event_attr attr = {.type = PERF_TYPE_HARDWARE,
                                       .size = sizeof attr,
                                       .config = events[i],
                                       .disabled = 1,
                                       .inherit = 1,
                                       .exclude_kernel = 1,
                                       .exclude_hv = 1};
        counters->fd[i] = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    }
}

void profile_counters_enable(profile_counters *counters, bool on)
{
    for (int i = 0; i < COUNTERS; i++)
        if (counters->fd[i] >= 0)
            ioctl(counters->fd[i], on ? PERF_EVENT_IOC_ENABLE : PERF_EVENT_IOC_DISABLE, 0);
}

void profile_counters_print(const profile_counters *counters, FILE *to, long runs)
{
    uint64_t value[COUNTERS];
    for (int i = 0; i < COUNTERS; i++)
        if (counters->fd[i] < 0 || read(counters->fd[i], &value[i], sizeof value[i]) != sizeof value[i] ||
            value[CYCLES] == 0)
            return;
    fprintf(to,
            "counters, of a run without profile, all threads: %.4g cycles, %.4g instructions (%.2f a cycle), "
            "%.4g cache misses\n",
            (double)value[CYCLES] / (double)runs, (double)value[INSTRUCTIONS] / (double)runs,
            (double)value[INSTRUCTIONS] / (double)value[CYCLES], (double)value[MISSES] / (double)runs);
}

void profile_counters_close(profile_counters *counters)
{
    for (int i = 0; i < COUNTERS; i++)
        if (counters->fd[i] >= 0) close(counters->fd[i]);
}

#else

void profile_counters_open(profile_counters *counters) { (void)counters; }
void profile_counters_enable(profile_counters *counters, bool on) { (void)counters, (void)on; }
void profile_counters_print(const profile_counters *counters, FILE *to, long runs)
{
    (void)counters, (void)to, (void)runs;
}
void profile_counters_close(profile_counters *counters) { (void)counters; }

#endif
