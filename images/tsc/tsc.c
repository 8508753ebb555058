// SPDX-License-Identifier: GPL-2.0-only
/*
 * tsc: prints the frequency of this processor's time stamp counter in kHz.
 *
 * Two looks at counter and clock, 100 ms apart. Each is the quickest of many,
 * so a process that is put aside in between measures the same.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

struct look {
	uint64_t ticks;
	double ns;
};

static struct look look(void)
{
	struct look best = { 0, 0 };
	uint64_t shortest = UINT64_MAX;

	for (int n = 0; n < 100; n++) {
		struct timespec now;
		uint64_t before = __rdtsc(), after;

		clock_gettime(CLOCK_MONOTONIC_RAW, &now);
		after = __rdtsc();
		if (after - before < shortest) {
			shortest = after - before;
			best.ticks = before + shortest / 2;
			best.ns = now.tv_sec * 1e9 + now.tv_nsec;
		}
	}
	return best;
}

int main(void)
{
	struct look first = look(), second;

	usleep(100000);
	second = look();
	printf("%.0f\n", (second.ticks - first.ticks) / (second.ns - first.ns) * 1e6);
	return 0;
}
