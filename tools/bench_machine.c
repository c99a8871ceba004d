/* What a benchmark says of the machine and the build. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "tool_bench.h"
#include "tool_commit.h"

double bench_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double bench_peak_memory_mb(void)
{
    struct rusage usage;
    char line[256];
    double kb = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && kb <= 0 && fgets(line, sizeof line, status))
        if (strncmp(line, "VmHWM:", 6) == 0) kb = strtod(line + 6, NULL);
    if (status) fclose(status);
    if (kb <= 0 && getrusage(RUSAGE_SELF, &usage) == 0) kb = (double)usage.ru_maxrss;
    return kb / 1024;
}

void bench_reset_peak_memory(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "w");
    if (!file) return;
    fputs("5", file);
    fclose(file);
}

/* The value of the first line that begins with a key, without blanks, separator and quotes around it; "" when
 * there is none. */
static void read_field(const char *path, const char *key, char *out, size_t room)
{
    char line[512];
    FILE *file = fopen(path, "r");
    *out = '\0';
    while (file && !*out && fgets(line, sizeof line, file)) {
        if (strncmp(line, key, strlen(key)) != 0) continue;
        const char *value = line + strlen(key);
        value += strspn(value, " \t:=\"");
        snprintf(out, room, "%.*s", (int)strcspn(value, "\"\n"), value);
    }
    if (file) fclose(file);
}

static json_t *text_or_null(const char *text) { return *text ? json_string(text) : json_null(); }

const char *bench_commit(void) { return LATHE_COMMIT; }

void bench_date(char out[BENCH_DATE_BYTES])
{
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(out, BENCH_DATE_BYTES, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

json_t *bench_environment(void)
{
    struct utsname system;
    char chip[256], distribution[256], platform[512];
    if (uname(&system) != 0) memset(&system, 0, sizeof system);
    snprintf(platform, sizeof platform, "%s-%s-%s", system.sysname, system.release, system.machine);
    read_field("/proc/cpuinfo", "model name", chip, sizeof chip);
    read_field("/etc/os-release", "PRETTY_NAME", distribution, sizeof distribution);
    double ram = round((double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE) / 1e8) / 10;
    return json_pack("{s:s, s:s, s:n, s:n, s:o, s:f, s:n, s:o, s:i, s:s}", "platform", platform, "machine",
                     system.machine, "python", "macos", "chipset", text_or_null(chip), "ram_gb", ram,
                     "metal_gpu", "distribution", text_or_null(distribution), "processors",
                     (int)sysconf(_SC_NPROCESSORS_ONLN), "compiler", __VERSION__);
}
