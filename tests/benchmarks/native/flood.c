/* flood FIFO NAME: a supervised program that writes as fast as it can, for the benchmark of output.
 *
 * It reports its birth as child.c does. Then, unless NAME begins with "idle", it waits until somebody opens FIFO.go to
 * write, and does what FIFO.orders says, "BYTES BLOCK": write so many bytes to standard output, BLOCK in one write(2).
 * When the last write(2) is done it reports "NAME.done PID NANOSECONDS" to FIFO, and sleeps.
 *
 * A line has 100 bytes: NAME, the number of its megabyte (of 10,000 lines, if it is the first of one), its own within.
 * A NAME of "." stands for the name of the working directory.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 100, LINES = 10000, MEGABYTE = LINE * LINES };

static char text[MEGABYTE + 1];

static void report(int fifo, const char *name, const char *what) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    char line[PATH_MAX + 64];
    int length = snprintf(line, sizeof line, "%s%s %d %lld\n", name, what, (int)getpid(),
                          now.tv_sec * 1000000000LL + now.tv_nsec);
    if (write(fifo, line, length) != length) exit(1);
}

static void say(const char *data, long length) {
    while (length) {
        ssize_t written = write(STDOUT_FILENO, data, length);
        if (written < 0) exit(1);
        data += written;
        length -= written;
    }
}

static void number(char *line, const char *name, long megabyte, int within) {
    /* snprintf would end it with a zero byte, which belongs to what comes after. */
    char head[LINE + 1];
    int length = snprintf(head, sizeof head, "%.40s %08ld %05d ", name, megabyte, within);
    memcpy(line, head, length);
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    char folder[PATH_MAX], path[PATH_MAX];
    const char *name = argv[2];
    if (*name == '.') {
        if (!getcwd(folder, sizeof folder)) return 1;
        name = strrchr(folder, '/') + 1;
    }
    int fifo = open(argv[1], O_WRONLY);
    if (fifo < 0) return 1;
    report(fifo, name, "");
    if (strncmp(name, "idle", 4) == 0) for (;;) pause();

    snprintf(path, sizeof path, "%s.go", argv[1]);
    if (open(path, O_RDONLY) < 0) return 1;
    snprintf(path, sizeof path, "%s.orders", argv[1]);
    FILE *orders = fopen(path, "r");
    long bytes, block;
    if (!orders || fscanf(orders, "%ld %ld", &bytes, &block) != 2) return 1;

    memset(text, 'x', MEGABYTE);
    for (int line = 0; line < LINES; line++) {
        number(text + LINE * line, name, 0, line);
        text[LINE * line + LINE - 1] = '\n';
    }
    report(fifo, name, ".begun");
    for (long megabyte = 0; bytes > 0; megabyte++) {
        number(text, name, megabyte, 0);
        for (long at = 0; at < MEGABYTE && bytes > 0; at += block) {
            long length = at + block > MEGABYTE ? MEGABYTE - at : block;
            if (length > bytes) length = bytes;
            say(text + at, length);
            bytes -= length;
        }
    }
    report(fifo, name, ".done");
    for (;;) pause();
}
