/* child FIFO NAME: the supervised program of every benchmark.
 *
 * Its first act is to write "NAME PID NANOSECONDS\n" (CLOCK_MONOTONIC) into FIFO, so that all supervisors are
 * measured by the same clock; then it sleeps. It keeps FIFO open: the reader sees end of file when no child is left.
 * A NAME that begins with "." stands for the name of the working directory (a run script whose interpreter this is).
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (argc < 3) return 2;

    char folder[PATH_MAX];
    const char *name = argv[2];
    if (*name == '.') {
        if (!getcwd(folder, sizeof folder)) return 1;
        name = strrchr(folder, '/') + 1;
    }

    int fifo = open(argv[1], O_WRONLY);
    if (fifo < 0) return 1;
    char line[PATH_MAX + 64];
    int length = snprintf(line, sizeof line, "%s %d %lld\n", name, (int)getpid(),
                          now.tv_sec * 1000000000LL + now.tv_nsec);
    if (write(fifo, line, length) != length) return 1;
    for (;;) pause();
}
